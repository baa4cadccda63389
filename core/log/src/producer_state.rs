//! What a partition knows of its idempotent producers and of their transactions (KIP-98).
//!
//! Responsible for: recognising a batch that was appended before, refusing gaps and old epochs, knowing which
//! transactions are open (nothing from the first of them on is stable), and expiry. The leader asks
//! [`ProducerStates::check`] before it writes; leader, follower and recovery tell [`ProducerStates::apply`] what
//! is in the log. Not here: whether a transaction was verified with its coordinator, and files.

use std::collections::BTreeMap;

use ottla_base::{Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};
use ottla_records::BatchHeader;
use ottla_records::control::{EndTxnMarker, TxnResult};

use crate::txn_index::AbortedTxn;

/// Batches of a producer that a repetition of is recognised: as many as a client has in flight.
pub const BATCHES_KEPT: usize = 5;

/// Epoch of a coordinator that has not written a marker.
pub const NO_COORDINATOR_EPOCH: i32 = -1;

/// One appended batch of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSpan {
    /// Sequence of its last record; -1 for records of a coordinator, which have none.
    pub last_sequence: Sequence,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// From its first offset to its last.
    pub offset_delta: i32,
    /// Its largest timestamp.
    pub timestamp: i64,
}

impl BatchSpan {
    /// The batch of a header with its offset assigned.
    #[must_use]
    pub fn of(header: &BatchHeader) -> Self {
        Self {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp.0,
        }
    }

    /// Sequence of its first record.
    #[must_use]
    pub fn first_sequence(&self) -> Sequence {
        const SPACE: i64 = 1 << 31;
        if self.last_sequence.0 < 0 {
            return Sequence::NONE;
        }
        let first = i64::from(self.last_sequence.0) - i64::from(self.offset_delta);
        Sequence(i32::try_from(first.rem_euclid(SPACE)).expect("below 2^31"))
    }

    /// Offset of its first record.
    #[must_use]
    pub fn first_offset(&self) -> Offset {
        Offset(
            self.last_offset
                .0
                .saturating_sub(i64::from(self.offset_delta)),
        )
    }
}

/// The last batches of a producer, oldest first. In place: a producer costs one allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Recent {
    spans: [BatchSpan; BATCHES_KEPT],
    len: u8,
}

impl Recent {
    const EMPTY: Self = Self {
        spans: [BatchSpan {
            last_sequence: Sequence::NONE,
            last_offset: Offset::UNKNOWN,
            offset_delta: 0,
            timestamp: -1,
        }; BATCHES_KEPT],
        len: 0,
    };

    fn as_slice(&self) -> &[BatchSpan] {
        &self.spans[..usize::from(self.len)]
    }

    fn push(&mut self, span: BatchSpan) {
        if usize::from(self.len) == BATCHES_KEPT {
            self.spans.rotate_left(1);
            self.spans[BATCHES_KEPT - 1] = span;
        } else {
            self.spans[usize::from(self.len)] = span;
            self.len += 1;
        }
    }
}

/// What is known of one producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerEntry {
    /// Who.
    pub id: ProducerId,
    /// The latest epoch.
    pub epoch: ProducerEpoch,
    /// Epoch of the coordinator that wrote the last marker; [`NO_COORDINATOR_EPOCH`] without one.
    pub coordinator_epoch: i32,
    /// Time of the last batch or marker; what expiry counts from.
    pub last_timestamp: i64,
    /// First offset of the open transaction.
    pub txn_start: Option<Offset>,
    recent: Recent,
}

impl ProducerEntry {
    /// A producer that has no batch yet.
    #[must_use]
    pub fn new(id: ProducerId, epoch: ProducerEpoch) -> Self {
        Self {
            id,
            epoch,
            coordinator_epoch: NO_COORDINATOR_EPOCH,
            last_timestamp: -1,
            txn_start: None,
            recent: Recent::EMPTY,
        }
    }

    /// Its last batches in its epoch, oldest first.
    #[must_use]
    pub fn batches(&self) -> &[BatchSpan] {
        self.recent.as_slice()
    }

    /// Its last batch in its epoch.
    #[must_use]
    pub fn last_batch(&self) -> Option<&BatchSpan> {
        self.batches().last()
    }

    /// Sequence of its last record; -1 without one.
    #[must_use]
    pub fn last_sequence(&self) -> Sequence {
        self.last_batch()
            .map_or(Sequence::NONE, |b| b.last_sequence)
    }

    /// Adds a batch to those that are recognised.
    pub fn remember(&mut self, span: BatchSpan) {
        self.recent.push(span);
    }

    fn set_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.recent = Recent::EMPTY;
        }
    }

    fn is_expired(&self, now: WallMillis, expiration_ms: i64) -> bool {
        self.txn_start.is_none() && now.0.saturating_sub(self.last_timestamp) >= expiration_ms
    }
}

