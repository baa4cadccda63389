//! One segment: a batch file and its indexes.
//!
//! Knows where things are in the files. What is appended when, and what the indexes of the active segment have not
//! been given yet, is known by the log ([`super::tail`]).

mod indexes;
mod lookup;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use ottla_base::{Offset, WallMillis};
use ottla_disk::{CachedFile, FileCache};
use ottla_env::{Disk, DiskFile, OpenMode};
use ottla_log::entry::EntryHeader;
use ottla_log::names::{DELETED_SUFFIX, INDEX, LOG, TIME_INDEX, TXN_INDEX, segment_file};
use ottla_log::offset_index::OffsetEntry;

use crate::error::StorageError;

/// A segment. Costs its path and some numbers while nobody uses it.
#[derive(Debug)]
pub(super) struct Segment {
    /// Offset in its name.
    pub(super) base: Offset,
    /// Bytes of batches.
    pub(super) size: u32,
    /// Entries of the transaction index.
    pub(super) txn_entries: u32,
    /// The batch file.
    log: CachedFile,
    /// Made at the first use: most segments are never looked into.
    aux: OnceLock<Box<Aux>>,
    /// Of a closed segment, once it was asked for: the largest timestamp (-1 without one) and its offset.
    largest: OnceLock<(i64, Offset)>,
    /// An index did not lead where it said.
    astray: AtomicBool,
}

#[derive(Debug)]
struct Aux {
    index: CachedFile,
    time: CachedFile,
    txn: CachedFile,
    /// Entries of the offset index of a closed segment.
    offsets: OnceLock<u32>,
    /// Entries of its time index.
    times: OnceLock<u32>,
}

/// A batch and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) position: u32,
    pub(super) entry: EntryHeader,
}

/// Where a batch is, as far as a reader needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) position: u32,
    pub(super) size: u32,
    pub(super) first_offset: Offset,
}

impl From<Placed> for Found {
    fn from(placed: Placed) -> Self {
        Self {
            position: placed.position,
            size: placed.entry.size(),
            first_offset: placed.entry.first_offset(),
        }
    }
}

/// What a log knows of the active segment's offset index without the file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KnownEntries<'a> {
    /// Entries in the file.
    pub(super) written: u32,
    /// The last entries, whether written or not.
    pub(super) recent: &'a [OffsetEntry],
}

impl Segment {
    /// A segment whose batch file has `size` bytes.
    pub(super) fn new(files: &Arc<FileCache>, folder: &Path, base: Offset, size: u32) -> Self {
        Self {
            base,
            size,
            txn_entries: 0,
            log: files.handle(folder.join(segment_file(base, LOG))),
            aux: OnceLock::new(),
            largest: OnceLock::new(),
            astray: AtomicBool::new(false),
        }
    }

    /// Makes the batch file in `folder`.
    pub(super) fn create(
        files: &Arc<FileCache>,
        folder: &Path,
        base: Offset,
    ) -> Result<Self, StorageError> {
        let segment = Self::new(files, folder, base, 0);
        let file = segment.file_as(OpenMode::Create)?;
        // Left by an attempt that failed later on; with bytes in it, it is somebody's data.
        let len = file
            .len()
            .map_err(|e| StorageError::io("looking at a file", segment.path(), e))?;
        if len > 0 {
            let exists = io::ErrorKind::AlreadyExists.into();
            return Err(StorageError::io(
                "creating a segment",
                segment.path(),
                exists,
            ));
        }
        Ok(segment)
    }

    /// The batch file's path.
    pub(super) fn path(&self) -> &Path {
        self.log.path()
    }

    /// The batch file.
    pub(super) fn file(&self) -> Result<Arc<dyn DiskFile>, StorageError> {
        self.file_as(OpenMode::ReadWrite)
    }

    fn file_as(&self, mode: OpenMode) -> Result<Arc<dyn DiskFile>, StorageError> {
        self.log
            .get(mode)
            .map_err(|error| StorageError::io("opening a file", self.path(), error))
    }

    fn folder(&self) -> &Path {
        self.path().parent().unwrap_or_else(|| Path::new(""))
    }

