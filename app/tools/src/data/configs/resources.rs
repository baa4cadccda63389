//! Configs of topics, brokers, loggers, groups and subscriptions of client metrics.

use std::collections::BTreeSet;

use ottla_client::{Admin, Attempt, Bootstrap, ClientError};
use ottla_protocol::messages::ListGroupsRequest;
use ottla_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use serde_json::{Value, json};

use super::entity::{Changes, Type};
use super::{Problem, only_brokers, wrong};
use crate::common::configs::{self, Change, Kind, source};
use crate::common::{format, java, output, topics};

const NAME_MAX: usize = 249;

fn kind_of(kind: Type) -> Kind {
    match kind {
        Type::Brokers => Kind::Broker,
        Type::BrokerLoggers => Kind::BrokerLogger,
        Type::ClientMetrics => Kind::ClientMetrics,
        Type::Groups => Kind::Group,
        // The others have no configs of this sort, and never come here.
        Type::Topics | Type::Users | Type::Clients | Type::Ips => Kind::Topic,
    }
}

/// The node that has to be asked; any if none.
fn node_of(kind: Type, name: &str) -> Option<i32> {
    match kind {
        Type::Brokers | Type::BrokerLoggers => name.parse().ok(),
        _ => None,
    }
}

/// Shows the configs of one thing, or of all of its type.
pub(super) fn describe(
    admin: &mut Admin,
    kind: Type,
    name: Option<&str>,
    all: bool,
    as_json: bool,
) -> Result<(), Problem> {
    let mut shown = Vec::new();
    let names = match name {
        Some(name) if !all && !exists(admin, kind, name)? => {
            if as_json {
                format::json(&json!([]));
            } else {
                output::line(&format!(
                    "The {} '{name}' doesn't exist and doesn't have dynamic config.",
                    kind.singular()
                ));
            }
            return Ok(());
        }
        Some(name) => {
            if kind == Type::Topics {
                check_topic(name)?;
            }
            vec![name.to_owned()]
        }
        None => existing(admin, kind)?,
    };
    for name in names {
        if !as_json {
            output::line(&if name.is_empty() {
                format!("Default configs for {} in the cluster are:", kind.name())
            } else {
                let which = if all { "All" } else { "Dynamic" };
                format!("{which} configs for {} {name} are:", kind.singular())
            });
        }
        let configs = configs_of(admin, kind, &name, all)?;
        if as_json {
            shown.push(json!({
                "entityType": kind.name(),
                "entityName": name,
                "configs": configs.iter().map(to_json).collect::<Vec<Value>>(),
            }));
        } else {
            for config in &configs {
                output::line(&line(config));
            }
        }
    }
    if as_json {
        format::json(&Value::Array(shown));
    }
    Ok(())
}

/// Names of all things of a type, in the order in which Kafka's tool has them; an empty one for what
/// holds for all brokers.
fn existing(admin: &mut Admin, kind: Type) -> Result<Vec<String>, Problem> {
    let mut names = match kind {
        Type::Brokers | Type::BrokerLoggers => {
            let mut names = nodes(admin)?;
            names.push(String::new());
            return Ok(names);
        }
        Type::ClientMetrics => {
            only_brokers(admin)?;
            return Ok(configs::list(admin, Kind::ClientMetrics)?);
        }
        Type::Groups => {
            let mut names: BTreeSet<String> = groups(admin)?.into_iter().collect();
            names.extend(configs::list(admin, Kind::Group)?);
            names.into_iter().collect()
        }
        _ => topic_names(admin)?,
    };
    java::name_order(&mut names, |name| name);
    Ok(names)
}

fn exists(admin: &mut Admin, kind: Type, name: &str) -> Result<bool, Problem> {
    let known = match kind {
        Type::Brokers | Type::BrokerLoggers if name.is_empty() => return Ok(true),
        Type::Brokers | Type::BrokerLoggers => nodes(admin)?,
        Type::ClientMetrics => {
            only_brokers(admin)?;
            configs::list(admin, Kind::ClientMetrics)?
        }
        Type::Groups => {
            let mut known = groups(admin)?;
            if !known.iter().any(|other| other == name) {
                known = configs::list(admin, Kind::Group)?;
            }
            known
        }
        _ => {
            check_topic(name)?;
            topic_names(admin)?
        }
    };
    Ok(known.iter().any(|other| other == name))
}

fn topic_names(admin: &mut Admin) -> Result<Vec<String>, Problem> {
    only_brokers(admin)?;
    let listed = topics::list(admin)?;
    Ok(listed.into_iter().map(|topic| topic.name).collect())
}

