//! Offsets that open transactions are going to commit (KIP-447).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_base::ProducerId;

use crate::offsets::{ByTopic, Stored};

/// What each open transaction has sent, by producer and group.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pending {
    by_producer: BTreeMap<ProducerId, BTreeMap<Arc<str>, ByTopic>>,
    /// Producers with something open in a group: nearly always none, which a fetch finds out at once.
    by_group: BTreeMap<Arc<str>, BTreeSet<ProducerId>>,
}

impl Pending {
    pub(crate) fn add(
        &mut self,
        producer: ProducerId,
        group: &Arc<str>,
        topic: &Arc<str>,
        partition: i32,
        stored: Stored,
    ) {
        let producers = self.by_group.entry(Arc::clone(group)).or_default();
        producers.insert(producer);
        self.by_producer
            .entry(producer)
            .or_default()
            .entry(Arc::clone(group))
            .or_default()
            .entry(Arc::clone(topic))
            .or_default()
            .insert(partition, stored);
    }

    /// Takes out what a transaction has sent.
    pub(crate) fn end(&mut self, producer: ProducerId) -> BTreeMap<Arc<str>, ByTopic> {
        let ended = self.by_producer.remove(&producer).unwrap_or_default();
        for group in ended.keys() {
            if let Some(producers) = self.by_group.get_mut(group) {
                producers.remove(&producer);
                if producers.is_empty() {
                    self.by_group.remove(group);
                }
            }
        }
        ended
    }

    pub(crate) fn is_open(&self, group: &str) -> bool {
        self.by_group.contains_key(group)
    }

    pub(crate) fn contains(&self, group: &str, topic: &str, partition: i32) -> bool {
        let producers = self.by_group.get(group).into_iter().flatten();
        producers
            .filter_map(|producer| self.by_producer.get(producer)?.get(group)?.get(topic))
            .any(|partitions| partitions.contains_key(&partition))
    }
}
