//! OffsetFetch.

use crate::coordinator::GroupCoordinator;
use crate::error::GroupError;
use crate::offsets::CommittedOffset;

/// The offset of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionOffset {
    /// Partition.
    pub partition: i32,
    /// What was committed, `None` if nothing was.
    ///
    /// # Errors
    /// `UnstableOffset`.
    pub committed: Result<Option<CommittedOffset>, GroupError>,
}

/// The offsets of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicOffsets {
    /// Topic.
    pub topic: String,
    /// Its partitions.
    pub partitions: Vec<PartitionOffset>,
}

impl GroupCoordinator {
    /// The offsets that a group has committed for partitions of a topic. Of a group that does not exist
    /// there are none.
    ///
    /// `require_stable`: an offset that an open transaction may change is not told (KIP-447).
    #[must_use]
    pub fn fetch_offsets(
        &self,
        group_id: &str,
        topic: &str,
        partitions: &[i32],
        require_stable: bool,
    ) -> Vec<PartitionOffset> {
        partitions
            .iter()
            .map(|partition| self.fetch_offset(group_id, topic, *partition, require_stable))
            .collect()
    }

    /// Every offset that a group has committed, by topic and partition.
    #[must_use]
    pub fn fetch_all_offsets(&self, group_id: &str, require_stable: bool) -> Vec<TopicOffsets> {
        let topics = self.offsets.of_group(group_id).into_iter().flatten();
        topics
            .map(|(topic, partitions)| TopicOffsets {
                topic: topic.to_string(),
                partitions: partitions
                    .keys()
                    .map(|partition| self.fetch_offset(group_id, topic, *partition, require_stable))
                    .collect(),
            })
            .collect()
    }

    fn fetch_offset(
        &self,
        group_id: &str,
        topic: &str,
        partition: i32,
        require_stable: bool,
    ) -> PartitionOffset {
        let unstable = require_stable && self.offsets.is_pending(group_id, topic, partition);
        PartitionOffset {
            partition,
            committed: if unstable {
                Err(GroupError::UnstableOffset)
            } else {
                Ok(self.offsets.get(group_id, topic, partition).cloned())
            },
        }
    }
}
