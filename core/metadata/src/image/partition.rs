//! One partition as the controller decided it.

use ottla_base::{LeaderEpoch, NodeId, PartitionEpoch, TopicId, Uuid};
use ottla_protocol::messages::{PartitionChangeRecord, PartitionRecord};

use crate::error::ReplayError;

/// Directory ids with a meaning of their own (KIP-858).
pub mod directory {
    use ottla_base::Uuid;

    /// The broker that holds the replica does not know directory ids yet.
    pub const MIGRATING: Uuid = Uuid([0; 16]);
    /// The broker has not chosen a directory yet.
    pub const UNASSIGNED: Uuid = Uuid::ONE;
    /// The directory is offline, and its id unknown.
    pub const LOST: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

    /// Whether a replica in `id` can serve, given the directories that its broker has online.
    ///
    /// A broker without any directory registered before directories were known.
    #[must_use]
    pub fn is_online(id: Uuid, online: &[Uuid]) -> bool {
        match id {
            UNASSIGNED | MIGRATING => true,
            LOST => false,
            _ => online.is_empty() || online.contains(&id),
        }
    }
}

/// Whether the leader may have lost records in an unclean election and must say when it is done with
/// recovering (KIP-704).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeaderRecoveryState {
    /// No recovery is going on.
    #[default]
    Recovered,
    /// The leader was elected uncleanly.
    Recovering,
}

impl LeaderRecoveryState {
    /// In a change: "as before".
    pub const NO_CHANGE: i8 = -1;

    /// Kafka's number.
    #[must_use]
    pub fn id(self) -> i8 {
        match self {
            Self::Recovered => 0,
            Self::Recovering => 1,
        }
    }

    /// The state with this number.
    #[must_use]
    pub fn from_id(id: i8) -> Option<Self> {
        match id {
            0 => Some(Self::Recovered),
            1 => Some(Self::Recovering),
            _ => None,
        }
    }
}

/// In a change of a partition: "the leader stays, and so does its epoch".
pub(crate) const NO_LEADER_CHANGE: i32 = -2;

/// One partition as the controller decided it.
///
/// `directories` has one entry per replica. ISR and ELR do not overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRegistration {
    /// Replicas, the preferred leader first.
    pub replicas: Box<[NodeId]>,
    /// Directory of each replica.
    pub directories: Box<[Uuid]>,
    /// Replicas in sync.
    pub isr: Box<[NodeId]>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Box<[NodeId]>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Box<[NodeId]>,
    /// Replicas out of the ISR that still hold everything committed (KIP-966).
    pub elr: Box<[NodeId]>,
    /// The leader that an empty ISR and ELR left behind (KIP-966).
    pub last_known_elr: Box<[NodeId]>,
    /// The leader; [`NodeId::NONE`] if there is none.
    pub leader: NodeId,
    /// Whether the leader is recovering.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Counts the leaders.
    pub leader_epoch: LeaderEpoch,
    /// Counts the changes.
    pub partition_epoch: PartitionEpoch,
}

/// Node ids as a message carries them.
pub(crate) fn to_wire(nodes: &[NodeId]) -> Vec<i32> {
    nodes.iter().map(|node| node.0).collect()
}

fn from_wire(nodes: &[i32]) -> Box<[NodeId]> {
    nodes.iter().map(|&node| NodeId(node)).collect()
}

impl PartitionRegistration {
    /// The registration that `record` describes.
    pub(crate) fn from_record(record: &PartitionRecord) -> Result<Self, ReplayError> {
        Ok(Self {
            directories: directories(
                &record.directories,
                record.replicas.len(),
                record.topic_id,
                record.partition_id,
            )?,
            replicas: from_wire(&record.replicas),
            isr: from_wire(&record.isr),
            removing_replicas: from_wire(&record.removing_replicas),
            adding_replicas: from_wire(&record.adding_replicas),
            elr: from_wire(
                record
                    .eligible_leader_replicas
                    .as_deref()
                    .unwrap_or_default(),
            ),
            last_known_elr: from_wire(record.last_known_elr.as_deref().unwrap_or_default()),
            leader: NodeId(record.leader),
            leader_recovery_state: recovery_state(record.leader_recovery_state)?,
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: PartitionEpoch(record.partition_epoch),
        })
    }

