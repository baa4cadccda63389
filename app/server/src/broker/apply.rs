//! Carries out what the controller decided: partitions made, changed and deleted, configurations changed.
//!
//! Called on the quorum thread after each commit. What a request asked for is there when it is answered:
//! partitions first, then the image that names them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_base::{Offset, TopicId, TopicIdPartition};
use ottla_config::BrokerConfig;
use ottla_metadata::{
    ConfigResource, LocalReplica, MetadataDelta, MetadataImage, ResourceType, TopicImage,
};
use ottla_storage::{DirIndex, Log};
use parking_lot::Mutex;

use crate::internal_topics::CONSUMER_OFFSETS;
use crate::node::Node;
use crate::partition::{LeaderChange, Partition, PartitionEnv};
use crate::partitions::TopicPartitions;
use crate::quorum::MetadataListener;
use crate::topic_rules::TopicRules;

/// A log that was found on a disk at the start.
#[derive(Debug)]
pub struct LoadedLog {
    /// Its directory.
    pub dir: DirIndex,
    /// The log.
    pub log: Log,
    /// High watermark as last written down.
    pub high_watermark: Offset,
}

/// Applies the metadata to the partitions of this node.
pub struct MetadataApplier {
    node: Arc<Node>,
    env: Arc<PartitionEnv>,
    /// Logs of the start that no partition has asked for yet.
    loaded: Mutex<BTreeMap<TopicIdPartition, LoadedLog>>,
    missing: Mutex<Missing>,
}

/// Partitions whose logs may be in a directory that does not work.
#[derive(Debug, Default)]
struct Missing {
    /// The metadata that was there before this start is applied already.
    has_started: bool,
    partitions: BTreeSet<TopicIdPartition>,
}

impl MetadataApplier {
    /// Applies to the partitions of `node`.
    #[must_use]
    pub fn new(node: Arc<Node>, env: Arc<PartitionEnv>) -> Self {
        Self {
            node,
            env,
            loaded: Mutex::default(),
            missing: Mutex::default(),
        }
    }

    /// Keeps a log of the start for its partition.
    pub fn add_loaded(&self, at: TopicIdPartition, log: LoadedLog) {
        self.loaded.lock().insert(at, log);
    }

    fn change_topics(&self, delta: &MetadataDelta, image: &MetadataImage) {
        let mut by_topic: BTreeMap<TopicId, Vec<LocalReplica<'_>>> = BTreeMap::new();
        for replica in delta.local_replicas(self.node.id) {
            by_topic.entry(replica.topic.id).or_default().push(replica);
        }
        let config = self.node.config();
        let changed = by_topic.into_iter().filter_map(|(id, replicas)| {
            let before = self.node.partitions.topic_by_id(id);
            let mut partitions = before
                .as_ref()
                .map(|topic| topic.partitions.clone())
                .unwrap_or_default();
            let topic = replicas.first()?.topic;
            let mut rules = before.and_then(|topic| topic.any_rules());
            for replica in replicas {
                let rules = rules.get_or_insert_with(|| Arc::new(rules_of(&config, image, topic)));
                self.change_partition(&replica, rules, &mut partitions);
            }
            Some(TopicPartitions {
                name: Arc::clone(&topic.name),
                id,
                partitions,
            })
        });
        self.node.partitions.put(changed);
    }

    fn change_partition(
        &self,
        replica: &LocalReplica<'_>,
        rules: &Arc<TopicRules>,
        partitions: &mut Vec<Option<Arc<Partition>>>,
    ) {
        let Ok(index) = usize::try_from(replica.partition) else {
            return;
        };
        if partitions.len() <= index {
            partitions.resize(index + 1, None);
        }
        let Some(slot) = partitions.get_mut(index) else {
            return;
        };
        if slot.is_none() {
            *slot = self.open(replica, rules);
        }
        if let Some(partition) = slot {
            let change = partition.assign(replica.registration);
            self.elected(partition, change);
        }
    }

    /// The partition with its log: that of the start, or a new one.
    fn open(&self, replica: &LocalReplica<'_>, rules: &Arc<TopicRules>) -> Option<Arc<Partition>> {
        let topic = replica.topic;
        let at = TopicIdPartition {
            topic_id: topic.id,
            partition: replica.partition,
        };
        let loaded = self.loaded.lock().remove(&at);
        let LoadedLog {
            dir,
            mut log,
            high_watermark,
        } = loaded.or_else(|| self.new_log(replica, at, rules))?;
        log.set_config(Arc::clone(&rules.log));
        let name = (&topic.name, topic.id, replica.partition);
        Some(Partition::new(
            &self.env,
            name,
            dir,
            log,
            high_watermark,
            rules,
        ))
    }

