//! Walks the entries of a segment file by their headers.
//!
//! Reads ahead where entries are small and header by header where they are large. Checks nothing but that an entry
//! can begin here; whoever wants more asks for its bytes.

use std::io;
use std::path::Path;

use ottla_env::DiskFile;
use ottla_log::entry::{EntryError, EntryHeader, PEEK_BYTES};

use crate::error::StorageError;

/// Bytes read ahead when many entries are walked.
pub(super) const BULK_BYTES: usize = 64 << 10;
/// Bytes read ahead when an entry is looked up: about what lies between two index entries.
pub(super) const LOOKUP_BYTES: usize = 4 << 10;
/// From this size on, the header behind an entry is read alone.
const LARGE_ENTRY: u32 = 4 << 10;

/// What stands at the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// An entry; whole, as far as its length says.
    Entry(EntryHeader),
    /// Nothing: the end.
    End,
    /// Something that is no entry, or the beginning of one.
    Broken(EntryError),
}

/// A walk over `[position, end)` of a file.
pub(super) struct Scan<'a> {
    file: &'a dyn DiskFile,
    path: &'a Path,
    /// Where the next entry begins.
    pub(super) position: u64,
    end: u64,
    buffer: &'a mut [u8],
    /// What of the file is in the buffer.
    begin: u64,
    filled: usize,
    small: bool,
}

impl<'a> Scan<'a> {
    /// A walk from `position` on; `buffer` has at least [`PEEK_BYTES`].
    pub(super) fn new(
        file: &'a dyn DiskFile,
        path: &'a Path,
        position: u64,
        end: u64,
        buffer: &'a mut [u8],
    ) -> Self {
        Self {
            file,
            path,
            position,
            end,
            buffer,
            begin: position,
            filled: 0,
            small: true,
        }
    }

    /// A buffer for a walk over `bytes` of a file.
    pub(super) fn bulk_buffer(bytes: u64) -> Vec<u8> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        vec![0; bytes.clamp(PEEK_BYTES, BULK_BYTES)]
    }

    /// The bytes of the file at the position, at most `want` and as many as the buffer holds.
    fn window(&mut self, want: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let want = want.min(left).min(self.buffer.len());
        let inside = self
            .position
            .checked_sub(self.begin)
            .and_then(|at| usize::try_from(at).ok());
        let buffered = inside.filter(|at| self.filled.checked_sub(*at).is_some_and(|n| n >= want));
        let at = match buffered {
            Some(at) => at,
            None => {
                let ahead = if self.small {
                    self.buffer.len()
                } else {
                    PEEK_BYTES
                };
                let count = ahead.max(want).min(left).min(self.buffer.len());
                self.begin = self.position;
                self.filled = 0;
                let part = self.buffer.get_mut(..count).unwrap_or_default();
                self.file.read_exact_at(part, self.position)?;
                self.filled = count;
                0
            }
        };
        Ok(self.buffer.get(at..self.filled).unwrap_or_default())
    }

    /// What stands at the position.
    pub(super) fn peek(&mut self) -> Result<Step, StorageError> {
        if self.position >= self.end {
            return Ok(Step::End);
        }
        let left = self.end - self.position;
        let path = self.path;
        let bytes = self
            .window(PEEK_BYTES)
            .map_err(|error| StorageError::io("reading a segment", path, error))?;
        Ok(match EntryHeader::parse(bytes, left) {
            Ok(entry) => Step::Entry(entry),
            Err(error) => Step::Broken(error),
        })
    }

    /// Goes behind `entry`, which stands at the position.
    pub(super) fn skip(&mut self, entry: &EntryHeader) {
        self.position += u64::from(entry.size());
        self.small = entry.size() < LARGE_ENTRY;
    }

    /// All bytes of `entry`, which stands at the position; in `spill` where the buffer does not hold them.
    pub(super) fn bytes<'s>(
        &'s mut self,
        entry: &EntryHeader,
        spill: &'s mut Vec<u8>,
    ) -> Result<&'s [u8], StorageError> {
        let size = usize::try_from(entry.size()).expect("32 bits");
        let (path, file, position) = (self.path, self.file, self.position);
        let failed = |error| StorageError::io("reading a segment", path, error);
        if size <= self.buffer.len() {
            let bytes = self.window(size).map_err(failed)?;
            return Ok(bytes.get(..size).unwrap_or_default());
        }
        // As long as the length field says, which is within the file.
        spill.resize(size, 0);
        file.read_exact_at(spill, position).map_err(failed)?;
        Ok(spill)
    }
}
