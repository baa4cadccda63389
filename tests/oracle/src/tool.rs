//! Apache Kafka's tools: class names, and how a class is run.

use std::path::Path;
use std::process::Command;

use crate::Jars;

/// Tools by the name of their script, without the leading `kafka-`.
const TOOLS: &[(&str, &str)] = &[
    ("acls", "org.apache.kafka.tools.AclCommand"),
    (
        "broker-api-versions",
        "org.apache.kafka.tools.BrokerApiVersionsCommand",
    ),
    (
        "client-metrics",
        "org.apache.kafka.tools.ClientMetricsCommand",
    ),
    ("cluster", "org.apache.kafka.tools.ClusterTool"),
    ("configs", "kafka.admin.ConfigCommand"),
    (
        "console-consumer",
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
    ),
    ("console-producer", "org.apache.kafka.tools.ConsoleProducer"),
    (
        "console-share-consumer",
        "org.apache.kafka.tools.consumer.ConsoleShareConsumer",
    ),
    (
        "consumer-groups",
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    ),
    (
        "consumer-perf-test",
        "org.apache.kafka.tools.ConsumerPerformance",
    ),
    (
        "delegation-tokens",
        "org.apache.kafka.tools.DelegationTokenCommand",
    ),
    (
        "delete-records",
        "org.apache.kafka.tools.DeleteRecordsCommand",
    ),
    ("dump-log", "org.apache.kafka.tools.DumpLogSegments"),
    ("e2e-latency", "org.apache.kafka.tools.EndToEndLatency"),
    ("features", "org.apache.kafka.tools.FeatureCommand"),
    ("get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
    ("groups", "org.apache.kafka.tools.GroupsCommand"),
    (
        "leader-election",
        "org.apache.kafka.tools.LeaderElectionCommand",
    ),
    ("log-dirs", "org.apache.kafka.tools.LogDirsCommand"),
    (
        "metadata-quorum",
        "org.apache.kafka.tools.MetadataQuorumCommand",
    ),
    ("metadata-shell", "org.apache.kafka.shell.MetadataShell"),
    (
        "producer-perf-test",
        "org.apache.kafka.tools.ProducerPerformance",
    ),
    (
        "reassign-partitions",
        "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    ),
    (
        "replica-verification",
        "org.apache.kafka.tools.ReplicaVerificationTool",
    ),
    (
        "share-consumer-perf-test",
        "org.apache.kafka.tools.ShareConsumerPerformance",
    ),
    (
        "share-groups",
        "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
    ),
    ("storage", "kafka.tools.StorageTool"),
    (
        "streams-application-reset",
        "org.apache.kafka.tools.StreamsResetter",
    ),
    (
        "streams-groups",
        "org.apache.kafka.tools.streams.StreamsGroupCommand",
    ),
    ("topics", "org.apache.kafka.tools.TopicCommand"),
    ("transactions", "org.apache.kafka.tools.TransactionsCommand"),
    (
        "verifiable-consumer",
        "org.apache.kafka.tools.VerifiableConsumer",
    ),
    (
        "verifiable-producer",
        "org.apache.kafka.tools.VerifiableProducer",
    ),
    (
        "verifiable-share-consumer",
        "org.apache.kafka.tools.VerifiableShareConsumer",
    ),
];

/// Flags for short runs: start fast, take little.
const SHORT_RUN: &[&str] = &[
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
];

impl Jars {
    /// A tool of Apache Kafka, by the name of its script without `kafka-`, or any class of the tools' class path.
    #[must_use]
    pub fn tool(&self, name: &str) -> Command {
        let class = TOOLS
            .iter()
            .find(|(tool, _)| *tool == name)
            .map_or(name, |(_, class)| class);
        java(&self.tools, class, "-Xmx512M")
    }

    /// A Java source file that is run without being built, on the class path of Apache Kafka's clients.
    #[must_use]
    pub fn source(&self, file: &Path) -> Command {
        let mut command = Command::new("java");
        command
            .args(SHORT_RUN)
            .arg("-Xmx512M")
            .arg("-cp")
            .arg(class_path(&self.tools))
            .arg(file);
        command
    }

    /// A class of the server's class path.
    pub(crate) fn server_class(&self, class: &str, heap: &str) -> Command {
        java(&self.server, class, heap)
    }
}

fn java(dir: &Path, class: &str, heap: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args(SHORT_RUN)
        .arg(heap)
        .arg("-Djava.awt.headless=true");
    command.arg("-cp").arg(class_path(dir)).arg(class);
    command
}

/// All jars of a directory, in Java's own notation.
fn class_path(dir: &Path) -> String {
    format!("{}/*", dir.display())
}
