//! The quorum thread: takes what is queued, decides it in order, appends and flushes once for all, commits,
//! publishes, answers.
//!
//! A request is decided against everything decided before it, committed or not, and answered when that is
//! committed and applied to this node.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;

use ottla_base::{MonoTime, Offset};
use ottla_controller::{Context, Controller, ControllerConfig, NodeConfigSchema};
use ottla_metadata::{MetadataImage, MetadataRecord, VersionedRecord};
use ottla_raft::Raft;
use ottla_storage::{StorageEnv, StorageError};

use super::MetadataListener;
use super::effects::Outbox;
use super::error::QuorumError;
use super::handle::{DecideError, Decided, Decision, Job, QuorumStatus};
use super::metadata_log::MetadataLog;
use super::publish::{LogEntry, Publisher};
use super::round::{Encoded, Round, Unfit};
use super::upkeep::Upkeep;
use super::voters::VoterHistory;

/// Periodic decisions in one round; the rest follow in the next.
const TICKS_PER_ROUND_MAX: usize = 64;
/// Longest sleep, so that a deadline far away needs no arithmetic on the edge of time.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Longest time that NoOp records alone stay unflushed while this node is the whole quorum.
const NO_OP_FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// This node's part in the metadata quorum.
pub struct Quorum {
    pub(super) env: Arc<StorageEnv>,
    pub(super) queue: Receiver<Job>,
    pub(super) status: Arc<QuorumStatus>,
    pub(super) log: MetadataLog,
    pub(super) raft: Raft,
    pub(super) voters: VoterHistory,
    pub(super) publisher: Publisher,
    pub(super) upkeep: Upkeep,
    pub(super) outbox: Box<dyn Outbox>,
    pub(super) controller_config: ControllerConfig,
    pub(super) schema: NodeConfigSchema,
    /// With which records a new cluster begins.
    pub(super) bootstrap: Vec<VersionedRecord>,
    /// The controller, while this node leads.
    pub(super) controller: Option<Controller>,
    /// Records that are decided and not appended yet; only while this node leads.
    pub(super) round: Option<Round>,
    /// End of the last record that means something; only NoOp records stand behind it.
    pub(super) meant_end: Offset,
    /// When the NoOp records that are not flushed have to be.
    pub(super) flush_no_ops_at: Option<MonoTime>,
    /// Whether the last round found room on the disk; a full one is told once.
    pub(super) had_room: bool,
    /// Requests by the offset below which all must be committed before they are answered.
    pub(super) waiting: VecDeque<(Offset, Box<dyn Decision>)>,
}

/// What to do after a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Stop,
}

impl Quorum {
    /// The metadata as of what is committed.
    #[must_use]
    pub fn image(&self) -> &Arc<MetadataImage> {
        self.publisher.image()
    }

    /// Starts the thread. `listener` is first told the way from nothing to the present image; `failed`
    /// gets the reason if the quorum has to end, and must then end the process.
    ///
    /// # Errors
    /// The operating system's, if it has no more threads.
    pub fn spawn(
        self,
        listener: Arc<dyn MetadataListener>,
        failed: impl FnOnce(QuorumError) + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        ottla_env::spawn_thread("quorum", move || {
            let mut quorum = self;
            quorum.publisher.attach(listener);
            if let Err(error) = quorum.run() {
                tracing::error!(%error, "the metadata quorum of this node has failed");
                failed(error);
            }
        })
    }

