//! `kafka-transactions`: which transactions are open, who writes in a partition, and how to end a
//! transaction that hangs. The options are here; the search for hanging ones is in `hanging`.

mod ask;
mod hanging;

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Arg, ArgAction, Command, value_parser};
use ottla_client::{Admin, Bootstrap, Properties};
use ottla_protocol::messages::describe_producers_response::ProducerState;
use serde_json::json;

use crate::common::argparse::{self, Manner, Parsed, Wrong};
use crate::common::format::{self, Format};
use crate::common::usage::Failure;
use crate::common::{client, columns, output};

const MANNER: Manner = Manner {
    program: "kafka-transactions.sh",
    help_code: 1,
    wrong: Wrong::Usage,
};

/// The options.
pub(crate) fn command() -> Command {
    let value = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help);
    let int = |name, help| value(name, help).value_parser(value_parser!(i32));
    let long = |name, help| value(name, help).value_parser(value_parser!(i64));
    let short = |name, help| value(name, help).value_parser(value_parser!(i16));
    Command::new("transactions")
        .about("Show transactions, and end those that hang")
        .subcommand_value_name("COMMAND")
        .arg(
            Arg::new("version")
                .long("version")
                .short('v')
                .help("Print the version.")
                .action(ArgAction::SetTrue),
        )
        .arg(value("command-config", "Properties file for the client.").value_name("FILE"))
        .arg(
            value("bootstrap-server", "Brokers to begin with: host:port,...")
                .value_name("host:port")
                .required(true),
        )
        .subcommand(
            Command::new("list")
                .about("List transactions")
                .arg(
                    long(
                        "duration-filter",
                        "Only those that run longer than this many milliseconds.",
                    )
                    .allow_negative_numbers(true),
                )
                .arg(value(
                    "transactional-id-pattern",
                    "Only those whose transactional id matches.",
                ))
                .arg(format::option()),
        )
        .subcommand(
            Command::new("describe")
                .about("Show the state of a transactional id")
                .arg(value("transactional-id", "The transactional id.").required(true))
                .arg(format::option()),
        )
        .subcommand(
            Command::new("describe-producers")
                .about("Show who writes in a partition")
                .arg(int(
                    "broker-id",
                    "The replica to ask; the leader if not given.",
                ))
                .arg(value("topic", "The topic.").required(true))
                .arg(int("partition", "The partition.").required(true))
                .arg(format::option()),
        )
        .subcommand(
            Command::new("abort")
                .about("Abort a transaction that hangs")
                .arg(value("topic", "The topic.").required(true))
                .arg(int("partition", "The partition.").required(true))
                .arg(long("start-offset", "Where the transaction begins."))
                .arg(long(
                    "producer-id",
                    "The producer, if the start is not given.",
                ))
                .arg(short("producer-epoch", "Its epoch."))
                .arg(int("coordinator-epoch", "The epoch of its coordinator.")),
        )
        .subcommand(
            Command::new("find-hanging")
                .about("Find transactions that hang")
                .arg(int("broker-id", "Only in partitions of this broker."))
                .arg(int(
                    "max-transaction-timeout",
                    "Minutes that a transaction may take (15).",
                ))
                .arg(value("topic", "Only in this topic."))
                .arg(int("partition", "Only in this partition of the topic."))
                .arg(format::option()),
        )
        .subcommand(
            Command::new("forceTerminateTransaction")
                .about("Abort the open transaction of a transactional id")
                .arg(
                    value("transactionalId", "The transactional id.")
                        .value_name("TRANSACTIONALID")
                        .required(true),
                ),
        )
        .after_help(
            "Examples:\n  ottla transactions --bootstrap-server localhost:9092 list\n  \
             ottla transactions --bootstrap-server localhost:9092 find-hanging --topic orders",
        )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    argparse::run(MANNER, command(), args, work)
}

