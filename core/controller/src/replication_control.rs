//! Which partitions a broker, or its directory, concerns: found without walking all topics; and the
//! changes that follow when a broker comes, goes, or loses a directory.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::{NodeId, TopicId, TopicIdPartition, Uuid};
use ottla_metadata::{
    ConfigResource, MetadataImage, PartitionRegistration, VersionedRecord, directory,
};

use crate::config_schema::ConfigLayers;
use crate::controller::Controller;
use crate::partition_change::{Election, PartitionChange, Surroundings};

pub(crate) const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
const UNCLEAN_LEADER_ELECTION_ENABLE: &str = "unclean.leader.election.enable";

type Partitions = BTreeSet<TopicIdPartition>;

/// Partitions by what they have in common. Derived from the image, record by record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PartitionIndex {
    by_isr: BTreeMap<NodeId, Partitions>,
    by_elr: BTreeMap<NodeId, Partitions>,
    by_directory: BTreeMap<Uuid, Partitions>,
    led: BTreeMap<NodeId, usize>,
    leaderless: Partitions,
    /// Partitions led by another replica than the preferred one.
    imbalanced: Partitions,
    /// Topics by their names with `.` as `_`, where the name has one of the two.
    colliding_names: BTreeMap<String, BTreeSet<String>>,
}

fn put<K: Ord>(map: &mut BTreeMap<K, Partitions>, key: K, partition: TopicIdPartition) {
    map.entry(key).or_default().insert(partition);
}

fn take<K: Ord>(map: &mut BTreeMap<K, Partitions>, key: &K, partition: TopicIdPartition) {
    if let Some(partitions) = map.get_mut(key) {
        partitions.remove(&partition);
        if partitions.is_empty() {
            map.remove(key);
        }
    }
}

impl PartitionIndex {
    /// The index of everything in `image`.
    pub(crate) fn of(image: &MetadataImage) -> Self {
        let mut index = Self::default();
        for topic in image.topics.iter() {
            index.topic_created(&topic.name);
            for (&partition, registration) in &topic.partitions {
                index.update(
                    TopicIdPartition {
                        topic_id: topic.id,
                        partition,
                    },
                    None,
                    Some(registration),
                );
            }
        }
        index
    }

    pub(crate) fn topic_created(&mut self, name: &str) {
        if let Some(key) = crate::topic_name::collision_key(name) {
            self.colliding_names
                .entry(key)
                .or_default()
                .insert(name.to_owned());
        }
    }

    pub(crate) fn topic_removed(&mut self, name: &str) {
        let Some(key) = crate::topic_name::collision_key(name) else {
            return;
        };
        if let Some(names) = self.colliding_names.get_mut(&key) {
            names.remove(name);
            if names.is_empty() {
                self.colliding_names.remove(&key);
            }
        }
    }

    /// A topic whose name cannot be told from `name` in metrics.
    pub(crate) fn colliding_name(&self, name: &str) -> Option<&str> {
        let key = crate::topic_name::collision_key(name)?;
        self.colliding_names.get(&key)?.first().map(String::as_str)
    }

    /// Takes in that a partition was `before` and is `after`.
    pub(crate) fn update(
        &mut self,
        partition: TopicIdPartition,
        before: Option<&PartitionRegistration>,
        after: Option<&PartitionRegistration>,
    ) {
        if let Some(before) = before {
            self.forget(partition, before);
        }
        let Some(after) = after else { return };
        for &node in &after.isr {
            put(&mut self.by_isr, node, partition);
        }
        for &node in &after.elr {
            put(&mut self.by_elr, node, partition);
        }
        for &id in after.directories.iter().filter(|id| !id.is_reserved()) {
            put(&mut self.by_directory, id, partition);
        }
        if after.has_leader() {
            *self.led.entry(after.leader).or_default() += 1;
        } else {
            self.leaderless.insert(partition);
        }
        if !after.has_preferred_leader() {
            self.imbalanced.insert(partition);
        }
    }

