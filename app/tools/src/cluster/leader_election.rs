//! `kafka-leader-election`: elects leaders of partitions, the preferred ones or, with data at risk, any.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Command;
use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ElectLeadersRequest;
use ottla_protocol::messages::elect_leaders_request::TopicPartitions;
use serde_json::{Value, json as value_of};

use crate::common::jopt::{Options, flag, value};
use crate::common::leaders::{Outcomes, TopicPartition};
use crate::common::usage::{self, Failure};
use crate::common::{client, controller, format, java, json, leaders, output};

/// Where the partitions come from; a command line says one.
const SOURCES: &[&str] = &["topic", "all-topic-partitions", "path-to-json-file"];

/// The options.
pub(crate) fn command() -> Command {
    client::options(Command::new("leader-election"))
        .about("Elect leaders of partitions")
        .arg(value(
            "election-type",
            "preferred|unclean",
            "Preferred: the first replica. Unclean: any, with loss of data.",
        ))
        .arg(value("topic", "topic", "Topic of the partition."))
        .arg(value("partition", "n", "Partition of the topic."))
        .arg(flag("all-topic-partitions", "Every partition that needs it."))
        .arg(value(
            "path-to-json-file",
            "file",
            "JSON: {\"partitions\": [{\"topic\": \"t\", \"partition\": 0}]}.",
        ))
        .arg(value("admin.config", "file", "Old name of --command-config.").hide(true))
        .arg(format::option())
        .after_help(
            "Examples:\n  \
             ottla leader-election --bootstrap-server localhost:9092 --election-type preferred \
             --all-topic-partitions\n  \
             ottla leader-election --bootstrap-server localhost:9092 --election-type unclean --topic t \
             --partition 0",
        )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool attempts to elect a new leader for a set of topic partitions. The type of elections \
         supported are preferred replicas and unclean replicas.",
        args,
        work,
    )
}

/// An election; the numbers are those of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Election {
    Preferred = 0,
    Unclean = 1,
}

impl Election {
    fn of(text: &str) -> Result<Self, Failure> {
        match text.to_ascii_lowercase().as_str() {
            "preferred" => Ok(Self::Preferred),
            "unclean" => Ok(Self::Unclean),
            _ => Err(Failure::Usage(format!(
                "Cannot parse argument '{text}' of option election-type"
            ))),
        }
    }

    const fn code(self) -> i8 {
        match self {
            Self::Preferred => 0,
            Self::Unclean => 1,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Preferred => "PREFERRED",
            Self::Unclean => "UNCLEAN",
        }
    }
}

fn missing(names: &[&str]) -> Failure {
    Failure::Usage(format!("Missing required option(s): {}", names.join(", ")))
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    let lacks: Vec<&str> = ["bootstrap-server", "election-type"]
        .into_iter()
        .filter(|name| !options.has(name))
        .collect();
    if !lacks.is_empty() {
        return Err(missing(&lacks));
    }
    if SOURCES.iter().filter(|name| options.has(name)).count() != 1 {
        return Err(Failure::Usage(format!(
            "One and only one of the following options is required: {}",
            SOURCES.join(", ")
        )));
    }
    if options.has("topic") && !options.has("partition") {
        return Err(missing(&["partition"]));
    }
    let election = Election::of(options.value("election-type")?.unwrap_or_default())?;
    let partitions = partitions(options)?;
    let mut properties = client::properties_of(options)?;
    if let Some(path) = options.value("admin.config")? {
        output::line(
            "Option --admin.config has been deprecated and will be removed in a future version. Use \
             --command-config instead.",
        );
        properties = client::properties_file(path)?;
    }
    let mut admin = client::admin_for(options, &properties)?;
    let outcomes = match elect(&mut admin, election, partitions.as_deref()) {
        Ok(outcomes) => outcomes,
        Err(ClientError::Timeout(_)) => {
            let text = "Timeout waiting for election results".to_owned();
            output::line(&text);
            return Err(Failure::Failed(text));
        }
        Err(error) => {
            output::line("Error while making request");
            return Err(Failure::Failed(error.to_java()));
        }
    };
    let failed = show(&outcomes, election, format::is_json(options)?);
    if failed == 0 {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::Failed(format!(
            "{failed} replica(s) could not be elected"
        )))
    }
}

/// The partitions that are meant; `None` for all.
fn partitions(options: &Options) -> Result<Option<Vec<TopicPartition>>, Failure> {
    if let Some(path) = options.value("path-to-json-file")? {
        let text = json::file(path).map_err(|error| format!("java.io.IOException: {error}"))?;
        return Ok(Some(parse(&text)?));
    }
    let Some(topic) = options.value("topic")? else {
        return Ok(None);
    };
    let index = options.number("partition")?.unwrap_or_default();
    Ok(Some(vec![(topic.to_owned(), index)]))
}

