//! `kafka-share-consumer-perf-test`: how many records a second the members of a share group read.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::Poll;
use std::time::{Duration, Instant};

use clap::Command;
use krafka::CloseOptions;
use krafka::share_consumer::ShareConsumer;
use ottla_client::Properties;
use time::OffsetDateTime;

use super::consumer::{megabytes, per_second, size};
use super::stats::float;
use crate::common::dates::Pattern;
use crate::common::jopt::{Options, flag, optional_value, value};
use crate::common::output;
use crate::common::usage::{self, Failure};
use crate::console::client::Settings;
use crate::console::client::settings::duration;
use crate::console::client::share::ShareSettings;
use crate::console::options::file_and_pairs;
use crate::console::{failure, log, runtime};

/// Longest wait of one poll, as in Kafka's tool.
const POLL: Duration = Duration::from_millis(100);
/// Longest wait for the end of a consumer, as in Kafka's tool.
const CLOSE: Duration = Duration::from_millis(500);
/// Consumers that one run may have.
const CONSUMERS_MAX: i32 = 1_000;

/// The options.
pub(crate) fn command() -> Command {
    Command::new("share-consumer-perf-test")
        .about("Measure how fast the members of a share group read")
        .arg(value("bootstrap-server", "host:port,...", "REQUIRED: Nodes to begin with."))
        .arg(value("topic", "topic", "REQUIRED: The topic to read."))
        .arg(value("num-records", "n", "REQUIRED: Records to read."))
        .arg(value("messages", "n", "(Deprecated) Use --num-records.").hide(true))
        .arg(value("group", "group", "The share group (perf-share-consumer)."))
        .arg(value("threads", "n", "Members of the group (1)."))
        .arg(value("fetch-size", "bytes", "Most bytes of one fetch (1048576)."))
        .arg(value("socket-buffer-size", "bytes", "Buffer of the socket (2097152)."))
        .arg(optional_value("timeout", "ms", "Longest time between two records (10000)."))
        .arg(value("reporting-interval", "ms", "Time between two lines (5000)."))
        .arg(flag("show-detailed-stats", "Print a line for each interval."))
        .arg(flag("show-consumer-stats", "Print a line for each member."))
        .arg(value("date-format", "pattern", "How times are printed (yyyy-MM-dd HH:mm:ss:SSS)."))
        .arg(flag("hide-header", "Print no header."))
        .arg(flag("print-metrics", "Print what the client counted.").hide(true))
        .arg(value("command-property", "key=value", "A property of the consumer."))
        .arg(value("command-config", "file", "Properties file for the consumer."))
        .arg(value("consumer.config", "file", "(Deprecated) Use --command-config.").hide(true))
        .after_help("Examples:\n  ottla share-consumer-perf-test --bootstrap-server localhost:9092 --topic test --num-records 100000")
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool is used to verify the share consumer performance.",
        args,
        start,
    )
}

struct Plan {
    /// One for each member.
    members: Vec<ShareSettings>,
    topic: String,
    records: u64,
    timeout: Duration,
    interval: Duration,
    detailed: bool,
    each: bool,
    pattern: Pattern,
}

fn start(options: &Options) -> Result<ExitCode, Failure> {
    options.required(&["topic", "bootstrap-server"])?;
    super::consumer::one_of(options, ["messages", "num-records"])?;
    options.excluded("consumer.config", &["command-config"])?;
    if options.has("messages") {
        output::line("Warning: --messages is deprecated. Use --num-records instead.");
    }
    if options.has("consumer.config") {
        output::line("Warning: --consumer.config is deprecated. Use --command-config instead.");
    }
    if !options.has("hide-header") {
        output::line(
            "start.time, end.time, data.consumed.in.MB, MB.sec, nMsg.sec, data.consumed.in.nMsg, \
             fetch.time.ms",
        );
        output::flush();
    }
    // What goes wrong from here on is told without the name of its exception.
    let plan = plan(options).map_err(Failure::Failed)?;
    let name = plan.members.first().map(ShareSettings::log_name);
    let result = runtime::block_on(&name.unwrap_or_default(), async {
        tokio::select! {
            biased;
            code = runtime::interrupted() => Ok(code),
            result = measure(&plan) => result.map(|()| 0),
        }
    })?;
    result
        .map(ExitCode::from)
        .map_err(|why| Failure::Failed(message(&why)))
}

