//! The effective configuration of a topic: its own configs, else the broker's, else the default.

use ottla_base::{ConfigRow, ConfigValues, Value};

use crate::broker::BrokerConfig;
use crate::rows::topic::TopicConfig;
use crate::rows::{broker_rows, topic_rows};
use crate::values::{RawConfigs, Values, parse_one};

impl TopicConfig {
    /// Resolves the configs of a topic. A text that does not parse, which only a newer controller could
    /// have let in, counts as not set.
    #[must_use]
    pub fn resolve(broker: &BrokerConfig, overrides: &RawConfigs) -> Self {
        Self::read(&topic_values(broker, overrides))
    }

    /// Size at which a segment is closed.
    #[must_use]
    pub fn effective_segment_bytes(&self) -> i32 {
        self.internal_segment_bytes.unwrap_or(self.segment_bytes)
    }

    /// Whether records are kept by key.
    #[must_use]
    pub fn is_compacted(&self) -> bool {
        self.cleanup_policy.iter().any(|policy| policy == "compact")
    }

    /// Whether records go by age and size.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.cleanup_policy.iter().any(|policy| policy == "delete")
    }
}

/// Parsed values of all topic keys.
pub(crate) fn topic_values(broker: &BrokerConfig, overrides: &RawConfigs) -> Values {
    let mut values = broker_defaults(broker);
    for row in topic_rows().values() {
        if let Some(Ok(value)) = overrides.get(row.name).map(|text| parse_one(row, text)) {
            values.set(row.name, value);
        }
    }
    values
}

/// Values of a topic that sets nothing itself.
pub(crate) fn broker_defaults(broker: &BrokerConfig) -> Values {
    let mut values = Values::default();
    for row in topic_rows().values() {
        let value = from_broker(row, broker).or_else(|| {
            row.default_value()
                .expect("every topic key has a default of its own type")
        });
        if let Some(value) = value {
            values.set(row.name, value);
        }
    }
    values
}

/// The value in force of the topic key `key`, as text, where the dynamic values are at hand and `broker`
/// holds those of the file: the topic's, else the first that is set among the broker keys that stand for
/// it, in `node`, then in `cluster`, then in the file, else the default.
#[must_use]
pub fn effective_topic_value(
    broker: &BrokerConfig,
    key: &str,
    topic: &RawConfigs,
    node: &RawConfigs,
    cluster: &RawConfigs,
) -> Option<String> {
    let row = topic_rows().get(key).copied()?;
    if let Some(Ok(value)) = topic.get(key).map(|text| parse_one(row, text)) {
        return Some(value.to_string());
    }
    let dynamic = [node, cluster].into_iter().find_map(|texts| {
        row.synonyms.iter().find_map(|name| {
            let value = parse_one(broker_rows().get(name)?, texts.get(*name)?).ok()?;
            Some(in_topic_unit(row, name, &value))
        })
    });
    match dynamic {
        Some(value) => Some(value.to_string()),
        None => broker_defaults(broker).value(key).map(ToString::to_string),
    }
}

/// The broker's value for a topic or group key: the first of its synonyms that is set, in the key's unit.
pub(crate) fn from_broker(row: &ConfigRow, broker: &BrokerConfig) -> Option<Value> {
    let (name, value) = row
        .synonyms
        .iter()
        .find_map(|name| Some((name, broker.values().value(name)?)))?;
    Some(in_topic_unit(row, name, value))
}

fn in_topic_unit(row: &ConfigRow, name: &str, value: &Value) -> Value {
    let unit = match name {
        name if name.ends_with(".hours") => 3_600_000,
        name if name.ends_with(".minutes") => 60_000,
        _ => 1,
    };
    let value = match (value, unit) {
        (Value::Int(v), 60_000 | 3_600_000) => Value::Long(i64::from(*v) * unit),
        (value, _) => value.clone(),
    };
    match value {
        // Every negative retention of the broker means for ever.
        Value::Long(v) if row.name == "retention.ms" => Value::Long(v.max(-1)),
        value => value,
    }
}
