//! `kafka-producer-perf-test`: how many records a second a producer sends, and how long each takes.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};
use krafka::Record;
use krafka::producer::RecordMetadata;
use ottla_client::Properties;

use super::stats::Stats;
use crate::common::argparse::{self, Manner, Parsed, Wrong};
use crate::common::client::properties_file;
use crate::common::output;
use crate::common::usage::Failure;
use crate::console::client::Settings;
use crate::console::client::producer::ProducerSettings;
use crate::console::client::sender::{Outcome, Sender};
use crate::console::client::settings::duration;
use crate::console::throttle::Throttle;
use crate::console::{log, random, runtime};

/// Longest payload of generated records.
const RECORD_SIZE_MAX: i64 = 1 << 30;
/// Time between two lines if it is not given.
const REPORTING_MS: i64 = 5_000;
/// Transactions last this long if their length is not given.
const TRANSACTION_MS: i64 = 3_000;

/// The options.
pub(crate) fn command() -> Command {
    let text = |name: &'static str, place: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(place).help(help)
    };
    let long = |name, place, help| text(name, place, help).value_parser(value_parser!(i64));
    let many = |name, help| {
        text(name, "PROP-NAME=PROP-VALUE", help)
            .num_args(1..)
            .action(ArgAction::Append)
    };
    Command::new("producer-perf-test")
        .about("Measure how fast a producer sends")
        .arg(text("bootstrap-server", "BOOTSTRAP-SERVER", "Nodes to begin with."))
        .arg(text("topic", "TOPIC", "Topic to send to.").required(true))
        .arg(long("num-records", "NUM-RECORDS", "Records to send.").required(true))
        .arg(text("payload-delimiter", "PAYLOAD-DELIMITER", "What stands between payloads of a file."))
        .arg(text("throughput", "THROUGHPUT", "Records a second, about; -1 for no limit.").required(true).value_parser(value_parser!(f64)))
        .arg(many("producer-props", "(Deprecated) Use --command-property."))
        .arg(many("command-property", "Properties of the producer."))
        .arg(text("producer.config", "CONFIG-FILE", "(Deprecated) Use --command-config."))
        .arg(text("command-config", "CONFIG-FILE", "Properties file for the producer."))
        .arg(Arg::new("print-metrics").long("print-metrics").action(ArgAction::SetTrue).help("Print what the client counted."))
        .arg(text("transactional-id", "TRANSACTIONAL-ID", "Send in transactions of this id."))
        .arg(long("transaction-duration-ms", "TRANSACTION-DURATION", "Length of a transaction."))
        .arg(long("warmup-records", "WARMUP-RECORDS", "Records to leave out of a second summary.").default_value("0"))
        .arg(long("reporting-interval", "INTERVAL-MS", "Time between two lines.").default_value("5000"))
        .arg(long("record-size", "RECORD-SIZE", "Bytes of each record."))
        .arg(text("payload-file", "PAYLOAD-FILE", "File with payloads."))
        .arg(Arg::new("payload-monotonic").long("payload-monotonic").action(ArgAction::SetTrue).help("Send numbers that count up."))
        .group(ArgGroup::new("payload").args(["record-size", "payload-file", "payload-monotonic"]).required(true))
        .after_help("Examples:\n  ottla producer-perf-test --bootstrap-server localhost:9092 --topic test --num-records 100000 --record-size 100 --throughput -1")
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let manner = Manner {
        program: "kafka-producer-perf-test",
        // Without arguments the page of help is what was asked for.
        help_code: u8::from(!args.is_empty()),
        wrong: Wrong::Usage,
    };
    let help = ["-h".to_owned()];
    let args = if args.is_empty() { &help } else { args };
    argparse::run(manner, command(), args, start)
}

fn start(parsed: &Parsed) -> Result<ExitCode, Failure> {
    let properties = properties(parsed)?;
    let settings = Settings::new(properties);
    let producer = ProducerSettings::new(&settings)?;
    settings.warn_of_unserved();
    if parsed.has("print-metrics") {
        log::warn(
            "--print-metrics has no effect: the metrics of Kafka's producer are those of its Java client.",
            "org.apache.kafka.tools.ProducerPerformance",
        );
    }
    let payload = Payload::new(parsed)?;
    let plan = Plan {
        topic: parsed.value("topic").unwrap_or_default().to_owned(),
        records: positive(parsed, "num-records"),
        warmup: positive(parsed, "warmup-records"),
        rate: parsed.number("throughput").unwrap_or(-1.0),
        interval: duration(parsed.number("reporting-interval").unwrap_or(REPORTING_MS)),
        transaction: producer.transactional_id.as_ref().map(|_| {
            duration(
                parsed
                    .number("transaction-duration-ms")
                    .unwrap_or(TRANSACTION_MS),
            )
        }),
    };
    if plan.warmup > 0 {
        output::line(&format!(
            "Warmup first {} records. Steady state results will print after the complete test summary.",
            plan.warmup
        ));
        output::flush();
    }
    measure(&plan, producer, payload)
}

