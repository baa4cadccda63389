//! Who takes part in the quorum (KIP-853).

use std::collections::BTreeMap;

use ottla_base::{NodeId, Uuid};

/// A replica of the metadata log: the node and the directory that it keeps it in, so that a node that
/// comes back with an empty disk is not taken for the one that voted. A zero directory is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicaKey {
    /// The node.
    pub id: NodeId,
    /// Its metadata directory, or [`Uuid::ZERO`].
    pub directory: Uuid,
}

impl ReplicaKey {
    /// Whether both may be the same replica: an unknown directory fits any.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let unknown = self.directory == Uuid::ZERO || other.directory == Uuid::ZERO;
        self.id == other.id && (unknown || self.directory == other.directory)
    }
}

/// Where a voter listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Listener name.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// What the quorum knows of one voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// Its metadata directory, or [`Uuid::ZERO`] under kraft.version 0.
    pub directory: Uuid,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// Lowest and highest kraft.version that it supports.
    pub kraft_versions: (i16, i16),
}

/// The voters of the quorum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VoterSet(pub BTreeMap<NodeId, Voter>);

impl VoterSet {
    /// Whether `key` votes.
    #[must_use]
    pub fn contains(&self, key: &ReplicaKey) -> bool {
        let of = |voter: &Voter| ReplicaKey {
            id: key.id,
            directory: voter.directory,
        };
        self.0
            .get(&key.id)
            .is_some_and(|voter| of(voter).matches(key))
    }

    /// Whether `key` is the whole quorum.
    #[must_use]
    pub fn is_only(&self, key: &ReplicaKey) -> bool {
        self.0.len() == 1 && self.contains(key)
    }

    /// Number of voters that decide: more than half.
    #[must_use]
    pub fn majority(&self) -> usize {
        self.0.len() / 2 + 1
    }

    /// The other voters.
    pub fn others(&self, local: NodeId) -> impl Iterator<Item = NodeId> {
        self.0.keys().copied().filter(move |id| *id != local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECTORY: Uuid = Uuid([7; 16]);

    fn key(id: i32, directory: Uuid) -> ReplicaKey {
        ReplicaKey {
            id: NodeId(id),
            directory,
        }
    }

    #[test]
    fn empty_disk_does_not_vote_for_the_old_one() {
        let voter = Voter {
            directory: DIRECTORY,
            endpoints: Vec::new(),
            kraft_versions: (0, 1),
        };
        let voters = VoterSet(BTreeMap::from([(NodeId(1), voter)]));
        assert!(voters.contains(&key(1, DIRECTORY)));
        assert!(voters.contains(&key(1, Uuid::ZERO)));
        assert!(!voters.contains(&key(1, Uuid([8; 16]))));
        assert!(!voters.contains(&key(2, DIRECTORY)));
    }

    #[test]
    fn majority_is_more_than_half() {
        let voter = Voter {
            directory: DIRECTORY,
            endpoints: Vec::new(),
            kraft_versions: (0, 1),
        };
        for (count, majority) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
            let voters = VoterSet((0..count).map(|id| (NodeId(id), voter.clone())).collect());
            assert_eq!(voters.majority(), majority);
        }
    }
}
