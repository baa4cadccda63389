//! There and back again: what Apache Kafka began, Ottla goes on with, and Apache Kafka after it, and Ottla once more.
//!
//! The directory holds everything that Apache Kafka can have written: a compacted log with gaps, committed, aborted and
//! open transactions, every codec, groups of each kind. Each server adds to all of it before it hands over, and each has
//! to serve what a client of the one before it saw: records by both isolations, offsets by time, log starts, committed
//! offsets. A producer's last batch, sent again to the next server, must be recognised.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use ottla_oracle::{Cluster, Jars, Node, free_ports};
use ottla_records::codec::Compression;
use ottla_tests::client::{Client, batch};
use ottla_tests::{End, Expected, Ottla, dump, inspect, java, not_run, say};

use crate::handover::{fill, no_differences, unpack};

/// What Ottla adds.
const OF_OTTLA: &[&str] = &["more"];

/// What Apache Kafka adds.
const OF_APACHE_KAFKA: &[&str] = &[
    "more",
    "transactions",
    "compaction",
    "consumer-protocol",
    "share",
];

/// Settings of every server: records and commits of the archive are old and must not expire, and what a timer does must
/// not come between a look and the next.
const SETTINGS: &[(&str, &str)] = &[
    ("log.retention.ms", "-1"),
    ("offsets.retention.minutes", "2147483647"),
    (
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "3600000",
    ),
    ("log.cleaner.backoff.ms", "100"),
    ("log.initial.task.delay.ms", "100"),
    ("share.coordinator.state.topic.num.partitions", "3"),
];

/// How every server of a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Stopped,
    Killed,
}

impl Ending {
    fn archive(self) -> &'static str {
        match self {
            Self::Stopped => "kafka-4.4.0-clean.tar.gz",
            Self::Killed => "kafka-4.4.0-killed.tar.gz",
        }
    }

    /// What may have become of a directory that Apache Kafka left.
    fn of_apache_kafka(self) -> End {
        match self {
            Self::Stopped => End::Clean,
            Self::Killed => End::ApacheKafkaKilled,
        }
    }

    fn of_ottla(self) -> End {
        match self {
            Self::Stopped => End::Clean,
            Self::Killed => End::Killed,
        }
    }

    fn end_ottla(self, node: &mut Ottla) -> Result<()> {
        match self {
            Self::Stopped => node.stop(),
            Self::Killed => node.kill(),
        }
    }

    fn end_apache_kafka(self, node: Node) -> Result<()> {
        match self {
            Self::Stopped => node.stop(),
            Self::Killed => node.kill(),
        }
    }
}

/// An idempotent producer whose last batch is sent again to whoever serves next.
struct Producer {
    id: (i64, i16),
    sequence: i32,
    /// The last batch, and where it went.
    last: Option<(Vec<u8>, i64)>,
}

impl Producer {
    const TOPIC: &str = "idempotent";

    fn new(client: &mut Client) -> Result<Self> {
        let id = client.patiently(Client::init_producer_id)?;
        Ok(Self {
            id,
            sequence: 0,
            last: None,
        })
    }

    /// Sends the last batch again, which must be known, and then some more.
    fn go_on(&mut self, client: &mut Client) -> Result<()> {
        if let Some((bytes, offset)) = &self.last {
            let again = client
                .patiently(|client| client.produce(Self::TOPIC, 0, bytes.clone())?.offset())?;
            if again != *offset {
                bail!("the batch at {offset} was taken again, at {again}");
            }
        }
        for _ in 0..3 {
            let (id, epoch) = self.id;
            let records = [(Some(&b"again"[..]), Some(&b"and again"[..])); 2];
            let producer = Some((id, epoch, self.sequence));
            let bytes = batch(&records, now()?, Compression::Lz4, producer)?;
            let offset = client.produce(Self::TOPIC, 0, bytes.clone())?.offset()?;
            self.sequence += 2;
            self.last = Some((bytes, offset));
        }
        Ok(())
    }
}

/// Milliseconds since 1970: a producer that wrote long ago would be forgotten.
fn now() -> Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}

/// The directory in the middle of its way.
struct Chain {
    jars: Jars,
    node: Ottla,
    ending: Ending,
    producer: Option<Producer>,
    /// What a client of the last server saw.
    expected: Expected,
}

