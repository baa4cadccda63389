//! The `.timeindex` file: which offset a timestamp leads to.
//!
//! Entries of 12 bytes, big-endian: timestamp (i64), the largest so far, and relative offset (i32): the last
//! record of the batch that brought it. Timestamps grow, offsets do not fall: no record before that offset,
//! and none up to the next entry's, is younger than the next entry.

use crate::offset_index::relative;
use ottla_base::Offset;

/// Size of an entry.
pub const ENTRY_BYTES: usize = 12;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeEntry {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Offset relative to the segment's base offset.
    pub relative_offset: u32,
}

impl TimeEntry {
    /// The entry of a batch; `None` if its offset is out of an entry's range.
    #[must_use]
    pub fn new(base: Offset, timestamp: i64, offset: Offset) -> Option<Self> {
        Some(Self {
            timestamp,
            relative_offset: relative(base, offset)?,
        })
    }

    /// The bytes in the file.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes
    }

    /// Reads the bytes of the file.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
        Self {
            timestamp: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            relative_offset: u32::from_be_bytes([i, j, k, l]),
        }
    }

    /// Whether this entry may stand after `previous` (or first). The zeros of an index that is not full do
    /// not follow anything.
    #[must_use]
    pub fn follows(&self, previous: Option<&Self>) -> bool {
        let in_order = previous.is_none_or(|p| {
            self.timestamp > p.timestamp && self.relative_offset >= p.relative_offset
        });
        let is_empty = self.timestamp == 0 && self.relative_offset == 0;
        in_order
            && !is_empty
            && self.timestamp >= 0
            && self.relative_offset <= i32::MAX.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kafkas() {
        // First entry of a .timeindex file that Apache Kafka wrote.
        let bytes = [
            0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5, 0xc4, 0xcd, // timestamp 1700000023757
            0x00, 0x00, 0x00, 0x03, // relative offset 3
        ];
        let entry = TimeEntry {
            timestamp: 1_700_000_023_757,
            relative_offset: 3,
        };
        assert_eq!(TimeEntry::from_bytes(&bytes), entry);
        assert_eq!(entry.to_bytes(), bytes);
    }

    #[test]
    fn timestamps_grow_and_offsets_do_not_fall() {
        let entry = |timestamp, relative_offset| TimeEntry {
            timestamp,
            relative_offset,
        };
        assert!(entry(5, 1).follows(None));
        assert!(entry(6, 1).follows(Some(&entry(5, 1))));
        assert!(!entry(5, 2).follows(Some(&entry(5, 1))));
        assert!(!entry(6, 0).follows(Some(&entry(5, 1))));
        assert!(!entry(0, 0).follows(None));
        assert!(!entry(-1, 1).follows(None));
    }
}