    fn forget(&mut self, partition: TopicIdPartition, before: &PartitionRegistration) {
        for node in &before.isr {
            take(&mut self.by_isr, node, partition);
        }
        for node in &before.elr {
            take(&mut self.by_elr, node, partition);
        }
        for id in before.directories.iter().filter(|id| !id.is_reserved()) {
            take(&mut self.by_directory, id, partition);
        }
        if let Some(count) = self.led.get_mut(&before.leader) {
            *count -= 1;
            if *count == 0 {
                self.led.remove(&before.leader);
            }
        }
        self.leaderless.remove(&partition);
        self.imbalanced.remove(&partition);
    }

    pub(crate) fn has_leaderships(&self, broker: NodeId) -> bool {
        self.led.contains_key(&broker)
    }

    pub(crate) fn leaderless(&self) -> impl Iterator<Item = TopicIdPartition> {
        self.leaderless.iter().copied()
    }

    pub(crate) fn imbalanced(&self) -> impl Iterator<Item = TopicIdPartition> {
        self.imbalanced.iter().copied()
    }

    fn with_isr(&self, broker: NodeId) -> impl Iterator<Item = TopicIdPartition> {
        self.by_isr.get(&broker).into_iter().flatten().copied()
    }

    fn with_elr(&self, broker: NodeId) -> impl Iterator<Item = TopicIdPartition> {
        self.by_elr.get(&broker).into_iter().flatten().copied()
    }

    fn in_directory(&self, id: Uuid) -> impl Iterator<Item = TopicIdPartition> {
        self.by_directory.get(&id).into_iter().flatten().copied()
    }
}

/// What happens to a broker, as far as its partitions are concerned.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BrokerChange {
    /// It may no longer lead or be in sync.
    pub(crate) removed: Option<NodeId>,
    /// It may lead although the state still says it may not.
    pub(crate) added: Option<NodeId>,
    /// It may have lost data.
    pub(crate) unclean: Option<NodeId>,
}

/// Settings of a topic that bear on elections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TopicRules {
    pub(crate) min_isr: usize,
    pub(crate) unclean_election: bool,
}

impl Controller {
    /// Settings of the topic `id` that bear on elections.
    pub(crate) fn topic_rules(&self, id: TopicId) -> TopicRules {
        let configs = &self.image.configs;
        let topic = self.image.topics.by_id(id);
        let name = topic.map_or("", |topic| &*topic.name);
        let layers = ConfigLayers {
            topic: configs.of(&ConfigResource::topic(name)),
            node: configs.of(&ConfigResource::broker(self.config.node_id)),
            cluster: configs.of(&ConfigResource::cluster()),
        };
        let value = |key| self.schema.effective_topic_config(key, &layers);
        let factor = topic
            .and_then(|topic| topic.partitions.values().next())
            .map_or(usize::MAX, |partition| partition.replicas.len());
        let min_isr = value(MIN_INSYNC_REPLICAS).and_then(|text| text.trim().parse().ok());
        let unclean = value(UNCLEAN_LEADER_ELECTION_ENABLE);
        TopicRules {
            min_isr: min_isr.unwrap_or(1).min(factor),
            unclean_election: unclean.is_some_and(|text| text.trim().eq_ignore_ascii_case("true")),
        }
    }

    /// Directory of a replica that is new on `broker`: its only one, or one yet to be chosen by it.
    pub(crate) fn default_directory(&self, broker: NodeId) -> Uuid {
        match self
            .image
            .cluster
            .broker(broker)
            .map(|b| b.directories.as_slice())
        {
            Some([]) => directory::MIGRATING,
            Some([only]) => *only,
            Some(_) | None => directory::UNASSIGNED,
        }
    }

    /// Whether the replica of `partition` on `node` is in a directory that is online.
    pub(crate) fn is_replica_online(
        &self,
        partition: &PartitionRegistration,
        node: NodeId,
    ) -> bool {
        let broker = self.image.cluster.broker(node);
        let id = partition.directory(node);
        broker
            .zip(id)
            .is_some_and(|(broker, id)| broker.has_online_directory(id))
    }

