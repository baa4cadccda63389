//! Configs of groups and of subscriptions to client metrics: what they are, and what a change must keep.
//!
//! The sentences are Kafka's. KIP-714, KIP-848, KIP-932, KIP-1071.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::{ConfigRow, ConfigValues, Value};

use crate::broker::BrokerConfig;
use crate::error::AlterError;
use crate::rows::{client_metrics_rows, group_config_rows};
use crate::topic::from_broker;
use crate::values::{RawConfigs, Values, parse_one};

/// A key of a group with the broker's keys that bound it.
macro_rules! bounded {
    ($protocol:literal, $key:literal) => {
        (
            concat!($protocol, ".", $key),
            concat!("group.", $protocol, ".min.", $key),
            concat!("group.", $protocol, ".max.", $key),
        )
    };
}

const BOUNDED: [(&str, &str, &str); 12] = [
    bounded!("consumer", "session.timeout.ms"),
    bounded!("consumer", "heartbeat.interval.ms"),
    bounded!("consumer", "assignment.interval.ms"),
    bounded!("share", "session.timeout.ms"),
    bounded!("share", "heartbeat.interval.ms"),
    bounded!("share", "assignment.interval.ms"),
    bounded!("share", "delivery.count.limit"),
    bounded!("share", "partition.max.record.locks"),
    bounded!("share", "record.lock.duration.ms"),
    bounded!("streams", "session.timeout.ms"),
    bounded!("streams", "heartbeat.interval.ms"),
    bounded!("streams", "assignment.interval.ms"),
];

const STANDBY_REPLICAS: &str = "streams.num.standby.replicas";
const TAGS: &str = "streams.rack.aware.assignment.tags";
const ASSIGNOR: &str = "streams.assignor.name";
const OFFSET_RESET: &str = "share.auto.offset.reset";
const DEAD_LETTERS: &str = "errors.deadletterqueue.topic.name";

/// Selectors of the key `match`.
const SELECTORS: [&str; 6] = [
    "client_id",
    "client_instance_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

type Rows = BTreeMap<&'static str, &'static ConfigRow>;

fn invalid(text: String) -> Result<(), AlterError> {
    Err(AlterError::InvalidConfig(text))
}

/// The effective values of rows: set here, else by the broker key that stands for the same, else the
/// default.
pub(crate) fn resource_values(
    rows: &Rows,
    broker: &BrokerConfig,
    overrides: &RawConfigs,
) -> Values {
    let mut values = Values::default();
    for row in rows.values() {
        let own = overrides.get(row.name).map(|text| parse_one(row, text));
        let value = match own {
            Some(Ok(value)) => Some(value),
            _ => from_broker(row, broker).or_else(|| {
                row.default_value()
                    .expect("every key of a group has a default of its own type")
            }),
        };
        if let Some(value) = value {
            values.set(row.name, value);
        }
    }
    values
}

/// Parses what is set; `new` holds known keys only.
fn parse(rows: &Rows, new: &RawConfigs) -> Result<Values, AlterError> {
    let mut values = Values::default();
    for (name, text) in new {
        if let Some(row) = rows.get(name.as_str()) {
            let value = parse_one(row, text);
            let value = value.map_err(|e| AlterError::InvalidConfig(e.to_string()))?;
            values.set(row.name, value);
        }
    }
    Ok(values)
}

fn number(values: &Values, key: &str) -> Option<i32> {
    match values.value(key) {
        Some(Value::Int(value)) => Some(*value),
        _ => None,
    }
}

/// Checks the configs of a group as they would be after a change.
///
/// # Errors
/// [`AlterError::InvalidConfig`] with Kafka's sentence.
pub fn validate_group(broker: &BrokerConfig, new: &RawConfigs) -> Result<(), AlterError> {
    let rows = group_config_rows();
    if let Some(name) = new.keys().find(|name| !rows.contains_key(name.as_str())) {
        return invalid(format!("Unknown group config name: {name}"));
    }
    let values = parse(rows, new)?;
    for (key, low, high) in BOUNDED {
        let bounds = (number(broker.values(), low), number(broker.values(), high));
        if let (Some(value), (Some(low), Some(high))) = (number(&values, key), bounds)
            && !(low..=high).contains(&value)
        {
            let range = format!("{low} to {high} inclusive");
            return invalid(format!("{key} must be in the range {range}."));
        }
    }
    let most = number(broker.values(), "group.streams.max.standby.replicas");
    if let (Some(value), Some(most)) = (number(&values, STANDBY_REPLICAS), most)
        && value > most
    {
        return invalid(format!(
            "{STANDBY_REPLICAS} must be less than or equal to {most}"
        ));
    }
    check_texts(broker, new)
}

fn check_texts(broker: &BrokerConfig, new: &RawConfigs) -> Result<(), AlterError> {
    if let Some(tags) = new.get(TAGS) {
        let mut seen = BTreeSet::new();
        let mut tags = tags.split(',').map(str::trim);
        if !tags.all(|tag| seen.insert(tag)) {
            return invalid(format!("{TAGS} must not contain duplicate tag keys."));
        }
    }
    if let Some(name) = new.get(ASSIGNOR) {
        let known = match broker.values().value("group.streams.assignors") {
            Some(Value::List(known)) => known.as_slice(),
            _ => &[],
        };
        if !known.contains(name) {
            let known = known.join(", ");
            return invalid(format!(
                "{ASSIGNOR} '{name}' is not a registered task assignor. Registered assignors are: \
                 [{known}]."
            ));
        }
    }
    if let Some(text) = new.get(OFFSET_RESET)
        && !is_offset_reset(text)
    {
        return invalid(format!(
            "Invalid value {text} for configuration {OFFSET_RESET}: Invalid value `{text}` for \
             configuration {OFFSET_RESET}. The value must be either 'earliest', 'latest' or of the \
             format 'by_duration:<PnDTnHnMn.nS>'."
        ));
    }
    if let Some(topic) = new.get(DEAD_LETTERS)
        && topic.starts_with("__")
    {
        return invalid(format!(
            "{DEAD_LETTERS}: DLQ topic name must not start with '__'"
        ));
    }
    Ok(())
}

fn is_offset_reset(text: &str) -> bool {
    matches!(text, "earliest" | "latest")
        || text.strip_prefix("by_duration:").is_some_and(is_duration)
}

/// Whether `text` is a duration such as `P1DT2H3M4.5S`, not negative, with at least one part.
fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['P', 'p']) else {
        return false;
    };
    let (days, time) = match rest.split_once(['T', 't']) {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let days_fit = days.is_empty() || parts_fit(days, &['D']);
    let time_fits = time.is_none_or(|time| parts_fit(time, &['H', 'M', 'S']));
    days_fit && time_fits && !(days.is_empty() && time.is_none())
}

