//! The rules by which one partition changes: who leads, who is in sync, who remains eligible.
//!
//! A change is asked for by naming targets: the ISR, replicas, directories. [`PartitionChange::build`]
//! works out the rest and gives the record, or nothing if nothing changes.
//!
//! - A leader must be acceptable (alive, directory online) and in the target ISR; if that is empty, in
//!   the ELR (KIP-966). The present leader stays if it may; else the first such replica in the order of
//!   assignment leads.
//! - With ISR and ELR empty, the single last known leader may lead; then, if unclean elections are
//!   allowed, any acceptable replica. Both are unclean: the leader alone forms the ISR and recovers.
//! - A replica that leaves an ISR smaller than `min.insync.replicas` enters the ELR, unless it is known
//!   to have lost data. The ELR is dropped once the ISR is large enough.
//! - A reassignment is complete when all added replicas are in the target ISR.
//! - Every record that names a leader bumps the leader epoch; removing a replica, or shrinking the ISR
//!   before `metadata.version` 12, names the present one to that end.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::{NodeId, TopicId, Uuid};
use ottla_metadata::{
    LeaderRecoveryState, MetadataRecord, MetadataVersion, PartitionRegistration, VersionedRecord,
};
use ottla_protocol::messages::PartitionChangeRecord;

/// In a record: "the leader stays, and so does its epoch".
const NO_LEADER_CHANGE: i32 = -2;

/// How a leader is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Election {
    /// The preferred replica first.
    Preferred,
    /// The present leader first.
    #[default]
    Online,
    /// As [`Election::Online`]; as a last resort any replica.
    Unclean,
}

/// What the rules need to know of the partition's surroundings.
pub(crate) struct Surroundings<'a> {
    pub(crate) metadata_version: MetadataVersion,
    pub(crate) elr_enabled: bool,
    /// `min.insync.replicas` of the topic, at most its replication factor.
    pub(crate) min_isr: usize,
    /// Whether a replica could lead, whatever it holds.
    pub(crate) is_acceptable: &'a dyn Fn(NodeId) -> bool,
    /// Directory of a replica that is new on a broker.
    pub(crate) default_directory: &'a dyn Fn(NodeId) -> Uuid,
}

/// A change of one partition, being worked out.
pub(crate) struct PartitionChange<'a> {
    partition: &'a PartitionRegistration,
    topic_id: TopicId,
    index: i32,
    around: &'a Surroundings<'a>,
    election: Election,
    isr: Vec<NodeId>,
    replicas: Vec<NodeId>,
    removing: Vec<NodeId>,
    adding: Vec<NodeId>,
    elr: Vec<NodeId>,
    recovery: LeaderRecoveryState,
    directories: BTreeMap<NodeId, Uuid>,
    unclean_shutdown: Option<NodeId>,
}

struct Elected {
    node: NodeId,
    unclean: bool,
}

impl<'a> PartitionChange<'a> {
    /// No change yet.
    pub(crate) fn new(
        partition: &'a PartitionRegistration,
        topic_id: TopicId,
        index: i32,
        around: &'a Surroundings<'a>,
    ) -> Self {
        Self {
            partition,
            topic_id,
            index,
            around,
            election: Election::default(),
            isr: partition.isr.to_vec(),
            replicas: partition.replicas.to_vec(),
            removing: partition.removing_replicas.to_vec(),
            adding: partition.adding_replicas.to_vec(),
            elr: partition.elr.to_vec(),
            recovery: partition.leader_recovery_state,
            directories: partition
                .replicas
                .iter()
                .copied()
                .zip(partition.directories.iter().copied())
                .collect(),
            unclean_shutdown: None,
        }
    }

    pub(crate) fn election(mut self, election: Election) -> Self {
        self.election = election;
        self
    }

    pub(crate) fn isr(mut self, isr: Vec<NodeId>) -> Self {
        self.isr = isr;
        self
    }

    pub(crate) fn recovery(mut self, recovery: LeaderRecoveryState) -> Self {
        self.recovery = recovery;
        self
    }

