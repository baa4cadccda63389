//! What the tools for groups ask a cluster: lists, descriptions, offsets; each with the words that
//! Kafka's admin client has for what goes wrong.

mod committed;
mod groups;
mod topics;

use ottla_client::{Admin, ClientError, Properties};

use crate::common::java;
use crate::common::jopt::Options;
use crate::common::usage::Failure;

pub(super) use committed::{Committed, commit, committed, delete_offsets};
pub(super) use groups::{Listing, coordinator, delete_group, list_groups};
pub(super) use topics::{EARLIEST, LATEST, offsets, topics};

/// One partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TopicPartition {
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl TopicPartition {
    pub(super) fn new(topic: &str, partition: i32) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
        }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Puts entries with partitions into the order of a Java map.
pub(super) fn java_order<T>(entries: &mut [(TopicPartition, T)]) {
    java::hash_map_order(entries, |(at, _)| {
        java::topic_partition_hash(&at.topic, at.partition)
    });
}

/// Why a tool stops. Kafka's tools for groups print what failed to standard output, and end with 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The command line is wrong.
    Usage(String),
    /// The work failed; the text is the message of the exception in Kafka's tool.
    Error(String),
    /// The work cannot be done, and Kafka's tool says so and ends with 1.
    Exit(String),
}

impl From<crate::common::jopt::OptionError> for Stop {
    fn from(error: crate::common::jopt::OptionError) -> Self {
        Self::Error(error.0)
    }
}

/// The message where Kafka's tool lets the error through as it is.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is given to map_err, as its siblings"
)]
pub(super) fn plain(error: ClientError) -> Stop {
    Stop::Error(error.to_string())
}

/// The message where Kafka's tool lets the `ExecutionException` of a future through.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(super) fn execution(error: ClientError) -> Stop {
    Stop::Error(error.to_java())
}

/// The message where Kafka's tool wraps that in a `RuntimeException`.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(super) fn runtime(error: ClientError) -> Stop {
    Stop::Error(wrapped(&error.to_java()))
}

fn wrapped(text: &str) -> String {
    format!("java.util.concurrent.ExecutionException: {text}")
}

/// A client with the time limit of `--timeout`, which in these tools every call has.
pub(super) fn admin(options: &Options) -> Result<Admin, Stop> {
    let mut properties = match options.value("command-config")? {
        None => Properties::new(),
        Some(path) => {
            let missing = !std::path::Path::new(path).exists();
            crate::common::client::properties_file(path).map_err(|text| {
                Stop::Error(if missing {
                    format!("java.nio.file.NoSuchFileException: {path}")
                } else {
                    text
                })
            })?
        }
    };
    let timeout: i64 = options.number("timeout")?.unwrap_or(TIMEOUT_DEFAULT_MS);
    let timeout = timeout.clamp(0, i64::from(i32::MAX));
    let request = properties
        .get("request.timeout.ms")
        .and_then(|text| text.trim().parse::<i64>().ok())
        .unwrap_or(i64::MAX);
    properties.insert("default.api.timeout.ms".to_owned(), timeout.to_string());
    if request > timeout {
        properties.insert("request.timeout.ms".to_owned(), timeout.to_string());
    }
    let servers = options.value("bootstrap-server")?.unwrap_or_default();
    crate::common::client::admin(ottla_client::Bootstrap::Brokers, servers, &properties)
        .map_err(|_| Stop::Error("Failed to create new KafkaAdminClient".to_owned()))
}

/// `--timeout` where it is not given.
pub(super) const TIMEOUT_DEFAULT_MS: i64 = 5000;

/// The end of a tool: what Kafka's tool prints, and its exit code.
pub(super) fn end(
    result: Result<(), Stop>,
    command: &str,
) -> Result<std::process::ExitCode, Failure> {
    match result {
        Ok(()) => {}
        Err(Stop::Usage(text)) => return Err(Failure::Usage(text)),
        Err(Stop::Exit(text)) => return Err(Failure::Failed(text)),
        Err(Stop::Error(text)) => {
            print_failure(command, &text);
            crate::common::output::error_line(&text);
        }
    }
    Ok(std::process::ExitCode::SUCCESS)
}

/// Says on standard output that the work failed. Kafka's tools print the exception with its trace to
/// standard error, too.
pub(super) fn print_failure(command: &str, text: &str) {
    print_error(&format!("Executing {command} command failed due to {text}"));
}

/// Kafka's tools for groups print errors to standard output.
pub(super) fn print_error(text: &str) {
    crate::common::output::line(&format!("\nError: {text}"));
}
