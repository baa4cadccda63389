//! From what the groups decided to records in the log of a shard.

use ottla_base::{Offset, ProducerEpoch, ProducerId, Sequence};
use ottla_coordinator::PutRecord as _;
use ottla_group::{GroupEffects, GroupError, GroupRecord, Now};
use ottla_records::BatchBuilder;
use ottla_records::codec::{Compression, Levels};
use ottla_storage::AppendError;

use super::{Parked, Shard, State};
use crate::partition::PartitionRefusal;

/// Below this size a batch fits any topic whose `max.message.bytes` lets the coordinator work at all.
const SMALL_BATCH_BYTES: usize = 64 << 10;

/// More than what a record of a batch takes beside key and value.
const RECORD_OVERHEAD_BYTES: usize = 32;

/// What a group's client is told when the partition does not take records.
fn refused(refusal: &PartitionRefusal) -> GroupError {
    match refusal {
        PartitionRefusal::NotLeader { .. }
        | PartitionRefusal::FencedLeaderEpoch(_)
        | PartitionRefusal::UnknownLeaderEpoch(_)
        | PartitionRefusal::Storage
        | PartitionRefusal::Append(AppendError::Storage(_)) => GroupError::NotCoordinator,
        PartitionRefusal::NotEnoughReplicas(_) => GroupError::NotAvailable,
        PartitionRefusal::OffsetOutOfRange
        | PartitionRefusal::PolicyViolation
        | PartitionRefusal::Append(_) => GroupError::Unwritable,
    }
}

impl Shard {
    /// Carries out effects: appends, replays, answers, and keeps what has to wait.
    pub(super) fn execute(
        &self,
        state: &mut State,
        mut fx: GroupEffects,
        now: Now,
    ) -> Result<(), GroupError> {
        // What is due now, such as a first rebalance without delay, belongs to the same decision.
        if let Ok(machine) = state.machine()
            && machine.next_deadline().is_some_and(|at| at <= now.mono)
        {
            machine.on_tick(now, &mut fx);
        }
        let result = self.execute_all(state, fx, now);
        if !state.parked.is_empty() && !state.registered {
            self.take_committed(state, now);
        }
        self.set_alarm(state);
        result
    }

    pub(super) fn execute_all(
        &self,
        state: &mut State,
        mut fx: GroupEffects,
        now: Now,
    ) -> Result<(), GroupError> {
        let mut result = Ok(());
        // Ends: what follows from a failure has no continuation that fails in turn for ever, since each
        // one leads to a state in which it does nothing.
        loop {
            let written = self.write(state, &fx, now);
            state.answer(&mut fx);
            let mut next = GroupEffects::default();
            for continuation in fx.continuations.drain(..) {
                let failed = match written {
                    Ok(()) => {
                        let deadline = self.deadline(now);
                        let parked = Parked::Continue(continuation);
                        let until = state.written;
                        match state.parked.park(until, deadline, parked) {
                            Ok(()) => None,
                            Err(Parked::Continue(continuation)) => {
                                Some((continuation, GroupError::NotAvailable))
                            }
                            Err(Parked::Request(_)) => None,
                        }
                    }
                    Err(error) => Some((continuation, error)),
                };
                if let (Some((continuation, error)), Ok(machine)) = (failed, state.machine()) {
                    machine.failed(continuation, error, written.is_ok(), now, &mut next);
                }
            }
            result = result.and(written);
            if next.records.is_empty() && next.replies.is_empty() && next.continuations.is_empty() {
                return result;
            }
            fx = next;
        }
    }

    /// Appends records, in as many batches as have to be, and replays them.
    pub(super) fn write(
        &self,
        state: &mut State,
        fx: &GroupEffects,
        now: Now,
    ) -> Result<(), GroupError> {
        let mut rest = fx.records.as_slice();
        while !rest.is_empty() {
            let max = self.max_batch_bytes(rest.len());
            let (batch, count) = state.build(rest, (max, fx.divisible), self.env.codec, now)?;
            let appended = self
                .partition
                .append_records(&batch, now.wall)
                .map_err(|refusal| refused(&refusal))?;
            let (these, others) = rest.split_at(count);
            rest = others;
            state.written = Offset(appended.last.0.saturating_add(1));
            let machine = state.machine()?;
            for (record, at) in these.iter().zip(appended.base.0..) {
                machine.replay(Offset(at), None, record);
            }
        }
        Ok(())
    }

    pub(super) fn max_batch_bytes(&self, records: usize) -> usize {
        if records == 1 {
            return usize::MAX; // The log itself refuses what is too large.
        }
        let max = self.partition.rules().log.max_message_bytes;
        usize::try_from(max).unwrap_or(usize::MAX)
    }
}

impl State {
    /// A batch of the first records, all of them unless they may be divided, and how many they are.
    pub(super) fn build(
        &mut self,
        records: &[GroupRecord],
        (max_bytes, divisible): (usize, bool),
        codec: Compression,
        now: Now,
    ) -> Result<(BatchBuilder, usize), GroupError> {
        // Apache Kafka's coordinators write a base sequence of 0 where other writers put -1.
        let mut batch = BatchBuilder::new(Offset::ZERO)
            .producer(ProducerId::NONE, ProducerEpoch::NONE, Sequence(0))
            .compression(codec, Levels::default());
        let mut count = 0;
        for record in records {
            let has_value = record
                .put(&mut self.key, &mut self.value)
                .map_err(|_| GroupError::Unwritable)?;
            let size = self.key.len() + self.value.len() + RECORD_OVERHEAD_BYTES;
            let full = batch.uncompressed_size().saturating_add(size) > max_bytes;
            if full && count > 0 && divisible {
                break;
            }
            if full && batch.uncompressed_size() > SMALL_BATCH_BYTES {
                return Err(GroupError::Unwritable);
            }
            let value = has_value.then_some(self.value.as_slice());
            batch
                .append(now.wall, Some(&self.key), value)
                .map_err(|_| GroupError::Unwritable)?;
            count += 1;
        }
        Ok((batch, count))
    }
}
