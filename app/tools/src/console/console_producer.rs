//! `kafka-console-producer`: lines of standard input become records.

use std::io::{IsTerminal as _, stdin, stdout};
use std::process::ExitCode;

use clap::Command;
use krafka::Record;
use krafka::producer::RecordMetadata;
use ottla_client::Properties;

use super::client::Settings;
use super::client::producer::ProducerSettings;
use super::client::sender::{Outcome, Sender};
use super::line_reader::{CLASS, LineReader};
use super::options::{deprecated_pair, file_and_pairs, key_values, set};
use super::{lines, log, runtime};
use crate::common::jopt::{Options, flag, optional_value, value};
use crate::common::output;
use crate::common::usage::{self, Failure};

/// The options.
pub(crate) fn command() -> Command {
    let command = Command::new("console-producer")
        .about("Send lines of standard input to a topic")
        .arg(value("topic", "topic", "REQUIRED: The topic to send to."))
        .arg(
            value(
                "bootstrap-server",
                "host:port,...",
                "REQUIRED: Nodes to begin with.",
            )
            .alias("broker-list"),
        )
        .arg(flag(
            "sync",
            "Wait for the answer to each record before the next is sent.",
        ))
        .arg(optional_value(
            "compression-codec",
            "codec",
            "none, gzip, snappy, lz4 or zstd; gzip if no value is given.",
        ));
    let numbers = [
        ("batch-size", "Bytes of a batch (batch.size, 16384)."),
        (
            "message-send-max-retries",
            "How often sending is tried again (retries, 3).",
        ),
        (
            "retry-backoff-ms",
            "Pause before a new try (retry.backoff.ms, 100).",
        ),
        (
            "timeout",
            "Time that a record waits for others of its batch (linger.ms, 1000).",
        ),
        (
            "request-timeout-ms",
            "Longest wait for one answer (request.timeout.ms, 1500).",
        ),
        (
            "metadata-expiry-ms",
            "Age at which metadata are asked for anew (metadata.max.age.ms, 300000).",
        ),
        (
            "max-block-ms",
            "Longest time that sending may block (max.block.ms, 60000).",
        ),
        (
            "max-memory-bytes",
            "Memory for records that wait (buffer.memory, 33554432).",
        ),
        (
            "max-partition-memory-bytes",
            "(Deprecated) Use --batch-size.",
        ),
        (
            "socket-buffer-size",
            "Buffer of the socket (send.buffer.bytes, 102400).",
        ),
    ];
    numbers
        .into_iter()
        .fold(command, |command, (name, help)| command.arg(value(name, "n", help)))
        .arg(value("request-required-acks", "acks", "Who must have a record: 0, 1, all (acks, -1)."))
        .arg(value("line-reader", "class", "How lines are read.").hide(true))
        .arg(value("reader-property", "key=value", "parse.key, parse.headers, key.separator, headers.delimiter, headers.separator, headers.key.separator, null.marker, ignore.error."))
        .arg(value("reader-config", "file", "Properties file for the reader of lines."))
        .arg(value("command-property", "key=value", "A property of the producer."))
        .arg(value("command-config", "file", "Properties file for the producer."))
        .arg(value("property", "key=value", "(Deprecated) Use --reader-property.").hide(true))
        .arg(value("producer-property", "key=value", "(Deprecated) Use --command-property.").hide(true))
        .arg(value("producer.config", "file", "(Deprecated) Use --command-config.").hide(true))
        .after_help(
            "Examples:\n  ottla console-producer --bootstrap-server localhost:9092 --topic test\n  \
             ottla console-producer --bootstrap-server localhost:9092 --topic test --reader-property parse.key=true < file",
        )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to read data from standard input and publish it to Kafka.",
        args,
        start,
    )
}

fn start(options: &Options) -> Result<ExitCode, Failure> {
    options.required(&["topic"])?;
    let topic = options.value("topic")?.unwrap_or_default();
    let servers = servers(options)?;
    for (name, replacement) in [
        ("producer-property", "command-property"),
        ("producer.config", "command-config"),
        ("property", "reader-property"),
    ] {
        deprecated_pair(
            options,
            name,
            replacement,
            &format!(
                "Warning: --{name} is deprecated and will be removed in a future version. Use --{replacement} instead."
            ),
        )?;
    }
    if options.has("max-partition-memory-bytes") {
        output::line(
            "Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. Use --batch-size instead.",
        );
    }
    let mut reader = reader(options, topic)?;
    let settings = Settings::new(properties(options, servers)?);
    let settings_of_producer = ProducerSettings::new(&settings)?;
    settings.warn_of_unserved();
    let sync = options.has("sync");
    let name = settings_of_producer.log_name();
    let input = lines::read(stdin(), settings_of_producer.max_request)
        .map_err(|error| error.to_string())?;
    let sender = Sender::new(settings_of_producer, Errors);
    let code = runtime::block_on(&name, async {
        let code = tokio::select! {
            biased;
            code = runtime::interrupted() => code,
            result = send_lines(&sender, input, &mut reader, sync) => match result {
                Ok(()) => 0,
                Err(why) => {
                    output::error_line(&why);
                    1
                }
            },
        };
        sender.close().await;
        code
    })?;
    Ok(ExitCode::from(code))
}

