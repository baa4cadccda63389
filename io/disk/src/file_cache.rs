//! A bounded number of open files for an unbounded number of segments.
//!
//! A process has some 20,000 descriptors and may keep a million partitions, so a segment owns a
//! [`CachedFile`] - a path and perhaps an open file - and the cache closes the one that was not used
//! for the longest time (second chance) when it is full. A file that is being read or sent stays open
//! until its last user drops it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use ottla_env::{Disk, DiskFile, OpenMode};
use parking_lot::Mutex;

/// Opens files and closes the coldest.
#[derive(Debug)]
pub struct FileCache {
    disk: Arc<dyn Disk>,
    capacity: usize,
    /// Open files in the order in which they are looked at.
    ring: Mutex<VecDeque<Weak<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    file: Mutex<Option<Arc<dyn DiskFile>>>,
    used: AtomicBool,
}

/// A file that may be open. Costs its path, not a descriptor.
pub struct CachedFile {
    cache: Arc<FileCache>,
    path: PathBuf,
    slot: Arc<Slot>,
}

impl FileCache {
    /// A cache of at most `capacity` open files (at least one) on `disk`.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            disk,
            capacity: capacity.max(1),
            ring: Mutex::new(VecDeque::new()),
        })
    }

    /// A handle on `path`; nothing is opened.
    #[must_use]
    pub fn handle(self: &Arc<Self>, path: PathBuf) -> CachedFile {
        let slot = Arc::new(Slot {
            file: Mutex::new(None),
            used: AtomicBool::new(false),
        });
        CachedFile {
            cache: Arc::clone(self),
            path,
            slot,
        }
    }

    /// The disk below.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Number of files that the cache holds open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        let ring = self.ring.lock();
        let is_open = |slot: &Weak<Slot>| {
            slot.upgrade()
                .is_some_and(|slot| slot.file.lock().is_some())
        };
        ring.iter().filter(|slot| is_open(slot)).count()
    }

    /// Remembers an opened slot, and closes others while there are too many.
    fn admit(&self, slot: &Arc<Slot>) {
        let mut ring = self.ring.lock();
        ring.push_back(Arc::downgrade(slot));
        // Every turn either shortens the ring or takes away a mark, so two rounds are enough.
        let mut turns = ring.len() * 2;
        while ring.len() > self.capacity && turns > 0 {
            turns -= 1;
            let Some(coldest) = ring.pop_front() else {
                break;
            };
            let Some(candidate) = coldest.upgrade() else {
                continue;
            };
            if candidate.used.swap(false, Ordering::Relaxed) || Arc::ptr_eq(&candidate, slot) {
                ring.push_back(coldest);
            } else {
                *candidate.file.lock() = None;
            }
        }
    }
}

impl CachedFile {
    /// The file, opened as `mode` says if it is not open.
    ///
    /// # Errors
    /// As [`Disk::open`].
    pub fn get(&self, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        self.slot.used.store(true, Ordering::Relaxed);
        let file = {
            let mut open = self.slot.file.lock();
            if let Some(file) = &*open {
                return Ok(Arc::clone(file));
            }
            let file = self.cache.disk.open(&self.path, mode)?;
            *open = Some(Arc::clone(&file));
            file
        };
        self.cache.admit(&self.slot);
        Ok(file)
    }

    /// Closes the file once its last user drops it; the next [`Self::get`] opens it again.
    pub fn close(&self) {
        *self.slot.file.lock() = None;
    }

    /// The cache that it belongs to.
    #[must_use]
    pub fn cache(&self) -> &Arc<FileCache> {
        &self.cache
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that the file has another path now; an open file stays open, as the system keeps it.
    pub fn set_path(&mut self, path: PathBuf) {
        self.path = path;
    }
}

impl Drop for CachedFile {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for CachedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CachedFile").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsDisk;

    #[test]
    fn no_more_files_are_open_than_the_capacity() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let cache = FileCache::new(Arc::new(OsDisk), 3);
        let handle = |index: usize| cache.handle(folder.path().join(index.to_string()));
        let handles: Vec<_> = (0..10).map(handle).collect();
        for round in 0..3 {
            for handle in &handles {
                handle.get(OpenMode::Create).expect("a file");
                assert!(cache.open_count() <= 3, "round {round}");
            }
        }
    }

    #[test]
    fn used_file_gets_a_second_chance() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let cache = FileCache::new(Arc::new(OsDisk), 2);
        let handle = |name: &str| cache.handle(folder.path().join(name));
        let (hot, cold, new) = (handle("hot"), handle("cold"), handle("new"));
        hot.get(OpenMode::Create).expect("a file");
        cold.get(OpenMode::Create).expect("a file");
        new.get(OpenMode::Create).expect("a file");
        // All marks were taken away once; now only `hot` is used before the next newcomer.
        hot.get(OpenMode::Create).expect("a file");
        handle("newer").get(OpenMode::Create).expect("a file");
        assert!(hot.slot.file.lock().is_some());
    }

    #[test]
    fn closed_file_lives_as_long_as_its_users() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let cache = FileCache::new(Arc::new(OsDisk), 2);
        let handle = cache.handle(folder.path().join("a"));
        let file = handle.get(OpenMode::Create).expect("a file");
        handle.close();
        assert_eq!(cache.open_count(), 0);
        assert_eq!(file.len().expect("still open"), 0);
    }
}
