//! `kafka-e2e-latency`: how long a record takes from a producer to a consumer.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Command;
use krafka::admin::NewTopic;
use krafka::consumer::Consumer;
use krafka::producer::RecordMetadata;
use krafka::{ConsumerRecord, Kafka, Record};
use ottla_client::Properties;

use crate::common::client::properties_file;
use crate::common::jopt::{Options, value};
use crate::common::output;
use crate::common::usage::{self, Failure};
use crate::console::client::Settings;
use crate::console::client::consumer::ConsumerSettings;
use crate::console::client::producer::ProducerSettings;
use crate::console::client::sender::{Outcome, Sender};
use crate::console::formatter::java_double;
use crate::console::{failure, random, runtime};

/// Longest wait for a record to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);
/// Partitions and replicas of a topic that the tool makes.
const NEW_TOPIC: (i32, i16) = (1, 1);
/// Largest key, value or header that is generated.
const SIZE_MAX: i32 = 1 << 30;

/// The options.
pub(crate) fn command() -> Command {
    Command::new("e2e-latency")
        .about("Measure the time from a producer to a consumer")
        .arg(value("bootstrap-server", "host:port,...", "REQUIRED: Nodes to begin with."))
        .arg(value("topic", "topic", "REQUIRED: Topic to send to and to read."))
        .arg(value("num-records", "n", "REQUIRED: Records to send."))
        .arg(value("producer-acks", "acks", "REQUIRED: Who must have a record: 1 or all."))
        .arg(value("record-size", "bytes", "REQUIRED: Bytes of each value."))
        .arg(value("record-key-size", "bytes", "Bytes of each key."))
        .arg(value("record-header-key-size", "bytes", "Bytes of each header's key."))
        .arg(value("record-header-size", "bytes", "Bytes of each header's value; -1 for null."))
        .arg(value("num-headers", "n", "Headers of each record."))
        .arg(value("command-config", "file", "Properties file for the clients."))
        .after_help("Examples:\n  ottla e2e-latency --bootstrap-server localhost:9092 --topic test --num-records 1000 --producer-acks all --record-size 100")
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let about = "This tool measures end-to-end latency in Kafka by sending messages and timing their reception.";
    let named = args
        .iter()
        .any(|arg| arg.starts_with("--") && arg != "--help" && arg != "--version");
    if args.is_empty() || named || args == ["--help"] || args == ["--version"] {
        return usage::run(command(), about, args, start);
    }
    if !(5..=6).contains(&args.len()) {
        output::error_line(&format!(
            "Invalid number of arguments. Expected 5 or 6 positional arguments, but got {}. Usage: \
             bootstrap-server topic num-records producer-acks record-size [optional] command-config",
            args.len()
        ));
        return ExitCode::FAILURE;
    }
    output::line(
        "WARNING: Positional argument usage is deprecated and will be removed in Apache Kafka 5.0. Please use named arguments instead: --bootstrap-server, --topic, --num-records, --producer-acks, --record-size, --command-config",
    );
    let names = [
        "--bootstrap-server",
        "--topic",
        "--num-records",
        "--producer-acks",
        "--record-size",
        "--command-config",
    ];
    let named: Vec<String> = names
        .iter()
        .zip(args)
        .flat_map(|(name, arg)| [(*name).to_owned(), arg.clone()])
        .collect();
    usage::run(command(), about, &named, start)
}

struct Plan {
    topic: String,
    records: i32,
    value: usize,
    key: Option<usize>,
    headers: i32,
    header_key: usize,
    header_value: Option<usize>,
}