struct Plan {
    topic: String,
    records: u64,
    warmup: u64,
    rate: f64,
    interval: Duration,
    transaction: Option<Duration>,
}

fn measure(
    plan: &Plan,
    producer: ProducerSettings,
    mut payload: Payload,
) -> Result<ExitCode, Failure> {
    let name = producer.log_name();
    let begun = Instant::now();
    let outcome = Measured(Mutex::new(All {
        all: Stats::new(begun, plan.records, plan.interval, false),
        steady: None,
        warmup: plan.warmup,
        seen: 0,
        records: plan.records,
        interval: plan.interval,
    }));
    let sender = Sender::new(producer, outcome);
    let result = runtime::block_on(&name, async {
        tokio::select! {
            biased;
            code = runtime::interrupted() => {
                sender.close().await;
                Ok(code)
            }
            result = send_all(plan, &sender, &mut payload) => result.map(|()| 0),
        }
    })?;
    match result {
        Ok(0) => {
            let mut stats = sender
                .outcome()
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            output::line(&stats.all.total_line(now));
            if let Some(steady) = &mut stats.steady {
                output::line(&steady.total_line(now));
            }
            Ok(ExitCode::SUCCESS)
        }
        Ok(code) => Ok(ExitCode::from(code)),
        Err(why) => Err(Failure::Failed(format!(
            "Exception in thread \"main\" {why}"
        ))),
    }
}

async fn send_all(
    plan: &Plan,
    sender: &Sender<Measured>,
    payload: &mut Payload,
) -> Result<(), String> {
    if plan.transaction.is_some() {
        sender.connect().await?;
    }
    let mut throttle = Throttle::new(plan.rate);
    let mut open: Option<Instant> = None;
    for number in 0..plan.records {
        if plan.transaction.is_some() && open.is_none() {
            sender.begin().await?;
            open = Some(Instant::now());
        }
        let record = Record::new(&plan.topic, payload.next(number));
        sender.enqueue(record).await;
        if let (Some(length), Some(since)) = (plan.transaction, open)
            && since.elapsed() >= length
        {
            sender.commit().await?;
            open = None;
        }
        throttle.pace(number).await;
    }
    if open.is_some() {
        sender.commit().await?;
    }
    sender.flush().await;
    sender.close().await;
    Ok(())
}

/// Told of each record's answer.
#[derive(Debug)]
struct Measured(Mutex<All>);

#[derive(Debug)]
struct All {
    all: Stats,
    steady: Option<Stats>,
    warmup: u64,
    seen: u64,
    records: u64,
    interval: Duration,
}

impl Outcome for Measured {
    type Note = (Instant, u64);

    fn note(&self, record: &Record) -> (Instant, u64) {
        let bytes = record.value.as_ref().map_or(0, bytes::Bytes::len);
        (Instant::now(), u64::try_from(bytes).unwrap_or_default())
    }

    fn done(&self, (sent, bytes): &(Instant, u64), result: Result<&RecordMetadata, String>) {
        if let Err(why) = result {
            output::error_line(&why);
            return;
        }
        let now = Instant::now();
        let mut stats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stats.seen += 1;
        let mut lines = stats.all.record(*sent, now, *bytes);
        if stats.warmup > 0 && stats.seen > stats.warmup {
            let (left, interval) = (stats.records.saturating_sub(stats.warmup), stats.interval);
            let steady = stats
                .steady
                .get_or_insert_with(|| Stats::new(now, left, interval, true));
            lines = steady.record(*sent, now, *bytes);
        }
        for line in &lines {
            output::line(line);
        }
        if !lines.is_empty() {
            output::flush();
        }
    }
}

/// What the records carry.
enum Payload {
    Random {
        size: usize,
        random: random::Random,
    },
    Lines {
        lines: Vec<bytes::Bytes>,
        random: random::Random,
    },
    Numbers,
}

