//! OffsetCommit.

use std::sync::Arc;

use ottla_base::{MonoTime, Uuid};

use crate::classic::{ClassicGroup, State};
use crate::coordinator::{GroupCoordinator, GroupEffects};
use crate::error::GroupError;
use crate::offsets::CommittedOffset;
use crate::other_groups::OtherGroupType;
use crate::record_codec::GroupRecord;
use crate::step::{Caller, Now};

/// From this version on a member is told that its group does not exist; before that its generation is
/// called wrong.
const KNOWS_GROUP_NOT_FOUND: i16 = 9;

/// Who commits, as the request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committer<'a> {
    /// Group.
    pub group_id: &'a str,
    /// Member, empty for a consumer that is no member.
    pub member_id: &'a str,
    /// Instance id of a static member.
    pub group_instance_id: Option<&'a str>,
    /// Generation, negative for a consumer that is no member.
    pub generation: i32,
    /// How long the offsets shall be kept, in ms; negative leaves that to the broker.
    pub retention_time_ms: i64,
}

/// One offset of a request, with a topic that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetToCommit<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Its id.
    pub topic_id: Uuid,
    /// Partition.
    pub partition: i32,
    /// Offset, of any value.
    pub offset: i64,
    /// Leader epoch of the last record read, -1 if not known.
    pub leader_epoch: i32,
    /// What the client wants to be kept with it.
    pub metadata: Option<&'a str>,
}

impl GroupCoordinator {
    /// OffsetCommit: tells for each offset whether it is among the records.
    ///
    /// # Errors
    /// For all of them: `IllegalGeneration`, `GroupNotFound`, `UnknownMember`, `FencedInstance`,
    /// `RebalanceInProgress`, `OtherGroupType`.
    pub fn commit_offsets<'a>(
        &mut self,
        now: Now,
        caller: &Caller<'_>,
        committer: &Committer<'_>,
        offsets: impl Iterator<Item = OffsetToCommit<'a>>,
        fx: &mut GroupEffects,
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        self.check_commit(committer, caller.version, now.mono)?;
        // To commit shows that one lives.
        if !committer.member_id.is_empty() {
            self.with_group(committer.group_id, now, fx, |group, step| {
                group.extend_session(committer.member_id, step.now.mono);
            });
        }
        let expire_timestamp = (committer.retention_time_ms >= 0)
            .then(|| now.wall.0.saturating_add(committer.retention_time_ms));
        let max = usize::try_from(self.settings.offset_metadata_max_bytes).unwrap_or(0);
        let mut names: Option<(Arc<str>, Arc<str>)> = None;
        let mut results = Vec::with_capacity(offsets.size_hint().0);
        for offset in offsets {
            let metadata = offset.metadata.unwrap_or_default();
            // Kafka counts the UTF-16 units of Java's strings.
            if metadata.len() > max && metadata.encode_utf16().count() > max {
                results.push(Err(GroupError::OffsetMetadataTooLarge));
                continue;
            }
            let (group, topic) = match &names {
                Some((group, topic)) if **topic == *offset.topic => {
                    (Arc::clone(group), Arc::clone(topic))
                }
                _ => {
                    let kept = self.offsets.names(committer.group_id, offset.topic);
                    names = Some((Arc::clone(&kept.0), Arc::clone(&kept.1)));
                    kept
                }
            };
            fx.records.push(GroupRecord::Offset {
                group,
                topic,
                partition: offset.partition,
                value: Some(CommittedOffset {
                    offset: offset.offset,
                    leader_epoch: offset.leader_epoch,
                    metadata: metadata.into(),
                    commit_timestamp: now.wall.0,
                    expire_timestamp,
                    topic_id: offset.topic_id,
                }),
            });
            results.push(Ok(()));
        }
        Ok(results)
    }

    fn check_commit(
        &self,
        committer: &Committer<'_>,
        version: i16,
        now: MonoTime,
    ) -> Result<(), GroupError> {
        match self.others.kind(committer.group_id) {
            None => {}
            Some(OtherGroupType::Consumer) => {
                // Only who is no member commits here: members would have to speak the newer protocol.
                let alone = !self.is_occupied(committer.group_id, now);
                return if committer.generation < 0 && alone {
                    Ok(())
                } else {
                    Err(GroupError::UnknownMember)
                };
            }
            Some(OtherGroupType::Share | OtherGroupType::Streams) => {
                return Err(GroupError::GroupNotFound);
            }
        }
        match self.groups.get(committer.group_id) {
            Some(group) => group.check_commit(committer),
            // A consumer that only keeps its offsets here: the group comes with them.
            None if committer.generation < 0 => Ok(()),
            None if version >= KNOWS_GROUP_NOT_FOUND => Err(GroupError::GroupNotFound),
            None => Err(GroupError::IllegalGeneration),
        }
    }
}

impl ClassicGroup {
    fn check_commit(&self, committer: &Committer<'_>) -> Result<(), GroupError> {
        if committer.generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        let says_nothing = committer.generation < 0
            && committer.member_id.is_empty()
            && committer.group_instance_id.is_none();
        if says_nothing {
            // Only members can commit to a group that has any.
            return Err(GroupError::UnknownMember);
        }
        self.check_member(committer.member_id, committer.group_instance_id)?;
        if committer.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        if self.state == State::CompletingRebalance {
            // It knows the new generation and not yet its partitions: what it commits is of the old ones.
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }
}
