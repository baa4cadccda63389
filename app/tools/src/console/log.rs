//! Lines of a log on standard error, in the form in which Kafka's tools write them, and what the client
//! library has to say translated into such lines.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU32, Ordering};

use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::common::{dates, output};

/// Logger of what concerns connections and metadata.
pub(crate) const NETWORK: &str = "org.apache.kafka.clients.NetworkClient";

/// Prints a warning.
pub(crate) fn warn(text: &str, logger: &str) {
    line("WARN", text, logger);
}

/// Prints an error. Text behind the first line is what Java prints of the exception.
pub(crate) fn error(text: &str, logger: &str, exception: &str) {
    line("ERROR", text, logger);
    output::error_line(exception);
}

fn line(level: &str, text: &str, logger: &str) {
    output::error_line(&format!("[{}] {level} {text} ({logger})", stamp(now())));
}

/// Local time.
pub(crate) fn now() -> OffsetDateTime {
    dates::to_local(OffsetDateTime::now_utc())
}

/// `2026-11-25 01:48:11,192`.
fn stamp(at: OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02},{:03}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}

/// Takes what the client library reports while it is the default subscriber of a thread.
///
/// It reports in its own words and in more detail than Kafka's client; what a user of Kafka's tools sees
/// at the level WARN is told in Kafka's words, the rest is dropped.
#[derive(Debug)]
pub(crate) struct ClientLog {
    /// `[Producer clientId=console-producer] `.
    prefix: String,
    /// Answers about topics that told of an issue. Kafka prints the correlation id of the answer there,
    /// which the library does not tell.
    answers: AtomicU32,
}

impl ClientLog {
    /// For a client that calls itself `name`, such as `Producer clientId=console-producer`.
    pub(crate) fn new(name: &str) -> Self {
        let _ = now();
        Self {
            prefix: format!("[{name}] "),
            answers: AtomicU32::new(0),
        }
    }

    fn topic_issue(&self, fields: &Fields) {
        let number = self.answers.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let (topic, code) = (&fields.topic, wire_name(&fields.error));
        warn(
            &format!(
                "{}The metadata response from the cluster reported a recoverable issue with \
                 correlation id {number} : {{{topic}={code}}}",
                self.prefix
            ),
            NETWORK,
        );
        if code == "INVALID_TOPIC_EXCEPTION" {
            line(
                "ERROR",
                &format!(
                    "{}Metadata response reported invalid topics [{topic}]",
                    self.prefix
                ),
                "org.apache.kafka.clients.Metadata",
            );
        }
    }

    fn no_connection(&self, fields: &Fields) {
        let address = &fields.address;
        let spelled = if address.starts_with(|c: char| c.is_ascii_digit() || c == '[') {
            format!("/{address}")
        } else {
            address.clone()
        };
        for text in [
            format!(
                "Connection to node -1 ({spelled}) could not be established. Node may not be \
                 available."
            ),
            format!("Bootstrap broker {address} (id: -1 rack: null isFenced: false) disconnected"),
        ] {
            warn(&format!("{}{text}", self.prefix), NETWORK);
        }
    }
}

impl Subscriber for ClientLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && match metadata.target() {
                "krafka::metadata" => *metadata.level() <= Level::DEBUG,
                "krafka::network::pool" => *metadata.level() <= Level::WARN,
                _ => false,
            }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if fields.message.contains("topic metadata error")
            || fields.message.contains("transient topic error")
        {
            self.topic_issue(&fields);
        } else if fields.message == "Connection attempt failed" {
            self.no_connection(&fields);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The fields that are looked at.
#[derive(Default)]
struct Fields {
    message: String,
    topic: String,
    error: String,
    address: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let slot = match field.name() {
            "message" => &mut self.message,
            "topic" => &mut self.topic,
            "error" => &mut self.error,
            "address" => &mut self.address,
            _ => return,
        };
        let _ = write!(slot, "{value:?}");
    }
}

/// Name of an error code in Kafka's spelling: `UnknownTopicOrPartition` is `UNKNOWN_TOPIC_OR_PARTITION`.
fn wire_name(code: &str) -> String {
    match code {
        "InvalidTopic" => return "INVALID_TOPIC_EXCEPTION".to_owned(),
        "NotLeaderForPartition" => return "NOT_LEADER_OR_FOLLOWER".to_owned(),
        _ => {}
    }
    let mut out = String::new();
    for c in code.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_of_the_wire() {
        let check = |code, expected| assert_eq!(wire_name(code), expected);
        check("UnknownTopicOrPartition", "UNKNOWN_TOPIC_OR_PARTITION");
        check("LeaderNotAvailable", "LEADER_NOT_AVAILABLE");
        check("InvalidTopic", "INVALID_TOPIC_EXCEPTION");
    }

    #[test]
    fn times_look_as_log4j_prints_them() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_795_571_291_192_000_000);
        assert_eq!(stamp(at.expect("in range")), "2026-11-25 01:48:11,192");
    }
}