fn work(parsed: &Parsed) -> Result<ExitCode, Failure> {
    let format = format::of(parsed.value(format::OUTPUT))?;
    let properties = match parsed.value("command-config") {
        Some(path) => client::properties_file(path)
            .map_err(|error| debug(&format!("Failed to load admin client properties: {error}")))?,
        None => Properties::new(),
    };
    let servers = parsed.value("bootstrap-server").unwrap_or_default();
    let mut admin = client::admin(Bootstrap::Brokers, servers, &properties)
        .map_err(|error| format!("Failed to create new KafkaAdminClient\n{error}"))?;
    match parsed.command() {
        "list" => list(&mut admin, parsed, format)?,
        "describe" => describe(&mut admin, parsed, format)?,
        "describe-producers" => describe_producers(&mut admin, parsed, format)?,
        "abort" => abort(&mut admin, parsed)?,
        "find-hanging" => hanging::find(&mut admin, parsed, format)?,
        _ => force_terminate(&mut admin, parsed)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What Kafka's tool says behind every failure of the cluster.
fn debug(text: &str) -> Failure {
    Failure::Failed(format!(
        "{text}. Enable debug logging for additional detail."
    ))
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

/// Prints rows as Kafka's table, or as a list of objects.
fn show(format: Format, headers: &[&str], rows: &[Vec<String>]) {
    match format {
        Format::Text => output::text(&columns::tabbed(headers, rows)),
        Format::Json => {
            let rows: Vec<_> = rows
                .iter()
                .map(|row| {
                    let cells = headers.iter().zip(row);
                    let object = cells.map(|(header, cell)| ((*header).to_owned(), json!(cell)));
                    serde_json::Value::Object(object.collect())
                })
                .collect();
            format::json(&rows.into());
        }
    }
}

fn list(admin: &mut Admin, parsed: &Parsed, format: Format) -> Result<(), Failure> {
    let filter = ask::Filter {
        producer_ids: Vec::new(),
        duration: parsed.number("duration-filter").unwrap_or(-1),
        pattern: parsed.value("transactional-id-pattern").map(str::to_owned),
    };
    let found = ask::list(admin, &filter)
        .map_err(|error| debug(&format!("Failed to list transactions: {error}")))?;
    let rows: Vec<_> = found
        .into_iter()
        .map(|(broker, state)| {
            vec![
                state.transactional_id,
                broker.to_string(),
                state.producer_id.to_string(),
                state.transaction_state,
            ]
        })
        .collect();
    let headers = [
        "TransactionalId",
        "Coordinator",
        "ProducerId",
        "TransactionState",
    ];
    show(format, &headers, &rows);
    Ok(())
}

fn describe(admin: &mut Admin, parsed: &Parsed, format: Format) -> Result<(), Failure> {
    let id = parsed.value("transactional-id").unwrap_or_default();
    let (coordinator, state) = ask::describe(admin, id).map_err(|error| {
        debug(&format!(
            "Failed to describe transaction state of transactional-id `{id}`: {error}"
        ))
    })?;
    let start = state.transaction_start_time_ms;
    let (start, duration) = if start < 0 {
        ("None".to_owned(), "None".to_owned())
    } else {
        (
            start.to_string(),
            now_ms().saturating_sub(start).to_string(),
        )
    };
    let partitions: Vec<String> = state
        .topics
        .iter()
        .flat_map(|topic| {
            let indexes = topic.partitions.iter();
            indexes.map(|index| format!("{}-{index}", topic.topic))
        })
        .collect();
    let headers = [
        "CoordinatorId",
        "TransactionalId",
        "ProducerId",
        "ProducerEpoch",
        "TransactionState",
        "TransactionTimeoutMs",
        "CurrentTransactionStartTimeMs",
        "TransactionDurationMs",
        "TopicPartitions",
    ];
    let row = vec![
        coordinator.to_string(),
        id.to_owned(),
        state.producer_id.to_string(),
        state.producer_epoch.to_string(),
        state.transaction_state,
        state.transaction_timeout_ms.to_string(),
        start,
        duration,
        partitions.join(","),
    ];
    show(format, &headers, &[row]);
    Ok(())
}

fn partition_of(parsed: &Parsed) -> (String, i32) {
    let topic = parsed.value("topic").unwrap_or_default().to_owned();
    (topic, parsed.number("partition").unwrap_or_default())
}

fn describe_producers(admin: &mut Admin, parsed: &Parsed, format: Format) -> Result<(), Failure> {
    let (topic, index) = partition_of(parsed);
    let broker = parsed.number("broker-id");
    let producers = ask::producers(admin, &topic, index, broker).map_err(|error| {
        let place = broker.map_or_else(|| "leader".to_owned(), |id: i32| format!("broker {id}"));
        debug(&format!(
            "Failed to describe producers for partition {topic}-{index} on {place}: {error}"
        ))
    })?;
    let headers = [
        "ProducerId",
        "ProducerEpoch",
        "LatestCoordinatorEpoch",
        "LastSequence",
        "LastTimestamp",
        "CurrentTransactionStartOffset",
    ];
    let row = |state: &ProducerState| {
        let start = match state.current_txn_start_offset {
            none if none < 0 => "None".to_owned(),
            offset => offset.to_string(),
        };
        vec![
            state.producer_id.to_string(),
            state.producer_epoch.to_string(),
            state.coordinator_epoch.to_string(),
            state.last_sequence.to_string(),
            state.last_timestamp.to_string(),
            start,
        ]
    };
    let rows: Vec<_> = producers.iter().map(row).collect();
    show(format, &headers, &rows);
    Ok(())
}

fn abort(admin: &mut Admin, parsed: &Parsed) -> Result<(), Failure> {
    let failed = |text: &str| Failure::Failed(text.to_owned());
    let (topic, index) = partition_of(parsed);
    let start: Option<i64> = parsed.number("start-offset");
    let producer_id: Option<i64> = parsed.number("producer-id");
    let spec = match (start, producer_id) {
        (None, None) => {
            return Err(failed(
                "The transaction to abort must be identified either with --start-offset (for \
                 brokers on 3.0 or above) or with --producer-id, --producer-epoch, and \
                 --coordinator-epoch (for older brokers)",
            ));
        }
        (None, Some(producer_id)) => {
            let lacks = |name: &str| failed(&format!("Missing required argument --{name}"));
            let epoch = parsed.number("producer-epoch");
            let coordinator = parsed.number("coordinator-epoch");
            ask::Marker {
                topic,
                index,
                producer_id,
                producer_epoch: epoch.ok_or_else(|| lacks("producer-epoch"))?,
                coordinator_epoch: coordinator.ok_or_else(|| lacks("coordinator-epoch"))?,
            }
        }
        (Some(start), _) => {
            let producers = ask::producers(admin, &topic, index, None).map_err(|error| {
                debug(&format!(
                    "Failed to validate producer state for partition {topic}-{index}: {error}"
                ))
            })?;
            let producer = producers
                .iter()
                .find(|state| state.current_txn_start_offset == start)
                .ok_or_else(|| {
                    failed(&format!(
                        "Could not find any open transactions starting at offset {start} on \
                         partition {topic}-{index}"
                    ))
                })?;
            ask::Marker {
                topic,
                index,
                producer_id: producer.producer_id,
                producer_epoch: i16::try_from(producer.producer_epoch).unwrap_or(i16::MAX),
                // A producer that never ended a transaction there has none yet.
                coordinator_epoch: producer.coordinator_epoch.max(0),
            }
        }
    };
    ask::abort(admin, &spec)
        .map_err(|error| debug(&format!("Failed to abort transaction {spec}: {error}")))
}

fn force_terminate(admin: &mut Admin, parsed: &Parsed) -> Result<(), Failure> {
    let id = parsed.value("transactionalId").unwrap_or_default();
    ask::fence(admin, id).map_err(|error| {
        debug(&format!(
            "Failed to force terminate transactionalId `{id}`: {error}"
        ))
    })
}