    /// A new log in the directory that the controller names, or in one that this node chooses.
    fn new_log(
        &self,
        replica: &LocalReplica<'_>,
        at: TopicIdPartition,
        rules: &Arc<TopicRules>,
    ) -> Option<LoadedLog> {
        let (dirs, topic) = (&self.env.dirs, replica.topic);
        let assigned = replica.registration.directory(self.node.id);
        let named = assigned.and_then(|id| dirs.place_in(id));
        let refused = if named.is_none() && self.may_be_offline(at) {
            "the log of a partition may be in a log directory that is offline; none is made"
        } else if let Some(dir) = named.or_else(|| dirs.place()) {
            let path = dirs.path_of(dir, &topic.name, replica.partition);
            let config = Arc::clone(&rules.log);
            return Some(LoadedLog {
                dir,
                log: Log::create(&self.env.storage, path, Some(topic.id), config),
                high_watermark: Offset::ZERO,
            });
        } else {
            "no log directory is online for a partition"
        };
        tracing::error!(
            topic = &*topic.name,
            partition = replica.partition,
            "{refused}"
        );
        None
    }

    /// Whether a partition is older than this start and a directory did not work then: its log was not
    /// found where it could be looked for, and an empty one would take the place of what it holds.
    fn may_be_offline(&self, at: TopicIdPartition) -> bool {
        let mut missing = self.missing.lock();
        if !missing.has_started && self.env.dirs.any_offline() {
            missing.partitions.insert(at);
        }
        missing.partitions.contains(&at)
    }

    fn elected(&self, partition: &Arc<Partition>, change: LeaderChange) {
        if change != LeaderChange::None {
            tracing::debug!(
                topic = &*partition.topic,
                partition = partition.index,
                ?change,
                "leader changed"
            );
        }
        if *partition.topic == *CONSUMER_OFFSETS {
            match change {
                LeaderChange::Elected(epoch) => self.node.coordinators.on_leader(partition, epoch),
                LeaderChange::Resigned => self.node.coordinators.on_resigned(partition.index),
                LeaderChange::None => {}
            }
        }
    }

    fn remove(&self, delta: &MetadataDelta) {
        let mut moved: BTreeMap<TopicId, BTreeSet<i32>> = BTreeMap::new();
        for (topic, index) in delta.removed_replicas(self.node.id) {
            moved.entry(topic.id).or_default().insert(index);
        }
        let mut logs = Vec::new();
        for (id, indexes) in moved {
            let Some(topic) = self.node.partitions.topic_by_id(id) else {
                continue;
            };
            if delta.topics().deleted.contains_key(&id) {
                self.node.partitions.remove(id);
            } else {
                let keep = |(index, slot): (i32, &Option<Arc<Partition>>)| {
                    slot.clone().filter(|_| !indexes.contains(&index))
                };
                self.node.partitions.put([TopicPartitions {
                    name: Arc::clone(&topic.name),
                    id,
                    partitions: (0..).zip(&topic.partitions).map(keep).collect(),
                }]);
            }
            for partition in topic.partitions.iter().flatten() {
                if indexes.contains(&partition.index) {
                    logs.extend(self.give_up(partition));
                }
            }
        }
        if !logs.is_empty() {
            self.env.dirs.remove(logs);
        }
    }

    /// Ends a partition; gives its log.
    fn give_up(&self, partition: &Arc<Partition>) -> Option<Log> {
        if partition.leader_epoch().is_some() {
            self.elected(partition, LeaderChange::Resigned);
        }
        partition.take_log()
    }

    fn change_configs(&self, delta: &MetadataDelta, image: &MetadataImage) {
        let broker_changed = delta
            .configs()
            .iter()
            .any(|resource| resource.kind == ResourceType::BROKER);
        if broker_changed {
            let cluster = image.configs.of(&ConfigResource::cluster());
            let own = image.configs.of(&ConfigResource::broker(self.node.id));
            let (config, refused) = self.node.static_config.with_dynamic(cluster, own);
            for text in refused {
                tracing::warn!("the dynamic configuration {text} cannot be applied");
            }
            self.env.set_producer_expiration(&config);
            self.node.config.store(Arc::new(config));
        }
        let config = self.node.config();
        let topics: Vec<&Arc<TopicImage>> = if broker_changed {
            image.topics.iter().collect()
        } else {
            let names = delta.configs().iter();
            names
                .filter(|resource| resource.kind == ResourceType::TOPIC)
                .filter_map(|resource| image.topics.by_name(&resource.name))
                .collect()
        };
        for topic in topics {
            let Some(partitions) = self.node.partitions.topic_by_id(topic.id) else {
                continue;
            };
            let rules = Arc::new(rules_of(&config, image, topic));
            for partition in partitions.partitions.iter().flatten() {
                partition.set_rules(&rules);
            }
        }
    }
}

fn rules_of(config: &BrokerConfig, image: &MetadataImage, topic: &TopicImage) -> TopicRules {
    let overrides = image.configs.of(&ConfigResource::topic(&*topic.name));
    TopicRules::resolve(config, overrides)
}

impl MetadataListener for MetadataApplier {
    fn on_commit(&self, delta: &MetadataDelta, image: &Arc<MetadataImage>) {
        self.remove(delta);
        self.change_configs(delta, image);
        self.change_topics(delta, image);
        self.missing.lock().has_started = true;
        self.node.image.store(Arc::clone(image));
        let deleted = delta.topics().deleted.values().map(|topic| &topic.name);
        let gone = deleted.filter(|name| image.topics.by_name(name).is_none());
        self.node.coordinators.on_topics_deleted(gone.cloned());
    }
}
