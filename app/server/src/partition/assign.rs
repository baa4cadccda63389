//! The controller's decisions about a partition.

use std::sync::Arc;

use ottla_base::{LeaderEpoch, Offset, TopicId};
use ottla_metadata::PartitionRegistration;
use ottla_replication::leader::{Assignment, Leader};
use ottla_storage::{DirIndex, Log, StorageError};
use parking_lot::Mutex;

use super::produce::waking;
use super::{Partition, PartitionEnv, State};
use crate::topic_rules::TopicRules;
use crate::waiters::Waiters;

/// Whether a decision made this node the leader, or took that away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaderChange {
    /// It leads under a new epoch.
    Elected(LeaderEpoch),
    /// It led and does not any more.
    Resigned,
    /// Neither.
    None,
}

impl Partition {
    /// A partition with its log, led by nobody until [`Self::assign`].
    pub(crate) fn new(
        env: &Arc<PartitionEnv>,
        (topic, topic_id, index): (&Arc<str>, TopicId, i32),
        dir: DirIndex,
        log: Log,
        high_watermark: Offset,
        rules: &Arc<TopicRules>,
    ) -> Arc<Self> {
        let high_watermark = high_watermark.max(log.start()).min(log.end());
        let state = State {
            leader: None,
            leader_id: ottla_base::NodeId::NONE,
            leader_epoch: LeaderEpoch::UNKNOWN,
            high_watermark,
            rules: Arc::clone(rules),
            waiters: Waiters::default(),
            flush_queued: false,
            flush_by: None,
            flush_asked: log.end(),
            draining: false,
            last_led: None,
            log: Some(log),
        };
        Arc::new(Self {
            topic: Arc::clone(topic),
            topic_id,
            index,
            dir,
            env: Arc::clone(env),
            state: Mutex::new(state),
        })
    }

    /// Takes in what the controller decided.
    pub(crate) fn assign(self: &Arc<Self>, registration: &PartitionRegistration) -> LeaderChange {
        let result = waking(|woken| {
            let mut state = self.state();
            let had = state.leader.as_ref().map(Leader::epoch);
            state.leader_id = registration.leader;
            state.leader_epoch = registration.leader_epoch;
            let leads = registration.leader == self.env.node_id
                && registration.isr.contains(&self.env.node_id);
            let result = if leads {
                state.lead(&self.env, registration)
            } else {
                state.resign();
                Ok(None)
            };
            match result {
                Ok(moved) => state.take_woken(moved, woken),
                Err(error) => {
                    state.leader = None;
                    state.waiters.take_all(woken);
                    return Err(error);
                }
            }
            let has = state.leader.as_ref().map(Leader::epoch);
            if has.is_some() && state.is_behind_disk() && !state.flush_queued {
                // What was found at the start is committed once the disk has it for sure.
                state.flush_queued = true;
                self.env.flusher.submit(Arc::<Self>::clone(self));
            }
            if has != had {
                // Those who wait look again, and see that the leader is another.
                state.waiters.take_all(woken);
            }
            Ok(match (had, has) {
                (had, Some(epoch)) if had != Some(epoch) => LeaderChange::Elected(epoch),
                (Some(_), None) => LeaderChange::Resigned,
                _ => LeaderChange::None,
            })
        });
        result.unwrap_or_else(|error| {
            self.storage_failed(&error);
            LeaderChange::Resigned
        })
    }

    /// Goes by other rules from now on.
    pub(crate) fn set_rules(&self, rules: &Arc<TopicRules>) {
        waking(|woken| {
            let mut state = self.state();
            state.rules = Arc::clone(rules);
            if let Some(log) = &mut state.log {
                log.set_config(Arc::clone(&rules.log));
            }
            let policy = rules.flush_policy(self.env.policy);
            let moved = state
                .leader
                .as_mut()
                .and_then(|leader| leader.on_policy(policy));
            state.take_woken(moved, woken);
        });
    }

    /// Gives the log away, because the partition is deleted or moves; whoever waits learns of it.
    pub(crate) fn take_log(&self) -> Option<Log> {
        waking(|woken| {
            let mut state = self.state();
            state.leader = None;
            state.waiters.take_all(woken);
            state.log.take()
        })
    }
}

impl State {
    /// Leads no more; remembers what was committed until now.
    fn resign(&mut self) {
        self.high_watermark = self.known_high_watermark();
        if let Some(leader) = self.leader.take() {
            self.last_led = Some((leader.epoch(), self.high_watermark));
        }
    }

    pub(super) fn is_behind_disk(&self) -> bool {
        self.log
            .as_ref()
            .is_some_and(|log| log.flushed_end() < log.end())
    }

    fn lead(
        &mut self,
        env: &PartitionEnv,
        registration: &PartitionRegistration,
    ) -> Result<Option<Offset>, StorageError> {
        let Some(log) = &mut self.log else {
            return Ok(None);
        };
        if log.failed() {
            self.leader = None;
            return Ok(None);
        }
        let assignment = Assignment {
            leader_epoch: registration.leader_epoch,
            partition_epoch: registration.partition_epoch,
            replicas: registration.replicas.to_vec(),
            isr: registration.isr.to_vec(),
        };
        if let Some(leader) = &mut self.leader {
            if leader.epoch() != registration.leader_epoch {
                log.begin_epoch(registration.leader_epoch)?;
            }
            return Ok(leader.on_assignment(assignment));
        }
        log.begin_epoch(registration.leader_epoch)?;
        let leader = Leader::new(
            env.node_id,
            assignment,
            self.rules.flush_policy(env.policy),
            self.high_watermark,
            log.end(),
            log.flushed_end(),
        );
        self.leader = Some(leader);
        Ok(None)
    }
}
