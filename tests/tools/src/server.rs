//! The server that the tools talk to: a node of Apache Kafka or of Ottla, on free ports and a directory of its own.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use ottla_oracle::{Cluster, Jars, Node, free_ports};
use ottla_tests::Ottla;
use tempfile::TempDir;

/// Settings of both kinds of nodes.
const SETTINGS: &[(&str, &str)] = &[
    ("offsets.topic.num.partitions", "3"),
    ("transaction.state.log.num.partitions", "3"),
    // Records of the scripts are years old.
    ("log.retention.ms", "-1"),
];

/// Whose server.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Apache Kafka's.
    Kafka(Jars),
    /// Ottla's.
    Ottla,
}

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct Server {
    port: u16,
    node: Running,
    dir: TempDir,
}

#[derive(Debug)]
enum Running {
    Kafka(#[expect(dead_code, reason = "keeps the process alive")] Node),
    Ottla(#[expect(dead_code, reason = "keeps the process alive")] Box<Ottla>),
}

impl Server {
    /// Starts one, with settings of its own.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(kind: &Kind, settings: &[(String, String)]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let port = free_ports();
        let mut cluster = Cluster::single(&dir.path().join("node"), port);
        for (key, value) in SETTINGS {
            cluster = cluster.with(key, value);
        }
        for (key, value) in settings {
            cluster = cluster.with(key, value);
        }
        let node = match kind {
            Kind::Kafka(jars) => Running::Kafka(cluster.start(jars)?.pop().context("one node")?),
            Kind::Ottla => {
                let mut node = Ottla::of(cluster);
                node.start()?;
                Running::Ottla(Box::new(node))
            }
        };
        Ok(Self { port, node, dir })
    }

    /// Where clients connect.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Port for clients; the controller's is one above.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the controller listens.
    #[must_use]
    pub fn controller(&self) -> String {
        format!("127.0.0.1:{}", self.port + 1)
    }

    /// Whether it is Apache Kafka, whose answers to changes come before the broker knows of them.
    #[must_use]
    pub fn is_kafka(&self) -> bool {
        matches!(self.node, Running::Kafka(_))
    }

    /// Its `log.dirs`.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("node/data")
    }

    /// A directory for a file of command lines.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn work_dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.path().join("work").join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }
}
