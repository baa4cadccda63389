//! Finding a batch of a segment by its offset, its position or its time.

use ottla_base::Offset;
use ottla_log::offset_index::relative;

use super::super::index_file;
use super::super::scan::{LOOKUP_BYTES, Scan, Step};
use super::{KnownEntries, Placed, Segment};
use crate::error::StorageError;

impl Segment {
    /// Where a batch begins at or before `position`, by the offset index.
    pub(in crate::log) fn boundary(&self, position: u32) -> Result<u32, StorageError> {
        let count = self.offset_count()?;
        let Some(file) = self.index_file()?.filter(|_| position > 0) else {
            return Ok(0);
        };
        let found = index_file::last_offset_entry(&*file, count, |e| e.position <= position);
        Ok(found
            .map_err(|e| self.index_error(e))?
            .map_or(0, |entry| entry.position))
    }

    /// Where the batches end, by the last one.
    pub(in crate::log) fn end_of_batches(&self) -> Result<Offset, StorageError> {
        let last = Offset(self.base.0.saturating_add(i64::from(i32::MAX)));
        let hint = self.hint(last, None)?;
        match self.walk_to_end(hint) {
            Err(StorageError::Corrupt { .. }) if hint > 0 => {
                self.note_astray();
                self.walk_to_end(0)
            }
            end => end,
        }
    }

    pub(super) fn walk_to_end(&self, from: u32) -> Result<Offset, StorageError> {
        let file = self.file()?;
        let mut buffer = [0; LOOKUP_BYTES];
        let end = u64::from(self.size);
        let mut scan = Scan::new(&*file, self.path(), from.into(), end, &mut buffer);
        let mut last = self.base;
        loop {
            let position = scan.position;
            match scan.peek()? {
                Step::End if position == end => return Ok(last),
                Step::Entry(entry) if entry.first_offset() >= self.base => {
                    last = entry.next_offset();
                    scan.skip(&entry);
                }
                _ => return Err(self.corrupt(position)),
            }
        }
    }

    /// Where to begin the search for `offset`: the position of a batch that does not begin behind it.
    pub(in crate::log) fn hint(
        &self,
        offset: Offset,
        known: Option<KnownEntries<'_>>,
    ) -> Result<u32, StorageError> {
        let Some(target) = relative(self.base, offset) else {
            // Behind everything that an index can hold, or before the segment.
            return Ok(0);
        };
        let written = match known {
            Some(known) => {
                let after = known
                    .recent
                    .partition_point(|e| e.relative_offset <= target);
                if let Some(entry) = after.checked_sub(1).and_then(|at| known.recent.get(at)) {
                    return Ok(entry.position);
                }
                known.written
            }
            None => self.offset_count()?,
        };
        if written == 0 {
            return Ok(0);
        }
        let Some(file) = self.index_file()? else {
            return Ok(0);
        };
        let entry = index_file::last_offset_entry(&*file, written, |e| e.relative_offset <= target)
            .map_err(|e| self.index_error(e))?;
        Ok(entry.map_or(0, |entry| entry.position))
    }

    /// The first batch that ends at or behind `offset`; `None` if the segment ends before.
    pub(in crate::log) fn find(
        &self,
        offset: Offset,
        known: Option<KnownEntries<'_>>,
    ) -> Result<Option<Placed>, StorageError> {
        let hint = self.hint(offset, known)?;
        match self.search(offset, hint) {
            Err(StorageError::Corrupt { .. }) if hint > 0 => {
                self.note_astray();
                self.search(offset, 0)
            }
            found => found,
        }
    }

    pub(super) fn search(&self, offset: Offset, from: u32) -> Result<Option<Placed>, StorageError> {
        let file = self.file()?;
        let mut buffer = [0; LOOKUP_BYTES];
        let end = u64::from(self.size);
        let mut scan = Scan::new(&*file, self.path(), u64::from(from), end, &mut buffer);
        let mut first = from > 0;
        loop {
            let position = scan.position;
            match scan.peek()? {
                Step::End if first => return Err(self.corrupt(position)),
                Step::End => return Ok(None),
                Step::Broken(_) => return Err(self.corrupt(position)),
                Step::Entry(entry) => {
                    // An index entry is about a batch that ends at or before the offset.
                    let is_astray = first && entry.last_offset() > offset;
                    if is_astray || entry.first_offset() < self.base {
                        return Err(self.corrupt(position));
                    }
                    first = false;
                    if entry.last_offset() >= offset {
                        let position = u32::try_from(position).expect("within the segment");
                        return Ok(Some(Placed { position, entry }));
                    }
                    scan.skip(&entry);
                }
            }
        }
    }

    /// The error for bytes at `position` that are no batch.
    pub(in crate::log) fn corrupt(&self, position: u64) -> StorageError {
        StorageError::Corrupt {
            what: format!("no batch at position {position}"),
            path: self.path().to_owned(),
        }
    }

    /// Largest timestamp of a closed segment (-1 without one) and the offset that its index tells for it.
    pub(in crate::log) fn largest(&self) -> Result<(i64, Offset), StorageError> {
        if let Some(largest) = self.largest.get() {
            return Ok(*largest);
        }
        let count = self.time_count()?;
        if self.is_astray() {
            return Ok((-1, self.base));
        }
        let last = match (count.checked_sub(1), self.time_file()?) {
            (Some(last), Some(file)) => {
                Some(index_file::time_entry(&*file, last).map_err(|e| self.index_error(e))?)
            }
            _ => None,
        };
        let mut largest = (-1, self.base);
        if let Some(entry) = last {
            let offset = Offset(self.base.0.saturating_add(i64::from(entry.relative_offset)));
            let placed = self.find(offset, None)?;
            if placed.is_some_and(|placed| placed.entry.max_timestamp() == entry.timestamp) {
                largest = (entry.timestamp, offset);
            } else {
                self.note_astray();
            }
        }
        Ok(*self.largest.get_or_init(|| largest))
    }
}