/// Whose batch it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A producer: everything is checked.
    Client,
    /// A coordinator on behalf of a producer: epochs are checked, sequences are not there.
    Coordinator,
}

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Append it.
    Fresh,
    /// It was appended before, at these offsets.
    Duplicate {
        /// Offset of its first record.
        base: Offset,
        /// Offset of its last record.
        last: Offset,
        /// Its largest timestamp.
        timestamp: i64,
    },
}

/// Why a batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProducerRefusal {
    /// OUT_OF_ORDER_SEQUENCE_NUMBER.
    #[error("sequence does not follow last={last} found={found}")]
    OutOfOrderSequence {
        /// The producer's last sequence in this epoch; -1 without one.
        last: Sequence,
        /// The batch's first.
        found: Sequence,
    },
    /// INVALID_PRODUCER_EPOCH.
    #[error("producer epoch is old current={current} found={found}")]
    InvalidProducerEpoch {
        /// The latest epoch.
        current: ProducerEpoch,
        /// The batch's.
        found: ProducerEpoch,
    },
    /// TRANSACTION_COORDINATOR_FENCED.
    #[error("coordinator epoch is old current={current} found={found}")]
    CoordinatorFenced {
        /// The latest epoch.
        current: i32,
        /// The marker's.
        found: i32,
    },
    /// INVALID_TXN_STATE.
    #[error("not part of the producer's open transaction")]
    InvalidTxnState,
}

/// A transaction that a marker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompletedTxn {
    /// Whose.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// Its marker.
    pub last_offset: Offset,
    /// How it ended.
    pub result: TxnResult,
    /// Everything below was decided when the marker was written.
    pub last_stable_offset: Offset,
}

impl CompletedTxn {
    /// The entry for the transaction index, if readers have to skip its records.
    #[must_use]
    pub fn aborted(&self) -> Option<AbortedTxn> {
        (self.result == TxnResult::Abort).then_some(AbortedTxn {
            producer_id: self.producer_id,
            first_offset: self.first_offset,
            last_offset: self.last_offset,
            last_stable_offset: self.last_stable_offset,
        })
    }
}

/// All producers of a partition.
///
/// Bounded by expiry, and by how many producer ids a cluster hands out in that time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerStates {
    // Boxed: a map of one or two producers, the usual case, stays small.
    producers: BTreeMap<ProducerId, Box<ProducerEntry>>,
    /// Open transactions by first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// Ended transactions, first offset to marker, until the high watermark has passed the marker.
    decided: BTreeMap<Offset, Offset>,
}

impl ProducerStates {
    /// Whether no producer is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Number of producers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// The producers by id.
    pub fn iter(&self) -> impl Iterator<Item = &ProducerEntry> {
        self.producers.values().map(|entry| &**entry)
    }

    /// One producer.
    #[must_use]
    pub fn get(&self, id: ProducerId) -> Option<&ProducerEntry> {
        self.producers.get(&id).map(|entry| &**entry)
    }

    /// Takes over what a snapshot says of a producer.
    pub fn load(&mut self, entry: ProducerEntry) {
        if let Some(start) = entry.txn_start {
            self.open.insert(start, entry.id);
        }
        self.producers.insert(entry.id, Box::new(entry));
    }

    /// Puts older batches before those that are recognised, if `spans` (oldest first) leads up to the last one.
    /// A snapshot holds one batch a producer; the log has the others.
    pub fn recall(&mut self, id: ProducerId, epoch: ProducerEpoch, spans: &[BatchSpan]) {
        let Some(entry) = self.producers.get_mut(&id) else {
            return;
        };
        let fits = entry.epoch == epoch
            && entry.batches().len() == 1
            && spans.last().map(|s| s.last_offset) == entry.last_batch().map(|s| s.last_offset);
        if fits {
            entry.recent = Recent::EMPTY;
            spans.iter().for_each(|span| entry.recent.push(*span));
        }
    }

    /// Decides on a batch for which the leader is asked. `marker` is what a control batch says.
    ///
    /// # Errors
    /// [`ProducerRefusal`]; nothing is changed in any case.
    pub fn check(
        &self,
        header: &BatchHeader,
        marker: Option<&EndTxnMarker>,
        author: Author,
    ) -> Result<Verdict, ProducerRefusal> {
        let Some(entry) = self.get(header.producer_id) else {
            // Nothing is known: expired, deleted by retention, or new. Any sequence is a beginning.
            return Ok(Verdict::Fresh);
        };
        if marker.is_none()
            && author == Author::Client
            && let Some(span) = find_duplicate(entry, header)
        {
            return Ok(Verdict::Duplicate {
                base: span.first_offset(),
                last: span.last_offset,
                timestamp: span.timestamp,
            });
        }
        if header.producer_epoch < entry.epoch {
            return Err(ProducerRefusal::InvalidProducerEpoch {
                current: entry.epoch,
                found: header.producer_epoch,
            });
        }
        if let Some(marker) = marker {
            return if marker.coordinator_epoch < entry.coordinator_epoch {
                Err(ProducerRefusal::CoordinatorFenced {
                    current: entry.coordinator_epoch,
                    found: marker.coordinator_epoch,
                })
            } else {
                Ok(Verdict::Fresh)
            };
        }
        if author == Author::Client {
            check_sequence(entry, header)?;
        }
        if entry.txn_start.is_some() && !header.attributes.is_transactional() {
            return Err(ProducerRefusal::InvalidTxnState);
        }
        Ok(Verdict::Fresh)
    }