fn parse(text: &str) -> Result<Vec<TopicPartition>, String> {
    let file = json::parse(text).map_err(|_| "Replica election data is empty".to_owned())?;
    let mapping = |error| format!("com.fasterxml.jackson.databind.JsonMappingException: {error}");
    let entries = json::optional(&file, "partitions")
        .map_err(mapping)?
        .ok_or_else(|| "Replica election data is missing \"partitions\" field".to_owned())?;
    let mut partitions = Vec::new();
    for entry in json::array(entries).map_err(mapping)? {
        let topic = json::field(entry, "topic")
            .and_then(json::string)
            .map_err(mapping)?;
        let index = json::field(entry, "partition")
            .and_then(json::int)
            .map_err(mapping)?;
        partitions.push((topic.to_owned(), index));
    }
    let twice = leaders::duplicates(partitions.iter().cloned());
    if twice.is_empty() {
        Ok(partitions)
    } else {
        Err(format!(
            "Replica election data contains duplicate partitions: [{}]",
            twice.join(", ")
        ))
    }
}

fn elect(
    admin: &mut Admin,
    election: Election,
    partitions: Option<&[TopicPartition]>,
) -> Result<Outcomes<()>, ClientError> {
    let mut request = ElectLeadersRequest::default();
    request.election_type = election.code();
    request.timeout_ms = client::api_timeout_ms(admin);
    request.topic_partitions = partitions.map(|partitions| {
        let mut topics = BTreeMap::<&str, TopicPartitions>::new();
        for (name, index) in partitions {
            let topic = topics.entry(name).or_default();
            topic.topic.clone_from(name);
            topic.partitions.push(*index);
        }
        topics.into_values().collect()
    });
    let answer = controller::ask(admin, "electLeaders", &request, |answer| {
        vec![answer.error_code]
    })?;
    ClientError::check(answer.error_code, None)?;
    let mut outcomes = Outcomes::new();
    for topic in answer.replica_election_results {
        for result in topic.partition_result {
            outcomes.insert(
                (topic.topic.clone(), result.partition_id),
                ClientError::check(result.error_code, result.error_message.as_deref()),
            );
        }
    }
    Ok(outcomes)
}

/// Prints what came of it, and gives back how many elections failed.
fn show(outcomes: &Outcomes<()>, election: Election, as_json: bool) -> usize {
    let names = |keep: fn(&Result<(), ClientError>) -> bool| {
        let kept = outcomes.iter().filter(|(_, outcome)| keep(outcome));
        java::joined(
            kept.map(|((topic, index), _)| format!("{topic}-{index}")),
            ", ",
        )
    };
    let elected = names(Result::is_ok);
    let needless = names(is_needless);
    let failed = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_err() && !is_needless(outcome));
    if as_json {
        let entries: Vec<Value> = outcomes
            .iter()
            .map(|((topic, index), outcome)| {
                let error = outcome.as_ref().err().map(ClientError::to_java);
                value_of!({"topic": topic, "partition": index, "error": error})
            })
            .collect();
        format::json(&Value::Array(entries));
        return failed.count();
    }
    if !elected.is_empty() {
        output::line(&format!(
            "Successfully completed leader election ({}) for partitions {elected}",
            election.name()
        ));
    }
    if !needless.is_empty() {
        output::line(&format!(
            "Valid replica already elected for partitions {needless}"
        ));
    }
    let mut count = 0;
    for ((topic, index), outcome) in failed {
        count += 1;
        if let Err(error) = outcome {
            output::line(&format!(
                "Error completing leader election ({}) for partition: {topic}-{index}: {}",
                election.name(),
                error.to_java()
            ));
        }
    }
    count
}

/// Whether the right replica leads already.
fn is_needless(outcome: &Result<(), ClientError>) -> bool {
    let code = outcome.as_ref().err().and_then(ClientError::code);
    code == Some(ErrorCode::ElectionNotNeeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_kafka_reads_them() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text).expect_err("wrong"), expected, "{text}");
        };
        let mapping = "com.fasterxml.jackson.databind.JsonMappingException: ";
        check("x", "Replica election data is empty");
        check(
            "{}",
            "Replica election data is missing \"partitions\" field",
        );
        check(
            r#"{"partitions":[{"topic":"t"}]}"#,
            &format!("{mapping}No such field exists: `partition`"),
        );
        check(
            r#"{"partitions":[{"topic":"t","partition":0},{"topic":"t","partition":0}]}"#,
            "Replica election data contains duplicate partitions: [t-0]",
        );
        assert_eq!(
            parse(r#"{"partitions":[{"topic":"t","partition":3}]}"#),
            Ok(vec![("t".to_owned(), 3)])
        );
    }
}
