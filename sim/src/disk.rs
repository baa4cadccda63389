//! A file system in memory that forgets what was not made durable.
//!
//! Bytes, lengths and names each live twice: as a running process sees them, and as they are on stable
//! storage. A power cut keeps the stable state and any part of what came after: each sector of 512 bytes
//! written since the last flush may be there or not, a length may have grown or not, a name that was
//! created, renamed or removed since its directory was flushed may have changed or not. A killed process
//! loses nothing.
//!
//! Operations are counted, so that a test can stop the world after each of them in turn.

mod file;
mod operations;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

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

#[cfg(test)]
mod tests;
