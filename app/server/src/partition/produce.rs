//! Appending as leader.

use std::sync::Arc;
use std::time::Duration;

use ottla_base::{LeaderEpoch, MonoTime, Offset, WallMillis};
use ottla_env::Clock;
use ottla_records::BatchBuilder;
use ottla_records::codec::Compressor;
use ottla_records::validate::Validated;
use ottla_records::{BatchHeader, HEADER_SIZE};
use ottla_replication::Acks;
use ottla_replication::leader::{FlushPolicy, Leader};
use ottla_storage::{AppendError, Flushable, LeaderBatch, Log, Origin, StorageError};

use super::{Appended, Partition, PartitionRefusal, State};
use crate::waiters::Wake;

/// What an append waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The high watermark: as many copies as acks=all asks.
    Committed,
    /// This node's disk.
    OnDisk,
}

/// Whether an append has what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acked {
    /// Yes.
    Yes,
    /// Not yet; whoever asked is woken.
    NotYet,
    /// Another leader may have cut it off.
    LeaderLost,
}

thread_local! {
    /// Whom an append wakes; kept so that waking costs no allocation.
    static WOKEN: std::cell::RefCell<Vec<Arc<dyn Wake>>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Runs `body` with an empty list, then wakes everybody that it put in.
pub(super) fn waking<T>(body: impl FnOnce(&mut Vec<Arc<dyn Wake>>) -> T) -> T {
    let mut woken = WOKEN.take();
    let result = body(&mut woken);
    for wake in woken.drain(..) {
        wake.wake();
    }
    WOKEN.set(woken);
    result
}

impl Partition {
    /// Appends a client's batch that was checked against the topic's rules.
    pub(crate) fn append_client(
        self: &Arc<Self>,
        batch: &Validated<'_>,
        acks: Acks,
        now: WallMillis,
    ) -> Result<Appended, PartitionRefusal> {
        let leader_batch = |epoch| LeaderBatch {
            header: batch.header,
            payload: batch.payload.as_slice(),
            epoch,
            origin: Origin::Client,
            now,
        };
        self.append(acks == Acks::AllInSync, leader_batch)
    }

    /// Appends records of a coordinator as leader; the answer has to wait for
    /// [`Self::wait_committed`] of `last + 1`.
    pub(crate) fn append_records(
        self: &Arc<Self>,
        batch: &BatchBuilder,
        now: WallMillis,
    ) -> Result<Appended, PartitionRefusal> {
        let mut bytes = Vec::new();
        let header = batch
            .build_into(&mut Compressor::new(), &mut bytes)
            .map_err(|_| {
                PartitionRefusal::Append(AppendError::Invalid("records do not fit a batch"))
            })?;
        self.append_built(&header, bytes.get(HEADER_SIZE..).unwrap_or_default(), now)
    }

    fn append_built(
        self: &Arc<Self>,
        header: &BatchHeader,
        payload: &[u8],
        now: WallMillis,
    ) -> Result<Appended, PartitionRefusal> {
        self.append(true, |epoch| LeaderBatch {
            header: *header,
            payload,
            epoch,
            origin: Origin::Coordinator,
            now,
        })
    }

    fn append<'b>(
        self: &Arc<Self>,
        all_in_sync: bool,
        batch: impl FnOnce(LeaderEpoch) -> LeaderBatch<'b>,
    ) -> Result<Appended, PartitionRefusal> {
        let mut alone = true;
        let result = waking(|woken| {
            let mut state = self.state();
            let min_insync_replicas = state.rules.min_insync_replicas;
            if state.draining {
                return Err(state.not_leader());
            }
            let (log, leader) = state.leading()?;
            if all_in_sync {
                leader.check_write(min_insync_replicas)?;
            }
            let epoch = leader.epoch();
            alone = leader.assignment().isr.len() == 1;
            let written = log.append(batch(epoch)).map_err(PartitionRefusal::Append)?;
            let log_start = log.start();
            let end = log.end();
            let waits_for_disk = state.waits_for_disk(self.env.policy, alone);
            let is_due = !waits_for_disk && state.is_flush_due(end);
            let (_, leader) = state.leading()?;
            if is_due {
                leader.hold_for_flush(written.base, end);
            }
            let moved = leader.on_append(end);
            let on_disk = if waits_for_disk {
                Some(Offset(written.last.0.saturating_add(1)))
            } else {
                leader.held_until()
            };
            state.take_woken(moved, woken);
            let appended = Appended {
                base: written.base,
                last: written.last,
                epoch,
                log_start,
                duplicate: written.duplicate,
                on_disk,
            };
            let must_flush = !state.flush_queued && (waits_for_disk || is_due);
            state.flush_queued |= must_flush;
            let deadline = if must_flush {
                None
            } else {
                state.flush_deadline(&*self.env.storage.clock)
            };
            drop(state);
            if must_flush {
                let this: Arc<dyn Flushable> = Arc::<Self>::clone(self);
                self.env.flusher.submit(this);
            } else if let Some(deadline) = deadline {
                let this: Arc<dyn Flushable> = Arc::<Self>::clone(self);
                self.env.flusher.submit_by(this, deadline);
            }
            Ok(appended)
        });
        if let Err(PartitionRefusal::Append(AppendError::Storage(error))) = &result {
            self.append_failed(error, alone);
        }
        result
    }

    fn append_failed(&self, error: &StorageError, alone: bool) {
        if error.is_full() && !alone {
            // Another replica has room, or its own directory goes offline.
            self.env.dirs.take_offline(self.dir, error);
        } else {
            self.storage_failed(error);
        }
    }

    /// Whether everything below `end`, appended under `epoch`, has what it waits for.
    /// `wake` is woken when a `NotYet` may have changed.
    pub(crate) fn acked(
        &self,
        awaited: Awaited,
        end: Offset,
        epoch: LeaderEpoch,
        wake: &Arc<dyn Wake>,
    ) -> Acked {
        let mut state = self.state();
        match &state.leader {
            Some(leader) if leader.epoch() == epoch => {
                let reached = match awaited {
                    Awaited::Committed => leader.high_watermark(),
                    Awaited::OnDisk => leader.flushed_end(),
                };
                if end <= reached {
                    Acked::Yes
                } else {
                    state.waiters.add(end, wake);
                    Acked::NotYet
                }
            }
            // It was committed before another leader came, so that one has it.
            _ if state
                .last_led
                .is_some_and(|(led, committed)| led == epoch && end <= committed) =>
            {
                Acked::Yes
            }
            _ => Acked::LeaderLost,
        }
    }

    /// Refuses appends from now on, because the node stops. What was appended and waits for this node's disk goes on
    /// to be committed, up to the offset returned: a producer that had to send it again to the next leader might be
    /// told that it is out of order, because the file with the state of producers knows but the last batch of each.
    pub(crate) fn drain(self: &Arc<Self>) -> Option<Offset> {
        let mut state = self.state();
        state.draining = true;
        let end = state.log.as_ref().map(Log::end)?;
        let waits = state.leader.as_ref()?.high_watermark() < end && state.is_behind_disk();
        let must_flush = waits && !state.flush_queued;
        state.flush_queued |= must_flush;
        drop(state);
        if must_flush {
            let this: Arc<dyn Flushable> = Arc::<Self>::clone(self);
            self.env.flusher.submit(this);
        }
        waits.then_some(end)
    }
}

