//! A file system in memory that forgets what was not made durable.
//!
//! Bytes, lengths and names each live twice: as a running process sees them, and as they are on stable
//! storage. A power cut keeps the stable state and any part of what came after: each sector of 512 bytes
//! written since the last flush may be there or not, a length may have grown or not, a name that was
//! created, renamed or removed since its directory was flushed may have changed or not. A killed process
//! loses nothing.
//!
//! Operations are counted, so that a test can stop the world after each of them in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use ottla_base::WallMillis;
use ottla_env::{DirEntry, Disk, DiskFile, DiskSpace, FileLock, FileStat, OpenMode};

use crate::clock::SimRng;

/// Bytes that reach stable storage together or not at all.
const SECTOR: usize = 512;

/// What goes wrong at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails with this kind of error and changes nothing; a flush that fails also makes
    /// the bytes since the last good one unreliable for ever, as on Linux.
    Fail(io::ErrorKind),
    /// The world stops: this and every later operation fails until [`SimDisk::crash`] or [`SimDisk::kill`].
    Stop,
}

/// The disk. Clones share it.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<World>>);

type FileId = u64;

#[derive(Debug, Default)]
struct World {
    files: BTreeMap<FileId, Inode>,
    next_id: FileId,
    /// Names as a process sees them.
    names: BTreeMap<PathBuf, FileId>,
    /// Names on stable storage.
    stable_names: BTreeMap<PathBuf, FileId>,
    directories: BTreeSet<PathBuf>,
    locked: BTreeSet<PathBuf>,
    capacity: Option<u64>,
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    stopped: bool,
    /// Handles of an earlier life do not work any more.
    life: u64,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    bytes: Vec<u8>,
    stable: Vec<u8>,
    /// Sectors written since the last flush.
    dirty: BTreeSet<usize>,
    /// Sectors that a failed flush left unwritten; only writing them anew makes them dirty again.
    unwritten: BTreeSet<usize>,
}

impl Inode {
    fn flush(&mut self) {
        let old = std::mem::replace(&mut self.stable, self.bytes.clone());
        self.dirty.clear();
        for sector in &self.unwritten {
            let begin = sector * SECTOR;
            let end = (begin + SECTOR).min(self.stable.len());
            for at in begin..end {
                self.stable[at] = old.get(at).copied().unwrap_or(0);
            }
        }
    }

    /// The system marks the pages clean although they were not written (errors of `fsync` are told
    /// once): a later flush that succeeds says nothing about them.
    fn fail_flush(&mut self) {
        self.unwritten.append(&mut self.dirty);
    }

    /// Keeps the stable state and a random part of what came after.
    fn tear(&mut self, random: &SimRng) {
        let mut after = self.stable.clone();
        let mut length = self.stable.len();
        if self.bytes.len() != self.stable.len() && random.below(2) == 0 {
            // The new length, or any between: appended sectors arrive one by one.
            let (low, high) = (length.min(self.bytes.len()), length.max(self.bytes.len()));
            let span = u64::try_from(high - low).expect("small");
            length = match random.below(3) {
                0 => self.bytes.len(),
                _ => low + usize::try_from(random.below(span + 1)).expect("small"),
            };
        }
        after.resize(length, 0);
        for sector in &self.dirty {
            if random.below(2) == 0 {
                continue;
            }
            let begin = sector * SECTOR;
            let end = (begin + SECTOR).min(length).min(self.bytes.len());
            if begin < end {
                after[begin..end].copy_from_slice(&self.bytes[begin..end]);
            }
        }
        *self = Self {
            bytes: after.clone(),
            stable: after,
            ..Self::default()
        };
    }
}

fn stopped() -> io::Error {
    io::Error::other("the simulated world has stopped")
}

impl Default for SimDisk {
    fn default() -> Self {
        let mut world = World::default();
        world.directories.insert(PathBuf::from("/"));
        Self(Arc::new(Mutex::new(world)))
    }
}

