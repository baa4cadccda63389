//! A consumer, as Kafka's keys describe it.

use std::time::Duration;

use krafka::Kafka;
use krafka::consumer::{
    AutoOffsetReset, ConsumerBuilder, GroupProtocol, IsolationLevel, PartitionAssignmentStrategy,
};

use super::connection::Connection;
use super::settings::{Settings, exception, invalid};

/// What a consumer needs to know.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerSettings {
    /// The way to the cluster.
    pub(crate) connection: Connection,
    /// `group.id`.
    pub(crate) group: Option<String>,
    reset: AutoOffsetReset,
    /// `enable.auto.commit`.
    pub(crate) auto_commit: bool,
    auto_commit_interval: Duration,
    fetch_min_bytes: i32,
    fetch_max_bytes: i32,
    fetch_max_wait: Duration,
    partition_max_bytes: i32,
    max_poll_interval: Duration,
    session_timeout: Duration,
    heartbeat_interval: Duration,
    isolation: IsolationLevel,
    strategies: Vec<PartitionAssignmentStrategy>,
    /// `group.protocol`.
    pub(crate) protocol: GroupProtocol,
    remote_assignor: Option<String>,
    instance_id: Option<String>,
    rack: Option<String>,
    metrics_push: bool,
    /// `exclude.internal.topics`.
    pub(crate) exclude_internal: bool,
}

impl ConsumerSettings {
    /// Reads the keys of a consumer.
    ///
    /// # Errors
    /// Kafka's exception for values that cannot be used.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let auto_create = settings.flag("allow.auto.create.topics", true)?;
        let protocol = settings.choice(
            "group.protocol",
            GroupProtocol::Classic,
            &[
                ("CONSUMER", GroupProtocol::Consumer),
                ("CLASSIC", GroupProtocol::Classic),
            ],
        )?;
        if protocol == GroupProtocol::Consumer {
            refuse_classic_keys(settings)?;
        } else if settings.text("group.remote.assignor").is_some() {
            return Err(exception(
                "group.remote.assignor cannot be set when group.protocol=CLASSIC",
            ));
        }
        let session_timeout = settings.millis("session.timeout.ms", 45_000)?;
        let heartbeat_interval = settings.millis("heartbeat.interval.ms", 3_000)?;
        if heartbeat_interval >= session_timeout {
            return Err(
                "java.lang.IllegalArgumentException: Heartbeat must be set lower than the \
                        session timeout"
                    .to_owned(),
            );
        }
        let owned = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        // Nothing that a user of the tools sees depends on it.
        settings.int("max.poll.records", 500, 1)?;
        let fetch_max_bytes = settings.int("fetch.max.bytes", 52_428_800, 0)?;
        Ok(Self {
            connection: Connection::new(settings, auto_create)?,
            group: settings.text("group.id").and_then(owned),
            reset: reset(settings)?,
            auto_commit: settings.flag("enable.auto.commit", true)?,
            auto_commit_interval: settings.millis("auto.commit.interval.ms", 5_000)?,
            // The library wants the least not to be more than the most.
            fetch_min_bytes: settings.int("fetch.min.bytes", 1, 0)?.min(fetch_max_bytes),
            fetch_max_bytes,
            fetch_max_wait: settings.millis("fetch.max.wait.ms", 500)?,
            partition_max_bytes: settings.int("max.partition.fetch.bytes", 1_048_576, 0)?,
            max_poll_interval: settings.millis("max.poll.interval.ms", 300_000)?,
            session_timeout,
            heartbeat_interval,
            isolation: settings.choice(
                "isolation.level",
                IsolationLevel::ReadUncommitted,
                &[
                    ("read_committed", IsolationLevel::ReadCommitted),
                    ("read_uncommitted", IsolationLevel::ReadUncommitted),
                ],
            )?,
            strategies: strategies(settings)?,
            protocol,
            remote_assignor: settings.text("group.remote.assignor").and_then(owned),
            instance_id: settings.text("group.instance.id").and_then(owned),
            rack: settings.text("client.rack").and_then(owned),
            metrics_push: settings.flag("enable.metrics.push", true)?,
            exclude_internal: settings.flag("exclude.internal.topics", true)?,
        })
    }

    /// Name of the client in lines of a log.
    pub(crate) fn log_name(&self) -> String {
        let id = self.connection.client_id();
        match &self.group {
            Some(group) => format!("Consumer clientId={id}, groupId={group}"),
            None => format!("Consumer clientId={id}, groupId=null"),
        }
    }

    /// The builder of a consumer over `kafka`; a member of the group if `join`.
    pub(crate) fn builder(&self, kafka: &Kafka, join: bool) -> ConsumerBuilder {
        let group = self.group.as_ref().filter(|_| join);
        let mut builder = match group {
            Some(group) => kafka.consumer(group),
            None => kafka.consumer_without_group(),
        };
        builder = builder
            .auto_offset_reset(self.reset)
            .enable_auto_commit(self.auto_commit && group.is_some())
            .auto_commit_interval(self.auto_commit_interval)
            .fetch_min_bytes(self.fetch_min_bytes)
            .fetch_max_bytes(self.fetch_max_bytes)
            .fetch_max_wait(self.fetch_max_wait)
            .max_partition_fetch_bytes(self.partition_max_bytes)
            // All that a fetch brought: the tools take records one after the other, and what is decoded
            // and not handed out would be fetched again.
            .max_poll_records(-1)
            .max_buffered_records(0)
            .max_poll_interval(self.max_poll_interval)
            .session_timeout(self.session_timeout)
            .heartbeat_interval(self.heartbeat_interval)
            .isolation_level(self.isolation)
            .partition_assignment_strategies(self.strategies.clone())
            .group_protocol(self.protocol)
            .metrics_push(self.metrics_push);
        if let Some(assignor) = &self.remote_assignor {
            builder = builder.group_remote_assignor(assignor);
        }
        if let Some(id) = &self.instance_id {
            builder = builder.group_instance_id(id);
        }
        if let Some(rack) = &self.rack {
            builder = builder.client_rack(rack);
        }
        builder
    }
}

