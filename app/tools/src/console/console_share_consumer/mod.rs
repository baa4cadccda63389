//! `kafka-console-share-consumer`: a member of a share group prints what it is given and acknowledges it.

mod options;

use std::cell::Cell;
use std::process::ExitCode;
use std::time::Duration;

use krafka::share_consumer::ShareConsumer;
use krafka::{ConsumerRecord, KrafkaError};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

pub(crate) use options::command;
use options::properties;

use crate::common::jopt::Options;
use crate::common::output;
use crate::common::usage::{self, Failure};
use crate::console::client::Settings;
use crate::console::client::settings::duration;
use crate::console::client::share::ShareSettings;
use crate::console::formatter::Formatter;
use crate::console::options::deprecated_pair;
use crate::console::print::{OUTPUT_CHUNK, timed_out, written};
use crate::console::topics::check_name;
use crate::console::{failure, log, runtime};

/// Logger of what this tool reports.
const LOGGER: &str = "org.apache.kafka.tools.consumer.ConsoleShareConsumer";
/// Pause after an error that passes.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest wait of one poll where the tool waits for ever.
const POLL_MAX: Duration = Duration::from_secs(3600);

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to read data from Kafka topics using share groups and outputs it to standard \
         output.",
        args,
        start,
    )
}

/// What becomes of a record that was printed.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    Accept,
    Release,
    Reject,
}

/// What the command line asks for.
struct Plan {
    settings: ShareSettings,
    topic: String,
    formatter: Formatter,
    /// No end if not given.
    max_messages: Option<u64>,
    timeout: Option<Duration>,
    verdict: Verdict,
    reject_errors: bool,
}

