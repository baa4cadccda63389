//! The thread that does what time asks of the shards: sessions that end, rebalances that are due,
//! offsets that are too old, logs to be read.
//!
//! It sleeps until the first deadline of all shards; a node without groups in motion does not wake it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ottla_base::MonoTime;
use ottla_config::rows::group::GroupSettings;
use ottla_coordinator::Deadlines;
use ottla_env::{Clock, spawn_thread};
use parking_lot::{Condvar, Mutex};

use super::Shard;

/// The thread and its work.
pub(super) struct Keeper {
    clock: Arc<dyn Clock>,
    /// `offsets.retention.check.interval.ms`.
    expiry_interval: Duration,
    work: Mutex<Work>,
    changed: Condvar,
}

#[derive(Default)]
struct Work {
    /// Shards that were told about, by partition.
    shards: BTreeMap<i32, Weak<Shard>>,
    alarms: Deadlines<i32>,
    /// Shards whose log has something to read. Each is in it once at most.
    loads: VecDeque<i32>,
    /// Topics that were deleted and that shards have not been told of.
    deletions: BTreeMap<i32, Vec<Arc<str>>>,
    next_expiry: Option<MonoTime>,
    started: bool,
    stopping: bool,
}

/// What to do next.
enum Task {
    Alarm(Arc<Shard>),
    Load(Arc<Shard>),
    Forget(Arc<Shard>, Vec<Arc<str>>),
    Expire(Vec<Arc<Shard>>),
}

impl Keeper {
    pub(super) fn new(clock: Arc<dyn Clock>, settings: &GroupSettings) -> Arc<Self> {
        let ms = u64::try_from(settings.offsets_retention_check_interval_ms).unwrap_or(u64::MAX);
        Arc::new(Self {
            clock,
            expiry_interval: Duration::from_millis(ms),
            work: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Takes a shard in, in place of the one before.
    pub(super) fn register(self: &Arc<Self>, shard: &Arc<Shard>) {
        let mut work = self.work.lock();
        work.shards
            .insert(shard.partition.index, Arc::downgrade(shard));
        if !std::mem::replace(&mut work.started, true) {
            work.next_expiry = Some(self.clock.mono().saturating_add(self.expiry_interval));
            let this = Arc::clone(self);
            let thread = spawn_thread("group-keeper", move || this.run());
            if let Err(error) = thread {
                // Without it no session ends; the next election tries again.
                work.started = false;
                tracing::error!(%error, "cannot start the thread of the group coordinator");
            }
        }
    }

    /// A shard has more of its log to read.
    pub(super) fn load_by_index(&self, index: i32) {
        let mut work = self.work.lock();
        if !work.loads.contains(&index) {
            work.loads.push_back(index);
            self.changed.notify_one();
        }
    }

    /// A shard is to be told when `at` has come.
    pub(super) fn set_alarm(&self, index: i32, at: MonoTime) {
        let mut work = self.work.lock();
        let first = work.first_deadline();
        work.alarms.set(index, at);
        if first.is_none_or(|first| at < first) {
            self.changed.notify_one();
        }
    }

    /// A shard is to forget offsets of topics that were deleted.
    pub(super) fn forget_topics(&self, shard: &Arc<Shard>, topics: &[Arc<str>]) {
        let mut work = self.work.lock();
        let deletions = work.deletions.entry(shard.partition.index).or_default();
        deletions.extend_from_slice(topics);
        self.changed.notify_one();
    }

    /// Ends the thread, after what it is at.
    pub(super) fn stop(&self) {
        self.work.lock().stopping = true;
        self.changed.notify_one();
    }

    fn run(&self) {
        while let Some(task) = self.next() {
            match task {
                Task::Alarm(shard) => shard.on_alarm(),
                Task::Load(shard) => shard.load_step(),
                Task::Forget(shard, topics) => shard.forget_topics(&topics),
                Task::Expire(shards) => {
                    for shard in shards {
                        shard.maintain(|machine, now, fx| machine.expire_offsets(now.wall, fx));
                    }
                }
            }
        }
    }

    /// Waits for the next task; `None` at the end.
    fn next(&self) -> Option<Task> {
        let mut work = self.work.lock();
        loop {
            if work.stopping {
                return None;
            }
            let now = self.clock.mono();
            if let Some(task) = work.take(now, self.expiry_interval) {
                return Some(task);
            }
            match work.first_deadline() {
                Some(at) => {
                    let pause = at.saturating_since(now);
                    self.changed.wait_for(&mut work, pause);
                }
                None => self.changed.wait(&mut work),
            }
        }
    }
}

impl Work {
    fn shard(&mut self, index: i32) -> Option<Arc<Shard>> {
        let shard = self.shards.get(&index)?.upgrade();
        if shard.is_none() {
            self.shards.remove(&index);
        }
        shard
    }

    fn first_deadline(&self) -> Option<MonoTime> {
        [self.alarms.next(), self.next_expiry]
            .into_iter()
            .flatten()
            .min()
    }

    fn take(&mut self, now: MonoTime, expiry_interval: Duration) -> Option<Task> {
        while let Some(index) = self.alarms.take_due(now) {
            if let Some(shard) = self.shard(index) {
                return Some(Task::Alarm(shard));
            }
        }
        while let Some((index, topics)) = self.deletions.pop_first() {
            if let Some(shard) = self.shard(index) {
                return Some(Task::Forget(shard, topics));
            }
        }
        while let Some(index) = self.loads.pop_front() {
            if let Some(shard) = self.shard(index) {
                return Some(Task::Load(shard));
            }
        }
        if self.next_expiry.is_some_and(|at| at <= now) {
            self.next_expiry = Some(now.saturating_add(expiry_interval));
            let shards = self.shards.values().filter_map(Weak::upgrade).collect();
            return Some(Task::Expire(shards));
        }
        None
    }
}
