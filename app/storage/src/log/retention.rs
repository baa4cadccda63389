//! Letting go of the front of a log: by time, by size, and below the log start.

use std::sync::Arc;

use ottla_base::{Offset, WallMillis};
use ottla_log::retention::{RetentionPlan, RetentionReason, SegmentFacts, plan};
use tracing::info;

use super::{Log, Retained, StorageError};

impl Log {
    /// Moves the log start up to `to` (DeleteRecords); lower or equal is no change. Segments below go with the next
    /// retention. The caller makes the log start durable before it answers.
    ///
    /// # Errors
    /// None at present: nothing is written here.
    pub fn raise_start(&mut self, to: Offset) -> Result<(), StorageError> {
        let to = to.min(self.end);
        if to > self.start {
            self.start = to;
            self.epochs_unsaved |= self.epochs.truncate_from_start(to);
        }
        Ok(())
    }

    /// Lets go of whole segments by `retention.ms`, `retention.bytes` and the log start, never past the high watermark.
    /// Closes the active segment first if it is due to go. The files get the suffix `.deleted`.
    ///
    /// # Errors
    /// The disk's.
    pub fn retain(
        &mut self,
        now: WallMillis,
        high_watermark: Offset,
    ) -> Result<Retained, StorageError> {
        if self.failed {
            return Ok(Retained::default());
        }
        self.repair_indexes()?;
        let facts: Vec<SegmentFacts> = (0..self.segments.len())
            .filter_map(|at| {
                let bytes = self.segments.get(at)?.size.into();
                Some(SegmentFacts {
                    bytes,
                    end: self.end_of_segment(at),
                })
            })
            .collect();
        let due = plan(
            &facts,
            self.start,
            high_watermark,
            &self.config,
            now,
            |at| self.time_of(at),
        )?;
        let retained = match due {
            Some(due) => self.delete_segments(due)?,
            None => Retained::default(),
        };
        self.rest_if_idle()?;
        Ok(retained)
    }

    /// A log that got nothing since it was last looked after keeps no files open and little in memory (D12).
    fn rest_if_idle(&mut self) -> Result<(), StorageError> {
        if self.seen_end == self.end && self.flushed == self.end {
            if let (Some(tail), Some(active)) = (&mut self.tail, self.segments.last()) {
                tail.write(active)?;
            }
            self.tail = None;
            self.segments.iter_mut().for_each(super::Segment::rest);
        }
        self.seen_end = self.end;
        Ok(())
    }

    /// The time by which segment number `at` grows old.
    fn time_of(&self, at: usize) -> Result<WallMillis, StorageError> {
        match (self.largest(at)?, self.segments.get(at)) {
            ((timestamp, _), Some(segment)) if timestamp < 0 => segment.modified(&*self.env.disk),
            ((timestamp, _), _) => Ok(WallMillis(timestamp)),
        }
    }

    fn repair_indexes(&mut self) -> Result<(), StorageError> {
        for at in 0..self.segments.len() {
            if self.segments.get(at).is_some_and(super::Segment::is_astray) {
                self.rebuild_indexes(at)?;
            }
        }
        Ok(())
    }

    /// Moves the log start up to `offset` and lets go of the segments that lie below it whole: after a snapshot of the
    /// metadata.
    ///
    /// # Errors
    /// The disk's.
    pub fn delete_segments_below(&mut self, offset: Offset) -> Result<Retained, StorageError> {
        let before = self.start;
        self.raise_start(offset)?;
        let ends = (0..self.segments.len()).map(|at| self.end_of_segment(at));
        let count = ends.take_while(|end| *end <= self.start).count();
        let count = count.min(self.segments.len().saturating_sub(1));
        let mut retained = if count > 0 {
            self.delete_segments(RetentionPlan {
                count,
                reason: RetentionReason::LogStart,
            })?
        } else {
            Retained::default()
        };
        retained.new_start = (self.start > before).then_some(self.start);
        Ok(retained)
    }

    fn delete_segments(&mut self, due: RetentionPlan) -> Result<Retained, StorageError> {
        self.try_delete_segments(due)
            .or_else(|error| self.fail(error))
    }

    fn try_delete_segments(&mut self, due: RetentionPlan) -> Result<Retained, StorageError> {
        if due.count >= self.segments.len() {
            self.roll()?;
        }
        let disk = Arc::clone(&self.env.disk);
        let count = due.count.min(self.segments.len().saturating_sub(1));
        let before = self.start;
        let mut deleted = Vec::new();
        for left in (0..count).rev() {
            let Some(first) = self.segments.first() else {
                break;
            };
            info!(segment = %first.path().display(), reason = ?due.reason, "segment is deleted");
            deleted.extend(first.mark_log_deleted(&*disk)?);
            let gone = self.segments.remove(0);
            self.unflushed.note_name();
            self.raise_start(self.first_segment())?;
            deleted.extend(gone.mark_indexes_deleted(&*disk)?);
            // Names may reach the disk in any order: one after the other, or a crash would leave a gap.
            if left > 0 {
                self.sync_names()?;
            }
        }
        deleted.extend(self.mark_snapshots_deleted(self.first_segment())?);
        let new_start = (self.start > before).then_some(self.start);
        Ok(Retained { new_start, deleted })
    }
}