fn start(options: &Options) -> Result<ExitCode, Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    if !options.has("topic") {
        return usage("--topic is a required argument");
    }
    options.required(&["bootstrap-server"])?;
    if options.has("reject") && options.has("release") {
        return usage("At most one of --reject and --release may be specified.");
    }
    for (name, replacement) in [
        ("consumer-property", "command-property"),
        ("consumer-config", "command-config"),
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
    let settings = Settings::new(properties(options)?);
    let formatter = Formatter::of_options(options)?;
    match plan(options, &settings, formatter) {
        Ok(plan) => consume(&plan, options.has("enable-systest-events")),
        Err(why) => {
            log::error("Unknown error when running consumer: ", LOGGER, &why);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn plan(options: &Options, settings: &Settings, formatter: Formatter) -> Result<Plan, String> {
    let number = |name: &str| -> Result<Option<i64>, String> {
        let number = options
            .number::<i32>(name)
            .map_err(|error| format!("joptsimple.OptionArgumentConversionException: {error}"))?;
        Ok(number.map(i64::from))
    };
    let timeout = number("timeout-ms")?;
    let consumer = ShareSettings::new(settings)?;
    settings.warn_of_unserved();
    let topic = options.value("topic").map_err(|error| error.0)?;
    let topic = topic.unwrap_or_default().to_owned();
    if topic.trim().is_empty() {
        return Err(
            "java.lang.IllegalArgumentException: Topic collection to subscribe to cannot contain null or \
             empty topic"
                .to_owned(),
        );
    }
    let max_messages = number("max-messages")?;
    let verdict = if options.has("reject") {
        Verdict::Reject
    } else if options.has("release") {
        Verdict::Release
    } else {
        Verdict::Accept
    };
    Ok(Plan {
        settings: consumer,
        topic,
        formatter,
        max_messages: max_messages
            .filter(|max| *max != -1)
            .map(|max| u64::try_from(max).unwrap_or_default()),
        timeout: timeout.filter(|timeout| *timeout >= 0).map(duration),
        verdict,
        reject_errors: options.has("reject-message-on-error"),
    })
}

fn consume(plan: &Plan, systest: bool) -> Result<ExitCode, Failure> {
    let count = Cell::new(0);
    let consumer = OnceCell::new();
    let (code, result) = runtime::block_on(&plan.settings.log_name(), async {
        let ended = tokio::select! {
            biased;
            code = runtime::interrupted() => (code, Ok(())),
            result = print(plan, &consumer, &count) => (0, result),
        };
        if let Some(consumer) = consumer.get() {
            let _ = ShareConsumer::close(consumer).await;
        }
        ended
    })?;
    output::error_line(&format!("Processed a total of {} messages", count.get()));
    let code = match result {
        Ok(()) => ExitCode::from(code),
        Err(why) => {
            log::error("Unknown error when running consumer: ", LOGGER, &why);
            ExitCode::FAILURE
        }
    };
    if systest {
        output::line("shutdown_complete");
    }
    Ok(code)
}

/// Prints records until there is a reason to end. The error is that of a record that cannot be printed.
async fn print(
    plan: &Plan,
    cell: &OnceCell<ShareConsumer>,
    count: &Cell<u64>,
) -> Result<(), String> {
    let max = plan.max_messages.unwrap_or(u64::MAX);
    let terminate = |why: &str| {
        log::error(
            "Error processing message, terminating consumer process: ",
            LOGGER,
            why,
        );
        Ok(())
    };
    if count.get() >= max {
        return Ok(());
    }
    let consumer = match open(plan, cell).await {
        Ok(consumer) => consumer,
        Err(why) => return terminate(&why),
    };
    let mut out = Vec::new();
    while count.get() < max {
        let records = match receive(plan, consumer).await {
            Ok(records) => records,
            Err(why) => return terminate(&why),
        };
        let left = usize::try_from(max - count.get()).unwrap_or(usize::MAX);
        // Those that are not wanted any more are given back when the consumer closes.
        for record in records.iter().take(left) {
            count.set(count.get() + 1);
            let verdict = match plan.formatter.write(record, &mut out) {
                Ok(()) => plan.verdict,
                Err(why) if plan.reject_errors => {
                    log::error(
                        "Error processing message, rejecting this message: ",
                        LOGGER,
                        &why,
                    );
                    Verdict::Reject
                }
                Err(why) => {
                    written(&mut out);
                    return Err(why);
                }
            };
            settle(consumer, record, verdict).map_err(|error| failure::to_java(&error))?;
            if out.len() >= OUTPUT_CHUNK && !written(&mut out) {
                return Ok(());
            }
        }
        if !written(&mut out) {
            return Ok(());
        }
    }
    Ok(())
}

fn settle(
    consumer: &ShareConsumer,
    record: &ConsumerRecord,
    verdict: Verdict,
) -> Result<(), KrafkaError> {
    match verdict {
        Verdict::Accept => consumer.ack(record),
        Verdict::Release => consumer.release(record),
        Verdict::Reject => consumer.reject(record),
    }
}

/// Reaches the cluster and joins the group.
async fn open<'a>(
    plan: &Plan,
    cell: &'a OnceCell<ShareConsumer>,
) -> Result<&'a ShareConsumer, String> {
    check_name(&plan.topic)?;
    let deadline = plan.timeout.map(|timeout| Instant::now() + timeout);
    let kafka = match plan.settings.connection.open(deadline).await {
        Ok(kafka) => kafka,
        Err(error) if error.is_retriable() => return Err(timed_out()),
        Err(error) => return Err(failure::to_java(&error)),
    };
    let consumer = cell
        .get_or_try_init(|| plan.settings.builder(&kafka).build())
        .await
        .map_err(|error| failure::to_java(&error))?;
    loop {
        match consumer.subscribe([&plan.topic]).await {
            Ok(()) => return Ok(consumer),
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

/// The next records, at least one.
async fn receive(plan: &Plan, consumer: &ShareConsumer) -> Result<Vec<ConsumerRecord>, String> {
    let deadline = plan.timeout.map(|timeout| Instant::now() + timeout);
    loop {
        let left = deadline.map_or(POLL_MAX, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        match consumer.poll(left).await {
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
