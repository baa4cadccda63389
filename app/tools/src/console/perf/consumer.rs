//! `kafka-consumer-perf-test`: how many records a second a consumer reads.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Command;
use krafka::consumer::{Consumer, ConsumerRebalanceListener, TopicPartition};
use krafka::{ConsumerRecord, Kafka};
use ottla_client::Properties;

use super::stats::float;
use crate::common::client::properties_file;
use crate::common::dates::Pattern;
use crate::common::jopt::{Options, flag, value};
use crate::common::output;
use crate::common::usage::{self, Failure};
use crate::console::client::Settings;
use crate::console::client::consumer::ConsumerSettings;
use crate::console::client::settings::duration;
use crate::console::options::key_values;
use crate::console::topics::Chosen;
use crate::console::{failure, log, random, runtime};

/// Longest wait of one poll, as in Kafka's tool.
const POLL: Duration = Duration::from_millis(100);

/// The options.
pub(crate) fn command() -> Command {
    Command::new("consumer-perf-test")
        .about("Measure how fast a consumer reads")
        .arg(value("bootstrap-server", "host:port,...", "REQUIRED: Nodes to begin with."))
        .arg(value("topic", "topic", "The topic to read."))
        .arg(value("include", "regex", "Topics to read, by a regular expression."))
        .arg(value("num-records", "n", "REQUIRED: Records to read."))
        .arg(value("messages", "n", "(Deprecated) Use --num-records.").hide(true))
        .arg(value("group", "group", "Group of the consumer."))
        .arg(value("fetch-size", "bytes", "Most bytes of a partition in one fetch (1048576)."))
        .arg(flag("from-latest", "Start with the newest record if the group has no offset."))
        .arg(value("socket-buffer-size", "bytes", "Buffer of the socket (2097152)."))
        .arg(value("timeout", "ms", "Longest time between two records (10000)."))
        .arg(value("reporting-interval", "ms", "Time between two lines (5000)."))
        .arg(flag("show-detailed-stats", "Print a line for each interval."))
        .arg(value("date-format", "pattern", "How times are printed (yyyy-MM-dd HH:mm:ss:SSS)."))
        .arg(flag("hide-header", "Print no header."))
        .arg(flag("print-metrics", "Print what the client counted.").hide(true))
        .arg(value("command-property", "key=value", "A property of the consumer."))
        .arg(value("command-config", "file", "Properties file for the consumer."))
        .arg(value("consumer.config", "file", "(Deprecated) Use --command-config.").hide(true))
        .after_help("Examples:\n  ottla consumer-perf-test --bootstrap-server localhost:9092 --topic test --num-records 100000")
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool is used to verify the consumer performance.",
        args,
        start,
    )
}

struct Plan {
    settings: ConsumerSettings,
    chosen: Chosen,
    records: u64,
    timeout: Duration,
    interval: Duration,
    detailed: bool,
    header: bool,
    pattern: Pattern,
}

fn start(options: &Options) -> Result<ExitCode, Failure> {
    options.required(&["bootstrap-server"])?;
    one_of(options, ["topic", "include"])?;
    one_of(options, ["messages", "num-records"])?;
    if options.has("messages") {
        output::line("Warning: --messages is deprecated. Use --num-records instead.");
    }
    if options.has("consumer.config") {
        if options.has("command-config") {
            return Err(Failure::Usage(
                "Option \"[command-config]\" can't be used with option \"[consumer.config]\""
                    .to_owned(),
            ));
        }
        output::line("Warning: --consumer.config is deprecated. Use --command-config instead.");
    }
    let settings = Settings::new(properties(options)?);
    let consumer = ConsumerSettings::new(&settings)?;
    settings.warn_of_unserved();
    if options.has("print-metrics") {
        log::warn(
            "--print-metrics has no effect: the metrics of Kafka's consumer are those of its Java client.",
            "org.apache.kafka.tools.ConsumerPerformance",
        );
    }
    let interval: i64 = options.number("reporting-interval")?.unwrap_or(5_000);
    if interval <= 0 {
        return Err(Failure::Usage(
            "Reporting interval must be greater than 0.".to_owned(),
        ));
    }
    let records = match options.number::<i64>("num-records")? {
        Some(records) => records,
        None => options.number::<i64>("messages")?.unwrap_or_default(),
    };
    let timeout: i64 = options.number("timeout")?.unwrap_or(10_000);
    let plan = Plan {
        chosen: match options.value("topic")? {
            Some(topic) => Chosen::Topic(topic.to_owned()),
            None => Chosen::matching(
                options.value("include")?.unwrap_or_default(),
                consumer.exclude_internal,
            )?,
        },
        settings: consumer,
        records: u64::try_from(records).unwrap_or_default(),
        timeout: duration(timeout),
        interval: duration(interval),
        detailed: options.has("show-detailed-stats"),
        header: !options.has("hide-header"),
        pattern: Pattern::new(
            options
                .value("date-format")?
                .unwrap_or("yyyy-MM-dd HH:mm:ss:SSS"),
        )?,
    };
    measure(&plan)
}

