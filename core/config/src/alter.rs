//! What a change of configs must keep: IncrementalAlterConfigs and CreateTopics.
//!
//! The sentences are Kafka's, and so is which error code they go with: 40 for topics, mostly 42 for
//! brokers.

use std::collections::BTreeSet;

use ottla_base::{ConfigRow, ConfigType, ConfigValues, Dynamic, Value};

use crate::broker::{BrokerConfig, BrokerLayers};
use crate::describe::split_listener_key;
use crate::error::{AlterError, ConfigError};
use crate::rows::{broker_rows, topic_rows};
use crate::topic::{broker_defaults, topic_values};
use crate::values::{RawConfigs, parse_one};

/// What one entry of IncrementalAlterConfigs does (KIP-339).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlterOp {
    /// Sets the value.
    Set,
    /// Removes the value.
    Delete,
    /// Adds to a list.
    Append,
    /// Takes out of a list.
    Subtract,
}

impl AlterOp {
    /// The operation of a number on the wire.
    #[must_use]
    pub fn from_wire(id: i8) -> Option<Self> {
        match id {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }
}

/// Checks the configs of a topic as they would be after a change: known names, valid values, and the
/// relations between them and with the broker's. `old` are the topic's configs before.
///
/// # Errors
/// [`AlterError::InvalidConfig`] with Kafka's sentence.
pub fn validate_topic(
    broker: &BrokerConfig,
    old: &RawConfigs,
    new: &RawConfigs,
) -> Result<(), AlterError> {
    if let Some(name) = new
        .keys()
        .find(|name| !topic_rows().contains_key(name.as_str()))
    {
        return Err(AlterError::InvalidConfig(format!(
            "Unknown topic config name: {name}"
        )));
    }
    for row in topic_rows().values() {
        if let Some(text) = new.get(row.name) {
            parse_one(row, text).map_err(|e| AlterError::InvalidConfig(e.to_string()))?;
        }
    }
    let values = topic_values(broker, new);
    let long = |key| match values.value(key) {
        Some(Value::Long(v)) => *v,
        _ => 0,
    };
    let is_true = |key| values.value(key) == Some(&Value::Boolean(true));
    let (min, max) = (long("min.compaction.lag.ms"), long("max.compaction.lag.ms"));
    if min > max {
        return Err(AlterError::InvalidConfig(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms \
             ({max})"
        )));
    }
    if is_true("remote.storage.enable") {
        return Err(AlterError::InvalidConfig(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured \
             with remote log storage."
                .to_owned(),
        ));
    }
    let was_remote = old
        .get("remote.storage.enable")
        .is_some_and(|v| v.trim() == "true");
    if was_remote && !is_true("remote.log.delete.on.disable") {
        return Err(AlterError::InvalidConfig(
            "It is invalid to disable remote storage without deleting remote data. If you want to \
             keep the remote data and turn to read only, please set \
             `remote.storage.enable=true,remote.log.copy.disable=true`. If you want to disable \
             remote storage and delete all remote data, please set \
             `remote.storage.enable=false,remote.log.delete.on.disable=true`."
                .to_owned(),
        ));
    }
    Ok(())
}

/// The type of a topic or broker key, which decides whether lists can be added to.
#[must_use]
pub fn is_list(rows: &std::collections::BTreeMap<&str, &ConfigRow>, key: &str) -> bool {
    rows.get(key)
        .is_some_and(|row| row.kind == ConfigType::List)
}

/// The value that a topic has where it sets nothing: what appending to it starts from.
#[must_use]
pub fn topic_default(broker: &BrokerConfig, key: &str) -> Option<String> {
    broker_defaults(broker).value(key).map(ToString::to_string)
}

/// Applies the entries of one broker resource to its present dynamic configs and checks what comes out
/// (the broker's part of IncrementalAlterConfigs; the controller stores it). `per_broker` tells the
/// resource of one broker from the one for all.
///
/// # Errors
/// [`AlterError`] with Kafka's sentence.
pub fn alter_broker(
    config: &BrokerConfig,
    per_broker: bool,
    entries: &[(&str, AlterOp, Option<&str>)],
) -> Result<RawConfigs, AlterError> {
    let layers = config.layers();
    let mut texts = if per_broker {
        layers.broker.clone()
    } else {
        layers.cluster.clone()
    };
    for &(key, op, value) in entries {
        apply(&mut texts, key, op, value.unwrap_or_default())?;
    }
    let next = judge(config, per_broker, &texts)?;
    check_thread_counts(config, &next)?;
    Ok(texts)
}

fn apply(texts: &mut RawConfigs, key: &str, op: AlterOp, value: &str) -> Result<(), AlterError> {
    let verb = match op {
        AlterOp::Set => {
            texts.insert(key.to_owned(), value.to_owned());
            return Ok(());
        }
        AlterOp::Delete => {
            texts.remove(key);
            return Ok(());
        }
        AlterOp::Append => "append",
        AlterOp::Subtract => "subtract",
    };
    let row = broker_rows()
        .get(key)
        .ok_or_else(|| AlterError::InvalidConfig(format!("Unknown config name: {key}")))?;
    if row.kind != ConfigType::List {
        return Err(AlterError::InvalidConfig(format!(
            "Config value {verb} is not allowed for config key: {key}"
        )));
    }
    let default = || row.default_value().ok().flatten().map(|v| v.to_string());
    let old = texts.get(key).cloned().or_else(default).unwrap_or_default();
    let mut list: Vec<&str> = old.split(',').filter(|entry| !entry.is_empty()).collect();
    for entry in value.split(',') {
        match op {
            AlterOp::Append if !list.contains(&entry) => list.push(entry),
            AlterOp::Subtract => list.retain(|old| *old != entry),
            _ => {}
        }
    }
    let text = list.join(",");
    texts.insert(key.to_owned(), text);
    Ok(())
}

