//! One shard: the groups of one partition of `__consumer_offsets`, and the way of a decision.
//!
//! Under one short lock a request is decided, its records are appended as one batch, and replayed; only
//! then the lock is released. Answers that depend on the records are parked until the high watermark has
//! passed them. The partition wakes the shard, on whichever thread moved the high watermark; if the lock
//! is held just then, its holder does the work when it is done (`poked`).

mod append;
mod commit;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_base::{MonoTime, Offset};
use ottla_config::rows::group::GroupSettings;
use ottla_coordinator::{ParkQueue, Ticket};
use ottla_env::Clock;
use ottla_group::{Continuation, GroupCoordinator, GroupEffects, GroupError, GroupReply, Now};
use ottla_records::codec::Compression;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::keeper::Keeper;
use super::loader::Loading;
use super::waiting::{Decided, Kept};
use crate::partition::Partition;
use crate::waiters::Wake;

/// Most requests of a shard that wait for records to be committed. One more is told that the coordinator
/// is not available, which clients repeat.
const PARKED_MAX: usize = 100_000;
/// Most JoinGroup and SyncGroup requests of a shard that wait for their group. At the limit as above.
const KEPT_MAX: usize = 100_000;

/// What all shards of a node use.
pub(super) struct ShardEnv {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Arc<GroupSettings>,
    /// `offsets.topic.compression.codec`.
    pub(super) codec: Compression,
    pub(super) keeper: Arc<Keeper>,
}

impl ShardEnv {
    fn now(&self) -> Now {
        Now {
            mono: self.clock.mono(),
            wall: self.clock.wall(),
        }
    }
}

/// One shard.
pub(crate) struct Shard {
    pub(super) partition: Arc<Partition>,
    pub(super) env: Arc<ShardEnv>,
    state: Mutex<State>,
    /// The high watermark may have moved since it was looked at.
    poked: AtomicBool,
    /// Present while the log is read; worked on by the keeper's thread alone.
    pub(super) loading: Mutex<Option<Loading>>,
    /// What the partition wakes.
    pub(super) wake: Arc<dyn Wake>,
}

enum Phase {
    Loading,
    Active(Box<GroupCoordinator>),
    Closed,
}

struct State {
    phase: Phase,
    /// JoinGroup and SyncGroup requests that the machine keeps.
    kept: BTreeMap<Ticket, oneshot::Sender<GroupReply>>,
    next_ticket: u64,
    parked: ParkQueue<Parked>,
    /// End of what this shard, or the one before it, has appended.
    written: Offset,
    /// The high watermark when last looked at.
    committed: Offset,
    /// The partition will wake this shard.
    registered: bool,
    /// When the keeper will.
    alarm: Option<MonoTime>,
    /// Topics that were deleted while the log was read.
    gone: Vec<Arc<str>>,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// The lock of a shard; whoever lets go of it does what came up meanwhile.
struct Locked<'a> {
    shard: &'a Shard,
    guard: Option<MutexGuard<'a, State>>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.guard.as_ref().expect("there until it is dropped")
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.guard.as_mut().expect("there until it is dropped")
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.guard = None;
        self.shard.work_off_pokes();
    }
}

/// What waits for records.
enum Parked {
    /// A request: its answer is ready.
    Request(oneshot::Sender<Result<(), GroupError>>),
    /// Something that the machine does next.
    Continue(Continuation),
}

/// Wakes a shard, if it is still there.
struct ShardWake(std::sync::Weak<Shard>);

impl Wake for ShardWake {
    fn wake(&self) {
        if let Some(shard) = self.0.upgrade() {
            shard.poke();
        }
    }
}

impl Shard {
    /// A shard that has not read its log yet.
    pub(super) fn new(partition: &Arc<Partition>, env: &Arc<ShardEnv>) -> Arc<Self> {
        let end = partition.log_end();
        Arc::new_cyclic(|this| Self {
            partition: Arc::clone(partition),
            env: Arc::clone(env),
            state: Mutex::new(State {
                phase: Phase::Loading,
                kept: BTreeMap::new(),
                next_ticket: 0,
                parked: ParkQueue::new(PARKED_MAX),
                written: end,
                committed: Offset::ZERO,
                registered: false,
                alarm: None,
                gone: Vec::new(),
                key: Vec::new(),
                value: Vec::new(),
            }),
            poked: AtomicBool::new(false),
            loading: Mutex::new(Some(Loading::new(
                partition.log_start(),
                end,
                GroupCoordinator::new(Arc::clone(&env.settings)),
            ))),
            wake: Arc::new(ShardWake(this.clone())),
        })
    }