    /// Works out a change of one partition with the rules of its topic. `acceptable` says of a broker
    /// whether it may lead.
    pub(crate) fn change_partition(
        &self,
        at: TopicIdPartition,
        partition: &PartitionRegistration,
        rules: TopicRules,
        acceptable: &dyn Fn(NodeId) -> bool,
        change: impl FnOnce(PartitionChange<'_>) -> PartitionChange<'_>,
    ) -> Option<VersionedRecord> {
        let surroundings = Surroundings {
            metadata_version: self.metadata_version(),
            elr_enabled: self.image.features.elr_enabled(),
            min_isr: rules.min_isr,
            is_acceptable: &|node| acceptable(node) && self.is_replica_online(partition, node),
            default_directory: &|node| self.default_directory(node),
        };
        let builder = PartitionChange::new(partition, at.topic_id, at.partition, &surroundings);
        change(builder).build()
    }

    /// Changes of `partitions` that follow from what happens to a broker.
    pub(crate) fn leader_and_isr_updates(
        &self,
        change: BrokerChange,
        partitions: impl Iterator<Item = TopicIdPartition>,
        records: &mut Vec<VersionedRecord>,
    ) {
        let gone = [change.removed, change.unclean];
        let acceptable = |node: NodeId| {
            !gone.contains(&Some(node))
                && (change.added == Some(node) || self.image.cluster.is_active(node))
        };
        // Partitions come topic by topic.
        let mut rules: Option<(TopicId, TopicRules)> = None;
        for at in partitions {
            let Some(partition) = self.image.topics.partition(at.topic_id, at.partition) else {
                continue;
            };
            let rules = match rules {
                Some((id, known)) if id == at.topic_id => known,
                _ => {
                    let found = self.topic_rules(at.topic_id);
                    rules = Some((at.topic_id, found));
                    found
                }
            };
            let isr = partition
                .isr
                .iter()
                .copied()
                .filter(|&node| !gone.contains(&Some(node)))
                .collect();
            let election = if rules.unclean_election {
                Election::Unclean
            } else {
                Election::Online
            };
            records.extend(
                self.change_partition(at, partition, rules, &acceptable, |builder| {
                    builder
                        .isr(isr)
                        .election(election)
                        .unclean_shutdown(change.unclean)
                }),
            );
        }
    }

    /// A broker is fenced or leaves: it leaves its ISRs.
    pub(crate) fn leave_isrs(&self, broker: NodeId, records: &mut Vec<VersionedRecord>) {
        let change = BrokerChange {
            removed: Some(broker),
            ..BrokerChange::default()
        };
        self.leader_and_isr_updates(change, self.index.with_isr(broker), records);
    }

    /// A broker is forgotten: nothing counts on it any more.
    pub(crate) fn leave_isrs_and_elrs(&self, broker: NodeId, records: &mut Vec<VersionedRecord>) {
        let change = BrokerChange {
            removed: Some(broker),
            ..BrokerChange::default()
        };
        self.leader_and_isr_updates(change, self.index.with_isr(broker), records);
        self.leader_and_isr_updates(change, self.index.with_elr(broker), records);
    }

    /// A broker comes back as another process: it leaves its ISRs and, if its last shutdown was not
    /// clean, its ELRs too.
    pub(crate) fn forget_incarnation(
        &self,
        broker: NodeId,
        clean_shutdown: bool,
        records: &mut Vec<VersionedRecord>,
    ) {
        if clean_shutdown || !self.image.features.elr_enabled() {
            self.leave_isrs(broker, records);
            return;
        }
        let change = BrokerChange {
            unclean: Some(broker),
            ..BrokerChange::default()
        };
        self.leader_and_isr_updates(change, self.index.with_isr(broker), records);
        self.leader_and_isr_updates(change, self.index.with_elr(broker), records);
    }

    /// A broker becomes active: partitions without leader may get one.
    pub(crate) fn elect_for_leaderless(&self, broker: NodeId, records: &mut Vec<VersionedRecord>) {
        let change = BrokerChange {
            added: Some(broker),
            ..BrokerChange::default()
        };
        self.leader_and_isr_updates(change, self.index.leaderless(), records);
    }

    /// A directory goes offline: its replicas leave their ISRs.
    pub(crate) fn leave_isrs_of_directory(
        &self,
        broker: NodeId,
        id: Uuid,
        records: &mut Vec<VersionedRecord>,
    ) {
        let change = BrokerChange {
            removed: Some(broker),
            ..BrokerChange::default()
        };
        self.leader_and_isr_updates(change, self.index.in_directory(id), records);
    }
}
