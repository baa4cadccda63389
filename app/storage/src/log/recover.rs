//! Reading what may not have reached the disk: every batch above the recovery point is checked, what is torn is cut
//! off, and indexes, producers and epochs are made anew from there.

use ottla_base::Offset;
use ottla_log::entry::EntryHeader;
use ottla_log::offset_index::relative;
use ottla_log::recovery::trusted;
use ottla_records::{Entry, HEADER_SIZE};
use tracing::{error, warn};

use super::index_file;
use super::producers::marker_of;
use super::scan::{Scan, Step};
use super::{Log, Opened, Segment, StorageError, Tail};

/// Where the check of a segment begins: behind what its indexes show to be below the recovery point.
#[derive(Debug, Clone, Copy)]
struct Begin {
    position: u32,
    /// Nothing below this offset is told again to producers and indexes.
    offset: Offset,
    /// Entries of the indexes that stay.
    counts: (u32, u32),
}

/// How a segment ends.
struct Checked {
    end: Offset,
    bytes: u32,
}

impl Log {
    /// Checks what is above the recovery point, from the segment on that holds it.
    pub(super) fn recover(&mut self, recovery_point: Offset) -> Result<Opened, StorageError> {
        let bases: Vec<Offset> = self.segments.iter().map(|segment| segment.base).collect();
        let first = trusted(&bases, recovery_point);
        let mut opened = Opened::default();
        let mut expected = None;
        for at in first..bases.len() {
            let Some(segment) = self.segments.get(at) else {
                break;
            };
            let (base, size) = (segment.base, segment.size);
            // What one segment lost cannot be told from a gap, so that nothing behind it is kept; compaction leaves
            // gaps that are none.
            let fits = expected.is_none_or(|end| {
                base == end || (base > end && self.config.cleanup_policy.compact)
            });
            if !fits {
                warn!(log = %self.path.display(), segment = base.0, "segment does not follow; removed");
                opened.truncated_bytes += self.drop_segments_from(at)?;
                break;
            }
            let begin = self.begin_of_check(at, recovery_point)?;
            if at == first {
                self.load_producers(begin.offset)?;
            }
            let checked = self.check_segment(at, begin, recovery_point)?;
            opened.scanned_bytes += u64::from(checked.bytes.saturating_sub(begin.position));
            if checked.bytes < size {
                let cut = size - checked.bytes;
                warn!(log = %self.path.display(), segment = base.0, cut, "torn tail is cut off");
                if checked.end < recovery_point {
                    error!(log = %self.path.display(), end = checked.end.0,
                        recovery_point = recovery_point.0, "flushed records are damaged and lost");
                }
                opened.truncated_bytes += u64::from(cut);
                opened.truncated_bytes += self.drop_segments_from(at + 1)?;
            }
            expected = Some(checked.end);
            self.end = checked.end;
            self.finish_check(at)?;
            if checked.bytes < size {
                break;
            }
        }
        self.flushed = recovery_point.min(self.end).max(self.start.min(self.end));
        // Without a recovery point nothing may ever have been flushed here, not even the directory and its topic id.
        if recovery_point <= self.start {
            self.unflushed.note_new();
        } else {
            self.unflushed.note_name();
        }
        self.unflushed.unclosed = true;
        Ok(opened)
    }

    /// Where to begin in segment number `at`; cuts the indexes there.
    fn begin_of_check(&mut self, at: usize, recovery_point: Offset) -> Result<Begin, StorageError> {
        let Some(segment) = self.segments.get_mut(at) else {
            return Ok(Begin {
                position: 0,
                offset: recovery_point,
                counts: (0, 0),
            });
        };
        let mut begin = Begin {
            position: 0,
            offset: segment.base,
            counts: (0, 0),
        };
        if segment.base < recovery_point
            && let Some(found) = last_true_entry(segment, recovery_point)?
        {
            begin = found;
        }
        segment.cut_indexes(begin.counts.0, begin.counts.1)?;
        if segment.txn_entries > 0 {
            segment.cut_txns(begin.offset)?;
        }
        segment.reopen();
        Ok(begin)
    }

    /// Checks the batches of segment number `at` and tells everybody of them, up to the first that is not whole.
    fn check_segment(
        &mut self,
        at: usize,
        begin: Begin,
        recovery_point: Offset,
    ) -> Result<Checked, StorageError> {
        let now = self.env.clock.wall();
        let Some(segment) = self.segments.get(at) else {
            return Ok(Checked {
                end: begin.offset,
                bytes: 0,
            });
        };
        let mut checked = Checked {
            end: begin.offset.max(segment.base),
            bytes: begin.position,
        };
        let file = segment.file()?;
        let (base, size, path) = (segment.base, segment.size, segment.path().to_owned());
        let rng = &*self.env.rng;
        let mut tail = Tail::begin(segment, begin.counts, &self.config, now, rng)?;
        let mut buffer = Scan::bulk_buffer(u64::from(size - begin.position));
        let mut spill = Vec::new();
        let mut scan = Scan::new(
            &*file,
            &path,
            begin.position.into(),
            size.into(),
            &mut buffer,
        );
        while let Step::Entry(entry) = scan.peek()? {
            if entry.first_offset() < checked.end.max(base) && entry.next_offset() > begin.offset {
                break;
            }
            let mut marker = None;
            let is_flushed = entry.next_offset() <= recovery_point;
            let is_control =
                matches!(&entry, EntryHeader::Batch(header) if header.attributes.is_control());
            if !is_flushed || is_control {
                let bytes = scan.bytes(&entry, &mut spill)?;
                let parsed = Entry::parse(bytes);
                let whole = parsed.is_ok_and(|e| is_flushed || e.verify_crc().is_ok());
                if !whole {
                    break;
                }
                if let EntryHeader::Batch(header) = &entry {
                    marker = marker_of(header, bytes.get(HEADER_SIZE..).unwrap_or_default());
                }
            }
            scan.skip(&entry);
            checked.end = entry.next_offset();
            tail.on_entry(base, checked.bytes, &entry, &self.config);
            checked.bytes += entry.size();
            let Some(segment) = self.segments.get_mut(at) else {
                break;
            };
            if tail.is_full() {
                tail.write(segment)?;
            }
            if entry.next_offset() <= begin.offset {
                // Known already; read again for the indexes only.
                continue;
            }
            if let EntryHeader::Batch(header) = &entry
                && let Some(txn) = self.producers.apply(header, marker.as_ref())
                && let Some(aborted) = txn.aborted()
            {
                segment.write_txn(&aborted)?;
                self.unflushed.note_txn();
            }
            self.bytes_since_snapshot += u64::from(entry.size());
            self.assign_epoch(entry.leader_epoch(), entry.first_offset());
        }
        if let Some(segment) = self.segments.get_mut(at).filter(|_| checked.bytes < size) {
            let cut = file.set_len(checked.bytes.into());
            cut.map_err(|e| StorageError::io("cutting a file", &path, e))?;
            segment.size = checked.bytes;
        }
        self.tail = Some(Box::new(tail));
        Ok(checked)
    }