impl State {
    /// Whether the high watermark waits for this node's own disk; `alone` says that no other replica is in
    /// sync.
    fn waits_for_disk(&self, policy: FlushPolicy, alone: bool) -> bool {
        match self.rules.flush_policy(policy) {
            FlushPolicy::Always => true,
            FlushPolicy::Alone => alone,
            FlushPolicy::Never => false,
        }
    }

    /// Whether `flush.messages` asks for a flush of a log that ends at `end`. The append that reaches the number
    /// waits for it, as does what is appended meanwhile.
    fn is_flush_due(&mut self, end: Offset) -> bool {
        let flushed = self.log.as_ref().map_or(end, Log::flushed_end);
        let unflushed = end.0.saturating_sub(flushed.0.max(self.flush_asked.0));
        let due = unflushed >= self.rules.log.flush_messages;
        if due {
            self.flush_asked = end;
        }
        due
    }

    /// Until when `flush.ms` wants what was just appended flushed; `None` if never, or if the flusher knows
    /// of an earlier time.
    ///
    /// Kafka differs: it looks for such logs every `log.flush.scheduler.interval.ms`, which is never unless
    /// that is set.
    fn flush_deadline(&mut self, clock: &dyn Clock) -> Option<MonoTime> {
        let flush_ms = self.rules.log.flush_ms;
        if flush_ms == i64::MAX || self.flush_queued || self.flush_by.is_some() {
            return None;
        }
        let pause = Duration::from_millis(u64::try_from(flush_ms).unwrap_or(0));
        self.flush_by = Some(clock.mono().saturating_add(pause));
        self.flush_by
    }

    /// Tells the leader how far its log is flushed.
    pub(super) fn flushed(&mut self, upto: Offset) -> Option<Offset> {
        self.leader
            .as_mut()
            .map(|leader: &mut Leader| leader.on_flush(upto))?
    }
}
