//! How many connections the node takes: by configuration, which may change while it runs, and by what the
//! operating system lets a process have.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_metadata::{MetadataDelta, MetadataImage, ResourceType};
use ottla_net::{ConnectionCounter, ConnectionLimits};
use parking_lot::Mutex;

use crate::broker::apply::MetadataApplier;
use crate::node::Node;
use crate::quorum::MetadataListener;

/// Connections that are allowed whatever else takes descriptors.
const CONNECTIONS_MIN: usize = 64;

/// The strictest of Kafka's limits, ours, and the descriptors that open logs leave.
pub(crate) fn connection_limits(config: &BrokerConfig, open_files: u64) -> ConnectionLimits {
    let limit = |value: i32| usize::try_from(value).unwrap_or(0);
    let (network, ottla) = (&config.network, &config.ottla);
    let files = usize::try_from(open_files).unwrap_or(usize::MAX);
    let left = files.saturating_sub(limit(ottla.open_files_max));
    ConnectionLimits {
        total: limit(network.max_connections)
            .min(limit(ottla.connections_max))
            .min(left.max(CONNECTIONS_MIN)),
        per_address: limit(network.max_connections_per_ip).min(limit(ottla.connections_max_per_ip)),
    }
}

/// `max.connections.per.ip.overrides`: limits of single addresses. A name that cannot be resolved is left
/// out with a warning.
fn overrides(config: &BrokerConfig) -> HashMap<IpAddr, usize> {
    let mut found = HashMap::new();
    // The text was checked when the configuration was read.
    let pairs = config.network.connection_overrides().unwrap_or_default();
    for (host, count) in pairs {
        let count = usize::try_from(count).unwrap_or(0);
        match (host, 0).to_socket_addrs() {
            Ok(addresses) => {
                found.extend(addresses.map(|address| (address.ip().to_canonical(), count)));
            }
            Err(error) => tracing::warn!(
                host,
                %error,
                "a host of max.connections.per.ip.overrides cannot be resolved"
            ),
        }
    }
    found
}

/// Applies the metadata, and the limits on connections with it.
pub(crate) struct FollowLimits {
    applier: MetadataApplier,
    node: Arc<Node>,
    counter: Arc<ConnectionCounter>,
    open_files: u64,
    /// What the overrides were made from. Names are resolved when it changes, and never else: that may
    /// take a while.
    overrides: Mutex<String>,
}

impl FollowLimits {
    pub(crate) fn new(
        applier: MetadataApplier,
        node: &Arc<Node>,
        counter: &Arc<ConnectionCounter>,
        open_files: u64,
    ) -> Self {
        let config = node.config();
        counter.set_overrides(overrides(&config));
        Self {
            applier,
            node: Arc::clone(node),
            counter: Arc::clone(counter),
            open_files,
            overrides: Mutex::new(config.network.max_connections_per_ip_overrides.clone()),
        }
    }

    fn follow(&self, config: &BrokerConfig) {
        let limits = connection_limits(config, self.open_files);
        self.counter.set_limits(limits);
        let text = &config.network.max_connections_per_ip_overrides;
        let mut known = self.overrides.lock();
        if *known != *text {
            known.clone_from(text);
            self.counter.set_overrides(overrides(config));
        }
    }
}

impl MetadataListener for FollowLimits {
    fn on_commit(&self, delta: &MetadataDelta, image: &Arc<MetadataImage>) {
        self.applier.on_commit(delta, image);
        let mut configs = delta.configs().iter();
        if configs.any(|resource| resource.kind == ResourceType::BROKER) {
            self.follow(&self.node.config());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &[(&str, &str)]) -> BrokerConfig {
        let pairs = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.bootstrap.servers", "localhost:9093"),
            ("ottla.connections.max", "1000"),
            ("ottla.connections.max.per.ip", "500"),
            ("ottla.open.files.max", "100"),
        ];
        let pairs = pairs.iter().chain(more);
        let raw = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        BrokerConfig::load(raw.collect()).unwrap()
    }

    #[test]
    fn the_strictest_limit_counts() {
        let limits = |more: &[(&str, &str)], files| {
            let limits = connection_limits(&config(more), files);
            (limits.total, limits.per_address)
        };
        assert_eq!(limits(&[], 1_000_000), (1000, 500));
        assert_eq!(limits(&[("max.connections", "10")], 1_000_000), (10, 500));
        assert_eq!(
            limits(&[("max.connections.per.ip", "3")], 1_000_000),
            (1000, 3)
        );
        assert_eq!(limits(&[], 300), (200, 500));
        assert_eq!(limits(&[], 50), (CONNECTIONS_MIN, 500));
    }

    #[test]
    fn overrides_are_by_address() {
        let text = "127.0.0.1:7,10.0.0.2:9,::1:8";
        let found = overrides(&config(&[("max.connections.per.ip.overrides", text)]));
        let of = |text: &str| found.get(&text.parse::<IpAddr>().unwrap()).copied();
        assert_eq!(of("127.0.0.1"), Some(7));
        assert_eq!(of("10.0.0.2"), Some(9));
        assert_eq!(of("::1"), Some(8));
    }
}
