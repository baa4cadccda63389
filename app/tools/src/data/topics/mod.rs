//! `kafka-topics`: creates, lists, describes, changes and deletes topics.
//!
//! Here are the options and which of them go together; `create` and `describe` do their part, the short
//! actions are here.

mod create;
mod describe;

use std::process::ExitCode;

use clap::Command;
use ottla_base::Uuid;
use ottla_client::Admin;
use ottla_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::{CreatePartitionsRequest, DeleteTopicsRequest};
use serde_json::json;

use crate::common::filter::TopicFilter;
use crate::common::jopt::{Options, flag, value};
use crate::common::usage::{self, Failure};
use crate::common::{client, controller, format, output, topics};

/// The actions, of which a command line has one.
const ACTIONS: &[&str] = &["create", "list", "alter", "describe", "delete"];

/// Filters of `--describe`.
const FILTERS: &[&str] = &[
    "under-replicated-partitions",
    "unavailable-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "topics-with-overrides",
];

const TOPIC_CONFIGS: &str = " (To alter topic configurations, the kafka-configs tool can be used.)";

/// The options.
pub(crate) fn command() -> Command {
    let command = client::options(Command::new("topics"))
        .about("Create, list, describe, change and delete topics")
        .arg(flag("list", "List all topics."))
        .arg(flag("create", "Create a topic."))
        .arg(flag("describe", "Show topics with their partitions."))
        .arg(flag("alter", "Add partitions to topics."))
        .arg(flag("delete", "Delete topics."))
        .arg(value(
            "topic",
            "topic",
            "Topic to work on; a regular expression except for --create.",
        ))
        .arg(value("topic-id", "id", "Id of the topic to describe."))
        .arg(value(
            "partitions",
            "n",
            "Number of partitions. More partitions change which one a key goes to.",
        ))
        .arg(value(
            "replication-factor",
            "n",
            "Replicas of each partition of a new topic.",
        ))
        .arg(value(
            "replica-assignment",
            "b:b,b:b",
            "Brokers of each partition, by hand.",
        ))
        .arg(value(
            "config",
            "name=value",
            "Config of a new topic; may be given again.",
        ))
        .arg(value("delete-config", "name", "Has no effect any more.").hide(true))
        .arg(flag(
            "if-exists",
            "Not an error if a topic to alter, delete or describe is missing.",
        ))
        .arg(flag(
            "if-not-exists",
            "Not an error if a topic to create exists.",
        ))
        .arg(flag(
            "exclude-internal",
            "Leave internal topics out of lists and descriptions.",
        ))
        .arg(flag(
            "under-replicated-partitions",
            "Describe only partitions that lack replicas.",
        ))
        .arg(flag(
            "unavailable-partitions",
            "Describe only partitions without a leader.",
        ))
        .arg(flag(
            "under-min-isr-partitions",
            "Describe only partitions below their minimum of replicas in sync.",
        ))
        .arg(flag(
            "at-min-isr-partitions",
            "Describe only partitions at their minimum of replicas in sync.",
        ))
        .arg(flag(
            "topics-with-overrides",
            "Describe only topics that have configs of their own.",
        ))
        .arg(value(
            "partition-size-limit-per-response",
            "n",
            "Partitions in one answer to --describe.",
        ));
    command.arg(format::option()).after_help(
        "Examples:\n  \
         ottla topics --bootstrap-server localhost:9092 --list\n  \
         ottla topics --bootstrap-server localhost:9092 --create --topic t --partitions 4\n  \
         ottla topics --bootstrap-server localhost:9092 --describe --topic 't.*'",
    )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let about = if args.is_empty() {
        "Create, delete, describe, or change a topic."
    } else {
        "This tool helps to create, delete, describe, or change a topic."
    };
    usage::run(command(), about, args, work)
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    check(options)?;
    let mut admin = client::admin_of(options)?;
    let action = match ACTIONS.iter().find(|action| options.has(action)) {
        Some(&"create") => create::run,
        Some(&"list") => list,
        Some(&"alter") => alter,
        Some(&"describe") => describe::run,
        _ => delete,
    };
    // Kafka's tool says what went wrong on standard output.
    match action(&mut admin, options) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Failure::Usage(error) | Failure::Failed(error)) => {
            output::line(&format!("Error while executing topic command : {error}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Refuses options that do not go together, in the order in which Kafka's tool looks.
fn check(options: &Options) -> Result<(), Failure> {
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        return Err(Failure::Usage(
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete"
                .to_owned(),
        ));
    }
    if options.has("delete-config") {
        output::error_line(
            "delete-config option is no longer supported and deprecated since version 4.0. The config \
             will be fully removed in future releases.",
        );
    }
    if !options.has("bootstrap-server") {
        return Err(Failure::Usage(
            "--bootstrap-server must be specified".to_owned(),
        ));
    }
    if options.has("describe")
        && options.has("if-exists")
        && !options.has("topic")
        && !options.has("topic-id")
    {
        return Err(Failure::Usage(
            "--topic or --topic-id is required to describe a topic".to_owned(),
        ));
    }
    if ["create", "delete", "alter"]
        .iter()
        .any(|action| options.has(action))
    {
        options.required(&["topic"])?;
    }
    if options.has("alter") {
        if options.has("config") {
            return Err(Failure::Usage(format!(
                "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \
                 \"[alter]\"{TOPIC_CONFIGS}"
            )));
        }
        options.required(&["partitions"])?;
    }
    let only = |name: &str, allowed: &[&str]| {
        let others: Vec<&str> = ACTIONS
            .iter()
            .filter(|action| !allowed.contains(action))
            .copied()
            .collect();
        options.excluded(name, &others)
    };
    only("config", &["create", "alter"])?;
    only("partitions", &["create", "alter"])?;
    only("replication-factor", &["create"])?;
    only("replica-assignment", &["create", "alter"])?;
    if options.has("create") {
        options.excluded("replica-assignment", &["partitions", "replication-factor"])?;
    }
    for filter in FILTERS {
        only(filter, &["describe"])?;
        if *filter != "topics-with-overrides" {
            options.excluded(filter, &["topics-with-overrides"])?;
        }
    }
    only("if-exists", &["alter", "delete", "describe"])?;
    only("if-not-exists", &["create"])?;
    only("exclude-internal", &["list", "describe"])?;
    Ok(())
}

fn list(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let names = chosen(admin, options, options.has("exclude-internal"))?;
    if format::is_json(options)? {
        format::json(&json!(names));
    } else {
        output::line(&names.join("\n"));
    }
    Ok(())
}

/// Names of the topics that `--topic` chooses, or of all.
fn chosen(admin: &mut Admin, options: &Options, no_internal: bool) -> Result<Vec<String>, Failure> {
    let listed = topics::list(admin)?;
    let filter = options.value("topic")?.map(TopicFilter::new).transpose()?;
    Ok(listed
        .into_iter()
        .filter(|topic| {
            filter
                .as_ref()
                .is_none_or(|filter| filter.matches(&topic.name))
        })
        .filter(|topic| !(no_internal && topic.internal))
        .map(|topic| topic.name)
        .collect())
}

/// As [`chosen`]; a name that chooses nothing is an error unless `--if-exists` is given.
fn existing(
    admin: &mut Admin,
    options: &Options,
    no_internal: bool,
) -> Result<Vec<String>, Failure> {
    let names = chosen(admin, options, no_internal)?;
    match options.value("topic")? {
        Some(topic) if names.is_empty() && !topic.is_empty() && !options.has("if-exists") => Err(
            Failure::Failed(format!("Topic '{topic}' does not exist as expected")),
        ),
        _ => Ok(names),
    }
}

fn alter(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let count: i32 = options.number("partitions")?.unwrap_or_default();
    let assignment = create::assignment(options)?;
    let names = existing(admin, options, false)?;
    if names.is_empty() {
        return Ok(());
    }
    let mut request = CreatePartitionsRequest::default();
    request.timeout_ms = client::api_timeout_ms(admin);
    for topic in topics::describe(admin, &names, topics::PARTITIONS_PER_RESPONSE)? {
        let mut entry = CreatePartitionsTopic::default();
        entry.count = count;
        entry.assignments = assignment.as_ref().map(|brokers| {
            brokers
                .iter()
                .skip(topic.partitions.len())
                .map(|brokers| {
                    let mut partition = CreatePartitionsAssignment::default();
                    partition.broker_ids.clone_from(brokers);
                    partition
                })
                .collect()
        });
        entry.name = topic.name;
        request.topics.push(entry);
    }
    controller::change(admin, "createPartitions", &request, |answer| {
        let refusal = |result: &ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult| {
            (result.error_code, result.error_message.clone())
        };
        answer.results.iter().map(refusal).collect()
    })?;
    Ok(())
}

fn delete(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let names = existing(admin, options, false)?;
    if names.is_empty() {
        return Ok(());
    }
    let mut request = DeleteTopicsRequest::default();
    request.timeout_ms = client::api_timeout_ms(admin);
    request.topic_names.clone_from(&names);
    // From version 6 on names stand elsewhere; the older list is left out of it when it is written.
    if admin.first()?.version::<DeleteTopicsRequest>()? >= 6 {
        request.topic_names.clear();
        request.topics = names
            .into_iter()
            .map(|name| {
                let mut topic = DeleteTopicState::default();
                topic.name = Some(name);
                topic.topic_id = Uuid::ZERO;
                topic
            })
            .collect();
    }
    controller::change(admin, "deleteTopics", &request, |answer| {
        answer
            .responses
            .iter()
            .map(|result| (result.error_code, result.error_message.clone()))
            .collect()
    })?;
    Ok(())
}