/// Keys that the new protocol leaves to the server.
fn refuse_classic_keys(settings: &Settings) -> Result<(), String> {
    for key in [
        "heartbeat.interval.ms",
        "session.timeout.ms",
        "partition.assignment.strategy",
    ] {
        if settings.text(key).is_some() {
            return Err(exception(&format!(
                "{key} cannot be set when group.protocol=CONSUMER"
            )));
        }
    }
    Ok(())
}

fn reset(settings: &Settings) -> Result<AutoOffsetReset, String> {
    const KEY: &str = "auto.offset.reset";
    let Some(value) = settings.text(KEY) else {
        return Ok(AutoOffsetReset::Latest);
    };
    let by_duration = |text: &str| iso_duration(text).map(AutoOffsetReset::ByDuration);
    match value.to_ascii_lowercase().as_str() {
        "earliest" => Some(AutoOffsetReset::Earliest),
        "latest" => Some(AutoOffsetReset::Latest),
        "none" => Some(AutoOffsetReset::None),
        _ => value.strip_prefix("by_duration:").and_then(by_duration),
    }
    .ok_or_else(|| {
        invalid(
            KEY,
            value,
            &format!(
                "Invalid value `{value}` for configuration {KEY}. The value must be either 'earliest', \
                 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'."
            ),
        )
    })
}