impl SimDisk {
    /// An empty disk without limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// Number of operations so far that may fail.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.world().operations
    }

    /// Plans a fault for operation number `at`, counted from 0 as [`Self::operations`] does.
    pub fn plan(&self, at: u64, fault: Fault) {
        self.world().faults.insert(at, fault);
    }

    /// Sets the room for the bytes of all files.
    pub fn set_capacity(&self, bytes: u64) {
        self.world().capacity = Some(bytes);
    }

    /// The process is killed: what it wrote is there, its handles and locks are gone.
    pub fn kill(&self) {
        let mut world = self.world();
        world.restart();
    }

    /// The power is cut: of what was not flushed, a random part is there.
    pub fn crash(&self, seed: u64) {
        let random = SimRng::new(seed);
        let mut world = self.world();
        for file in world.files.values_mut() {
            file.tear(&random);
        }
        // Names that changed since their directory was flushed: each change arrived or did not.
        let paths: BTreeSet<PathBuf> = world
            .names
            .keys()
            .chain(world.stable_names.keys())
            .cloned()
            .collect();
        for path in paths {
            let (now, stable) = (
                world.names.get(&path).copied(),
                world.stable_names.get(&path).copied(),
            );
            let kept = if now != stable && random.below(2) == 0 {
                now
            } else {
                stable
            };
            match kept {
                Some(id) => world.names.insert(path, id),
                None => world.names.remove(&path),
            };
        }
        world.stable_names = world.names.clone();
        world.restart();
    }

    /// Flips a bit of a file, on stable storage too.
    ///
    /// # Errors
    /// `NotFound` if there is no such file or byte.
    pub fn rot(&self, path: &Path, offset: usize, mask: u8) -> io::Result<()> {
        let mut world = self.world();
        let id = world
            .names
            .get(path)
            .copied()
            .ok_or(io::ErrorKind::NotFound)?;
        let file = world.files.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        *file.bytes.get_mut(offset).ok_or(io::ErrorKind::NotFound)? ^= mask;
        if let Some(byte) = file.stable.get_mut(offset) {
            *byte ^= mask;
        }
        Ok(())
    }
}

impl World {
    fn restart(&mut self) {
        let names: BTreeSet<FileId> = self
            .names
            .values()
            .chain(self.stable_names.values())
            .copied()
            .collect();
        self.files.retain(|id, _| names.contains(id));
        self.locked.clear();
        self.faults.clear();
        self.stopped = false;
        self.life += 1;
    }

    /// Counts an operation; an error if it is to fail.
    fn operate(&mut self) -> io::Result<()> {
        if self.stopped {
            return Err(stopped());
        }
        let at = self.operations;
        self.operations += 1;
        match self.faults.remove(&at) {
            None => Ok(()),
            Some(Fault::Fail(kind)) => Err(kind.into()),
            Some(Fault::Stop) => {
                self.stopped = true;
                Err(stopped())
            }
        }
    }

    fn look(&self) -> io::Result<()> {
        if self.stopped { Err(stopped()) } else { Ok(()) }
    }

    fn used(&self) -> u64 {
        self.files
            .values()
            .map(|file| u64::try_from(file.bytes.len()).expect("small"))
            .sum()
    }