fn start(options: &Options) -> Result<ExitCode, Failure> {
    options.required(&[
        "bootstrap-server",
        "topic",
        "num-records",
        "producer-acks",
        "record-size",
    ])?;
    let acks = options.value("producer-acks")?.unwrap_or_default();
    if !matches!(acks, "1" | "all") {
        return Err(Failure::Usage(
            "Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. \
             Please use '1' or 'all'."
                .to_owned(),
        ));
    }
    let plan = plan(options)?;
    let base = match options.value("command-config")? {
        Some(path) => properties_file(path)?,
        None => Properties::new(),
    };
    let servers = options.value("bootstrap-server")?.unwrap_or_default();
    let group = format!("test-group-{}", random::Random::new().next());
    let consumer = ConsumerSettings::new(&with(
        &base,
        &[
            ("bootstrap.servers", servers),
            ("group.id", &group),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "latest"),
            ("fetch.max.wait.ms", "0"),
        ],
    ))?;
    let settings = with(
        &base,
        &[
            ("bootstrap.servers", servers),
            ("linger.ms", "0"),
            ("max.block.ms", "9223372036854775807"),
            ("acks", acks),
        ],
    );
    let producer = ProducerSettings::new(&settings)?;
    settings.warn_of_unserved();
    let sender = Sender::new(producer, Untold);
    let result = runtime::block_on(&consumer.log_name(), async {
        tokio::select! {
            biased;
            code = runtime::interrupted() => Ok(code),
            result = measure(&plan, &consumer, &sender) => result.map(|()| 0),
        }
    })?;
    result.map(ExitCode::from).map_err(Failure::Failed)
}

fn with(base: &Properties, pairs: &[(&str, &str)]) -> Settings {
    let mut properties = base.clone();
    properties.extend(
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    );
    Settings::new(properties)
}

fn plan(options: &Options) -> Result<Plan, Failure> {
    let number = |name: &str, default: i32, least: i32, what: &str| -> Result<i32, Failure> {
        let number = options.number::<i32>(name)?.unwrap_or(default);
        if number < least {
            return Err(Failure::Usage(format!(
                "Value for --{name} must be a {what}."
            )));
        }
        Ok(number.min(SIZE_MAX))
    };
    let size = |number: i32| usize::try_from(number).unwrap_or_default();
    let whole = "non-negative integer";
    let records = number("num-records", 0, 1, "positive integer")?;
    let value = size(number("record-size", 0, 0, whole)?);
    let key = size(number("record-key-size", 0, 0, whole)?);
    let header_key = size(number("record-header-key-size", 0, 0, whole)?);
    let header_value = number(
        "record-header-size",
        0,
        -1,
        "non-negative integer or -1 for null header value",
    )?;
    Ok(Plan {
        topic: options.value("topic")?.unwrap_or_default().to_owned(),
        records,
        value,
        key: Some(key).filter(|key| *key > 0),
        headers: number("num-headers", 0, 0, whole)?,
        header_key,
        header_value: usize::try_from(header_value).ok(),
    })
}

async fn measure(
    plan: &Plan,
    settings: &ConsumerSettings,
    sender: &Sender<Untold>,
) -> Result<(), String> {
    let java = |error: krafka::KrafkaError| failure::to_java(&error);
    let kafka = settings.connection.open(None).await.map_err(java)?;
    create_missing(plan, &kafka).await?;
    let consumer = settings
        .builder(&kafka, false)
        .build()
        .await
        .map_err(java)?;
    let found = consumer
        .fetch_metadata(Some(&plan.topic))
        .await
        .map_err(java)?;
    let partitions: Vec<i32> = found
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.keys().copied())
        .collect();
    consumer
        .assign(&plan.topic, partitions.clone())
        .await
        .map_err(java)?;
    for partition in partitions {
        consumer
            .seek_to_end(&plan.topic, partition)
            .await
            .map_err(java)?;
        let _ = consumer.position(&plan.topic, partition).await;
    }
    let mut random = random::Random::new();
    let mut latencies = Vec::new();
    let mut total = 0.0;
    for number in 0..plan.records {
        let record = record(plan, &mut random);
        let begun = Instant::now();
        let _ = sender
            .send(record.clone())
            .await
            .map_err(|why| format!("java.util.concurrent.ExecutionException: {why}"))?;
        let arrived = arrival(&consumer).await?;
        let took = begun.elapsed();
        compare(&record, &arrived)?;
        let millis = took.as_secs_f64() * 1000.0;
        if number % 1000 == 0 {
            output::line(&format!("{number}\t{}", java_double(millis)));
            output::flush();
        }
        total += millis;
        latencies.push(took.as_millis());
    }
    latencies.sort_unstable();
    output::line(&format!(
        "Avg latency: {:.4} ms",
        total / f64::from(plan.records)
    ));
    let [p50, p99, p999] = [500, 990, 999].map(|per_mille: usize| {
        latencies
            .get(latencies.len() * per_mille / 1000)
            .copied()
            .unwrap_or_default()
    });
    output::line(&format!(
        "Percentiles: 50th = {p50}, 99th = {p99}, 99.9th = {p999}"
    ));
    sender.close().await;
    consumer.close().await.map_err(java)
}

