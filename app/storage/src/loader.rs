//! Finds and opens the logs of all partitions at start, in parallel.
//!
//! Which logs belong to the node the caller knows; what they hold, `Log` does. Here directories are sorted
//! out: partitions, leftovers of removals, strays, and what does not belong.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ottla_base::{MonoTime, Offset, TopicId};
use ottla_disk::read_small;
use ottla_env::run_threads;
use ottla_log::names::{self, PartitionDirKind};
use ottla_log::{LogConfig, checkpoint_file};
use thiserror::Error;

use crate::checkpoints::OffsetFile;
use crate::dirs::{DirIndex, LogDir, LogDirs, METADATA_LOG_DIR};
use crate::error::StorageError;
use crate::flush_batch::FlushBatch;
use crate::log::{Log, OpenHints, Opened};

/// Longest `partition.metadata` that is read; a written one has 43 bytes.
const PARTITION_METADATA_MAX_BYTES: u64 = 4096;
/// Directory that Kafka keeps for tiered storage.
const REMOTE_INDEX_CACHE: &str = "remote-log-index-cache";
/// Logs that one thread flushes by one call.
const BATCH_LOGS: usize = 128;
/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Whether a log that was found belongs to this node.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// It does.
    Keep {
        /// How it is to be kept.
        config: Arc<LogConfig>,
        /// Whether what recovery finds in it is flushed before it is handed out. Without this it is flushed
        /// with what the log flushes next.
        flush: bool,
    },
    /// It does not: another topic had the name, or the partition was moved away. It is renamed to `-stray`
    /// and kept for the operator.
    Stray,
}

/// A log that was opened.
#[derive(Debug)]
pub struct Loaded {
    /// The directory it is in.
    pub dir: DirIndex,
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition index.
    pub partition: i32,
    /// The topic id in its directory, which was compared.
    pub topic_id: Option<TopicId>,
    /// The log.
    pub log: Log,
    /// What opening it took.
    pub opened: Opened,
    /// The high watermark that was written down last; zero if none was.
    pub high_watermark: Offset,
}

/// What loading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// Logs that were opened.
    pub logs: usize,
    /// Logs that were renamed to `-stray`.
    pub strays: usize,
    /// Bytes that were read and checked.
    pub scanned_bytes: u64,
    /// Bytes behind the last whole batch that were cut off.
    pub truncated_bytes: u64,
}

/// The node cannot go on. The text is for the user, in Kafka's words.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct LoadError(String);

/// One partition's directory.
struct Job {
    topic: Arc<str>,
    partition: i32,
    stray: AtomicBool,
}

impl Job {
    fn key(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }
}

/// The jobs of one log directory, sorted.
struct Jobs<'a> {
    dir: DirIndex,
    home: &'a LogDir,
    jobs: Vec<Job>,
    next: AtomicUsize,
}

struct Progress {
    total: usize,
    done: AtomicUsize,
    strays: AtomicUsize,
    scanned: AtomicU64,
    truncated: AtomicU64,
    /// When progress is told next, as [`MonoTime`].
    tell_at: AtomicU64,
}

type WantedFn<'a> = dyn Fn(&str, i32, Option<TopicId>) -> Wanted + Sync + 'a;
type OnLogFn<'a> = dyn Fn(Loaded) + Sync + 'a;

impl LogDirs {
    /// Opens the logs of all partitions in all directories that work, with `threads` threads for each
    /// (`num.recovery.threads.per.data.dir`). `wanted` is asked about each, with the topic id in its
    /// directory; each that is kept goes to `on_log`. Both are called from several threads.
    ///
    /// A directory in which a log cannot be opened goes offline. Leftovers of removals are removed.
    ///
    /// # Errors
    /// If no directory works, or two of them hold the same partition.
    pub fn load(
        &self,
        threads: usize,
        wanted: &WantedFn<'_>,
        on_log: &OnLogFn<'_>,
    ) -> Result<LoadReport, LoadError> {
        let started = self.env().clock.mono();
        let mut all: Vec<Jobs<'_>> = Vec::with_capacity(self.count());
        for (dir, home) in self.each().filter(|(_, home)| home.is_online()) {
            match self.jobs(home) {
                Ok(jobs) => all.push(Jobs {
                    dir,
                    home,
                    jobs,
                    next: AtomicUsize::new(0),
                }),
                Err(error) => {
                    let error = StorageError::io("listing a directory", &home.path, error);
                    self.take_offline(dir, &error);
                }
            }
        }
        refuse_duplicates(&all)?;
        let progress = Progress {
            total: all.iter().map(|one| one.jobs.len()).sum(),
            done: AtomicUsize::new(0),
            strays: AtomicUsize::new(0),
            scanned: AtomicU64::new(0),
            truncated: AtomicU64::new(0),
            tell_at: AtomicU64::new(started.saturating_add(PROGRESS_EVERY).0),
        };
        let threads = threads.max(1);
        run_threads("log-recovery", threads * all.len(), &|index| {
            if let Some(jobs) = all.get(index / threads) {
                self.work(jobs, &progress, wanted, on_log);
            }
        });
        for jobs in &all {
            jobs.forget_absent();
        }
        if let Some(failed) = self.must_stop() {
            return Err(LoadError(failed.to_string()));
        }
        Ok(progress.report(self.env().clock.mono().saturating_since(started)))
    }