impl Chain {
    /// Begins with what Apache Kafka left in an archive.
    fn begin(jars: Jars, dir: &Path, ending: Ending) -> Result<Self> {
        unpack(ending.archive(), dir)?;
        let mut cluster = Cluster::single(dir, free_ports());
        for (key, value) in SETTINGS {
            cluster = cluster.with(key, value);
        }
        Ok(Self {
            jars,
            node: Ottla::of(cluster),
            ending,
            producer: None,
            expected: Expected::read(&dir.join("expected.tsv"))?,
        })
    }

    fn check(&self, who: &str, before: End) -> Result<()> {
        let found = self.expected.differences(&self.node.bootstrap(), before)?;
        no_differences(who, &found);
        Ok(())
    }

    /// Adds to everything, and looks at it.
    fn add(&mut self, features: &[&str]) -> Result<()> {
        let mut client = Client::connect(&self.node.bootstrap())?;
        if self.producer.is_none() {
            self.producer = Some(Producer::new(&mut client)?);
        }
        if let Some(producer) = &mut self.producer {
            producer.go_on(&mut client)?;
        }
        self.expected = Expected::read(&fill(&self.node, features)?)?;
        Ok(())
    }

    /// Ottla takes over what Apache Kafka left, adds to it and ends; Apache Kafka's tools look at what it leaves.
    fn ottla(&mut self, who: &str) -> Result<()> {
        self.node.start()?;
        self.check(who, self.ending.of_apache_kafka())?;
        self.add(OF_OTTLA)?;
        self.ending.end_ottla(&mut self.node)?;
        let data = self.node.data_dir();
        let dumped = dump::faults(&self.jars, &data, self.ending.of_ottla())?;
        no_differences(&format!("{who}: kafka-dump-log"), &dumped);
        for member in &self.node.cluster().members {
            let faults = inspect::faults(&self.jars, member)?;
            no_differences(&format!("{who}: other tools"), &faults);
        }
        Ok(())
    }

    /// Apache Kafka shows what Ottla left, before its cleaner comes.
    fn apache_kafka_looks(&self, who: &str) -> Result<()> {
        let cluster = self.node.cluster().clone();
        for kafka in cluster
            .with("log.cleaner.enable", "false")
            .start(&self.jars)?
        {
            self.check(who, self.ending.of_ottla())?;
            self.ending.end_apache_kafka(kafka)?;
        }
        Ok(())
    }

    /// Apache Kafka adds to it and ends.
    fn apache_kafka_adds(&mut self) -> Result<()> {
        for kafka in self.node.cluster().start(&self.jars)? {
            self.add(OF_APACHE_KAFKA)?;
            self.ending.end_apache_kafka(kafka)?;
        }
        Ok(())
    }
}

fn there_and_back_again(ending: Ending) -> Result<()> {
    let jars = match java("Fixture.java").and_then(|_| Jars::fetch()) {
        Ok(jars) => jars,
        Err(why) => {
            let what = "a directory that goes from Apache Kafka to Ottla and back";
            not_run(what, &format!("{why:#}"));
            return Ok(());
        }
    };
    let mut dir = tempfile::tempdir()?;
    // To look at what a failure left.
    dir.disable_cleanup(std::env::var_os("OTTLA_KEEP").is_some());
    let mut chain = Chain::begin(jars, dir.path(), ending)?;
    chain.ottla("Ottla")?;
    chain.apache_kafka_looks("Apache Kafka")?;
    chain.apache_kafka_adds()?;
    chain.ottla("Ottla again")?;
    chain.apache_kafka_looks("Apache Kafka again")?;
    say(&format!(
        "{}: {} records after Apache Kafka, Ottla, Apache Kafka and Ottla, each {ending:?}",
        ending.archive(),
        chain.expected.records()
    ));
    Ok(())
}

#[test]
fn directory_goes_there_and_back_when_each_server_is_stopped() -> Result<()> {
    there_and_back_again(Ending::Stopped)
}

#[test]
fn directory_goes_there_and_back_when_each_server_is_killed() -> Result<()> {
    there_and_back_again(Ending::Killed)
}