    /// The registration after `change`. Each change counts in the partition epoch; each one that names
    /// a leader, be it the same, counts in the leader epoch.
    ///
    /// # Errors
    /// [`ReplayError`] if the change makes no sense.
    pub fn merge(&self, change: &PartitionChangeRecord) -> Result<Self, ReplayError> {
        let or = |new: &Option<Vec<i32>>, old: &[NodeId]| {
            new.as_deref().map_or_else(|| old.into(), from_wire)
        };
        let replicas = or(&change.replicas, &self.replicas);
        let directories = directories(
            change.directories.as_deref().unwrap_or(&self.directories),
            replicas.len(),
            change.topic_id,
            change.partition_id,
        )?;
        let elects = change.leader != NO_LEADER_CHANGE;
        Ok(Self {
            replicas,
            directories,
            isr: or(&change.isr, &self.isr),
            removing_replicas: or(&change.removing_replicas, &self.removing_replicas),
            adding_replicas: or(&change.adding_replicas, &self.adding_replicas),
            elr: or(&change.eligible_leader_replicas, &self.elr),
            last_known_elr: or(&change.last_known_elr, &self.last_known_elr),
            leader: if elects {
                NodeId(change.leader)
            } else {
                self.leader
            },
            leader_recovery_state: match change.leader_recovery_state {
                LeaderRecoveryState::NO_CHANGE => self.leader_recovery_state,
                state => recovery_state(state)?,
            },
            leader_epoch: LeaderEpoch(next(self.leader_epoch.0, elects, "leader_epoch")?),
            partition_epoch: PartitionEpoch(next(self.partition_epoch.0, true, "partition_epoch")?),
        })
    }

    /// The record that says the same.
    #[must_use]
    pub fn to_record(
        &self,
        topic_id: TopicId,
        partition: i32,
        elr_enabled: bool,
        directories: bool,
    ) -> PartitionRecord {
        let elr = |nodes: &[NodeId]| (elr_enabled && !nodes.is_empty()).then(|| to_wire(nodes));
        PartitionRecord {
            partition_id: partition,
            topic_id: topic_id.0,
            replicas: to_wire(&self.replicas),
            isr: to_wire(&self.isr),
            removing_replicas: to_wire(&self.removing_replicas),
            adding_replicas: to_wire(&self.adding_replicas),
            leader: self.leader.0,
            leader_recovery_state: self.leader_recovery_state.id(),
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch.0,
            directories: if directories {
                self.directories.to_vec()
            } else {
                Vec::new()
            },
            eligible_leader_replicas: elr(&self.elr),
            last_known_elr: elr(&self.last_known_elr),
            ..PartitionRecord::default()
        }
    }

    /// Whether the partition has a leader.
    #[must_use]
    pub fn has_leader(&self) -> bool {
        self.leader != NodeId::NONE
    }

    /// The replica that should lead if it can; `None` of a partition without replicas.
    #[must_use]
    pub fn preferred_replica(&self) -> Option<NodeId> {
        self.replicas.first().copied()
    }

    /// Whether the preferred replica leads.
    #[must_use]
    pub fn has_preferred_leader(&self) -> bool {
        self.preferred_replica() == Some(self.leader)
    }

    /// Whether replicas are being added or removed.
    #[must_use]
    pub fn is_reassigning(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }

    /// Directory of the replica on `broker`; `None` if it has none.
    #[must_use]
    pub fn directory(&self, broker: NodeId) -> Option<Uuid> {
        let index = self
            .replicas
            .iter()
            .position(|&replica| replica == broker)?;
        self.directories.get(index).copied()
    }
}

