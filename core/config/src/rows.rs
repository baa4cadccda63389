//! The rows of all keys, one file per subject.

pub mod client_metrics;
pub mod group;
pub mod group_config;
pub mod log;
pub mod metrics;
pub mod network;
pub mod node;
pub mod ottla;
pub mod quorum;
pub mod replication;
pub mod sasl;
pub mod security;
pub mod share;
pub mod streams;
pub mod tiered;
pub mod tls;
pub mod topic;
pub mod transaction;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ottla_base::ConfigRow;

/// The broker's tables in the order of the docs, each with its title.
pub const BROKER_TABLES: &[(&str, &[ConfigRow])] = &[
    ("Ottla's own", ottla::OTTLA_ROWS),
    ("Node", node::NODE_ROWS),
    ("Listeners, connections and requests", network::NETWORK_ROWS),
    ("Logs", log::LOG_ROWS),
    ("Replication", replication::REPLICATION_ROWS),
    ("Metadata quorum", quorum::QUORUM_ROWS),
    ("Consumer groups", group::GROUP_ROWS),
    ("Transactions", transaction::TRANSACTION_ROWS),
    ("Share groups", share::SHARE_ROWS),
    ("Streams groups", streams::STREAMS_ROWS),
    ("Tiered storage", tiered::TIERED_ROWS),
    ("Security", security::SECURITY_ROWS),
    ("SASL", sasl::SASL_ROWS),
    ("TLS", tls::TLS_ROWS),
    ("Metrics and quotas", metrics::METRICS_ROWS),
];

/// Keys that exist only as dynamic configs: a file that sets one sets an unknown key.
pub const DYNAMIC_ONLY: [&str; 3] = [
    "follower.replication.throttled.rate",
    "leader.replication.throttled.rate",
    "replica.alter.log.dirs.io.max.bytes.per.second",
];

static BROKER: LazyLock<BTreeMap<&'static str, &'static ConfigRow>> = LazyLock::new(|| {
    BROKER_TABLES
        .iter()
        .flat_map(|(_, rows)| *rows)
        .map(|row| (row.name, row))
        .collect()
});

static TOPIC: LazyLock<BTreeMap<&'static str, &'static ConfigRow>> = LazyLock::new(|| {
    topic::TOPIC_ROWS
        .iter()
        .map(|row| (row.name, row))
        .collect()
});

static GROUP_CONFIG: LazyLock<BTreeMap<&'static str, &'static ConfigRow>> = LazyLock::new(|| {
    group_config::GROUP_CONFIG_ROWS
        .iter()
        .map(|row| (row.name, row))
        .collect()
});

static CLIENT_METRICS: LazyLock<BTreeMap<&'static str, &'static ConfigRow>> = LazyLock::new(|| {
    client_metrics::CLIENT_METRICS_ROWS
        .iter()
        .map(|row| (row.name, row))
        .collect()
});

/// All broker rows by key.
#[must_use]
pub fn broker_rows() -> &'static BTreeMap<&'static str, &'static ConfigRow> {
    &BROKER
}

/// All topic rows by key.
#[must_use]
pub fn topic_rows() -> &'static BTreeMap<&'static str, &'static ConfigRow> {
    &TOPIC
}

/// All rows of groups by key.
#[must_use]
pub fn group_config_rows() -> &'static BTreeMap<&'static str, &'static ConfigRow> {
    &GROUP_CONFIG
}

/// All rows of subscriptions to client metrics by key.
#[must_use]
pub fn client_metrics_rows() -> &'static BTreeMap<&'static str, &'static ConfigRow> {
    &CLIENT_METRICS
}
