//! `kafka-delete-records`: deletes what partitions have before given offsets.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Command;
use ottla_client::{Admin, ClientError};
use ottla_protocol::messages::DeleteRecordsRequest;
use ottla_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use serde_json::json as value;

use crate::common::jopt::{self, Options};
use crate::common::leaders::{self, Outcomes, TopicPartition};
use crate::common::usage::{self, Failure};
use crate::common::{client, format, json, output};

/// Version of the file that is known; a file without one has it.
const VERSION: i32 = 1;

/// The options.
pub(crate) fn command() -> Command {
    let command = client::options(Command::new("delete-records"))
        .about("Delete the records of partitions before given offsets")
        .arg(jopt::value(
            "offset-json-file",
            "file",
            "JSON: {\"partitions\": [{\"topic\": \"t\", \"partition\": 0, \"offset\": 5}], \"version\": 1}; \
             -1 deletes all.",
        ));
    command.arg(format::option()).after_help(
        "Examples:\n  ottla delete-records --bootstrap-server localhost:9092 --offset-json-file offsets.json",
    )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to delete records of the given partitions down to the specified offset.",
        args,
        work,
    )
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    options.required(&["bootstrap-server", "offset-json-file"])?;
    let file = options.value("offset-json-file")?.unwrap_or_default();
    let mut admin = client::admin_of(options)?;
    let offsets = parse(&json::file(file)?)?;
    let as_json = format::is_json(options)?;
    if !as_json {
        output::line("Executing records delete operation");
        output::flush();
    }
    let outcomes = leaders::ask(
        &mut admin,
        "deleteRecords",
        offsets.keys().cloned(),
        |admin, leader, partitions| delete(admin, leader, partitions, &offsets),
    );
    if as_json {
        format::json(&outcomes.into_iter().map(to_json).collect());
        return Ok(ExitCode::SUCCESS);
    }
    output::line("Records delete operation completed:");
    for ((topic, index), outcome) in &outcomes {
        output::line(&match outcome {
            Ok(mark) => format!("partition: {topic}-{index}\tlow_watermark: {mark}"),
            Err(error) => format!("partition: {topic}-{index}\terror: {}", error.to_java()),
        });
    }
    Ok(ExitCode::SUCCESS)
}

fn to_json(
    ((topic, index), outcome): (TopicPartition, Result<i64, ClientError>),
) -> serde_json::Value {
    match outcome {
        Ok(mark) => value!({"topic": topic, "partition": index, "lowWatermark": mark}),
        Err(error) => value!({"topic": topic, "partition": index, "error": error.to_java()}),
    }
}

/// The offsets of a file.
fn parse(text: &str) -> Result<BTreeMap<TopicPartition, i64>, String> {
    let file = json::parse(text)?;
    let version = json::optional(&file, "version")?.map_or(Ok(VERSION), json::int)?;
    if version != VERSION {
        return Err(format!("Not supported version field value {version}"));
    }
    let partitions = json::optional(&file, "partitions")?
        .ok_or_else(|| "Missing partitions field".to_owned())?;
    let mut offsets = Vec::new();
    for entry in json::array(partitions)? {
        let topic = json::string(json::field(entry, "topic")?)?;
        let index = json::int(json::field(entry, "partition")?)?;
        let offset = json::long(json::field(entry, "offset")?)?;
        offsets.push(((topic.to_owned(), index), offset));
    }
    let twice = leaders::duplicates(offsets.iter().map(|(key, _)| key.clone()));
    if twice.is_empty() {
        Ok(offsets.into_iter().collect())
    } else {
        Err(format!(
            "Offset json file contains duplicate topic partitions: {}",
            twice.join(",")
        ))
    }
}

fn delete(
    admin: &mut Admin,
    leader: i32,
    partitions: &[TopicPartition],
    offsets: &BTreeMap<TopicPartition, i64>,
) -> Result<Outcomes<i64>, ClientError> {
    let mut topics = BTreeMap::<&str, DeleteRecordsTopic>::new();
    for key in partitions {
        let mut partition = DeleteRecordsPartition::default();
        partition.partition_index = key.1;
        partition.offset = offsets.get(key).copied().unwrap_or_default();
        let topic = topics.entry(&key.0).or_default();
        topic.name.clone_from(&key.0);
        topic.partitions.push(partition);
    }
    let mut request = DeleteRecordsRequest::default();
    request.topics = topics.into_values().collect();
    request.timeout_ms = client::api_timeout_ms(admin);
    let answer = admin.node(leader)?.ask(&request)?;
    let mut outcomes = Outcomes::new();
    for topic in answer.topics {
        for partition in topic.partitions {
            outcomes.insert(
                (topic.name.clone(), partition.partition_index),
                leaders::outcome(partition.error_code, partition.low_watermark),
            );
        }
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_kafka_reads_them() {
        let check = |text: &str, expected: Result<i64, &str>| {
            let offset = parse(text).map(|offsets| {
                offsets
                    .get(&("t".to_owned(), 0))
                    .copied()
                    .unwrap_or_default()
            });
            assert_eq!(offset, expected.map_err(str::to_owned), "{text}");
        };
        let one = |fields: &str| format!(r#"{{"partitions":[{{{fields}}}],"version":1}}"#);
        check(&one(r#""topic":"t","partition":0,"offset":5"#), Ok(5));
        check(
            r#"{"partitions":[{"topic":"t","partition":0,"offset":-1}]}"#,
            Ok(-1),
        );
        check(
            &one(r#""topic":"t","partition":0"#),
            Err("No such field exists: `offset`"),
        );
        check(
            &one(r#""topic":"t","partition":"x","offset":1"#),
            Err("Expected `Integer` value, received \"x\""),
        );
        check(
            &one(r#""topic":5,"partition":0,"offset":1"#),
            Err("Expected `String` value, received 5"),
        );
        check(r#"{"version":1}"#, Err("Missing partitions field"));
        check(
            r#"{"version":2,"partitions":[]}"#,
            Err("Not supported version field value 2"),
        );
        check("", Err("The input string is not a valid JSON"));
        check("[]", Err("Expected JSON object, received []"));
        check(
            r#"{"partitions":[{"topic":"t","partition":0,"offset":1},{"topic":"t","partition":0,"offset":2}]}"#,
            Err("Offset json file contains duplicate topic partitions: t-0"),
        );
    }
}
