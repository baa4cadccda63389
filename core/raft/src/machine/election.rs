//! How a replica comes to lead, or to follow who does: votes and epochs (KIP-595, 996).

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::{LeaderEpoch, MonoTime, NodeId, Offset};

use super::{Effect, LogView, Raft, after};
use crate::message::{BeginEpoch, Message, VoteRequest, VoteResponse};
use crate::role::{Election, Leader, Progress, Role, Unattached};
use crate::voters::ReplicaKey;

impl Raft {
    pub(super) fn jitter(&mut self, max_ms: u64) -> u64 {
        // splitmix64; only spreads timeouts.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % max_ms.max(1)
    }

    pub(super) fn election_wait(&mut self) -> u64 {
        self.timeouts.election_ms + self.jitter(self.timeouts.election_ms)
    }

    pub(super) fn set_unattached(
        &mut self,
        now: MonoTime,
        voted: Option<ReplicaKey>,
        wait_ms: u64,
    ) {
        self.role = Role::Unattached(Unattached {
            voted,
            election_at: after(now, wait_ms),
        });
    }

    /// A newer epoch was heard of, without its leader.
    pub(super) fn enter_epoch(&mut self, now: MonoTime, epoch: LeaderEpoch, fx: &mut Vec<Effect>) {
        assert!(epoch > self.epoch, "epochs only grow");
        let (was_leader, old) = (self.is_leader(), self.epoch);
        // An election that was about to begin keeps its time, or a peer could put it off for ever.
        let election_at = match &self.role {
            Role::Unattached(unattached) => unattached.election_at,
            _ => after(now, self.election_wait()),
        };
        self.epoch = epoch;
        self.role = Role::Unattached(Unattached {
            voted: None,
            election_at,
        });
        fx.push(Effect::Persist(self.state()));
        if was_leader {
            fx.push(Effect::LostLeadership(old));
        }
    }

    pub(super) fn become_prospective(
        &mut self,
        now: MonoTime,
        voted: Option<ReplicaKey>,
        log: &dyn LogView,
        fx: &mut Vec<Effect>,
    ) {
        let deadline = after(now, self.election_wait());
        let granted = BTreeSet::from([self.local.id]);
        self.role = Role::Prospective(Election {
            granted,
            refused: BTreeSet::new(),
            voted,
            deadline,
        });
        self.ask(self.epoch, true, log, fx);
        self.count_votes(now, log, fx);
    }

    pub(super) fn become_candidate(
        &mut self,
        now: MonoTime,
        log: &dyn LogView,
        fx: &mut Vec<Effect>,
    ) {
        self.epoch = LeaderEpoch(
            self.epoch
                .0
                .checked_add(1)
                .expect("2^31 elections do not happen"),
        );
        let deadline = after(now, self.election_wait());
        let granted = BTreeSet::from([self.local.id]);
        let voted = Some(self.local);
        self.role = Role::Candidate(Election {
            granted,
            refused: BTreeSet::new(),
            voted,
            deadline,
        });
        if self.voters.majority() > 1 {
            fx.push(Effect::Persist(self.state()));
            self.ask(self.epoch, false, log, fx);
        }
        self.count_votes(now, log, fx);
    }

    pub(super) fn ask(
        &self,
        epoch: LeaderEpoch,
        pre_vote: bool,
        log: &dyn LogView,
        fx: &mut Vec<Effect>,
    ) {
        let request = VoteRequest {
            candidate: self.local,
            epoch,
            log_end: log.end(),
            pre_vote,
        };
        let others = self.voters.others(self.local.id);
        fx.extend(others.map(|id| Effect::Send(id, Message::Vote(request))));
    }

    pub(super) fn count_votes(&mut self, now: MonoTime, log: &dyn LogView, fx: &mut Vec<Effect>) {
        let majority = self.voters.majority();
        match &self.role {
            Role::Prospective(election) if election.granted.len() >= majority => {
                self.become_candidate(now, log, fx);
            }
            Role::Candidate(election) if election.granted.len() >= majority => {
                self.become_leader(now, log, fx);
            }
            Role::Prospective(election) | Role::Candidate(election)
                if election.is_lost(&self.voters) =>
            {
                let voted = election.voted;
                let wait = self.jitter(self.timeouts.backoff_max_ms);
                self.set_unattached(now, voted, wait);
            }
            _ => {}
        }
    }

