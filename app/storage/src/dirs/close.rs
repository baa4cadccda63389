//! The end of a clean shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ottla_base::BrokerEpoch;
use ottla_env::{Disk, run_threads};
use parking_lot::Mutex;

use super::{DirIndex, LogDirs, Which, open};
use crate::background::{LogOffsets, Maintained};
use crate::checkpoints::write_clean_mark;
use crate::error::StorageError;
use crate::flush_batch::FlushBatch;

/// Logs that one thread flushes by one call; each has some five files open until then.
const BATCH_LOGS: usize = 128;

/// The partitions of one directory, and where their logs ended.
struct Home {
    dir: DirIndex,
    partitions: Vec<Arc<dyn Maintained>>,
    next: AtomicUsize,
    ends: Mutex<Vec<(usize, LogOffsets)>>,
    /// A log could not be closed.
    failed: AtomicBool,
}

impl LogDirs {
    /// Closes the logs of all partitions with `threads` threads for each directory, writes the checkpoints
    /// and then, where all went well, the clean-shutdown mark; gives the locks back. Returns whether every
    /// directory has its mark.
    ///
    /// Nothing may use the directories any more: flusher and background thread are stopped, the metadata log
    /// is closed. `broker_epoch` is that of the last registration, if this node is a broker.
    pub fn close(
        &self,
        partitions: Vec<Arc<dyn Maintained>>,
        threads: usize,
        broker_epoch: Option<BrokerEpoch>,
    ) -> bool {
        let mut homes: Vec<Home> = self.each().map(|(dir, _)| Home::new(dir)).collect();
        for partition in partitions {
            if let Some(home) = homes.get_mut(usize::from(partition.dir().0)) {
                home.partitions.push(partition);
            }
        }
        let threads = threads.max(1);
        run_threads("log-closer", threads * homes.len(), &|index| {
            if let Some(home) = homes.get(index / threads) {
                home.close_logs(&*self.env.disk);
            }
        });
        let mut all_clean = true;
        for home in homes {
            let dir = home.dir;
            match self.finish(home, broker_epoch.unwrap_or(BrokerEpoch(-1))) {
                Ok(clean) => all_clean &= clean,
                Err(error) => {
                    self.mark_offline(dir, &error);
                    all_clean = false;
                }
            }
        }
        for dir in self.dirs.iter().chain(&self.metadata_own) {
            *dir.lock.lock() = None;
        }
        all_clean
    }

    /// Writes down how a directory was left.
    fn finish(&self, home: Home, broker_epoch: BrokerEpoch) -> Result<bool, StorageError> {
        let dir = self.dir(home.dir);
        if !dir.is_online() {
            return Ok(false);
        }
        let disk = &*self.env.disk;
        let ends = home.ends.into_inner();
        for which in [
            Which::RecoveryPoints,
            Which::LogStarts,
            Which::HighWatermarks,
        ] {
            let found = ends.iter().filter_map(|(index, offsets)| {
                Some(which.update(&**home.partitions.get(*index)?, *offsets))
            });
            which.file(&dir.checkpoints).sweep(
                disk,
                |updates| updates.extend(found),
                |_| Ok(()), // Closed logs are flushed, names and all.
            )?;
        }
        if home.failed.into_inner() {
            return Ok(false);
        }
        write_clean_mark(disk, &dir.path, broker_epoch)?;
        Ok(true)
    }
}

impl Home {
    fn new(dir: DirIndex) -> Self {
        Self {
            dir,
            partitions: Vec::new(),
            next: AtomicUsize::new(0),
            ends: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// Closes logs until none is left, some at a time.
    fn close_logs(&self, disk: &dyn Disk) {
        let (mut batch, mut ends) = (FlushBatch::default(), Vec::new());
        while let Some((index, partition)) = self.take() {
            match partition.close() {
                Ok(Some(closed)) => {
                    ends.push((index, closed.offsets));
                    closed.work.map(|work| batch.add(work));
                }
                Ok(None) => {}
                Err(error) => self.fail(&**partition, &error),
            }
            if ends.len() >= BATCH_LOGS {
                self.flush(disk, &mut batch, &mut ends);
            }
        }
        self.flush(disk, &mut batch, &mut ends);
    }

    fn take(&self) -> Option<(usize, &Arc<dyn Maintained>)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        Some((index, self.partitions.get(index)?))
    }

    /// Flushes the logs of a batch with one call, and only then counts them as closed.
    fn flush(&self, disk: &dyn Disk, batch: &mut FlushBatch, ends: &mut Vec<(usize, LogOffsets)>) {
        match batch.flush(disk) {
            Ok(()) => self.ends.lock().append(ends),
            Err(error) => {
                tracing::error!(%error, "closed logs cannot be flushed");
                self.failed.store(true, Ordering::Relaxed);
                ends.clear();
            }
        }
    }

    fn fail(&self, partition: &dyn Maintained, error: &StorageError) {
        tracing::error!(
            topic = &**partition.topic(),
            partition = partition.partition(),
            error = open::describe(error),
            "a log cannot be closed"
        );
        self.failed.store(true, Ordering::Relaxed);
    }
}
