//! What the controller does unasked: tell that it lives, fence brokers that fell silent, move leaders
//! back to the preferred replicas, elect leaders for partitions without one.

use ottla_base::{MonoTime, TopicIdPartition};
use ottla_metadata::{MetadataRecord, VersionedRecord};
use ottla_protocol::messages::NoOpRecord;

use crate::context::Outcome;
use crate::controller::{Controller, ControllerConfig};
use crate::partition_change::Election;

/// Most elections of one round of preferred or unclean elections. What is left waits for the next.
const ELECTIONS_PER_ROUND_MAX: usize = 1_000;

/// When the periodic work is due next. Empty while the controller is not active.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Schedule {
    no_op: Option<MonoTime>,
    preferred: Option<MonoTime>,
    unclean: Option<MonoTime>,
}

impl Schedule {
    pub(crate) fn begin(now: MonoTime, config: &ControllerConfig) -> Self {
        Self {
            no_op: (!config.max_idle_interval.is_zero())
                .then(|| now.saturating_add(config.max_idle_interval)),
            preferred: config
                .leader_imbalance_check_interval
                .map(|every| now.saturating_add(every)),
            unclean: Some(now.saturating_add(config.unclean_leader_election_interval)),
        }
    }
}

fn is_due(at: Option<MonoTime>, now: MonoTime) -> bool {
    at.is_some_and(|at| at <= now)
}

impl Controller {
    /// When [`Controller::on_tick`] has something to do next; `None` while not active.
    #[must_use]
    pub fn next_deadline(&self) -> Option<MonoTime> {
        let Schedule {
            no_op,
            preferred,
            unclean,
        } = self.schedule;
        let expiry = self
            .heartbeats
            .next_expiry(self.config.broker_session_timeout);
        // Sessions are judged only by an active controller, which always has a schedule.
        let expiry = expiry.filter(|_| unclean.is_some());
        [no_op, preferred, unclean, expiry]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due at `now`. One silent broker is fenced per call; call again while
    /// [`Controller::next_deadline`] has passed.
    pub fn on_tick(&mut self, now: MonoTime) -> Outcome<()> {
        let mut records = Vec::new();
        let timeout = self.config.broker_session_timeout;
        if self.schedule.unclean.is_some()
            && let Some((broker, epoch)) = self.heartbeats.take_expired(now, timeout)
            && self
                .image
                .cluster
                .broker(broker)
                .is_some_and(|b| b.epoch == epoch)
        {
            self.fence(broker, &mut records);
        }
        if is_due(self.schedule.preferred, now) {
            let every = self.config.leader_imbalance_check_interval;
            self.schedule.preferred = every.map(|every| now.saturating_add(every));
            self.elect_preferred_leaders(&mut records);
        }
        if is_due(self.schedule.unclean, now) {
            let every = self.config.unclean_leader_election_interval;
            self.schedule.unclean = Some(now.saturating_add(every));
            self.elect_unclean_leaders(&mut records);
        }
        if is_due(self.schedule.no_op, now) {
            self.schedule.no_op = Some(now.saturating_add(self.config.max_idle_interval));
            if records.is_empty() {
                let no_op = MetadataRecord::from(NoOpRecord::default());
                records.push(no_op.at(self.metadata_version()));
            }
        }
        Outcome::new(records, ())
    }

    fn elect_preferred_leaders(&self, records: &mut Vec<VersionedRecord>) {
        let changes = self
            .index
            .imbalanced()
            .filter_map(|at| self.elect(at, Election::Preferred))
            .take(ELECTIONS_PER_ROUND_MAX);
        records.extend(changes);
    }

    fn elect_unclean_leaders(&self, records: &mut Vec<VersionedRecord>) {
        let changes = self
            .index
            .leaderless()
            .filter(|at| self.topic_rules(at.topic_id).unclean_election)
            .filter_map(|at| self.elect(at, Election::Unclean))
            .take(ELECTIONS_PER_ROUND_MAX);
        records.extend(changes);
    }

    /// Elects a leader of one partition; `None` if nothing changes.
    pub(crate) fn elect(
        &self,
        at: TopicIdPartition,
        election: Election,
    ) -> Option<VersionedRecord> {
        let partition = self.image.topics.partition(at.topic_id, at.partition)?;
        let active = |node| self.image.cluster.is_active(node);
        let rules = self.topic_rules(at.topic_id);
        self.change_partition(at, partition, rules, &active, |builder| {
            builder.election(election)
        })
    }
}
