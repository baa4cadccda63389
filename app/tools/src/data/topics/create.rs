//! `--create`, and the assignments by hand that `--alter` takes too.

use std::collections::BTreeMap;

use ottla_client::Admin;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};

use crate::common::jopt::Options;
use crate::common::usage::Failure;
use crate::common::{client, controller, java, output};

/// Creates a topic.
pub(super) fn run(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let name = options.value("topic")?.unwrap_or_default();
    let partitions: Option<i32> = options.number("partitions")?;
    let replication: Option<i32> = options.number("replication-factor")?;
    let assignment = assignment(options)?;
    let configs = configs(options)?;
    if name.contains(['.', '_']) {
        output::line(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') \
             could collide. To avoid issues it is best to use either, but not both.",
        );
    }
    let mut topic = CreatableTopic::default();
    topic.replication_factor = match replication {
        None => -1,
        Some(count) => i16::try_from(count)
            .ok()
            .filter(|count| *count >= 1)
            .ok_or_else(|| {
                "The replication factor must be between 1 and 32767 inclusive".to_owned()
            })?,
    };
    topic.num_partitions = match partitions {
        None => -1,
        Some(count) if count < 1 => {
            return Err("The partitions must be greater than 0".to_owned().into());
        }
        Some(count) => count,
    };
    if name.is_empty() {
        return Err(
            "The given topic name '' cannot be represented in a request."
                .to_owned()
                .into(),
        );
    }
    topic.name = name.to_owned();
    for (index, brokers) in (0..).zip(assignment.into_iter().flatten()) {
        let mut entry = CreatableReplicaAssignment::default();
        entry.partition_index = index;
        entry.broker_ids = brokers;
        topic.assignments.push(entry);
    }
    topic.configs = configs
        .into_iter()
        .map(|(name, value)| {
            let mut config = CreatableTopicConfig::default();
            config.name = name;
            config.value = Some(value);
            config
        })
        .collect();
    let mut request = CreateTopicsRequest::default();
    request.topics.push(topic);
    request.timeout_ms = client::api_timeout_ms(admin);
    let created = controller::change(admin, "createTopics", &request, |answer| {
        answer
            .topics
            .iter()
            .map(|topic| (topic.error_code, topic.error_message.clone()))
            .collect()
    });
    match created {
        Ok(()) => output::line(&format!("Created topic {name}.")),
        Err(error)
            if error.code() == Some(ErrorCode::TopicAlreadyExists)
                && options.has("if-not-exists") => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Brokers of each partition as `--replica-assignment` gives them.
pub(super) fn assignment(options: &Options) -> Result<Option<Vec<Vec<i32>>>, Failure> {
    match options.value("replica-assignment")? {
        None | Some("") => Ok(None),
        Some(text) => Ok(Some(parse_assignment(text)?)),
    }
}

fn parse_assignment(text: &str) -> Result<Vec<Vec<i32>>, String> {
    let mut out: Vec<Vec<i32>> = Vec::new();
    for (index, partition) in java::split(text, ',').into_iter().enumerate() {
        let brokers = java::split(partition, ':')
            .into_iter()
            .map(|id| java::number(id.trim()))
            .collect::<Result<Vec<i32>, String>>()?;
        let twice = java::duplicates(brokers.iter().copied(), |id| *id);
        if !twice.is_empty() {
            return Err(format!(
                "Partition replica lists may not contain duplicate entries: {}",
                java::joined(twice, ",")
            ));
        }
        if out
            .first()
            .is_some_and(|first| first.len() != brokers.len())
        {
            return Err(format!(
                "Partition {index} has different replication factor: [{}]",
                java::joined(brokers, ", ")
            ));
        }
        out.push(brokers);
    }
    Ok(out)
}

/// The configs that `--config` gives; the last one of a name counts. Names are looked at here, as in
/// Kafka's tool, so that a topic that exists does not hide a wrong one.
fn configs(options: &Options) -> Result<BTreeMap<String, String>, String> {
    let configs = parse_configs(options.values("config"))?;
    match configs
        .keys()
        .find(|name| !ottla_config::rows::topic_rows().contains_key(name.as_str()))
    {
        Some(name) => Err(format!("Unknown topic config name: {name}")),
        None => Ok(configs),
    }
}

fn parse_configs(texts: &[String]) -> Result<BTreeMap<String, String>, String> {
    texts
        .iter()
        .map(|text| match text.split('=').map(str::trim).collect::<Vec<_>>().as_slice() {
            [name, value] if !value.is_empty() => Ok(((*name).to_owned(), (*value).to_owned())),
            _ => Err(
                "requirement failed: Invalid topic config: all configs to be added must be in the format \
                 \"key=val\"."
                    .to_owned(),
            ),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_as_kafka_reads_them() {
        let check = |text: &str, expected: Result<&[&[i32]], &str>| {
            let expected = expected
                .map(|lists| lists.iter().map(|list| list.to_vec()).collect::<Vec<_>>())
                .map_err(str::to_owned);
            assert_eq!(parse_assignment(text), expected, "{text}");
        };
        check("1:2,2:3", Ok(&[&[1, 2], &[2, 3]]));
        check("1 , 1", Ok(&[&[1], &[1]]));
        check("1,", Ok(&[&[1]]));
        check("1:", Ok(&[&[1]]));
        check(",", Ok(&[]));
        check("x", Err("For input string: \"x\""));
        check("1,,1", Err("For input string: \"\""));
        check(":1", Err("For input string: \"\""));
        check(
            "1:1",
            Err("Partition replica lists may not contain duplicate entries: 1"),
        );
        check(
            "1:2,3",
            Err("Partition 1 has different replication factor: [3]"),
        );
    }
}
