//! Reading as leader: records, offsets by time, ends of epochs.

use std::sync::Arc;

use ottla_base::{LeaderEpoch, Offset};
use ottla_log::txn_index::AbortedTxn;
use ottla_replication::leader::Leader;
use ottla_storage::{FoundOffset, Log, ProducerInfo, ReadError, ReadSlice, StorageError};

use super::{Partition, PartitionRefusal, State};
use crate::waiters::Wake;

/// What a fetch wants of a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadAsk {
    /// First offset wanted.
    pub(crate) from: Offset,
    /// Bytes wanted at most.
    pub(crate) max_bytes: u32,
    /// Whether one whole batch is to be read even if it is larger.
    pub(crate) min_one: bool,
    /// Whether only records of decided transactions may be read.
    pub(crate) read_committed: bool,
    /// Leader epoch that the client knows; -1 if none.
    pub(crate) current_leader_epoch: i32,
    /// Epoch of the last record that the client has; -1 if none.
    pub(crate) last_fetched_epoch: i32,
}

/// What a fetch is told of a partition.
#[derive(Debug)]
pub(crate) struct PartitionRead {
    /// Every record below it is committed.
    pub(crate) high_watermark: Offset,
    /// Every record below it belongs to a decided transaction, or to none.
    pub(crate) last_stable_offset: Offset,
    /// First offset that can be read.
    pub(crate) log_start: Offset,
    /// Where the records lie; `None` if there are none.
    pub(crate) slice: Option<ReadSlice>,
    /// Transactions that a read_committed reader skips; `None` for other readers.
    pub(crate) aborted: Option<Vec<AbortedTxn>>,
    /// Where the client's log parts from this one (KIP-320): no records then.
    pub(crate) diverging: Option<(LeaderEpoch, Offset)>,
}

/// Which offset of a partition is asked for (ListOffsets).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetQuery {
    /// The log start.
    Earliest,
    /// The high watermark, or the last stable offset.
    Latest,
    /// The first record at or after a time.
    Timestamp(i64),
    /// The record with the largest timestamp (KIP-734).
    MaxTimestamp,
}

impl Partition {
    /// Reads for a consumer.
    pub(crate) fn read(&self, ask: &ReadAsk) -> Result<PartitionRead, PartitionRefusal> {
        let result = self.read_locked(ask);
        if let Err(ReadFailure::Storage(error)) = &result {
            self.storage_failed(error);
        }
        result.map_err(PartitionRefusal::from)
    }

    fn read_locked(&self, ask: &ReadAsk) -> Result<PartitionRead, ReadFailure> {
        let mut state = self.state();
        state.check_epoch(ask.current_leader_epoch)?;
        let (log, leader) = state.leading()?;
        let high_watermark = leader.high_watermark();
        let mut read = PartitionRead {
            high_watermark,
            last_stable_offset: last_stable_offset(log, high_watermark),
            log_start: log.start(),
            slice: None,
            aborted: ask.read_committed.then(Vec::new),
            diverging: None,
        };
        if ask.last_fetched_epoch >= 0 {
            let asked = LeaderEpoch(ask.last_fetched_epoch);
            let (epoch, end) = log
                .end_of_epoch(asked)
                .ok_or(PartitionRefusal::OffsetOutOfRange)?;
            if epoch < asked || end < ask.from {
                read.diverging = Some((epoch, end));
                return Ok(read);
            }
        }
        if ask.from < read.log_start || ask.from > log.end() {
            return Err(PartitionRefusal::OffsetOutOfRange.into());
        }
        let upto = if ask.read_committed {
            read.last_stable_offset
        } else {
            high_watermark
        };
        read.slice = log.read(ask.from, upto, ask.max_bytes, ask.min_one)?;
        if let (Some(aborted), Some(_)) = (&mut read.aborted, &read.slice) {
            *aborted = log.aborted_transactions(ask.from, upto)?;
        }
        Ok(read)
    }

    /// Wakes `wake` when there may be more to read than up to `high_watermark`.
    pub(crate) fn wait_readable(&self, high_watermark: Offset, wake: &Arc<dyn Wake>) {
        let mut state = self.state();
        let next = Offset(high_watermark.0.saturating_add(1));
        match &state.leader {
            Some(leader) if leader.high_watermark() <= high_watermark => {
                state.waiters.add(next, wake);
            }
            _ => {
                drop(state);
                wake.wake();
            }
        }
    }

    /// The producers that the leader knows, by their ids.
    pub(crate) fn producers(&self) -> Result<Vec<ProducerInfo>, PartitionRefusal> {
        let mut state = self.state();
        let (log, _) = state.leading()?;
        let mut producers: Vec<ProducerInfo> = log.producers().collect();
        drop(state);
        producers.sort_unstable_by_key(|producer| producer.id);
        Ok(producers)
    }

