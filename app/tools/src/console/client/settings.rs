//! Values of Kafka's client keys, checked as Kafka's clients check them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use ottla_client::Properties;

use crate::console::log;

/// Keys of Kafka's clients that change what a client does and that the library has no word for. Whoever
/// sets one of them is told once.
const NOT_SERVED: &[&str] = &[
    "client.dns.lookup",
    "compression.lz4.level",
    "config.providers",
    "interceptor.classes",
    "max.in.flight.requests.per.connection",
    "partitioner.adaptive.partitioning.enable",
    "partitioner.availability.timeout.ms",
    "partitioner.class",
    "partitioner.ignore.keys",
    "retries",
    "sasl.client.callback.handler.class",
    "sasl.kerberos.service.name",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "ssl.cipher.suites",
    "ssl.enabled.protocols",
    "ssl.engine.factory.class",
    "ssl.protocol",
    "ssl.provider",
];

/// The settings of one client.
#[derive(Debug)]
pub(crate) struct Settings {
    values: Properties,
    used: RefCell<BTreeSet<&'static str>>,
}

impl Settings {
    /// Takes what files and options say.
    pub(crate) const fn new(values: Properties) -> Self {
        Self {
            values,
            used: RefCell::new(BTreeSet::new()),
        }
    }

    /// The value of a key, if one is set.
    pub(crate) fn text(&self, key: &'static str) -> Option<&str> {
        self.used.borrow_mut().insert(key);
        self.values.get(key).map(|value| value.trim())
    }

    /// A number of type INT, at least `min`.
    ///
    /// # Errors
    /// Kafka's exception for anything else.
    pub(crate) fn int(&self, key: &'static str, default: i32, min: i32) -> Result<i32, String> {
        self.number(key, default, &min, "INT")
    }

    /// A number of type LONG, at least `min`.
    ///
    /// # Errors
    /// Kafka's exception for anything else.
    pub(crate) fn long(&self, key: &'static str, default: i64, min: i64) -> Result<i64, String> {
        self.number(key, default, &min, "LONG")
    }

    fn number<T: FromStr + PartialOrd + Display>(
        &self,
        key: &'static str,
        default: T,
        min: &T,
        kind: &str,
    ) -> Result<T, String> {
        let Some(value) = self.text(key) else {
            return Ok(default);
        };
        let number: T = value
            .parse()
            .map_err(|_| invalid(key, value, &format!("Not a number of type {kind}")))?;
        if number < *min {
            return Err(invalid(
                key,
                value,
                &format!("Value must be at least {min}"),
            ));
        }
        Ok(number)
    }

    /// A time in milliseconds.
    ///
    /// # Errors
    /// Kafka's exception for anything that is no number or below 0.
    pub(crate) fn millis(&self, key: &'static str, default: i64) -> Result<Duration, String> {
        Ok(duration(self.long(key, default, 0)?))
    }

    /// A number of bytes, at least `min`.
    ///
    /// # Errors
    /// Kafka's exception for anything else.
    pub(crate) fn bytes(&self, key: &'static str, default: i64, min: i64) -> Result<usize, String> {
        let value = self.long(key, default, min)?;
        Ok(usize::try_from(value).unwrap_or_default())
    }

    /// Size of a socket's buffer; `None` where the host decides.
    ///
    /// # Errors
    /// Kafka's exception for anything that is no number or below -1.
    pub(crate) fn buffer(&self, key: &'static str) -> Result<Option<usize>, String> {
        let value = self.int(key, -1, -1)?;
        Ok(usize::try_from(value).ok().filter(|bytes| *bytes > 0))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Kafka's exception for anything else.
    pub(crate) fn flag(&self, key: &'static str, default: bool) -> Result<bool, String> {
        match self.text(key) {
            None => Ok(default),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) => Err(invalid(
                key,
                value,
                "Expected value to be either true or false",
            )),
        }
    }

    /// One of the words that a key takes.
    ///
    /// # Errors
    /// Kafka's exception for another word.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &'static str,
        default: T,
        choices: &[(&str, T)],
    ) -> Result<T, String> {
        let Some(value) = self.text(key) else {
            return Ok(default);
        };
        let found = choices
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(value));
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            invalid(
                key,
                value,
                &format!("String must be one of: {}", names.join(", ")),
            )
        })
    }

    /// Tells of keys that are set and do nothing here. Called when the client is made.
    pub(crate) fn warn_of_unserved(&self) {
        let used = self.used.borrow();
        for key in NOT_SERVED {
            if self.values.contains_key(*key) && !used.contains(key) {
                log::warn(
                    &format!(
                        "The configuration '{key}' is not served by this client and has no effect."
                    ),
                    "org.apache.kafka.clients.ClientUtils",
                );
            }
        }
    }
}

/// Kafka's exception for a value that cannot be used.
pub(crate) fn invalid(key: &str, value: &str, reason: &str) -> String {
    exception(&format!(
        "Invalid value {value} for configuration {key}: {reason}"
    ))
}

/// Kafka's exception for settings that do not fit together.
pub(crate) fn exception(reason: &str) -> String {
    format!("org.apache.kafka.common.config.ConfigException: {reason}")
}

/// Longest time that is reckoned with, ten years; whoever asks for more means for ever.
const LONGEST_MS: i64 = 10 * 365 * 86_400_000;

/// Milliseconds as a duration; nothing for those below 0.
pub(crate) fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis.min(LONGEST_MS)).unwrap_or_default())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings of `key=value` pairs.
    pub(crate) fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings::new(
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn values_are_checked_in_the_words_of_kafka() {
        let config = settings(&[("a", "x"), ("b", "-1"), ("c", " 7 "), ("d", "yes")]);
        let refused =
            |text: &str| format!("org.apache.kafka.common.config.ConfigException: {text}");
        assert_eq!(
            config.int("a", 0, 0),
            Err(refused(
                "Invalid value x for configuration a: Not a number of type INT"
            ))
        );
        assert_eq!(
            config.long("b", 0, 0),
            Err(refused(
                "Invalid value -1 for configuration b: Value must be at least 0"
            ))
        );
        assert_eq!(config.int("c", 0, 0), Ok(7));
        assert_eq!(config.int("e", 3, 0), Ok(3));
        assert_eq!(
            config.flag("d", true),
            Err(refused(
                "Invalid value yes for configuration d: Expected value to be either true or false"
            ))
        );
        assert_eq!(
            config.choice("d", 0, &[("no", 0), ("none", 1)]),
            Err(refused(
                "Invalid value yes for configuration d: String must be one of: no, none"
            ))
        );
    }
}
