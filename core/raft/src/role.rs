//! What a replica is at a moment, and what only matters while it is that.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::{MonoTime, NodeId, Offset};

use crate::voters::{ReplicaKey, VoterSet};

/// The role in the current epoch.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    Unattached(Unattached),
    Prospective(Election),
    Candidate(Election),
    Leader(Leader),
    Follower(Follower),
}

/// Knows of no leader.
#[derive(Debug, Clone)]
pub(crate) struct Unattached {
    /// Whom it voted for in this epoch.
    pub(crate) voted: Option<ReplicaKey>,
    /// When it asks for votes itself.
    pub(crate) election_at: MonoTime,
}

/// Asks for pre-votes or votes.
#[derive(Debug, Clone)]
pub(crate) struct Election {
    pub(crate) granted: BTreeSet<NodeId>,
    pub(crate) refused: BTreeSet<NodeId>,
    /// Whom it voted for before it became prospective; a candidate voted for itself.
    pub(crate) voted: Option<ReplicaKey>,
    /// When it gives the attempt up.
    pub(crate) deadline: MonoTime,
}

impl Election {
    /// Whether the election can no more be won.
    pub(crate) fn is_lost(&self, voters: &VoterSet) -> bool {
        voters.0.len() - self.refused.len() < voters.majority()
    }
}

/// Leads the epoch.
#[derive(Debug, Clone)]
pub(crate) struct Leader {
    /// End of the log when the epoch began; older records are committed with the first own one only.
    pub(crate) epoch_start: Offset,
    /// End of the own log that is on stable storage.
    pub(crate) flushed_end: Offset,
    /// What the other voters hold, and when they last fetched.
    pub(crate) voters: BTreeMap<NodeId, Progress>,
    /// When to remind voters that did not fetch that an epoch began.
    pub(crate) remind_at: MonoTime,
    /// When it gives up for want of fetches from a majority.
    pub(crate) resign_at: MonoTime,
}

/// What a leader knows of another voter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) log_end: Offset,
    pub(crate) fetched_at: Option<MonoTime>,
}

/// Follows a leader.
#[derive(Debug, Clone)]
pub(crate) struct Follower {
    pub(crate) leader: NodeId,
    pub(crate) voted: Option<ReplicaKey>,
    /// When the leader counts as gone.
    pub(crate) gone_at: MonoTime,
    /// Whether the leader answered at all in this epoch; only then is it defended against pre-votes.
    pub(crate) has_fetched: bool,
}
