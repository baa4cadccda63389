//! What the flusher and the background thread ask of a partition.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_base::{Offset, WallMillis};
use ottla_storage::{
    Closed, DirIndex, Expired, FlushWork, Flushable, Log, LogOffsets, Maintained, StorageError,
};

use super::produce::waking;
use super::{Partition, PartitionRefusal};

impl Flushable for Partition {
    fn dir(&self) -> DirIndex {
        self.dir
    }

    fn flush_work(&self) -> Result<Option<FlushWork>, StorageError> {
        let mut state = self.state();
        if let Some(deadline) = state.flush_by
            && deadline <= self.env.storage.clock.mono()
        {
            state.flush_by = None;
        }
        let work = match &mut state.log {
            Some(log) => log.flush_work(),
            None => Ok(None),
        };
        // One that finds no room stays in the queue.
        state.flush_queued = work.as_ref().is_err_and(StorageError::is_full);
        work
    }

    fn flush_done(&self, upto: Offset) {
        waking(|woken| {
            let mut state = self.state();
            let Some(log) = &mut state.log else { return };
            log.flushed(upto);
            let moved = state.flushed(upto);
            state.take_woken(moved, woken);
            if moved.is_none_or(|high_watermark| high_watermark < upto) {
                // Those who wait for the disk only; the others look in vain and wait again.
                state.waiters.take_reached(upto, woken);
            }
        });
    }

    fn flush_failed(&self, error: &StorageError) {
        waking(|woken| {
            let mut state = self.state();
            if let Some(log) = &mut state.log {
                log.flush_failed();
            }
            // Whoever waits learns that nothing more will be committed here.
            state.high_watermark = state.known_high_watermark();
            state.leader = None;
            state.waiters.take_all(woken);
        });
        self.storage_failed(error);
    }
}

impl Maintained for Partition {
    fn dir(&self) -> DirIndex {
        self.dir
    }

    fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    fn partition(&self) -> i32 {
        self.index
    }

    fn offsets(&self) -> Option<LogOffsets> {
        let state = self.state();
        let log = state.log.as_ref().filter(|log| !log.failed())?;
        Some(offsets_of(log, state.known_high_watermark()))
    }

    fn retain(&self, now: WallMillis) -> Result<Expired, StorageError> {
        let mut state = self.state();
        let high_watermark = state.known_high_watermark();
        let Some(log) = &mut state.log else {
            return Ok(Expired::default());
        };
        let retained = log.retain(now, high_watermark)?;
        Ok(Expired {
            files: retained.deleted,
            delay_ms: log.config().file_delete_delay_ms,
        })
    }

    fn expire_producers(&self, now: WallMillis) {
        let expiration_ms = self.env.producer_expiration_ms.load(Ordering::Relaxed);
        if let Some(log) = &mut self.state().log {
            log.expire_producers(now, expiration_ms);
        }
    }

    fn close(&self) -> Result<Option<Closed>, StorageError> {
        let (log, high_watermark) = waking(|woken| {
            let mut state = self.state();
            state.high_watermark = state.known_high_watermark();
            state.leader = None;
            state.waiters.take_all(woken);
            (state.log.take(), state.high_watermark)
        });
        let Some(mut log) = log else { return Ok(None) };
        let work = log.prepare_close()?;
        let mut offsets = offsets_of(&log, high_watermark);
        if let Some(work) = &work {
            offsets.recovery_point = work.upto;
        }
        Ok(Some(Closed { offsets, work }))
    }
}

fn offsets_of(log: &Log, high_watermark: Offset) -> LogOffsets {
    LogOffsets {
        recovery_point: log.flushed_end(),
        log_start: log.start(),
        first_segment: log.first_segment(),
        high_watermark,
    }
}

impl Partition {
    /// Moves the log start to `to`, -1 for the high watermark (DeleteRecords, KIP-107); durable when it
    /// returns. Blocks for a flush, so it is not for a worker thread.
    pub(crate) fn delete_records(&self, to: i64) -> Result<Offset, PartitionRefusal> {
        let start = {
            let mut state = self.state();
            let policy = state.rules.log.cleanup_policy;
            let (log, leader) = state.leading()?;
            if policy.compact && !policy.delete {
                return Err(PartitionRefusal::PolicyViolation);
            }
            let high_watermark = leader.high_watermark();
            let to = match to {
                -1 => high_watermark,
                to if to < 0 || to > high_watermark.0 => {
                    return Err(PartitionRefusal::OffsetOutOfRange);
                }
                to => Offset(to),
            };
            if to > log.start() {
                log.raise_start(to).map_err(|_| PartitionRefusal::Storage)?;
            }
            log.start()
        };
        let starts = [(Arc::clone(&self.topic), self.index, start)];
        if let Err(error) = self.env.dirs.raise_log_starts(self.dir, &starts) {
            self.storage_failed(&error);
            return Err(PartitionRefusal::Storage);
        }
        Ok(start)
    }
}