fn nodes(admin: &mut Admin) -> Result<Vec<String>, Problem> {
    let nodes = admin.retry("listNodes", |admin| {
        let nodes = &admin.cluster()?.brokers;
        let names = nodes.iter().map(|node| node.broker_id.to_string());
        Ok(Attempt::Done(names.collect()))
    })?;
    Ok(nodes)
}

/// Ids of the groups of all brokers.
fn groups(admin: &mut Admin) -> Result<Vec<String>, Problem> {
    if admin.config().kind == Bootstrap::Controllers {
        return Err(Problem::Failed(
            "org.apache.kafka.common.KafkaException: Failed to find brokers to send ListGroups"
                .to_owned(),
        ));
    }
    let brokers: Vec<i32> = admin.retry("findAllBrokers", |admin| {
        let brokers = &admin.cluster()?.brokers;
        Ok(Attempt::Done(
            brokers.iter().map(|broker| broker.broker_id).collect(),
        ))
    })?;
    let mut ids = Vec::new();
    for broker in brokers {
        let answer = admin.ask_node("listGroups", broker, &ListGroupsRequest::default())?;
        ClientError::check(answer.error_code, None)?;
        ids.extend(answer.groups.into_iter().map(|group| group.group_id));
    }
    Ok(ids)
}

/// Refuses what can be no topic's name, as Kafka's clients do before they ask.
fn check_topic(name: &str) -> Result<(), Problem> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let reason = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if matches!(name, "." | "..") {
        format!("'{name}' is not allowed")
    } else if name.len() > NAME_MAX {
        format!("the length of '{name}' is longer than the max allowed length {NAME_MAX}")
    } else if !name.chars().all(legal) {
        format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        )
    } else {
        return Ok(());
    };
    wrong(format!("Topic name is invalid: {reason}"))
}

/// The configs of one thing by name: all, or what was set for it.
fn configs_of(
    admin: &mut Admin,
    kind: Type,
    name: &str,
    all: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, Problem> {
    let set = match kind {
        Type::BrokerLoggers => None,
        Type::Brokers if name.is_empty() => Some(source::DYNAMIC_DEFAULT_BROKER),
        Type::Brokers => Some(source::DYNAMIC_BROKER),
        Type::ClientMetrics => Some(source::CLIENT_METRICS),
        Type::Groups => Some(source::GROUP),
        _ => Some(source::DYNAMIC_TOPIC),
    };
    let mut configs = configs::describe(admin, node_of(kind, name), kind_of(kind), name, true)?;
    configs.retain(|config| all || set.is_none_or(|set| config.config_source == set));
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(configs)
}

fn line(config: &DescribeConfigsResourceResult) -> String {
    let text = |value: &Option<String>| value.as_deref().unwrap_or("null").to_owned();
    let synonyms = config.synonyms.iter().map(|synonym| {
        format!(
            "{}:{}={}",
            source::name(synonym.source),
            synonym.name,
            text(&synonym.value)
        )
    });
    format!(
        "  {}={} sensitive={} synonyms={{{}}}",
        config.name,
        text(&config.value),
        config.is_sensitive,
        java::joined(synonyms, ", ")
    )
}

fn to_json(config: &DescribeConfigsResourceResult) -> Value {
    let synonyms: Vec<Value> = config
        .synonyms
        .iter()
        .map(|synonym| {
            json!({
                "name": synonym.name,
                "value": synonym.value,
                "source": source::name(synonym.source),
            })
        })
        .collect();
    json!({
        "name": config.name,
        "value": config.value,
        "source": source::name(config.config_source),
        "sensitive": config.is_sensitive,
        "readOnly": config.read_only,
        "synonyms": synonyms,
    })
}

/// Changes the configs of one thing.
pub(super) fn alter(
    admin: &mut Admin,
    kind: Type,
    name: &str,
    changes: &Changes,
) -> Result<(), Problem> {
    if kind == Type::BrokerLoggers {
        let known = configs_of(admin, kind, name, false)?;
        let added = changes.add.iter().map(|(key, _)| key);
        let unknown: Vec<&String> = changes
            .delete
            .iter()
            .chain(added)
            .filter(|key| !known.iter().any(|config| config.name == **key))
            .collect();
        if !unknown.is_empty() {
            return wrong(format!(
                "Invalid broker logger(s): {}",
                java::joined(unknown, ",")
            ));
        }
    }
    let set = changes.add.iter().map(|(key, value)| Change {
        name: key.clone(),
        value: Some(value.clone()),
    });
    let removed = changes.delete.iter().map(|key| Change {
        name: key.clone(),
        value: None,
    });
    let changes: Vec<Change> = set.chain(removed).collect();
    configs::alter(admin, node_of(kind, name), kind_of(kind), name, &changes)?;
    Ok(())
}
