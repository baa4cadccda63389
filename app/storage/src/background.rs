//! The thread that looks after all partitions: retention, checkpoints, forgotten producers, delayed removal.
//!
//! What is done when is [`Schedule::run_due`], which takes the time; the thread around it only sleeps. What
//! a partition does with a call is its own.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ottla_base::{MonoTime, Offset, WallMillis};
use ottla_env::spawn_thread;
use parking_lot::{Condvar, Mutex};

use crate::dirs::{DirIndex, LogDirs, Which};
use crate::env::StorageEnv;
use crate::error::StorageError;
use crate::flusher::FlushWork;

/// Where a log stands, for the checkpoint files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOffsets {
    /// All below is on stable storage.
    pub recovery_point: Offset,
    /// First offset that can be read.
    pub log_start: Offset,
    /// Base offset of the first segment; a log start at or below needs no checkpoint.
    pub first_segment: Offset,
    /// All in-sync replicas have everything below.
    pub high_watermark: Offset,
}

/// Files that readers may still use, to be removed later.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Files that have the suffix `.deleted` already.
    pub files: Vec<PathBuf>,
    /// `file.delete.delay.ms` of the topic.
    pub delay_ms: i64,
}

/// A log that takes nothing more.
#[derive(Debug)]
pub struct Closed {
    /// Where it stands once `work` is done.
    pub offsets: LogOffsets,
    /// What is to be flushed.
    pub work: Option<FlushWork>,
}

/// A partition, as far as it is looked after.
pub trait Maintained: Send + Sync {
    /// The log directory it is in.
    fn dir(&self) -> DirIndex;
    /// Topic name.
    fn topic(&self) -> &Arc<str>;
    /// Partition index.
    fn partition(&self) -> i32;
    /// Where its log stands; `None` if it has none or the log failed.
    fn offsets(&self) -> Option<LogOffsets>;
    /// Lets go of what retention does not keep.
    ///
    /// # Errors
    /// The disk's; the directory is then taken offline.
    fn retain(&self, now: WallMillis) -> Result<Expired, StorageError>;
    /// Forgets producers that have not written for `producer.id.expiration.ms`.
    fn expire_producers(&self, now: WallMillis);
    /// Closes the log for good: the last step of a clean shutdown. Returns where it ends and what is to be
    /// flushed for that; `None` if there is no log any more.
    ///
    /// # Errors
    /// The disk's; the directory then gets no clean mark.
    fn close(&self) -> Result<Option<Closed>, StorageError>;
}

/// All partitions of a node.
pub trait AllMaintained: Send + Sync {
    /// Adds every partition that is there now.
    fn collect(&self, into: &mut Vec<Arc<dyn Maintained>>);
}

/// How often what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// `log.initial.task.delay.ms`.
    pub initial_delay_ms: i64,
    /// `log.retention.check.interval.ms`.
    pub retention_ms: i64,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_point_ms: i64,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub log_start_ms: i64,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_ms: i64,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_expiration_ms: i64,
}

/// The thread looks at least this often whether something is to be removed or written down; an idle look
/// takes two loads.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Recovery points are written down this long after a flush at the latest, so that a start after `kill -9`
/// has little to scan ...
const FLUSHED_EVERY: Duration = Duration::from_secs(1);
/// ... and this much later for each partition, since the file has a line for each.
const FLUSHED_PER_PARTITION: Duration = Duration::from_micros(100);
/// Shortest pause between two runs of one task, whatever the configuration says.
const PAUSE_MIN: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Retention,
    Checkpoint(Which),
    ProducerExpiration,
}

/// What is done when, without the thread that does it.
pub(crate) struct Schedule {
    dirs: Arc<LogDirs>,
    partitions: Arc<dyn AllMaintained>,
    /// Each task, its pause and when it is due.
    tasks: Vec<(Task, Duration, MonoTime)>,
    /// When recovery points may be written because of a flush.
    flushed_due: MonoTime,
    /// The partitions of one run; kept for its memory.
    all: Vec<Arc<dyn Maintained>>,
}