/// Checks the dynamic configs that one broker, or all, would have. How far a number of threads may move
/// depends on what holds now, and is left to [`alter_broker`].
///
/// # Errors
/// [`AlterError::InvalidRequest`] with Kafka's sentence.
pub fn validate_broker(
    config: &BrokerConfig,
    per_broker: bool,
    texts: &RawConfigs,
) -> Result<(), AlterError> {
    judge(config, per_broker, texts).map(drop)
}

/// As [`validate_broker`]; returns the configuration that would come of it.
fn judge(
    config: &BrokerConfig,
    per_broker: bool,
    texts: &RawConfigs,
) -> Result<BrokerConfig, AlterError> {
    let row_of = |key: &str| broker_rows().get(key).copied();
    refuse_keys(texts, "Cannot update these configs dynamically", |key| {
        row_of(key).is_some_and(|row| row.dynamic == Dynamic::ReadOnly)
    })?;
    refuse_keys(
        texts,
        "These security configs can be dynamically updated only per-listener using the listener \
         prefix",
        |key| row_of(key).is_some_and(is_listener_security),
    )?;
    for (key, text) in texts {
        let base = split_listener_key(key).map_or(key.as_str(), |(_, base)| base);
        if let Some(row) = row_of(base) {
            parse_one(row, text).map_err(|e| AlterError::InvalidRequest(e.to_string()))?;
        }
    }
    if !per_broker {
        refuse_keys(
            texts,
            "Cannot update these configs at default cluster level, broker id must be specified",
            |key| match split_listener_key(key) {
                Some((_, base)) => !CLUSTER_LEVEL_LISTENER_KEYS.contains(&base),
                None => row_of(key).is_some_and(|row| row.dynamic == Dynamic::PerBroker),
            },
        )?;
    }
    let mut layers: BrokerLayers = config.layers().clone();
    if per_broker {
        layers.broker = texts.clone();
    } else {
        layers.cluster = texts.clone();
    }
    BrokerConfig::from_layers(layers).map_err(|e| match e {
        ConfigError::NotServed { key, value, .. } => AlterError::InvalidRequest(format!(
            "Invalid value {value} for configuration {key}: not served by Ottla yet"
        )),
        e => AlterError::InvalidRequest(e.to_string()),
    })
}

/// Keys that may carry a listener's prefix for all brokers at once.
const CLUSTER_LEVEL_LISTENER_KEYS: [&str; 3] = [
    "max.connections",
    "max.connection.creation.rate",
    "num.network.threads",
];

/// Keys and trust stores, which change at run time only for one listener.
fn is_listener_security(row: &ConfigRow) -> bool {
    ["ssl.keystore.", "ssl.truststore.", "ssl.key.password"]
        .iter()
        .any(|prefix| row.name.starts_with(prefix))
}

fn refuse_keys(
    texts: &RawConfigs,
    sentence: &str,
    refused: impl Fn(&str) -> bool,
) -> Result<(), AlterError> {
    let keys: BTreeSet<&str> = texts
        .keys()
        .map(String::as_str)
        .filter(|k| refused(k))
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<&str> = keys.into_iter().collect();
    Err(AlterError::InvalidRequest(format!(
        "{sentence}: [{}]",
        keys.join(", ")
    )))
}

/// A number of threads may at most halve or double in one change.
fn check_thread_counts(config: &BrokerConfig, next: &BrokerConfig) -> Result<(), AlterError> {
    const THREADS: [&str; 9] = [
        "num.io.threads",
        "num.network.threads",
        "num.replica.fetchers",
        "num.recovery.threads.per.data.dir",
        "background.threads",
        "remote.log.manager.copier.thread.pool.size",
        "remote.log.manager.expiration.thread.pool.size",
        "remote.log.manager.follower.thread.pool.size",
        "remote.log.reader.threads",
    ];
    let count = |config: &BrokerConfig, key: &str| match config.values().value(key) {
        Some(Value::Int(v)) => i64::from(*v),
        _ => 0,
    };
    let refuse = |reason: String| {
        Err(AlterError::InvalidRequest(format!(
            "Invalid value org.apache.kafka.common.config.ConfigException: {reason} for \
             configuration Invalid dynamic configuration"
        )))
    };
    let (old, new) = (
        count(config, "log.cleaner.threads"),
        count(next, "log.cleaner.threads"),
    );
    if new < 1 {
        return refuse("Log cleaner threads should be at least 1".to_owned());
    }
    if new < old / 2 {
        return refuse(format!(
            "Log cleaner threads cannot be reduced to less than half the current value {old}"
        ));
    }
    if new > old * 2 {
        return refuse(format!(
            "Log cleaner threads cannot be increased to more than double the current value {old}"
        ));
    }
    for key in THREADS {
        let (old, new) = (count(config, key), count(next, key));
        let update = format!("Dynamic thread count update validation failed for {key}={new}");
        if new < old / 2 {
            return refuse(format!(
                "{update}, value should be at least half the current value {old}"
            ));
        }
        if new > old * 2 {
            return refuse(format!(
                "{update}, value should not be greater than double the current value {old}"
            ));
        }
    }
    Ok(())
}
