//! The controller's state and the one way to change it.

use std::time::Duration;

use ottla_base::{MonoTime, NodeId, Offset, TopicId, TopicIdPartition};
use ottla_metadata::{
    FeaturesImage, MetadataImage, MetadataRecord, MetadataVersion, PartitionRegistration,
    ReplayError,
};
use ottla_protocol::messages::{ClearElrRecord, RemoveTopicRecord};

use crate::config_schema::ConfigSchema;
use crate::heartbeat::Heartbeats;
use crate::periodic::Schedule;
use crate::replication_control::PartitionIndex;

/// Settings of the controller that do not change while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerConfig {
    /// `node.id`.
    pub node_id: NodeId,
    /// Id of the cluster.
    pub cluster_id: String,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`.
    pub default_replication_factor: i16,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// `broker.session.timeout.ms`: a broker not heard of for longer is fenced.
    pub broker_session_timeout: Duration,
    /// `metadata.max.idle.interval.ms`: how often a NoOp record tells that the controller lives; none
    /// at 0.
    pub max_idle_interval: Duration,
    /// `leader.imbalance.check.interval.seconds`, if `auto.leader.rebalance.enable`.
    pub leader_imbalance_check_interval: Option<Duration>,
    /// `unclean.leader.election.interval.ms`.
    pub unclean_leader_election_interval: Duration,
}

impl Default for ControllerConfig {
    /// Kafka's defaults for node 1 of a cluster without id.
    fn default() -> Self {
        Self {
            node_id: NodeId(1),
            cluster_id: String::new(),
            num_partitions: 1,
            default_replication_factor: 1,
            delete_topic_enable: true,
            broker_session_timeout: Duration::from_secs(9),
            max_idle_interval: Duration::from_millis(500),
            leader_imbalance_check_interval: Some(Duration::from_secs(300)),
            unclean_leader_election_interval: Duration::from_secs(300),
        }
    }
}

/// State as it was when a metadata transaction began.
#[derive(Debug, Clone)]
struct OpenTransaction {
    begun_at: Offset,
    image: MetadataImage,
}

/// The controller of a cluster: one per node with that role, active on the leader of the quorum.
pub struct Controller {
    pub(crate) config: ControllerConfig,
    pub(crate) schema: Box<dyn ConfigSchema>,
    pub(crate) image: MetadataImage,
    pub(crate) index: PartitionIndex,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) schedule: Schedule,
    /// Level of `kraft.version`, which the quorum keeps.
    pub(crate) kraft_version: i16,
    transaction: Option<Box<OpenTransaction>>,
}

impl Controller {
    /// A controller that has replayed nothing.
    #[must_use]
    pub fn new(config: ControllerConfig, schema: Box<dyn ConfigSchema>) -> Self {
        Self {
            config,
            schema,
            image: MetadataImage::default(),
            index: PartitionIndex::default(),
            heartbeats: Heartbeats::default(),
            schedule: Schedule::default(),
            kraft_version: 0,
            transaction: None,
        }
    }

    /// A controller that starts from a snapshot.
    #[must_use]
    pub fn from_image(
        config: ControllerConfig,
        schema: Box<dyn ConfigSchema>,
        image: MetadataImage,
    ) -> Self {
        let index = PartitionIndex::of(&image);
        let mut controller = Self::new(config, schema);
        for broker in image.cluster.brokers.values() {
            // The record's own offset is not in a snapshot; the broker knows of it by now.
            controller
                .heartbeats
                .registered(broker.id, image.offset, broker.fenced);
        }
        Self {
            image,
            index,
            ..controller
        }
    }

    /// The metadata as of the last record replayed, committed or not.
    #[must_use]
    pub fn image(&self) -> &MetadataImage {
        &self.image
    }

    /// The finalized `metadata.version`; the lowest while there is none.
    #[must_use]
    pub fn metadata_version(&self) -> MetadataVersion {
        self.image.features.metadata_version_or_minimum()
    }

    /// Tells the level of `kraft.version`, which is kept in control records.
    pub fn set_kraft_version(&mut self, level: i16) {
        self.kraft_version = level;
    }

    /// Features without what an open transaction may have changed.
    pub(crate) fn committed_features(&self) -> &FeaturesImage {
        let open = self
            .transaction
            .as_ref()
            .map(|transaction| &transaction.image);
        &open.unwrap_or(&self.image).features
    }

    /// Offset of the record that began a transaction which has not ended.
    #[must_use]
    pub fn open_transaction(&self) -> Option<Offset> {
        self.transaction
            .as_ref()
            .map(|transaction| transaction.begun_at)
    }

    /// Begins to lead: brokers that are not fenced count as heard of just now, and the periodic work
    /// starts.
    pub fn activate(&mut self, now: MonoTime) {
        self.heartbeats.forget_contacts();
        for broker in self.image.cluster.brokers.values() {
            self.heartbeats.reset(broker.id, broker.fenced);
            if !broker.fenced {
                self.heartbeats.contact(broker.id, broker.epoch, now);
            }
        }
        self.schedule = Schedule::begin(now, &self.config);
    }

    /// Takes in a record of the metadata log. The only way in which replicated state changes.
    ///
    /// # Errors
    /// [`ReplayError`] if the record does not fit the ones before it. The controller must not be used
    /// any more.
    pub fn replay(&mut self, offset: Offset, record: &MetadataRecord) -> Result<(), ReplayError> {
        use MetadataRecord as R;
        match record {
            R::BeginTransaction(_) => self.begin(offset)?,
            R::EndTransaction(_) => {
                let ended = self.transaction.take();
                ended.ok_or_else(|| ReplayError::Transaction(record.name()))?;
            }
            R::AbortTransaction(_) => {
                let open = self.transaction.take();
                let open = open.ok_or_else(|| ReplayError::Transaction(record.name()))?;
                self.index = PartitionIndex::of(&open.image);
                self.image = open.image;
            }
            R::Topic(topic) => {
                self.image.apply(record)?;
                self.index.topic_created(&topic.name);
            }
            R::Partition(change) => {
                self.replay_partition(record, TopicId(change.topic_id), change.partition_id)?;
            }
            R::PartitionChange(change) => {
                self.replay_partition(record, TopicId(change.topic_id), change.partition_id)?;
            }
            R::RemoveTopic(removed) => self.replay_remove_topic(record, removed)?,
            R::ClearElr(cleared) => self.replay_clear_elr(record, cleared)?,
            _ => {
                self.image.apply(record)?;
                self.note_broker(offset, record);
            }
        }
        self.image.offset = offset;
        Ok(())
    }

    fn begin(&mut self, offset: Offset) -> Result<(), ReplayError> {
        if self.transaction.is_some() {
            return Err(ReplayError::Transaction("BeginTransactionRecord"));
        }
        let open = OpenTransaction {
            begun_at: offset,
            image: self.image.clone(),
        };
        self.transaction = Some(Box::new(open));
        Ok(())
    }

    fn replay_partition(
        &mut self,
        record: &MetadataRecord,
        topic_id: TopicId,
        partition: i32,
    ) -> Result<(), ReplayError> {
        let before = self.image.topics.partition(topic_id, partition).cloned();
        self.image.apply(record)?;
        let after = self.image.topics.partition(topic_id, partition);
        self.index.update(
            TopicIdPartition {
                topic_id,
                partition,
            },
            before.as_deref(),
            after.map(|after| &**after),
        );
        Ok(())
    }

    fn replay_remove_topic(
        &mut self,
        record: &MetadataRecord,
        removed: &RemoveTopicRecord,
    ) -> Result<(), ReplayError> {
        let topic_id = TopicId(removed.topic_id);
        let topic = self.image.topics.by_id(topic_id).cloned();
        self.image.apply(record)?;
        let topic = topic.ok_or(ReplayError::UnknownTopicId(topic_id))?;
        self.index.topic_removed(&topic.name);
        for (&partition, before) in &topic.partitions {
            self.index.update(
                TopicIdPartition {
                    topic_id,
                    partition,
                },
                Some(before),
                None,
            );
        }
        Ok(())
    }

    fn replay_clear_elr(
        &mut self,
        record: &MetadataRecord,
        cleared: &ClearElrRecord,
    ) -> Result<(), ReplayError> {
        let topics = self.image.topics.clone();
        self.image.apply(record)?;
        let has_elr = |partition: &PartitionRegistration| !partition.elr.is_empty();
        let concerned = topics
            .iter()
            .filter(|topic| cleared.topic_name.is_empty() || *topic.name == *cleared.topic_name);
        for topic in concerned {
            for (&partition, before) in topic.partitions.iter().filter(|(_, p)| has_elr(p)) {
                let after = self.image.topics.partition(topic.id, partition);
                self.index.update(
                    TopicIdPartition {
                        topic_id: topic.id,
                        partition,
                    },
                    Some(before),
                    after.map(|after| &**after),
                );
            }
        }
        Ok(())
    }

    /// Follows registrations with what is known of heartbeats.
    fn note_broker(&mut self, offset: Offset, record: &MetadataRecord) {
        use MetadataRecord as R;
        let broker = match record {
            R::RegisterBroker(record) => {
                self.heartbeats
                    .registered(NodeId(record.broker_id), offset, record.fenced);
                return;
            }
            R::UnregisterBroker(record) => {
                self.heartbeats.unregistered(NodeId(record.broker_id));
                return;
            }
            R::BrokerRegistrationChange(record) => record.broker_id,
            R::FenceBroker(record) => record.id,
            R::UnfenceBroker(record) => record.id,
            _ => return,
        };
        if let Some(broker) = self.image.cluster.broker(NodeId(broker)) {
            self.heartbeats.changed(broker.id, broker.fenced);
        }
    }
}
