//! The thread that looks after all partitions: retention, checkpoints, delayed removal.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::{Offset, WallMillis};

use crate::dirs::{DirIndex, LogDirs};
use crate::env::StorageEnv;
use crate::error::StorageError;

/// Where a log stands, for the checkpoint files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOffsets {
    /// All below is on stable storage.
    pub recovery_point: Offset,
    /// First offset that can be read.
    pub log_start: Offset,
    /// Base offset of the first segment; a log start at or below needs no checkpoint.
    pub first_segment: Offset,
    /// All in-sync replicas have everything below.
    pub high_watermark: Offset,
}

/// Files that readers may still use, to be removed later.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Files that have the suffix `.deleted` already.
    pub files: Vec<PathBuf>,
    /// `file.delete.delay.ms` of the topic.
    pub delay_ms: i64,
}

/// A partition, as far as it is looked after.
pub trait Maintained: Send + Sync {
    /// The log directory it is in.
    fn dir(&self) -> DirIndex;
    /// Topic name.
    fn topic(&self) -> &Arc<str>;
    /// Partition index.
    fn partition(&self) -> i32;
    /// Where its log stands; `None` if it has none or the log failed.
    fn offsets(&self) -> Option<LogOffsets>;
    /// Lets go of what retention does not keep.
    ///
    /// # Errors
    /// The disk's; the directory is then taken offline.
    fn retain(&self, now: WallMillis) -> Result<Expired, StorageError>;
    /// Forgets producers that have not written for `producer.id.expiration.ms`.
    fn expire_producers(&self, now: WallMillis);
    /// Closes the log for good: the last step of a clean shutdown.
    ///
    /// # Errors
    /// The disk's; the directory then gets no clean mark.
    fn close(&self) -> Result<(), StorageError>;
}

/// All partitions of a node.
pub trait AllMaintained: Send + Sync {
    /// Adds every partition that is there now.
    fn collect(&self, into: &mut Vec<Arc<dyn Maintained>>);
}

/// How often what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// `log.initial.task.delay.ms`.
    pub initial_delay_ms: i64,
    /// `log.retention.check.interval.ms`.
    pub retention_ms: i64,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_point_ms: i64,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub log_start_ms: i64,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_ms: i64,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_expiration_ms: i64,
}

/// The thread.
#[derive(Debug)]
pub struct Background {}

impl Background {
    /// Starts it.
    ///
    /// # Errors
    /// The operating system's, if it has no more threads.
    pub fn start(
        _env: &Arc<StorageEnv>,
        _dirs: &Arc<LogDirs>,
        _partitions: Arc<dyn AllMaintained>,
        _intervals: Intervals,
    ) -> std::io::Result<Self> {
        todo!()
    }

    /// Ends it after what it is doing.
    pub fn stop(self) {
        todo!()
    }
}
