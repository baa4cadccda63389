//! Making durable what was appended, and closing a log.

use std::io;
use std::sync::Arc;

use ottla_base::Offset;
use ottla_env::{DiskFile, OpenMode};
use ottla_log::names::{
    INDEX, LEADER_EPOCH_CHECKPOINT, PARTITION_METADATA, SNAPSHOT, TIME_INDEX, TXN_INDEX,
    segment_file,
};

use super::{Log, Segment, StorageError};
use crate::flusher::FlushWork;

/// What was written besides the batches of the active segment and is not durable.
#[derive(Debug, Default)]
pub(super) struct Unflushed {
    now: Parts,
    /// Given out as [`FlushWork`] that is not done yet.
    in_flight: Parts,
    /// The active segment has batches that were not there when it was last closed in order.
    pub(super) unclosed: bool,
}

#[derive(Debug, Default)]
struct Parts {
    /// A name in the log's directory is new.
    names: bool,
    /// The directory's own name is new, and so are the small files that come with it.
    new: bool,
    /// Entries in the active segment's transaction index.
    txns: bool,
    /// Segments that were closed, with all their files.
    closed: Vec<Offset>,
}

impl Parts {
    fn is_empty(&self) -> bool {
        !(self.names || self.new || self.txns) && self.closed.is_empty()
    }

    fn merge(&mut self, from: &mut Self) {
        self.names |= from.names;
        self.new |= from.new;
        self.txns |= from.txns;
        self.closed.append(&mut from.closed);
        *from = Self::default();
    }
}

impl Unflushed {
    /// The directory has a new name, or a small file that was not there before.
    pub(super) fn note_new(&mut self) {
        self.now.names = true;
        self.now.new = true;
    }

    pub(super) fn note_name(&mut self) {
        self.now.names = true;
    }

    pub(super) fn note_txn(&mut self) {
        self.now.txns = true;
    }

