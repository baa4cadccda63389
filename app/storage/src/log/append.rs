//! Appending as leader: one batch, one write.

use std::io::IoSlice;

use ottla_base::{LeaderEpoch, Offset, WallMillis};
use ottla_log::entry::EntryHeader;
use ottla_log::producer_state::{Author, ProducerRefusal, Verdict};
use ottla_log::roll::Incoming;
use ottla_records::control::EndTxnMarker;
use ottla_records::{BatchError, BatchHeader};

use super::producers::marker_of;
use super::{AppendError, Appended, LeaderBatch, Log, Origin, StorageError};

impl Log {
    /// Appends one batch as leader: judges its producer (KIP-98), rolls if it is time, gives it its offsets, writes it
    /// and takes note of it. Does not flush.
    ///
    /// # Errors
    /// [`AppendError`]. The log is as it was before; after an error of the disk, other than that it is full, it takes
    /// no more appends.
    pub fn append(&mut self, batch: LeaderBatch<'_>) -> Result<Appended, AppendError> {
        self.check_open()?;
        let size = self.check_size(&batch)?;
        let mut header = batch.header;
        header.base_offset = self.end;
        header.partition_leader_epoch = batch.epoch;
        let last = check_offsets(&header)?;
        let marker = if batch.origin == Origin::Raft {
            None
        } else {
            marker_of(&header, batch.payload)
        };
        if batch.origin == Origin::Coordinator && header.attributes.is_control() && marker.is_none()
        {
            return Err(AppendError::Invalid(
                "a control batch that is no transaction marker",
            ));
        }
        if let Some(duplicate) = self.judge(&header, marker.as_ref(), batch.origin)? {
            return Ok(duplicate);
        }
        if batch.epoch > LeaderEpoch::UNKNOWN {
            self.assign_epoch(batch.epoch, self.end);
        }
        let incoming = Incoming {
            bytes: size,
            max_timestamp: header.max_timestamp.0,
            last_offset: last,
        };
        self.prepare_append(self.end, &incoming, batch.now)
            .or_else(|e| self.fail(e))?;
        let encoded = header.encode();
        self.write_batches(&[IoSlice::new(&encoded), IoSlice::new(batch.payload)])?;
        self.index_aborted(&header, marker.as_ref())?;
        self.note_entry(&EntryHeader::Batch(header), marker.as_ref());
        Ok(Appended {
            base: header.base_offset,
            last,
            duplicate: None,
        })
    }

    /// An error if an earlier one closed this log.
    pub(super) fn check_open(&self) -> Result<(), StorageError> {
        if self.failed {
            Err(StorageError::Failed {
                path: self.path.clone(),
            })
        } else {
            Ok(())
        }
    }

    /// Closes the log for appends after `error`, unless the disk was only full.
    pub(super) fn fail<T>(&mut self, error: StorageError) -> Result<T, StorageError> {
        if !error.is_full() && !self.failed {
            tracing::error!(log = %self.path.display(), %error, "the log takes no more appends");
            self.failed = true;
        }
        Err(error)
    }

    fn check_size(&self, batch: &LeaderBatch<'_>) -> Result<u32, AppendError> {
        let size = batch.header.size_in_bytes();
        let have = ottla_records::HEADER_SIZE + batch.payload.len();
        if size != have {
            return Err(AppendError::Corrupt(BatchError::Truncated {
                needed: size,
                have,
            }));
        }
        let bytes = u32::try_from(size).unwrap_or(u32::MAX);
        if batch.origin != Origin::Raft {
            let max = self.config.max_message_bytes;
            if bytes > max {
                return Err(AppendError::TooLarge { size, max });
            }
            let max = self.config.segment_bytes;
            if bytes > max {
                return Err(AppendError::LargerThanSegment { size, max });
            }
        }
        Ok(bytes)
    }

    /// What the producers say: an answer if the batch was appended before.
    fn judge(
        &self,
        header: &BatchHeader,
        marker: Option<&EndTxnMarker>,
        origin: Origin,
    ) -> Result<Option<Appended>, AppendError> {
        let author = match origin {
            Origin::Raft => return Ok(None),
            _ if header.producer_id.0 < 0 => return Ok(None),
            Origin::Client => Author::Client,
            Origin::Coordinator => Author::Coordinator,
        };
        match self.producers.check(header, marker, author) {
            Ok(Verdict::Fresh) => Ok(None),
            Ok(Verdict::Duplicate {
                base,
                last,
                timestamp,
            }) => Ok(Some(Appended {
                base,
                last,
                duplicate: Some(WallMillis(timestamp)),
            })),
            Err(refusal) => Err(refused(header, refusal)),
        }
    }

