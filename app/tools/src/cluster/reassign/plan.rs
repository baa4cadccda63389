//! Plans: the JSON files that say which brokers and log directories partitions shall have.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Trouble;
use crate::common::{java, json, leaders};

pub(super) use crate::common::leaders::TopicPartition;

/// A replica: topic, partition, broker.
pub(super) type Replica = (String, i32, i32);

/// A log directory that a plan leaves to the broker.
const ANY: &str = "any";

/// The version of these files.
const VERSION: i32 = 1;

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Replicas of each partition, in the order of the file; a partition may stand there twice.
    pub(super) partitions: Vec<(TopicPartition, Vec<i32>)>,
    /// Log directories of those replicas that shall have a certain one.
    pub(super) dirs: BTreeMap<Replica, String>,
}

/// Reads a plan.
pub(super) fn parse(text: &str) -> Result<Plan, Trouble> {
    // Kafka differs: it says why in the words of its JSON library; here they are those of ours.
    let file: Value =
        serde_json::from_str(text).map_err(|error| Trouble::Error(error.to_string()))?;
    check_version(&file)?;
    let mut plan = Plan::default();
    let Some(entries) = json::optional(&file, "partitions")? else {
        return Ok(plan);
    };
    for entry in json::array(entries)? {
        let topic = json::string(json::field(entry, "topic")?)?;
        let index = json::int(json::field(entry, "partition")?)?;
        let replicas = list(json::field(entry, "replicas")?, json::int)?;
        let dirs = match json::optional(entry, "log_dirs")? {
            Some(dirs) => list(dirs, |dir| json::string(dir).map(str::to_owned))?,
            None => replicas.iter().map(|_| ANY.to_owned()).collect(),
        };
        if dirs.len() != replicas.len() {
            return Err(Trouble::Error(format!(
                "Size of replicas list [{}] is different from size of log dirs list [{}] for partition \
                 {topic}-{index}",
                java::joined(&replicas, ", "),
                dirs.join(", ")
            )));
        }
        for (broker, dir) in replicas.iter().zip(dirs) {
            if dir != ANY {
                plan.dirs.insert((topic.to_owned(), index, *broker), dir);
            }
        }
        plan.partitions.push(((topic.to_owned(), index), replicas));
    }
    Ok(plan)
}

/// Reads a plan that is to be done, which has to say something, and only once.
pub(super) fn parse_to_do(text: &str) -> Result<Plan, Trouble> {
    let plan = parse(text)?;
    if plan.partitions.is_empty() {
        return Err(Trouble::Error(
            "Partition reassignment list cannot be empty".to_owned(),
        ));
    }
    if plan
        .partitions
        .iter()
        .any(|(_, replicas)| replicas.is_empty())
    {
        return Err(Trouble::Error(
            "Partition replica list cannot be empty".to_owned(),
        ));
    }
    let twice = leaders::duplicates(plan.partitions.iter().map(|(key, _)| key.clone()));
    if !twice.is_empty() {
        return Err(Trouble::Error(format!(
            "Partition reassignment contains duplicate topic partitions: {}",
            twice.join(",")
        )));
    }
    let wrong: Vec<String> = plan
        .partitions
        .iter()
        .map(|((topic, index), replicas)| {
            let twice = java::duplicates(replicas.iter().copied(), |id| *id);
            (topic, index, twice)
        })
        .filter(|(_, _, twice)| !twice.is_empty())
        .map(|(topic, index, twice)| {
            format!(
                "{topic}-{index} contains multiple entries for {}",
                java::joined(twice, ",")
            )
        })
        .collect();
    if wrong.is_empty() {
        Ok(plan)
    } else {
        Err(Trouble::Error(format!(
            "Partition replica lists may not contain duplicate entries: {}",
            wrong.join(".")
        )))
    }
}

/// Reads the names of topics to make a plan for.
pub(super) fn parse_topics(text: &str) -> Result<Vec<String>, Trouble> {
    let file = json::parse(text)?;
    check_version(&file)?;
    let Some(entries) = json::optional(&file, "topics")? else {
        return Ok(Vec::new());
    };
    json::array(entries)?
        .iter()
        .map(|entry| Ok(json::string(json::field(entry, "topic")?)?.to_owned()))
        .collect()
}

/// Writes a plan as Kafka's tool does.
pub(super) fn format(
    partitions: &BTreeMap<TopicPartition, Vec<i32>>,
    dirs: &BTreeMap<Replica, String>,
) -> String {
    let entries: Vec<String> = partitions
        .iter()
        .map(|((topic, index), replicas)| {
            let dirs = replicas.iter().map(|broker| {
                let dir = dirs.get(&(topic.clone(), *index, *broker));
                Value::from(dir.map_or(ANY, String::as_str))
            });
            format!(
                "{{\"topic\":{},\"partition\":{index},\"replicas\":[{}],\"log_dirs\":[{}]}}",
                Value::from(topic.as_str()),
                java::joined(replicas, ","),
                java::joined(dirs, ",")
            )
        })
        .collect();
    format!(
        "{{\"version\":{VERSION},\"partitions\":[{}]}}",
        entries.join(",")
    )
}

fn check_version(file: &Value) -> Result<(), Trouble> {
    match json::optional(file, "version")?
        .map(json::int)
        .transpose()?
    {
        None | Some(VERSION) => Ok(()),
        Some(other) => Err(Trouble::Error(format!(
            "Not supported version field value {other}"
        ))),
    }
}

fn list<T>(value: &Value, item: impl Fn(&Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    json::array(value)?.iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_written_as_it_was_read() {
        let text = r#"{"version":1,"partitions":[{"topic":"a","partition":0,"replicas":[2,1],"log_dirs":["any","/d"]}]}"#;
        let plan = parse_to_do(text).expect("it is right");
        let partitions = plan.partitions.into_iter().collect();
        assert_eq!(format(&partitions, &plan.dirs), text);
    }

    #[test]
    fn wrong_plans_get_kafkas_words() {
        let check = |entries: &str, expected: &str| {
            let text = format!("{{\"version\":1,\"partitions\":[{entries}]}}");
            let error = parse_to_do(&text).expect_err("it is wrong");
            assert_eq!(error, Trouble::Error(expected.to_owned()), "{text}");
        };
        let entry = |replicas: &str| {
            format!("{{\"topic\":\"t\",\"partition\":0,\"replicas\":[{replicas}]}}")
        };
        check("", "Partition reassignment list cannot be empty");
        check(&entry(""), "Partition replica list cannot be empty");
        check(
            &format!("{},{}", entry("1"), entry("2")),
            "Partition reassignment contains duplicate topic partitions: t-0",
        );
        check(
            &entry("1,1"),
            "Partition replica lists may not contain duplicate entries: t-0 contains multiple entries for 1",
        );
        check(
            r#"{"topic":"t","partition":0,"replicas":[1],"log_dirs":["any","any"]}"#,
            "Size of replicas list [1] is different from size of log dirs list [any, any] for partition t-0",
        );
        assert_eq!(
            parse(r#"{"version":2}"#),
            Err(Trouble::Error(
                "Not supported version field value 2".to_owned()
            ))
        );
    }
}