    pub(super) fn note_closed(&mut self, base: Offset) {
        self.now.names = true;
        self.now.closed.push(base);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Log {
    /// What has to be flushed so that everything below its `upto` is durable: files first, then directories. `None` if
    /// nothing, or if the log has failed. Whoever takes it calls [`Self::flushed`] or [`Self::flush_failed`].
    ///
    /// # Errors
    /// The disk's. If it is full the log is as before, else it takes no more appends.
    pub fn flush_work(&mut self) -> Result<Option<FlushWork>, StorageError> {
        if self.failed {
            return Ok(None);
        }
        self.forget_ended_transactions();
        let clean = self.flushed == self.end
            && self.unflushed.now.is_empty()
            && self.unflushed.in_flight.is_empty();
        if clean && !(self.epochs_unsaved && self.is_on_disk()) {
            return Ok(None);
        }
        match self.prepare_flush() {
            Ok(work) => Ok(Some(work)),
            Err(error) => self.fail(error),
        }
    }

    fn prepare_flush(&mut self) -> Result<FlushWork, StorageError> {
        self.snapshot_if_due()?;
        self.save_epochs()?;
        let Unflushed { now, in_flight, .. } = &mut self.unflushed;
        in_flight.merge(now);
        let mut files = Vec::with_capacity(1);
        let parts = &self.unflushed.in_flight;
        for base in &parts.closed {
            // A segment may have gone since by retention.
            if let Ok(at) = self
                .segments
                .binary_search_by_key(base, |segment| segment.base)
            {
                self.closed_files(at, &mut files)?;
            }
        }
        if let Some(active) = self.segments.last() {
            if self.flushed < self.end {
                files.push(active.file()?);
            }
            if parts.txns {
                files.extend(active.txn_file()?);
            }
            self.marks.note(active.base, self.end, active.size);
        }
        if parts.new {
            for name in [PARTITION_METADATA, LEADER_EPOCH_CHECKPOINT] {
                files.extend(self.open_if_there(name)?);
            }
        }
        let mut dirs = Vec::new();
        if parts.names && self.is_on_disk() {
            dirs.push(self.path.clone());
        }
        if parts.new {
            dirs.extend(self.path.parent().map(ToOwned::to_owned));
        }
        Ok(FlushWork {
            files,
            dirs,
            upto: self.end,
        })
    }

    /// All files of a closed segment.
    fn closed_files(
        &self,
        at: usize,
        files: &mut Vec<Arc<dyn DiskFile>>,
    ) -> Result<(), StorageError> {
        let Some(segment) = self.segments.get(at) else {
            return Ok(());
        };
        files.push(segment.file()?);
        for extension in [INDEX, TIME_INDEX, TXN_INDEX] {
            if extension == TXN_INDEX && segment.txn_entries == 0 {
                continue;
            }
            files.extend(self.open_if_there(&segment_file(segment.base, extension))?);
        }
        // The producers at its end.
        files.extend(self.open_if_there(&segment_file(self.end_of_segment(at), SNAPSHOT))?);
        Ok(())
    }

    fn open_if_there(&self, name: &str) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
        let path = self.path.join(name);
        match self.env.disk.open(&path, OpenMode::ReadWrite) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io("opening a file", &path, error)),
        }
    }

    /// The work for `upto` was done.
    pub fn flushed(&mut self, upto: Offset) {
        // A log that was cut in the meantime is flushed up to where it was cut, which the cut saw to itself.
        let upto = upto.min(self.end);
        match &mut self.announced {
            // The recovery point stays down until the cut is made.
            Some(flushed) => *flushed = upto.max(*flushed),
            None => self.flushed = upto.max(self.flushed),
        }
        self.unflushed.in_flight = Parts::default();
    }

    /// The work failed: what the system did with the bytes cannot be known, so this log takes no more appends, and
    /// nothing of it is acknowledged.
    pub fn flush_failed(&mut self) {
        self.failed = true;
    }

    /// Prepares a clean shutdown: writes everything that a start without recovery relies on. Returns what is to be
    /// flushed then, which may be done with that of other logs; `None` if there is nothing.
    ///
    /// # Errors
    /// The disk's; the directory then gets no clean mark.
    pub fn prepare_close(&mut self) -> Result<Option<FlushWork>, StorageError> {
        if self.failed {
            return Err(StorageError::Failed {
                path: self.path.clone(),
            });
        }
        if self.unflushed.unclosed {
            self.ensure_tail(self.env.clock.wall())?;
        }
        if let (Some(tail), Some(active)) = (&mut self.tail, self.segments.last()) {
            let (offsets, times) = tail.finish(active)?;
            active.cut_indexes(offsets, times)?;
            active.make_indexes()?;
            self.unflushed.note_closed(active.base);
        }
        self.unflushed.unclosed = false;
        // None at all says as much as an empty one.
        let is_needed = !(self.producers.is_empty() && self.snapshots.is_empty());
        if self.bytes_since_snapshot > 0 && is_needed {
            self.write_snapshot(self.end)?;
        }
        self.tail = None;
        if let Some(active) = self.segments.last_mut() {
            active.reopen();
        }
        let has_work = self.flushed < self.end
            || self.epochs_unsaved
            || !self.unflushed.now.is_empty()
            || !self.unflushed.in_flight.is_empty();
        if has_work {
            self.prepare_flush().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Clean shutdown of this log: writes and flushes everything.
    ///
    /// # Errors
    /// The disk's; the directory then gets no clean mark.
    pub fn close(&mut self) -> Result<(), StorageError> {
        let Some(work) = self.prepare_close()? else {
            return Ok(());
        };
        self.flush_now(&work)
    }

    /// Does `work` at once.
    pub(super) fn flush_now(&mut self, work: &FlushWork) -> Result<(), StorageError> {
        let disk = &self.env.disk;
        let synced = disk.sync_files(&work.files);
        let synced = synced.and_then(|()| work.dirs.iter().try_for_each(|dir| disk.sync_dir(dir)));
        if let Err(error) = synced {
            self.failed = true;
            return Err(StorageError::io("flushing a log", &self.path, error).into_fault());
        }
        self.flushed(work.upto);
        Ok(())
    }

    /// Flushes everything that was appended.
    pub(super) fn flush_all(&mut self) -> Result<(), StorageError> {
        let work = self.prepare_flush()?;
        self.flush_now(&work)
    }
}

impl Segment {
    /// Makes the index files that are not there yet: Apache Kafka takes a segment without them for damaged.
    pub(super) fn make_indexes(&self) -> Result<(), StorageError> {
        self.write_offsets(0, &[])?;
        self.write_times(0, &[])
    }
}
