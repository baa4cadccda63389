//! The log directories of a node: which there are, which work, where a partition goes, how one is removed.
//!
//! One [`LogDirs`] per node, shared by all threads. Knows no partition: whoever owns one asks. The files of
//! one partition are `Log`'s; the thread that does things by the clock is in `background.rs`.
//!
//! A directory is online or offline (KIP-112, KIP-858): a fault of the disk takes it offline until the next
//! start, and the others go on.

mod close;
mod open;
mod sweep;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ottla_base::{BrokerEpoch, MonoTime, Offset, Uuid};
use ottla_env::{Clock, DiskSpace, FileLock};
use ottla_log::names::{self, PartitionDirKind};
use parking_lot::Mutex;
use thiserror::Error;

use crate::checkpoints::{Checkpoints, Entry};
use crate::env::StorageEnv;
use crate::error::StorageError;
use crate::log::Log;
use crate::removals::Removals;

pub use self::open::{Expect, OpenDirsError};
pub(crate) use self::sweep::Which;

/// Directory of the metadata log within the metadata directory.
pub(crate) const METADATA_LOG_DIR: &str = "__cluster_metadata-0";

/// How often a full disk is worth a line in the log.
const SAY_FULL_EVERY: Duration = Duration::from_secs(60);

/// A log directory by its place in `log.dirs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirIndex(pub u16);

/// No log directory works any more: the node has to stop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Shutdown broker because all log dirs in {0} have failed")]
pub struct AllDirsFailed(String);

/// One log directory.
#[derive(Debug)]
pub(crate) struct LogDir {
    pub(crate) path: PathBuf,
    /// `None` if its `meta.properties` could not be read.
    id: Option<Uuid>,
    online: AtomicBool,
    /// It was closed in order before this start.
    pub(crate) clean: bool,
    /// Partitions placed here.
    pub(crate) partitions: AtomicUsize,
    /// Something was flushed since the recovery points were written.
    flushed: AtomicBool,
    /// When a full disk is worth a line in the log again.
    say_full_from: Mutex<MonoTime>,
    pub(crate) checkpoints: Checkpoints,
    /// Held while the directory is in use.
    lock: Mutex<Option<Box<dyn FileLock>>>,
}

impl LogDir {
    pub(crate) fn is_online(&self) -> bool {
        self.online.load(Ordering::Relaxed)
    }

    /// Says that there is no room, from time to time while it is so.
    fn say_full(&self, clock: &dyn Clock, error: &StorageError) {
        let now = clock.mono();
        let mut next = self.say_full_from.lock();
        if now >= *next {
            *next = now.saturating_add(SAY_FULL_EVERY);
            tracing::error!(
                dir = %self.path.display(),
                %error,
                "the disk is full: appends are refused until there is room"
            );
        }
    }
}

type OfflineListener = Box<dyn Fn(DirIndex) + Send + Sync>;

/// All log directories of a node, locked.
pub struct LogDirs {
    env: Arc<StorageEnv>,
    dirs: Vec<LogDir>,
    /// Place of the metadata directory in `dirs`; past the end if it has one of its own.
    metadata_index: usize,
    metadata_own: Option<LogDir>,
    cluster_id: String,
    previous_epoch: Option<BrokerEpoch>,
    removals: Removals,
    on_offline: OnceLock<OfflineListener>,
}

impl std::fmt::Debug for LogDirs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogDirs")
            .field("dirs", &self.dirs)
            .field("cluster_id", &self.cluster_id)
            .finish_non_exhaustive()
    }
}

impl LogDirs {
    /// Locks the directories and reads what they say about themselves. Their clean-shutdown marks are gone
    /// when it returns.
    ///
    /// # Errors
    /// If one of them is not formatted, belongs elsewhere or is in use, or the metadata directory does not
    /// work. Another directory that does not work is offline.
    pub fn open(
        env: &Arc<StorageEnv>,
        paths: &[PathBuf],
        expect: &Expect,
    ) -> Result<Self, OpenDirsError> {
        open::open(env, paths, expect)
    }

    fn new(
        env: &Arc<StorageEnv>,
        dirs: Vec<LogDir>,
        metadata_index: usize,
        metadata_own: Option<LogDir>,
        cluster_id: String,
        previous_epoch: Option<BrokerEpoch>,
    ) -> Self {
        Self {
            env: Arc::clone(env),
            dirs,
            metadata_index,
            metadata_own,
            cluster_id,
            previous_epoch,
            removals: Removals::default(),
            on_offline: OnceLock::new(),
        }
    }

    pub(crate) fn env(&self) -> &Arc<StorageEnv> {
        &self.env
    }

    pub(crate) fn removals(&self) -> &Removals {
        &self.removals
    }

    fn dir(&self, dir: DirIndex) -> &LogDir {
        self.dirs
            .get(usize::from(dir.0))
            .expect("an index is made by these directories only")
    }

    /// The directories with their indexes.
    pub(crate) fn each(&self) -> impl Iterator<Item = (DirIndex, &LogDir)> {
        (0..).map(DirIndex).zip(&self.dirs)
    }

