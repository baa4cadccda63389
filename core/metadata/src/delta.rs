//! What changed from one image to the next.
//!
//! A delta starts at an image, takes records, and ends in the next image. Beside the new state it keeps
//! which topics, partitions, configs and brokers the records touched, so that a broker does work in
//! proportion to the change and not to the cluster.
//!
//! Records within a metadata transaction (KIP-868) count only when it ends: a delta in the middle of one
//! cannot become an image; one that is aborted leaves no trace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_base::{LeaderEpoch, NodeId, Offset, TopicId};

use crate::error::ReplayError;
use crate::image::{
    ConfigResource, MetadataImage, PartitionRegistration, ResourceType, TopicImage,
};
use crate::record::MetadataRecord;

/// Topics that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicsDelta {
    /// Topics that the old image does not have.
    pub created: BTreeSet<TopicId>,
    /// Partitions made or changed, by topic; topics that are gone again are not here.
    pub changed: BTreeMap<TopicId, BTreeSet<i32>>,
    /// Topics of the old image that are gone, as they were.
    pub deleted: BTreeMap<TopicId, Arc<TopicImage>>,
}

/// A replica that a broker holds, as the new image has it.
#[derive(Debug, Clone, Copy)]
pub struct LocalReplica<'a> {
    /// The topic.
    pub topic: &'a Arc<TopicImage>,
    /// Index of the partition.
    pub partition: i32,
    /// The partition.
    pub registration: &'a Arc<PartitionRegistration>,
    /// The partition in the old image, if it was there.
    pub before: Option<&'a Arc<PartitionRegistration>>,
}

/// State at the start of a transaction, to go back to.
#[derive(Debug, Clone)]
struct Checkpoint {
    next: MetadataImage,
    topics: TopicsDelta,
    configs: BTreeSet<ConfigResource>,
    brokers: BTreeSet<NodeId>,
}

/// Collects records on top of an image.
#[derive(Debug, Clone)]
pub struct MetadataDelta {
    base: Arc<MetadataImage>,
    next: MetadataImage,
    /// Topics and partitions that changed.
    topics: TopicsDelta,
    /// Resources whose configs changed, deleted topics included.
    configs: BTreeSet<ConfigResource>,
    /// Brokers that registered, changed or left.
    brokers: BTreeSet<NodeId>,
    transaction: Option<Box<Checkpoint>>,
}

impl MetadataDelta {
    /// No change yet to `base`.
    #[must_use]
    pub fn new(base: Arc<MetadataImage>) -> Self {
        Self {
            next: MetadataImage::clone(&base),
            base,
            topics: TopicsDelta::default(),
            configs: BTreeSet::new(),
            brokers: BTreeSet::new(),
            transaction: None,
        }
    }

