//! The leader's side of one partition: who is in sync, and how far the high watermark may go.
//!
//! Owned by the partition, behind its lock. Knows offsets only; the log itself is elsewhere. Every
//! event returns the high watermark when it moved, so that the owner can store it and wake those
//! that wait for it.
//!
//! What "committed" asks of this node is [`FlushPolicy`] (`ottla.commit.flush`): while the node is
//! the whole ISR, a record counts once it is on stable storage; with other replicas in sync, once all
//! of them hold it in memory. A flush that `flush.messages` asks for is waited for in any case.

use std::collections::BTreeMap;

use ottla_base::{LeaderEpoch, NodeId, Offset, PartitionEpoch};
use thiserror::Error;

/// When this node's own copy counts towards the high watermark (`ottla.commit.flush`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlushPolicy {
    /// While alone in the ISR: when flushed. With others: when appended.
    #[default]
    Alone,
    /// Always when flushed.
    Always,
    /// Always when appended, as Apache Kafka does by default.
    Never,
}

/// What the controller decided about the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Leader epoch under which this node leads.
    pub leader_epoch: LeaderEpoch,
    /// Counts every change of the partition's registration.
    pub partition_epoch: PartitionEpoch,
    /// All replicas, in order of preference.
    pub replicas: Vec<NodeId>,
    /// Replicas in sync, this node included.
    pub isr: Vec<NodeId>,
}

/// A write that may not be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WriteRefusal {
    /// Fewer replicas are in sync than `min.insync.replicas` asks, and the write asks for all.
    #[error("in-sync replicas are too few: in_sync={in_sync} min={min}")]
    NotEnoughReplicas {
        /// Replicas in sync now.
        in_sync: usize,
        /// `min.insync.replicas`.
        min: usize,
    },
}

/// A partition that this node leads.
#[derive(Debug, Clone)]
pub struct Leader {
    local: NodeId,
    assignment: Assignment,
    policy: FlushPolicy,
    /// Log end of each other replica, from its fetches; absent until its first fetch.
    followers: BTreeMap<NodeId, Offset>,
    log_end: Offset,
    flushed_end: Offset,
    high_watermark: Offset,
    hold: Option<Hold>,
}

/// A flush that was asked for, and that the high watermark waits for.
#[derive(Debug, Clone, Copy)]
struct Hold {
    /// What lies below goes on as it would without it.
    from: Offset,
    /// The flush is done when everything below is on stable storage.
    until: Offset,
}

impl Leader {
    /// Takes over leadership of a log that ends at `log_end`, is flushed up to `flushed_end` and
    /// whose high watermark was last known to be `high_watermark`.
    ///
    /// Right after a start everything in the log counts as flushed, because recovery flushed it.
    #[must_use]
    pub fn new(
        local: NodeId,
        assignment: Assignment,
        policy: FlushPolicy,
        high_watermark: Offset,
        log_end: Offset,
        flushed_end: Offset,
    ) -> Self {
        assert!(
            assignment.isr.contains(&local),
            "a leader is in its own ISR"
        );
        assert!(
            flushed_end <= log_end,
            "nothing is flushed that was not appended"
        );
        let mut leader = Self {
            local,
            assignment,
            policy,
            followers: BTreeMap::new(),
            log_end,
            flushed_end,
            high_watermark: high_watermark.min(log_end),
            hold: None,
        };
        leader.advance();
        leader
    }