/// The message of an exception, without its name.
fn message(why: &str) -> String {
    let message = why.split_once(": ").map(|(_, message)| message);
    message.unwrap_or(why).to_owned()
}

fn plan(options: &Options) -> Result<Plan, String> {
    let text = |name: &str| options.value(name).map_err(|error| error.0);
    let number = |name: &str, default: i64| -> Result<i64, String> {
        let number = options.number(name).map_err(|error| error.0)?;
        Ok(number.unwrap_or(default))
    };
    let properties = properties(options)?;
    let threads = options.number::<i32>("threads").map_err(|error| error.0)?;
    let threads = threads.unwrap_or(1);
    if threads > CONSUMERS_MAX {
        return Err(format!("--threads is more than {CONSUMERS_MAX}."));
    }
    let mut members = Vec::new();
    for index in 1..=threads {
        let mut properties = properties.clone();
        if threads > 1
            && let Some(id) = properties.get_mut("client.id")
        {
            *id = format!("{id}-{index}");
        }
        let settings = Settings::new(properties);
        members.push(ShareSettings::new(&settings).map_err(|why| message(&why))?);
        if index == 1 {
            settings.warn_of_unserved();
        }
    }
    if options.has("print-metrics") {
        log::warn(
            "--print-metrics has no effect: the metrics of Kafka's consumer are those of its Java client.",
            "org.apache.kafka.tools.ShareConsumerPerformance",
        );
    }
    let records = if options.has("messages") {
        "messages"
    } else {
        "num-records"
    };
    let interval = number("reporting-interval", 5_000)?;
    if interval <= 0 {
        return Err("Reporting interval must be greater than 0.".to_owned());
    }
    Ok(Plan {
        members,
        topic: text("topic")?.unwrap_or_default().to_owned(),
        records: u64::try_from(number(records, 0)?).unwrap_or_default(),
        timeout: duration(number("timeout", 10_000)?),
        interval: duration(interval),
        detailed: options.has("show-detailed-stats"),
        each: options.has("show-consumer-stats"),
        pattern: Pattern::new(text("date-format")?.unwrap_or("yyyy-MM-dd HH:mm:ss:SSS"))?,
    })
}

fn properties(options: &Options) -> Result<Properties, String> {
    let files = ["command-config", "consumer.config"];
    let text = |failure: Failure| match failure {
        Failure::Usage(text) | Failure::Failed(text) => text,
    };
    let mut properties = file_and_pairs(options, &files, &["command-property"]).map_err(text)?;
    for (key, option, default) in [
        ("bootstrap.servers", "bootstrap-server", ""),
        ("group.id", "group", "perf-share-consumer"),
        ("receive.buffer.bytes", "socket-buffer-size", "2097152"),
        ("fetch.max.bytes", "fetch-size", "1048576"),
    ] {
        let given = options.value(option).map_err(|error| error.0)?;
        properties.insert(key.to_owned(), given.unwrap_or(default).to_owned());
    }
    properties
        .entry("client.id".to_owned())
        .or_insert_with(|| "perf-share-consumer-client".to_owned());
    Ok(properties)
}

/// Records and bytes so far.
#[derive(Debug, Default, Clone, Copy)]
struct Read {
    records: u64,
    bytes: u64,
}

/// What all members need to know while they read.
struct Run<'a> {
    plan: &'a Plan,
    begun: Instant,
    begun_at: OffsetDateTime,
    all: Cell<Read>,
}

