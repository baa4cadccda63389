//! Values of configuration keys: parsed from text, checked against their row, shown as Kafka shows them.

use std::fmt;

use crate::config_table::{ConfigRow, ConfigType, DefaultValue, Valid};

/// A parsed value. Null is the absence of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of a boolean key.
    Boolean(bool),
    /// Of a string or class key.
    Text(String),
    /// Of an int key.
    Int(i32),
    /// Of a short key.
    Short(i16),
    /// Of a long key.
    Long(i64),
    /// Of a double key.
    Double(f64),
    /// Of a list key.
    List(Vec<String>),
    /// Of a password key; shown as `[hidden]`.
    Password(String),
}

/// A value that its row does not take. The text is what Kafka says to the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// The value is not of the type, or not among the valid ones.
    #[error("Invalid value {value} for configuration {key}: {reason}")]
    Value {
        /// The key.
        key: String,
        /// The value as shown.
        value: String,
        /// What is expected.
        reason: String,
    },
    /// A list breaks a rule for lists, or an entry has the wrong form.
    #[error("{0}")]
    Entries(String),
    /// A key without default is missing.
    #[error("Missing required configuration \"{0}\" which has no default value.")]
    Missing(String),
}

impl Value {
    /// Parses `text` as `kind`, blanks around it removed.
    ///
    /// # Errors
    /// [`InvalidValue::Value`] if it is not of that type.
    pub fn parse(key: &str, kind: ConfigType, text: &str) -> Result<Self, InvalidValue> {
        let trimmed = text.trim();
        let invalid = |reason: String| InvalidValue::Value {
            key: key.to_owned(),
            value: text.to_owned(),
            reason,
        };
        let number = || invalid(format!("Not a number of type {}", kind.name()));
        Ok(match kind {
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("true") => Self::Boolean(true),
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("false") => Self::Boolean(false),
            ConfigType::Boolean => {
                return Err(invalid(
                    "Expected value to be either true or false".to_owned(),
                ));
            }
            ConfigType::Int => Self::Int(trimmed.parse().map_err(|_| number())?),
            ConfigType::Short => Self::Short(trimmed.parse().map_err(|_| number())?),
            ConfigType::Long => Self::Long(trimmed.parse().map_err(|_| number())?),
            ConfigType::Double => Self::Double(parse_double(trimmed).ok_or_else(number)?),
            ConfigType::String | ConfigType::Class => Self::Text(trimmed.to_owned()),
            ConfigType::Password => Self::Password(trimmed.to_owned()),
            ConfigType::List if trimmed.is_empty() => Self::List(Vec::new()),
            ConfigType::List => Self::List(
                trimmed
                    .split(',')
                    .map(|entry| entry.trim().to_owned())
                    .collect(),
            ),
        })
    }
}

/// Reads a double as Java does, hexadecimal notation left out.
fn parse_double(text: &str) -> Option<f64> {
    let digits = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    match text.trim_start_matches(['+', '-']) {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(if text.starts_with('-') {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        }),
        _ if digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E')) =>
        {
            digits.parse().ok()
        }
        _ => None,
    }
}

impl fmt::Display for Value {
    /// Writes the value as DescribeConfigs shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(v) => v.fmt(f),
            Self::Text(v) => f.write_str(v),
            Self::Int(v) => v.fmt(f),
            Self::Short(v) => v.fmt(f),
            Self::Long(v) => v.fmt(f),
            Self::Double(v) => f.write_str(&java_double(*v)),
            Self::List(v) => f.write_str(&v.join(",")),
            Self::Password(_) => f.write_str("[hidden]"),
        }
    }
}

/// Writes a double as Java's `Double.toString`: with a fraction always, in powers of ten outside of
/// 0.001 to 10,000,000.
fn java_double(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v < 0.0 { "-Infinity" } else { "Infinity" }.to_owned();
    }
    if v == 0.0 || (1e-3..1e7).contains(&v.abs()) {
        return format!("{v:?}");
    }
    let scientific = format!("{v:e}");
    let (mantissa, exponent) = scientific
        .split_once('e')
        .expect("the notation has an exponent");
    let fraction = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{fraction}E{exponent}")
}

impl ConfigRow {
    /// Parses and checks a value that was set for this key.
    ///
    /// # Errors
    /// [`InvalidValue`] if it is not of the type or not valid.
    pub fn parse(&self, text: &str) -> Result<Value, InvalidValue> {
        let value = Value::parse(self.name, self.kind, text)?;
        self.check(&value)?;
        Ok(value)
    }