    /// Which transaction a marker would end if it stood at `offset`.
    #[must_use]
    pub fn completes(
        &self,
        id: ProducerId,
        marker: &EndTxnMarker,
        offset: Offset,
    ) -> Option<CompletedTxn> {
        let first_offset = self.get(id)?.txn_start?;
        let others = self.open.iter().find(|(_, producer)| **producer != id);
        Some(CompletedTxn {
            producer_id: id,
            first_offset,
            last_offset: offset,
            result: marker.result,
            last_stable_offset: match others {
                Some((start, _)) => *start,
                None => Offset(offset.0.saturating_add(1)),
            },
        })
    }

    /// Takes note of a batch that is in the log, whatever it says: what a leader accepted is true.
    /// Returns the transaction that it ended.
    pub fn apply(
        &mut self,
        header: &BatchHeader,
        marker: Option<&EndTxnMarker>,
    ) -> Option<CompletedTxn> {
        let id = header.producer_id;
        if id.0 < 0 {
            return None;
        }
        let completed = marker.and_then(|m| self.completes(id, m, header.base_offset));
        if header.attributes.is_control() && marker.is_none() {
            // The marker was compacted away, or is of a kind to come.
            return None;
        }
        let entry = self
            .producers
            .entry(id)
            .or_insert_with(|| Box::new(ProducerEntry::new(id, header.producer_epoch)));
        entry.set_epoch(header.producer_epoch);
        entry.last_timestamp = header.max_timestamp.0;
        if let Some(marker) = marker {
            entry.coordinator_epoch = marker.coordinator_epoch;
            entry.txn_start = None;
            if let Some(txn) = &completed {
                self.open.remove(&txn.first_offset);
                self.decided.insert(txn.first_offset, txn.last_offset);
            }
            return completed;
        }
        entry.remember(BatchSpan::of(header));
        if header.attributes.is_transactional() && entry.txn_start.is_none() {
            entry.txn_start = Some(header.base_offset);
            self.open.insert(header.base_offset, id);
        }
        None
    }

    /// The first offset that is not stable: of a transaction that is open, or whose marker is not below the high
    /// watermark.
    #[must_use]
    pub fn first_unstable_offset(&self, high_watermark: Offset) -> Option<Offset> {
        // In order of first offsets, so the first that the high watermark has not passed is the least.
        let decided = self
            .decided
            .iter()
            .find(|(_, marker)| **marker >= high_watermark);
        let open = self.open.first_key_value();
        match (decided, open) {
            (Some((a, _)), Some((b, _))) => Some(*a.min(b)),
            (Some((a, _)), None) | (None, Some((a, _))) => Some(*a),
            (None, None) => None,
        }
    }

    /// Forgets ended transactions whose markers are below the high watermark.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        if !self.decided.is_empty() {
            self.decided.retain(|_, marker| *marker >= high_watermark);
        }
    }

    /// The first offset of an open transaction.
    #[must_use]
    pub fn first_undecided_offset(&self) -> Option<Offset> {
        self.open.first_key_value().map(|(offset, _)| *offset)
    }

    /// Forgets producers that were silent for `expiration_ms` and have no transaction open.
    pub fn expire(&mut self, now: WallMillis, expiration_ms: i64) {
        self.producers
            .retain(|_, entry| !entry.is_expired(now, expiration_ms));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn find_duplicate<'a>(entry: &'a ProducerEntry, header: &BatchHeader) -> Option<&'a BatchSpan> {
    if entry.epoch != header.producer_epoch {
        return None;
    }
    let (first, last) = (header.base_sequence, header.last_sequence());
    // The newest first: that is the one which is repeated.
    entry
        .batches()
        .iter()
        .rev()
        .find(|b| b.last_sequence == last && b.first_sequence() == first)
}

fn check_sequence(entry: &ProducerEntry, header: &BatchHeader) -> Result<(), ProducerRefusal> {
    let found = header.base_sequence;
    // A new epoch begins at 0, and so does one that has markers only.
    let last = if header.producer_epoch == entry.epoch {
        entry.last_sequence()
    } else {
        Sequence::NONE
    };
    let expected = if last == Sequence::NONE {
        Sequence(0)
    } else {
        last.advance(1)
    };
    if found == expected || entry.epoch == ProducerEpoch::NONE {
        Ok(())
    } else {
        Err(ProducerRefusal::OutOfOrderSequence { last, found })
    }
}

#[cfg(test)]
mod tests;
