//! `kafka-verifiable-producer`: sends numbers that count up and tells of each answer.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::{Arg, Command, value_parser};
use krafka::Record;
use krafka::producer::RecordMetadata;

use super::{event, file, quoted, quoted_bytes};
use crate::common::argparse::{self, Manner, Parsed, Wrong};
use crate::common::usage::Failure;
use crate::console::client::Settings;
use crate::console::client::producer::ProducerSettings;
use crate::console::client::sender::{Outcome, Sender};
use crate::console::formatter::java_double;
use crate::console::perf::float;
use crate::console::runtime;
use crate::console::throttle::Throttle;

/// The options.
pub(crate) fn command() -> Command {
    let text = |name: &'static str, place: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(place).help(help)
    };
    let int = |name, place, help| text(name, place, help).value_parser(value_parser!(i32));
    let long = |name, place, help| text(name, place, help).value_parser(value_parser!(i64));
    Command::new("verifiable-producer")
        .about("Send numbers and print each answer as JSON")
        .arg(text("topic", "TOPIC", "Topic to send to.").required(true))
        .arg(int("max-messages", "MAX-MESSAGES", "Records to send; -1 for no end.").default_value("-1"))
        .arg(long("throughput", "THROUGHPUT", "Records a second, about; -1 for no limit.").default_value("-1"))
        .arg(int("acks", "ACKS", "Who must have a record.").default_value("-1"))
        .arg(text("producer.config", "CONFIG-FILE", "(Deprecated) Use --command-config."))
        .arg(long("message-create-time", "CREATE-TIME", "Time of the first record, in ms since 1970.").default_value("-1"))
        .arg(int("value-prefix", "VALUE-PREFIX", "Number in front of each value."))
        .arg(int("repeating-keys", "REPEATING-KEYS", "Keys count from 0 up to this number, again and again."))
        .arg(text("command-config", "CONFIG-FILE", "Properties file for the producer."))
        .arg(text("bootstrap-server", "HOST1:PORT1[,HOST2:PORT2[...]]", "REQUIRED: Nodes to begin with.").required(true))
        .after_help("Examples:\n  ottla verifiable-producer --bootstrap-server localhost:9092 --topic test --max-messages 10")
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let manner = Manner {
        program: "verifiable-producer",
        help_code: u8::from(!args.is_empty()),
        wrong: Wrong::Usage,
    };
    let help = ["-h".to_owned()];
    let args = if args.is_empty() { &help } else { args };
    argparse::run(manner, command(), args, start)
}

struct Plan {
    topic: String,
    records: Option<u64>,
    rate: i64,
    time: Option<i64>,
    prefix: Option<i32>,
    keys: Option<u64>,
}

fn start(parsed: &Parsed) -> Result<ExitCode, Failure> {
    let mut properties = file(parsed, "producer.config")?;
    for (key, value) in [
        (
            "bootstrap.servers",
            parsed.value("bootstrap-server").unwrap_or_default(),
        ),
        ("acks", parsed.value("acks").unwrap_or("-1")),
    ] {
        properties.insert(key.to_owned(), value.to_owned());
    }
    properties
        .entry("client.id".to_owned())
        .or_insert_with(|| "producer-1".to_owned());
    let settings = Settings::new(properties);
    let producer = ProducerSettings::new(&settings)?;
    settings.warn_of_unserved();
    let count = |name: &str| {
        let number: Option<i64> = parsed.number(name);
        number.and_then(|number| u64::try_from(number).ok())
    };
    let plan = Plan {
        topic: parsed.value("topic").unwrap_or_default().to_owned(),
        records: count("max-messages"),
        rate: parsed.number("throughput").unwrap_or(-1),
        time: parsed
            .number("message-create-time")
            .filter(|time| *time >= 0),
        prefix: parsed.number("value-prefix"),
        keys: count("repeating-keys").filter(|keys| *keys > 0),
    };
    let name = producer.log_name();
    let sender = Sender::new(producer, Told::default());
    let begun = Instant::now();
    event("startup_complete", &[]);
    let code = runtime::block_on(&name, async {
        let code = tokio::select! {
            biased;
            code = runtime::interrupted() => code,
            () = send_all(&plan, &sender) => 0,
        };
        sender.close().await;
        code
    })?;
    event("shutdown_complete", &[]);
    let acked = sender.outcome().acked.load(Ordering::Relaxed);
    let millis = u64::try_from(begun.elapsed().as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    event(
        "tool_data",
        &[
            (
                "sent",
                sender.outcome().sent.load(Ordering::Relaxed).to_string(),
            ),
            ("acked", acked.to_string()),
            ("target_throughput", plan.rate.to_string()),
            (
                "avg_throughput",
                java_double(1000.0 * float(acked) / float(millis)),
            ),
        ],
    );
    Ok(ExitCode::from(code))
}

async fn send_all(plan: &Plan, sender: &Sender<Told>) {
    let rate = i32::try_from(plan.rate).map_or_else(|_| f64::from(i32::MAX), f64::from);
    let mut throttle = Throttle::new(rate);
    let mut number: u64 = 0;
    while plan.records.is_none_or(|records| number < records) {
        let value = match plan.prefix {
            Some(prefix) => format!("{prefix}.{number}"),
            None => number.to_string(),
        };
        let mut record = Record::new(&plan.topic, value);
        if let Some(keys) = plan.keys {
            record = record.key((number % keys).to_string());
        }
        if let Some(time) = plan.time {
            record = record.timestamp(time.saturating_add_unsigned(number));
        }
        sender.outcome().sent.fetch_add(1, Ordering::Relaxed);
        sender.enqueue(record).await;
        number += 1;
        throttle.pace(number).await;
    }
    sender.flush().await;
}

/// Prints what became of each record.
#[derive(Debug, Default)]
struct Told {
    sent: AtomicU64,
    acked: AtomicU64,
}

impl Outcome for Told {
    type Note = Record;

    fn note(&self, record: &Record) -> Record {
        record.clone()
    }

    fn done(&self, record: &Record, result: Result<&RecordMetadata, String>) {
        let key = ("key", quoted_bytes(record.key.as_deref()));
        let value = ("value", quoted_bytes(record.value.as_deref()));
        match result {
            Ok(place) => {
                self.acked.fetch_add(1, Ordering::Relaxed);
                event(
                    "producer_send_success",
                    &[
                        key,
                        value,
                        ("offset", place.offset.to_string()),
                        ("topic", quoted(&place.topic)),
                        ("partition", place.partition.to_string()),
                    ],
                );
            }
            Err(why) => {
                let (class, message) = why.split_once(": ").unwrap_or((&why, ""));
                event(
                    "producer_send_error",
                    &[
                        ("topic", quoted(&record.topic)),
                        key,
                        value,
                        ("message", quoted(message)),
                        ("exception", quoted(&format!("class {class}"))),
                    ],
                );
            }
        }
    }
}