/// A duration in the notation of ISO 8601, without years and months: `P1DT2H3M4.5S`.
fn iso_duration(text: &str) -> Option<Duration> {
    let text = text.to_ascii_uppercase();
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days.to_owned(), time.to_owned()),
        Some(_) => return None,
        None => (text.strip_prefix('P')?.to_owned(), String::new()),
    };
    let mut total = Duration::ZERO;
    let mut parts = 0;
    let mut take = |rest: &mut &str, unit: char, seconds: u32| -> Option<()> {
        if let Some((number, after)) = rest.split_once(unit) {
            let value: f64 = number.parse().ok()?;
            let amount = Duration::try_from_secs_f64(value * f64::from(seconds)).ok()?;
            total = total.checked_add(amount)?;
            parts += 1;
            *rest = after;
        }
        Some(())
    };
    let mut rest = days.as_str();
    take(&mut rest, 'D', 86_400)?;
    let mut clock = time.as_str();
    take(&mut clock, 'H', 3_600)?;
    take(&mut clock, 'M', 60)?;
    take(&mut clock, 'S', 1)?;
    (rest.is_empty() && clock.is_empty() && parts > 0).then_some(total)
}

fn strategies(settings: &Settings) -> Result<Vec<PartitionAssignmentStrategy>, String> {
    const KEY: &str = "partition.assignment.strategy";
    let Some(value) = settings.text(KEY) else {
        return Ok(vec![
            PartitionAssignmentStrategy::Range,
            PartitionAssignmentStrategy::CooperativeSticky,
        ]);
    };
    value
        .split(',')
        .map(|class| {
            let class = class.trim();
            match class.rsplit('.').next().unwrap_or(class) {
                "RangeAssignor" => Ok(PartitionAssignmentStrategy::Range),
                "RoundRobinAssignor" => Ok(PartitionAssignmentStrategy::RoundRobin),
                "CooperativeStickyAssignor" => Ok(PartitionAssignmentStrategy::CooperativeSticky),
                "StickyAssignor" => Err(invalid(
                    KEY,
                    class,
                    "this client has RangeAssignor, RoundRobinAssignor and CooperativeStickyAssignor",
                )),
                _ => Err(format!(
                    "org.apache.kafka.common.KafkaException: {class} ClassNotFoundException exception \
                     occurred"
                )),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::settings;
    use super::*;

    #[test]
    fn durations_are_read_as_java_reads_them() {
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(
                iso_duration(text),
                millis.map(Duration::from_millis),
                "{text}"
            );
        };
        check("PT1H", Some(3_600_000));
        check("P1DT1M0.5S", Some(86_460_500));
        check("P2D", Some(172_800_000));
        check("P", None);
        check("PT", None);
        check("1H", None);
        check("PT-1S", None);
        check("PT1X", None);
    }

    #[test]
    fn keys_of_a_consumer_are_checked() {
        let check = |pairs: &[(&str, &str)], expected: Result<(), &str>| {
            let mut all = vec![("bootstrap.servers", "localhost:9092")];
            all.extend_from_slice(pairs);
            match (ConsumerSettings::new(&settings(&all)), expected) {
                (Ok(_), Ok(())) => {}
                (Err(error), Err(text)) => assert!(error.contains(text), "{pairs:?}: {error}"),
                (made, expected) => panic!("{pairs:?}: {made:?}, not {expected:?}"),
            }
        };
        check(&[], Ok(()));
        check(&[("auto.offset.reset", "by_duration:PT1H")], Ok(()));
        check(&[("auto.offset.reset", "foo")], Err("either 'earliest'"));
        check(
            &[("isolation.level", "foo")],
            Err("read_committed, read_uncommitted"),
        );
        check(
            &[(
                "partition.assignment.strategy",
                "org.apache.kafka.clients.consumer.RangeAssignor",
            )],
            Ok(()),
        );
        check(
            &[("partition.assignment.strategy", "x.Y")],
            Err("ClassNotFoundException"),
        );
        check(
            &[
                ("group.protocol", "consumer"),
                ("session.timeout.ms", "6000"),
            ],
            Err("cannot be set when group.protocol=CONSUMER"),
        );
        check(
            &[("session.timeout.ms", "1000")],
            Err("Heartbeat must be set lower"),
        );
    }
}