    /// Begins to read the log; an empty one needs no thread.
    pub(super) fn start(self: &Arc<Self>) {
        self.env.keeper.register(self);
        if self.partition.log_start() >= self.partition.log_end() {
            self.load_step();
        } else {
            self.env.keeper.load_by_index(self.partition.index);
        }
    }

    /// The log was read: requests are served from now on.
    pub(super) fn activate(&self, mut machine: GroupCoordinator) {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Loading) {
            return; // It resigned meanwhile.
        }
        let now = self.env.now();
        let mut fx = GroupEffects::default();
        machine.loaded(now, &mut fx);
        let gone = std::mem::take(&mut state.gone);
        machine.forget_topics(|topic| gone.iter().any(|name| **name == *topic), &mut fx);
        state.phase = Phase::Active(Box::new(machine));
        // Nobody waits for what follows from loading.
        let _ = self.execute(&mut state, fx, now);
    }

    /// Stops: whoever waits is told that this is not the coordinator, and nothing is appended any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        let machine = std::mem::replace(&mut state.phase, Phase::Closed);
        // A dropped sender says the same.
        state.kept.clear();
        let parked: Vec<Parked> = state.parked.drain().collect();
        drop(state);
        for parked in parked {
            if let Parked::Request(request) = parked {
                let _ = request.send(Err(GroupError::NotCoordinator));
            }
        }
        drop(machine);
    }

    /// Lets `act` decide. Gives its result when its records, and whatever it saw, are committed.
    ///
    /// Cancel safe: the decision stands, nobody is told.
    ///
    /// # Errors
    /// `LoadInProgress`, `NotCoordinator`, `NotAvailable`, `Unwritable`: its records were not appended, or
    /// are not known to be committed.
    pub(crate) async fn decide<R>(
        &self,
        act: impl FnOnce(&mut GroupCoordinator, Now, &mut GroupEffects) -> R,
    ) -> Result<R, GroupError> {
        self.decide_now(act)?.committed().await
    }

    /// As [`decide`](Self::decide), but the wait is left to the caller.
    ///
    /// # Errors
    /// As [`decide`](Self::decide), of what can be said at once.
    pub(crate) fn decide_now<R>(
        &self,
        act: impl FnOnce(&mut GroupCoordinator, Now, &mut GroupEffects) -> R,
    ) -> Result<Decided<R>, GroupError> {
        let mut state = self.lock();
        if !state.parked.has_room() {
            return Err(GroupError::NotAvailable);
        }
        let now = self.env.now();
        let mut fx = GroupEffects::default();
        let result = act(state.machine()?, now, &mut fx);
        self.execute(&mut state, fx, now)?;
        let waits = self.park_request(&mut state, now);
        Ok(Decided { result, waits })
    }

    /// Lets `act` work on what is not in the log, such as a session; its result waits for nothing.
    ///
    /// # Errors
    /// `LoadInProgress`, `NotCoordinator`.
    pub(crate) fn touch<R>(
        &self,
        act: impl FnOnce(&mut GroupCoordinator, Now) -> R,
    ) -> Result<R, GroupError> {
        let mut state = self.lock();
        let now = self.env.now();
        let result = act(state.machine()?, now);
        self.set_alarm(&mut state);
        Ok(result)
    }

    /// Lets `act` take in a request that the machine answers when it likes, by the ticket it is given.
    ///
    /// Cancel safe: the machine forgets nobody, but an answer to a request that is gone is dropped.
    ///
    /// # Errors
    /// `LoadInProgress`, `NotCoordinator`, `NotAvailable`.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        act: impl FnOnce(&mut GroupCoordinator, Now, Ticket, &mut GroupEffects),
    ) -> Result<GroupReply, GroupError> {
        let kept = self.ask_locked(act);
        kept?.answer().await
    }

    fn ask_locked(
        self: &Arc<Self>,
        act: impl FnOnce(&mut GroupCoordinator, Now, Ticket, &mut GroupEffects),
    ) -> Result<Kept, GroupError> {
        let mut state = self.lock();
        if state.kept.len() >= KEPT_MAX || !state.parked.has_room() {
            return Err(GroupError::NotAvailable);
        }
        state.machine()?;
        let ticket = Ticket(state.next_ticket);
        state.next_ticket += 1;
        let (answer, answered) = oneshot::channel();
        state.kept.insert(ticket, answer);
        let now = self.env.now();
        let mut fx = GroupEffects::default();
        act(state.machine()?, now, ticket, &mut fx);
        // If records fail, the machine answers by the ticket.
        let _ = self.execute(&mut state, fx, now);
        Ok(Kept::new(Arc::clone(self), ticket, answered))
    }

    /// The one who kept this ticket is gone.
    pub(super) fn forget(&self, ticket: Ticket) {
        self.lock().kept.remove(&ticket);
    }

    /// Whether the shard still waits for its log.
    pub(super) fn is_loading(&self) -> bool {
        matches!(self.lock().phase, Phase::Loading)
    }

    /// How many requests the machine keeps.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.lock().kept.len()
    }

    /// Does what time asks for.
    pub(super) fn on_alarm(&self) {
        let mut state = self.lock();
        state.alarm = None;
        let now = self.env.now();
        while let Some(overdue) = state.parked.take_overdue(now.mono) {
            match overdue {
                Parked::Request(request) => {
                    let _ = request.send(Err(GroupError::NotAvailable));
                }
                Parked::Continue(continuation) => {
                    let mut fx = GroupEffects::default();
                    if let Ok(machine) = state.machine() {
                        machine.failed(continuation, GroupError::NotAvailable, true, now, &mut fx);
                    }
                    let _ = self.execute(&mut state, fx, now);
                }
            }
        }
        let mut fx = GroupEffects::default();
        if let Ok(machine) = state.machine() {
            machine.on_tick(now, &mut fx);
        }
        let _ = self.execute(&mut state, fx, now);
    }

    /// Topics were deleted.
    pub(super) fn forget_topics(&self, topics: &[Arc<str>]) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Loading) {
            state.gone.extend_from_slice(topics);
            return;
        }
        drop(state);
        self.maintain(|machine, _, fx| {
            machine.forget_topics(|topic| topics.iter().any(|name| **name == *topic), fx);
        });
    }

    /// Lets `act` decide something that no request asked for.
    pub(super) fn maintain(&self, act: impl FnOnce(&mut GroupCoordinator, Now, &mut GroupEffects)) {
        let mut state = self.lock();
        let now = self.env.now();
        let mut fx = GroupEffects::default();
        if let Ok(machine) = state.machine() {
            act(machine, now, &mut fx);
        }
        if let Err(error) = self.execute(&mut state, fx, now) {
            tracing::warn!(
                partition = self.partition.index,
                %error,
                "group coordinator could not write what time asked for"
            );
        }
    }

    fn lock(&self) -> Locked<'_> {
        Locked {
            shard: self,
            guard: Some(self.state.lock()),
        }
    }

    /// The partition's high watermark may have moved. Who holds the lock just now, perhaps this very
    /// thread in the middle of an append, sees to it when he lets go.
    fn poke(&self) {
        self.poked.store(true, Ordering::SeqCst);
        self.work_off_pokes();
    }

    fn work_off_pokes(&self) {
        while self.poked.load(Ordering::SeqCst) {
            let Some(mut state) = self.state.try_lock() else {
                return; // Whoever holds it comes here next.
            };
            self.poked.store(false, Ordering::SeqCst);
            state.registered = false;
            match state.phase {
                Phase::Loading => self.env.keeper.load_by_index(self.partition.index),
                Phase::Active(_) => {
                    let now = self.env.now();
                    self.take_committed(&mut state, now);
                    self.set_alarm(&mut state);
                }
                Phase::Closed => {}
            }
        }
    }
}

impl State {
    fn machine(&mut self) -> Result<&mut GroupCoordinator, GroupError> {
        match &mut self.phase {
            Phase::Loading => Err(GroupError::LoadInProgress),
            Phase::Active(machine) => Ok(machine),
            Phase::Closed => Err(GroupError::NotCoordinator),
        }
    }

    /// Sends what the machine answers to requests that it kept.
    fn answer(&mut self, fx: &mut GroupEffects) {
        for (ticket, reply) in fx.replies.drain(..) {
            if let Some(answer) = self.kept.remove(&ticket) {
                let _ = answer.send(reply); // Who is gone needs none.
            }
        }
    }
}
