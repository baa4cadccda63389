//! What removes offsets: a request (KIP-496), age (KIP-211), the end of their topic.

use std::sync::Arc;
use std::time::Duration;

use ottla_base::{MonoTime, WallMillis};

use crate::classic::{ClassicGroup, State};
use crate::coordinator::{GroupCoordinator, GroupEffects};
use crate::error::GroupError;
use crate::offsets::{ByTopic, CommittedOffset, removal};
use crate::record_codec::GroupRecord;

/// From when on the age of an offset counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AgeSince {
    /// Since its commit.
    Commit,
    /// Since the group lost its last member.
    Empty(WallMillis),
}

impl GroupCoordinator {
    /// OffsetDelete of one topic's partitions, each answered by itself. An offset that is not there
    /// counts as deleted.
    ///
    /// # Errors
    /// For all of them: `InvalidGroupId`, `GroupNotFound`, `NonEmptyGroup` for a group with members whose subscriptions
    /// cannot be known.
    pub fn delete_offsets(
        &self,
        group_id: &str,
        topic: &str,
        partitions: &[i32],
        now: MonoTime,
        fx: &mut GroupEffects,
    ) -> Result<Result<(), GroupError>, GroupError> {
        let group = self.check_delete_offsets(group_id, now)?;
        if group.is_some_and(|group| group.is_subscribed_to(topic)) {
            return Ok(Err(GroupError::SubscribedToTopic));
        }
        fx.divisible = true;
        let (group_name, topic_name) = self.offsets.names(group_id, topic);
        for partition in partitions {
            if self.offsets.get(group_id, topic, *partition).is_some() {
                fx.records
                    .push(removal(&group_name, &topic_name, *partition));
            }
        }
        Ok(Ok(()))
    }

    /// Whether offsets of the group may be deleted at all.
    ///
    /// # Errors
    /// As [`delete_offsets`](Self::delete_offsets).
    pub fn may_delete_offsets(&self, group_id: &str, now: MonoTime) -> Result<(), GroupError> {
        self.check_delete_offsets(group_id, now).map(|_| ())
    }

    /// The group, unless it is one of a newer kind.
    fn check_delete_offsets(
        &self,
        group_id: &str,
        now: MonoTime,
    ) -> Result<Option<&ClassicGroup>, GroupError> {
        if group_id.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        if self.others.kind(group_id).is_some() {
            return if self.is_occupied(group_id, now) {
                Err(GroupError::NonEmptyGroup)
            } else {
                Ok(None)
            };
        }
        let group = self.groups.get(group_id).ok_or(GroupError::GroupNotFound)?;
        if group.state != State::Empty && !group.is_of_consumers() {
            return Err(GroupError::NonEmptyGroup);
        }
        Ok(Some(group))
    }

    /// Decides which offsets have become too old, and which groups nobody needs any more: those without
    /// members and offsets. Called every `offsets.retention.check.interval.ms`.
    pub fn expire_offsets(&self, now: WallMillis, fx: &mut GroupEffects) {
        fx.divisible = true;
        let minutes = u64::try_from(self.settings.offsets_retention_minutes).unwrap_or(0);
        let retention = Duration::from_secs(minutes.saturating_mul(60));
        for (id, group) in &self.groups {
            let all_gone = match self.offsets.of_group(id) {
                Some(topics) => expire_group(group, topics, now, retention, &mut fx.records),
                None => true,
            };
            // A transaction may be about to commit for it, a member about to come back with its id.
            let awaited = self.offsets.has_pending(id) || !group.pending.is_empty();
            if all_gone && group.state == State::Empty && !awaited {
                fx.records.push(GroupRecord::ClassicGroup {
                    group: Arc::clone(id),
                    value: None,
                });
            }
        }
    }

    /// Decides the removal of every offset of topics that no longer exist.
    pub fn forget_topics(&self, is_gone: impl Fn(&str) -> bool, fx: &mut GroupEffects) {
        fx.divisible = true;
        for (group, topics) in self.offsets.groups() {
            for (topic, partitions) in topics {
                if is_gone(topic) {
                    let removals = partitions.keys().map(|p| removal(group, topic, *p));
                    fx.records.extend(removals);
                }
            }
        }
    }
}

/// Puts in the removal of what is too old; `true` if nothing is left.
fn expire_group(
    group: &ClassicGroup,
    topics: &ByTopic,
    now: WallMillis,
    retention: Duration,
    records: &mut Vec<GroupRecord>,
) -> bool {
    let mut all_gone = true;
    for (topic, partitions) in topics {
        for (partition, stored) in partitions {
            let since = group
                .offsets_age()
                .filter(|_| !group.is_subscribed_to(topic));
            let expired =
                since.is_some_and(|since| is_expired(&stored.committed, since, now, retention));
            if expired {
                records.push(removal(&group.id, topic, *partition));
            }
            all_gone &= expired;
        }
    }
    all_gone
}

fn is_expired(
    offset: &CommittedOffset,
    since: AgeSince,
    now: WallMillis,
    retention: Duration,
) -> bool {
    if let Some(at) = offset.expire_timestamp {
        return now.0 >= at;
    }
    let since = match since {
        AgeSince::Commit => offset.commit_timestamp,
        AgeSince::Empty(since) => since.0,
    };
    let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    now.0.saturating_sub(since) >= retention
}

impl ClassicGroup {
    /// From when on its offsets age; `None` if they do not.
    fn offsets_age(&self) -> Option<AgeSince> {
        match (&self.protocol_type, self.state) {
            // Nobody ever joined: a consumer that only keeps its offsets here.
            (None, _) => Some(AgeSince::Commit),
            (Some(_), State::Empty) => {
                Some(self.state_since.map_or(AgeSince::Commit, AgeSince::Empty))
            }
            // What no member reads any more.
            (Some(_), State::Stable) if self.is_of_consumers() && self.subscribed.is_some() => {
                Some(AgeSince::Commit)
            }
            (Some(_), _) => None,
        }
    }
}
