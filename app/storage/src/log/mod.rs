//! One partition's log, or the metadata log: segments in a directory.
//!
//! Carries out what `ottla_log` plans, in an order that leaves a log that can be opened again whenever the process
//! or the power goes. Not locked: its owner is behind a lock or alone. Knows no replica and no request.
//!
//! | subject | file |
//! |---|---|
//! | opening, recovery | `open.rs`, `recover.rs` |
//! | appending, rolling | `append.rs`, `follower.rs`, `roll.rs` |
//! | reading, finding by time | `read.rs`, `timestamps.rs` |
//! | flushing, closing | `flush.rs` |
//! | cutting, retention | `truncate.rs`, `retention.rs` |
//! | epochs, producers on disk | `epochs.rs`, `producers.rs` |
//! | one segment and its files | `segment.rs`, `tail.rs`, `index_file.rs`, `scan.rs` |

mod append;
mod epochs;
mod errors;
mod flush;
mod follower;
mod index_file;
mod open;
mod producers;
mod read;
mod recover;
mod retention;
mod roll;
mod scan;
mod segment;
mod tail;
mod timestamps;
mod truncate;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ottla_base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId, WallMillis};
use ottla_env::DiskFile;
use ottla_log::LogConfig;
use ottla_log::epoch_cache::EpochCache;
use ottla_log::producer_state::ProducerStates;
use ottla_log::txn_index::AbortedTxn;
use ottla_records::BatchHeader;

use self::flush::Unflushed;
use self::read::Marks;
use self::segment::{KnownEntries, Segment};
use self::tail::Tail;
use crate::env::StorageEnv;
use crate::error::StorageError;
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
    /// The topic id, if whoever opens it has read it already.
    pub topic_id: Option<TopicId>,
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
    /// The producer sent it before, with this largest timestamp: nothing was written, and the offsets are those of the
    /// first time.
    pub duplicate: Option<WallMillis>,
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

/// One partition's log. No call flushes except those that say so.
///
/// After an error of the disk, other than that it is full, the log takes no more appends ([`Log::failed`]); what it
/// acknowledged can still be read.
#[derive(Debug)]
pub struct Log {
    env: Arc<StorageEnv>,
    path: PathBuf,
    topic_id: Option<TopicId>,
    config: Arc<LogConfig>,
    start: Offset,
    end: Offset,
    /// The recovery point.
    flushed: Offset,
    /// Between the announcement of a cut and the cut: up to where the log is flushed in truth.
    announced: Option<Offset>,
    /// By base offset, the active one last. None before the first append: then nothing is on disk.
    segments: Vec<Segment>,
    /// Of the active segment, once there was an append.
    tail: Option<Box<Tail>>,
    epochs: EpochCache,
    /// Whether the epochs differ from their file.
    epochs_unsaved: bool,
    /// Whether there is such a file.
    epochs_file: bool,
    producers: ProducerStates,
    /// Offsets of the producer snapshots in the directory, ascending.
    snapshots: Vec<Offset>,
    /// Bytes appended since the last snapshot was taken or loaded.
    bytes_since_snapshot: u64,
    unflushed: Unflushed,
    marks: Marks,
    failed: bool,
    /// If an append failed half way: nothing from here on is stable, whatever the producers say.
    unstable_from: Option<Offset>,
    /// The log end when it was last looked after.
    seen_end: Offset,
    /// The latest high watermark that a reader told.
    seen_high_watermark: AtomicI64,
    /// The one up to which ended transactions were forgotten.
    pruned_upto: Offset,
}

impl Log {
    /// A log with nothing on disk yet; its directory is made by the first append.
    #[must_use]
    pub fn create(
        env: &Arc<StorageEnv>,
        path: PathBuf,
        topic_id: Option<TopicId>,
        config: Arc<LogConfig>,
    ) -> Self {
        Self {
            env: Arc::clone(env),
            path,
            topic_id,
            config,
            start: Offset::ZERO,
            end: Offset::ZERO,
            flushed: Offset::ZERO,
            announced: None,
            segments: Vec::new(),
            tail: None,
            epochs: EpochCache::default(),
            epochs_unsaved: false,
            epochs_file: false,
            producers: ProducerStates::default(),
            snapshots: Vec::new(),
            bytes_since_snapshot: 0,
            unflushed: Unflushed::default(),
            marks: Marks::default(),
            failed: false,
            unstable_from: None,
            seen_end: Offset::UNKNOWN,
            seen_high_watermark: AtomicI64::new(0),
            pruned_upto: Offset::ZERO,
        }
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// Gives it other settings.
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.config = config;
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The topic's id, of `partition.metadata` or as it was created with.
    #[must_use]
    pub fn topic_id(&self) -> Option<TopicId> {
        self.topic_id
    }

    /// Renames its directory, if it has one yet; open files stay open.
    ///
    /// # Errors
    /// The disk's; nothing is renamed then.
    pub fn rename_dir(&mut self, to: PathBuf) -> Result<(), StorageError> {
        if self.is_on_disk() {
            let renamed = self.env.disk.rename(&self.path, &to);
            renamed.map_err(|e| StorageError::io("renaming a directory", &self.path, e))?;
            self.unflushed.note_new();
        }
        self.segments
            .iter_mut()
            .for_each(|segment| segment.moved_to(&to));
        self.path = to;
        Ok(())
    }

    /// Whether it has a directory; the first append makes it.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        !self.segments.is_empty()
    }