    /// The partitions of a directory. Leftovers are queued for removal.
    fn jobs(&self, home: &LogDir) -> io::Result<Vec<Job>> {
        let now = self.env().clock.mono();
        let mut jobs: Vec<Job> = Vec::new();
        for entry in self.env().disk.read_dir(&home.path)? {
            if !entry.is_dir || entry.name == METADATA_LOG_DIR || entry.name == REMOTE_INDEX_CACHE {
                continue;
            }
            let path = home.path.join(&entry.name);
            let Some(name) = names::parse_partition_dir(&entry.name) else {
                // Kafka differs: it refuses to start, which a `lost+found` is not worth.
                tracing::warn!(path = %path.display(), "not the directory of a partition; left alone");
                continue;
            };
            match name.kind {
                PartitionDirKind::Current => {
                    // Partitions of a topic are neighbours and share its name.
                    let topic = match jobs.last() {
                        Some(last) if *last.topic == *name.topic => Arc::clone(&last.topic),
                        _ => Arc::from(name.topic),
                    };
                    jobs.push(Job {
                        topic,
                        partition: name.partition,
                        stray: AtomicBool::new(false),
                    });
                }
                PartitionDirKind::Delete => self.removals().add(now, 0, path),
                PartitionDirKind::Stray => {
                    tracing::info!(path = %path.display(), "a stray log is kept for the operator");
                }
                PartitionDirKind::Future => {
                    tracing::warn!(path = %path.display(), "an unfinished move is left alone");
                }
            }
        }
        jobs.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        Ok(jobs)
    }

    /// Opens logs of a directory until none is left or the directory fails. What recovery found in logs that
    /// ask for it is flushed, for some logs at a time, before anybody gets them: some of it may have been
    /// acknowledged, and the end of a log must not seem to go back until a first flush.
    fn work(
        &self,
        jobs: &Jobs<'_>,
        progress: &Progress,
        wanted: &WantedFn<'_>,
        on_log: &OnLogFn<'_>,
    ) {
        let (mut batch, mut waiting) = (FlushBatch::default(), Vec::new());
        let mut more = true;
        while more && jobs.home.is_online() {
            let job = jobs.jobs.get(jobs.next.fetch_add(1, Ordering::Relaxed));
            more = job.is_some();
            match job.map(|job| (job, self.open_log(jobs, job, wanted))) {
                Some((_, Ok(Some((mut loaded, flush))))) => {
                    progress.opened(loaded.opened);
                    let work = if flush {
                        loaded.log.flush_work()
                    } else {
                        Ok(None)
                    };
                    let work = match work {
                        Ok(work) => work,
                        Err(error) => {
                            self.take_offline(jobs.dir, &error);
                            return;
                        }
                    };
                    let upto = work.map(|work| batch.add(work));
                    waiting.push((loaded, upto));
                }
                Some((job, Ok(None))) => {
                    job.stray.store(true, Ordering::Relaxed);
                    progress.strays.fetch_add(1, Ordering::Relaxed);
                    progress.done.fetch_add(1, Ordering::Relaxed);
                }
                // Without the log nobody may take the partition for an empty one.
                Some((_, Err(error))) => {
                    self.take_offline(jobs.dir, &error);
                    return;
                }
                None => {}
            }
            if !more || waiting.len() >= BATCH_LOGS {
                if let Err(error) = batch.flush(&*self.env().disk) {
                    let error = StorageError::io("flushing recovered logs", &jobs.home.path, error);
                    self.take_offline(jobs.dir, &error);
                    return;
                }
                let count = waiting.len();
                for (mut loaded, upto) in waiting.drain(..) {
                    if let Some(upto) = upto {
                        loaded.log.flushed(upto);
                    }
                    on_log(loaded);
                }
                jobs.home.partitions.fetch_add(count, Ordering::Relaxed);
                progress.done.fetch_add(count, Ordering::Relaxed);
            }
            progress.tell(self.env().clock.mono());
        }
    }

