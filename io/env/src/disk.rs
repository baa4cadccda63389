//! What Ottla asks of a disk.
//!
//! Synchronous on purpose: a page-cache read or write is shorter than a task switch, and the one slow
//! call, [`Disk::sync_files`], is made on flusher threads only. Object-safe, so that the storage layer
//! runs unchanged on the operating system and on a simulated disk that tears, loses and fails.
//!
//! The durability contract is POSIX's, read strictly: bytes written survive a power cut only after a
//! sync of their file returned; a created, renamed or removed name survives only after
//! [`Disk::sync_dir`] of its directory returned; after a failed sync nothing is known about the bytes
//! since the last good one. A killed process (`kill -9`) loses nothing that a call returned for.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_base::WallMillis;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Read only; the file must exist.
    Read,
    /// Read and write; the file must exist.
    ReadWrite,
    /// Read and write; an absent file is created empty.
    Create,
    /// Read and write; the file must not exist.
    CreateNew,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// Name without its directory; names that are not UTF-8 are left out by [`Disk::read_dir`].
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// What a directory knows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// Length in bytes.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Last modification.
    pub modified: WallMillis,
}

/// Room on the file system of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Size of the file system in bytes.
    pub total: u64,
    /// Bytes that this process may still take.
    pub available: u64,
}

/// An advisory exclusive lock on a file, held until dropped (or until the process ends).
pub trait FileLock: Send + Sync + Debug {}

/// A file system.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// The operating system's; `NotFound` and `AlreadyExists` as [`OpenMode`] says.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Renames a file or directory, replacing a file of that name.
    ///
    /// # Errors
    /// The operating system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The operating system's.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory with all that is in it.
    ///
    /// # Errors
    /// The operating system's.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Creates a directory and its parents; an existing one is no error.
    ///
    /// # Errors
    /// The operating system's.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Lists a directory, sorted by name.
    ///
    /// # Errors
    /// The operating system's.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// Looks a path up.
    ///
    /// # Errors
    /// `NotFound` if nothing has that name, or the operating system's.
    fn stat(&self, path: &Path) -> io::Result<FileStat>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// The operating system's.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in several directories durable in one go, as [`Disk::sync_dir`] does for one. A
    /// directory that is not there (any more) is passed over.
    ///
    /// # Errors
    /// The first failure; then no name in any of them may be taken as durable.
    fn sync_dirs(&self, paths: &[PathBuf]) -> io::Result<()> {
        paths.iter().try_for_each(|path| match self.sync_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
    }

    /// Makes the bytes and lengths of several files durable in one go, by whichever means is cheapest
    /// (one `syncfs` for many, `fdatasync` for few).
    ///
    /// # Errors
    /// The first failure; then none of the files may be taken as durable.
    fn sync_files(&self, files: &[Arc<dyn DiskFile>]) -> io::Result<()>;

    /// Room on the file system of `path`.
    ///
    /// # Errors
    /// The operating system's.
    fn space(&self, path: &Path) -> io::Result<DiskSpace>;

    /// Takes the exclusive lock on `path`, creating the file if absent.
    ///
    /// # Errors
    /// `WouldBlock` if another process holds it, or the operating system's.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>>;
}

/// An open file. Reads and writes name their position, so one handle serves all threads.
pub trait DiskFile: Send + Sync + Debug {
    /// Length in bytes.
    ///
    /// # Errors
    /// The operating system's.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// As [`DiskFile::len`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads into `buf` from `offset`; returns the bytes read, 0 at the end of the file.
    ///
    /// # Errors
    /// The operating system's.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before, or the operating system's.
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            let read = self.read_at(buf, offset)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            offset += u64::try_from(read).expect("a length fits 64 bits");
            buf = buf.split_at_mut(read).1;
        }
        Ok(())
    }

    /// Writes all of `parts`, one after the other, at `offset`, by one system call where possible.
    ///
    /// # Errors
    /// The operating system's (`StorageFull` when the disk is full); then any prefix may have been
    /// written.
    fn write_all_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Cuts or extends (with zeros) the file to `len` bytes.
    ///
    /// # Errors
    /// The operating system's.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes bytes and length durable.
    ///
    /// # Errors
    /// The operating system's; then the bytes since the last good sync may be lost.
    fn sync(&self) -> io::Result<()>;

    /// The descriptor for `sendfile`, if the file is one of the operating system's.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;
}
