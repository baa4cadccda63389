//! One entry of a segment, of any format: enough of its header to place it.
//!
//! Segments written before Kafka 0.11 hold messages of magic 0 and 1; all formats begin with an offset and a
//! length and have the magic at byte 16. What is inside an old message stays with `ottla_records`.

use ottla_base::{LeaderEpoch, Offset};
use ottla_records::{BatchHeader, MAGIC_V2, layout};

/// Bytes that [`EntryHeader::parse`] wants to see; fewer do only where the segment ends.
pub const PEEK_BYTES: usize = layout::RECORDS;

/// Length field of the smallest message of magic 0: CRC, magic, attributes, key and value length.
const LEGACY_LENGTH_MIN: i32 = 14;
/// Where a message of magic 1 has its timestamp.
const LEGACY_TIMESTAMP: usize = 18;

/// What one entry of a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryHeader {
    /// A record batch v2.
    Batch(BatchHeader),
    /// A message of magic 0 or 1, or a wrapper of compressed ones.
    Legacy {
        /// Offset of the message; of the last message in a wrapper.
        last_offset: Offset,
        /// Bytes of the entry.
        size: u32,
        /// Magic 1's timestamp (the largest in a wrapper); -1 for magic 0.
        timestamp: i64,
    },
}

/// The bytes do not begin an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The segment ends within the entry.
    #[error("entry is cut off")]
    CutOff,
    /// The length field, the magic or an offset cannot be true.
    #[error("entry is corrupt")]
    Corrupt,
}

impl EntryHeader {
    /// Reads the entry that begins with `bytes`, of which `remaining` bytes of segment follow from its start.
    ///
    /// # Errors
    /// [`EntryError`]; a segment that is being recovered ends here.
    pub fn parse(bytes: &[u8], remaining: u64) -> Result<Self, EntryError> {
        let Some((start, _)) = bytes.split_first_chunk::<{ layout::UP_TO_MAGIC }>() else {
            return Err(EntryError::CutOff);
        };
        let (offset, rest) = start.split_first_chunk::<8>().expect("17 bytes");
        let (length, rest) = rest.split_first_chunk::<4>().expect("9 bytes");
        let length = i32::from_be_bytes(*length);
        let magic = rest[4].cast_signed();
        let entry = match magic {
            MAGIC_V2 => match BatchHeader::decode(bytes) {
                Ok(header) => Self::Batch(header),
                Err(ottla_records::BatchError::Truncated { .. }) => return Err(EntryError::CutOff),
                Err(_) => return Err(EntryError::Corrupt),
            },
            0 | 1 if length >= LEGACY_LENGTH_MIN => Self::Legacy {
                last_offset: Offset(i64::from_be_bytes(*offset)),
                size: u32::try_from(length).map_err(|_| EntryError::Corrupt)?
                    + u32::try_from(layout::LOG_OVERHEAD).expect("12"),
                timestamp: if magic == 0 {
                    -1
                } else {
                    let field = bytes
                        .get(LEGACY_TIMESTAMP..)
                        .and_then(|b| b.first_chunk::<8>());
                    i64::from_be_bytes(*field.ok_or(EntryError::CutOff)?)
                },
            },
            _ => return Err(EntryError::Corrupt),
        };
        let bad_delta = matches!(&entry, Self::Batch(header) if header.last_offset_delta < 0);
        if bad_delta || entry.first_offset().0 < 0 || entry.last_offset().0 == i64::MAX {
            return Err(EntryError::Corrupt);
        }
        if u64::from(entry.size()) > remaining {
            return Err(EntryError::CutOff);
        }
        Ok(entry)
    }

    /// Bytes of the entry.
    #[must_use]
    pub fn size(&self) -> u32 {
        match self {
            Self::Batch(header) => u32::try_from(header.size_in_bytes())
                .expect("a length field of 31 bits and 12 bytes"),
            Self::Legacy { size, .. } => *size,
        }
    }

    /// Offset of the first record. An old wrapper does not tell it: then that of the last.
    #[must_use]
    pub fn first_offset(&self) -> Offset {
        match self {
            Self::Batch(header) => header.base_offset,
            Self::Legacy { last_offset, .. } => *last_offset,
        }
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        match self {
            Self::Batch(header) => header.last_offset(),
            Self::Legacy { last_offset, .. } => *last_offset,
        }
    }

    /// Offset after the last record.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    /// The largest timestamp; -1 if there is none.
    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        match self {
            Self::Batch(header) => header.max_timestamp.0,
            Self::Legacy { timestamp, .. } => *timestamp,
        }
    }

    /// Epoch of the leader that appended it; unknown in old formats.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        match self {
            Self::Batch(header) => header.partition_leader_epoch,
            Self::Legacy { .. } => LeaderEpoch::UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legacy(magic: u8, length: i32) -> Vec<u8> {
        let mut bytes = 7i64.to_be_bytes().to_vec();
        bytes.extend(length.to_be_bytes());
        bytes.extend([0, 0, 0, 0, magic, 0]);
        bytes.extend(1234i64.to_be_bytes());
        bytes.extend([0xff; 8]);
        bytes
    }

    #[test]
    fn old_messages_are_placed() {
        let one = legacy(1, 22);
        let entry = EntryHeader::parse(&one, 34).unwrap();
        assert_eq!(
            entry,
            EntryHeader::Legacy {
                last_offset: Offset(7),
                size: 34,
                timestamp: 1234
            }
        );
        assert_eq!(EntryHeader::parse(&one, 33), Err(EntryError::CutOff));
        assert_eq!(
            EntryHeader::parse(&legacy(0, 14), 100)
                .unwrap()
                .max_timestamp(),
            -1
        );
    }

    #[test]
    fn zeros_and_nonsense_end_a_segment() {
        assert_eq!(EntryHeader::parse(&[0; 61], 1000), Err(EntryError::Corrupt));
        assert_eq!(EntryHeader::parse(&[0; 16], 16), Err(EntryError::CutOff));
        assert_eq!(
            EntryHeader::parse(&legacy(3, 100), 1000),
            Err(EntryError::Corrupt)
        );
        assert_eq!(
            EntryHeader::parse(&legacy(1, -1), 1000),
            Err(EntryError::Corrupt)
        );
        let mut negative = legacy(1, 22);
        negative[0] = 0x80;
        assert_eq!(
            EntryHeader::parse(&negative, 1000),
            Err(EntryError::Corrupt)
        );
    }
}