    /// Number of log directories, offline ones included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.dirs.len()
    }

    /// The cluster that the directories belong to.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    fn metadata(&self) -> &LogDir {
        self.metadata_own
            .as_ref()
            .or_else(|| self.dirs.get(self.metadata_index))
            .expect("one of the two is the metadata directory")
    }

    /// Directory in which `__cluster_metadata-0` is.
    #[must_use]
    pub fn metadata_dir(&self) -> &Path {
        &self.metadata().path
    }

    /// Id of the metadata directory (KIP-853).
    #[must_use]
    pub fn metadata_directory_id(&self) -> Uuid {
        self.metadata()
            .id
            .expect("a start without the metadata directory is refused")
    }

    /// Whether the metadata directory was closed in order before this start.
    #[must_use]
    pub fn metadata_dir_is_clean(&self) -> bool {
        self.metadata().clean
    }

    /// Ids of the log directories that work, sorted (KIP-858).
    #[must_use]
    pub fn directory_ids(&self) -> Vec<Uuid> {
        self.ids(true)
    }

    /// Ids of the log directories that failed, as far as they are known, sorted.
    #[must_use]
    pub fn offline_directory_ids(&self) -> Vec<Uuid> {
        self.ids(false)
    }

    fn ids(&self, online: bool) -> Vec<Uuid> {
        let those = self.dirs.iter().filter(|dir| dir.is_online() == online);
        let mut ids: Vec<Uuid> = those.filter_map(|dir| dir.id).collect();
        ids.sort_unstable();
        ids
    }

    /// Where a directory is.
    #[must_use]
    pub fn path(&self, dir: DirIndex) -> &Path {
        &self.dir(dir).path
    }

    /// How full the file system of a directory is.
    ///
    /// # Errors
    /// The operating system's.
    pub fn space(&self, dir: DirIndex) -> io::Result<DiskSpace> {
        self.env.disk.space(&self.dir(dir).path)
    }

    /// Id of a directory; `None` if it could not be read.
    #[must_use]
    pub fn directory_id(&self, dir: DirIndex) -> Option<Uuid> {
        self.dir(dir).id
    }

    /// Whether a directory works.
    #[must_use]
    pub fn is_online(&self, dir: DirIndex) -> bool {
        self.dir(dir).is_online()
    }

    /// Epoch of the broker's last registration, if all directories were closed in order then (KIP-966).
    #[must_use]
    pub fn previous_broker_epoch(&self) -> Option<BrokerEpoch> {
        self.previous_epoch
    }

    /// Chooses the directory of a new partition, the one with the fewest, and counts the partition there;
    /// `None` if no directory works.
    #[must_use]
    pub fn place(&self) -> Option<DirIndex> {
        let online = self.each().filter(|(_, dir)| dir.is_online());
        let (index, dir) = online.min_by_key(|(_, dir)| dir.partitions.load(Ordering::Relaxed))?;
        dir.partitions.fetch_add(1, Ordering::Relaxed);
        Some(index)
    }

    /// Counts a new partition in the directory with this id; `None` if there is none, or it does not work.
    #[must_use]
    pub fn place_in(&self, id: Uuid) -> Option<DirIndex> {
        let mut online = self.each().filter(|(_, dir)| dir.is_online());
        let (index, dir) = online.find(|(_, dir)| dir.id == Some(id))?;
        dir.partitions.fetch_add(1, Ordering::Relaxed);
        Some(index)
    }

    /// Whether a directory does not work: a log that is not found may be there.
    #[must_use]
    pub fn any_offline(&self) -> bool {
        !self.dirs.iter().all(LogDir::is_online)
    }

    /// Where a partition is in a directory.
    #[must_use]
    pub fn path_of(&self, dir: DirIndex, topic: &str, partition: i32) -> PathBuf {
        self.dir(dir)
            .path
            .join(names::partition_dir(topic, partition))
    }

    /// Makes raised log starts durable, with those of others by one write: only then may a DeleteRecords
    /// be answered (D8). Not to be called under the lock of a partition.
    ///
    /// # Errors
    /// The disk's.
    pub fn raise_log_starts(
        &self,
        dir: DirIndex,
        starts: &[(Arc<str>, i32, Offset)],
    ) -> Result<(), StorageError> {
        let entries = starts.iter().map(|(topic, partition, offset)| Entry {
            topic: Arc::clone(topic),
            partition: *partition,
            offset: *offset,
        });
        let log_starts = &self.dir(dir).checkpoints.log_starts;
        log_starts.raise(&*self.env.disk, entries)
    }

    /// Lowers recovery points to `points`; durable when it returns. For logs that are about to be cut, as
    /// [`Log::announce_cut`] says. Not to be called under the lock of a partition.
    ///
    /// # Errors
    /// The disk's.
    pub fn lower_recovery_points(
        &self,
        dir: DirIndex,
        points: &[(Arc<str>, i32, Offset)],
    ) -> Result<(), StorageError> {
        let recovery_points = &self.dir(dir).checkpoints.recovery_points;
        recovery_points.lower(&*self.env.disk, points)
    }

    /// Says that logs of a directory were flushed, so that their recovery points are written down soon.
    pub fn note_flushed(&self, dir: DirIndex) {
        let flushed = &self.dir(dir).flushed;
        // Read first: most rounds find it set, and leave the line to its readers.
        if !flushed.load(Ordering::Relaxed) {
            flushed.store(true, Ordering::Relaxed);
        }
    }

    /// Removes logs: their directories are renamed to `-delete` and removed after `file.delete.delay.ms`.
    /// When it returns, partitions of the same names may begin. Not to be called under the lock of a
    /// partition.
    pub fn remove(&self, logs: Vec<Log>) {
        let now = self.env.clock.mono();
        let mut gone: Vec<Vec<(Arc<str>, i32)>> = vec![Vec::new(); self.dirs.len()];
        for mut log in logs {
            let path = log.path().to_owned();
            let Some((dir, topic, partition)) = self.find(&path) else {
                tracing::error!(path = %path.display(), "a log outside of the log directories is left");
                continue;
            };
            let home = self.dir(dir);
            home.partitions.fetch_sub(1, Ordering::Relaxed);
            let name = names::transient_partition_dir(
                topic,
                partition,
                self.env.rng.uuid(),
                PartitionDirKind::Delete,
            );
            if let Some(gone) = gone.get_mut(usize::from(dir.0)) {
                gone.push((Arc::from(topic), partition));
            }
            if self.env.disk.stat(&path).is_err() {
                continue; // Nothing was ever appended.
            }
            let target = home.path.join(name);
            let renamed = log.rename_dir(target.clone()).and_then(|()| {
                // A log without segments may have a directory all the same.
                match self.env.disk.rename(&path, &target) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(StorageError::io("renaming a directory", &path, error))
                    }
                    _ => Ok(()),
                }
            });
            match renamed {
                Ok(()) => {
                    let delay_ms = log.config().file_delete_delay_ms;
                    self.removals.add(now, delay_ms, target);
                }
                Err(error) => drop(self.mark_offline(dir, &error)),
            }
        }
        for ((dir, home), gone) in self.each().zip(&gone) {
            if gone.is_empty() || !home.is_online() {
                continue;
            }
            if let Err(error) = home.checkpoints.forget(&*self.env.disk, gone) {
                self.mark_offline(dir, &error);
            }
        }
    }

    /// Directory, topic and partition of a log's path.
    fn find<'a>(&self, path: &'a Path) -> Option<(DirIndex, &'a str, i32)> {
        let parent = path.parent()?;
        let (dir, _) = self.each().find(|(_, dir)| dir.path == parent)?;
        let name = names::parse_partition_dir(path.file_name()?.to_str()?)?;
        Some((dir, name.topic, name.partition))
    }

    /// Calls `listener` whenever a directory goes offline, once for each. Only the first listener counts.
    pub fn set_offline_listener(&self, listener: impl Fn(DirIndex) + Send + Sync + 'static) {
        drop(self.on_offline.set(Box::new(listener)));
    }

    /// Why a node with these directories cannot go on, in Kafka's words; `None` while it can.
    #[must_use]
    pub fn must_stop(&self) -> Option<AllDirsFailed> {
        if self.dirs.iter().any(LogDir::is_online) {
            return None;
        }
        let paths = self.dirs.iter().map(|dir| dir.path.display().to_string());
        Some(AllDirsFailed(paths.collect::<Vec<_>>().join(", ")))
    }

    /// Takes a directory out of use after a fault. Returns whether that took it offline.
    ///
    /// Kafka differs: a full disk takes a directory offline only if another in-sync replica can take over, and
    /// with it the node if it has no other directory. Of the only copy, reads go on, so that consumers can drain it and
    /// retention or a deletion can make room; appends are refused with KAFKA_STORAGE_ERROR, which producers try
    /// again, until there is some.
    pub fn mark_offline(&self, dir: DirIndex, error: &StorageError) -> bool {
        match error {
            StorageError::Full { .. } => {
                self.dir(dir).say_full(&*self.env.clock, error);
                false
            }
            StorageError::Failed { .. } => false,
            StorageError::Io { .. } | StorageError::Corrupt { .. } => self.take_offline(dir, error),
        }
    }

    /// As [`Self::mark_offline`], whatever the error is.
    pub fn take_offline(&self, dir: DirIndex, error: &StorageError) -> bool {
        let home = self.dir(dir);
        let was_online = home.online.swap(false, Ordering::Relaxed);
        if was_online {
            tracing::error!(
                dir = %home.path.display(),
                error = open::describe(error),
                "a log directory failed and is offline until the next start"
            );
            if let Some(listener) = self.on_offline.get() {
                listener(dir);
            }
        }
        was_online
    }

    /// Whether something was flushed in a directory since its recovery points were written.
    pub(crate) fn any_flushed(&self) -> bool {
        let flushed = |dir: &LogDir| dir.flushed.load(Ordering::Relaxed) && dir.is_online();
        self.dirs.iter().any(flushed)
    }
}
