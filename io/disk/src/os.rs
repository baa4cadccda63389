//! The operating system's files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use ottla_base::WallMillis;
use ottla_env::{DirEntry, Disk, DiskFile, DiskSpace, FileLock, FileStat, OpenMode};
use rustix::fs::FlockOperation;

/// Dirty files above which one `syncfs` is cheaper than a `fdatasync` each: 100 files take 2.8 ms
/// against 27 ms, a handful are faster one by one.
const SYNC_ALL_ABOVE: usize = 8;

/// The operating system's file systems.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

#[derive(Debug)]
struct OsFile(File);

#[derive(Debug)]
struct OsLock {
    /// Closing it gives the lock back.
    _file: File,
}

impl FileLock for OsLock {}

impl Disk for OsDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::ReadWrite => options.write(true),
            OpenMode::Create => options.write(true).create(true).truncate(false),
            OpenMode::CreateNew => options.write(true).create_new(true),
        };
        Ok(Arc::new(OsFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(DirEntry {
                    name,
                    is_dir: entry.file_type()?.is_dir(),
                });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        let metadata = fs::metadata(path)?;
        let since = metadata
            .modified()?
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(FileStat {
            len: metadata.len(),
            is_dir: metadata.is_dir(),
            modified: WallMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_dirs(&self, paths: &[PathBuf]) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        let mut synced = None;
        for path in paths {
            let directory = match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            #[cfg(target_os = "linux")]
            if paths.len() > SYNC_ALL_ABOVE {
                // One call for all that follow on the same file system.
                let system = Some(rustix::fs::fstat(&directory)?.st_dev);
                if synced != system {
                    rustix::fs::syncfs(&directory)?;
                    synced = system;
                }
                continue;
            }
            directory.sync_all()?;
        }
        Ok(())
    }

    fn sync_files(&self, files: &[Arc<dyn DiskFile>]) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if files.len() > SYNC_ALL_ABOVE
            && let Some(fd) = one_file_system(files)
        {
            return Ok(rustix::fs::syncfs(fd)?);
        }
        files.iter().try_for_each(|file| file.sync())
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(DiskSpace {
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
            available: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // Java locks by `fcntl`, which does not see `flock`; each is needed, since `fcntl` lets one process
        // lock twice. On other systems the two see each other, and one is enough.
        #[cfg(target_os = "linux")]
        rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).map_err(
            |error| match error {
                rustix::io::Errno::ACCESS => io::ErrorKind::WouldBlock.into(),
                other => io::Error::from(other),
            },
        )?;
        Ok(Box::new(OsLock { _file: file }))
    }
}

/// A descriptor of the file system that all files are on; `None` if they are on several.
///
/// Kernels before 5.8 do not report write errors by `syncfs`; those since do, once for each opened
/// file that calls it.
#[cfg(target_os = "linux")]
fn one_file_system(files: &[Arc<dyn DiskFile>]) -> Option<BorrowedFd<'_>> {
    let mut fds = files.iter().map(|file| file.as_fd());
    let first = fds.next()??;
    let device = rustix::fs::fstat(first).ok()?.st_dev;
    let same = |fd: Option<BorrowedFd<'_>>| {
        fd.and_then(|fd| rustix::fs::fstat(fd).ok())
            .is_some_and(|stat| stat.st_dev == device)
    };
    fds.all(same).then_some(first)
}

impl DiskFile for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match self.0.read_at(buf, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn write_all_at(&self, parts: &[IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut written = loop {
            match rustix::io::pwritev(&self.0, parts, offset) {
                Ok(written) => break written,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        if written == total {
            return Ok(());
        }
        // Cut short by a signal or a full disk: write on piece by piece, which tells which.
        for part in parts {
            let skip = written.min(part.len());
            written -= skip;
            let rest = part.get(skip..).unwrap_or_default();
            offset += u64::try_from(skip).expect("a length fits 64 bits");
            self.0.write_all_at(rest, offset)?;
            offset += u64::try_from(rest.len()).expect("a length fits 64 bits");
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    #[test]
    fn parts_are_written_one_after_the_other() {
        let folder = folder();
        let path = folder.path().join("a");
        let file = OsDisk.open(&path, OpenMode::CreateNew).expect("new");
        let parts = [
            IoSlice::new(b"one"),
            IoSlice::new(b""),
            IoSlice::new(b"two"),
        ];
        file.write_all_at(&parts, 2).expect("room");
        let mut read = [9; 8];
        file.read_exact_at(&mut read, 0).expect("eight bytes");
        assert_eq!(&read, b"\0\0onetwo");
        let error = file.read_exact_at(&mut read, 1).expect_err("seven bytes");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn many_files_are_synced_at_once() {
        let folder = folder();
        let open = |index: usize| {
            OsDisk
                .open(&folder.path().join(index.to_string()), OpenMode::Create)
                .expect("new")
        };
        let files: Vec<_> = (0..=SYNC_ALL_ABOVE).map(open).collect();
        OsDisk.sync_files(&files).expect("a disk");
        assert_eq!(
            OsDisk.read_dir(folder.path()).expect("a directory").len(),
            SYNC_ALL_ABOVE + 1
        );
    }

    #[test]
    fn lock_is_exclusive_until_dropped() {
        let folder = folder();
        let path = folder.path().join(".lock");
        let held = OsDisk.lock(&path).expect("free");
        let error = OsDisk.lock(&path).expect_err("held");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        OsDisk.lock(&path).expect("free again");
    }

    #[test]
    fn open_modes_are_what_they_say() {
        let folder = folder();
        let path = folder.path().join("a");
        let kind = |mode| {
            OsDisk
                .open(&path, mode)
                .map(|_| ())
                .map_err(|error| error.kind())
        };
        assert_eq!(kind(OpenMode::Read), Err(io::ErrorKind::NotFound));
        assert_eq!(kind(OpenMode::ReadWrite), Err(io::ErrorKind::NotFound));
        assert_eq!(kind(OpenMode::CreateNew), Ok(()));
        assert_eq!(kind(OpenMode::CreateNew), Err(io::ErrorKind::AlreadyExists));
        assert_eq!(kind(OpenMode::Create), Ok(()));
    }
}
