//! `kafka-verifiable-consumer`: reads a topic as a member of a group and tells of each step.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, Command, value_parser};
use krafka::ConsumerRecord;
use krafka::consumer::{Consumer, ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition};
use tokio::sync::OnceCell;

use super::{event, file, quoted, quoted_bytes};
use crate::common::argparse::{self, Manner, Parsed, Wrong};
use crate::common::usage::Failure;
use crate::console::client::Settings;
use crate::console::client::consumer::ConsumerSettings;
use crate::console::{failure, log, runtime};

/// The assignor of a group of the classic protocol if none is named.
const STRATEGY: &str = "org.apache.kafka.clients.consumer.RangeAssignor";
/// Longest wait of one poll.
const POLL: Duration = Duration::from_secs(3600);

/// The options.
pub(crate) fn command() -> Command {
    let text = |name: &'static str, place: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(place).help(help)
    };
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    Command::new("verifiable-consumer")
        .about("Read as a member of a group and print each step as JSON")
        .arg(text("topic", "TOPIC", "Topic to read.").required(true))
        .arg(text("group-protocol", "GROUP-PROTOCOL", "CLASSIC or CONSUMER.").default_value("classic"))
        .arg(text("group-remote-assignor", "GROUP-REMOTE-ASSIGNOR", "Assignor of the server, for CONSUMER."))
        .arg(text("group-id", "GROUP-ID", "Group of the consumer.").required(true))
        .arg(text("group-instance-id", "GROUP-INSTANCE-ID", "Id of a static member."))
        .arg(text("max-messages", "MAX-MESSAGES", "Records to read; -1 for no end.").value_parser(value_parser!(i32)).default_value("-1"))
        .arg(text("session-timeout", "TIMEOUT-MS", "Session timeout, for CLASSIC.").value_parser(value_parser!(i32)))
        .arg(flag("verbose", "Print each record."))
        .arg(flag("enable-autocommit", "Commit now and then, not after each poll."))
        .arg(text("reset-policy", "RESET-POLICY", "earliest, latest or none.").default_value("earliest"))
        .arg(text("assignment-strategy", "ASSIGNMENT-STRATEGY", "Class of the assignor, for CLASSIC.").default_value(STRATEGY))
        .arg(text("consumer.config", "CONFIG-FILE", "(Deprecated) Use --command-config."))
        .arg(text("command-config", "CONFIG-FILE", "Properties file for the consumer."))
        .arg(text("bootstrap-server", "HOST1:PORT1[,HOST2:PORT2[...]]", "Nodes to begin with.").required(true))
        .after_help("Examples:\n  ottla verifiable-consumer --bootstrap-server localhost:9092 --topic test --group-id g --max-messages 10")
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let manner = Manner {
        program: "verifiable-consumer",
        help_code: u8::from(!args.is_empty()),
        wrong: Wrong::Usage,
    };
    let help = ["-h".to_owned()];
    let args = if args.is_empty() { &help } else { args };
    argparse::run(manner, command(), args, start)
}

struct Plan {
    settings: ConsumerSettings,
    topic: String,
    records: Option<u64>,
    verbose: bool,
    commits: bool,
}

fn start(parsed: &Parsed) -> Result<ExitCode, Failure> {
    let mut properties = file(parsed, "consumer.config")?;
    let mut put = |key: &str, value: &str| {
        properties.insert(key.to_owned(), value.to_owned());
    };
    let protocol = parsed.value("group-protocol").unwrap_or("classic");
    put("group.protocol", protocol);
    if protocol.eq_ignore_ascii_case("consumer") {
        if let Some(assignor) = parsed.value("group-remote-assignor") {
            put("group.remote.assignor", assignor);
        }
    } else {
        put(
            "partition.assignment.strategy",
            parsed.value("assignment-strategy").unwrap_or(STRATEGY),
        );
        if let Some(timeout) = parsed.value("session-timeout") {
            put("session.timeout.ms", timeout);
        }
    }
    put(
        "bootstrap.servers",
        parsed.value("bootstrap-server").unwrap_or_default(),
    );
    put("group.id", parsed.value("group-id").unwrap_or_default());
    if let Some(id) = parsed.value("group-instance-id") {
        put("group.instance.id", id);
    }
    let auto_commit = parsed.has("enable-autocommit");
    put(
        "enable.auto.commit",
        if auto_commit { "true" } else { "false" },
    );
    put(
        "auto.offset.reset",
        parsed.value("reset-policy").unwrap_or("earliest"),
    );
    let id = format!(
        "consumer-{}-1",
        parsed.value("group-id").unwrap_or_default()
    );
    properties.entry("client.id".to_owned()).or_insert(id);
    let settings = Settings::new(properties);
    let consumer = ConsumerSettings::new(&settings)?;
    settings.warn_of_unserved();
    let records: i64 = parsed.number("max-messages").unwrap_or(-1);
    let plan = Plan {
        settings: consumer,
        topic: parsed.value("topic").unwrap_or_default().to_owned(),
        records: u64::try_from(records).ok(),
        verbose: parsed.has("verbose"),
        commits: !auto_commit,
    };
    event("startup_complete", &[]);
    let cell = OnceCell::new();
    let code = runtime::block_on(&plan.settings.log_name(), async {
        let (code, asked) = tokio::select! {
            biased;
            code = runtime::interrupted() => (code, true),
            result = consume(&plan, &cell) => {
                if let Err(why) = result {
                    log::error(
                        "Error during processing, terminating consumer process: ",
                        "org.apache.kafka.tools.VerifiableConsumer",
                        &why,
                    );
                }
                (0, false)
            }
        };
        if asked {
            event("shutdown_requested", &[]);
        }
        if let Some(consumer) = cell.get() {
            let _ = Consumer::close(consumer).await;
        }
        event("shutdown_complete", &[]);
        if !asked {
            // Kafka's tool runs its hook for the end of the program after the work is over, too.
            event("shutdown_requested", &[]);
        }
        code
    })?;
    Ok(ExitCode::from(code))
}

