//! DescribeConfigs: every key with its value, where that came from and what else was set (KIP-226).

use ottla_base::{ConfigRow, ConfigType, ConfigValues, Dynamic};

use crate::broker::BrokerConfig;
use crate::resources::resource_values;
use crate::rows::{broker_rows, client_metrics_rows, group_config_rows, topic_rows};
use crate::topic::topic_values;
use crate::values::{RawConfigs, Values};

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set on the topic.
    Topic,
    /// Set at run time on this broker.
    DynamicBroker,
    /// Set at run time on all brokers.
    DynamicDefaultBroker,
    /// Set in the file.
    StaticBroker,
    /// Set by nobody.
    Default,
    /// Level of a logger.
    DynamicBrokerLogger,
    /// Set on a subscription to client metrics.
    ClientMetrics,
    /// Set on the group.
    Group,
}

impl ConfigSource {
    /// Number of the source in DescribeConfigs.
    #[must_use]
    pub fn wire_id(self) -> i8 {
        match self {
            Self::Topic => 1,
            Self::DynamicBroker => 2,
            Self::DynamicDefaultBroker => 3,
            Self::StaticBroker => 4,
            Self::Default => 5,
            Self::DynamicBrokerLogger => 6,
            Self::ClientMetrics => 7,
            Self::Group => 8,
        }
    }
}

/// One setting of a value, the effective one or one that it hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The key that was set.
    pub name: String,
    /// Its text; `None` if it is secret.
    pub value: Option<String>,
    /// Where it was set.
    pub source: ConfigSource,
}

/// All that DescribeConfigs tells about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConfig {
    /// The key.
    pub name: String,
    /// The effective value; `None` if it is null or secret.
    pub value: Option<String>,
    /// Whether it cannot be altered.
    pub read_only: bool,
    /// Where the effective value came from.
    pub source: ConfigSource,
    /// Whether it is a secret.
    pub sensitive: bool,
    /// What was set, the effective one first.
    pub synonyms: Vec<ConfigSynonym>,
    /// Its type; `None` if the key is not known.
    pub kind: Option<ConfigType>,
    /// What it means, if the key is known.
    pub documentation: Option<String>,
}

impl DescribedConfig {
    /// Whether nobody set it, which is all that DescribeConfigs v0 tells of the source.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::Default
    }
}

/// Describes the broker resource of this node.
#[must_use]
pub fn describe_broker(config: &BrokerConfig) -> Vec<DescribedConfig> {
    let merged = config.layers().merged();
    let unlisted = |name: &str| broker_rows().get(name).is_none_or(|row| is_unlisted(row));
    let others = merged
        .iter()
        .filter(|(name, _)| unlisted(name))
        .map(|(name, text)| broker_entry(config, name, Some(text.clone()), true));
    let rows = broker_rows()
        .values()
        .filter(|row| !is_unlisted(row))
        .map(|row| {
            let value = config.values().value(row.name).map(ToString::to_string);
            broker_entry(config, row.name, value, true)
        });
    rows.chain(others).collect()
}

/// Describes the broker resource with the empty name: what is set at run time for all brokers.
#[must_use]
pub fn describe_cluster_default(config: &BrokerConfig) -> Vec<DescribedConfig> {
    let texts = &config.layers().cluster;
    texts
        .iter()
        .map(|(name, text)| broker_entry(config, name, Some(text.clone()), false))
        .collect()
}

/// Describes a topic with these configs of its own.
#[must_use]
pub fn describe_topic(config: &BrokerConfig, overrides: &RawConfigs) -> Vec<DescribedConfig> {
    let values = topic_values(config, overrides);
    topic_rows()
        .values()
        .filter(|row| !row.internal || overrides.contains_key(row.name))
        .map(|row| {
            let inherited = match row.synonyms.first() {
                Some(name) => broker_synonyms(config, name),
                None => Vec::new(),
            };
            resource_entry(row, &values, overrides, ConfigSource::Topic, inherited)
        })
        .collect()
}

/// Describes a group with these configs of its own.
#[must_use]
pub fn describe_group(config: &BrokerConfig, overrides: &RawConfigs) -> Vec<DescribedConfig> {
    let values = resource_values(group_config_rows(), config, overrides);
    let rows = group_config_rows().values();
    rows.map(|row| {
        let inherited = match row.synonyms.first() {
            Some(name) => broker_synonyms(config, name),
            None => row_default(row).into_iter().collect(),
        };
        resource_entry(row, &values, overrides, ConfigSource::Group, inherited)
    })
    .collect()
}

/// Describes a subscription to client metrics with these configs of its own.
#[must_use]
pub fn describe_client_metrics(
    config: &BrokerConfig,
    overrides: &RawConfigs,
) -> Vec<DescribedConfig> {
    let values = resource_values(client_metrics_rows(), config, overrides);
    let source = ConfigSource::ClientMetrics;
    let rows = client_metrics_rows().values();
    rows.map(|row| resource_entry(row, &values, overrides, source, Vec::new()))
        .collect()
}