    pub(crate) fn directory(mut self, broker: NodeId, directory: Uuid) -> Self {
        self.directories.insert(broker, directory);
        self
    }

    /// A replica that stopped without a clean shutdown: what it holds cannot be trusted.
    pub(crate) fn unclean_shutdown(mut self, broker: Option<NodeId>) -> Self {
        self.unclean_shutdown = broker;
        self
    }

    /// The record of the change; `None` if nothing changes.
    pub(crate) fn build(mut self) -> Option<VersionedRecord> {
        let mut record = PartitionChangeRecord {
            topic_id: self.topic_id.0,
            partition_id: self.index,
            leader: NO_LEADER_CHANGE,
            leader_recovery_state: LeaderRecoveryState::NO_CHANGE,
            ..PartitionChangeRecord::default()
        };
        self.complete_reassignment();
        self.fill_elr();
        self.elect(&mut record);
        let loses_replica = self
            .partition
            .replicas
            .iter()
            .any(|replica| !self.replicas.contains(replica));
        if record.leader == NO_LEADER_CHANGE && loses_replica {
            record.leader = self.partition.leader.0;
        }
        self.set_elr(&mut record);
        if record.isr.is_none()
            && (!self.isr.is_empty() || self.around.elr_enabled)
            && self.isr != *self.partition.isr
        {
            record.isr = Some(wire(&self.isr));
        }
        self.bump_epoch_on_shrink(&mut record);
        self.set_last_known_leader(&mut record);
        self.set_assignment(&mut record);
        if self.recovery != self.partition.leader_recovery_state {
            record.leader_recovery_state = self.recovery.id();
        }
        (!is_no_op(&record)).then(|| MetadataRecord::from(record).at(self.around.metadata_version))
    }

    /// Ends a reassignment whose new replicas are all in sync.
    fn complete_reassignment(&mut self) {
        if self.removing.is_empty() && self.adding.is_empty() {
            return;
        }
        let stays = |node: &NodeId| !self.removing.contains(node);
        let isr: Vec<NodeId> = self.isr.iter().copied().filter(stays).collect();
        let replicas: Vec<NodeId> = self.replicas.iter().copied().filter(stays).collect();
        if !self.removing.is_empty() && (isr.is_empty() || replicas.is_empty()) {
            return;
        }
        if !self.adding.iter().all(|node| isr.contains(node)) {
            return;
        }
        // When the factor goes down, a shrunken ISR would leave fewer copies than staying as it is.
        let shrinks = self.adding.len() < self.removing.len();
        if shrinks && !replicas.iter().all(|node| isr.contains(node)) {
            return;
        }
        self.isr = isr;
        self.replicas = replicas;
        self.removing.clear();
        self.adding.clear();
    }

    /// Who leaves a too small ISR enters the ELR.
    fn fill_elr(&mut self) {
        if !self.around.elr_enabled {
            return;
        }
        if self.isr.len() >= self.around.min_isr {
            self.elr.clear();
            return;
        }
        let candidates: BTreeSet<NodeId> = self
            .elr
            .iter()
            .chain(self.partition.isr.iter())
            .copied()
            .collect();
        self.elr = candidates
            .into_iter()
            .filter(|node| !self.isr.contains(node) && self.unclean_shutdown != Some(*node))
            .collect();
    }

    fn is_eligible(&self, node: NodeId) -> bool {
        let holds_everything =
            self.isr.contains(&node) || (self.isr.is_empty() && self.elr.contains(&node));
        holds_everything && (self.around.is_acceptable)(node)
    }

    fn find_leader(&self) -> Elected {
        let clean = |node| Elected {
            node,
            unclean: false,
        };
        let present = self.partition.leader;
        if self.election == Election::Preferred
            && let Some(&preferred) = self.replicas.first()
            && self.is_eligible(preferred)
        {
            return clean(preferred);
        }
        if self.is_eligible(present) {
            return clean(present);
        }
        if let Some(&node) = self.replicas.iter().find(|&&node| self.is_eligible(node)) {
            return clean(node);
        }
        if let Some(node) = self.last_known_leader() {
            return Elected {
                node,
                unclean: true,
            };
        }
        if self.election == Election::Unclean
            && let Some(&node) = self
                .replicas
                .iter()
                .find(|&&n| (self.around.is_acceptable)(n))
        {
            return Elected {
                node,
                unclean: true,
            };
        }
        clean(NodeId::NONE)
    }