impl Payload {
    fn new(parsed: &Parsed) -> Result<Self, Failure> {
        if let Some(size) = parsed.number::<i64>("record-size") {
            let size = usize::try_from(size.min(RECORD_SIZE_MAX))
                .ok()
                .filter(|size| *size > 0);
            return Ok(Self::Random {
                size: size.ok_or_else(|| {
                    Failure::Failed("--record-size should be greater than zero.".to_owned())
                })?,
                random: random::Random::new(),
            });
        }
        let Some(path) = parsed.value("payload-file") else {
            return Ok(Self::Numbers);
        };
        let whole = std::path::absolute(Path::new(path)).unwrap_or_else(|_| path.into());
        output::line(&format!("Reading payloads from: {}", whole.display()));
        let bytes = std::fs::read(path).unwrap_or_default();
        if bytes.is_empty() {
            return Err(Failure::Failed(
                "Exception in thread \"main\" java.lang.IllegalArgumentException: File does not exist or \
                 empty file provided."
                    .to_owned(),
            ));
        }
        let delimiter = parsed.value("payload-delimiter").unwrap_or("\\n");
        let delimiter = delimiter
            .replace("\\n", "\n")
            .replace("\\t", "\t")
            .replace("\\r", "\r");
        let text = String::from_utf8_lossy(&bytes);
        let mut lines: Vec<bytes::Bytes> = text
            .split(delimiter.as_str())
            .map(|line| bytes::Bytes::copy_from_slice(line.as_bytes()))
            .collect();
        while lines.len() > 1 && lines.last().is_some_and(bytes::Bytes::is_empty) {
            lines.pop();
        }
        output::line(&format!("Number of records read: {}", lines.len()));
        Ok(Self::Lines {
            lines,
            random: random::Random::new(),
        })
    }

    fn next(&mut self, number: u64) -> bytes::Bytes {
        match self {
            Self::Random { size, random } => random.letters(*size).into(),
            Self::Lines { lines, random } => {
                let at = usize::try_from(random.next()).unwrap_or_default() % lines.len().max(1);
                lines.get(at).cloned().unwrap_or_default()
            }
            Self::Numbers => number.to_string().into(),
        }
    }
}

fn positive(parsed: &Parsed, name: &str) -> u64 {
    let number: i64 = parsed.number(name).unwrap_or_default();
    u64::try_from(number).unwrap_or_default()
}

fn properties(parsed: &Parsed) -> Result<Properties, Failure> {
    let given = [
        "bootstrap-server",
        "command-property",
        "producer-props",
        "producer.config",
        "command-config",
    ];
    if !given.iter().any(|name| parsed.has(name)) {
        return Err(Failure::Usage(
            "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config \
             or --command-config must be specified."
                .to_owned(),
        ));
    }
    for (old, new) in [
        ("producer.config", "command-config"),
        ("producer-props", "command-property"),
    ] {
        if parsed.has(old) && parsed.has(new) {
            return Err(Failure::Usage(format!(
                "--{new} and --{old} cannot be specified together."
            )));
        }
        if parsed.has(old) {
            output::line(&format!(
                "Option --{old} has been deprecated and will be removed in a future version. Use --{new} instead."
            ));
        }
    }
    let mut properties = Properties::new();
    for name in ["producer.config", "command-config"] {
        if let Some(path) = parsed.value(name) {
            properties.extend(properties_file(path)?);
        }
    }
    for pair in parsed
        .values("producer-props")
        .iter()
        .chain(parsed.values("command-property"))
    {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Failure::Failed(format!(
                "Exception in thread \"main\" java.lang.IllegalArgumentException: Invalid property: {pair}"
            ))
        })?;
        properties.insert(key.to_owned(), value.to_owned());
    }
    if let Some(servers) = parsed.value("bootstrap-server") {
        properties.insert("bootstrap.servers".to_owned(), servers.to_owned());
    }
    properties
        .entry("client.id".to_owned())
        .or_insert_with(|| "perf-producer-client".to_owned());
    if let Some(id) = parsed.value("transactional-id") {
        properties.insert("transactional.id".to_owned(), id.to_owned());
    } else if parsed.has("transaction-duration-ms") {
        let id = format!("performance-producer-{}", random::Random::new().next());
        properties
            .entry("transactional.id".to_owned())
            .or_insert(id);
    }
    Ok(properties)
}
