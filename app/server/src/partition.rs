//! One partition that this node keeps.

use std::sync::Arc;

use ottla_base::{LeaderEpoch, NodeId, Offset, TopicId, WallMillis};
use ottla_records::BatchBuilder;

use crate::waiters::Wake;

/// A partition whose replica this node holds.
pub struct Partition {
    /// Name of the topic.
    pub(crate) topic: Arc<str>,
    /// Id of the topic.
    pub(crate) topic_id: TopicId,
    /// 0-based index.
    pub(crate) index: i32,
}

/// What an append gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    /// Offset of the first record.
    pub(crate) base: Offset,
    /// Offset of the last record.
    pub(crate) last: Offset,
    /// Whether the batch was there already; nothing was written then (KIP-98).
    pub(crate) duplicate: bool,
}

/// Why a partition does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PartitionRefusal {
    /// This node does not lead it (any more).
    #[error("not the leader of the partition: leader={leader} epoch={epoch}")]
    NotLeader {
        /// Who leads, as far as known.
        leader: NodeId,
        /// Epoch of that leader.
        epoch: LeaderEpoch,
    },
    /// The request names an older leader epoch.
    #[error("leader epoch is old: current={0}")]
    FencedLeaderEpoch(LeaderEpoch),
    /// The request names a leader epoch that this node has not heard of.
    #[error("leader epoch is not known yet: current={0}")]
    UnknownLeaderEpoch(LeaderEpoch),
    /// The offset is below the log start or above the end.
    #[error("offset is out of range")]
    OffsetOutOfRange,
    /// Fewer replicas are in sync than `min.insync.replicas` asks.
    #[error("in-sync replicas are too few")]
    NotEnoughReplicas,
    /// Records of the topic cannot be deleted by offset.
    #[error("topic is compacted only")]
    PolicyViolation,
    /// The directory of the log has failed.
    #[error("log directory is offline")]
    Storage,
}

impl Partition {
    /// Appends records of a coordinator as leader; the answer has to wait for
    /// [`Self::wait_committed`] of `last + 1`.
    pub(crate) fn append_records(
        &self,
        _batch: BatchBuilder,
        _now: WallMillis,
    ) -> Result<Appended, PartitionRefusal> {
        todo!()
    }

    /// Every record below it is committed; `None` unless this node leads.
    pub(crate) fn high_watermark(&self) -> Option<Offset> {
        todo!()
    }

    /// First offset that can be read.
    pub(crate) fn log_start(&self) -> Offset {
        todo!()
    }

    /// Offset of the next record.
    pub(crate) fn log_end(&self) -> Offset {
        todo!()
    }

    /// Epoch under which this node leads; `None` if it does not.
    pub(crate) fn leader_epoch(&self) -> Option<LeaderEpoch> {
        todo!()
    }

    /// Bytes of the log on disk.
    pub(crate) fn size_bytes(&self) -> u64 {
        todo!()
    }

    /// Wakes `wake` once the high watermark reaches `offset`, or this node does not lead any more;
    /// `true` if that is so already.
    pub(crate) fn wait_committed(&self, _offset: Offset, _wake: &Arc<dyn Wake>) -> bool {
        todo!()
    }

    /// Committed bytes for a coordinator that loads: whole batches from the one that holds `from`, at
    /// most `max_bytes` but at least one batch; `None` at the high watermark.
    pub(crate) fn read_committed_bytes(
        &self,
        _from: Offset,
        _max_bytes: u32,
    ) -> Result<Option<Vec<u8>>, PartitionRefusal> {
        todo!()
    }

    /// Moves the log start to `to`, -1 for the high watermark (DeleteRecords); durable when it returns.
    /// Blocks for a flush: not for worker threads.
    pub(crate) fn delete_records(&self, _to: i64) -> Result<Offset, PartitionRefusal> {
        todo!()
    }
}
