//! Writes down where the logs stand.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_log::names;

use super::{LogDir, LogDirs};
use crate::background::{LogOffsets, Maintained};
use crate::checkpoints::{Checkpoints, Entry, OffsetFile, Update};
use crate::error::StorageError;

/// One of the three checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    RecoveryPoints,
    LogStarts,
    HighWatermarks,
}

impl Which {
    pub(super) fn file(self, checkpoints: &Checkpoints) -> &OffsetFile {
        match self {
            Self::RecoveryPoints => &checkpoints.recovery_points,
            Self::LogStarts => &checkpoints.log_starts,
            Self::HighWatermarks => &checkpoints.high_watermarks,
        }
    }

    /// The line of a log.
    pub(super) fn update(self, log: &dyn Maintained, offsets: LogOffsets) -> Update {
        let offset = match self {
            Self::RecoveryPoints => Some(offsets.recovery_point),
            Self::HighWatermarks => Some(offsets.high_watermark),
            // The name of the first segment says the rest, as in Kafka.
            Self::LogStarts => {
                Some(offsets.log_start).filter(|start| *start > offsets.first_segment)
            }
        };
        Update {
            topic: Arc::clone(log.topic()),
            partition: log.partition(),
            offset,
        }
    }
}

impl LogDirs {
    /// Writes one checkpoint of every directory that works: a line for each of `partitions` that has a log.
    /// Lines of other partitions stay: theirs may not be there yet.
    pub(crate) fn checkpoint(&self, partitions: &[Arc<dyn Maintained>], which: Which) {
        for (dir, home) in self.each().filter(|(_, home)| home.is_online()) {
            if which == Which::RecoveryPoints {
                // Before the offsets are read: a flush in between is written with the next sweep.
                home.flushed.store(false, Ordering::Relaxed);
            }
            let own = partitions.iter().filter(|one| one.dir() == dir);
            let file = which.file(&home.checkpoints);
            // A log that has failed keeps its lines: what was promised of it still holds.
            let found = own.filter_map(|one| Some(which.update(&**one, one.offsets()?)));
            let swept = file.sweep(
                &*self.env.disk,
                |updates| updates.extend(found),
                |old| self.settle_segments(home, old),
            );
            if let Err(error) = swept {
                self.mark_offline(dir, &error);
            }
        }
    }

    /// A log start goes from its checkpoint because all segments below it are gone: their names must be gone
    /// for good then, or a power cut would bring deleted records back.
    fn settle_segments(&self, home: &LogDir, old: &Entry) -> Result<(), StorageError> {
        let name = names::partition_dir(&old.topic, old.partition);
        let path = home.path.join(name);
        match self.env.disk.sync_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::io("flushing a directory", &path, error))
            }
            _ => Ok(()),
        }
    }
}