    /// The default, `None` if it is null.
    ///
    /// # Errors
    /// [`InvalidValue::Missing`] if there is none.
    pub fn default_value(&self) -> Result<Option<Value>, InvalidValue> {
        match self.default {
            DefaultValue::Required => Err(InvalidValue::Missing(self.name.to_owned())),
            DefaultValue::Null => Ok(None),
            DefaultValue::Text(text) => Value::parse(self.name, self.kind, text).map(Some),
        }
    }

    fn check(&self, value: &Value) -> Result<(), InvalidValue> {
        let invalid = |reason: String| {
            Err(InvalidValue::Value {
                key: self.name.to_owned(),
                value: value.to_string(),
                reason,
            })
        };
        let number = match value {
            Value::Int(v) => Some(i64::from(*v)),
            Value::Short(v) => Some(i64::from(*v)),
            Value::Long(v) => Some(*v),
            _ => None,
        };
        match (self.valid, value, number) {
            (Valid::AtLeast(low) | Valid::Between(low, _), _, Some(v)) if v < low => {
                invalid(format!("Value must be at least {low}"))
            }
            (Valid::Between(_, high), _, Some(v)) if v > high => {
                invalid(format!("Value must be no more than {high}"))
            }
            // A NaN is between no bounds; Kafka lets it pass, but nothing can be done with one.
            (Valid::BetweenDouble(low, _), Value::Double(v), _) if *v < low || v.is_nan() => {
                invalid(format!("Value must be at least {low}"))
            }
            (Valid::BetweenDouble(_, high), Value::Double(v), _) if *v > high => {
                invalid(format!("Value must be no more than {high}"))
            }
            (Valid::GzipLevel, _, Some(v)) if v != -1 && !(1..=9).contains(&v) => {
                invalid("Value must be between 1 and 9 or equal to -1".to_owned())
            }
            (Valid::OneOf(of), Value::Text(v), _) if !of.contains(&v.as_str()) => {
                invalid(format!("String must be one of: {}", of.join(", ")))
            }
            (Valid::OneOfAnyCase(of), Value::Text(v), _)
                if !of.iter().any(|o| o.eq_ignore_ascii_case(v)) =>
            {
                invalid(format!(
                    "String must be one of (case insensitive): {}",
                    of.join(", ")
                ))
            }
            (Valid::NonEmpty, Value::Text(v), _) if v.is_empty() => {
                invalid("String must be non-empty".to_owned())
            }
            (Valid::List { empty, of }, Value::List(entries), _) => {
                self.check_list(entries, empty, of)
            }
            (Valid::HostPorts, Value::List(entries), _) => self.check_host_ports(entries),
            (Valid::Voters, Value::List(entries), _) => self.check_voters(entries),
            (Valid::ThrottledReplicas, Value::List(entries), _)
                if !is_throttled_replicas(entries) =>
            {
                Err(InvalidValue::Value {
                    key: self.name.to_owned(),
                    value: format!("[{}]", entries.join(", ")),
                    reason: format!(
                        "{} must be the literal '*' or a list of replicas in the following format: \
                         [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                        self.name
                    ),
                })
            }
            _ => Ok(()),
        }
    }

    fn check_list(&self, entries: &[String], empty: bool, of: &[&str]) -> Result<(), InvalidValue> {
        let refuse = |text: String| Err(InvalidValue::Entries(text));
        if entries.is_empty() && !empty {
            let of = if of.is_empty() {
                "any non-empty value".to_owned()
            } else {
                format!("[{}]", of.join(", "))
            };
            return refuse(format!(
                "Configuration '{}' must not be empty. Valid values include: {of}",
                self.name
            ));
        }
        if entries
            .iter()
            .enumerate()
            .any(|(i, e)| entries.iter().take(i).any(|b| b == e))
        {
            return refuse(format!(
                "Configuration '{}' values must not be duplicated.",
                self.name
            ));
        }
        for entry in entries {
            if entry.is_empty() {
                return refuse(format!(
                    "Configuration '{}' values must not be empty.",
                    self.name
                ));
            }
            if !of.is_empty() && !of.contains(&entry.as_str()) {
                return Err(InvalidValue::Value {
                    key: self.name.to_owned(),
                    value: entry.clone(),
                    reason: format!("String must be one of: {}", of.join(", ")),
                });
            }
        }
        Ok(())
    }