/// Refuses a command line that does not have exactly one of two options.
pub(super) fn one_of(options: &Options, names: [&str; 2]) -> Result<(), Failure> {
    if names.iter().filter(|name| options.has(name)).count() == 1 {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "Exactly one of the following arguments is required: [{}], [{}]",
        names[0], names[1]
    )))
}

fn properties(options: &Options) -> Result<Properties, Failure> {
    let mut properties = Properties::new();
    for name in ["consumer.config", "command-config"] {
        if let Some(path) = options.value(name)? {
            properties.extend(properties_file(path)?);
        }
    }
    properties.extend(key_values(options.values("command-property")));
    let group = match options.value("group")? {
        Some(group) => group.to_owned(),
        None => format!("perf-consumer-{}", random::Random::new().next() % 100_000),
    };
    let reset = if options.has("from-latest") {
        "latest"
    } else {
        "earliest"
    };
    for (key, value) in [
        (
            "bootstrap.servers",
            options.value("bootstrap-server")?.unwrap_or_default(),
        ),
        ("group.id", group.as_str()),
        (
            "receive.buffer.bytes",
            options.value("socket-buffer-size")?.unwrap_or("2097152"),
        ),
        (
            "max.partition.fetch.bytes",
            options.value("fetch-size")?.unwrap_or("1048576"),
        ),
        ("auto.offset.reset", reset),
    ] {
        properties.insert(key.to_owned(), value.to_owned());
    }
    properties
        .entry("client.id".to_owned())
        .or_insert_with(|| "perf-consumer-client".to_owned());
    Ok(properties)
}

/// Measures how long the consumer waited for partitions.
#[derive(Debug)]
struct Joining(Mutex<JoinTime>);

#[derive(Debug)]
struct JoinTime {
    since: Instant,
    total: Duration,
    period: Duration,
}