    /// Takes in the next committed record.
    ///
    /// # Errors
    /// [`ReplayError`] if it does not fit; the delta is then of no use.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<(), ReplayError> {
        use MetadataRecord as R;
        match record {
            R::BeginTransaction(_) => return self.begin(),
            R::EndTransaction(_) => {
                let ended = self.transaction.take();
                return ended
                    .map(|_| ())
                    .ok_or_else(|| ReplayError::Transaction(record.name()));
            }
            R::AbortTransaction(_) => {
                let checkpoint = *self
                    .transaction
                    .take()
                    .ok_or_else(|| ReplayError::Transaction(record.name()))?;
                self.next = checkpoint.next;
                self.topics = checkpoint.topics;
                self.configs = checkpoint.configs;
                self.brokers = checkpoint.brokers;
                return Ok(());
            }
            R::ClearElr(record) => {
                self.note_clear_elr(&record.topic_name);
            }
            R::RemoveTopic(record) => self.note_removal(TopicId(record.topic_id)),
            _ => {}
        }
        self.next.apply(record)?;
        self.note(record);
        Ok(())
    }

    fn begin(&mut self) -> Result<(), ReplayError> {
        if self.transaction.is_some() {
            return Err(ReplayError::Transaction("BeginTransactionRecord"));
        }
        self.transaction = Some(Box::new(Checkpoint {
            next: self.next.clone(),
            topics: self.topics.clone(),
            configs: self.configs.clone(),
            brokers: self.brokers.clone(),
        }));
        Ok(())
    }

    fn note(&mut self, record: &MetadataRecord) {
        use MetadataRecord as R;
        match record {
            R::Topic(record) => {
                self.topics.created.insert(TopicId(record.topic_id));
                self.topics
                    .changed
                    .entry(TopicId(record.topic_id))
                    .or_default();
            }
            R::Partition(record) => {
                self.note_partition(TopicId(record.topic_id), record.partition_id);
            }
            R::PartitionChange(record) => {
                self.note_partition(TopicId(record.topic_id), record.partition_id);
            }
            R::Config(record) => {
                self.configs.insert(ConfigResource {
                    kind: ResourceType(record.resource_type),
                    name: record.resource_name.clone(),
                });
            }
            R::RegisterBroker(record) => {
                self.brokers.insert(NodeId(record.broker_id));
            }
            R::UnregisterBroker(record) => {
                self.brokers.insert(NodeId(record.broker_id));
            }
            R::BrokerRegistrationChange(record) => {
                self.brokers.insert(NodeId(record.broker_id));
            }
            R::FenceBroker(record) => {
                self.brokers.insert(NodeId(record.id));
            }
            R::UnfenceBroker(record) => {
                self.brokers.insert(NodeId(record.id));
            }
            _ => {}
        }
    }

    fn note_partition(&mut self, topic: TopicId, partition: i32) {
        self.topics
            .changed
            .entry(topic)
            .or_default()
            .insert(partition);
    }

    /// The partitions whose ELR a record is about to clear.
    fn note_clear_elr(&mut self, topic_name: &str) {
        let mut note = |topic: &TopicImage| {
            for (&index, partition) in &topic.partitions {
                if !partition.elr.is_empty() || !partition.last_known_elr.is_empty() {
                    self.topics
                        .changed
                        .entry(topic.id)
                        .or_default()
                        .insert(index);
                }
            }
        };
        if topic_name.is_empty() {
            self.next.topics.iter().for_each(|topic| note(topic));
        } else if let Some(topic) = self.next.topics.by_name(topic_name) {
            note(topic);
        }
    }

    /// The topic that a record is about to remove.
    fn note_removal(&mut self, id: TopicId) {
        self.topics.changed.remove(&id);
        if let Some(topic) = self.next.topics.by_id(id) {
            let resource = ConfigResource::topic(&*topic.name);
            if !self.next.configs.of(&resource).is_empty() {
                self.configs.insert(resource);
            }
        }
        if !self.topics.created.remove(&id)
            && let Some(topic) = self.base.topics.by_id(id)
        {
            self.topics.deleted.insert(id, Arc::clone(topic));
        }
    }

    /// Whether a transaction is open: the delta cannot become an image until it ends.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// The image that the delta started from.
    #[must_use]
    pub fn base(&self) -> &Arc<MetadataImage> {
        &self.base
    }

    /// The state after the records so far. Its offset is still that of the base.
    #[must_use]
    pub fn next(&self) -> &MetadataImage {
        &self.next
    }

    /// Topics and partitions that changed.
    #[must_use]
    pub fn topics(&self) -> &TopicsDelta {
        &self.topics
    }

    /// Resources whose configs changed.
    #[must_use]
    pub fn configs(&self) -> &BTreeSet<ConfigResource> {
        &self.configs
    }

    /// Brokers that registered, changed or left.
    #[must_use]
    pub fn brokers(&self) -> &BTreeSet<NodeId> {
        &self.brokers
    }

    /// Whether a feature level changed.
    #[must_use]
    pub fn features_changed(&self) -> bool {
        self.base.features != self.next.features
    }

    /// Changed partitions of which `broker` holds a replica in the new image.
    pub fn local_replicas(&self, broker: NodeId) -> impl Iterator<Item = LocalReplica<'_>> {
        self.topics
            .changed
            .iter()
            .flat_map(move |(&id, partitions)| {
                let topic = self.next.topics.by_id(id);
                partitions.iter().filter_map(move |&partition| {
                    let topic = topic?;
                    let registration = topic.partition(partition)?;
                    registration
                        .replicas
                        .contains(&broker)
                        .then(|| LocalReplica {
                            topic,
                            partition,
                            registration,
                            before: self.base.topics.partition(id, partition),
                        })
                })
            })
    }

    /// Partitions of which `broker` held a replica in the old image and does not in the new one:
    /// their topic is gone, or the replica moved.
    pub fn removed_replicas(
        &self,
        broker: NodeId,
    ) -> impl Iterator<Item = (&Arc<TopicImage>, i32)> {
        let held = move |topic: &Arc<TopicImage>, index: i32| {
            topic
                .partition(index)
                .is_some_and(|p| p.replicas.contains(&broker))
        };
        let deleted = self.topics.deleted.values().flat_map(move |topic| {
            topic
                .partitions
                .keys()
                .filter(move |&&index| held(topic, index))
                .map(move |&index| (topic, index))
        });
        let moved = self
            .topics
            .changed
            .iter()
            .flat_map(move |(&id, partitions)| {
                partitions.iter().filter_map(move |&index| {
                    let before = self.base.topics.by_id(id)?;
                    let after = self.next.topics.by_id(id)?;
                    (held(before, index) && !held(after, index)).then_some((before, index))
                })
            });
        deleted.chain(moved)
    }

    /// The next image: everything up to the record at `offset`, written in `epoch`. The delta goes on from
    /// its base, so that one delta may lead over several images.
    #[must_use]
    pub fn image_at(&self, offset: Offset, epoch: LeaderEpoch) -> MetadataImage {
        assert!(
            self.transaction.is_none(),
            "records of an open transaction do not count yet"
        );
        MetadataImage {
            offset,
            epoch,
            ..self.next.clone()
        }
    }

    /// The next image: everything up to the record at `offset`, written in `epoch`.
    #[must_use]
    pub fn into_image(self, offset: Offset, epoch: LeaderEpoch) -> MetadataImage {
        assert!(
            self.transaction.is_none(),
            "records of an open transaction do not count yet"
        );
        MetadataImage {
            offset,
            epoch,
            ..self.next
        }
    }
}
