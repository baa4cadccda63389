//! `kafka-log-dirs`: what brokers keep in which directory, as JSON.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Command;
use ottla_client::{Admin, Attempt, ClientError, exception_name};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::DescribeLogDirsRequest;
use ottla_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;

use crate::common::jopt::{Options, flag, value};
use crate::common::usage::{self, Failure};
use crate::common::{client, java, output};

/// The options.
pub(crate) fn command() -> Command {
    client::options(Command::new("log-dirs"))
        .about("Show what brokers keep in their log directories, as JSON")
        .arg(flag("describe", "Describe the log directories."))
        .arg(value("broker-list", "id,...", "Brokers to ask; all if left out."))
        .arg(value("topic-list", "topic,...", "Topics to show; all if left out."))
        .after_help("Examples:\n  ottla log-dirs --bootstrap-server localhost:9092 --describe --topic-list t")
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to query log directory usage on the specified brokers.",
        args,
        work,
    )
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    options.required(&["bootstrap-server", "describe"])?;
    let mut admin = client::admin_of(options)?;
    let topics: BTreeSet<&str> = list(options, "topic-list")?.into_iter().collect();
    let existing: BTreeSet<i32> = nodes(&mut admin).map_err(|error| error.to_java())?;
    let wanted = list(options, "broker-list")?
        .into_iter()
        .map(java::number)
        .collect::<Result<BTreeSet<i32>, String>>()?;
    let unknown: Vec<i32> = wanted.difference(&existing).copied().collect();
    if !unknown.is_empty() {
        return Err(Failure::Failed(format!(
            "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
            java::joined(unknown, ","),
            java::joined(existing, ",")
        )));
    }
    let brokers = if wanted.is_empty() { existing } else { wanted };
    output::line("Querying brokers for log directories information");
    output::flush();
    let mut described = Vec::new();
    for broker in &brokers {
        let dirs = ask(&mut admin, *broker).map_err(|error| error.to_java())?;
        described.push((*broker, dirs));
    }
    output::line(&format!(
        "Received log directory information from brokers {}",
        java::joined(&brokers, ",")
    ));
    java::map_order(&mut described, brokers.len(), |(broker, _)| *broker);
    let brokers: Vec<String> = described
        .into_iter()
        .map(|(broker, dirs)| to_json(broker, dirs, &topics))
        .collect();
    output::line(&format!(
        "{{\"brokers\":[{}],\"version\":1}}",
        brokers.join(",")
    ));
    Ok(ExitCode::SUCCESS)
}

/// The parts of an option that is a list; none for an empty one.
fn list<'a>(options: &'a Options, name: &str) -> Result<Vec<&'a str>, Failure> {
    let text = options.value(name)?.unwrap_or_default();
    Ok(text.split(',').filter(|part| !part.is_empty()).collect())
}

fn nodes(admin: &mut Admin) -> Result<BTreeSet<i32>, ClientError> {
    admin.retry("listNodes", |admin| {
        let brokers = &admin.cluster()?.brokers;
        Ok(Attempt::Done(
            brokers.iter().map(|broker| broker.broker_id).collect(),
        ))
    })
}

fn ask(admin: &mut Admin, broker: i32) -> Result<Vec<DescribeLogDirsResult>, ClientError> {
    let mut request = DescribeLogDirsRequest::default();
    request.topics = None;
    let answer = admin.ask_node("describeLogDirs", broker, &request)?;
    if answer.results.is_empty() {
        // Older servers say why in no other way.
        let code = if answer.error_code == 0 {
            ErrorCode::ClusterAuthorizationFailed.code()
        } else {
            answer.error_code
        };
        return Err(ClientError::refused(code, None));
    }
    Ok(answer.results)
}

/// One broker, with the fields in the order in which Kafka's tool writes them.
fn to_json(broker: i32, mut dirs: Vec<DescribeLogDirsResult>, topics: &BTreeSet<&str>) -> String {
    java::name_order(&mut dirs, |dir| &dir.log_dir);
    let dirs: Vec<String> = dirs
        .into_iter()
        .map(|dir| {
            let mut partitions: Vec<_> = dir
                .topics
                .into_iter()
                .flat_map(|topic| {
                    let name = topic.name;
                    topic.partitions.into_iter().map(move |partition| {
                        ((name.clone(), partition.partition_index), partition)
                    })
                })
                .collect();
            java::map_order(&mut partitions, 16, |(key, _)| {
                java::topic_partition_hash(&key.0, key.1)
            });
            let partitions: Vec<String> = partitions
                .into_iter()
                .filter(|((topic, _), _)| topics.is_empty() || topics.contains(topic.as_str()))
                .map(|((topic, index), partition)| {
                    format!(
                        "{{\"partition\":{},\"size\":{},\"offsetLag\":{},\"isFuture\":{}}}",
                        quoted(&format!("{topic}-{index}")),
                        partition.partition_size,
                        partition.offset_lag,
                        partition.is_future_key
                    )
                })
                .collect();
            let error = match ErrorCode::from_code(dir.error_code) {
                Some(code) if dir.error_code != 0 => quoted(&exception_name(code)),
                _ => "null".to_owned(),
            };
            format!(
                "{{\"partitions\":[{}],\"error\":{error},\"logDir\":{}}}",
                partitions.join(","),
                quoted(&dir.log_dir)
            )
        })
        .collect();
    format!("{{\"broker\":{broker},\"logDirs\":[{}]}}", dirs.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::messages::describe_log_dirs_response::{
        DescribeLogDirsPartition, DescribeLogDirsTopic,
    };

    #[test]
    fn fields_and_partitions_stand_where_kafka_writes_them() {
        let mut dir = DescribeLogDirsResult::default();
        dir.log_dir = "/data".to_owned();
        for (name, count) in [("t2", 2), ("t1", 3)] {
            let mut topic = DescribeLogDirsTopic::default();
            topic.name = name.to_owned();
            for index in 0..count {
                let mut partition = DescribeLogDirsPartition::default();
                partition.partition_index = index;
                topic.partitions.push(partition);
            }
            dir.topics.push(topic);
        }
        let entry = |name: &str| {
            format!("{{\"partition\":\"{name}\",\"size\":0,\"offsetLag\":0,\"isFuture\":false}}")
        };
        let expected = format!(
            "{{\"broker\":1,\"logDirs\":[{{\"partitions\":[{}],\"error\":null,\"logDir\":\"/data\"}}]}}",
            ["t1-2", "t1-1", "t2-1", "t1-0", "t2-0"]
                .map(entry)
                .join(",")
        );
        assert_eq!(to_json(1, vec![dir.clone()], &BTreeSet::new()), expected);
        let only = to_json(1, vec![dir], &BTreeSet::from(["t3"]));
        assert!(only.contains("\"partitions\":[]"), "{only}");
    }
}
