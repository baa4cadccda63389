//! Finding the bytes that a reader gets: a region of one segment file, never copied here.

use ottla_base::Offset;

use super::segment::Found;
use super::{Log, ReadError, ReadSlice, StorageError};

impl Log {
    /// Whole batches from the one that holds `from` on, nothing at or above `upto`, and nothing of the next segment. At
    /// most `max_bytes`, which may cut the last batch; but the first batch whole if `min_one`. `None` if there is
    /// nothing to read, or if the first batch alone is larger than `max_bytes` and not `min_one`.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] below the log start or above the log end.
    pub fn read(
        &self,
        from: Offset,
        upto: Offset,
        max_bytes: u32,
        min_one: bool,
    ) -> Result<Option<ReadSlice>, ReadError> {
        if from < self.start || from > self.end {
            return Err(ReadError::OutOfRange {
                from,
                start: self.start,
                end: self.end,
            });
        }
        let upto = upto.min(self.end);
        if from >= upto {
            return Ok(None);
        }
        let Some((at, placed)) = self.locate(from)? else {
            return Ok(None);
        };
        let limit = self.limit(at, upto, placed.position.saturating_add(max_bytes))?;
        let size = placed.size;
        // A batch that reaches over the limit, or begins behind it, is not for this reader yet.
        let Some(available) = limit.checked_sub(placed.position).filter(|n| *n >= size) else {
            return Ok(None);
        };
        let len = if available <= max_bytes {
            available
        } else if size <= max_bytes {
            max_bytes
        } else if min_one {
            size
        } else {
            return Ok(None);
        };
        let Some(segment) = self.segments.get(at) else {
            return Ok(None);
        };
        Ok(Some(ReadSlice {
            file: segment.file()?,
            position: placed.position.into(),
            len,
            base: placed.first_offset,
        }))
    }

    /// The batch that holds `offset`, or the next one where compaction left a gap; with its segment's number.
    fn locate(&self, offset: Offset) -> Result<Option<(usize, Found)>, StorageError> {
        if let Some(found) = self.tail.as_ref().and_then(|tail| tail.find(offset)) {
            return Ok(Some((self.segments.len().saturating_sub(1), found)));
        }
        let first = self.segment_at(offset).unwrap_or(0);
        for at in first..self.segments.len() {
            let Some(segment) = self.segments.get(at) else {
                break;
            };
            if let Some(placed) = segment.find(offset, self.known(at))? {
                return Ok(Some((at, placed.into())));
            }
        }
        Ok(None)
    }

    /// Where, in segment number `at`, the batches below `upto` end; or a position not below `enough` that lies before
    /// it, since a reader who takes no more needs no exact answer.
    fn limit(&self, at: usize, upto: Offset, enough: u32) -> Result<u32, StorageError> {
        let Some(segment) = self.segments.get(at) else {
            return Ok(0);
        };
        if self.end_of_segment(at) <= upto {
            return Ok(segment.size);
        }
        if let Some(position) = self.marks.position(segment.base, upto) {
            return Ok(position);
        }
        let is_active = at + 1 == self.segments.len();
        if let Some(found) = self
            .tail
            .as_ref()
            .filter(|_| is_active)
            .and_then(|t| t.find(upto))
        {
            return Ok(found.position);
        }
        // An entry for an offset below is of a batch that lies below whole.
        let hint = segment.hint(Offset(upto.0.saturating_sub(1)), self.known(at))?;
        if hint >= enough {
            return Ok(hint);
        }
        let placed = segment.find(upto, self.known(at))?;
        Ok(placed.map_or(segment.size, |placed| placed.position))
    }
}

/// Positions of offsets at which readers often have to stop: the ends of the last flushes, which the high watermark
/// of a node that is alone follows.
#[derive(Debug, Default)]
pub(super) struct Marks {
    marks: [Mark; 4],
    next: u8,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    segment: Offset,
    offset: Offset,
    position: u32,
}

impl Marks {
    /// Notes that the batches below `offset` end at `position` of the segment that begins at `segment`.
    pub(super) fn note(&mut self, segment: Offset, offset: Offset, position: u32) {
        if let Some(mark) = self.marks.get_mut(usize::from(self.next)) {
            *mark = Mark {
                segment,
                offset,
                position,
            };
        }
        self.next = (self.next + 1) % 4;
    }

    fn position(&self, segment: Offset, offset: Offset) -> Option<u32> {
        let found = self
            .marks
            .iter()
            .find(|m| m.segment == segment && m.offset == offset);
        // An unused mark is of offset 0 at position 0, which is true of no segment but the one that begins there.
        found.map(|mark| mark.position)
    }

    /// Forgets all: the log was cut.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