impl Joining {
    fn with<T>(&self, look: impl FnOnce(&mut JoinTime) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ConsumerRebalanceListener for Joining {
    async fn on_partitions_assigned(&self, _: &[TopicPartition]) {
        self.with(|time| {
            let took = time.since.elapsed();
            time.total += took;
            time.period += took;
        });
    }

    async fn on_partitions_revoked(&self, _: &[TopicPartition]) {
        self.with(|time| time.since = Instant::now());
    }
}

/// Records and bytes so far.
#[derive(Debug, Default, Clone, Copy)]
struct Read {
    records: u64,
    bytes: u64,
}

fn measure(plan: &Plan) -> Result<ExitCode, Failure> {
    if plan.header {
        let more = "rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec";
        let first = if plan.detailed {
            "time, threadId"
        } else {
            "start.time, end.time"
        };
        output::line(&format!(
            "{first}, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, {more}"
        ));
        output::flush();
    }
    let result = runtime::block_on(&plan.settings.log_name(), async {
        tokio::select! {
            biased;
            code = runtime::interrupted() => Ok(code),
            result = consume(plan) => result,
        }
    })?;
    result
        .map(ExitCode::from)
        .map_err(|why| Failure::Failed(format!("Exception in thread \"main\" {why}")))
}

async fn consume(plan: &Plan) -> Result<u8, String> {
    let java = |error: krafka::KrafkaError| failure::to_java(&error);
    let kafka = plan.settings.connection.open(None).await.map_err(java)?;
    let begun = Instant::now();
    let begun_at = log::now();
    let joining = Arc::new(Joining(Mutex::new(JoinTime {
        since: begun,
        total: Duration::ZERO,
        period: Duration::ZERO,
    })));
    let consumer = plan
        .settings
        .builder(&kafka, true)
        .rebalance_listener(Arc::clone(&joining))
        .build()
        .await
        .map_err(java)?;
    let read = read(plan, &kafka, &consumer, &joining, begun).await?;
    if !plan.detailed {
        let elapsed = begun.elapsed();
        let joined = joining.with(|time| time.total);
        let fetched = elapsed.saturating_sub(joined);
        let mb = megabytes(read.bytes);
        output::line(&format!(
            "{}, {}, {mb:.4}, {:.4}, {}, {:.4}, {}, {}, {:.4}, {:.4}",
            plan.pattern.show(begun_at),
            plan.pattern.show(log::now()),
            per_second(mb, elapsed),
            read.records,
            per_second(float(read.records), elapsed),
            joined.as_millis(),
            fetched.as_millis(),
            per_second(mb, fetched),
            per_second(float(read.records), fetched),
        ));
    }
    consumer.close().await.map_err(java)?;
    Ok(0)
}

async fn read(
    plan: &Plan,
    kafka: &Kafka,
    consumer: &Consumer,
    joining: &Joining,
    begun: Instant,
) -> Result<Read, String> {
    let topics = plan
        .chosen
        .topics(kafka)
        .await
        .map_err(|error| failure::to_java(&error))?;
    consumer
        .subscribe(&topics)
        .await
        .map_err(|error| failure::to_java(&error))?;
    let mut all = Read::default();
    let mut reported = (begun, Read::default());
    let mut last = Instant::now();
    while all.records < plan.records {
        let records = match consumer.poll(POLL).await {
            Ok(records) => records,
            Err(error) if error.is_retriable() => Vec::new(),
            Err(error) => return Err(failure::to_java(&error)),
        };
        let now = Instant::now();
        if !records.is_empty() {
            last = now;
        } else if now.duration_since(last) > plan.timeout {
            output::line(&format!(
                "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) \
                 exceeded. You can use the --timeout option to increase the timeout.",
                plan.timeout.as_millis()
            ));
            break;
        }
        for record in records {
            all.records += 1;
            all.bytes += size(&record);
        }
        if plan.detailed && now.duration_since(reported.0) >= plan.interval {
            report(plan, joining, reported, (now, all));
            reported = (now, all);
        }
    }
    Ok(all)
}

/// Bytes of key and value.
pub(super) fn size(record: &ConsumerRecord) -> u64 {
    let bytes = |part: &Option<bytes::Bytes>| part.as_ref().map_or(0, bytes::Bytes::len);
    u64::try_from(bytes(&record.key) + bytes(&record.value)).unwrap_or_default()
}

/// Prints the line of an interval.
fn report(plan: &Plan, joining: &Joining, from: (Instant, Read), to: (Instant, Read)) {
    let elapsed = to.0.duration_since(from.0);
    let joined = joining.with(|time| std::mem::take(&mut time.period));
    let fetched = elapsed.saturating_sub(joined);
    let mb = megabytes(to.1.bytes) - megabytes(from.1.bytes);
    let records = float(to.1.records - from.1.records);
    output::line(&format!(
        "{}, 0, {:.4}, {:.4}, {}, {:.4}, {}, {}, {:.4}, {:.4}",
        plan.pattern.show(log::now()),
        megabytes(to.1.bytes),
        per_second(mb, elapsed),
        to.1.records,
        per_second(records, elapsed),
        joined.as_millis(),
        fetched.as_millis(),
        per_second(mb, fetched),
        per_second(records, fetched),
    ));
    output::flush();
}

/// Bytes in megabytes of 1024 times 1024.
pub(super) fn megabytes(bytes: u64) -> f64 {
    float(bytes) / 1_048_576.0
}

/// An amount by the second, in whole milliseconds as Kafka's tool counts.
pub(super) fn per_second(amount: f64, time: Duration) -> f64 {
    let millis = float(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    if millis > 0.0 {
        amount / millis * 1000.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_count_whole_milliseconds_and_never_divide_by_zero() {
        assert_eq!(per_second(10.0, Duration::from_millis(500)), 20.0);
        assert_eq!(per_second(10.0, Duration::from_micros(10)), 0.0);
        assert_eq!(megabytes(1_048_576), 1.0);
    }
}
