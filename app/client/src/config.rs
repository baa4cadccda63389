//! The settings of a client: Kafka's own keys, from a properties file and from options.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use thiserror::Error;

/// Keys and values as they stand in a properties file.
pub type Properties = std::collections::BTreeMap<String, String>;

/// A client's settings that cannot be used. The text is that of Kafka's `ConfigException`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A value that is not of the key's type or range.
    #[error("Invalid value {value} for configuration {key}: {reason}")]
    Invalid {
        /// The key.
        key: String,
        /// What stands there.
        value: String,
        /// What it should be.
        reason: String,
    },
    /// An address without a port, or with one that is no number.
    #[error("Invalid url in {key}: {url}")]
    InvalidUrl {
        /// The key: `bootstrap.servers` or `bootstrap.controllers`.
        key: &'static str,
        /// What stands there.
        url: String,
    },
    /// No name could be resolved.
    #[error("No resolvable bootstrap urls given in {key}")]
    NoAddress {
        /// The key.
        key: &'static str,
    },
    /// A way of protection that this client does not speak.
    #[error("security.protocol={0} is not served by this client yet; use a PLAINTEXT listener")]
    Protected(String),
}

/// Whom the client asks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bootstrap {
    /// Brokers: `bootstrap.servers`.
    Brokers,
    /// Controllers: `bootstrap.controllers` (KIP-919).
    Controllers,
}

impl Bootstrap {
    /// The key of the configuration.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Brokers => "bootstrap.servers",
            Self::Controllers => "bootstrap.controllers",
        }
    }
}

/// What a client needs to know.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Addresses to begin with, as written: `host:port`.
    pub bootstrap: Vec<String>,
    /// Whose addresses they are.
    pub kind: Bootstrap,
    /// `client.id`, which the server's logs and quotas see.
    pub client_id: String,
    /// `request.timeout.ms`: longest wait for one answer.
    pub request_timeout: Duration,
    /// `default.api.timeout.ms`: longest time of one call with all its retries.
    pub api_timeout: Duration,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`: pause before the first retry, and the longest.
    pub retry_backoff: (Duration, Duration),
    /// Called with each warning that a user should see, such as a node that cannot be reached.
    pub warn: fn(&str),
}

impl ClientConfig {
    /// Settings for `bootstrap`, a list as on a command line, with what `properties` say of the rest.
    ///
    /// # Errors
    /// [`ConfigError`] for a value that cannot be used. Keys that are not known are left to the caller.
    pub fn new(
        kind: Bootstrap,
        bootstrap: &str,
        default_client_id: &str,
        properties: &Properties,
    ) -> Result<Self, ConfigError> {
        let text = |key: &str| properties.get(key).map(|value| value.trim());
        match text("security.protocol") {
            None | Some("PLAINTEXT") => {}
            Some(other) => return Err(ConfigError::Protected(other.to_owned())),
        }
        let bootstrap: Vec<String> = bootstrap
            .split(',')
            .map(str::trim)
            .filter(|url| !url.is_empty())
            .map(str::to_owned)
            .collect();
        for url in &bootstrap {
            if host_port(url).is_none() {
                return Err(ConfigError::InvalidUrl {
                    key: kind.key(),
                    url: url.clone(),
                });
            }
        }
        Ok(Self {
            bootstrap,
            kind,
            client_id: text("client.id")
                .filter(|id| !id.is_empty())
                .unwrap_or(default_client_id)
                .to_owned(),
            request_timeout: millis(properties, "request.timeout.ms", 30_000)?,
            api_timeout: millis(properties, "default.api.timeout.ms", 60_000)?,
            retry_backoff: (
                millis(properties, "retry.backoff.ms", 100)?,
                millis(properties, "retry.backoff.max.ms", 1_000)?,
            ),
            warn: |_| {},
        })
    }

    /// The addresses of the bootstrap list, each with the name it came from.
    ///
    /// # Errors
    /// [`ConfigError::NoAddress`] if no name can be resolved.
    pub fn resolve(&self) -> Result<Vec<(String, SocketAddr)>, ConfigError> {
        let mut out = Vec::new();
        for url in &self.bootstrap {
            let Some((host, port)) = host_port(url) else {
                continue;
            };
            match (host, port).to_socket_addrs() {
                Ok(addresses) => out.extend(addresses.map(|address| (url.clone(), address))),
                Err(_) => (self.warn)(&format!(
                    "Couldn't resolve server {url} from {} as DNS resolution failed for {host}",
                    self.kind.key()
                )),
            }
        }
        if out.is_empty() {
            return Err(ConfigError::NoAddress {
                key: self.kind.key(),
            });
        }
        Ok(out)
    }
}

/// Host and port of `host:port`, `[v6]:port` or `PROTOCOL://host:port`.
fn host_port(url: &str) -> Option<(&str, u16)> {
    let address = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, port) = address.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    if host.is_empty() {
        return None;
    }
    Some((host, port.parse().ok()?))
}

fn millis(properties: &Properties, key: &str, default: u64) -> Result<Duration, ConfigError> {
    let Some(value) = properties.get(key).map(|value| value.trim()) else {
        return Ok(Duration::from_millis(default));
    };
    let invalid = |reason: &str| ConfigError::Invalid {
        key: key.to_owned(),
        value: value.to_owned(),
        reason: reason.to_owned(),
    };
    let number: i32 = value
        .parse()
        .map_err(|_| invalid("Not a number of type INT"))?;
    u64::try_from(number)
        .map(Duration::from_millis)
        .map_err(|_| invalid("Value must be at least 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_kafka_reads_them() {
        let check = |url, expected| assert_eq!(host_port(url), expected, "{url}");
        check("localhost:9092", Some(("localhost", 9092)));
        check("[::1]:9092", Some(("::1", 9092)));
        check("PLAINTEXT://h:1", Some(("h", 1)));
        check("localhost", None);
        check("localhost:x", None);
        check(":9092", None);
    }

    #[test]
    fn values_that_cannot_be_used_are_refused() {
        let check = |key: &str, value: &str, expected: &str| {
            let properties = Properties::from([(key.to_owned(), value.to_owned())]);
            let error = ClientConfig::new(Bootstrap::Brokers, "a:1", "me", &properties);
            assert_eq!(error.expect_err("wrong").to_string(), expected);
        };
        check(
            "request.timeout.ms",
            "soon",
            "Invalid value soon for configuration request.timeout.ms: Not a number of type INT",
        );
        check(
            "default.api.timeout.ms",
            "-1",
            "Invalid value -1 for configuration default.api.timeout.ms: Value must be at least 0",
        );
        check(
            "security.protocol",
            "SSL",
            "security.protocol=SSL is not served by this client yet; use a PLAINTEXT listener",
        );
    }
}
