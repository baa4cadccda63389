//! Committed offsets of every group, and those that open transactions are going to commit.
//!
//! `commit` decides OffsetCommit, `fetch` answers OffsetFetch, `remove` decides what goes: by request,
//! by age, with a topic.

mod commit;
mod fetch;
mod remove;
mod transactions;

pub use commit::{Committer, OffsetToCommit};
pub use fetch::{PartitionOffset, TopicOffsets};

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::{Offset, ProducerId, Uuid};

use crate::record_codec::GroupRecord;
use transactions::Pending;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Where the group goes on reading.
    pub offset: i64,
    /// Leader epoch of the last record read, -1 if not known.
    pub leader_epoch: i32,
    /// What the client wrote down with it.
    pub metadata: Box<str>,
    /// Wall clock at the commit, in ms.
    pub commit_timestamp: i64,
    /// Wall clock from which it is expired, in ms, if an old request gave it a retention of its own.
    pub expire_timestamp: Option<i64>,
    /// Id of the topic, zero if not known.
    pub topic_id: Uuid,
}

/// A committed offset and where in the log it stands: of two the later one holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) at: Offset,
    pub(crate) committed: CommittedOffset,
}

/// Offsets by topic and partition.
pub(crate) type ByTopic = BTreeMap<Arc<str>, BTreeMap<i32, Stored>>;

/// The offsets of every group.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Offsets {
    by_group: BTreeMap<Arc<str>, ByTopic>,
    pending: Pending,
}

impl Offsets {
    /// Applies a record.
    pub(crate) fn replay(
        &mut self,
        at: Offset,
        producer: Option<ProducerId>,
        group: &Arc<str>,
        topic: &Arc<str>,
        partition: i32,
        value: Option<&CommittedOffset>,
    ) {
        match (value, producer) {
            (Some(committed), Some(producer)) => {
                let stored = Stored {
                    at,
                    committed: committed.clone(),
                };
                self.pending.add(producer, group, topic, partition, stored);
            }
            (Some(committed), None) => {
                let stored = Stored {
                    at,
                    committed: committed.clone(),
                };
                put(&mut self.by_group, group, topic, partition, stored);
            }
            (None, _) => self.remove(group, topic, partition),
        }
    }

    /// Ends a transaction; returns the groups that got offsets of it.
    pub(crate) fn end_transaction(
        &mut self,
        producer: ProducerId,
        committed: bool,
    ) -> Vec<Arc<str>> {
        let ended = self.pending.end(producer);
        if !committed {
            return Vec::new();
        }
        let mut groups = Vec::new();
        for (group, topics) in ended {
            for (topic, partitions) in topics {
                for (partition, stored) in partitions {
                    // A commit outside of the transaction may have come after this one.
                    let present = self.get_stored(&group, &topic, partition);
                    if present.is_none_or(|present| present.at < stored.at) {
                        put(&mut self.by_group, &group, &topic, partition, stored);
                    }
                }
            }
            groups.push(group);
        }
        groups
    }

    fn remove(&mut self, group: &str, topic: &str, partition: i32) {
        let Some(topics) = self.by_group.get_mut(group) else {
            return;
        };
        if let Some(partitions) = topics.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                topics.remove(topic);
            }
        }
        if topics.is_empty() {
            self.by_group.remove(group);
        }
    }

    fn get_stored(&self, group: &str, topic: &str, partition: i32) -> Option<&Stored> {
        self.by_group.get(group)?.get(topic)?.get(&partition)
    }

    /// A committed offset.
    pub(crate) fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.get_stored(group, topic, partition)
            .map(|stored| &stored.committed)
    }

    /// Everything that a group has committed.
    pub(crate) fn of_group(&self, group: &str) -> Option<&ByTopic> {
        self.by_group.get(group)
    }

    /// Every group that has committed something.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&Arc<str>, &ByTopic)> {
        self.by_group.iter()
    }

    /// Whether a transaction may commit something for the group.
    pub(crate) fn has_pending(&self, group: &str) -> bool {
        self.pending.is_open(group)
    }

    /// Whether an open transaction may change the offset.
    pub(crate) fn is_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.pending.contains(group, topic, partition)
    }

    /// Names of a group and a topic as they are kept, to share their memory.
    pub(crate) fn names(&self, group: &str, topic: &str) -> (Arc<str>, Arc<str>) {
        let Some((group, topics)) = self.by_group.get_key_value(group) else {
            return (group.into(), topic.into());
        };
        let kept = topics.get_key_value(topic).map(|(name, _)| name);
        (
            Arc::clone(group),
            kept.map_or_else(|| topic.into(), Arc::clone),
        )
    }

    /// Puts in the removal of everything that a group has committed.
    pub(crate) fn delete_all(&self, group: &str, records: &mut Vec<GroupRecord>) {
        let Some((group, topics)) = self.by_group.get_key_value(group) else {
            return;
        };
        for (topic, partitions) in topics {
            for partition in partitions.keys() {
                records.push(removal(group, topic, *partition));
            }
        }
    }
}

/// The record that removes an offset.
fn removal(group: &Arc<str>, topic: &Arc<str>, partition: i32) -> GroupRecord {
    GroupRecord::Offset {
        group: Arc::clone(group),
        topic: Arc::clone(topic),
        partition,
        value: None,
    }
}

fn put(
    groups: &mut BTreeMap<Arc<str>, ByTopic>,
    group: &Arc<str>,
    topic: &Arc<str>,
    partition: i32,
    stored: Stored,
) {
    // Looked up first: an entry would need a clone of each name.
    let topics = match groups.get_mut(group) {
        Some(topics) => topics,
        None => groups.entry(Arc::clone(group)).or_default(),
    };
    let partitions = match topics.get_mut(topic) {
        Some(partitions) => partitions,
        None => topics.entry(Arc::clone(topic)).or_default(),
    };
    partitions.insert(partition, stored);
}
