//! Group commit (D11).

use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::{MonoTime, Offset};
use ottla_env::DiskFile;

use crate::dirs::{DirIndex, LogDirs};
use crate::env::StorageEnv;
use crate::error::StorageError;

/// What has to be made durable so that all below `upto` is.
#[derive(Debug)]
pub struct FlushWork {
    /// Files with new bytes.
    pub files: Vec<Arc<dyn DiskFile>>,
    /// Directories with new names.
    pub dirs: Vec<PathBuf>,
    /// End of what is then durable.
    pub upto: Offset,
}

/// Something whose bytes are flushed together with those of others: a partition.
pub trait Flushable: Send + Sync {
    /// The log directory it is in: each has a flusher of its own.
    fn dir(&self) -> DirIndex;
    /// Takes what is to be flushed; `None` if nothing is.
    fn flush_work(&self) -> Option<FlushWork>;
    /// All below `upto` is on stable storage now.
    fn flush_done(&self, upto: Offset);
    /// The flush failed: nothing since the last good one may be acknowledged, ever.
    fn flush_failed(&self, error: &StorageError);
}

/// Flushes what partitions submit, many by one call to the disk.
#[derive(Debug)]
pub struct Flusher {}

impl Flusher {
    /// Starts a thread for each log directory.
    ///
    /// # Errors
    /// The operating system's, if it has no more threads.
    pub fn start(_env: &Arc<StorageEnv>, _dirs: &Arc<LogDirs>) -> std::io::Result<Self> {
        todo!()
    }

    /// Flushes `item` with the next round. Whoever submits keeps track of what is queued already.
    pub fn submit(&self, _item: Arc<dyn Flushable>) {
        todo!()
    }

    /// Flushes `item` at the latest at `deadline` (`flush.ms`).
    pub fn submit_by(&self, _item: Arc<dyn Flushable>, _deadline: MonoTime) {
        todo!()
    }

    /// Flushes what is queued and ends the threads.
    pub fn stop(self) {
        todo!()
    }
}
