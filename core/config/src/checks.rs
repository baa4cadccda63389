//! Relations between numbers of one subject. The sentences are Kafka's.

use ottla_base::{ConfigValues, Value};

use crate::error::ConfigError;
use crate::listener::parse_pairs;
use crate::relations::require;
use crate::rows::log::LogSettings;
use crate::rows::network::NetworkSettings;
use crate::rows::replication::ReplicationSettings;
use crate::values::Values;

/// A number of any integer type.
fn number(values: &Values, key: &str) -> Option<i64> {
    match values.value(key) {
        Some(Value::Int(v)) => Some(i64::from(*v)),
        Some(Value::Short(v)) => Some(i64::from(*v)),
        Some(Value::Long(v)) => Some(*v),
        _ => None,
    }
}

fn entries<'v>(values: &'v Values, key: &str) -> &'v [String] {
    match values.value(key) {
        Some(Value::List(entries)) => entries,
        _ => &[],
    }
}

pub(crate) fn check_log(log: &LogSettings) -> Result<(), ConfigError> {
    require(log.effective_roll_ms() >= 1, || {
        "log.roll.ms must be greater than or equal to 1".to_owned()
    })?;
    require(log.effective_roll_jitter_ms() >= 0, || {
        "log.roll.jitter.ms must be greater than or equal to 0".to_owned()
    })?;
    let retention = log.effective_retention_ms();
    require(retention >= 1 || retention == -1, || {
        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1".to_owned()
    })?;
    // Kafka divides by the threads here, and so fails without a sentence when there are none.
    let threads = i64::from(log.cleaner_threads).max(1);
    require(
        log.cleaner_dedupe_buffer_size / threads > 1024 * 1024,
        || "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".to_owned(),
    )
}

pub(crate) fn check_replication(replication: &ReplicationSettings) -> Result<(), ConfigError> {
    let wait = replication.replica_fetch_wait_max_ms;
    require(wait <= replication.replica_socket_timeout_ms, || {
        "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent \
         unnecessary socket timeouts"
            .to_owned()
    })?;
    require(
        i64::from(wait) <= replication.replica_lag_time_max_ms,
        || {
            "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms \
         to prevent frequent changes in ISR"
            .to_owned()
        },
    )
}

/// A setting of a group protocol with the two that bound it.
macro_rules! bounds {
    ($protocol:literal, $key:literal) => {
        (
            concat!($protocol, ".", $key),
            concat!($protocol, ".min.", $key),
            concat!($protocol, ".max.", $key),
        )
    };
}

/// Bounds that a setting of a group protocol must keep, as (setting, lower bound, upper bound).
const GROUP_BOUNDS: [(&str, &str, &str); 12] = [
    bounds!("group.consumer", "session.timeout.ms"),
    bounds!("group.consumer", "heartbeat.interval.ms"),
    bounds!("group.consumer", "assignment.interval.ms"),
    bounds!("group.share", "session.timeout.ms"),
    bounds!("group.share", "heartbeat.interval.ms"),
    bounds!("group.share", "assignment.interval.ms"),
    bounds!("group.share", "delivery.count.limit"),
    bounds!("group.share", "record.lock.duration.ms"),
    bounds!("group.share", "partition.max.record.locks"),
    bounds!("group.streams", "session.timeout.ms"),
    bounds!("group.streams", "heartbeat.interval.ms"),
    bounds!("group.streams", "assignment.interval.ms"),
];

/// Settings of a group protocol that must be below another one.
const GROUP_BELOW: [(&str, &str); 3] = [
    (
        "group.consumer.heartbeat.interval.ms",
        "group.consumer.session.timeout.ms",
    ),
    (
        "group.share.heartbeat.interval.ms",
        "group.share.session.timeout.ms",
    ),
    (
        "group.streams.heartbeat.interval.ms",
        "group.streams.session.timeout.ms",
    ),
];

pub(crate) fn check_groups(values: &Values) -> Result<(), ConfigError> {
    let protocols = entries(values, "group.coordinator.rebalance.protocols");
    if !protocols.iter().any(|protocol| protocol == "classic") {
        return Err(ConfigError::Relation(
            "Disabling the 'classic' protocol is not supported.".to_owned(),
        ));
    }
    let codec = number(values, "offsets.topic.compression.codec").unwrap_or_default();
    if !(0..=4).contains(&codec) {
        return Err(ConfigError::Relation(format!(
            "Unknown compression type id: {codec}"
        )));
    }
    for (key, low, high) in GROUP_BOUNDS {
        let above = |a: &str, b: &str| number(values, a) >= number(values, b);
        if !above(high, low) {
            return relation(format!("{high} must be greater than or equal to {low}"));
        }
        if !above(key, low) {
            return relation(format!("{key} must be greater than or equal to {low}"));
        }
        if !above(high, key) {
            return relation(format!("{key} must be less than or equal to {high}"));
        }
    }
    for (key, limit) in GROUP_BELOW {
        if number(values, key) >= number(values, limit) {
            return relation(format!("{key} must be less than {limit}"));
        }
    }
    Ok(())
}