    /// Committed bytes for a coordinator that loads: whole batches from the one that holds `from`, at
    /// most `max_bytes` but at least one batch; `None` at the high watermark.
    pub(crate) fn read_committed_bytes(
        &self,
        from: Offset,
        max_bytes: u32,
    ) -> Result<Option<Vec<u8>>, PartitionRefusal> {
        let ask = ReadAsk {
            from,
            max_bytes,
            min_one: true,
            read_committed: false,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        };
        let Some(slice) = self.read(&ask)?.slice else {
            return Ok(None);
        };
        let size = usize::try_from(slice.len).unwrap_or(usize::MAX);
        let mut bytes = vec![0; size];
        match slice.file.read_exact_at(&mut bytes, slice.position) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) => {
                let path = self.env.dirs.path_of(self.dir, &self.topic, self.index);
                self.storage_failed(&StorageError::io("reading a segment", &path, error));
                Err(PartitionRefusal::Storage)
            }
        }
    }

    /// The offset that `query` asks for, with its timestamp and epoch; -1 and no epoch where there is
    /// none.
    pub(crate) fn find_offset(
        &self,
        query: OffsetQuery,
        read_committed: bool,
        current_leader_epoch: i32,
    ) -> Result<FoundOffset, PartitionRefusal> {
        let result = self.find_offset_locked(query, read_committed, current_leader_epoch);
        if let Err(ReadFailure::Storage(error)) = &result {
            self.storage_failed(error);
        }
        result.map_err(PartitionRefusal::from)
    }

    fn find_offset_locked(
        &self,
        query: OffsetQuery,
        read_committed: bool,
        current_leader_epoch: i32,
    ) -> Result<FoundOffset, ReadFailure> {
        let mut state = self.state();
        state.check_epoch(current_leader_epoch)?;
        let (log, leader) = state.leading()?;
        let high_watermark = leader.high_watermark();
        let upto = if read_committed {
            last_stable_offset(log, high_watermark)
        } else {
            high_watermark
        };
        let at = |offset: Offset, log: &Log| FoundOffset {
            offset,
            timestamp: -1,
            epoch: log.epoch_of(offset),
        };
        let nothing = FoundOffset {
            offset: Offset::UNKNOWN,
            timestamp: -1,
            epoch: None,
        };
        Ok(match query {
            OffsetQuery::Earliest => at(log.start(), log),
            OffsetQuery::Latest => FoundOffset {
                epoch: log.latest_epoch(),
                ..at(upto, log)
            },
            OffsetQuery::Timestamp(timestamp) => log
                .offset_for_timestamp(timestamp, upto)?
                .unwrap_or(nothing),
            OffsetQuery::MaxTimestamp => log.offset_of_max_timestamp(upto)?.unwrap_or(nothing),
        })
    }

    /// The largest epoch up to `epoch` and the end of its records (OffsetForLeaderEpoch, KIP-101); `None`
    /// if the log knows of none.
    pub(crate) fn end_of_epoch(
        &self,
        epoch: LeaderEpoch,
        current_leader_epoch: i32,
    ) -> Result<Option<(LeaderEpoch, Offset)>, PartitionRefusal> {
        let mut state = self.state();
        state.check_epoch(current_leader_epoch)?;
        let (log, _) = state.leading()?;
        Ok(log.end_of_epoch(epoch))
    }
}

/// Below it no transaction is open.
fn last_stable_offset(log: &Log, high_watermark: Offset) -> Offset {
    log.first_unstable_offset(high_watermark)
        .map_or(high_watermark, |first| first.min(high_watermark))
}

/// A refusal, or a fault of the disk that has consequences beyond the request.
#[derive(Debug)]
enum ReadFailure {
    Refused(PartitionRefusal),
    Storage(StorageError),
}

impl From<PartitionRefusal> for ReadFailure {
    fn from(refusal: PartitionRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StorageError> for ReadFailure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<ReadError> for ReadFailure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutOfRange { .. } => Self::Refused(PartitionRefusal::OffsetOutOfRange),
            ReadError::Storage(error) => Self::Storage(error),
        }
    }
}

impl From<ReadFailure> for PartitionRefusal {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Refused(refusal) => refusal,
            ReadFailure::Storage(_) => Self::Storage,
        }
    }
}

impl State {
    /// The high watermark, from the leader where this node is it.
    pub(super) fn known_high_watermark(&self) -> Offset {
        self.leader
            .as_ref()
            .map_or(self.high_watermark, Leader::high_watermark)
    }
}
