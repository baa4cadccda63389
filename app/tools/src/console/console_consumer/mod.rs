//! `kafka-console-consumer`: records of topics become lines of standard output.

mod options;

use std::cell::Cell;
use std::process::ExitCode;
use std::time::Duration;

use krafka::consumer::Consumer;
use krafka::{ConsumerRecord, Kafka, KrafkaError};
use ottla_client::Properties;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

pub(crate) use options::command;
use options::{place, properties};

use crate::common::jopt::Options;
use crate::common::output;
use crate::common::usage::{self, Failure};
use crate::console::client::Settings;
use crate::console::client::consumer::ConsumerSettings;
use crate::console::client::settings::duration;
use crate::console::formatter::Formatter;
use crate::console::options::deprecated_pair;
use crate::console::print::{OUTPUT_CHUNK, timed_out, written};
use crate::console::topics::{Chosen, check_name};
use crate::console::{failure, log, runtime};

/// Logger of what this tool reports.
const LOGGER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
/// Pause after an error that passes.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest wait of one poll. The library joins a group anew at the beginning of a poll only, and the others wait for
/// it so long.
const POLL_MAX: Duration = Duration::from_millis(500);

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to read data from Kafka topics and outputs it to standard output.",
        args,
        start,
    )
}

/// What the command line asks for.
struct Plan {
    settings: ConsumerSettings,
    chosen: Chosen,
    /// Partition and offset; -1 is the end, -2 the beginning.
    place: Option<(i32, i64)>,
    formatter: Formatter,
    /// No end if not given.
    max_messages: Option<u64>,
    timeout: Option<Duration>,
    skip_errors: bool,
    /// Whether the consumer of Kafka would recommend the newer protocol of groups.
    recommend: bool,
}

