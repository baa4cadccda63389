//! How records come from the leader to its followers, and when they are committed.

use ottla_base::{LeaderEpoch, MonoTime, NodeId, Offset};

use super::{Effect, LogView, NS_PER_MS, Raft, after};
use crate::message::{FetchRequest, FetchResponse, Message};
use crate::role::{Follower, Role};

impl Raft {
    pub(super) fn follow(
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

    pub(super) fn fetch(&self, log: &dyn LogView, fx: &mut Vec<Effect>) {
        if let Role::Follower(follower) = &self.role {
            let request = FetchRequest {
                replica: self.local,
                epoch: self.epoch,
                log_end: log.end(),
            };
            fx.push(Effect::Send(follower.leader, Message::Fetch(request)));
        }
    }

    pub(super) fn on_fetch(
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

    pub(super) fn on_fetch_answer(
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
    pub(super) fn advance(&mut self, fx: &mut Vec<Effect>) {
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

    pub(super) fn raise(&mut self, high_watermark: Offset, fx: &mut Vec<Effect>) {
        if high_watermark > self.high_watermark {
            self.high_watermark = high_watermark;
            fx.push(Effect::HighWatermark(high_watermark));
        }
    }
}
