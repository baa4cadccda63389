//! What replicas of the metadata log say to each other, without its wire form.

use ottla_base::{LeaderEpoch, NodeId, Offset};

use crate::voters::ReplicaKey;

/// A place in the log: an offset, and the epoch of the record before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetAndEpoch {
    /// Offset of the next record.
    pub offset: Offset,
    /// Epoch of the last record.
    pub epoch: LeaderEpoch,
}

impl OffsetAndEpoch {
    /// Whether a log that ends here holds everything that one ending at `other` may have committed: a
    /// later epoch wins, then the longer log.
    #[must_use]
    pub fn is_up_to_date_with(&self, other: &Self) -> bool {
        (self.epoch, self.offset) >= (other.epoch, other.offset)
    }
}

/// Vote (KIP-595), or with `pre_vote` the question how a vote would go (KIP-996).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoteRequest {
    /// Who asks.
    pub candidate: ReplicaKey,
    /// Epoch asked for; the current one in a pre-vote.
    pub epoch: LeaderEpoch,
    /// End of the candidate's log.
    pub log_end: OffsetAndEpoch,
    /// Changes nothing on either side.
    pub pre_vote: bool,
}

/// The answer to a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoteResponse {
    /// Epoch of the voter.
    pub epoch: LeaderEpoch,
    /// Its leader, if known.
    pub leader: Option<NodeId>,
    /// Whether the vote was given.
    pub granted: bool,
    /// Whether it answers a pre-vote.
    pub pre_vote: bool,
}

/// BeginQuorumEpoch: the sender leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeginEpoch {
    /// The leader.
    pub leader: NodeId,
    /// Its epoch.
    pub epoch: LeaderEpoch,
}

/// Fetch of a replica of the metadata log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchRequest {
    /// Who fetches.
    pub replica: ReplicaKey,
    /// Epoch of the leader that it knows.
    pub epoch: LeaderEpoch,
    /// End of its log.
    pub log_end: OffsetAndEpoch,
}

/// The answer to a fetch, apart from the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchResponse {
    /// Records follow from the end that was asked for; there may be none.
    Records {
        /// Epoch of the leader.
        epoch: LeaderEpoch,
        /// Everything below is committed.
        high_watermark: Offset,
    },
    /// The logs part before the end that was asked for.
    Diverging {
        /// Epoch of the leader.
        epoch: LeaderEpoch,
        /// The largest common epoch that the leader can tell, and its end there.
        end: OffsetAndEpoch,
    },
    /// The one asked does not lead the epoch asked for.
    NotLeader {
        /// Its epoch.
        epoch: LeaderEpoch,
        /// Its leader, if known.
        leader: Option<NodeId>,
    },
}

/// Anything that one replica sends to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A vote or pre-vote is asked for.
    Vote(VoteRequest),
    /// A vote is answered.
    VoteAnswer(VoteResponse),
    /// An epoch begins.
    BeginEpoch(BeginEpoch),
    /// The leader gives its epoch up (EndQuorumEpoch).
    EndEpoch(BeginEpoch),
    /// A fetch is asked for.
    Fetch(FetchRequest),
    /// A fetch is answered.
    FetchAnswer(FetchResponse),
}