fn start(options: &Options) -> Result<ExitCode, Failure> {
    options.required(&["bootstrap-server"])?;
    for (name, replacement) in [
        ("consumer-property", "command-property"),
        ("consumer.config", "command-config"),
    ] {
        deprecated_pair(
            options,
            name,
            replacement,
            &format!(
                "Option --{name} is deprecated and will be removed in a future version. Use --{replacement} instead."
            ),
        )?;
    }
    if options.has("topic") == options.has("include") {
        return Err(Failure::Usage(
            "Exactly one of the following arguments is required: [topic], [include]".to_owned(),
        ));
    }
    let place = place(options)?;
    let properties = properties(options, place.is_some())?;
    let formatter = Formatter::of_options(options)?;
    match plan(options, properties, place, formatter) {
        Ok(plan) => consume(&plan, options.has("enable-systest-events")),
        Err(why) => {
            log::error("Unknown error when running consumer: ", LOGGER, &why);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn plan(
    options: &Options,
    properties: Properties,
    place: Option<(i32, i64)>,
    formatter: Formatter,
) -> Result<Plan, String> {
    let recommend = place.is_none() && !properties.contains_key("group.protocol");
    let settings = Settings::new(properties);
    let consumer = ConsumerSettings::new(&settings)?;
    settings.warn_of_unserved();
    let number = |name: &str| -> Result<Option<i64>, String> {
        let number = options
            .number::<i32>(name)
            .map_err(|error| format!("joptsimple.OptionArgumentConversionException: {error}"))?;
        Ok(number.map(i64::from))
    };
    let timeout = options
        .number::<i64>("timeout-ms")
        .map_err(|error| format!("joptsimple.OptionArgumentConversionException: {error}"))?;
    let chosen = match options.value("topic").map_err(|error| error.0)? {
        Some("") => {
            return Err(
                "java.lang.IllegalArgumentException: Topic collection to subscribe to cannot \
                        contain null or empty topic"
                    .to_owned(),
            );
        }
        Some(topic) => Chosen::Topic(topic.to_owned()),
        None => {
            let text = options
                .value("include")
                .map_err(|error| error.0)?
                .unwrap_or_default();
            Chosen::matching(text, consumer.exclude_internal)?
        }
    };
    Ok(Plan {
        settings: consumer,
        chosen,
        place,
        formatter,
        max_messages: number("max-messages")?
            .filter(|max| *max != -1)
            .map(|max| u64::try_from(max).unwrap_or_default()),
        timeout: timeout.filter(|timeout| *timeout >= 0).map(duration),
        skip_errors: options.has("skip-message-on-error"),
        recommend,
    })
}

/// Why the tool ends.
enum End {
    /// All that was asked for was done, or nothing more arrives. What was taken and not printed.
    Done(Vec<ConsumerRecord>),
    /// A record cannot be printed.
    Failed(String, Vec<ConsumerRecord>),
}

fn consume(plan: &Plan, systest: bool) -> Result<ExitCode, Failure> {
    if plan.recommend {
        output::error_line(
            "The consumer rebalance protocol (KIP-848) is production-ready! Set group.protocol=consumer \
             to try it out. See https://kafka.apache.org/documentation/#consumer_rebalance_protocol",
        );
    }
    let count = Cell::new(0);
    let consumer = OnceCell::new();
    let (code, failed) = runtime::block_on(&plan.settings.log_name(), async {
        let (code, end) = tokio::select! {
            biased;
            code = runtime::interrupted() => (code, End::Done(Vec::new())),
            end = print(plan, &consumer, &count) => (0, end),
        };
        let (rest, failed) = match end {
            End::Done(rest) => (rest, None),
            End::Failed(why, rest) => (rest, Some(why)),
        };
        if let Some(consumer) = consumer.get() {
            leave(consumer, &rest).await;
        }
        (code, failed)
    })?;
    output::error_line(&format!("Processed a total of {} messages", count.get()));
    let code = match failed {
        None => ExitCode::from(code),
        Some(why) => {
            log::error("Unknown error when running consumer: ", LOGGER, &why);
            ExitCode::FAILURE
        }
    };
    if systest {
        output::line("shutdown_complete");
    }
    Ok(code)
}

/// Closes the consumer. What it took and did not print is not committed.
async fn leave(consumer: &Consumer, rest: &[ConsumerRecord]) {
    let mut seen = std::collections::BTreeSet::new();
    for record in rest {
        if seen.insert((record.topic.clone(), record.partition)) {
            let _ = consumer
                .seek(&record.topic, record.partition, record.offset)
                .await;
        }
    }
    let _ = consumer.close().await;
}

/// Prints records until there is a reason to end.
async fn print(plan: &Plan, consumer: &OnceCell<Consumer>, count: &Cell<u64>) -> End {
    let max = plan.max_messages.unwrap_or(u64::MAX);
    let terminate = |why: &str| {
        log::error(
            "Error processing message, terminating consumer process: ",
            LOGGER,
            why,
        );
        End::Done(Vec::new())
    };
    if count.get() >= max {
        return End::Done(Vec::new());
    }
    let mut source = match Source::open(plan, consumer).await {
        Ok(source) => source,
        Err(why) => return terminate(&why),
    };
    while count.get() < max {
        let records = match source.receive().await {
            Ok(records) => records,
            Err(why) => return terminate(&why),
        };
        let mut records = records.into_iter();
        let mut out = Vec::new();
        let mut failed = None;
        while count.get() < max && failed.is_none() {
            let Some(record) = records.next() else {
                break;
            };
            count.set(count.get() + 1);
            if let Err(why) = plan.formatter.write(&record, &mut out) {
                if plan.skip_errors {
                    log::error(
                        "Error processing message, skipping this message: ",
                        LOGGER,
                        &why,
                    );
                } else {
                    failed = Some(why);
                }
            }
            if out.len() >= OUTPUT_CHUNK && !written(&mut out) {
                return End::Done(records.collect());
            }
        }
        if !written(&mut out) {
            return End::Done(records.collect());
        }
        if let Some(why) = failed {
            return End::Failed(why, records.collect());
        }
        if count.get() >= max {
            return End::Done(records.collect());
        }
    }
    End::Done(Vec::new())
}

/// Where the records come from.
struct Source<'a> {
    plan: &'a Plan,
    kafka: Kafka,
    consumer: &'a Consumer,
    subscribed: Vec<String>,
    listed: Option<Instant>,
}

impl<'a> Source<'a> {
    /// Reaches the cluster and takes the topics or the partition.
    async fn open(plan: &'a Plan, cell: &'a OnceCell<Consumer>) -> Result<Self, String> {
        if let Chosen::Topic(topic) = &plan.chosen {
            check_name(topic)?;
        }
        let deadline = plan.timeout.map(|timeout| Instant::now() + timeout);
        let kafka = match plan.settings.connection.open(deadline).await {
            Ok(kafka) => kafka,
            Err(error) if error.is_retriable() => return Err(timed_out()),
            Err(error) => return Err(failure::to_java(&error)),
        };
        let consumer = cell
            .get_or_try_init(|| plan.settings.builder(&kafka, plan.place.is_none()).build())
            .await
            .map_err(|error| failure::to_java(&error))?;
        let mut source = Self {
            plan,
            kafka,
            consumer,
            subscribed: Vec::new(),
            listed: None,
        };
        loop {
            match source.take().await {
                Ok(()) => return Ok(source),
                Err(error) if error.is_retriable() => {
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        return Err(timed_out());
                    }
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(failure::to_java(&error)),
            }
        }
    }

    /// Takes the topics or the partition.
    async fn take(&mut self) -> Result<(), KrafkaError> {
        if let (Chosen::Topic(topic), Some((partition, offset))) =
            (&self.plan.chosen, self.plan.place)
        {
            self.consumer.assign(topic, vec![partition]).await?;
            return match offset {
                -2 => self.consumer.seek_to_beginning(topic, partition).await,
                -1 => self.consumer.seek_to_end(topic, partition).await,
                offset => self.consumer.seek(topic, partition, offset).await,
            };
        }
        self.follow().await
    }

    /// Subscribes to the topics there are, if those are not the ones of before.
    async fn follow(&mut self) -> Result<(), KrafkaError> {
        let age = self.plan.settings.connection.metadata_max_age();
        if self.plan.place.is_some() {
            // One partition was assigned; a subscription would bring the others.
            return Ok(());
        }
        let due = self.listed.is_none_or(|listed| {
            matches!(self.plan.chosen, Chosen::Matching { .. }) && listed.elapsed() >= age
        });
        if !due {
            return Ok(());
        }
        let topics = self.plan.chosen.topics(&self.kafka).await?;
        if topics != self.subscribed && !topics.is_empty() {
            self.consumer.subscribe(&topics).await?;
            self.subscribed = topics;
        }
        self.listed = Some(Instant::now());
        Ok(())
    }

    /// The next records, at least one.
    async fn receive(&mut self) -> Result<Vec<ConsumerRecord>, String> {
        let deadline = self.plan.timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let left = deadline.map_or(POLL_MAX, |deadline| {
                deadline
                    .saturating_duration_since(Instant::now())
                    .min(POLL_MAX)
            });
            let age = self.plan.settings.connection.metadata_max_age();
            let wait = match self.plan.chosen {
                Chosen::Matching { .. } => left.min(age),
                Chosen::Topic(_) => left,
            };
            let polled = match self.follow().await {
                Ok(()) => self.consumer.poll(wait).await,
                Err(error) => Err(error),
            };
            match polled {
                Ok(records) if !records.is_empty() => return Ok(records),
                Ok(_) => {}
                Err(error) if error.is_retriable() => sleep(PAUSE.min(left)).await,
                Err(error) => return Err(failure::to_java(&error)),
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(timed_out());
            }
        }
    }
}