    /// The one replica that led last, if nobody else is left and it is alive.
    fn last_known_leader(&self) -> Option<NodeId> {
        if !self.around.elr_enabled || !self.isr.is_empty() || !self.elr.is_empty() {
            return None;
        }
        match *self.partition.last_known_elr {
            [node] if (self.around.is_acceptable)(node) => Some(node),
            _ => None,
        }
    }

    fn elect(&mut self, record: &mut PartitionChangeRecord) {
        let elected = self.find_leader();
        if elected.node == self.partition.leader {
            return;
        }
        if self.elr.contains(&elected.node) {
            self.isr = vec![elected.node];
            self.elr.retain(|&node| node != elected.node);
        }
        record.leader = elected.node.0;
        if elected.unclean {
            // Whatever the others hold may differ from what this one has.
            record.isr = Some(vec![elected.node.0]);
            if self.partition.leader_recovery_state != LeaderRecoveryState::Recovering {
                record.leader_recovery_state = LeaderRecoveryState::Recovering.id();
            }
        }
    }

    fn set_elr(&mut self, record: &mut PartitionChangeRecord) {
        let unclean = record.isr.is_some();
        if unclean || !self.around.elr_enabled {
            self.elr.clear();
        }
        if self.elr != *self.partition.elr {
            record.eligible_leader_replicas = Some(wire(&self.elr));
        }
    }

    fn bump_epoch_on_shrink(&self, record: &mut PartitionChangeRecord) {
        if self.around.metadata_version.isr_shrink_keeps_leader_epoch()
            || record.leader != NO_LEADER_CHANGE
        {
            return;
        }
        let Some(isr) = &record.isr else { return };
        if self.partition.isr.iter().any(|node| !isr.contains(&node.0)) {
            record.leader = self.partition.leader.0;
        }
    }

    fn set_last_known_leader(&self, record: &mut PartitionChangeRecord) {
        if !self.around.elr_enabled {
            return;
        }
        let known = !self.partition.last_known_elr.is_empty();
        if record.leader == NodeId::NONE.0 && self.partition.has_leader() && !known {
            record.last_known_elr = Some(vec![self.partition.leader.0]);
        } else if record.leader >= 0 && known {
            record.last_known_elr = Some(Vec::new());
        }
    }

    fn set_assignment(&self, record: &mut PartitionChangeRecord) {
        if !self.replicas.is_empty() {
            if self.around.metadata_version.supports_directory_assignment() {
                let directory = |node: &NodeId| {
                    let known = self.directories.get(node).copied();
                    known.unwrap_or_else(|| (self.around.default_directory)(*node))
                };
                let directories: Vec<Uuid> = self.replicas.iter().map(directory).collect();
                if directories != *self.partition.directories {
                    record.directories = Some(directories);
                }
            }
            if self.replicas != *self.partition.replicas {
                record.replicas = Some(wire(&self.replicas));
            }
        }
        if self.removing != *self.partition.removing_replicas {
            record.removing_replicas = Some(wire(&self.removing));
        }
        if self.adding != *self.partition.adding_replicas {
            record.adding_replicas = Some(wire(&self.adding));
        }
    }
}

fn wire(nodes: &[NodeId]) -> Vec<i32> {
    nodes.iter().map(|node| node.0).collect()
}

fn is_no_op(record: &PartitionChangeRecord) -> bool {
    record.leader == NO_LEADER_CHANGE
        && record.leader_recovery_state == LeaderRecoveryState::NO_CHANGE
        && record.isr.is_none()
        && record.eligible_leader_replicas.is_none()
        && record.last_known_elr.is_none()
        && record.replicas.is_none()
        && record.removing_replicas.is_none()
        && record.adding_replicas.is_none()
        && record.directories.is_none()
}
