//! The machine: events in, effects out.

mod election;
mod replication;

use ottla_base::{LeaderEpoch, MonoTime, NodeId, Offset};

use crate::election_state::ElectionState;
use crate::message::{BeginEpoch, Message, OffsetAndEpoch};
use crate::role::{Election, Role, Unattached};
use crate::voters::{ReplicaKey, VoterSet};

/// What the machine reads of the local log, all of it in memory.
pub trait LogView {
    /// The end of the log and the epoch of its last record (epoch 0 of an empty log).
    fn end(&self) -> OffsetAndEpoch;
    /// The largest epoch up to `epoch` in the log, and the end of its records.
    fn end_of_epoch(&self, epoch: LeaderEpoch) -> OffsetAndEpoch;
}

/// Timeouts, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// `controller.quorum.election.timeout.ms`; the wait is this and a random part of it more.
    pub election_ms: u64,
    /// `controller.quorum.fetch.timeout.ms`: a leader that does not answer, or is not asked, for so long is gone.
    pub fetch_ms: u64,
    /// `controller.quorum.election.backoff.max.ms`: longest wait after a lost election.
    pub backoff_max_ms: u64,
}

/// What a replica is before it hears of anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// This replica.
    pub local: ReplicaKey,
    /// Timeouts.
    pub timeouts: Timeouts,
    /// The voters that its log and snapshots name.
    pub voters: VoterSet,
    /// What it had made durable.
    pub state: ElectionState,
    /// Makes its timeouts differ from those of the others.
    pub seed: u64,
}

/// What the shell is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Make the election state durable before anything that follows.
    Persist(ElectionState),
    /// Send to a replica; may be lost.
    Send(NodeId, Message),
    /// This node leads `epoch` from the end of its log: append the LeaderChange record and lead.
    BecameLeader(LeaderEpoch),
    /// This node leads no more: drop what is not committed.
    LostLeadership(LeaderEpoch),
    /// Cut the log so that it ends at the offset, before anything is appended.
    TruncateTo(Offset),
    /// Everything below the offset is committed.
    HighWatermark(Offset),
}

const NS_PER_MS: u64 = 1_000_000;

/// A replica of the metadata log.
#[derive(Debug, Clone)]
pub struct Raft {
    local: ReplicaKey,
    timeouts: Timeouts,
    voters: VoterSet,
    epoch: LeaderEpoch,
    role: Role,
    high_watermark: Offset,
    random: u64,
}

impl Raft {
    /// A replica that comes up with what it had made durable.
    ///
    /// Even if it led its epoch before, it does not lead it again: it waits as an unattached voter and is
    /// elected to the next one. A quorum of one elects itself at once, with a single flush.
    pub fn start(setup: Setup, now: MonoTime, log: &dyn LogView, fx: &mut Vec<Effect>) -> Self {
        let Setup {
            local,
            timeouts,
            voters,
            state,
            seed,
        } = setup;
        let role = Role::Unattached(Unattached {
            voted: state.voted,
            election_at: now,
        });
        let high_watermark = Offset(0);
        // A log never ends in an epoch that its owner has not heard of, unless the file was lost.
        let epoch = state.epoch.max(log.end().epoch);
        let mut raft = Self {
            local,
            timeouts,
            voters,
            epoch,
            role,
            high_watermark,
            random: seed,
        };
        let wait = raft.election_wait();
        match state.leader.filter(|leader| *leader != local.id) {
            Some(leader) if epoch == state.epoch => raft.follow(now, epoch, leader, log, fx),
            _ => raft.set_unattached(now, state.voted, wait),
        }
        if raft.voters.is_only(&raft.local) {
            raft.become_candidate(now, log, fx);
        }
        raft
    }

