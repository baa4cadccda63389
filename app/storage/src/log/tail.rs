//! What a log knows of its active segment beyond the files: index entries that are not written yet, and the numbers
//! by which it is closed.
//!
//! The last entries stay in memory, so that readers at the end of the log need no index file, and are written some at
//! a time, so that an append is one system call. A killed process loses those: a start finds them again in the
//! batches.

use ottla_base::{Offset, WallMillis};
use ottla_env::Rng;
use ottla_log::LogConfig;
use ottla_log::entry::{EntryHeader, PEEK_BYTES};
use ottla_log::index::IndexBuilder;
use ottla_log::offset_index::OffsetEntry;
use ottla_log::roll::{ActiveSegment, jitter_ms};
use ottla_log::time_index::TimeEntry;

use super::index_file;
use super::scan::{LOOKUP_BYTES, Scan, Step};
use super::segment::{Found, KnownEntries, Segment};
use crate::error::StorageError;

/// Offset entries kept in memory. When all of them wait to be written, they are.
const RECENT_MAX: usize = 32;
/// Entries kept when room is made.
const RECENT_KEPT: usize = 8;

/// Last batches whose places are kept: readers at the end of the log need no file to find theirs.
const LAST_BATCHES: usize = 8;
const LAST_BATCHES_U8: u8 = 8;

/// Where one of the last batches is.
#[derive(Debug, Clone, Copy)]
struct Last {
    first_offset: Offset,
    last_offset: Offset,
    position: u32,
    size: u32,
}

/// State of the active segment.
#[derive(Debug)]
pub(super) struct Tail {
    /// A ring; `next_last` is the oldest.
    last: [Last; LAST_BATCHES],
    next_last: u8,
    builder: IndexBuilder,
    /// Entries in the offset index's file.
    written: u32,
    /// The last entries; the last `waiting` of them are not in the file.
    recent: Vec<OffsetEntry>,
    waiting: usize,
    /// Entries in the time index's file.
    times_written: u32,
    times_waiting: Vec<TimeEntry>,
    /// The first batch's largest timestamp.
    pub(super) first_timestamp: Option<WallMillis>,
    created: WallMillis,
    jitter_ms: i64,
}

impl Tail {
    /// Of an empty segment that is made now.
    pub(super) fn new(config: &LogConfig, now: WallMillis, rng: &dyn Rng) -> Self {
        const NONE: Last = Last {
            first_offset: Offset::UNKNOWN,
            last_offset: Offset::UNKNOWN,
            position: 0,
            size: 0,
        };
        Self {
            last: [NONE; LAST_BATCHES],
            next_last: 0,
            builder: IndexBuilder::default(),
            written: 0,
            recent: Vec::new(),
            waiting: 0,
            times_written: 0,
            times_waiting: Vec::new(),
            first_timestamp: None,
            created: now,
            jitter_ms: if config.segment_jitter_ms > 0 {
                jitter_ms(config, rng.u64())
            } else {
                0
            },
        }
    }

    /// Goes on behind the leading entries of the index files, `offsets` and `times` of them. The batches from the last
    /// offset entry's on are still to be told.
    pub(super) fn begin(
        segment: &Segment,
        (offsets, times): (u32, u32),
        config: &LogConfig,
        now: WallMillis,
        rng: &dyn Rng,
    ) -> Result<Self, StorageError> {
        let mut tail = Self::new(config, now, rng);
        let failed = |error| StorageError::io("reading an index", segment.path(), error);
        if let (Some(at), Some(file)) = (offsets.checked_sub(1), segment.index_file()?) {
            tail.recent
                .push(index_file::offset_entry(&*file, at).map_err(failed)?);
        }
        if let (Some(at), Some(file)) = (times.checked_sub(1), segment.time_file()?) {
            let last = index_file::time_entry(&*file, at).map_err(failed)?;
            let offset = segment.base.0.saturating_add(last.relative_offset.into());
            tail.builder = IndexBuilder::resume(Some((last.timestamp, offset)), 0);
        }
        tail.written = offsets;
        tail.times_written = times;
        if offsets > 0 {
            // The first batch will not be told.
            let file = segment.file()?;
            let mut buffer = [0; PEEK_BYTES];
            let size = u64::from(segment.size);
            let mut scan = Scan::new(&*file, segment.path(), 0, size, &mut buffer);
            if let Step::Entry(entry) = scan.peek()? {
                tail.first_timestamp = Some(WallMillis(entry.max_timestamp()));
            }
        }
        Ok(tail)
    }

    /// The same, and reads those batches.
    pub(super) fn resume(
        segment: &Segment,
        counts: (u32, u32),
        config: &LogConfig,
        now: WallMillis,
        rng: &dyn Rng,
    ) -> Result<Self, StorageError> {
        let mut tail = Self::begin(segment, counts, config, now, rng)?;
        let file = segment.file()?;
        let mut buffer = [0; LOOKUP_BYTES];
        let size = u64::from(segment.size);
        let from = tail.recent.last().map_or(0, |entry| entry.position);
        let mut scan = Scan::new(&*file, segment.path(), from.into(), size, &mut buffer);
        loop {
            let position = scan.position;
            match scan.peek()? {
                Step::End => return Ok(tail),
                Step::Broken(_) => return Err(segment.corrupt(position)),
                Step::Entry(entry) => {
                    let position = u32::try_from(position).expect("within the segment");
                    tail.on_entry(segment.base, position, &entry, config);
                    scan.skip(&entry);
                }
            }
        }
    }