/// Sends each line. Ends at the end of the input, or at a line that cannot be sent.
async fn send_lines(
    sender: &Sender<Errors>,
    mut input: tokio::sync::mpsc::Receiver<lines::Chunk>,
    reader: &mut LineReader,
    sync: bool,
) -> Result<(), String> {
    // As in Kafka there is a prompt only if somebody sits there.
    let prompt = stdin().is_terminal() && stdout().is_terminal();
    if prompt {
        ask();
    }
    while let Some(chunk) = input.recv().await {
        let chunk = chunk.map_err(|error| format!("java.io.IOException: {error}"))?;
        for line in chunk {
            if line.bytes.len() < line.length {
                // Only the beginning of the line is there, because the whole is too much for a record.
                if let Err(why) = sender.check_value(line.length) {
                    if sync {
                        return Err(format!("java.util.concurrent.ExecutionException: {why}"));
                    }
                    let sizes = Sizes {
                        topic: reader.topic().to_owned(),
                        key: None,
                        value: Some(line.length),
                    };
                    sender.outcome().done(&sizes, Err(why));
                }
                continue;
            }
            let record = reader.record(line.bytes)?;
            if sync {
                let _ = sender
                    .send(record)
                    .await
                    .map_err(|why| format!("java.util.concurrent.ExecutionException: {why}"))?;
            } else {
                sender.enqueue(record).await;
            }
            if prompt {
                ask();
            }
        }
    }
    Ok(())
}

fn ask() {
    output::text(">");
    output::flush();
}

/// The bootstrap list, refused as Kafka's tool does.
fn servers(options: &Options) -> Result<&str, Failure> {
    let servers = options.value("bootstrap-server")?.unwrap_or_default();
    if servers.is_empty() {
        return Err(Failure::Usage(
            "Error while validating the bootstrap address\n".to_owned(),
        ));
    }
    let valid = |url: &str| {
        url.trim()
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u32>().is_ok())
    };
    if servers.split(',').all(valid) {
        Ok(servers)
    } else {
        Err(Failure::Usage(
            "Please provide valid host:port like host1:9091,host2:9092\n ".to_owned(),
        ))
    }
}

fn reader(options: &Options, topic: &str) -> Result<LineReader, Failure> {
    let class = options.value("line-reader")?.unwrap_or(CLASS);
    if class != CLASS && class != "kafka.tools.ConsoleProducer$LineMessageReader" {
        return Err(Failure::Failed(format!(
            "java.lang.ClassNotFoundException: {class}"
        )));
    }
    let mut properties = match options.value("reader-config")? {
        Some(path) => crate::common::client::properties_file(path)?,
        None => Properties::new(),
    };
    for name in ["property", "reader-property"] {
        properties.extend(key_values(options.values(name)));
    }
    Ok(LineReader::new(topic, &properties)?)
}

/// The producer's properties: those of files and options, with the tool's own options over them.
fn properties(options: &Options, servers: &str) -> Result<Properties, Failure> {
    let mut properties = file_and_pairs(
        options,
        &["command-config", "producer.config"],
        &["producer-property", "command-property"],
    )?;
    properties.insert("bootstrap.servers".to_owned(), servers.to_owned());
    let codec = match options.value("compression-codec")? {
        Some(codec) => codec,
        None if options.has("compression-codec") => "gzip",
        None => "none",
    };
    properties.insert("compression.type".to_owned(), codec.to_owned());
    set(&mut properties, "client.id", "console-producer", None);
    let acks = options.value("request-required-acks")?;
    set(&mut properties, "acks", "-1", acks);
    let retries = int(options, "message-send-max-retries")?;
    if let Some(retries) = &retries {
        properties.insert("retries".to_owned(), retries.clone());
    }
    for (name, key, default) in [
        ("timeout", "linger.ms", "1000"),
        ("request-timeout-ms", "request.timeout.ms", "1500"),
        ("retry-backoff-ms", "retry.backoff.ms", "100"),
        ("socket-buffer-size", "send.buffer.bytes", "102400"),
        ("max-memory-bytes", "buffer.memory", "33554432"),
        ("batch-size", "batch.size", "16384"),
        ("metadata-expiry-ms", "metadata.max.age.ms", "300000"),
        ("max-block-ms", "max.block.ms", "60000"),
    ] {
        let given = int(options, name)?;
        set(&mut properties, key, default, given.as_deref());
    }
    if let Some(bytes) = int(options, "max-partition-memory-bytes")? {
        properties.insert("batch.size".to_owned(), bytes);
    }
    Ok(properties)
}

/// The value of an option that is a whole number.
fn int(options: &Options, name: &str) -> Result<Option<String>, Failure> {
    let number: Option<i64> = options.number(name)?;
    Ok(number.map(|number| number.to_string()))
}

/// Prints what was refused, as Kafka's `ErrorLoggingCallback` does.
#[derive(Debug)]
struct Errors;

/// Sizes of a record's key and value.
#[derive(Debug)]
struct Sizes {
    topic: String,
    key: Option<usize>,
    value: Option<usize>,
}

impl Outcome for Errors {
    type Note = Sizes;

    fn note(&self, record: &Record) -> Sizes {
        Sizes {
            topic: record.topic.clone(),
            key: record.key.as_ref().map(bytes::Bytes::len),
            value: record.value.as_ref().map(bytes::Bytes::len),
        }
    }

    fn done(&self, sizes: &Sizes, result: Result<&RecordMetadata, String>) {
        let Err(why) = result else {
            return;
        };
        let size = |bytes: Option<usize>| {
            bytes.map_or_else(|| "null".to_owned(), |bytes| format!("{bytes} bytes"))
        };
        log::error(
            &format!(
                "Error when sending message to topic {} with key: {}, value: {} with error:",
                sizes.topic,
                size(sizes.key),
                size(sizes.value)
            ),
            "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback",
            &why,
        );
    }
}
