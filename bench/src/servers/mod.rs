//! Servers under test: how each kind is formatted, started, stopped and killed.

mod kafka;
mod ottla;
mod running;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub(crate) use running::{Running, Start, prepare, retire};

/// A server that can be started: one side of a comparison.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    /// What results and tables call it.
    pub(crate) label: String,
    /// Which program.
    pub(crate) program: Program,
}

/// A program that serves Kafka's protocol.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// An `ottla` binary.
    Ottla(PathBuf),
    /// A directory with the jars of Apache Kafka.
    Kafka {
        /// Class path.
        jars: PathBuf,
        /// Fewer threads and twice the heap, which suits two cores better than the defaults do.
        tuned: bool,
    },
}

/// What an acknowledgement means in a workload; the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Durability {
    /// In the page cache: Apache Kafka's default, `ottla.commit.flush=never`.
    PageCache,
    /// On stable storage before it is acknowledged: `flush.messages=1` on both sides.
    Flushed,
}

impl Durability {
    /// The name in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PageCache => "page-cache",
            Self::Flushed => "flushed",
        }
    }

    /// Configuration of a topic.
    pub(crate) fn topic_configs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::PageCache => &[],
            Self::Flushed => &[("flush.messages", "1")],
        }
    }
}

impl Side {
    /// Whether it is native code.
    pub(crate) fn is_native(&self) -> bool {
        matches!(self.program, Program::Ottla(_))
    }

    /// What the program calls its version.
    ///
    /// # Errors
    /// If it cannot be found.
    pub(crate) fn version(&self) -> Result<String> {
        match &self.program {
            Program::Ottla(binary) => ottla::version(binary),
            Program::Kafka { jars, .. } => kafka::version(jars),
        }
    }

    /// Keys that this side gets on top of those both get.
    fn overrides(&self, durability: Durability) -> Vec<(&'static str, &'static str)> {
        match (&self.program, durability) {
            (Program::Ottla(_), Durability::PageCache) => vec![("ottla.commit.flush", "never")],
            (Program::Kafka { tuned: true, .. }, _) => {
                vec![("num.network.threads", "1"), ("num.io.threads", "2")]
            }
            _ => Vec::new(),
        }
    }
}

/// The configuration that both sides get: one combined node, everything at Kafka's defaults except what one node and a
/// repeated measurement need.
fn properties(data: &Path, port: u16, controller_port: u16, more: &[(&str, &str)]) -> String {
    let mut text = format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.segment.delete.delay.ms=1000
",
        data.display()
    );
    for (key, value) in more {
        text.push_str(&format!("{key}={value}\n"));
    }
    text
}