fn relation(text: String) -> Result<(), ConfigError> {
    Err(ConfigError::Relation(text))
}

pub(crate) fn check_network(network: &NetworkSettings, values: &Values) -> Result<(), ConfigError> {
    let queued = number(values, "queued.max.request.bytes").unwrap_or(-1);
    require(
        queued <= 0 || queued >= i64::from(network.socket_request_max_bytes),
        || {
            "queued.max.request.bytes must be larger or equal to socket.request.max.bytes"
                .to_owned()
        },
    )?;
    let overrides = network.connection_overrides()?;
    require(
        network.max_connections_per_ip != 0 || !overrides.is_empty(),
        || {
            "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides \
         property is set."
                .to_owned()
        },
    )?;
    let delay = number(values, "connection.failed.authentication.delay.ms").unwrap_or_default();
    let idle = network.connections_max_idle_ms;
    require(idle < 0 || delay < idle, || {
        format!(
            "connection.failed.authentication.delay.ms={delay} should always be less than \
             connections.max.idle.ms={idle} to prevent failed authentication responses from timing \
             out"
        )
    })
}

impl NetworkSettings {
    /// The hosts with a connection limit of their own, with the limit.
    ///
    /// # Errors
    /// [`ConfigError::Relation`] if the text is not a list of `host:count` pairs.
    pub fn connection_overrides(&self) -> Result<Vec<(&str, i32)>, ConfigError> {
        const KEY: &str = "max.connections.per.ip.overrides";
        let mut overrides = Vec::new();
        for (host, count) in parse_pairs(KEY, &self.max_connections_per_ip_overrides)? {
            let count = count
                .parse()
                .map_err(|_| ConfigError::Relation(format!("For input string: \"{count}\"")))?;
            let in_host = |b: u8| b.is_ascii_alphanumeric() || b"-%._:".contains(&b);
            if !host.bytes().all(in_host) {
                return Err(ConfigError::Relation(format!(
                    "{KEY} contains invalid addresses : {host}"
                )));
            }
            overrides.push((host, count));
        }
        Ok(overrides)
    }
}

pub(crate) fn check_cordoned(log: &LogSettings, values: &Values) -> Result<(), ConfigError> {
    let cordoned = entries(values, "cordoned.log.dirs");
    if cordoned.iter().any(|dir| dir == "*") {
        return require(cordoned.len() == 1, || {
            "When cordoned.log.dirs is set to *, it must not contain other values".to_owned()
        });
    }
    let unknown: Vec<&str> = cordoned
        .iter()
        .filter(|dir| !log.dirs().contains(dir))
        .map(String::as_str)
        .collect();
    require(unknown.is_empty(), || {
        format!(
            "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing \
             entries : {}",
            unknown.join(", ")
        )
    })
}

impl LogSettings {
    /// Age at which a segment is closed, in ms.
    #[must_use]
    pub fn effective_roll_ms(&self) -> i64 {
        self.roll_ms
            .unwrap_or_else(|| i64::from(self.roll_hours) * 3_600_000)
    }

    /// What may be taken off that age, in ms.
    #[must_use]
    pub fn effective_roll_jitter_ms(&self) -> i64 {
        self.roll_jitter_ms
            .unwrap_or_else(|| i64::from(self.roll_jitter_hours) * 3_600_000)
    }

    /// Age at which a closed segment is removed, in ms; -1 for never.
    #[must_use]
    pub fn effective_retention_ms(&self) -> i64 {
        let ms = match (self.retention_ms, self.retention_minutes) {
            (Some(ms), _) => ms,
            (None, Some(minutes)) => i64::from(minutes) * 60_000,
            (None, None) => i64::from(self.retention_hours) * 3_600_000,
        };
        ms.max(-1)
    }

    /// Longest time that a record may wait for its flush, in ms.
    #[must_use]
    pub fn effective_flush_interval_ms(&self) -> i64 {
        self.flush_interval_ms
            .unwrap_or(self.flush_scheduler_interval_ms)
    }
}
