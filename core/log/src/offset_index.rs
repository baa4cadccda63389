//! The `.index` file: where in a segment an offset is found.
//!
//! Entries of 8 bytes, big-endian: relative offset (i32) of the *last* record of a batch, and the position
//! (i32) at which that batch begins. Both grow. Kafka makes the file large at once and fills it with zeros,
//! so that the entries of a killed process end before the file does.

use ottla_base::Offset;

/// Size of an entry.
pub const ENTRY_BYTES: usize = 8;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetEntry {
    /// Offset of the batch's last record, relative to the segment's base offset.
    pub relative_offset: u32,
    /// Where the batch begins.
    pub position: u32,
}

impl OffsetEntry {
    /// The entry of a batch; `None` if its offset or position is out of an entry's range.
    #[must_use]
    pub fn new(base: Offset, last_offset: Offset, position: u32) -> Option<Self> {
        let relative_offset = relative(base, last_offset)?;
        i32::try_from(position).ok()?;
        Some(Self {
            relative_offset,
            position,
        })
    }

    /// The bytes in the file.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..4].copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes[4..].copy_from_slice(&self.position.to_be_bytes());
        bytes
    }

    /// Reads the bytes of the file.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h] = *bytes;
        Self {
            relative_offset: u32::from_be_bytes([a, b, c, d]),
            position: u32::from_be_bytes([e, f, g, h]),
        }
    }

    /// Whether this entry may stand after `previous` (or first) in the index of a segment of `log_bytes`.
    #[must_use]
    pub fn follows(&self, previous: Option<&Self>, log_bytes: u32) -> bool {
        // An entry is never made for the first batch of a segment, so that neither number can be 0.
        let (offset, position) = previous.map_or((0, 0), |p| (p.relative_offset, p.position));
        self.relative_offset > offset
            && self.relative_offset <= i32::MAX.unsigned_abs()
            && self.position > position
            && self.position < log_bytes
    }
}

/// `offset - base` where an index can hold it.
#[must_use]
pub fn relative(base: Offset, offset: Offset) -> Option<u32> {
    let relative = offset.0.checked_sub(base.0)?;
    i32::try_from(relative)
        .ok()
        .and_then(|r| u32::try_from(r).ok())
}

/// How many entries an index file of at most `max_bytes` holds.
#[must_use]
pub fn entries_max(max_bytes: u32, entry_bytes: usize) -> u32 {
    max_bytes / u32::try_from(entry_bytes).expect("an entry is some bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kafkas() {
        // Second entry of an .index file that Apache Kafka wrote: relative offset 6, position 2211.
        let bytes = [0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x08, 0xa3];
        let entry = OffsetEntry {
            relative_offset: 6,
            position: 0x8a3,
        };
        assert_eq!(OffsetEntry::from_bytes(&bytes), entry);
        assert_eq!(entry.to_bytes(), bytes);
    }

    #[test]
    fn entries_grow_and_stay_within_the_log() {
        let entry = |relative_offset, position| OffsetEntry {
            relative_offset,
            position,
        };
        let check = |previous: Option<(u32, u32)>, next: (u32, u32), want| {
            let previous = previous.map(|(o, p)| entry(o, p));
            let got = entry(next.0, next.1).follows(previous.as_ref(), 1000);
            assert_eq!(got, want, "{previous:?} {next:?}");
        };
        check(None, (5, 100), true);
        check(None, (0, 0), false);
        check(Some((5, 100)), (6, 101), true);
        check(Some((5, 100)), (5, 101), false);
        check(Some((5, 100)), (6, 100), false);
        check(Some((5, 100)), (6, 1000), false);
        check(Some((5, 100)), (0, 0), false);
        check(Some((5, 100)), (1 << 31, 200), false);
    }

    #[test]
    fn relative_offsets_fit_31_bits() {
        assert_eq!(relative(Offset(10), Offset(10)), Some(0));
        assert_eq!(relative(Offset(10), Offset(9)), None);
        assert_eq!(
            relative(Offset(0), Offset(i64::from(i32::MAX))),
            Some(i32::MAX.unsigned_abs())
        );
        assert_eq!(relative(Offset(0), Offset(1 << 31)), None);
        assert_eq!(relative(Offset(i64::MIN), Offset(i64::MAX)), None);
    }
}