    fn check_host_ports(&self, entries: &[String]) -> Result<(), InvalidValue> {
        match entries
            .iter()
            .find(|entry| split_host_port(entry).is_none())
        {
            None => Ok(()),
            Some(entry) => Err(InvalidValue::Entries(format!(
                "Failed to parse host name from {entry} for the configuration {}. Each entry should \
                 be in the form \"{{host}}:{{port}}\"",
                self.name
            ))),
        }
    }

    fn check_voters(&self, entries: &[String]) -> Result<(), InvalidValue> {
        const FORM: &str = "Each entry should be in the form `{id}@{host}:{port}`.";
        let refuse = |text: String| Err(InvalidValue::Entries(text));
        for entry in entries {
            let Some((id, address)) = entry.split_once('@').filter(|(_, a)| !a.contains('@'))
            else {
                return refuse(format!(
                    "Invalid configuration value for {}. {FORM}",
                    self.name
                ));
            };
            if id.parse::<i32>().is_err() {
                return refuse(format!("Failed to parse voter ID as an integer from {id}"));
            }
            if split_host_port(address).is_none() {
                return refuse(format!(
                    "Failed to parse host name from entry {entry} for the configuration {}. {FORM}",
                    self.name
                ));
            }
        }
        Ok(())
    }
}

/// Splits `host:port`; an IPv6 host stands in brackets, which are removed.
#[must_use]
pub fn split_host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
        .then(|| port.parse().ok().map(|port| (host, port)))
        .flatten()
}

fn is_throttled_replicas(entries: &[String]) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match entries {
        [] => true,
        [only] if only.is_empty() || only == "*" => true,
        _ => entries.iter().all(|e| {
            e.split_once(':')
                .is_some_and(|(p, b)| number(p.trim()) && number(b.trim()))
        }),
    }
}

/// A type that a field of a settings struct can have.
pub trait FromValue: Sized {
    /// Converts; `None` if the value is of another type.
    fn from_value(value: Option<&Value>) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty: $variant:ident),+) => {$(
        impl FromValue for $type {
            fn from_value(value: Option<&Value>) -> Option<Self> {
                match value {
                    Some(Value::$variant(v)) => Some(v.clone()),
                    _ => None,
                }
            }
        }
    )+};
}

from_value!(bool: Boolean, i32: Int, i16: Short, i64: Long, f64: Double, String: Text, Vec<String>: List);

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Option<&Value>) -> Option<Self> {
        match value {
            None => Some(None),
            some => T::from_value(some).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_read_and_shown_as_java_does() {
        for (text, shown) in [
            ("100", "100.0"),
            ("1e7", "1.0E7"),
            ("9999999", "9999999.0"),
            ("0.001", "0.001"),
            ("0.0001", "1.0E-4"),
            ("12345678.9", "1.23456789E7"),
            ("-0.0", "-0.0"),
            ("1f", "1.0"),
            ("1e400", "Infinity"),
            ("-Infinity", "-Infinity"),
            ("NaN", "NaN"),
            ("1.7976931348623157E308", "1.7976931348623157E308"),
        ] {
            let value = Value::parse("k", ConfigType::Double, text).unwrap();
            assert_eq!(value.to_string(), shown);
        }
        for text in ["", "x", "inf", "nan", "1..2", "f"] {
            assert!(
                Value::parse("k", ConfigType::Double, text).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn values_are_read_as_their_type() {
        for (kind, text, shown) in [
            (ConfigType::Boolean, " TRUE ", "true"),
            (ConfigType::Int, "+5", "5"),
            (ConfigType::Int, "0010", "10"),
            (ConfigType::List, " a , b,", "a,b,"),
            (ConfigType::List, "a\t,\nb", "a,b"),
            (ConfigType::List, " ", ""),
            (ConfigType::String, " x ", "x"),
            (ConfigType::Password, "secret", "[hidden]"),
        ] {
            assert_eq!(Value::parse("k", kind, text).unwrap().to_string(), shown);
        }
        for (kind, text) in [
            (ConfigType::Short, "70000"),
            (ConfigType::Int, "1.5"),
            (ConfigType::Boolean, "yes"),
        ] {
            assert!(Value::parse("k", kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_divided_at_the_port() {
        assert_eq!(split_host_port("a.b:1"), Some(("a.b", 1)));
        assert_eq!(split_host_port("[::1]:65535"), Some(("::1", 65535)));
        for text in ["a", ":1", "a:", "a:x", "a:-1", "a:65536", "::1:5", "[::1:5"] {
            assert_eq!(split_host_port(text), None, "{text}");
        }
    }
}
