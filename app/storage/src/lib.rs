//! Carries out what core/log plans: the logs of partitions in the log directories of a node.
//!
//! Knows files, threads and time; knows nothing of requests, replicas and connections.
#![warn(missing_docs)]

mod background;
mod checkpoints;
mod dirs;
mod env;
mod error;
mod flush_batch;
mod flusher;
pub mod format;
mod loader;
mod log;
mod removals;
#[cfg(test)]
mod test_support;

pub use background::{
    AllMaintained, Background, Closed, Expired, Intervals, LogOffsets, Maintained,
};
pub use dirs::{AllDirsFailed, DirIndex, Expect, LogDirs, OpenDirsError};
pub use env::StorageEnv;
pub use error::StorageError;
pub use flusher::{FlushWork, Flushable, Flusher};
pub use loader::{LoadError, LoadReport, Loaded, Wanted};
pub use log::{
    AppendError, Appended, FoundOffset, LeaderBatch, Log, OpenHints, Opened, Origin, ProducerInfo,
    ReadError, ReadSlice, Retained,
};
