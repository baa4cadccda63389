//! Group commit (D11): whoever has bytes to make durable queues up, and one call to the disk serves all.
//!
//! Each log directory has a thread. A round takes everything that is queued, asks each for its files, makes
//! one [`Disk::sync_files`](ottla_env::Disk::sync_files) of all, flushes the directories with new names, and
//! tells each. While a round runs the next one fills, so that load makes rounds larger, not more. The thread
//! is woken only when it sleeps, and its buffers are kept from round to round.
//!
//! A failed flush fails the whole round: after it nothing is known about any of its bytes, and it is never
//! tried again (the system tells an error once).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ottla_base::{MonoTime, Offset};
use ottla_env::{DiskFile, spawn_thread};
use parking_lot::{Condvar, Mutex};

use crate::dirs::{DirIndex, LogDirs};
use crate::env::StorageEnv;
use crate::error::StorageError;
use crate::flush_batch::FlushBatch;

/// How long a flush waits that found the disk too full to begin.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// What has to be made durable so that all below `upto` is.
#[derive(Debug)]
pub struct FlushWork {
    /// Files with new bytes.
    pub files: Vec<Arc<dyn DiskFile>>,
    /// Directories with new names.
    pub dirs: Vec<PathBuf>,
    /// End of what is then durable.
    pub upto: Offset,
}

/// Something whose bytes are flushed together with those of others: a partition.
pub trait Flushable: Send + Sync {
    /// The log directory it is in: each has a flusher of its own.
    fn dir(&self) -> DirIndex;
    /// Takes what is to be flushed; `None` if nothing is.
    ///
    /// # Errors
    /// The disk's. If it is full it is asked again after a while; after any other it is told by
    /// [`Self::flush_failed`].
    fn flush_work(&self) -> Result<Option<FlushWork>, StorageError>;
    /// All below `upto` is on stable storage now.
    fn flush_done(&self, upto: Offset);
    /// The flush failed, or could not begin: nothing since the last good one may be acknowledged, ever.
    fn flush_failed(&self, error: &StorageError);
}

/// What waits for a round in one directory. Its length is bounded by the number of partitions: each queues
/// once.
#[derive(Default)]
struct Queue {
    now: Vec<Arc<dyn Flushable>>,
    /// Those that may wait, by their deadline and a number.
    later: BTreeMap<(MonoTime, u64), Arc<dyn Flushable>>,
    numbered: u64,
    /// The thread sleeps and has to be woken.
    sleeps: bool,
    stop: bool,
}

/// A round that is under way. Kept for its memory.
#[derive(Default)]
struct Round {
    items: Vec<Arc<dyn Flushable>>,
    /// Place in `items` and end of what is durable after the round.
    ends: Vec<(usize, Offset)>,
    batch: FlushBatch,
}

/// The flusher of one directory, without its thread.
pub(crate) struct DirFlusher {
    env: Arc<StorageEnv>,
    dirs: Arc<LogDirs>,
    dir: DirIndex,
    queue: Mutex<Queue>,
    wake: Condvar,
    round: Mutex<Round>,
}

impl DirFlusher {
    pub(crate) fn new(env: &Arc<StorageEnv>, dirs: &Arc<LogDirs>, dir: DirIndex) -> Self {
        Self {
            env: Arc::clone(env),
            dirs: Arc::clone(dirs),
            dir,
            queue: Mutex::default(),
            wake: Condvar::new(),
            round: Mutex::default(),
        }
    }

    pub(crate) fn submit(&self, item: Arc<dyn Flushable>) {
        let mut queue = self.queue.lock();
        queue.now.push(item);
        self.wake(&mut queue);
    }

    pub(crate) fn submit_by(&self, item: Arc<dyn Flushable>, deadline: MonoTime) {
        let mut queue = self.queue.lock();
        queue.numbered += 1;
        let key = (deadline, queue.numbered);
        queue.later.insert(key, item);
        // The thread may sleep for longer than that.
        if queue
            .later
            .first_key_value()
            .is_some_and(|(first, _)| *first == key)
        {
            self.wake(&mut queue);
        }
    }

    fn wake(&self, queue: &mut Queue) {
        if queue.sleeps {
            queue.sleeps = false;
            self.wake.notify_one();
        }
    }

    /// Flushes what is queued now and what is due; returns whether there was anything.
    pub(crate) fn run_due(&self, now: MonoTime) -> bool {
        let mut round = self.round.lock();
        {
            let mut queue = self.queue.lock();
            std::mem::swap(&mut queue.now, &mut round.items);
            while let Some(first) = queue.later.first_entry() {
                if first.key().0 > now && !queue.stop {
                    break;
                }
                round
                    .items
                    .push(queue.later.pop_first().expect("it was the first").1);
            }
        }
        if round.items.is_empty() {
            return false;
        }
        self.flush(&mut round);
        true
    }

