//! The `.txnindex` file: aborted transactions of a segment (KIP-98).
//!
//! Entries of 34 bytes, big-endian: version (i16, 0), producer id, first offset, offset of the abort marker,
//! and the last stable offset when the marker was written (i64 each). The file exists only where there is
//! an entry.

use ottla_base::{Offset, ProducerId};

/// Size of an entry.
pub const ENTRY_BYTES: usize = 34;

/// A transaction whose records a read_committed reader skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Whose records.
    pub producer_id: ProducerId,
    /// The first of them.
    pub first_offset: Offset,
    /// The abort marker.
    pub last_offset: Offset,
    /// The last stable offset once this transaction had ended: nothing before it is undecided.
    pub last_stable_offset: Offset,
}

impl AbortedTxn {
    /// The bytes in the file.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let fields = [
            self.producer_id.0,
            self.first_offset.0,
            self.last_offset.0,
            self.last_stable_offset.0,
        ];
        for (chunk, field) in bytes[2..].chunks_exact_mut(8).zip(fields) {
            chunk.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    /// Reads the bytes of the file; `None` for a version that is not known.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let (version, fields) = bytes.split_at(2);
        if version != [0, 0] {
            return None;
        }
        let mut fields = fields
            .chunks_exact(8)
            .map(|chunk| i64::from_be_bytes(chunk.try_into().expect("a chunk has 8 bytes")));
        let mut next = || fields.next().expect("32 bytes are four fields");
        Some(Self {
            producer_id: ProducerId(next()),
            first_offset: Offset(next()),
            last_offset: Offset(next()),
            last_stable_offset: Offset(next()),
        })
    }

    /// Whether a reader of `[from, upto)` has to know of this transaction.
    #[must_use]
    pub fn concerns(&self, from: Offset, upto: Offset) -> bool {
        self.last_offset >= from && self.first_offset < upto
    }

    /// Whether no later entry can concern a reader of offsets below `upto`.
    #[must_use]
    pub fn settles(&self, upto: Offset) -> bool {
        self.last_stable_offset >= upto
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kafkas() {
        // First entry of a .txnindex file that Apache Kafka wrote.
        let bytes = [
            0x00, 0x00, // version 0
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, // producer id 1
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x42, // first offset 66
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x47, // last offset 71: the marker
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x48, // last stable offset 72
        ];
        let txn = AbortedTxn {
            producer_id: ProducerId(1),
            first_offset: Offset(66),
            last_offset: Offset(71),
            last_stable_offset: Offset(72),
        };
        assert_eq!(AbortedTxn::from_bytes(&bytes), Some(txn));
        assert_eq!(txn.to_bytes(), bytes);
        let mut unknown = bytes;
        unknown[1] = 1;
        assert_eq!(AbortedTxn::from_bytes(&unknown), None);
        assert!(txn.concerns(Offset(71), Offset(80)));
        assert!(!txn.concerns(Offset(72), Offset(80)));
        assert!(!txn.concerns(Offset(0), Offset(66)));
    }
}