fn row_default(row: &ConfigRow) -> Option<ConfigSynonym> {
    let default = row.default_value().ok().flatten()?;
    Some(ConfigSynonym {
        name: row.name.to_owned(),
        value: Some(default.to_string()),
        source: ConfigSource::Default,
    })
}

/// One key of a resource other than a broker; `inherited` is what holds where it sets nothing.
fn resource_entry(
    row: &ConfigRow,
    values: &Values,
    overrides: &RawConfigs,
    own: ConfigSource,
    inherited: Vec<ConfigSynonym>,
) -> DescribedConfig {
    let value = values.value(row.name).map(ToString::to_string);
    let mut synonyms = inherited;
    if overrides.contains_key(row.name) {
        let set = ConfigSynonym {
            name: row.name.to_owned(),
            value: value.clone(),
            source: own,
        };
        synonyms.insert(0, set);
    }
    DescribedConfig {
        name: row.name.to_owned(),
        value,
        read_only: false,
        source: synonyms.first().map_or(ConfigSource::Default, |s| s.source),
        sensitive: row.sensitive(),
        synonyms,
        kind: Some(row.kind),
        documentation: Some(row.summary()),
    }
}

/// Kept out of the list unless set: internal keys, and those that exist only at run time.
fn is_unlisted(row: &ConfigRow) -> bool {
    row.internal || crate::rows::DYNAMIC_ONLY.contains(&row.name)
}

fn broker_entry(
    config: &BrokerConfig,
    name: &str,
    value: Option<String>,
    per_broker: bool,
) -> DescribedConfig {
    let row = broker_row_of(name);
    let sensitive = row.is_none_or(ConfigRow::sensitive);
    let mut synonyms = broker_synonyms(config, name);
    synonyms.retain(|s| per_broker || s.source == ConfigSource::DynamicDefaultBroker);
    let own_row = broker_rows().get(name);
    DescribedConfig {
        name: name.to_owned(),
        value: value.filter(|_| !sensitive),
        read_only: own_row.is_none_or(|row| row.dynamic == Dynamic::ReadOnly),
        source: synonyms.first().map_or(ConfigSource::Default, |s| s.source),
        sensitive,
        synonyms,
        kind: row.map(|row| row.kind),
        documentation: own_row.map(|row| row.summary()),
    }
}

/// What was set for a broker key and the keys that stand for the same, strongest first. What stands
/// before the first setting under this very name is not shown.
fn broker_synonyms(config: &BrokerConfig, name: &str) -> Vec<ConfigSynonym> {
    let listener = split_listener_key(name).map(|(_, base)| [name, base]);
    let names: &[&str] = match (&listener, broker_rows().get(name)) {
        (Some(names), _) => names,
        (None, Some(row)) if !row.synonyms.is_empty() => row.synonyms,
        _ => &[name],
    };
    let sensitive = broker_row_of(name).is_none_or(ConfigRow::sensitive);
    let layers = config.layers();
    let mut found = Vec::new();
    let levels = [
        (&layers.broker, ConfigSource::DynamicBroker),
        (&layers.cluster, ConfigSource::DynamicDefaultBroker),
        (&layers.file, ConfigSource::StaticBroker),
    ];
    let mut add = |name: &str, text: &str, source| {
        found.push(ConfigSynonym {
            name: name.to_owned(),
            value: (!sensitive).then(|| text.to_owned()),
            source,
        });
    };
    for (texts, source) in levels {
        for name in names {
            if let Some(text) = texts.get(*name) {
                add(name, text, source);
            }
        }
    }
    for name in names {
        let default = broker_rows()
            .get(name)
            .and_then(|row| row.default_value().ok())
            .flatten();
        if let Some(value) = default.filter(|_| !crate::rows::DYNAMIC_ONLY.contains(name)) {
            add(name, &value.to_string(), ConfigSource::Default);
        }
    }
    let first = found
        .iter()
        .position(|s| s.name == name)
        .unwrap_or(found.len());
    found.split_off(first)
}

/// The row of a broker key, found also under a listener's prefix.
pub(crate) fn broker_row_of(name: &str) -> Option<&'static ConfigRow> {
    let base = split_listener_key(name).map_or(name, |(_, base)| base);
    broker_rows()
        .get(name)
        .or_else(|| broker_rows().get(base))
        .copied()
}

/// Splits `listener.name.<listener>.<key>` and `listener.name.<listener>.<mechanism>.<key>`.
pub(crate) fn split_listener_key(name: &str) -> Option<(&str, &str)> {
    const MECHANISM_KEYS: [&str; 5] = [
        "sasl.jaas.config",
        "sasl.login.callback.handler.class",
        "sasl.login.class",
        "sasl.server.callback.handler.class",
        "connections.max.reauth.ms",
    ];
    let (listener, key) = name.strip_prefix("listener.name.")?.split_once('.')?;
    let mechanism_key = MECHANISM_KEYS.iter().find(|suffix| key.ends_with(*suffix));
    Some((listener, mechanism_key.copied().unwrap_or(key)))
}
