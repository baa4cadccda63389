//! One administrator, and what it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use ottla_records::codec::Compression;
use ottla_tests::client::{Client, KeyValue, Refused, batch};

/// Topic whose records are deleted bit by bit.
const CUT: &str = "cut";

/// Group whose offset goes up.
const GROUP: &str = "group";

/// Topic whose configuration changes.
const ALTERED: &str = "altered";

/// The error code of that name.
const INVALID_REPLICATION_FACTOR: i16 = 38;

/// What was decided and acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Admin {
    /// Number of the next topic.
    next: i64,
    /// Partitions of each topic; `None` once it is deleted.
    topics: BTreeMap<String, Option<usize>>,
    /// A call was sent and not answered: these topics may be in either state.
    unknown: BTreeSet<String>,
    log_start: i64,
    log_end: i64,
    committed: i64,
    /// The last value acknowledged, and those that may have followed it; empty before the first.
    configs: Vec<String>,
    decisions: usize,
    /// An answer that must not be.
    fault: Option<String>,
}

impl Admin {
    pub(crate) fn begin(client: &mut Client) -> Result<Self> {
        client.create_topic(CUT, 1, &[])?;
        client.create_topic(ALTERED, 1, &[])?;
        client.patiently(|client| client.find_coordinator(GROUP))?;
        client.patiently(|client| client.commit(GROUP, CUT, 0, 0))?;
        Ok(Self::default())
    }

    pub(crate) fn decisions(&self) -> usize {
        self.decisions
    }

    /// Works until the connection ends.
    pub(crate) fn run(&mut self, bootstrap: &str, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            // Any error of the connection is the kill.
            let Ok(mut client) = Client::connect(bootstrap) else {
                continue;
            };
            let Err(error) = self.work(&mut client) else {
                continue;
            };
            // How a node that stops refuses: try again, or, of a topic, no broker is there to take it.
            let stops = |refused: &Refused| {
                refused.is_retriable() || refused.0 == INVALID_REPLICATION_FACTOR
            };
            if error
                .downcast_ref::<Refused>()
                .is_some_and(|refused| !stops(refused))
            {
                self.fault = Some(format!("{error:#} at round {}", self.next));
                return;
            }
        }
    }

    fn work(&mut self, client: &mut Client) -> Result<()> {
        loop {
            self.next += 1;
            let name = format!("made-{}", self.next);
            self.unknown.insert(name.clone());
            client.create_topic(&name, 2, &[("retention.ms", "86400000")])?;
            self.topics.insert(name.clone(), Some(2));
            if self.next % 3 == 0 {
                client.create_partitions(&name, 4)?;
                self.topics.insert(name.clone(), Some(4));
            }
            if self.next % 4 == 0 {
                client.delete_topic(&name)?;
                self.topics.insert(name.clone(), None);
            }
            self.unknown.remove(&name);
            let value = (1_000_000 + self.next).to_string();
            self.configs.push(value.clone());
            client.set_topic_config(ALTERED, "max.message.bytes", &value)?;
            self.configs = vec![value];
            client.patiently(|client| client.commit(GROUP, CUT, 0, self.next))?;
            self.committed = self.next;
            let record: &[KeyValue<'_>] = &[(None, Some(b"x")), (None, Some(b"y"))];
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
            let bytes = batch(
                record,
                i64::try_from(now.as_millis())?,
                Compression::None,
                None,
            )?;
            let produced = client.produce(CUT, 0, bytes)?;
            ensure!(produced.error == 0, Refused(produced.error));
            self.log_end = produced.base_offset + 2;
            self.log_start = client.delete_records(CUT, 0, produced.base_offset + 1)?;
            self.decisions += 5;
        }
    }

    /// Whether everything decided is as it was decided.
    pub(crate) fn check(&mut self, client: &mut Client) -> Result<()> {
        if let Some(fault) = &self.fault {
            bail!("{fault}");
        }
        let listed = client.topics()?;
        for (name, partitions) in &self.topics {
            if self.unknown.contains(name) {
                continue;
            }
            ensure!(
                listed.contains(name) == partitions.is_some(),
                "{name}: is it there? {partitions:?}"
            );
            if let Some(expected) = partitions {
                let got = client.partition_count(name)?;
                ensure!(got == *expected, "{name}: {got} partitions, not {expected}");
                let retention = client.topic_config(name, "retention.ms")?;
                ensure!(
                    retention.as_deref() == Some("86400000"),
                    "{name}: retention.ms {retention:?}"
                );
            }
        }
        for name in std::mem::take(&mut self.unknown) {
            self.topics.remove(&name);
        }
        let start = client.patiently(|client| client.offset(CUT, 0, -2))?;
        ensure!(
            start >= self.log_start,
            "log start went back from {} to {start}",
            self.log_start
        );
        let end = client.offset(CUT, 0, -1)?;
        ensure!(
            end >= self.log_end,
            "log end went back from {} to {end}",
            self.log_end
        );
        let committed = client.patiently(|client| client.committed(GROUP, CUT, 0))?;
        ensure!(
            committed >= self.committed,
            "committed offset went back from {} to {committed}",
            self.committed
        );
        let config = client
            .topic_config(ALTERED, "max.message.bytes")?
            .context("no value")?;
        let known = self.configs.is_empty() || self.configs.contains(&config);
        ensure!(
            known,
            "max.message.bytes {config}, not one of {:?}",
            self.configs
        );
        self.configs = vec![config];
        Ok(())
    }
}
