//! Cutting a log at its end.
//!
//! Everything here is flushed before it returns: what is appended afterwards must not meet what was cut off.
//! A cut has two steps, because recovery trusts what lies below the recovery point that is written down: first
//! [`Log::announce_cut`] says how low that has to be, and it is made durable; then the log is cut.

use std::sync::Arc;

use ottla_base::Offset;
use ottla_env::DiskFile;
use ottla_log::names::{SNAPSHOT, segment_file};
use ottla_log::offset_index::relative;

use super::index_file::{checked_offsets, checked_times};
use super::segment::remove_if_there;
use super::{Log, StorageError};
use crate::flusher::FlushWork;

impl Log {
    /// Lowers the recovery point for a cut at `end`, and returns it. Until the cut it stays there, whatever is flushed.
    /// The caller makes it durable before the cut, if recovery points of this log are written down
    /// ([`LogDirs::lower_recovery_points`](crate::LogDirs::lower_recovery_points)).
    pub fn announce_cut(&mut self, end: Offset) -> Offset {
        if end < self.end {
            // Where exactly the cut comes to lie is not known yet, but not below its segment.
            let low = self.segment_at(end).and_then(|at| self.segments.get(at));
            let low = low.map_or(end, |segment| segment.base.min(end));
            self.announced.get_or_insert(self.flushed);
            self.flushed = self.flushed.min(low);
        }
        self.flushed
    }

    /// Cuts the log so that it ends at `end`, or before it where a batch holds `end`, as it was announced by
    /// [`Self::announce_cut`]. Flushes.
    ///
    /// # Errors
    /// The disk's; the log then takes no more appends.
    ///
    /// # Panics
    /// If the cut was not announced.
    pub fn truncate_to(&mut self, end: Offset) -> Result<(), StorageError> {
        self.check_open()?;
        if end >= self.end {
            return Ok(());
        }
        assert!(
            self.announced.is_some(),
            "a recovery point above the cut would hide what is appended behind it"
        );
        if end < self.first_segment() {
            return self.truncate_fully_and_start_at(end);
        }
        self.cut(end).or_else(|error| self.fail_cut(error))
    }

    /// Drops everything and goes on at `start`. Flushes. A `start` below the recovery point has to be announced by
    /// [`Self::announce_cut`].
    ///
    /// # Errors
    /// The disk's; the log then takes no more appends.
    ///
    /// # Panics
    /// If it was not announced.
    pub fn truncate_fully_and_start_at(&mut self, start: Offset) -> Result<(), StorageError> {
        self.check_open()?;
        assert!(
            start >= self.flushed || self.announced.is_some(),
            "a recovery point above the start would hide what is appended behind it"
        );
        self.drop_all(start).or_else(|error| self.fail_cut(error))
    }

    /// A cut that failed half way leaves no log to append to, not even if the disk was only full.
    fn fail_cut(&mut self, error: StorageError) -> Result<(), StorageError> {
        self.failed = true;
        Err(error.into_fault())
    }

    fn cut(&mut self, end: Offset) -> Result<(), StorageError> {
        let now = self.env.clock.wall();
        let at = self.segment_at(end).unwrap_or(0);
        let placed = match self.segments.get(at) {
            Some(segment) => segment.find(end, self.known(at))?,
            None => None,
        };
        // From the back: whatever a crash leaves is a log without a gap.
        self.drop_snapshots_behind(end)?;
        while self.segments.len() > at + 1 {
            self.drop_segments_from(self.segments.len() - 1)?;
            self.sync_names()?;
        }
        self.tail = None;
        self.marks.clear();
        self.forget_high_watermark();
        let mut files: Vec<Arc<dyn DiskFile>> = Vec::new();
        if let Some(segment) = self.segments.get_mut(at) {
            let file = segment.file()?;
            if let Some(placed) = placed {
                file.set_len(placed.position.into())
                    .map_err(|e| StorageError::io("cutting a file", segment.path(), e))?;
                segment.size = placed.position;
            }
            files.push(file);
            let counts = true_counts(segment, end)?;
            files.extend(segment.cut_indexes(counts.0, counts.1)?);
            if segment.txn_entries > 0 {
                files.extend(segment.cut_txns(end)?);
            }
            segment.reopen();
        }
        self.end = self.end_of_cut(at, end)?;
        let flushed = self.announced.take().unwrap_or(self.flushed);
        self.flushed = flushed.min(self.end);
        self.start = self.start.min(self.end);
        self.ensure_tail(now)?;
        self.unflushed.unclosed = true;
        self.load_producers(self.end)?;
        self.epochs_unsaved |= self.epochs.truncate_from_end(self.end);
        self.save_epochs()?;
        let work = FlushWork {
            files,
            dirs: vec![self.path.clone()],
            upto: self.flushed,
        };
        self.flush_now(&work)
    }

    /// Where the log ends that was cut for `end` within segment number `at`.
    fn end_of_cut(&self, at: usize, end: Offset) -> Result<Offset, StorageError> {
        match self.segments.get(at) {
            // A gap that compaction left before `end` belongs to what was cut.
            Some(segment) if segment.size > 0 => Ok(segment.end_of_batches()?.min(end)),
            Some(segment) => Ok(segment.base.min(end)),
            None => Ok(end),
        }
    }

    fn drop_all(&mut self, start: Offset) -> Result<(), StorageError> {
        let was_on_disk = self.is_on_disk();
        while !self.segments.is_empty() {
            self.drop_segments_from(self.segments.len() - 1)?;
        }
        for at in std::mem::take(&mut self.snapshots) {
            remove_if_there(&*self.env.disk, &self.path.join(segment_file(at, SNAPSHOT)))?;
        }
        self.tail = None;
        self.marks.clear();
        self.forget_high_watermark();
        self.producers.clear();
        self.bytes_since_snapshot = 0;
        self.epochs.clear();
        (self.start, self.end, self.flushed) = (start, start, start);
        self.announced = None;
        self.unflushed.clear();
        self.epochs_unsaved = self.epochs_file;
        if was_on_disk {
            self.make_files()?;
            self.flush_all()?;
        }
        Ok(())
    }

    pub(super) fn sync_names(&self) -> Result<(), StorageError> {
        let synced = self.env.disk.sync_dir(&self.path);
        synced.map_err(|e| StorageError::io("flushing a directory", &self.path, e))
    }
}

/// How many entries of a segment's indexes are about batches that are there, and below `end`.
fn true_counts(segment: &super::Segment, end: Offset) -> Result<(u32, u32), StorageError> {
    let below = relative(segment.base, end).unwrap_or(u32::MAX);
    let failed = |error| StorageError::io("reading an index", segment.path(), error);
    let offsets = match segment.index_file()? {
        Some(file) => {
            checked_offsets(&*file, segment.size, below)
                .map_err(failed)?
                .0
        }
        None => 0,
    };
    let times = match segment.time_file()? {
        Some(file) => checked_times(&*file, below).map_err(failed)?.0,
        None => 0,
    };
    Ok((offsets, times))
}