    /// Leader epoch under which this node leads.
    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        self.assignment.leader_epoch
    }

    /// The controller's last decision.
    #[must_use]
    pub fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    /// Every record below it is committed.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Refuses a write that needs more in-sync replicas than there are.
    ///
    /// As in Kafka the minimum is capped at the number of replicas, so that a topic of one replica
    /// takes writes under a cluster-wide minimum of two.
    ///
    /// # Errors
    /// [`WriteRefusal::NotEnoughReplicas`].
    pub fn check_write(&self, min_insync_replicas: usize) -> Result<(), WriteRefusal> {
        let min = min_insync_replicas.min(self.assignment.replicas.len());
        let in_sync = self.assignment.isr.len();
        if in_sync < min {
            return Err(WriteRefusal::NotEnoughReplicas { in_sync, min });
        }
        Ok(())
    }

    /// A new decision of the controller that keeps this node leader.
    pub fn on_assignment(&mut self, assignment: Assignment) -> Option<Offset> {
        assert!(
            assignment.isr.contains(&self.local),
            "a leader is in its own ISR"
        );
        if assignment.partition_epoch < self.assignment.partition_epoch {
            return None; // An older decision that arrived late.
        }
        if assignment.leader_epoch != self.assignment.leader_epoch {
            self.followers.clear(); // Followers truncate first; their old ends say nothing.
        }
        self.assignment = assignment;
        self.advance()
    }

    /// The policy was reconfigured.
    pub fn on_policy(&mut self, policy: FlushPolicy) -> Option<Offset> {
        self.policy = policy;
        self.advance()
    }

    /// The local log now ends at `log_end`.
    pub fn on_append(&mut self, log_end: Offset) -> Option<Offset> {
        assert!(log_end >= self.log_end, "a leader's log never shrinks");
        self.log_end = log_end;
        self.advance()
    }

    /// What was appended from `from` up to `until` is not committed before it is on stable storage here, whatever
    /// the policy. To be said before [`Self::on_append`]. While an earlier flush is waited for, both are.
    pub fn hold_for_flush(&mut self, from: Offset, until: Offset) {
        let from = self.hold.map_or(from, |hold| hold.from);
        self.hold = Some(Hold { from, until });
    }

    /// Until where the local log has to be flushed before anything more is committed, if it has to be.
    #[must_use]
    pub fn held_until(&self) -> Option<Offset> {
        self.hold.map(|hold| hold.until)
    }

    /// The local log is known to be on stable storage up to here.
    #[must_use]
    pub fn flushed_end(&self) -> Offset {
        self.flushed_end
    }

    /// The local log is on stable storage up to `flushed_end`.
    pub fn on_flush(&mut self, flushed_end: Offset) -> Option<Offset> {
        // Flushes finish out of order with assignments; an older one brings no news.
        self.flushed_end = self.flushed_end.max(flushed_end.min(self.log_end));
        self.hold = self.hold.filter(|hold| self.flushed_end < hold.until);
        self.advance()
    }

    /// Replica `id` fetches from `log_end`, so it holds everything below.
    pub fn on_follower_fetch(&mut self, id: NodeId, log_end: Offset) -> Option<Offset> {
        self.followers.insert(id, log_end.min(self.log_end));
        self.advance()
    }

    /// How far this node's own copy counts.
    fn own_end(&self) -> Offset {
        let alone = self.assignment.isr.len() == 1;
        match self.policy {
            FlushPolicy::Always => self.flushed_end,
            FlushPolicy::Alone if alone => self.flushed_end,
            FlushPolicy::Alone | FlushPolicy::Never => self.log_end,
        }
    }

    /// The high watermark is the smallest end in the ISR; it never goes back (KIP-101).
    fn advance(&mut self) -> Option<Offset> {
        let others = self.assignment.isr.iter().filter(|id| **id != self.local);
        let reached = others
            .map(|id| self.followers.get(id).copied().unwrap_or(Offset(0)))
            .fold(self.own_end(), Offset::min);
        let held = |hold: Hold| reached.min(hold.from.max(self.flushed_end));
        let reached = self.hold.map_or(reached, held);
        if reached <= self.high_watermark {
            return None;
        }
        self.high_watermark = reached;
        Some(reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignment(isr: &[i32], epoch: i32) -> Assignment {
        Assignment {
            leader_epoch: LeaderEpoch(epoch),
            partition_epoch: PartitionEpoch(epoch),
            replicas: vec![NodeId(1), NodeId(2), NodeId(3)],
            isr: isr.iter().map(|id| NodeId(*id)).collect(),
        }
    }

    fn leader(isr: &[i32], policy: FlushPolicy) -> Leader {
        Leader::new(
            NodeId(1),
            assignment(isr, 0),
            policy,
            Offset(0),
            Offset(0),
            Offset(0),
        )
    }

    #[test]
    fn alone_waits_for_the_flush() {
        let mut leader = leader(&[1], FlushPolicy::Alone);
        assert_eq!(leader.on_append(Offset(5)), None);
        assert_eq!(leader.on_flush(Offset(3)), Some(Offset(3)));
        assert_eq!(leader.on_flush(Offset(5)), Some(Offset(5)));
        assert_eq!(leader.on_flush(Offset(4)), None);
    }

    #[test]
    fn never_counts_what_is_appended() {
        let mut leader = leader(&[1], FlushPolicy::Never);
        assert_eq!(leader.on_append(Offset(5)), Some(Offset(5)));
    }

    #[test]
    fn a_flush_that_was_asked_for_is_waited_for() {
        let mut leader = leader(&[1, 2], FlushPolicy::Never);
        leader.on_follower_fetch(NodeId(2), Offset(9));
        assert_eq!(leader.on_append(Offset(2)), None);
        assert_eq!(
            leader.on_follower_fetch(NodeId(2), Offset(2)),
            Some(Offset(2))
        );
        leader.hold_for_flush(Offset(2), Offset(5));
        assert_eq!(leader.on_append(Offset(5)), None);
        assert_eq!(leader.on_follower_fetch(NodeId(2), Offset(5)), None);
        assert_eq!(leader.held_until(), Some(Offset(5)));
        // What comes behind waits too, and so does the next flush.
        assert_eq!(leader.on_append(Offset(7)), None);
        leader.hold_for_flush(Offset(7), Offset(9));
        assert_eq!(leader.on_append(Offset(9)), None);
        assert_eq!(leader.on_follower_fetch(NodeId(2), Offset(9)), None);
        assert_eq!(leader.on_flush(Offset(5)), Some(Offset(5)));
        assert_eq!(leader.held_until(), Some(Offset(9)));
        assert_eq!(leader.on_flush(Offset(9)), Some(Offset(9)));
        assert_eq!(leader.held_until(), None);
    }

    #[test]
    fn high_watermark_is_the_smallest_end_of_the_isr() {
        let mut leader = leader(&[1, 2, 3], FlushPolicy::Alone);
        assert_eq!(leader.on_append(Offset(9)), None);
        assert_eq!(leader.on_follower_fetch(NodeId(2), Offset(7)), None);
        assert_eq!(
            leader.on_follower_fetch(NodeId(3), Offset(4)),
            Some(Offset(4))
        );
        // The laggard leaves the ISR.
        assert_eq!(leader.on_assignment(assignment(&[1, 2], 1)), None);
        assert_eq!(
            leader.on_follower_fetch(NodeId(2), Offset(9)),
            Some(Offset(9))
        );
    }

    #[test]
    fn always_needs_the_leaders_flush_too() {
        let mut leader = leader(&[1, 2], FlushPolicy::Always);
        leader.on_append(Offset(9));
        assert_eq!(leader.on_follower_fetch(NodeId(2), Offset(9)), None);
        assert_eq!(leader.on_flush(Offset(6)), Some(Offset(6)));
    }

    #[test]
    fn high_watermark_never_goes_back() {
        let mut leader = leader(&[1], FlushPolicy::Alone);
        leader.on_append(Offset(9));
        leader.on_flush(Offset(9));
        assert_eq!(leader.on_assignment(assignment(&[1, 2], 1)), None);
        assert_eq!(leader.high_watermark(), Offset(9));
    }

    #[test]
    fn late_decision_is_left_aside() {
        let mut leader = leader(&[1], FlushPolicy::Alone);
        leader.on_assignment(assignment(&[1, 2], 2));
        leader.on_assignment(assignment(&[1], 1));
        assert_eq!(leader.assignment().isr.len(), 2);
    }

    #[test]
    fn write_is_refused_below_min_isr_only() {
        let leader = leader(&[1], FlushPolicy::Alone);
        assert_eq!(leader.check_write(1), Ok(()));
        assert_eq!(
            leader.check_write(2),
            Err(WriteRefusal::NotEnoughReplicas { in_sync: 1, min: 2 })
        );
        let mut single = assignment(&[1], 0);
        single.replicas = vec![NodeId(1)];
        let end = Offset(0);
        let leader = Leader::new(NodeId(1), single, FlushPolicy::Alone, end, end, end);
        assert_eq!(leader.check_write(2), Ok(()));
    }
}
