//! The files and directories of several logs, made durable together.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::Offset;
use ottla_env::{Disk, DiskFile};

use crate::flusher::FlushWork;

/// What is to be flushed next. Keeps its memory from round to round.
#[derive(Debug, Default)]
pub(crate) struct FlushBatch {
    files: Vec<Arc<dyn DiskFile>>,
    dirs: Vec<PathBuf>,
}

impl FlushBatch {
    /// Adds the work of a log; returns how far that log is durable after [`Self::flush`].
    pub(crate) fn add(&mut self, work: FlushWork) -> Offset {
        self.files.extend(work.files);
        self.dirs.extend(work.dirs);
        work.upto
    }

    /// Flushes all, files first: a name is durable only with what it names. The batch is empty then.
    ///
    /// # Errors
    /// The disk's; nothing of the batch may be taken as durable then.
    pub(crate) fn flush(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let files = if self.files.is_empty() {
            Ok(())
        } else {
            disk.sync_files(&self.files)
        };
        self.dirs.sort_unstable();
        self.dirs.dedup();
        let flushed = files.and_then(|()| disk.sync_dirs(&self.dirs));
        self.files.clear();
        self.dirs.clear();
        flushed
    }
}