async fn create_missing(plan: &Plan, kafka: &Kafka) -> Result<(), String> {
    let java = |error: krafka::KrafkaError| failure::to_java(&error);
    let admin = kafka.admin();
    let topics = admin.list_topics(Default::default()).await.map_err(java)?;
    if topics.contains(&plan.topic) {
        return Ok(());
    }
    let (partitions, replicas) = NEW_TOPIC;
    output::line(&format!(
        "Topic \"{}\" does not exist. Will create topic with {partitions} partition(s) and replication \
         factor = {replicas}",
        plan.topic
    ));
    output::flush();
    let topic = NewTopic::new(&plan.topic, partitions, replicas).map_err(java)?;
    let made = admin
        .create_topics([topic], Default::default())
        .await
        .map_err(java)?;
    for result in made.into_values() {
        if let Err(error) = result {
            output::line(&format!("Creation of topic {} failed", plan.topic));
            return Err(failure::to_java(&error));
        }
    }
    Ok(())
}

fn record(plan: &Plan, random: &mut random::Random) -> Record {
    let mut record = Record::new(&plan.topic, random.letters(plan.value));
    if let Some(key) = plan.key {
        record = record.key(random.letters(key));
    }
    for _ in 0..plan.headers {
        let key = String::from_utf8_lossy(&random.letters(plan.header_key)).into_owned();
        record = match plan.header_value {
            Some(size) => record.header(key, random.letters(size)),
            None => record.null_header(key),
        };
    }
    record
}

/// The one record that was sent.
async fn arrival(consumer: &Consumer) -> Result<ConsumerRecord, String> {
    let failed = |text: &str| format!("java.lang.RuntimeException: {text}");
    let deadline = Instant::now() + ARRIVAL_MAX;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut records = match consumer.poll(left).await {
            Ok(records) => records,
            Err(error) if error.is_retriable() => Vec::new(),
            Err(error) => return Err(failure::to_java(&error)),
        };
        match (records.pop(), records.len()) {
            (Some(record), 0) => return Ok(record),
            (Some(_), more) => {
                return Err(failed(&format!(
                    "Only one result was expected during this test. We found [{}]",
                    more + 1
                )));
            }
            (None, _) if Instant::now() >= deadline => {
                return Err(failed(
                    "poll() timed out before finding a result (timeout:[60000ms])",
                ));
            }
            (None, _) => {}
        }
    }
}

fn compare(sent: &Record, read: &ConsumerRecord) -> Result<(), String> {
    let text = |bytes: &Option<bytes::Bytes>| {
        bytes.as_ref().map_or_else(
            || "null".to_owned(),
            |bytes| String::from_utf8_lossy(bytes).into_owned(),
        )
    };
    for (what, sent, read) in [
        ("value", &sent.value, &read.value),
        ("key", &sent.key, &read.key),
    ] {
        if sent != read {
            return Err(format!(
                "java.lang.RuntimeException: The message {what} read [{}] did not match the message {what} \
                 sent [{}]",
                text(read),
                text(sent)
            ));
        }
    }
    if sent.headers != read.headers {
        return Err(
            "java.lang.RuntimeException: Header count mismatch between sent and received messages"
                .to_owned(),
        );
    }
    Ok(())
}

/// Nobody needs to be told: each record is waited for.
#[derive(Debug)]
struct Untold;

impl Outcome for Untold {
    type Note = ();

    fn note(&self, _: &Record) {}

    fn done(&self, (): &(), _: Result<&RecordMetadata, String>) {}
}
