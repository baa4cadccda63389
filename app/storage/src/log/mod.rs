//! One partition's log, or the metadata log.

mod errors;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId, WallMillis};
use ottla_env::DiskFile;
use ottla_log::LogConfig;
use ottla_log::txn_index::AbortedTxn;
use ottla_records::BatchHeader;

use crate::env::StorageEnv;
use crate::error::StorageError;
use crate::flusher::FlushWork;
pub use errors::{AppendError, ReadError};

/// What is known of a log from outside its directory when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenHints {
    /// The directory was closed in order: files are taken as they are.
    pub clean: bool,
    /// Everything below is on stable storage and is not scanned. Zero if nothing is known.
    pub recovery_point: Offset,
    /// The log start by its checkpoint. Zero if nothing is known.
    pub log_start: Offset,
}

/// What opening a log took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opened {
    /// Bytes that were read and checked.
    pub scanned_bytes: u64,
    /// Bytes that were cut off behind the last whole batch.
    pub truncated_bytes: u64,
}

/// Who appends as a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A client's Produce: all rules of KIP-98 hold.
    Client,
    /// A coordinator of this node: its own records and transaction markers.
    Coordinator,
    /// The leader of the metadata quorum.
    Raft,
}

/// One batch for [`Log::append`], checked already. Base offset and leader epoch of the header are assigned.
#[derive(Debug, Clone, Copy)]
pub struct LeaderBatch<'a> {
    /// The header, its CRC right.
    pub header: BatchHeader,
    /// The bytes behind the header.
    pub payload: &'a [u8],
    /// The leader's epoch.
    pub epoch: LeaderEpoch,
    /// Who appends.
    pub origin: Origin,
    /// Now.
    pub now: WallMillis,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of its first record.
    pub base: Offset,
    /// Offset of its last record.
    pub last: Offset,
    /// The producer sent it before: nothing was written, and the offsets are those of the first time.
    pub duplicate: bool,
}

/// A region of a segment file.
#[derive(Debug, Clone)]
pub struct ReadSlice {
    /// The segment's file.
    pub file: Arc<dyn DiskFile>,
    /// Where the first batch begins.
    pub position: u64,
    /// Bytes. May end within a batch where a byte limit cut it; readers ignore the cut tail.
    pub len: u32,
    /// Base offset of the first batch.
    pub base: Offset,
}

/// A record found by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundOffset {
    /// The record's offset.
    pub offset: Offset,
    /// The record's timestamp.
    pub timestamp: i64,
    /// Epoch of the leader that appended it.
    pub epoch: Option<LeaderEpoch>,
}

/// What retention did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// The log start, if it moved.
    pub new_start: Option<Offset>,
    /// Files that wait, as `.deleted`, to be removed after `file.delete.delay.ms`.
    pub deleted: Vec<PathBuf>,
}

/// State of a producer, for DescribeProducers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerInfo {
    /// The producer.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Its last sequence; -1 without one.
    pub last_sequence: Sequence,
    /// When it last wrote.
    pub last_timestamp: i64,
    /// Epoch of the coordinator that wrote its last marker; -1 without one.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub txn_start: Option<Offset>,
}

/// One partition's log. Not locked itself: its owner is behind a lock or alone. No call flushes except those that
/// say so.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    config: Arc<LogConfig>,
}

