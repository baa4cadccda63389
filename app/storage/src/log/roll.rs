//! Closing the active segment and beginning another.

use std::io::IoSlice;

use ottla_base::{Offset, WallMillis};
use ottla_env::OpenMode;
use ottla_log::checkpoint_file::write_partition_metadata;
use ottla_log::names::PARTITION_METADATA;
use ottla_log::roll::Incoming;

use super::{Log, Segment, StorageError, Tail};

impl Log {
    /// Makes everything ready for an append of `incoming` at `base`: directory, segment, state of the indexes.
    pub(super) fn prepare_append(
        &mut self,
        base: Offset,
        incoming: &Incoming,
        now: WallMillis,
    ) -> Result<(), StorageError> {
        if !self.is_on_disk() {
            self.make_directory(now)?;
        }
        self.ensure_tail(now)?;
        if let (Some(tail), Some(active)) = (&mut self.tail, self.segments.last()) {
            let facts = tail.facts(active);
            if facts.roll_reason(incoming, &self.config, now).is_some() {
                self.roll_to(base, now)?;
            } else if tail.is_full() {
                tail.write(active)?;
            }
        }
        if self.epochs_unsaved {
            self.save_epochs()?;
        }
        Ok(())
    }

    /// Makes the directory with what belongs into it, and its first segment at the log end.
    fn make_directory(&mut self, now: WallMillis) -> Result<(), StorageError> {
        let disk = &self.env.disk;
        let made = disk.create_dir_all(&self.path);
        made.map_err(|e| StorageError::io("creating a directory", &self.path, e))?;
        if let Some(topic_id) = self.topic_id {
            let path = self.path.join(PARTITION_METADATA);
            let failed = |error| StorageError::io("writing partition metadata", &path, error);
            let file = disk.open(&path, OpenMode::Create).map_err(failed)?;
            let text = write_partition_metadata(topic_id);
            file.write_all_at(&[IoSlice::new(text.as_bytes())], 0)
                .map_err(failed)?;
        }
        let segment = Segment::create(&self.env.files, &self.path, self.end)?;
        self.segments.push(segment);
        self.tail = Some(Box::new(Tail::new(&self.config, now, &*self.env.rng)));
        self.unflushed.note_new();
        // The epochs of before count from the new file on.
        self.epochs_unsaved |= !self.epochs.entries().is_empty();
        Ok(())
    }

    /// Makes the directory and its files now instead of at the first append. Does not flush.
    ///
    /// # Errors
    /// The disk's.
    pub fn make_files(&mut self) -> Result<(), StorageError> {
        self.check_open()?;
        if !self.is_on_disk() {
            self.make_directory(self.env.clock.wall())?;
        }
        self.save_epochs()
    }

    /// Reads what an append has to know of an active segment of an earlier life.
    pub(super) fn ensure_tail(&mut self, now: WallMillis) -> Result<(), StorageError> {
        if self.tail.is_some() {
            return Ok(());
        }
        let Some(active) = self.segments.last_mut() else {
            return Ok(());
        };
        let counts = active.counts()?;
        // What Apache Kafka allotted in advance would stand between old entries and new ones.
        active.cut_indexes(counts.0, counts.1)?;
        let tail = Tail::resume(active, counts, &self.config, now, &*self.env.rng)?;
        active.reopen();
        self.tail = Some(Box::new(tail));
        Ok(())
    }

    /// Closes the active segment if it has records and is older than `segment.ms`. Returns whether it did.
    ///
    /// # Errors
    /// The disk's.
    pub fn roll_if_due(&mut self, now: WallMillis) -> Result<bool, StorageError> {
        if self.failed || self.segments.last().is_none_or(|active| active.size == 0) {
            return Ok(false);
        }
        self.ensure_tail(now)?;
        let (Some(tail), Some(active)) = (&self.tail, self.segments.last()) else {
            return Ok(false);
        };
        // A batch of now, with nothing in it.
        let incoming = Incoming {
            bytes: 0,
            max_timestamp: now.0,
            last_offset: self.end,
        };
        let is_due = tail
            .facts(active)
            .roll_reason(&incoming, &self.config, now)
            .is_some();
        if is_due {
            self.roll_to(self.end, now)?;
        }
        Ok(is_due)
    }

    /// Closes the active segment, unless it is empty, and begins another at the log end. Takes a snapshot of the
    /// producers.
    ///
    /// # Errors
    /// The disk's.
    pub fn roll(&mut self) -> Result<(), StorageError> {
        self.check_open()?;
        if self.segments.last().is_some_and(|active| active.size > 0) {
            let now = self.env.clock.wall();
            self.ensure_tail(now)?;
            self.roll_to(self.end, now)?;
        }
        Ok(())
    }

    /// Begins a segment at `base`, the log end or behind it. The log is unchanged if this fails.
    pub(super) fn roll_to(&mut self, base: Offset, now: WallMillis) -> Result<(), StorageError> {
        let Some(active) = self.segments.last() else {
            return Ok(());
        };
        if active.size == 0 {
            // Its offsets are too far from its base: it makes room for one with a better name.
            if active.base == base {
                return Ok(());
            }
            let segment = Segment::create(&self.env.files, &self.path, base)?;
            active.remove(&*self.env.disk)?;
            self.segments.pop();
            self.begin_segment(segment, now);
            return Ok(());
        }
        let segment = Segment::create(&self.env.files, &self.path, base)?;
        if let Err(error) = self.close_active(base) {
            // An empty segment must not stay behind: the log goes on in the old one.
            if segment.remove(&*self.env.disk).is_err() {
                self.failed = true;
            }
            return Err(error);
        }
        self.begin_segment(segment, now);
        Ok(())
    }

    fn close_active(&mut self, next: Offset) -> Result<(), StorageError> {
        self.write_snapshot(next)?;
        if let (Some(tail), Some(active)) = (&mut self.tail, self.segments.last_mut()) {
            let counts = tail.finish(active)?;
            active.cut_indexes(counts.0, counts.1)?;
            active.make_indexes()?;
            active.closed(counts, tail.largest());
            self.unflushed.note_closed(active.base);
        }
        Ok(())
    }

    fn begin_segment(&mut self, segment: Segment, now: WallMillis) {
        self.segments.push(segment);
        self.tail = Some(Box::new(Tail::new(&self.config, now, &*self.env.rng)));
        self.unflushed.note_name();
    }
}