    /// Writes behind the last batch. If that fails, nothing of it stays.
    pub(super) fn write_batches(&mut self, parts: &[IoSlice<'_>]) -> Result<(), StorageError> {
        let Some(active) = self.segments.last() else {
            return self.check_open();
        };
        let file = active.file()?;
        let size = u64::from(active.size);
        match file.write_all_at(parts, size) {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = StorageError::io("appending to a segment", active.path(), error);
                self.undo_write(error)
            }
        }
    }

    /// Cuts off what a failed append may have left. The log goes on only if the disk was full and the cut is made.
    pub(super) fn undo_write(&mut self, error: StorageError) -> Result<(), StorageError> {
        let Some(active) = self.segments.last() else {
            return Err(error);
        };
        let cut = active.file().map(|file| file.set_len(active.size.into()));
        match cut {
            Ok(Ok(())) => self.fail(error),
            Ok(Err(uncut)) => {
                let path = active.path();
                let uncut = StorageError::io("cutting off a failed append", path, uncut);
                self.fail(uncut.into_fault())
            }
            Err(uncut) => self.fail(uncut.into_fault()),
        }
    }

    /// Writes the transaction that a marker at the log end aborts into the index, before the marker counts.
    fn index_aborted(
        &mut self,
        header: &BatchHeader,
        marker: Option<&EndTxnMarker>,
    ) -> Result<(), StorageError> {
        let Some(marker) = marker else { return Ok(()) };
        let completed = self
            .producers
            .completes(header.producer_id, marker, header.base_offset);
        let Some(aborted) = completed.and_then(|txn| txn.aborted()) else {
            return Ok(());
        };
        let Some(active) = self.segments.last_mut() else {
            return Ok(());
        };
        if let Err(error) = active.write_txn(&aborted) {
            return self.undo_write(error);
        }
        if active.txn_entries == 1 {
            self.unflushed.note_name();
        }
        self.unflushed.note_txn();
        Ok(())
    }

    /// Takes note of an entry that was written behind the last one: now it is part of the log.
    pub(super) fn note_entry(&mut self, entry: &EntryHeader, marker: Option<&EndTxnMarker>) {
        let Some(active) = self.segments.last_mut() else {
            return;
        };
        if let Some(tail) = &mut self.tail {
            tail.on_entry(active.base, active.size, entry, &self.config);
        }
        // A segment is closed before its size does not fit.
        active.size = active.size.saturating_add(entry.size());
        self.end = entry.next_offset();
        self.unflushed.unclosed = true;
        self.bytes_since_snapshot += u64::from(entry.size());
        if let EntryHeader::Batch(header) = entry {
            self.note_producer(header, marker);
        }
    }
}

/// The last offset of a batch, if its offsets are possible.
pub(super) fn check_offsets(header: &BatchHeader) -> Result<Offset, AppendError> {
    if header.last_offset_delta < 0 {
        return Err(AppendError::Invalid("a negative last offset delta"));
    }
    let last = header
        .base_offset
        .checked_add(i64::from(header.last_offset_delta));
    match last {
        Some(last) if header.base_offset.0 >= 0 && last.0 < i64::MAX => Ok(last),
        _ => Err(AppendError::UnexpectedOffset {
            expected: header.base_offset,
            found: header.base_offset,
        }),
    }
}

fn refused(header: &BatchHeader, refusal: ProducerRefusal) -> AppendError {
    let producer_id = header.producer_id;
    match refusal {
        ProducerRefusal::OutOfOrderSequence { last, found } => AppendError::OutOfOrderSequence {
            producer_id,
            epoch: header.producer_epoch,
            last,
            found,
        },
        ProducerRefusal::InvalidProducerEpoch { current, found } => {
            AppendError::InvalidProducerEpoch {
                producer_id,
                current,
                found,
            }
        }
        ProducerRefusal::CoordinatorFenced { current, found } => {
            AppendError::TransactionCoordinatorFenced { current, found }
        }
        ProducerRefusal::InvalidTxnState => AppendError::InvalidTxnState { producer_id },
    }
}
