//! Finding records by their time (ListOffsets).
//!
//! A batch's largest timestamp is in its header and the time index leads near it; the record itself is found by
//! reading the batch.

use ottla_base::{LeaderEpoch, Offset};
use ottla_log::entry::EntryHeader;
use ottla_log::offset_index::relative;
use ottla_log::time_index::TimeEntry;
use ottla_records::codec::Decompressor;
use ottla_records::{Entry, RecordError, RecordView};

use super::index_file;
use super::scan::{Scan, Step};
use super::{FoundOffset, Log, Segment, StorageError};

/// Which record of a batch is wanted.
type Wanted<'a> = &'a dyn Fn(&RecordView<'_>) -> bool;

impl Log {
    /// The first record, from the log start on and below `upto`, with at least this timestamp (ms since 1970).
    ///
    /// # Errors
    /// The disk's; [`StorageError::Corrupt`] if the batch cannot be read.
    pub fn offset_for_timestamp(
        &self,
        timestamp: i64,
        upto: Offset,
    ) -> Result<Option<FoundOffset>, StorageError> {
        let first = self.segment_at(self.start).unwrap_or(0);
        for at in first..self.segments.len() {
            let Some(segment) = self.segments.get(at) else {
                break;
            };
            if segment.base >= upto {
                break;
            }
            let (largest, _) = self.largest(at)?;
            if largest >= 0 && largest < timestamp {
                continue;
            }
            let from = self.time_hint(at, |entry| entry.timestamp <= timestamp)?;
            let wanted = |record: &RecordView<'_>| {
                record.timestamp.0 >= timestamp && record.offset >= self.start
            };
            let found = self.first_record(at, from, upto, timestamp, &wanted)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The first record with the largest timestamp below `upto`; `None` if no record has a timestamp.
    ///
    /// # Errors
    /// The disk's; [`StorageError::Corrupt`] if the batch cannot be read.
    pub fn offset_of_max_timestamp(
        &self,
        upto: Offset,
    ) -> Result<Option<FoundOffset>, StorageError> {
        let mut best: Option<(i64, usize, Offset)> = None;
        let first = self.segment_at(self.start).unwrap_or(0);
        for at in first..self.segments.len() {
            let Some(segment) = self.segments.get(at) else {
                break;
            };
            if segment.base >= upto {
                break;
            }
            let is_whole = self.end_of_segment(at) <= upto && segment.base >= self.start;
            let (timestamp, offset) = if is_whole {
                self.largest(at)?
            } else {
                self.largest_within(at, upto)?
            };
            if timestamp >= 0 && best.is_none_or(|(before, ..)| timestamp > before) {
                best = Some((timestamp, at, offset));
            }
        }
        let Some((timestamp, at, offset)) = best else {
            return Ok(None);
        };
        let wanted = |record: &RecordView<'_>| {
            record.timestamp.0 >= timestamp && record.offset >= self.start
        };
        self.first_record(at, offset.max(self.start), upto, timestamp, &wanted)
    }

    /// Largest timestamp of segment number `at` and the offset to find it by; -1 without one.
    pub(super) fn largest(&self, at: usize) -> Result<(i64, Offset), StorageError> {
        let Some(segment) = self.segments.get(at) else {
            return Ok((-1, Offset::UNKNOWN));
        };
        if at + 1 < self.segments.len() {
            return segment.largest();
        }
        match &self.tail {
            Some(tail) => Ok(tail.largest()),
            None => self.largest_within(at, self.end),
        }
    }

    /// The same of the batches in `[log start, upto)`: the last time entry below, and the batches behind it.
    fn largest_within(&self, at: usize, upto: Offset) -> Result<(i64, Offset), StorageError> {
        let Some(segment) = self.segments.get(at) else {
            return Ok((-1, Offset::UNKNOWN));
        };
        let below = relative(segment.base, upto).unwrap_or(u32::MAX);
        let from = self.time_hint(at, |entry| entry.relative_offset < below)?;
        // What the index says is about records that may have been deleted.
        let from = if from < self.start {
            segment.base
        } else {
            from
        };
        let mut best = (-1, Offset::UNKNOWN);
        self.walk(at, from.max(self.start), upto, |entry| {
            if entry.max_timestamp() > best.0 {
                best = (entry.max_timestamp(), entry.last_offset());
            }
            false
        })?;
        Ok(best)
    }

    /// The offset of the last time entry of segment number `at` for which `holds` is true, if its batch is what the
    /// entry says; or else the segment's base offset.
    fn time_hint(
        &self,
        at: usize,
        holds: impl Fn(&TimeEntry) -> bool + Copy,
    ) -> Result<Offset, StorageError> {
        let Some(segment) = self.segments.get(at) else {
            return Ok(self.start);
        };
        let in_file = match self
            .tail
            .as_deref()
            .filter(|_| at + 1 == self.segments.len())
        {
            Some(tail) => match tail.last_time_waiting(holds) {
                Ok(entry) => return Ok(offset_of(segment, &entry)),
                Err(written) => written,
            },
            None => segment.time_count()?,
        };
        let Some(file) = segment.time_file()?.filter(|_| in_file > 0) else {
            return Ok(segment.base);
        };
        let entry = index_file::last_time_entry(&*file, in_file, holds)
            .map_err(|error| StorageError::io("reading an index", segment.path(), error))?;
        let Some(entry) = entry else {
            return Ok(segment.base);
        };
        let offset = offset_of(segment, &entry);
        let placed = segment.find(offset, self.known(at))?;
        let is_true = placed.is_some_and(|placed| placed.entry.max_timestamp() == entry.timestamp);
        if !is_true {
            segment.note_astray();
        }
        Ok(if is_true { offset } else { segment.base })
    }

    /// Shows `visit` the batches of segment number `at` from the one that holds `from` to below `upto`, until it
    /// returns true; returns the position of that batch.
    fn walk(
        &self,
        at: usize,
        from: Offset,
        upto: Offset,
        mut visit: impl FnMut(&EntryHeader) -> bool,
    ) -> Result<Option<u32>, StorageError> {
        let Some(segment) = self.segments.get(at) else {
            return Ok(None);
        };
        let Some(placed) = segment.find(from, self.known(at))? else {
            return Ok(None);
        };
        let file = segment.file()?;
        let end = u64::from(segment.size);
        let mut buffer = Scan::bulk_buffer(end - u64::from(placed.position));
        let mut scan = Scan::new(
            &*file,
            segment.path(),
            placed.position.into(),
            end,
            &mut buffer,
        );
        loop {
            let position = scan.position;
            match scan.peek()? {
                Step::End => return Ok(None),
                Step::Broken(_) => return Err(segment.corrupt(position)),
                // As for a reader, a batch that reaches over the limit is not there.
                Step::Entry(entry) if entry.next_offset() > upto => return Ok(None),
                Step::Entry(entry) => {
                    if visit(&entry) {
                        return Ok(u32::try_from(position).ok());
                    }
                    scan.skip(&entry);
                }
            }
        }
    }

    /// The first wanted record of segment number `at`, in batches from `from` to below `upto` whose largest timestamp
    /// is at least `timestamp`.
    fn first_record(
        &self,
        at: usize,
        from: Offset,
        upto: Offset,
        timestamp: i64,
        wanted: Wanted<'_>,
    ) -> Result<Option<FoundOffset>, StorageError> {
        let Some(segment) = self.segments.get(at) else {
            return Ok(None);
        };
        let mut scratch = Decompressor::new();
        let mut bytes = Vec::new();
        let mut from = from;
        loop {
            let mut header = None;
            let position = self.walk(at, from, upto, |entry| {
                header = Some(*entry);
                entry.max_timestamp() >= timestamp
            })?;
            let (Some(position), Some(header)) = (position, header) else {
                return Ok(None);
            };
            bytes.resize(usize::try_from(header.size()).expect("32 bits"), 0);
            let read = segment.file()?.read_exact_at(&mut bytes, position.into());
            read.map_err(|e| StorageError::io("reading a segment", segment.path(), e))?;
            let record = first_wanted(&bytes, &mut scratch, wanted).map_err(|error| {
                StorageError::Corrupt {
                    what: format!("unreadable records at position {position}: {error}"),
                    path: segment.path().to_owned(),
                }
            })?;
            if let Some((offset, timestamp)) = record {
                let epoch = Some(header.leader_epoch()).filter(|e| *e > LeaderEpoch::UNKNOWN);
                return Ok((offset < upto).then_some(FoundOffset {
                    offset,
                    timestamp,
                    epoch,
                }));
            }
            from = header.next_offset();
        }
    }
}

fn offset_of(segment: &Segment, entry: &TimeEntry) -> Offset {
    Offset(
        segment
            .base
            .0
            .saturating_add(i64::from(entry.relative_offset)),
    )
}

/// Offset and timestamp of the first wanted record of the entry `bytes`.
fn first_wanted(
    bytes: &[u8],
    scratch: &mut Decompressor,
    wanted: Wanted<'_>,
) -> Result<Option<(Offset, i64)>, RecordError> {
    let find = |records: &mut dyn Iterator<Item = Result<RecordView<'_>, RecordError>>| {
        for record in records {
            let record = record?;
            if wanted(&record) {
                return Ok(Some((record.offset, record.timestamp.0)));
            }
        }
        Ok(None)
    };
    match Entry::parse(bytes).map_err(|_| RecordError::Length)? {
        Entry::Batch(batch) => find(&mut batch.records(scratch)?),
        Entry::Legacy(message) => find(&mut message.messages(scratch)?),
    }
}
