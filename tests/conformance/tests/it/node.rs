//! A node of this build.

use std::net::SocketAddr;
use std::path::Path;

use ottla_config::BrokerConfig;
use ottla_server::running::RunningNode;
use ottla_server::start::{StartOptions, start};

/// A node as Apache Kafka was configured when its answers were recorded.
pub(crate) fn start_in(folder: &Path) -> RunningNode {
    let data = folder.display().to_string();
    let texts = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        (
            "listeners",
            "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
        ),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "127.0.0.1:1"),
        ("log.dirs", &data),
        ("offsets.topic.replication.factor", "1"),
        ("transaction.state.log.replication.factor", "1"),
        ("transaction.state.log.min.isr", "1"),
        ("share.coordinator.state.topic.replication.factor", "1"),
        ("share.coordinator.state.topic.min.isr", "1"),
        ("group.initial.rebalance.delay.ms", "0"),
    ];
    let texts = texts.map(|(key, text)| (key.to_owned(), text.to_owned()));
    let config = BrokerConfig::load(texts.into()).expect("a valid configuration");
    let options = StartOptions {
        auto_format: true,
        on_failure: Box::new(|error| panic!("{error}")),
    };
    start(config, options).expect("a node starts in an empty directory")
}

/// Where it listens for clients.
pub(crate) fn address(node: &RunningNode) -> SocketAddr {
    let port = node.listeners().first().expect("a listener").port;
    SocketAddr::from(([127, 0, 0, 1], port))
}
