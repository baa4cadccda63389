//! A share consumer, as Kafka's keys describe it.

use std::time::Duration;

use krafka::Kafka;
use krafka::share_consumer::{AcknowledgementMode, AcquireMode, ShareConsumerBuilder};

use super::connection::Connection;
use super::settings::{Settings, exception, invalid};

/// Keys of a consumer that a share consumer refuses, in the order in which Kafka names them.
const REFUSED: &[&str] = &[
    "auto.offset.reset",
    "enable.auto.commit",
    "group.instance.id",
    "isolation.level",
    "partition.assignment.strategy",
    "interceptor.classes",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "group.protocol",
    "group.remote.assignor",
];

/// What a share consumer needs to know.
#[derive(Debug, Clone)]
pub(crate) struct ShareSettings {
    /// The way to the cluster.
    pub(crate) connection: Connection,
    /// `group.id`.
    pub(crate) group: String,
    acknowledgement: AcknowledgementMode,
    acquire: AcquireMode,
    fetch_min_bytes: i32,
    fetch_max_bytes: i32,
    fetch_max_wait: Duration,
    max_poll_records: i32,
    rack: Option<String>,
    metrics_push: bool,
}

impl ShareSettings {
    /// Reads the keys of a share consumer.
    ///
    /// # Errors
    /// Kafka's exception for values that cannot be used.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let refused: Vec<&str> = REFUSED
            .iter()
            .copied()
            .filter(|key| settings.text(key).is_some())
            .collect();
        if !refused.is_empty() {
            return Err(exception(&format!(
                "{} cannot be set when using a share group.",
                refused.join(", ")
            )));
        }
        let max_poll_records = settings.int("max.poll.records", 500, 1)?;
        let fetch_max_bytes = settings.int("fetch.max.bytes", 52_428_800, 0)?;
        let group = settings.text("group.id").unwrap_or_default();
        Ok(Self {
            connection: Connection::new(settings, true)?,
            group: group.to_owned(),
            acknowledgement: word(
                settings,
                "share.acknowledgement.mode",
                AcknowledgementMode::Implicit,
                ["implicit", "explicit"],
                [AcknowledgementMode::Implicit, AcknowledgementMode::Explicit],
            )?,
            acquire: word(
                settings,
                "share.acquire.mode",
                AcquireMode::BatchOptimized,
                ["batch_optimized", "record_limit"],
                [AcquireMode::BatchOptimized, AcquireMode::RecordLimit],
            )?,
            // The library wants the least not to be more than the most.
            fetch_min_bytes: settings.int("fetch.min.bytes", 1, 0)?.min(fetch_max_bytes),
            fetch_max_bytes,
            fetch_max_wait: settings.millis("fetch.max.wait.ms", 500)?,
            max_poll_records,
            rack: settings
                .text("client.rack")
                .filter(|rack| !rack.is_empty())
                .map(str::to_owned),
            metrics_push: settings.flag("enable.metrics.push", true)?,
        })
    }

    /// Name of the client in lines of a log.
    pub(crate) fn log_name(&self) -> String {
        let id = self.connection.client_id();
        format!("ShareConsumer clientId={id}, groupId={}", self.group)
    }

    /// The builder of a share consumer over `kafka`.
    pub(crate) fn builder(&self, kafka: &Kafka) -> ShareConsumerBuilder {
        let mut builder = kafka
            .share_consumer(&self.group)
            .acknowledgement_mode(self.acknowledgement)
            .acquire_mode(self.acquire)
            .fetch_min_bytes(self.fetch_min_bytes)
            .fetch_max_bytes(self.fetch_max_bytes)
            .fetch_max_wait(self.fetch_max_wait)
            .max_poll_records(self.max_poll_records)
            .metrics_push(self.metrics_push);
        if let Some(rack) = &self.rack {
            builder = builder.client_rack(rack);
        }
        builder
    }
}

/// One of the two words that a key of share groups takes; Kafka refuses others in words of its own.
fn word<T: Copy>(
    settings: &Settings,
    key: &'static str,
    default: T,
    words: [&str; 2],
    values: [T; 2],
) -> Result<T, String> {
    let Some(value) = settings.text(key) else {
        return Ok(default);
    };
    let found = words.iter().zip(values).find(|(word, _)| **word == value);
    found.map(|(_, value)| value).ok_or_else(|| {
        let [one, other] = words;
        invalid(
            key,
            value,
            &format!(
                "Invalid value `{value}` for configuration {key}. The value must either be '{one}' or \
                 '{other}'."
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::settings;
    use super::*;

    #[test]
    fn keys_of_other_consumers_are_refused() {
        let check = |pairs: &[(&str, &str)], expected: &str| {
            let mut all = vec![("bootstrap.servers", "localhost:9092"), ("group.id", "g")];
            all.extend_from_slice(pairs);
            let error = ShareSettings::new(&settings(&all)).expect_err("it is refused");
            assert!(error.ends_with(expected), "{error}");
        };
        check(
            &[("group.protocol", "consumer"), ("isolation.level", "x")],
            "isolation.level, group.protocol cannot be set when using a share group.",
        );
        check(
            &[("share.acquire.mode", "x")],
            "The value must either be 'batch_optimized' or 'record_limit'.",
        );
    }

    #[test]
    fn a_share_consumer_has_a_name_of_its_own() {
        let all = [
            ("bootstrap.servers", "localhost:9092"),
            ("group.id", "g"),
            ("client.id", "c"),
            ("share.acknowledgement.mode", "explicit"),
        ];
        let made = ShareSettings::new(&settings(&all)).expect("it is right");
        assert_eq!(made.log_name(), "ShareConsumer clientId=c, groupId=g");
        assert_eq!(made.acknowledgement, AcknowledgementMode::Explicit);
    }
}