/// One directory per replica; none at all stands for brokers that do not know directories.
fn directories(
    given: &[Uuid],
    replicas: usize,
    topic_id: Uuid,
    partition: i32,
) -> Result<Box<[Uuid]>, ReplayError> {
    match given.len() {
        0 => Ok(vec![directory::MIGRATING; replicas].into()),
        count if count == replicas => Ok(given.into()),
        _ => Err(ReplayError::DirectoryCount {
            topic: TopicId(topic_id),
            partition,
        }),
    }
}

fn recovery_state(id: i8) -> Result<LeaderRecoveryState, ReplayError> {
    LeaderRecoveryState::from_id(id).ok_or_else(|| ReplayError::IllegalValue {
        field: "leader_recovery_state",
        value: id.into(),
    })
}

fn next(epoch: i32, bump: bool, field: &'static str) -> Result<i32, ReplayError> {
    if !bump {
        return Ok(epoch);
    }
    epoch
        .checked_add(1)
        .ok_or_else(|| ReplayError::IllegalValue {
            field,
            value: epoch.into(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> PartitionRegistration {
        PartitionRegistration {
            replicas: [NodeId(1), NodeId(2)].into(),
            directories: [Uuid([1; 16]), Uuid([2; 16])].into(),
            isr: [NodeId(1)].into(),
            removing_replicas: [].into(),
            adding_replicas: [].into(),
            elr: [NodeId(2)].into(),
            last_known_elr: [].into(),
            leader: NodeId(1),
            leader_recovery_state: LeaderRecoveryState::Recovered,
            leader_epoch: LeaderEpoch(4),
            partition_epoch: PartitionEpoch(9),
        }
    }

    #[test]
    fn record_round_trips() {
        let record = partition().to_record(TopicId(Uuid([7; 16])), 3, true, true);
        assert_eq!(record.eligible_leader_replicas, Some(vec![2]));
        assert_eq!(record.last_known_elr, None, "an empty one is not written");
        assert_eq!(PartitionRegistration::from_record(&record), Ok(partition()));
    }

    #[test]
    fn naming_the_same_leader_bumps_its_epoch() {
        let merge = |change| partition().merge(&change).unwrap();
        let kept = merge(PartitionChangeRecord {
            isr: Some(vec![1, 2]),
            ..Default::default()
        });
        assert_eq!(
            (kept.leader_epoch, kept.partition_epoch),
            (LeaderEpoch(4), PartitionEpoch(10))
        );
        assert_eq!(*kept.isr, [NodeId(1), NodeId(2)]);
        let bumped = merge(PartitionChangeRecord {
            leader: 1,
            ..Default::default()
        });
        assert_eq!(
            (bumped.leader, bumped.leader_epoch),
            (NodeId(1), LeaderEpoch(5))
        );
    }

    #[test]
    fn replicas_without_directories_are_migrating() {
        let record = PartitionRecord {
            directories: Vec::new(),
            ..partition().to_record(TopicId(Uuid([7; 16])), 0, true, true)
        };
        let read = PartitionRegistration::from_record(&record).unwrap();
        assert_eq!(*read.directories, [directory::MIGRATING; 2]);
        let short = PartitionRecord {
            directories: vec![Uuid([1; 16])],
            ..record
        };
        assert!(PartitionRegistration::from_record(&short).is_err());
    }

    #[test]
    fn lost_directories_are_offline() {
        let known = Uuid([9; 16]);
        let check = |id, online: &[Uuid], expected| {
            assert_eq!(
                directory::is_online(id, online),
                expected,
                "{id} in {online:?}"
            );
        };
        check(directory::UNASSIGNED, &[known], true);
        check(directory::MIGRATING, &[known], true);
        check(directory::LOST, &[], false);
        check(known, &[known], true);
        check(Uuid([8; 16]), &[known], false);
        check(Uuid([8; 16]), &[], true);
    }
}
