//! The partitions that this node keeps, found by topic name or id.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_base::TopicId;
use rpds::RedBlackTreeMapSync;

use crate::partition::Partition;
use crate::topic_rules::TopicRules;

/// The partitions of one topic, by index; `None` where this node holds no replica.
pub(crate) struct TopicPartitions {
    pub(crate) name: Arc<str>,
    pub(crate) id: TopicId,
    pub(crate) partitions: Vec<Option<Arc<Partition>>>,
}

#[derive(Clone, Default)]
struct Table {
    by_name: RedBlackTreeMapSync<Arc<str>, Arc<TopicPartitions>>,
    by_id: RedBlackTreeMapSync<TopicId, Arc<TopicPartitions>>,
}

/// Every partition of this node. Read by every request without a lock, changed by the quorum thread.
#[derive(Default)]
pub struct Partitions {
    table: ArcSwap<Table>,
}

impl TopicPartitions {
    /// The rules of the topic, from any of its partitions.
    pub(crate) fn any_rules(&self) -> Option<Arc<TopicRules>> {
        self.partitions
            .iter()
            .flatten()
            .next()
            .map(|partition| partition.rules())
    }

    fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        let index = usize::try_from(index).ok()?;
        self.partitions.get(index)?.clone()
    }
}

impl Partitions {
    /// The partition `index` of the topic named `topic`.
    pub(crate) fn by_name(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        self.table.load().by_name.get(topic)?.partition(index)
    }

    /// The partition `index` of the topic with that id.
    pub(crate) fn by_id(&self, topic: TopicId, index: i32) -> Option<Arc<Partition>> {
        self.table.load().by_id.get(&topic)?.partition(index)
    }

    /// The partitions of the topic with that id.
    pub(crate) fn topic_by_id(&self, id: TopicId) -> Option<Arc<TopicPartitions>> {
        self.table.load().by_id.get(&id).cloned()
    }

    /// Puts a topic's partitions in, in place of what it had.
    pub(crate) fn put(&self, topics: impl IntoIterator<Item = TopicPartitions>) {
        let mut table = Table::clone(&self.table.load());
        for topic in topics {
            let topic = Arc::new(topic);
            table
                .by_name
                .insert_mut(Arc::clone(&topic.name), Arc::clone(&topic));
            table.by_id.insert_mut(topic.id, topic);
        }
        self.table.store(Arc::new(table));
    }

    /// Takes a topic out; gives its partitions. A topic made again under the name stays.
    pub(crate) fn remove(&self, id: TopicId) -> Option<Arc<TopicPartitions>> {
        let mut table = Table::clone(&self.table.load());
        let topic = table.by_id.get(&id).cloned()?;
        table.by_id.remove_mut(&id);
        if table
            .by_name
            .get(&topic.name)
            .is_some_and(|named| named.id == id)
        {
            table.by_name.remove_mut(&topic.name);
        }
        self.table.store(Arc::new(table));
        Some(topic)
    }

    /// Every partition.
    pub(crate) fn all(&self) -> Vec<Arc<Partition>> {
        let table = self.table.load();
        let topics = table.by_id.values();
        topics
            .flat_map(|topic| topic.partitions.iter().flatten().cloned())
            .collect()
    }
}