    fn aux(&self) -> &Aux {
        self.aux.get_or_init(|| {
            let files = self.log.cache();
            let handle = |extension| files.handle(self.aux_path(extension));
            Box::new(Aux {
                index: handle(INDEX),
                time: handle(TIME_INDEX),
                txn: handle(TXN_INDEX),
                offsets: OnceLock::new(),
                times: OnceLock::new(),
            })
        })
    }

    pub(super) fn aux_path(&self, extension: &str) -> PathBuf {
        self.folder().join(segment_file(self.base, extension))
    }

    /// The offset index, or `None` if there is no such file.
    pub(super) fn index_file(&self) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
        open_existing(&self.aux().index)
    }

    /// The time index, or `None` if there is no such file.
    pub(super) fn time_file(&self) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
        open_existing(&self.aux().time)
    }

    /// The transaction index, or `None` if there is no such file.
    pub(super) fn txn_file(&self) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
        open_existing(&self.aux().txn)
    }

    /// Forgets what is only true of a closed segment.
    pub(super) fn reopen(&mut self) {
        self.aux = OnceLock::new();
        self.largest = OnceLock::new();
        self.astray = AtomicBool::new(false);
    }

    /// Closes all files and forgets what can be read again: nobody uses it.
    pub(super) fn rest(&mut self) {
        self.reopen();
        self.log.close();
    }

    /// When the batch file was last written.
    pub(super) fn modified(&self, disk: &dyn Disk) -> Result<WallMillis, StorageError> {
        let stat = disk.stat(self.path());
        Ok(stat
            .map_err(|e| StorageError::io("looking at a file", self.path(), e))?
            .modified)
    }

    /// Gives the batch file the suffix `.deleted`; with it the segment is gone. Returns the new path.
    pub(super) fn mark_log_deleted(
        &self,
        disk: &dyn Disk,
    ) -> Result<Option<PathBuf>, StorageError> {
        mark_deleted(disk, self.path())
    }

    /// Gives the indexes the suffix `.deleted`. Returns their new paths.
    pub(super) fn mark_indexes_deleted(
        &self,
        disk: &dyn Disk,
    ) -> Result<Vec<PathBuf>, StorageError> {
        let mut paths = Vec::new();
        for extension in [INDEX, TIME_INDEX, TXN_INDEX] {
            paths.extend(mark_deleted(disk, &self.aux_path(extension))?);
        }
        Ok(paths)
    }

    /// Removes all files at once, the batch file first; who reads one still may.
    pub(super) fn remove(&self, disk: &dyn Disk) -> Result<(), StorageError> {
        for extension in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
            remove_if_there(disk, &self.aux_path(extension))?;
        }
        Ok(())
    }

    /// Says that the files are in `folder` now.
    pub(super) fn moved_to(&mut self, folder: &Path) {
        self.log.set_path(folder.join(segment_file(self.base, LOG)));
        if let Some(aux) = self.aux.get_mut() {
            aux.index
                .set_path(folder.join(segment_file(self.base, INDEX)));
            aux.time
                .set_path(folder.join(segment_file(self.base, TIME_INDEX)));
            aux.txn
                .set_path(folder.join(segment_file(self.base, TXN_INDEX)));
        }
    }
}

/// Renames a file that may not exist; returns the new name if it did.
pub(super) fn mark_deleted(disk: &dyn Disk, path: &Path) -> Result<Option<PathBuf>, StorageError> {
    let mut to = path.as_os_str().to_owned();
    to.push(DELETED_SUFFIX);
    let to = PathBuf::from(to);
    match disk.rename(path, &to) {
        Ok(()) => Ok(Some(to)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io("renaming a file", path, error)),
    }
}

/// Removes a file that may not exist.
pub(super) fn remove_if_there(disk: &dyn Disk, path: &Path) -> Result<(), StorageError> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::io("removing a file", path, error))
        }
        _ => Ok(()),
    }
}

fn open_existing(handle: &CachedFile) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
    match handle.get(OpenMode::ReadWrite) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io("opening a file", handle.path(), error)),
    }
}
