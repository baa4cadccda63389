//! The log of `__cluster_metadata-0` and the file `quorum-state` beside it.
//!
//! Nothing is committed before it is flushed, and a log that failed once is not written again: the caller
//! stops the process. What the records mean is not known here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_base::{LeaderEpoch, NodeId, Offset, TopicId, Uuid, WallMillis};
use ottla_config::BrokerConfig;
use ottla_disk::{read_small, write_atomically};
use ottla_log::LogConfig;
use ottla_raft::election_state::FILE_BYTES_MAX;
use ottla_raft::message::OffsetAndEpoch;
use ottla_raft::snapshot::SnapshotId;
use ottla_raft::{ElectionState, LogView};
use ottla_records::codec::Compressor;
use ottla_records::control::{ControlType, quorum_batch};
use ottla_records::{BatchBuilder, BatchView, HEADER_SIZE};
use ottla_storage::{AppendError, LeaderBatch, Log, OpenHints, Origin, StorageEnv};

use super::batch_file::for_each_batch;
use super::error::QuorumError;

/// Directory of the metadata log within the metadata directory.
pub(crate) const DIRECTORY: &str = "__cluster_metadata-0";
/// Id of the topic of the metadata log, a reserved one.
const TOPIC_ID: TopicId = TopicId(Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
/// Name of the file with the election state.
const STATE_FILE: &str = "quorum-state";
/// Largest batch that is written; Kafka's `internal.metadata.max.batch.size.in.bytes`.
pub(crate) const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes that are read at once when the log is replayed.
const READ_BYTES: u32 = 4 * 1024 * 1024;

/// The metadata log of this node.
pub(crate) struct MetadataLog {
    env: Arc<StorageEnv>,
    path: PathBuf,
    log: Log,
    /// What the log stands on: the newest snapshot when it was opened.
    base: OffsetAndEpoch,
    compressor: Compressor,
    bytes: Vec<u8>,
}

/// Settings of the metadata log. It is cut by snapshots alone, never by retention of records.
fn log_config(config: &BrokerConfig) -> LogConfig {
    LogConfig {
        segment_bytes: u32::try_from(config.quorum.metadata_log_segment_bytes).unwrap_or(1 << 30),
        segment_ms: config.quorum.metadata_log_segment_ms,
        max_message_bytes: u32::try_from(BATCH_BYTES_MAX).expect("8 MiB fits 32 bits"),
        retention_ms: -1,
        retention_bytes: -1,
        ..LogConfig::default()
    }
}

impl MetadataLog {
    /// Opens the log below `metadata_dir`, or begins one. Everything below `snapshot` was flushed before
    /// that was made, so only what follows is scanned.
    pub(crate) fn open(
        env: &Arc<StorageEnv>,
        metadata_dir: &Path,
        config: &BrokerConfig,
        clean: bool,
        snapshot: Option<SnapshotId>,
    ) -> Result<Self, QuorumError> {
        let path = metadata_dir.join(DIRECTORY);
        let base = snapshot.map_or(
            OffsetAndEpoch {
                offset: Offset(0),
                epoch: LeaderEpoch(0),
            },
            |id| OffsetAndEpoch {
                offset: id.end_offset,
                epoch: id.epoch,
            },
        );
        let settings = Arc::new(log_config(config));
        let hints = OpenHints {
            clean,
            recovery_point: base.offset,
            log_start: Offset(0),
            topic_id: Some(TOPIC_ID),
        };
        let mut log = if has_segments(env, &path)? {
            let (log, opened) = Log::open(env, path.clone(), settings, hints)?;
            if opened.truncated_bytes > 0 {
                tracing::warn!(
                    bytes = opened.truncated_bytes,
                    "cut off the torn end of the metadata log"
                );
            }
            log
        } else {
            Log::create(env, path.clone(), Some(TOPIC_ID), settings)
        };
        if log.end() < base.offset {
            // A snapshot came from elsewhere and the log was not emptied before the crash.
            log.truncate_fully_and_start_at(base.offset)?;
        }
        Ok(Self {
            env: Arc::clone(env),
            path,
            log,
            base,
            compressor: Compressor::new(),
            bytes: Vec::new(),
        })
    }

    /// Refuses a log that starts behind the snapshot that it stands on.
    pub(crate) fn check_no_gap(&self) -> Result<(), QuorumError> {
        if self.log.start() <= self.base.offset {
            return Ok(());
        }
        Err(QuorumError::Gap {
            path: self.path.clone(),
            start: self.log.start(),
            snapshot: self.base.offset,
        })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// First offset.
    pub(crate) fn start(&self) -> Offset {
        self.log.start()
    }

    /// Offset of the next record.
    pub(crate) fn end(&self) -> Offset {
        self.log.end()
    }

    /// Bytes on disk.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.log.size_bytes()
    }

    /// Begins an epoch at the end of the log.
    pub(crate) fn begin_epoch(&mut self, epoch: LeaderEpoch) -> Result<(), QuorumError> {
        Ok(self.log.begin_epoch(epoch)?)
    }

    /// Appends control records in one batch.
    pub(crate) fn append_control(
        &mut self,
        epoch: LeaderEpoch,
        now: WallMillis,
        records: &[(ControlType, &[u8])],
    ) -> Result<(), QuorumError> {
        let batch = quorum_batch(self.log.end(), epoch, now, records)?;
        self.append(&batch, epoch, now)
    }

    /// An empty batch for the end of the log and what will be appended before it: `pending` records.
    pub(crate) fn batch(&self, epoch: LeaderEpoch) -> BatchBuilder {
        BatchBuilder::new(self.log.end()).leader_epoch(epoch)
    }

    /// Appends a batch that [`Self::batch`] began.
    pub(crate) fn append(
        &mut self,
        batch: &BatchBuilder,
        epoch: LeaderEpoch,
        now: WallMillis,
    ) -> Result<(), QuorumError> {
        self.bytes.clear();
        let header = batch.build_into(&mut self.compressor, &mut self.bytes)?;
        let batch = LeaderBatch {
            header,
            payload: self.bytes.get(HEADER_SIZE..).unwrap_or_default(),
            epoch,
            origin: Origin::Raft,
            now,
        };
        let appended = self.log.append(batch).map_err(|error| match error {
            AppendError::Storage(error) if error.is_full() => QuorumError::Full(error),
            AppendError::Storage(error) => QuorumError::Log(error),
            error => QuorumError::Append(error.to_string()),
        })?;
        assert!(
            appended.base == header.base_offset && appended.duplicate.is_none(),
            "this thread alone appends"
        );
        Ok(())
    }

    /// Makes everything durable; gives the end of what is.
    pub(crate) fn flush(&mut self) -> Result<Offset, QuorumError> {
        // What was appended has to be flushed now or never: room that comes later is too late.
        let work = self.log.flush_work();
        if let Some(work) = work.map_err(|error| QuorumError::Log(error.into_fault()))? {
            let disk = &self.env.disk;
            let done = disk
                .sync_files(&work.files)
                .and_then(|()| work.dirs.iter().try_for_each(|dir| disk.sync_dir(dir)));
            if let Err(source) = done {
                self.log.flush_failed();
                let path = self.path.clone();
                return Err(QuorumError::Io { path, source });
            }
            self.log.flushed(work.upto);
        }
        Ok(self.log.flushed_end())
    }

    /// The end of what is durable.
    pub(crate) fn flushed_end(&self) -> Offset {
        self.log.flushed_end()
    }

    /// Hands every batch from the one that holds `from` to `sink`.
    pub(crate) fn for_each_batch(
        &self,
        from: Offset,
        sink: &mut dyn FnMut(&BatchView<'_>) -> Result<(), QuorumError>,
    ) -> Result<(), QuorumError> {
        let end = self.log.end();
        let mut next = from.max(self.log.start());
        while next < end {
            let slice = self
                .log
                .read(next, end, READ_BYTES, true)
                .map_err(|error| QuorumError::Append(error.to_string()))?;
            let Some(slice) = slice else { break };
            let range = slice.position..slice.position.saturating_add(u64::from(slice.len));
            let before = next;
            for_each_batch(&self.path, &*slice.file, range, &mut |batch| {
                next = batch.next_offset();
                sink(batch)?;
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            assert!(next > before, "a read that gives bytes gives a batch");
        }
        Ok(())
    }

    /// Cuts the log so that it ends at `end`.
    pub(crate) fn truncate_to(&mut self, end: Offset) -> Result<(), QuorumError> {
        // A start reads everything above the snapshot, so no recovery point is written down.
        self.log.announce_cut(end);
        Ok(self.log.truncate_to(end)?)
    }

    /// Lets whole segments go that lie below `start`.
    pub(crate) fn delete_below(&mut self, start: Offset) -> Result<(), QuorumError> {
        let retained = self.log.delete_segments_below(start)?;
        // Nobody else reads this log, so nothing is waited for.
        for path in &retained.deleted {
            let removed = self.env.disk.remove_file(path);
            removed.map_err(QuorumError::io(path))?;
        }
        Ok(())
    }

    /// Clean end: everything durable, indexes cut to size.
    pub(crate) fn close(&mut self) -> Result<(), QuorumError> {
        Ok(self.log.close()?)
    }

    /// What was made durable of elections; the state before the first one if there is no file.
    pub(crate) fn read_state(&self) -> Result<ElectionState, QuorumError> {
        let path = self.path.join(STATE_FILE);
        let bytes = match read_small(&*self.env.disk, &path, FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(ElectionState::initial());
            }
            bytes => bytes.map_err(QuorumError::io(&path))?,
        };
        let text = String::from_utf8_lossy(&bytes);
        ElectionState::parse(&text).map_err(|source| QuorumError::State { path, source })
    }

    /// Makes the state of the election durable.
    pub(crate) fn write_state(
        &self,
        state: &ElectionState,
        kraft_version: i16,
        voters: &[NodeId],
    ) -> Result<(), QuorumError> {
        let disk = &*self.env.disk;
        // The very first write comes before the first append.
        disk.create_dir_all(&self.path)
            .map_err(QuorumError::io(&self.path))?;
        let path = self.path.join(STATE_FILE);
        let text = state.format(kraft_version, voters);
        write_atomically(disk, &path, text.as_bytes()).map_err(QuorumError::io(&path))
    }
}

/// Whether the directory holds a log; it may hold nothing but the first snapshot.
fn has_segments(env: &StorageEnv, path: &Path) -> Result<bool, QuorumError> {
    match env.disk.read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        entries => {
            let entries = entries.map_err(QuorumError::io(path))?;
            Ok(entries.iter().any(|entry| entry.name.ends_with(".log")))
        }
    }
}

impl LogView for MetadataLog {
    fn end(&self) -> OffsetAndEpoch {
        let epoch = self.log.latest_epoch();
        OffsetAndEpoch {
            offset: self.log.end(),
            epoch: epoch.unwrap_or(self.base.epoch),
        }
    }

    fn end_of_epoch(&self, epoch: LeaderEpoch) -> OffsetAndEpoch {
        match self.log.end_of_epoch(epoch) {
            Some((epoch, offset)) => OffsetAndEpoch { offset, epoch },
            None => self.base,
        }
    }
}