    fn run(&mut self) -> Result<(), QuorumError> {
        loop {
            let first = match self.queue.recv_timeout(self.sleep()) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Job::Stop),
            };
            if self.round(first)? == Next::Stop {
                return self.close();
            }
        }
    }

    fn now(&self) -> MonoTime {
        self.env.clock.mono()
    }

    fn sleep(&self) -> Duration {
        let controller = self.controller.as_ref().and_then(Controller::next_deadline);
        let deadlines = [controller, self.raft.next_deadline()];
        let next = deadlines.into_iter().flatten().min();
        next.map_or(SLEEP_MAX, |at| {
            at.saturating_since(self.now()).min(SLEEP_MAX)
        })
    }

    /// Everything that is queued or due, with one flush.
    pub(super) fn round(&mut self, first: Option<Job>) -> Result<Next, QuorumError> {
        if let Some(round) = &mut self.round {
            round.begin(self.env.clock.wall());
        }
        let mut next = Next::GoOn;
        match self.work(first, &mut next) {
            Ok(()) => self.had_room = true,
            Err(QuorumError::Full(error)) => self.take_back(&error)?,
            Err(error) => return Err(error),
        }
        Ok(next)
    }

    fn work(&mut self, first: Option<Job>, next: &mut Next) -> Result<(), QuorumError> {
        let mut job = first;
        while let Some(taken) = job {
            match taken {
                Job::Decide {
                    api_version,
                    decision,
                } => self.take(api_version, decision)?,
                Job::Stop => {
                    *next = Next::Stop;
                    break;
                }
            }
            if self.round.as_ref().is_some_and(Round::is_full) {
                break;
            }
            job = match self.queue.try_recv() {
                Ok(job) => Some(job),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Job::Stop),
            };
        }
        self.tick()?;
        self.commit()?;
        self.keep_up()
    }

    /// The disk has no room for what was decided: it is undone, whoever asked is told, and the node goes
    /// on. The controller starts anew from what the log holds.
    ///
    /// Kafka differs: it halts.
    fn take_back(&mut self, error: &StorageError) -> Result<(), QuorumError> {
        if self.had_room {
            tracing::warn!(%error, "the disk has no room for the metadata log; changes are refused");
        }
        self.had_room = false;
        let end = self.log.end();
        self.publisher.truncate_to(end);
        self.voters.truncate_to(end);
        self.meant_end = self.meant_end.min(end);
        while self.waiting.back().is_some_and(|(needed, _)| *needed > end) {
            if let Some((_, decision)) = self.waiting.pop_back() {
                decision.fail(DecideError::NoRoom);
            }
        }
        if self.controller.is_some() {
            self.controller = Some(self.new_controller()?);
            let now = self.env.clock.wall();
            self.round = Some(Round::new(&self.log, self.raft.epoch(), now));
        }
        // What was appended before the disk was full counts.
        self.commit()
    }

    /// Decides one request.
    fn take(&mut self, api_version: i16, decision: Box<dyn Decision>) -> Result<(), QuorumError> {
        let (now, rng) = (self.now(), Arc::clone(&self.env.rng));
        let (Some(controller), Some(round)) = (&mut self.controller, &self.round) else {
            decision.fail(DecideError::NotController);
            return Ok(());
        };
        let mut decision = decision;
        let mut context = Context {
            now,
            next_offset: round.next_offset(),
            api_version,
            new_id: &mut || rng.uuid(),
            random: &mut || rng.u64(),
        };
        if let Some(decided) = decision.decide(controller, &mut context) {
            match self.add(decided) {
                Ok(Ok(())) => {}
                Ok(Err(unfit)) => {
                    decision.fail(unfit.into());
                    return Ok(());
                }
                Err(error) => {
                    decision.fail(DecideError::NoRoom);
                    return Err(error);
                }
            }
        }
        // What it saw may be undone until it is committed, even if it changed nothing.
        self.waiting.push_back((self.meant_end, decision));
        Ok(())
    }

    /// Puts records into the round and replays them.
    pub(super) fn add(&mut self, decided: Decided) -> Result<Result<(), Unfit>, QuorumError> {
        let encoded = match Encoded::new(&decided) {
            Ok(encoded) => encoded,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let (Some(controller), Some(round)) = (&mut self.controller, &mut self.round) else {
            unreachable!("only a leader decides");
        };
        let mut kinds = decided.records.iter();
        let means = kinds.any(|record| !matches!(record.record, MetadataRecord::NoOp(_)));
        let epoch = self.raft.epoch();
        let time = round.now();
        let publisher = &mut self.publisher;
        let mut records = decided.records.into_iter();
        round.add(&mut self.log, &encoded, &mut |_, offset, bytes| {
            let record = records.next().expect("one value for each record").record;
            let replayed = controller.replay(offset, &record);
            replayed.map_err(|source| QuorumError::Replay { offset, source })?;
            publisher.push(LogEntry {
                offset,
                epoch,
                time,
                bytes,
                record: Some(record),
            });
            Ok(())
        })?;
        if means {
            self.meant_end = round.next_offset();
        }
        Ok(Ok(()))
    }

    /// What is due by time.
    fn tick(&mut self) -> Result<(), QuorumError> {
        let now = self.now();
        for _ in 0..TICKS_PER_ROUND_MAX {
            let Some(controller) = &mut self.controller else {
                break;
            };
            if controller.next_deadline().is_none_or(|at| at > now) {
                break;
            }
            let outcome = controller.on_tick(now);
            let decided = Decided {
                records: outcome.records,
                atomic: outcome.atomic,
            };
            assert!(
                self.add(decided)?.is_ok(),
                "records of periodic work are small and may be split"
            );
        }
        let mut effects = Vec::new();
        self.raft.on_tick(now, &self.log, &mut effects);
        self.carry_out(effects)
    }

    /// Appends and flushes the round; commits, publishes and answers what that allows.
    pub(super) fn commit(&mut self) -> Result<(), QuorumError> {
        if let Some(round) = &mut self.round {
            round.append(&mut self.log)?;
        }
        let flushed = if self.may_flush_later() {
            self.log.flushed_end()
        } else {
            self.flush_no_ops_at = None;
            self.log.flush()?
        };
        let mut effects = Vec::new();
        self.raft.on_flushed(flushed, &mut effects);
        self.carry_out(effects)?;
        if let Some(round) = &mut self.round {
            *round = Round::new(&self.log, self.raft.epoch(), round.now());
        }
        self.answer();
        Ok(())
    }

    /// Whether what is not flushed can wait. A flush of the metadata log holds up everybody who writes to the
    /// same file system, twice a second if every NoOp record has its own.
    ///
    /// Kafka differs: it flushes every NoOp record. Here a node that is the whole quorum flushes them with the
    /// next record that means something, or every five seconds; until then they are not committed.
    fn may_flush_later(&mut self) -> bool {
        let now = self.now();
        let by = self
            .flush_no_ops_at
            .get_or_insert_with(|| now.saturating_add(NO_OP_FLUSH_INTERVAL));
        let alone = self.raft.voters().0.len() == 1;
        alone && now < *by && self.meant_end <= self.log.flushed_end()
    }

    /// Answers requests whose records, and those before, are in the image.
    fn answer(&mut self) {
        let end = self.publisher.published_end();
        while self
            .waiting
            .front()
            .is_some_and(|(needed, _)| *needed <= end)
        {
            if let Some((_, decision)) = self.waiting.pop_front() {
                decision.answer();
            }
        }
    }

    /// Fails every request that waits.
    pub(super) fn fail_waiting(&mut self, error: &DecideError) {
        for (_, decision) in self.waiting.drain(..) {
            decision.fail(error.clone());
        }
    }

    /// Gives up the lead and closes the log.
    fn close(&mut self) -> Result<(), QuorumError> {
        let mut effects = Vec::new();
        self.raft.on_shutdown(self.now(), &mut effects);
        self.carry_out(effects)?;
        self.fail_waiting(&DecideError::Stopping);
        while let Ok(job) = self.queue.try_recv() {
            if let Job::Decide { decision, .. } = job {
                decision.fail(DecideError::Stopping);
            }
        }
        self.upkeep.wait();
        self.log.close()
    }
}
