//! The machine: events in, effects out.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::{LeaderEpoch, MonoTime, NodeId, Offset};

use crate::election_state::ElectionState;
use crate::message::{
    BeginEpoch, FetchRequest, FetchResponse, Message, OffsetAndEpoch, VoteRequest, VoteResponse,
};
use crate::role::{Election, Follower, Leader, Progress, Role, Unattached};
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
    /// The records of a [`FetchResponse::Records`] are to be appended and flushed before, if
    /// [`Self::accepts_records`] says so.
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

    fn jitter(&mut self, max_ms: u64) -> u64 {
        // splitmix64; only spreads timeouts.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % max_ms.max(1)
    }

    fn election_wait(&mut self) -> u64 {
        self.timeouts.election_ms + self.jitter(self.timeouts.election_ms)
    }

    fn set_unattached(&mut self, now: MonoTime, voted: Option<ReplicaKey>, wait_ms: u64) {
        self.role = Role::Unattached(Unattached {
            voted,
            election_at: after(now, wait_ms),
        });
    }

    /// A newer epoch was heard of, without its leader.
    fn enter_epoch(&mut self, now: MonoTime, epoch: LeaderEpoch, fx: &mut Vec<Effect>) {
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

    fn follow(
        &mut self,
        now: MonoTime,
        epoch: LeaderEpoch,
        leader: NodeId,
        log: &dyn LogView,
        fx: &mut Vec<Effect>,
    ) {
        assert!(leader != self.local.id, "nobody follows himself");
        let lost = self.is_leader().then_some(self.epoch);
        let voted = if epoch == self.epoch {
            self.voted()
        } else {
            None
        };
        let gone_at = after(now, self.timeouts.fetch_ms);
        self.epoch = epoch;
        self.role = Role::Follower(Follower {
            leader,
            voted,
            gone_at,
            has_fetched: false,
        });
        fx.push(Effect::Persist(self.state()));
        fx.extend(lost.map(Effect::LostLeadership));
        self.fetch(log, fx);
    }

    fn fetch(&self, log: &dyn LogView, fx: &mut Vec<Effect>) {
        if let Role::Follower(follower) = &self.role {
            let request = FetchRequest {
                replica: self.local,
                epoch: self.epoch,
                log_end: log.end(),
            };
            fx.push(Effect::Send(follower.leader, Message::Fetch(request)));
        }
    }

    fn become_prospective(
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

    fn become_candidate(&mut self, now: MonoTime, log: &dyn LogView, fx: &mut Vec<Effect>) {
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

    fn ask(&self, epoch: LeaderEpoch, pre_vote: bool, log: &dyn LogView, fx: &mut Vec<Effect>) {
        let request = VoteRequest {
            candidate: self.local,
            epoch,
            log_end: log.end(),
            pre_vote,
        };
        let others = self.voters.others(self.local.id);
        fx.extend(others.map(|id| Effect::Send(id, Message::Vote(request))));
    }

    fn count_votes(&mut self, now: MonoTime, log: &dyn LogView, fx: &mut Vec<Effect>) {
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

    fn become_leader(&mut self, now: MonoTime, log: &dyn LogView, fx: &mut Vec<Effect>) {
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

    fn begin_epoch(&self, to: &[NodeId], fx: &mut Vec<Effect>) {
        let message = Message::BeginEpoch(BeginEpoch {
            leader: self.local.id,
            epoch: self.epoch,
        });
        fx.extend(to.iter().map(|id| Effect::Send(*id, message)));
    }

    fn on_vote(
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
    fn hear(
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

    fn on_vote_answer(
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

    fn on_fetch(
        &mut self,
        now: MonoTime,
        from: NodeId,
        request: &FetchRequest,
        log: &dyn LogView,
        fx: &mut Vec<Effect>,
    ) {
        if request.epoch > self.epoch {
            self.enter_epoch(now, request.epoch, fx);
        }
        let epoch = self.epoch;
        let resign_after = self.timeouts.fetch_ms.saturating_mul(3) / 2;
        let majority = self.voters.majority();
        let leader = self.leader();
        let Role::Leader(leading) = &mut self.role else {
            let response = FetchResponse::NotLeader { epoch, leader };
            fx.push(Effect::Send(from, Message::FetchAnswer(response)));
            return;
        };
        if request.epoch < epoch {
            let response = FetchResponse::NotLeader { epoch, leader };
            fx.push(Effect::Send(from, Message::FetchAnswer(response)));
            return;
        }
        let is_voter = self.voters.contains(&request.replica);
        if let Some(progress) = leading.voters.get_mut(&from).filter(|_| is_voter) {
            progress.fetched_at = Some(now);
            // Alive enough: with this node itself a majority fetched lately.
            let since = |at: MonoTime| now.0.saturating_sub(at.0) <= resign_after * NS_PER_MS;
            let lately = leading
                .voters
                .values()
                .filter(|p| p.fetched_at.is_some_and(since));
            if lately.count() + 1 >= majority {
                leading.resign_at = after(now, resign_after);
            }
        }
        let shared = log.end_of_epoch(request.log_end.epoch);
        let asked = request.log_end;
        if shared.epoch != asked.epoch || shared.offset < asked.offset {
            let response = FetchResponse::Diverging { epoch, end: shared };
            fx.push(Effect::Send(from, Message::FetchAnswer(response)));
            return;
        }
        if let Some(progress) = leading.voters.get_mut(&from).filter(|_| is_voter) {
            progress.log_end = asked.offset;
        }
        self.advance(fx);
        let response = FetchResponse::Records {
            epoch,
            high_watermark: self.high_watermark,
        };
        fx.push(Effect::Send(from, Message::FetchAnswer(response)));
    }

    fn on_fetch_answer(
        &mut self,
        now: MonoTime,
        from: NodeId,
        response: FetchResponse,
        log: &dyn LogView,
        fx: &mut Vec<Effect>,
    ) {
        let (epoch, leader) = match response {
            FetchResponse::Records { epoch, .. } | FetchResponse::Diverging { epoch, .. } => {
                (epoch, Some(from))
            }
            FetchResponse::NotLeader { epoch, leader } => (epoch, leader),
        };
        if !self.hear(now, epoch, leader, log, fx) {
            return;
        }
        let gone_at = after(now, self.timeouts.fetch_ms);
        let Role::Follower(follower) = &mut self.role else {
            return;
        };
        if follower.leader != from {
            return;
        }
        match response {
            FetchResponse::NotLeader { .. } => return, // The tick decides when it is gone.
            FetchResponse::Records { high_watermark, .. } => {
                follower.gone_at = gone_at;
                follower.has_fetched = true;
                self.raise(high_watermark.min(log.end().offset), fx);
            }
            FetchResponse::Diverging { end, .. } => {
                follower.gone_at = gone_at;
                follower.has_fetched = true;
                // Both logs hold the same records up to the smaller end of the largest common epoch.
                let own = log.end_of_epoch(end.epoch);
                let cut = if own.epoch == end.epoch {
                    own.offset.min(end.offset)
                } else {
                    own.offset
                };
                assert!(
                    cut >= self.high_watermark,
                    "what is committed is never cut off"
                );
                fx.push(Effect::TruncateTo(cut));
                return; // The shell cuts, then asks again by `fetch_again`.
            }
        }
        self.fetch(log, fx);
    }

    /// The log was cut after [`Effect::TruncateTo`]: the next fetch.
    pub fn fetch_again(&self, log: &dyn LogView, fx: &mut Vec<Effect>) {
        self.fetch(log, fx);
    }

    /// As leader: what a majority holds is committed, once a record of the own epoch is among it.
    ///
    /// A record of an older epoch that a majority holds may still be overwritten by a leader that never
    /// saw it; one of the own epoch on top of it excludes that (Raft, section 5.4.2).
    fn advance(&mut self, fx: &mut Vec<Effect>) {
        let Role::Leader(leader) = &self.role else {
            return;
        };
        let own = self.is_voter().then_some(leader.flushed_end);
        let mut ends: Vec<Offset> = leader
            .voters
            .values()
            .map(|progress| progress.log_end)
            .chain(own)
            .collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let reached = ends.get(self.voters.majority() - 1).copied();
        if let Some(reached) = reached.filter(|reached| *reached > leader.epoch_start) {
            self.raise(reached, fx);
        }
    }

    fn raise(&mut self, high_watermark: Offset, fx: &mut Vec<Effect>) {
        if high_watermark > self.high_watermark {
            self.high_watermark = high_watermark;
            fx.push(Effect::HighWatermark(high_watermark));
        }
    }
}

fn after(now: MonoTime, ms: u64) -> MonoTime {
    MonoTime(now.0.saturating_add(ms.saturating_mul(NS_PER_MS)))
}