impl Schedule {
    pub(crate) fn new(
        dirs: &Arc<LogDirs>,
        partitions: Arc<dyn AllMaintained>,
        intervals: Intervals,
        now: MonoTime,
    ) -> Self {
        let duration = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let first = now.saturating_add(duration(intervals.initial_delay_ms));
        let task = |task, pause_ms| {
            let pause = duration(pause_ms).max(PAUSE_MIN);
            (task, pause, first)
        };
        let (recovery_points, log_starts, high_watermarks) = (
            Task::Checkpoint(Which::RecoveryPoints),
            Task::Checkpoint(Which::LogStarts),
            Task::Checkpoint(Which::HighWatermarks),
        );
        Self {
            dirs: Arc::clone(dirs),
            partitions,
            tasks: vec![
                task(Task::Retention, intervals.retention_ms),
                task(recovery_points, intervals.recovery_point_ms),
                task(log_starts, intervals.log_start_ms),
                task(high_watermarks, intervals.high_watermark_ms),
                task(Task::ProducerExpiration, intervals.producer_expiration_ms),
            ],
            flushed_due: now,
            all: Vec::new(),
        }
    }

    /// Does what is due at `now`; returns when to come again.
    pub(crate) fn run_due(&mut self, now: MonoTime, wall: WallMillis) -> MonoTime {
        for index in 0..self.tasks.len() {
            let Some((task, pause, due)) = self.tasks.get_mut(index) else {
                break;
            };
            if *due <= now {
                *due = now.saturating_add(*pause);
                let task = *task;
                self.run(task, now, wall);
            }
        }
        if self.flushed_due <= now && self.dirs.any_flushed() {
            self.run(Task::Checkpoint(Which::RecoveryPoints), now, wall);
        }
        self.dirs.removals().run_due(&*self.dirs.env().disk, now);
        let dues = self.tasks.iter().map(|(_, _, due)| *due);
        let next = dues
            .chain(self.dirs.removals().next_due())
            .min()
            .unwrap_or(MonoTime(u64::MAX));
        next.min(now.saturating_add(LOOK_EVERY))
    }

    fn run(&mut self, task: Task, now: MonoTime, wall: WallMillis) {
        self.partitions.collect(&mut self.all);
        match task {
            Task::Retention => self.retain(now, wall),
            Task::Checkpoint(which) => self.dirs.checkpoint(&self.all, which),
            Task::ProducerExpiration => {
                for partition in &self.all {
                    partition.expire_producers(wall);
                }
            }
        }
        if task == Task::Checkpoint(Which::RecoveryPoints) {
            let partitions = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
            let pause = FLUSHED_PER_PARTITION.saturating_mul(partitions);
            self.flushed_due = now.saturating_add(FLUSHED_EVERY.max(pause));
        }
        self.all.clear();
    }

    fn retain(&self, now: MonoTime, wall: WallMillis) {
        for partition in &self.all {
            if !self.dirs.is_online(partition.dir()) {
                continue;
            }
            match partition.retain(wall) {
                Ok(Expired { files, delay_ms }) => {
                    for file in files {
                        self.dirs.removals().add(now, delay_ms, file);
                    }
                }
                Err(error) => {
                    tracing::error!(
                        topic = &**partition.topic(),
                        partition = partition.partition(),
                        %error,
                        "retention failed"
                    );
                    self.dirs.mark_offline(partition.dir(), &error);
                }
            }
        }
    }
}

/// The thread.
pub struct Background {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}

impl Background {
    /// Starts it.
    ///
    /// # Errors
    /// The operating system's, if it has no more threads.
    pub fn start(
        env: &Arc<StorageEnv>,
        dirs: &Arc<LogDirs>,
        partitions: Arc<dyn AllMaintained>,
        intervals: Intervals,
    ) -> io::Result<Self> {
        let clock = Arc::clone(&env.clock);
        let mut schedule = Schedule::new(dirs, partitions, intervals, clock.mono());
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        let thread = spawn_thread("log-background", move || {
            let (stopped, wake) = &*stopped;
            loop {
                let next = schedule.run_due(clock.mono(), clock.wall());
                let pause = next.saturating_since(clock.mono());
                let mut stopped = stopped.lock();
                if !*stopped {
                    let _ = wake.wait_for(&mut stopped, pause);
                }
                if *stopped {
                    return;
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends it after what it is doing.
    pub fn stop(self) {
        let (stopped, wake) = &*self.stop;
        *stopped.lock() = true;
        wake.notify_one();
        // A panic there has stopped the process.
        drop(self.thread.join());
    }
}

#[cfg(test)]
mod tests;