    /// Takes note of an entry that was appended at `position`.
    pub(super) fn on_entry(
        &mut self,
        base: Offset,
        position: u32,
        entry: &EntryHeader,
        config: &LogConfig,
    ) {
        let max_timestamp = entry.max_timestamp();
        if position == 0 {
            self.first_timestamp = Some(WallMillis(max_timestamp));
        }
        let last = entry.last_offset();
        let place = Last {
            first_offset: entry.first_offset(),
            last_offset: last,
            position,
            size: entry.size(),
        };
        if let Some(oldest) = self.last.get_mut(usize::from(self.next_last)) {
            *oldest = place;
        }
        self.next_last = (self.next_last + 1) % LAST_BATCHES_U8;
        let interval = config.index_interval_bytes;
        let new = self
            .builder
            .on_batch(position, entry.size(), last.0, max_timestamp, interval);
        if let Some((offset, position)) = new.offset
            && let Some(entry) = OffsetEntry::new(base, Offset(offset), position)
        {
            self.make_room();
            self.recent.push(entry);
            self.waiting += 1;
        }
        if let Some((timestamp, offset)) = new.time {
            self.times_waiting
                .extend(TimeEntry::new(base, timestamp, Offset(offset)));
        }
    }

    fn make_room(&mut self) {
        if self.recent.len() >= RECENT_MAX {
            // Those that wait stay in any case.
            let keep = self.waiting.max(RECENT_KEPT);
            let drop = self.recent.len().saturating_sub(keep);
            self.recent.drain(..drop);
        }
    }

    /// Whether so many entries wait that they should be written before the next append.
    pub(super) fn is_full(&self) -> bool {
        self.waiting >= RECENT_MAX || self.times_waiting.len() >= RECENT_MAX
    }

    /// Writes what waits.
    pub(super) fn write(&mut self, segment: &Segment) -> Result<(), StorageError> {
        if self.waiting > 0 {
            let from = self.recent.len() - self.waiting;
            segment.write_offsets(self.written, self.recent.get(from..).unwrap_or_default())?;
            self.written += u32::try_from(self.waiting).expect("a few");
            self.waiting = 0;
        }
        if !self.times_waiting.is_empty() {
            segment.write_times(self.times_written, &self.times_waiting)?;
            self.times_written += u32::try_from(self.times_waiting.len()).expect("a few");
            self.times_waiting.clear();
        }
        Ok(())
    }

    /// Writes what waits, and the entry with which a closed segment's time index ends. Returns the numbers of
    /// entries.
    pub(super) fn finish(&mut self, segment: &Segment) -> Result<(u32, u32), StorageError> {
        if let Some((timestamp, offset)) = self.builder.take_time_entry() {
            self.times_waiting
                .extend(TimeEntry::new(segment.base, timestamp, Offset(offset)));
        }
        self.write(segment)?;
        Ok((self.written, self.times_written))
    }

    /// The batch that holds `offset`, if it is one of the last.
    pub(super) fn find(&self, offset: Offset) -> Option<Found> {
        let holds = |b: &&Last| b.first_offset <= offset && offset <= b.last_offset;
        self.last.iter().find(holds).map(|b| Found {
            position: b.position,
            size: b.size,
            first_offset: b.first_offset,
        })
    }

    /// What readers need to know.
    pub(super) fn known(&self) -> KnownEntries<'_> {
        KnownEntries {
            written: self.written,
            recent: &self.recent,
        }
    }

    /// The largest timestamp and its offset; -1 without one.
    pub(super) fn largest(&self) -> (i64, Offset) {
        (
            self.builder.max_timestamp(),
            Offset(self.builder.max_timestamp_offset()),
        )
    }

    /// The last time entry that is in no file yet and for which `holds` is true, or else how many the file has.
    pub(super) fn last_time_waiting(
        &self,
        holds: impl Fn(&TimeEntry) -> bool,
    ) -> Result<TimeEntry, u32> {
        let after = self.times_waiting.partition_point(holds);
        after
            .checked_sub(1)
            .and_then(|at| self.times_waiting.get(at))
            .copied()
            .ok_or(self.times_written)
    }

    /// The numbers by which it is decided whether the segment is closed.
    pub(super) fn facts(&self, segment: &Segment) -> ActiveSegment {
        let waiting = |count: usize| u32::try_from(count).expect("a few");
        ActiveSegment {
            base: segment.base,
            bytes: segment.size,
            first_timestamp: self.first_timestamp,
            created: self.created,
            jitter_ms: self.jitter_ms,
            offset_entries: self.written + waiting(self.waiting),
            time_entries: self.times_written + waiting(self.times_waiting.len()),
        }
    }
}
