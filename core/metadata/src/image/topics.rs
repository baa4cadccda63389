//! Topics by id and by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::TopicId;
use rpds::RedBlackTreeMapSync;

use super::partition::PartitionRegistration;
use crate::error::ReplayError;

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicImage {
    /// Its identity.
    pub id: TopicId,
    /// Its name.
    pub name: Arc<str>,
    /// Its partitions by index.
    pub partitions: BTreeMap<i32, Arc<PartitionRegistration>>,
}

impl TopicImage {
    /// The partition with this index.
    #[must_use]
    pub fn partition(&self, index: i32) -> Option<&Arc<PartitionRegistration>> {
        self.partitions.get(&index)
    }
}

/// All topics. Cloning is cheap and so is changing a clone: the maps are persistent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicsImage {
    by_id: RedBlackTreeMapSync<TopicId, Arc<TopicImage>>,
    /// Ids only, so that a topic being changed is owned once.
    by_name: RedBlackTreeMapSync<Arc<str>, TopicId>,
}

impl Default for TopicsImage {
    fn default() -> Self {
        Self {
            by_id: RedBlackTreeMapSync::new_sync(),
            by_name: RedBlackTreeMapSync::new_sync(),
        }
    }
}

impl TopicsImage {
    /// The topic with this id.
    #[must_use]
    pub fn by_id(&self, id: TopicId) -> Option<&Arc<TopicImage>> {
        self.by_id.get(&id)
    }

    /// The topic with this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_id.get(self.by_name.get(name)?)
    }

    /// The id of the topic with this name.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<TopicId> {
        self.by_name.get(name).copied()
    }

    /// The partition `index` of the topic `id`.
    #[must_use]
    pub fn partition(&self, id: TopicId, index: i32) -> Option<&Arc<PartitionRegistration>> {
        self.by_id(id)?.partition(index)
    }

    /// How many topics there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.size()
    }

    /// Whether there is no topic.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// All topics in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.by_id.values()
    }

    /// All names with their ids, in the order of the names.
    pub fn names(&self) -> impl Iterator<Item = (&Arc<str>, TopicId)> {
        self.by_name.iter().map(|(name, id)| (name, *id))
    }

    /// Topics in the order of their names, from `first` on.
    pub fn iter_by_name_from<'a>(
        &'a self,
        first: &'a str,
    ) -> impl Iterator<Item = &'a Arc<TopicImage>> + 'a {
        self.by_name
            .range::<str, _>((std::ops::Bound::Included(first), std::ops::Bound::Unbounded))
            .filter_map(|(_, id)| self.by_id.get(id))
    }

    pub(crate) fn create(&mut self, id: TopicId, name: &str) -> Result<(), ReplayError> {
        if self.by_name.contains_key(name) || self.by_id.contains_key(&id) {
            return Err(ReplayError::DuplicateTopic(name.to_owned()));
        }
        let name: Arc<str> = name.into();
        self.by_name.insert_mut(Arc::clone(&name), id);
        self.by_id.insert_mut(
            id,
            Arc::new(TopicImage {
                id,
                name,
                partitions: BTreeMap::new(),
            }),
        );
        Ok(())
    }

    pub(crate) fn remove(&mut self, id: TopicId) -> Result<Arc<TopicImage>, ReplayError> {
        let topic = self
            .by_id
            .get(&id)
            .cloned()
            .ok_or(ReplayError::UnknownTopicId(id))?;
        self.by_id.remove_mut(&id);
        self.by_name.remove_mut(&topic.name);
        Ok(topic)
    }

    /// The topic, to be changed. Copies it if an image still holds it.
    pub(crate) fn topic_mut(&mut self, id: TopicId) -> Result<&mut TopicImage, ReplayError> {
        let topic = self
            .by_id
            .get_mut(&id)
            .ok_or(ReplayError::UnknownTopicId(id))?;
        Ok(Arc::make_mut(topic))
    }
}