async fn consume(plan: &Plan, cell: &OnceCell<Consumer>) -> Result<(), String> {
    let java = |error: krafka::KrafkaError| failure::to_java(&error);
    let kafka = plan.settings.connection.open(None).await.map_err(java)?;
    let consumer = cell
        .get_or_try_init(|| {
            plan.settings
                .builder(&kafka, true)
                .rebalance_listener(std::sync::Arc::new(Told))
                .build()
        })
        .await
        .map_err(java)?;
    consumer.subscribe([&plan.topic]).await.map_err(java)?;
    let mut consumed = 0;
    while plan.records.is_none_or(|max| consumed < max) {
        let records = match consumer.poll(POLL).await {
            Ok(records) => records,
            Err(error) if error.is_retriable() => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            Err(error) => return Err(java(error)),
        };
        let left = plan.records.map_or(u64::MAX, |max| max - consumed);
        let taken = records.get(
            ..usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(records.len()),
        );
        let taken = taken.unwrap_or_default();
        if records.is_empty() {
            continue;
        }
        consumed += u64::try_from(taken.len()).unwrap_or_default();
        let next = tell_of_records(plan, &records, taken);
        if plan.commits {
            commit(consumer, next).await;
        } else if taken.len() < records.len() {
            for (partition, offset) in &next {
                let _ = consumer
                    .seek(partition.topic(), partition.partition(), *offset)
                    .await;
            }
        }
    }
    Ok(())
}

/// Prints the records that were taken; gives the offsets behind them.
fn tell_of_records(
    plan: &Plan,
    polled: &[ConsumerRecord],
    taken: &[ConsumerRecord],
) -> Vec<(TopicPartition, i64)> {
    let mut partitions: BTreeMap<(&str, i32), (u64, i64, i64)> = BTreeMap::new();
    for record in taken {
        let entry = partitions
            .entry((&record.topic, record.partition))
            .or_insert((0, record.offset, record.offset));
        entry.0 += 1;
        entry.2 = record.offset;
        if plan.verbose {
            event(
                "record_data",
                &[
                    ("key", quoted_bytes(record.key.as_deref())),
                    ("value", quoted_bytes(record.value.as_deref())),
                    ("topic", quoted(&record.topic)),
                    ("partition", record.partition.to_string()),
                    ("offset", record.offset.to_string()),
                ],
            );
        }
    }
    let told: Vec<_> = partitions
        .iter()
        .map(|((topic, partition), (count, first, last))| {
            format!(
                "{{\"topic\":{},\"partition\":{partition},\"count\":{count},\"minOffset\":{first},\
                 \"maxOffset\":{last}}}",
                quoted(topic)
            )
        })
        .collect();
    // As in Kafka the count is of all records that the poll gave.
    event(
        "records_consumed",
        &[
            ("count", polled.len().to_string()),
            ("partitions", format!("[{}]", told.join(","))),
        ],
    );
    partitions
        .into_iter()
        .map(|((topic, partition), (_, _, last))| (TopicPartition::new(topic, partition), last + 1))
        .collect()
}

async fn commit(consumer: &Consumer, next: Vec<(TopicPartition, i64)>) {
    let told: Vec<_> = next
        .iter()
        .map(|(place, offset)| {
            format!(
                "{{\"topic\":{},\"partition\":{},\"offset\":{offset}}}",
                quoted(place.topic()),
                place.partition()
            )
        })
        .collect();
    let offsets = next
        .into_iter()
        .map(|(place, offset)| (place, OffsetAndMetadata::new(offset)));
    let result = consumer.commit_offsets(offsets).await;
    let mut fields = vec![
        ("offsets", format!("[{}]", told.join(","))),
        ("success", result.is_ok().to_string()),
    ];
    if let Err(error) = result {
        let why = failure::to_java(&error);
        let message = why
            .split_once(": ")
            .map_or(why.as_str(), |(_, message)| message);
        fields.insert(1, ("error", quoted(message)));
    }
    event("offsets_committed", &fields);
}

/// Tells of partitions that come and go.
#[derive(Debug)]
struct Told;

impl Told {
    fn tell(name: &str, partitions: &[TopicPartition]) {
        let told: Vec<_> = partitions
            .iter()
            .map(|place| {
                format!(
                    "{{\"topic\":{},\"partition\":{}}}",
                    quoted(place.topic()),
                    place.partition()
                )
            })
            .collect();
        event(name, &[("partitions", format!("[{}]", told.join(",")))]);
    }
}

impl ConsumerRebalanceListener for Told {
    async fn on_partitions_assigned(&self, partitions: &[TopicPartition]) {
        Self::tell("partitions_assigned", partitions);
    }

    async fn on_partitions_revoked(&self, partitions: &[TopicPartition]) {
        Self::tell("partitions_revoked", partitions);
    }
}