    fn flush(&self, round: &mut Round) {
        let Round { items, ends, batch } = round;
        for (index, item) in items.iter().enumerate() {
            match item.flush_work() {
                Ok(Some(work)) => ends.push((index, batch.add(work))),
                Ok(None) => {}
                Err(error) if error.is_full() => self.put_off(Arc::clone(item), &error),
                Err(error) => self.failed(&**item, &error),
            }
        }
        if !ends.is_empty() {
            let path = self.dirs.path(self.dir);
            let done = batch
                .flush(&*self.env.disk)
                .map_err(|error| StorageError::io("flushing", path, error).into_fault());
            for (item, upto) in ends
                .iter()
                .filter_map(|(index, upto)| Some((items.get(*index)?, *upto)))
            {
                match &done {
                    Ok(()) => item.flush_done(upto),
                    Err(error) => self.failed(&**item, error),
                }
            }
            if done.is_ok() {
                self.dirs.note_flushed(self.dir);
            }
        }
        items.clear();
        ends.clear();
    }

    fn failed(&self, item: &dyn Flushable, error: &StorageError) {
        item.flush_failed(error);
        self.dirs.mark_offline(self.dir, error);
    }

    /// Comes back to `item`, whose flush finds no room to begin; those who wait for it go on waiting.
    fn put_off(&self, item: Arc<dyn Flushable>, error: &StorageError) {
        self.dirs.mark_offline(self.dir, error);
        if !self.queue.lock().stop {
            self.submit_by(item, self.env.clock.mono().saturating_add(FULL_PAUSE));
        }
    }

    /// Sleeps until something is queued or due; `false` when there is nothing more to do.
    fn wait(&self) -> bool {
        let mut queue = self.queue.lock();
        loop {
            if !queue.now.is_empty() {
                return true;
            }
            let Some((deadline, _)) = queue.later.first_key_value().map(|(key, _)| *key) else {
                if queue.stop {
                    return false;
                }
                queue.sleeps = true;
                self.wake.wait(&mut queue);
                queue.sleeps = false;
                continue;
            };
            let now = self.env.clock.mono();
            if deadline <= now || queue.stop {
                return true;
            }
            queue.sleeps = true;
            let _ = self
                .wake
                .wait_for(&mut queue, deadline.saturating_since(now));
            queue.sleeps = false;
        }
    }

    fn stop(&self) {
        let mut queue = self.queue.lock();
        queue.stop = true;
        self.wake(&mut queue);
    }
}

/// Flushes what partitions submit, many by one call to the disk.
pub struct Flusher {
    flushers: Vec<Arc<DirFlusher>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Flusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flusher")
            .field("dirs", &self.flushers.len())
            .finish_non_exhaustive()
    }
}

impl Flusher {
    /// Starts a thread for each log directory.
    ///
    /// # Errors
    /// The operating system's, if it has no more threads.
    pub fn start(env: &Arc<StorageEnv>, dirs: &Arc<LogDirs>) -> io::Result<Self> {
        let flushers: Vec<Arc<DirFlusher>> = dirs
            .each()
            .map(|(dir, _)| Arc::new(DirFlusher::new(env, dirs, dir)))
            .collect();
        let flusher = Self {
            flushers,
            threads: Mutex::default(),
        };
        for one in &flusher.flushers {
            let this = Arc::clone(one);
            let name = format!("flusher-{}", one.dir.0);
            let thread = spawn_thread(&name, move || {
                while this.wait() {
                    this.run_due(this.env.clock.mono());
                }
            });
            match thread {
                Ok(thread) => flusher.threads.lock().push(thread),
                Err(error) => {
                    flusher.stop();
                    return Err(error);
                }
            }
        }
        Ok(flusher)
    }

    /// Flushes `item` with the next round. Whoever submits keeps track of what is queued already.
    pub fn submit(&self, item: Arc<dyn Flushable>) {
        self.of(item.dir()).submit(item);
    }

    /// Flushes `item` at `deadline` at the latest (`flush.ms`).
    pub fn submit_by(&self, item: Arc<dyn Flushable>, deadline: MonoTime) {
        self.of(item.dir()).submit_by(item, deadline);
    }

    fn of(&self, dir: DirIndex) -> &DirFlusher {
        self.flushers
            .get(usize::from(dir.0))
            .expect("there is a flusher for each directory")
    }

    /// Flushes what is queued and ends the threads. What is submitted later is not flushed.
    pub fn stop(&self) {
        for flusher in &self.flushers {
            flusher.stop();
        }
        for thread in std::mem::take(&mut *self.threads.lock()) {
            // A panic there has stopped the process.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