    fn grow(&self, by: usize) -> io::Result<()> {
        let by = u64::try_from(by).expect("small");
        match self.capacity {
            Some(capacity) if by > 0 && self.used() + by > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.look()?;
        let id = match (world.names.get(path).copied(), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(id), _) => id,
            (None, OpenMode::Read | OpenMode::ReadWrite) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                world.operate()?;
                let folder = path.parent().unwrap_or_else(|| Path::new("/"));
                if !world.directories.contains(folder) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                let id = world.next_id;
                world.next_id += 1;
                world.files.insert(id, Inode::default());
                world.names.insert(path.to_owned(), id);
                id
            }
        };
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            id,
            life: world.life,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        if let Some(id) = world.names.remove(from) {
            world.names.insert(to.to_owned(), id);
            return Ok(());
        }
        if !world.directories.remove(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Directories are renamed at once on stable storage: the tests that need more know their names.
        world.directories.insert(to.to_owned());
        let moved = |path: &Path| path.strip_prefix(from).ok().map(|rest| to.join(rest));
        let rename = |names: &BTreeMap<PathBuf, FileId>| {
            names
                .iter()
                .map(|(path, id)| (moved(path).unwrap_or_else(|| path.clone()), *id))
                .collect()
        };
        world.names = rename(&world.names);
        world.stable_names = rename(&world.stable_names);
        let directories = world.directories.iter();
        world.directories = directories
            .map(|path| moved(path).unwrap_or_else(|| path.clone()))
            .collect();
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        world
            .names
            .remove(path)
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        if !world.directories.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.directories.retain(|one| !one.starts_with(path));
        world.names.retain(|one, _| !one.starts_with(path));
        world.stable_names.retain(|one, _| !one.starts_with(path));
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        world
            .directories
            .extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let world = self.world();
        world.look()?;
        if !world.directories.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entry = |one: &Path, is_dir| {
            let name = one.file_name().filter(|_| one.parent() == Some(path))?;
            Some(DirEntry {
                name: name.to_str()?.to_owned(),
                is_dir,
            })
        };
        let files = world.names.keys().filter_map(|one| entry(one, false));
        let directories = world.directories.iter().filter_map(|one| entry(one, true));
        let mut entries: Vec<_> = files.chain(directories).collect();
        entries.sort();
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        let world = self.world();
        world.look()?;
        let is_dir = world.directories.contains(path);
        let len = match world.names.get(path).and_then(|id| world.files.get(id)) {
            Some(file) => u64::try_from(file.bytes.len()).expect("small"),
            None if is_dir => 0,
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(FileStat {
            len,
            is_dir,
            modified: WallMillis(0),
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        let inside = |one: &Path| one.parent() == Some(path);
        world.stable_names.retain(|one, _| !inside(one));
        let now: Vec<_> = world
            .names
            .iter()
            .filter(|(one, _)| inside(one))
            .map(|(one, id)| (one.clone(), *id))
            .collect();
        world.stable_names.extend(now);
        Ok(())
    }

    fn sync_files(&self, files: &[Arc<dyn DiskFile>]) -> io::Result<()> {
        files.iter().try_for_each(|file| file.sync())
    }

    fn space(&self, _path: &Path) -> io::Result<DiskSpace> {
        let world = self.world();
        let total = world.capacity.unwrap_or(1 << 40);
        Ok(DiskSpace {
            total,
            available: total.saturating_sub(world.used()),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        drop(self.open(path, OpenMode::Create)?);
        let mut world = self.world();
        if !world.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock {
            world: Arc::downgrade(&self.0),
            path: path.to_owned(),
        }))
    }
}

#[derive(Debug)]
struct SimLock {
    world: Weak<Mutex<World>>,
    path: PathBuf,
}

impl FileLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        if let Some(world) = self.world.upgrade() {
            world
                .lock()
                .expect("nobody panics while holding it")
                .locked
                .remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    id: FileId,
    life: u64,
}

impl SimFile {
    fn with<T>(
        &self,
        counts: bool,
        body: impl FnOnce(&mut World, FileId) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut world = self.disk.world();
        if world.life != self.life {
            return Err(stopped());
        }
        if counts {
            world.operate()?;
        } else {
            world.look()?;
        }
        body(&mut world, self.id)
    }
}

fn inode(world: &mut World, id: FileId) -> io::Result<&mut Inode> {
    world
        .files
        .get_mut(&id)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.with(false, |world, id| {
            Ok(u64::try_from(inode(world, id)?.bytes.len()).expect("small"))
        })
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(false, |world, id| {
            let bytes = &inode(world, id)?.bytes;
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = bytes.get(offset..).unwrap_or_default();
            let len = rest.len().min(buf.len());
            buf[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        })
    }

    fn write_all_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.with(true, |world, id| {
            let mut at = usize::try_from(offset).expect("small");
            for part in parts {
                let old = inode(world, id)?.bytes.len();
                let end = at + part.len();
                world.grow(end.saturating_sub(old))?;
                let file = inode(world, id)?;
                file.bytes.resize(old.max(end), 0);
                file.bytes[at..end].copy_from_slice(part);
                if at < end {
                    let sectors = at / SECTOR..=(end - 1) / SECTOR;
                    file.unwritten.retain(|sector| !sectors.contains(sector));
                    file.dirty.extend(sectors);
                }
                at = end;
            }
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(true, |world, id| {
            let len = usize::try_from(len).expect("small");
            let old = inode(world, id)?.bytes.len();
            world.grow(len.saturating_sub(old))?;
            inode(world, id)?.bytes.resize(len, 0);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.with(true, |world, id| {
            inode(world, id)?.flush();
            Ok(())
        });
        if synced.is_err() {
            let mut world = self.disk.world();
            if let Some(file) = world.files.get_mut(&self.id) {
                file.fail_flush();
            }
        }
        synced
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/data/log";

    fn disk() -> (SimDisk, Arc<dyn DiskFile>) {
        let disk = SimDisk::new();
        disk.create_dir_all(Path::new("/data")).expect("room");
        let file = disk.open(Path::new(FILE), OpenMode::Create).expect("room");
        disk.sync_dir(Path::new("/data")).expect("works");
        (disk, file)
    }

    fn write(file: &Arc<dyn DiskFile>, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(&[IoSlice::new(bytes)], offset)
    }

    fn content(disk: &SimDisk) -> io::Result<Vec<u8>> {
        let file = disk.open(Path::new(FILE), OpenMode::Read)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).expect("small")];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    #[test]
    fn flushed_bytes_survive_and_unflushed_ones_may_not() {
        let mut outcomes = BTreeSet::new();
        for seed in 0..50 {
            let (disk, file) = disk();
            write(&file, &[1; 600], 0).expect("room");
            file.sync().expect("works");
            write(&file, &[2; 2000], 600).expect("room");
            disk.crash(seed);
            let bytes = content(&disk).expect("its name was flushed");
            assert_eq!(bytes[..600], [1; 600], "seed {seed}");
            outcomes.insert((bytes.len(), bytes.contains(&2)));
        }
        assert!(outcomes.contains(&(600, false)), "sometimes all is lost");
        assert!(
            outcomes.iter().any(|(_, there)| *there),
            "sometimes something is there"
        );
    }

    #[test]
    fn killed_process_loses_nothing_but_its_handles() {
        let (disk, file) = disk();
        write(&file, b"abc", 0).expect("room");
        let lock = disk.lock(Path::new("/data/.lock")).expect("free");
        disk.kill();
        assert_eq!(content(&disk).expect("there"), b"abc");
        assert!(write(&file, b"x", 0).is_err());
        assert!(disk.lock(Path::new("/data/.lock")).is_ok());
        drop(lock);
    }

    #[test]
    fn unflushed_names_may_vanish() {
        let survives = |seed| {
            let disk = SimDisk::new();
            disk.create_dir_all(Path::new("/data")).expect("room");
            let file = disk.open(Path::new(FILE), OpenMode::Create).expect("room");
            file.sync().expect("works");
            disk.crash(seed);
            content(&disk).is_ok()
        };
        let alive = (0..50).filter(|seed| survives(*seed)).count();
        assert!((1..50).contains(&alive), "{alive} of 50");
    }

    #[test]
    fn faults_come_when_planned() {
        let (disk, file) = disk();
        let now = disk.operations();
        disk.plan(now, Fault::Fail(io::ErrorKind::StorageFull));
        disk.plan(now + 2, Fault::Stop);
        assert_eq!(
            write(&file, b"a", 0).expect_err("planned").kind(),
            io::ErrorKind::StorageFull
        );
        write(&file, b"b", 0).expect("not planned");
        assert!(file.sync().is_err());
        assert!(file.len().is_err(), "the world has stopped");
        disk.kill();
        assert_eq!(content(&disk).expect("there"), b"b");
    }

    #[test]
    fn full_disk_takes_what_fits() {
        let (disk, file) = disk();
        disk.set_capacity(10);
        write(&file, &[1; 10], 0).expect("fits");
        assert_eq!(
            write(&file, &[1; 1], 10).expect_err("full").kind(),
            io::ErrorKind::StorageFull
        );
        assert_eq!(disk.space(Path::new("/")).expect("works").available, 0);
    }

    #[test]
    fn failed_flush_is_not_made_good_by_the_next() {
        let lost = (0..50).any(|seed| {
            let (disk, file) = disk();
            write(&file, &[7; 100], 0).expect("room");
            disk.plan(disk.operations(), Fault::Fail(io::ErrorKind::Other));
            assert!(file.sync().is_err());
            file.sync()
                .expect("the second one says nothing of the first's bytes");
            disk.crash(seed);
            content(&disk).expect("there") != [7; 100]
        });
        assert!(lost, "what a failed flush left behind is not on the disk");
    }
}