async fn measure(plan: &Plan) -> Result<(), String> {
    let java = |error: krafka::KrafkaError| failure::to_java(&error);
    let mut consumers = Vec::new();
    for member in &plan.members {
        let kafka = member.connection.open(None).await.map_err(java)?;
        consumers.push(member.builder(&kafka).build().await.map_err(java)?);
    }
    let run = Run {
        plan,
        begun: Instant::now(),
        begun_at: log::now(),
        all: Cell::default(),
    };
    for consumer in &consumers {
        consumer.subscribe([&plan.topic]).await.map_err(java)?;
    }
    // Kafka differs: its tool gives up on members that read for longer than --timeout in all.
    let members = consumers.iter().enumerate();
    let reads = all(members
        .map(|(index, consumer)| run.read(consumer, index + 1))
        .collect())
    .await;
    let reads = reads.into_iter().collect::<Result<Vec<_>, _>>()?;
    if plan.each {
        for (index, (read, member)) in reads.iter().zip(&plan.members).enumerate() {
            output::line(&format!(
                "Share consumer {} having client id {} consumption metrics- {}",
                index + 1,
                member.connection.client_id(),
                run.total_line(*read)
            ));
        }
    }
    if run.all.get().records < plan.records {
        output::line(&format!(
            "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded. \
             You can use the --timeout option to increase the timeout.",
            plan.timeout.as_millis()
        ));
    }
    let total = run.total_line(run.all.get());
    for consumer in &consumers {
        consumer.commit().await.map_err(java)?;
    }
    output::line(&total);
    for consumer in &consumers {
        let _ = consumer
            .close_with(CloseOptions::default().timeout(CLOSE))
            .await;
    }
    Ok(())
}

impl Run<'_> {
    /// Reads as one member until all of them have what they want, or nothing more arrives.
    async fn read(&self, consumer: &ShareConsumer, index: usize) -> Result<Read, String> {
        let plan = self.plan;
        let mut own = Read::default();
        let mut reported = (Instant::now(), log::now(), own);
        let mut last = Instant::now();
        let mut now = last;
        while self.all.get().records < plan.records && now.duration_since(last) <= plan.timeout {
            let records = match consumer.poll(POLL).await {
                Ok(records) => records,
                Err(error) if error.is_retriable() => Vec::new(),
                Err(error) => return Err(failure::to_java(&error)),
            };
            now = Instant::now();
            if !records.is_empty() {
                last = now;
            }
            for record in records {
                let bytes = size(&record);
                let mut all = self.all.get();
                for read in [&mut own, &mut all] {
                    read.records += 1;
                    read.bytes += bytes;
                }
                self.all.set(all);
                let elapsed = now.duration_since(reported.0);
                if elapsed < plan.interval {
                    continue;
                }
                let at = log::now();
                if plan.detailed {
                    let (before, was) = (reported.1, reported.2);
                    let mb = megabytes(own.bytes) - megabytes(was.bytes);
                    output::line(&format!(
                        "{}, {}, {:.4}, {:.4}, {:.4}, {}, {} for share consumer {index}",
                        plan.pattern.show(before),
                        plan.pattern.show(at),
                        megabytes(own.bytes),
                        per_second(mb, elapsed),
                        per_second(float(own.records - was.records), elapsed),
                        own.records,
                        elapsed.as_millis(),
                    ));
                    output::flush();
                }
                reported = (now, at, own);
            }
        }
        Ok(own)
    }

    /// What was read from the beginning until now.
    fn total_line(&self, read: Read) -> String {
        let elapsed = self.begun.elapsed();
        let mb = megabytes(read.bytes);
        format!(
            "{}, {}, {mb:.4}, {:.4}, {:.4}, {}, {}",
            self.plan.pattern.show(self.begun_at),
            self.plan.pattern.show(log::now()),
            per_second(mb, elapsed),
            per_second(float(read.records), elapsed),
            read.records,
            elapsed.as_millis(),
        )
    }
}

/// Runs futures side by side on this task, and gives what each came to.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, done) in running.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(output) = future.as_mut().poll(context)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn futures_run_side_by_side() {
        let first_polled = Cell::new(false);
        let futures: Vec<Pin<Box<dyn Future<Output = u8> + '_>>> = vec![
            Box::pin(async {
                first_polled.set(true);
                tokio::task::yield_now().await;
                1
            }),
            Box::pin(async {
                assert!(first_polled.get());
                2
            }),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("the host has threads");
        assert_eq!(runtime.block_on(all(futures)), [1, 2]);
    }

    #[test]
    fn an_exception_is_told_without_its_name() {
        assert_eq!(message("java.lang.X: a: b"), "a: b");
        assert_eq!(message("plain"), "plain");
    }
}