    /// Closes the indexes of segment number `at` if it is not the active one.
    fn finish_check(&mut self, at: usize) -> Result<(), StorageError> {
        let is_active = at + 1 == self.segments.len();
        if let (Some(tail), Some(segment)) = (&mut self.tail, self.segments.get_mut(at)) {
            self.unflushed.note_closed(segment.base);
            if !is_active {
                let counts = tail.finish(segment)?;
                segment.make_indexes()?;
                segment.closed(counts, tail.largest());
                self.tail = None;
            }
        }
        Ok(())
    }

    /// Removes segment number `from` and all behind it; returns their bytes.
    pub(super) fn drop_segments_from(&mut self, from: usize) -> Result<u64, StorageError> {
        let mut bytes = 0;
        while self.segments.len() > from {
            let Some(last) = self.segments.last() else {
                break;
            };
            last.remove(&*self.env.disk)?;
            bytes += u64::from(last.size);
            self.segments.pop();
        }
        Ok(bytes)
    }

    /// Makes offset and time index of segment number `at` anew from its batches.
    pub(super) fn rebuild_indexes(&mut self, at: usize) -> Result<(), StorageError> {
        let now = self.env.clock.wall();
        let is_active = at + 1 == self.segments.len();
        let Some(segment) = self.segments.get_mut(at) else {
            return Ok(());
        };
        segment.cut_indexes(0, 0)?;
        segment.reopen();
        let mut tail = Tail::new(&self.config, now, &*self.env.rng);
        let file = segment.file()?;
        let size = u64::from(segment.size);
        let mut buffer = Scan::bulk_buffer(size);
        let mut scan = Scan::new(&*file, segment.path(), 0, size, &mut buffer);
        loop {
            let position = scan.position;
            match scan.peek()? {
                Step::End => break,
                Step::Broken(_) => return Err(segment.corrupt(position)),
                Step::Entry(entry) => {
                    let position = u32::try_from(position).expect("within the segment");
                    tail.on_entry(segment.base, position, &entry, &self.config);
                    if tail.is_full() {
                        tail.write(segment)?;
                    }
                    scan.skip(&entry);
                }
            }
        }
        if is_active {
            self.tail = Some(Box::new(tail));
        } else {
            let counts = tail.finish(segment)?;
            segment.make_indexes()?;
            segment.closed(counts, tail.largest());
        }
        self.unflushed.note_closed(segment.base);
        Ok(())
    }
}

/// The last entry of the indexes that is about flushed batches and true. Both indexes have to reach it: what a power
/// cut took of the time index could not be told from timestamps that did not grow.
fn last_true_entry(
    segment: &Segment,
    recovery_point: Offset,
) -> Result<Option<Begin>, StorageError> {
    let (Some(index), Some(times)) = (segment.index_file()?, segment.time_file()?) else {
        return Ok(None);
    };
    let failed = |error| StorageError::io("reading an index", segment.path(), error);
    let flushed = relative(segment.base, recovery_point).unwrap_or(u32::MAX);
    let (_, last_time) = index_file::checked_times(&*times, flushed).map_err(failed)?;
    let Some(last_time) = last_time else {
        return Ok(None);
    };
    let reached = last_time.relative_offset.saturating_add(1).min(flushed);
    let (offsets, last) =
        index_file::checked_offsets(&*index, segment.size, reached).map_err(failed)?;
    let Some(last) = last else { return Ok(None) };
    let upto = last.relative_offset.saturating_add(1);
    let (times, _) = index_file::checked_times(&*times, upto).map_err(failed)?;
    let last_offset = Offset(
        segment
            .base
            .0
            .saturating_add(i64::from(last.relative_offset)),
    );
    let file = segment.file()?;
    let mut buffer = [0; ottla_log::entry::PEEK_BYTES];
    let position = u64::from(last.position);
    let mut scan = Scan::new(
        &*file,
        segment.path(),
        position,
        segment.size.into(),
        &mut buffer,
    );
    match scan.peek()? {
        Step::Entry(entry) if entry.last_offset() == last_offset => Ok(Some(Begin {
            position: last.position,
            offset: entry.next_offset(),
            counts: (offsets, times),
        })),
        _ => {
            warn!(segment = %segment.path().display(), "index leads astray; all batches are read");
            Ok(None)
        }
    }
}
