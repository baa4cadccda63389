//! Faults of the disk and of what stands on it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A log could not be read or written.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The disk is full.
    #[error("no room on the disk what=`{what}` path=`{path}`", path = path.display())]
    Full {
        /// What was tried.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{what} failed path=`{path}`", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Its error.
        source: io::Error,
    },
    /// The bytes of a file are not what they must be.
    #[error("{what} path=`{path}`", path = path.display())]
    Corrupt {
        /// What is wrong.
        what: String,
        /// In which file.
        path: PathBuf,
    },
    /// An earlier error closed the log: it takes no more appends.
    #[error("the log is closed by an earlier storage error path=`{path}`", path = path.display())]
    Failed {
        /// The log's directory.
        path: PathBuf,
    },
}

impl StorageError {
    /// Says what was tried when the system gave `source`.
    #[must_use]
    pub fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { what, path },
            _ => Self::Io { what, path, source },
        }
    }

    /// The same as a fault that nothing makes good: for a flush that failed, after which nobody knows what is on
    /// the disk, and for whatever was left half done. Room that comes later does not help.
    #[must_use]
    pub fn into_fault(self) -> Self {
        match self {
            Self::Full { what, path } => Self::Io {
                what,
                path,
                source: io::ErrorKind::StorageFull.into(),
            },
            other => other,
        }
    }

    /// Whether there was no room: then the log is as before, and takes appends again once there is.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}