    /// Current epoch.
    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The leader of the epoch, if known.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Leader(_) => Some(self.local.id),
            Role::Follower(follower) => Some(follower.leader),
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) => None,
        }
    }

    /// Whether this node leads.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// Everything below it is committed.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The voters.
    #[must_use]
    pub fn voters(&self) -> &VoterSet {
        &self.voters
    }

    /// When [`Self::on_tick`] is to be called at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<MonoTime> {
        match &self.role {
            Role::Unattached(_) | Role::Follower(_) if !self.is_voter() => None,
            Role::Unattached(unattached) => Some(unattached.election_at),
            Role::Prospective(election) | Role::Candidate(election) => Some(election.deadline),
            Role::Follower(follower) => Some(follower.gone_at),
            Role::Leader(_) if self.voters.0.len() == 1 => None,
            Role::Leader(leader) => Some(leader.remind_at.min(leader.resign_at)),
        }
    }

    /// Time passed.
    pub fn on_tick(&mut self, now: MonoTime, log: &dyn LogView, fx: &mut Vec<Effect>) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match &mut self.role {
            Role::Unattached(Unattached { voted, .. }) => {
                let voted = *voted;
                self.become_prospective(now, voted, log, fx);
            }
            Role::Follower(follower) => {
                let voted = follower.voted;
                self.become_prospective(now, voted, log, fx);
            }
            // A lost election is tried again after a while, so that two candidates do not meet for ever.
            Role::Prospective(Election { voted, .. }) | Role::Candidate(Election { voted, .. }) => {
                let voted = *voted;
                let wait = self.jitter(self.timeouts.backoff_max_ms);
                self.set_unattached(now, voted, wait);
            }
            Role::Leader(leader) if now >= leader.resign_at => {
                // Nobody fetches: another majority may have another leader already.
                let epoch = self.epoch;
                let wait = self.election_wait();
                let voted = Some(self.local);
                self.set_unattached(now, voted, wait);
                fx.push(Effect::LostLeadership(epoch));
            }
            Role::Leader(leader) => {
                leader.remind_at = after(now, self.timeouts.fetch_ms / 2);
                let silent: Vec<NodeId> = leader
                    .voters
                    .iter()
                    .filter(|(_, progress)| progress.fetched_at.is_none())
                    .map(|(id, _)| *id)
                    .collect();
                self.begin_epoch(&silent, fx);
            }
        }
    }

    /// The local log grew or was flushed; as leader this may commit. The end counts once it is flushed.
    pub fn on_flushed(&mut self, end: Offset, fx: &mut Vec<Effect>) {
        if let Role::Leader(leader) = &mut self.role {
            leader.flushed_end = leader.flushed_end.max(end);
            self.advance(fx);
        }
    }

    /// The leader stops in good order: the others need not wait for a timeout.
    pub fn on_shutdown(&mut self, now: MonoTime, fx: &mut Vec<Effect>) {
        if !self.is_leader() {
            return;
        }
        let message = Message::EndEpoch(BeginEpoch {
            leader: self.local.id,
            epoch: self.epoch,
        });
        fx.extend(
            self.voters
                .others(self.local.id)
                .map(|id| Effect::Send(id, message)),
        );
        let (epoch, wait) = (self.epoch, self.election_wait());
        self.set_unattached(now, Some(self.local), wait);
        fx.push(Effect::LostLeadership(epoch));
    }

    /// A message arrived from `from`.
    ///
    /// The records of a [`FetchResponse::Records`](crate::message::FetchResponse::Records) are to be appended and
    /// flushed before, if [`Self::accepts_records`] says so.
    pub fn on_message(
        &mut self,
        now: MonoTime,
        from: NodeId,
        message: Message,
        log: &dyn LogView,
        fx: &mut Vec<Effect>,
    ) {
        match message {
            Message::Vote(request) => self.on_vote(now, from, &request, log, fx),
            Message::VoteAnswer(response) => self.on_vote_answer(now, from, response, log, fx),
            Message::BeginEpoch(begin) => {
                if begin.epoch >= self.epoch
                    && self.leader().is_none_or(|_| begin.epoch > self.epoch)
                {
                    self.follow(now, begin.epoch, begin.leader, log, fx);
                }
            }
            Message::EndEpoch(end) => {
                if end.epoch == self.epoch && self.leader() == Some(end.leader) && !self.is_leader()
                {
                    let wait = self.jitter(self.timeouts.backoff_max_ms);
                    let voted = self.voted();
                    self.set_unattached(now, voted, wait);
                }
            }
            Message::Fetch(request) => self.on_fetch(now, from, &request, log, fx),
            Message::FetchAnswer(response) => self.on_fetch_answer(now, from, response, log, fx),
        }
    }

    /// Whether records that `from` sent as leader of `epoch` may be appended.
    #[must_use]
    pub fn accepts_records(&self, from: NodeId, epoch: LeaderEpoch) -> bool {
        matches!(&self.role, Role::Follower(follower) if follower.leader == from)
            && epoch == self.epoch
    }

    fn is_voter(&self) -> bool {
        self.voters.contains(&self.local)
    }

    fn voted(&self) -> Option<ReplicaKey> {
        match &self.role {
            Role::Unattached(unattached) => unattached.voted,
            Role::Prospective(election) => election.voted,
            Role::Follower(follower) => follower.voted,
            Role::Candidate(_) | Role::Leader(_) => Some(self.local),
        }
    }

    fn state(&self) -> ElectionState {
        let leader = self.leader();
        // Kafka forgets the vote once a leader is known: it can then give none in this epoch any more.
        let voted = if leader.is_some() { None } else { self.voted() };
        ElectionState {
            epoch: self.epoch,
            leader,
            voted,
        }
    }
}

fn after(now: MonoTime, ms: u64) -> MonoTime {
    MonoTime(now.0.saturating_add(ms.saturating_mul(NS_PER_MS)))
}