    pub(super) fn become_leader(&mut self, now: MonoTime, log: &dyn LogView, fx: &mut Vec<Effect>) {
        let end = log.end().offset;
        let others: Vec<NodeId> = self.voters.others(self.local.id).collect();
        let unknown = Progress {
            log_end: Offset(0),
            fetched_at: None,
        };
        self.role = Role::Leader(Leader {
            epoch_start: end,
            flushed_end: Offset(0),
            voters: others
                .iter()
                .map(|id| (*id, unknown))
                .collect::<BTreeMap<_, _>>(),
            remind_at: after(now, self.timeouts.fetch_ms / 2),
            resign_at: after(now, self.timeouts.fetch_ms.saturating_mul(3) / 2),
        });
        fx.push(Effect::Persist(self.state()));
        fx.push(Effect::BecameLeader(self.epoch));
        self.begin_epoch(&others, fx);
    }

    pub(super) fn begin_epoch(&self, to: &[NodeId], fx: &mut Vec<Effect>) {
        let message = Message::BeginEpoch(BeginEpoch {
            leader: self.local.id,
            epoch: self.epoch,
        });
        fx.extend(to.iter().map(|id| Effect::Send(*id, message)));
    }

    pub(super) fn on_vote(
        &mut self,
        now: MonoTime,
        from: NodeId,
        request: &VoteRequest,
        log: &dyn LogView,
        fx: &mut Vec<Effect>,
    ) {
        if request.epoch > self.epoch {
            self.enter_epoch(now, request.epoch, fx);
        }
        let up_to_date = request.log_end.is_up_to_date_with(&log.end());
        let free = match &self.role {
            Role::Unattached(Unattached { voted, .. })
            | Role::Prospective(Election { voted, .. }) => {
                request.pre_vote || voted.is_none_or(|voted| voted.matches(&request.candidate))
            }
            // A leader that answers is not given up; one that was only heard of may be.
            Role::Follower(follower) => request.pre_vote && !follower.has_fetched,
            Role::Candidate(_) => request.pre_vote,
            Role::Leader(_) => false,
        };
        let granted = request.epoch == self.epoch && free && up_to_date;
        if granted && !request.pre_vote && self.voted() != Some(request.candidate) {
            let wait = self.election_wait();
            self.set_unattached(now, Some(request.candidate), wait);
            fx.push(Effect::Persist(self.state()));
        }
        let response = VoteResponse {
            epoch: self.epoch,
            leader: self.leader(),
            granted,
            pre_vote: request.pre_vote,
        };
        fx.push(Effect::Send(from, Message::VoteAnswer(response)));
    }

    /// Takes over what another replica says of epoch and leader; returns whether it is of this epoch.
    pub(super) fn hear(
        &mut self,
        now: MonoTime,
        epoch: LeaderEpoch,
        leader: Option<NodeId>,
        log: &dyn LogView,
        fx: &mut Vec<Effect>,
    ) -> bool {
        if epoch < self.epoch {
            return false;
        }
        match leader.filter(|leader| *leader != self.local.id) {
            Some(leader) if epoch > self.epoch || self.leader().is_none() => {
                self.follow(now, epoch, leader, log, fx);
                false
            }
            None if epoch > self.epoch => {
                self.enter_epoch(now, epoch, fx);
                false
            }
            _ => epoch == self.epoch,
        }
    }

    pub(super) fn on_vote_answer(
        &mut self,
        now: MonoTime,
        from: NodeId,
        response: VoteResponse,
        log: &dyn LogView,
        fx: &mut Vec<Effect>,
    ) {
        if !self.hear(now, response.epoch, response.leader, log, fx) {
            return;
        }
        let known = self.voters.0.contains_key(&from);
        let election = match &mut self.role {
            Role::Prospective(election) if response.pre_vote => election,
            Role::Candidate(election) if !response.pre_vote => election,
            _ => return,
        };
        if known && response.granted {
            election.granted.insert(from);
        } else if known {
            election.refused.insert(from);
        }
        self.count_votes(now, log, fx);
    }
}