/// Whether `text` consists of numbers with these units, each at most once and in this order.
fn parts_fit(text: &str, units: &[char]) -> bool {
    let mut units = units.iter();
    let mut rest = text;
    while let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let (number, tail) = rest.split_at(end);
        let mut chars = tail.chars();
        let unit = chars.next().map(|c| c.to_ascii_uppercase());
        if !units.any(|known| Some(*known) == unit) || !is_number(number, unit == Some('S')) {
            return false;
        }
        rest = chars.as_str();
    }
    rest.is_empty() && !text.is_empty()
}

fn is_number(text: &str, fraction_allowed: bool) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = !whole.is_empty() && digits(whole) && whole.parse::<i64>().is_ok();
    let is_fraction = digits(fraction) && fraction.len() <= 9;
    is_whole && is_fraction && (fraction_allowed || !text.contains('.'))
}

/// Checks the configs of a subscription to client metrics as they would be after a change.
///
/// Kafka differs: it also refuses a `match` whose pattern is no regular expression of Java.
///
/// # Errors
/// [`AlterError`] with Kafka's sentence.
pub fn validate_client_metrics(new: &RawConfigs) -> Result<(), AlterError> {
    const INTERVAL: &str = "interval.ms";
    let rows = client_metrics_rows();
    if let Some(name) = new.keys().find(|name| !rows.contains_key(name.as_str())) {
        return Err(AlterError::InvalidRequest(format!(
            "Unknown client metrics configuration: {name}"
        )));
    }
    let values = parse(rows, new)?;
    if let Some(value) = number(&values, INTERVAL)
        && !(100..=3_600_000).contains(&value)
    {
        return Err(AlterError::InvalidRequest(format!(
            "Invalid value {value} for {INTERVAL}, interval must be between 100 and 3600000 (1 hour)"
        )));
    }
    if let Some(Value::List(patterns)) = values.value("match") {
        let selects = |pattern: &String| {
            let selector = pattern.split_once('=').map(|(selector, _)| selector.trim());
            selector.is_some_and(|selector| SELECTORS.contains(&selector))
        };
        if let Some(pattern) = patterns.iter().find(|pattern| !selects(pattern)) {
            return invalid(format!("Illegal client matching pattern: {pattern}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_java() {
        for (text, valid) in [
            ("PT1H", true),
            ("P1D", true),
            ("P1DT2H3M4.5S", true),
            ("pt5m", true),
            ("P", false),
            ("PT", false),
            ("P1H", false),
            ("PT1M2H", false),
            ("PT1.5H", false),
            ("PT1", false),
            ("1H", false),
            ("P1D2D", false),
        ] {
            assert_eq!(is_duration(text), valid, "{text}");
        }
    }
}
