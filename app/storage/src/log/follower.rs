//! Appending what a leader sent: offsets, epochs and bytes as they are.

use std::io::IoSlice;

use ottla_base::{Offset, WallMillis};
use ottla_log::entry::{EntryError, EntryHeader};
use ottla_log::roll::{Incoming, SEGMENT_BYTES_MAX};
use ottla_log::txn_index::AbortedTxn;
use ottla_records::{Entry, HEADER_SIZE};

use super::producers::marker_of;
use super::{AppendError, Log, StorageError};

/// Batches that go into one segment by one write.
struct Chunk<'a> {
    bytes: &'a [u8],
    incoming: Incoming,
    first_offset: Offset,
}

impl Log {
    /// Appends the whole batches at the front of `batches`, as a leader sent them, and ignores one that is cut off
    /// behind them. Returns the new log end. Does not flush.
    ///
    /// # Errors
    /// [`AppendError::Corrupt`] or [`AppendError::UnexpectedOffset`] with nothing appended; [`AppendError::Storage`],
    /// with those batches appended that lie below the new log end.
    pub fn append_as_follower(
        &mut self,
        batches: &[u8],
        now: WallMillis,
    ) -> Result<Offset, AppendError> {
        self.check_open()?;
        let whole = self.check_batches(batches)?;
        let mut rest = batches.get(..whole).unwrap_or_default();
        while !rest.is_empty() {
            let chunk = self.next_chunk(rest, now)?;
            rest = rest.get(chunk.bytes.len()..).unwrap_or_default();
            if let Err(error) = self.append_chunk(&chunk, now) {
                // Epochs of what was not appended did not begin.
                self.epochs_unsaved |= self.epochs.truncate_from_end(self.end);
                return Err(error.into());
            }
        }
        Ok(self.end)
    }

    /// Checks all batches before the first is written; returns the bytes of the whole ones.
    fn check_batches(&self, batches: &[u8]) -> Result<usize, AppendError> {
        let mut rest = batches;
        let mut expected = self.end;
        loop {
            let Some((entry, header)) = next_entry(rest)? else {
                return Ok(batches.len() - rest.len());
            };
            entry.verify_crc().map_err(AppendError::Corrupt)?;
            let found = header.first_offset();
            if found < expected {
                return Err(AppendError::UnexpectedOffset { expected, found });
            }
            expected = header.next_offset();
            rest = rest.get(entry.size_in_bytes()..).unwrap_or_default();
        }
    }

    /// As many batches of `rest` as go into the active segment, or into a new one if none does.
    fn next_chunk<'a>(
        &mut self,
        rest: &'a [u8],
        now: WallMillis,
    ) -> Result<Chunk<'a>, AppendError> {
        if self.is_on_disk() {
            self.ensure_tail(now)?;
        }
        let facts = match (&self.tail, self.segments.last()) {
            (Some(tail), Some(active)) => Some(tail.facts(active)),
            _ => None,
        };
        let limit = self.config.segment_bytes.min(SEGMENT_BYTES_MAX);
        let mut chunk: Option<Chunk<'a>> = None;
        let mut is_new_segment = facts.is_none();
        while let Some((entry, header)) =
            next_entry(rest.get(taken(chunk.as_ref())..).unwrap_or_default())?
        {
            let before = chunk.as_ref().map_or(0, |c| c.incoming.bytes);
            let earlier = chunk.as_ref().map_or(-1, |c| c.incoming.max_timestamp);
            let incoming = Incoming {
                bytes: before.saturating_add(header.size()),
                max_timestamp: earlier.max(header.max_timestamp()),
                last_offset: header.last_offset(),
            };
            let has_room = match &facts {
                Some(facts) if !is_new_segment => {
                    facts.roll_reason(&incoming, &self.config, now).is_none()
                }
                _ => incoming.bytes <= limit,
            };
            if !has_room && chunk.is_some() {
                break;
            }
            // The first batch goes in however large it is; the segment is then closed before it.
            is_new_segment |= !has_room;
            let first_offset = chunk
                .as_ref()
                .map_or_else(|| header.first_offset(), |c| c.first_offset);
            let upto = taken(chunk.as_ref()) + entry.size_in_bytes();
            let bytes = rest.get(..upto).unwrap_or_default();
            chunk = Some(Chunk {
                bytes,
                incoming,
                first_offset,
            });
        }
        chunk.ok_or(AppendError::Invalid("no whole batch"))
    }

    fn append_chunk(&mut self, chunk: &Chunk<'_>, now: WallMillis) -> Result<(), StorageError> {
        let mut rest = chunk.bytes;
        while let Ok(Some((entry, header))) = next_entry(rest) {
            if self
                .epochs
                .latest()
                .is_none_or(|latest| header.leader_epoch() > latest)
            {
                self.assign_epoch(header.leader_epoch(), header.first_offset());
            }
            rest = rest.get(entry.size_in_bytes()..).unwrap_or_default();
        }
        let begin = self.end.max(chunk.first_offset);
        self.prepare_append(begin, &chunk.incoming, now)
            .or_else(|e| self.fail(e))?;
        self.write_batches(&[IoSlice::new(chunk.bytes)])?;
        self.note_chunk(chunk.bytes)
    }

    /// Makes the batches of a written chunk part of the log.
    fn note_chunk(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let end = self.end;
        let size = self.segments.last().map_or(0, |active| active.size);
        let unstable = self.producers.first_undecided_offset();
        let mut aborted: Vec<AbortedTxn> = Vec::new();
        let mut rest = bytes;
        while let Ok(Some((entry, header))) = next_entry(rest) {
            let mut marker = None;
            if let EntryHeader::Batch(batch) = &header {
                marker = marker_of(batch, entry.bytes().get(HEADER_SIZE..).unwrap_or_default());
                if let Some(marker) = &marker {
                    let id = batch.producer_id;
                    let completed = self.producers.completes(id, marker, batch.base_offset);
                    aborted.extend(completed.and_then(|txn| txn.aborted()));
                }
            }
            self.note_entry(&header, marker.as_ref());
            rest = rest.get(entry.size_in_bytes()..).unwrap_or_default();
        }
        for txn in &aborted {
            let Some(active) = self.segments.last_mut() else {
                break;
            };
            if let Err(error) = active.write_txn(txn) {
                // The markers do not count: the log ends where it did, and takes no more appends.
                self.failed = true;
                self.unstable_from = unstable;
                self.end = end;
                active.size = size;
                return self.undo_write(error);
            }
            self.unflushed.note_name();
            self.unflushed.note_txn();
        }
        Ok(())
    }
}

fn taken(chunk: Option<&Chunk<'_>>) -> usize {
    chunk.map_or(0, |chunk| chunk.bytes.len())
}

/// The entry at the front of `bytes`; `None` if there is none, or the beginning of one only.
fn next_entry(bytes: &[u8]) -> Result<Option<(Entry<'_>, EntryHeader)>, AppendError> {
    let have = u64::try_from(bytes.len()).expect("64 bits");
    match EntryHeader::parse(bytes, have) {
        Ok(header) => Ok(Some((
            Entry::parse(bytes).map_err(AppendError::Corrupt)?,
            header,
        ))),
        Err(EntryError::CutOff) => Ok(None),
        Err(EntryError::Corrupt) => {
            // The parser of batches words it; what it finds right has impossible offsets.
            let error = Entry::parse(bytes).err();
            Err(error.map_or(
                AppendError::Invalid("impossible offsets"),
                AppendError::Corrupt,
            ))
        }
    }
}