    /// The log start offset.
    #[must_use]
    pub fn start(&self) -> Offset {
        self.start
    }

    /// The log end offset (LEO).
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    /// The recovery point: everything below is on stable storage.
    #[must_use]
    pub fn flushed_end(&self) -> Offset {
        self.flushed
    }

    /// Base offset of the first segment; not above [`Self::start`].
    #[must_use]
    pub fn first_segment(&self) -> Offset {
        self.segments
            .first()
            .map_or(self.start, |segment| segment.base)
    }

    /// Bytes of all segments' batches.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| u64::from(segment.size))
            .sum()
    }

    /// Segments; 1 for a log that has nothing on disk.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.segments.len().max(1)
    }

    /// The latest leader epoch.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest()
    }

    /// The largest epoch up to `epoch` and its end (KIP-101, KIP-279); `None` if `epoch` is later than any known.
    #[must_use]
    pub fn end_of_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.end_offset_for(epoch, self.end)
    }

    /// The epoch of the record at `offset`.
    #[must_use]
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.epoch_for(offset)
    }

    /// Whether an I/O error closed it for appends.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// First offset of a transaction that is open, or whose marker is not below `high_watermark`. The last stable
    /// offset is the lesser of this and the high watermark.
    #[must_use]
    pub fn first_unstable_offset(&self, high_watermark: Offset) -> Option<Offset> {
        self.seen_high_watermark
            .fetch_max(high_watermark.0, Ordering::Relaxed);
        let unstable = self.producers.first_unstable_offset(high_watermark);
        let unstable = match (unstable, self.unstable_from) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        // Records of an open transaction that were deleted do not hold back those that are there.
        unstable.map(|offset| offset.max(self.start))
    }

    /// The producers that are known.
    pub fn producers(&self) -> impl Iterator<Item = ProducerInfo> + '_ {
        self.producers.iter().map(|entry| ProducerInfo {
            id: entry.id,
            epoch: entry.epoch,
            last_sequence: entry.last_sequence(),
            last_timestamp: entry.last_timestamp,
            coordinator_epoch: entry.coordinator_epoch,
            txn_start: entry.txn_start,
        })
    }

    /// Forgets producers that were silent for `expiration_ms` (`producer.id.expiration.ms`).
    pub fn expire_producers(&mut self, now: WallMillis, expiration_ms: i64) {
        self.producers.expire(now, expiration_ms);
        self.forget_ended_transactions();
    }

    /// Number of the segment that holds `offset`, or would.
    fn segment_at(&self, offset: Offset) -> Option<usize> {
        self.segments
            .partition_point(|segment| segment.base <= offset)
            .checked_sub(1)
    }

    /// The offset at which segment number `at` ends: where the next one begins.
    fn end_of_segment(&self, at: usize) -> Offset {
        self.segments.get(at + 1).map_or(self.end, |next| next.base)
    }

    /// What is known of the indexes of segment number `at` without their files.
    fn known(&self, at: usize) -> Option<KnownEntries<'_>> {
        let is_active = at + 1 == self.segments.len();
        self.tail.as_deref().filter(|_| is_active).map(Tail::known)
    }

    /// Aborted transactions with records in `[from, upto)`, for a reader of committed records.
    ///
    /// # Errors
    /// The disk's.
    pub fn aborted_transactions(
        &self,
        from: Offset,
        upto: Offset,
    ) -> Result<Vec<AbortedTxn>, StorageError> {
        let mut found = Vec::new();
        // The marker of a transaction is never before its records, and may be in any later segment.
        let first = self.segment_at(from).unwrap_or(0);
        for segment in self.segments.get(first..).unwrap_or_default() {
            if segment.txn_entries == 0 {
                continue;
            }
            for txn in segment.aborted()? {
                if txn.concerns(from, upto) {
                    found.push(txn);
                }
                if txn.settles(upto) {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}