#[expect(
    clippy::todo,
    clippy::needless_pass_by_value,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    unused_variables,
    reason = "bodies follow"
)]
impl Log {
    /// A log with nothing on disk yet; its directory is made by the first append.
    pub fn create(
        env: &Arc<StorageEnv>,
        path: PathBuf,
        topic_id: Option<TopicId>,
        config: Arc<LogConfig>,
    ) -> Self {
        Self { path, config }
    }
    /// Opens what the directory `path` holds.
    pub fn open(
        env: &Arc<StorageEnv>,
        path: PathBuf,
        config: Arc<LogConfig>,
        hints: OpenHints,
    ) -> Result<(Self, Opened), StorageError> {
        todo!()
    }
    /// Its settings.
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }
    /// Gives it other settings.
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.config = config;
    }
    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The topic's id, of `partition.metadata`.
    pub fn topic_id(&self) -> Option<TopicId> {
        todo!()
    }
    /// Renames its directory; open files stay open.
    pub fn rename_dir(&mut self, to: PathBuf) -> Result<(), StorageError> {
        todo!()
    }
    /// The log start offset.
    pub fn start(&self) -> Offset {
        todo!()
    }
    /// The log end offset (LEO).
    pub fn end(&self) -> Offset {
        todo!()
    }
    /// The recovery point: everything below is on stable storage.
    pub fn flushed_end(&self) -> Offset {
        todo!()
    }
    /// Base offset of the first segment.
    pub fn first_segment(&self) -> Offset {
        todo!()
    }
    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }
    /// Segments.
    pub fn segment_count(&self) -> usize {
        todo!()
    }
    /// The latest leader epoch.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        todo!()
    }
    /// The largest epoch up to `epoch` and its end (KIP-101, KIP-279).
    pub fn end_of_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        todo!()
    }
    /// A new leader epoch begins at the log end.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) -> Result<(), StorageError> {
        todo!()
    }
    /// Appends one batch as leader.
    pub fn append(&mut self, batch: LeaderBatch<'_>) -> Result<Appended, AppendError> {
        todo!()
    }
    /// Appends batches as a leader sent them; returns the new log end.
    pub fn append_as_follower(
        &mut self,
        batches: &[u8],
        now: WallMillis,
    ) -> Result<Offset, AppendError> {
        todo!()
    }
    /// Reads from the batch that holds `from`.
    pub fn read(
        &self,
        from: Offset,
        upto: Offset,
        max_bytes: u32,
        min_one: bool,
    ) -> Result<Option<ReadSlice>, ReadError> {
        todo!()
    }
    /// The first record at or after `timestamp`.
    pub fn offset_for_timestamp(
        &self,
        timestamp: i64,
        upto: Offset,
    ) -> Result<Option<FoundOffset>, StorageError> {
        todo!()
    }
    /// The first record with the largest timestamp.
    pub fn offset_of_max_timestamp(
        &self,
        upto: Offset,
    ) -> Result<Option<FoundOffset>, StorageError> {
        todo!()
    }
    /// First offset of a transaction that is open, or decided at or above `high_watermark`.
    pub fn first_unstable_offset(&self, high_watermark: Offset) -> Option<Offset> {
        todo!()
    }
    /// Aborted transactions with records in `[from, upto)`.
    pub fn aborted_transactions(
        &self,
        from: Offset,
        upto: Offset,
    ) -> Result<Vec<AbortedTxn>, StorageError> {
        todo!()
    }
    /// The producers that are known.
    pub fn producers(&self) -> impl Iterator<Item = ProducerInfo> + '_ {
        std::iter::empty()
    }
    /// Forgets producers that were silent for longer than `expiration_ms`.
    pub fn expire_producers(&mut self, now: WallMillis, expiration_ms: i64) {
        todo!()
    }
    /// What has to be flushed so that everything below its `upto` is durable; `None` if nothing, or if the log has failed.
    pub fn flush_work(&mut self) -> Option<FlushWork> {
        todo!()
    }
    /// The work was done.
    pub fn flushed(&mut self, upto: Offset) {
        todo!()
    }
    /// The work failed: this log takes no more appends.
    pub fn flush_failed(&mut self) {
        todo!()
    }
    /// Moves the log start.
    pub fn raise_start(&mut self, to: Offset) -> Result<(), StorageError> {
        todo!()
    }
    /// Cuts the log so that it ends at `end`.
    pub fn truncate_to(&mut self, end: Offset) -> Result<(), StorageError> {
        todo!()
    }
    /// Drops everything and goes on at `start`.
    pub fn truncate_fully_and_start_at(&mut self, start: Offset) -> Result<(), StorageError> {
        todo!()
    }
    /// Retention by time, size and log start.
    pub fn retain(
        &mut self,
        now: WallMillis,
        high_watermark: Offset,
    ) -> Result<Retained, StorageError> {
        todo!()
    }
    /// Closes the active segment if it is too old.
    pub fn roll_if_due(&mut self, now: WallMillis) -> Result<bool, StorageError> {
        todo!()
    }
    /// Closes the active segment and begins another.
    pub fn roll(&mut self) -> Result<(), StorageError> {
        todo!()
    }
    /// Drops the segments that lie below `offset` whole.
    pub fn delete_segments_below(&mut self, offset: Offset) -> Result<Retained, StorageError> {
        todo!()
    }
    /// Flushes everything and makes the directory fit for a clean start.
    pub fn close(&mut self) -> Result<(), StorageError> {
        todo!()
    }
    /// Whether an I/O error closed it for appends.
    pub fn failed(&self) -> bool {
        todo!()
    }
}