    /// Opens one log, and says whether it is to be flushed; `None` if it is a stray.
    fn open_log(
        &self,
        jobs: &Jobs<'_>,
        job: &Job,
        wanted: &WantedFn<'_>,
    ) -> Result<Option<(Loaded, bool)>, StorageError> {
        let Jobs { dir, home, .. } = *jobs;
        let path = home
            .path
            .join(names::partition_dir(&job.topic, job.partition));
        let topic_id = self.topic_id(&path)?;
        let (config, flush) = match wanted(&job.topic, job.partition, topic_id) {
            Wanted::Keep { config, flush } => (config, flush),
            Wanted::Stray => {
                let unique = self.env().rng.uuid();
                let kind = PartitionDirKind::Stray;
                let name = names::transient_partition_dir(&job.topic, job.partition, unique, kind);
                let target = home.path.join(name);
                tracing::warn!(
                    from = %path.display(),
                    to = %target.display(),
                    "a log belongs to no partition of this node and is put aside"
                );
                self.env()
                    .disk
                    .rename(&path, &target)
                    .map_err(|error| StorageError::io("renaming a stray log", &path, error))?;
                return Ok(None);
            }
        };
        let offset =
            |file: &OffsetFile| file.get(&job.topic, job.partition).unwrap_or(Offset::ZERO);
        let hints = OpenHints {
            clean: home.clean,
            recovery_point: offset(&home.checkpoints.recovery_points),
            log_start: offset(&home.checkpoints.log_starts),
            topic_id,
        };
        let (log, opened) = Log::open(self.env(), path, config, hints)?;
        let loaded = Loaded {
            dir,
            topic: Arc::clone(&job.topic),
            partition: job.partition,
            topic_id,
            log,
            opened,
            high_watermark: offset(&home.checkpoints.high_watermarks),
        };
        Ok(Some((loaded, flush)))
    }

    /// The topic id in a partition's directory (KIP-516), if there is a readable one.
    fn topic_id(&self, path: &Path) -> Result<Option<TopicId>, StorageError> {
        let path = path.join(names::PARTITION_METADATA);
        let bytes = match read_small(&*self.env().disk, &path, PARTITION_METADATA_MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StorageError::io("reading a topic id", &path, error)),
        };
        let id = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| checkpoint_file::read_partition_metadata(text).ok());
        if id.is_none() {
            tracing::warn!(path = %path.display(), "a topic id is damaged");
        }
        Ok(id)
    }
}

impl Jobs<'_> {
    /// Lines of logs that are not there (any more) go from the checkpoints: a new log may take the name.
    fn forget_absent(&self) {
        if !self.home.is_online() {
            return;
        }
        self.home.checkpoints.retain(|entry| {
            let found = self
                .jobs
                .binary_search_by(|job| job.key().cmp(&entry.key()));
            let job = found.ok().and_then(|at| self.jobs.get(at));
            job.is_some_and(|job| !job.stray.load(Ordering::Relaxed))
        });
    }
}

fn refuse_duplicates(all: &[Jobs<'_>]) -> Result<(), LoadError> {
    for (index, jobs) in all.iter().enumerate() {
        for other in all.iter().skip(index + 1) {
            let twice = jobs.jobs.iter().find(|job| {
                other
                    .jobs
                    .binary_search_by(|one| one.key().cmp(&job.key()))
                    .is_ok()
            });
            if let Some(job) = twice {
                let name = names::partition_dir(&job.topic, job.partition);
                return Err(LoadError(format!(
                    "Duplicate log directories for {name} are found in both {} and {}. It is likely \
                     because log directory failure happened while broker was replacing current \
                     replica with future replica. Recover broker from this failure by manually \
                     deleting one of the two directories for this partition. It is recommended to \
                     delete the partition in the log directory that is known to have failed \
                     recently.",
                    jobs.home.path.join(&name).display(),
                    other.home.path.join(&name).display()
                )));
            }
        }
    }
    Ok(())
}

impl Progress {
    fn opened(&self, opened: Opened) {
        self.scanned
            .fetch_add(opened.scanned_bytes, Ordering::Relaxed);
        self.truncated
            .fetch_add(opened.truncated_bytes, Ordering::Relaxed);
    }

    /// Tells once a second, whichever thread comes by.
    fn tell(&self, now: MonoTime) {
        let at = self.tell_at.load(Ordering::Relaxed);
        let next = now.saturating_add(PROGRESS_EVERY).0;
        if now.0 >= at
            && self
                .tell_at
                .compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            tracing::info!(
                done = self.done.load(Ordering::Relaxed),
                total = self.total,
                scanned_bytes = self.scanned.load(Ordering::Relaxed),
                "loading logs"
            );
        }
    }

    fn report(self, took: Duration) -> LoadReport {
        let strays = self.strays.into_inner();
        let report = LoadReport {
            logs: self.done.into_inner() - strays,
            strays,
            scanned_bytes: self.scanned.into_inner(),
            truncated_bytes: self.truncated.into_inner(),
        };
        tracing::info!(
            logs = report.logs,
            strays = report.strays,
            scanned_bytes = report.scanned_bytes,
            truncated_bytes = report.truncated_bytes,
            took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "logs are loaded"
        );
        report
    }
}
