//! The `.snapshot` file: the producers of a partition at an offset, so that a start need not read the whole log.
//!
//! Version (i16, 1), CRC-32C of what follows (u32), count (i32), entries of 46 bytes, big-endian. A file that does
//! not check is as good as none: an older one and more of the log are read.

use ottla_base::{Offset, ProducerEpoch, ProducerId, Sequence};
use ottla_records::crc32c;

use crate::producer_state::{BatchSpan, ProducerEntry, ProducerStates};

/// The only version.
const VERSION: i16 = 1;
/// Version and CRC.
const PREFIX_BYTES: usize = 6;
/// Version, CRC and count.
const HEADER_BYTES: usize = 10;
/// Size of an entry.
const ENTRY_BYTES: usize = 46;

/// Largest snapshot that is read: more producers than a partition sees in a day. A larger one counts as damaged.
pub const SNAPSHOT_BYTES_MAX: u64 = 256 << 20;

/// The file is not a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The version is not 1.
    #[error("unknown version of a producer snapshot version={0}")]
    Version(i16),
    /// The checksum does not match.
    #[error("producer snapshot is corrupt")]
    Crc,
    /// The length does not fit the count.
    #[error("producer snapshot has the wrong length bytes={0}")]
    Length(usize),
}

/// The file's bytes.
#[must_use]
pub fn write(states: &ProducerStates) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + states.len() * ENTRY_BYTES);
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend([0; 4]);
    // Past 2^31 producers the count alone would be 100 GB.
    bytes.extend(
        i32::try_from(states.len())
            .unwrap_or(i32::MAX)
            .to_be_bytes(),
    );
    for entry in states.iter() {
        let last = entry.last_batch();
        bytes.extend(entry.id.0.to_be_bytes());
        bytes.extend(entry.epoch.0.to_be_bytes());
        bytes.extend(entry.last_sequence().0.to_be_bytes());
        bytes.extend(last.map_or(-1, |b| b.last_offset.0).to_be_bytes());
        bytes.extend(last.map_or(0, |b| b.offset_delta).to_be_bytes());
        bytes.extend(entry.last_timestamp.to_be_bytes());
        bytes.extend(entry.coordinator_epoch.to_be_bytes());
        bytes.extend(entry.txn_start.map_or(-1, |o| o.0).to_be_bytes());
    }
    let crc = crc32c(&bytes[PREFIX_BYTES..]);
    bytes[2..PREFIX_BYTES].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// Reads the file's bytes.
///
/// # Errors
/// [`SnapshotError`] if it is damaged or of another version.
pub fn read(bytes: &[u8]) -> Result<ProducerStates, SnapshotError> {
    let length = SnapshotError::Length(bytes.len());
    let mut fields = Fields(bytes);
    let version = fields.take().map(i16::from_be_bytes).ok_or(length)?;
    if version != VERSION {
        return Err(SnapshotError::Version(version));
    }
    let crc = fields.take().map(u32::from_be_bytes).ok_or(length)?;
    if crc32c(fields.0) != crc {
        return Err(SnapshotError::Crc);
    }
    let count = fields.take().map(i32::from_be_bytes).ok_or(length)?;
    let expected = usize::try_from(count)
        .ok()
        .and_then(|c| c.checked_mul(ENTRY_BYTES));
    if expected != Some(fields.0.len()) {
        return Err(length);
    }
    let mut states = ProducerStates::default();
    while !fields.0.is_empty() {
        states.load(entry(&mut fields).ok_or(length)?);
    }
    Ok(states)
}

fn entry(fields: &mut Fields<'_>) -> Option<ProducerEntry> {
    let id = ProducerId(fields.take().map(i64::from_be_bytes)?);
    let epoch = ProducerEpoch(fields.take().map(i16::from_be_bytes)?);
    let last_sequence = Sequence(fields.take().map(i32::from_be_bytes)?);
    let last_offset = Offset(fields.take().map(i64::from_be_bytes)?);
    let offset_delta = fields.take().map(i32::from_be_bytes)?;
    let timestamp = fields.take().map(i64::from_be_bytes)?;
    let coordinator_epoch = fields.take().map(i32::from_be_bytes)?;
    let txn_start = Offset(fields.take().map(i64::from_be_bytes)?);
    let mut entry = ProducerEntry::new(id, epoch);
    entry.last_timestamp = timestamp;
    entry.coordinator_epoch = coordinator_epoch;
    entry.txn_start = (txn_start.0 >= 0).then_some(txn_start);
    if last_offset.0 >= 0 {
        entry.remember(BatchSpan {
            last_sequence,
            last_offset,
            offset_delta,
            timestamp,
        });
    }
    Some(entry)
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states() -> ProducerStates {
        let mut states = ProducerStates::default();
        let mut one = ProducerEntry::new(ProducerId(7), ProducerEpoch(2));
        one.last_timestamp = 1_700_000_000_000;
        one.remember(BatchSpan {
            last_sequence: Sequence(41),
            last_offset: Offset(99),
            offset_delta: 9,
            timestamp: 1_700_000_000_000,
        });
        one.txn_start = Some(Offset(90));
        states.load(one);
        let mut two = ProducerEntry::new(ProducerId(8), ProducerEpoch(0));
        two.coordinator_epoch = 3;
        states.load(two);
        states
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = write(&states());
        assert_eq!(bytes.len(), HEADER_BYTES + 2 * ENTRY_BYTES);
        let read = read(&bytes).unwrap();
        assert_eq!(read, states());
        assert_eq!(read.first_undecided_offset(), Some(Offset(90)));
    }

    #[test]
    fn an_empty_snapshot_is_kafkas() {
        // As Apache Kafka writes it when a segment without idempotent producers is closed.
        let bytes = [0, 1, 0x48, 0x67, 0x4b, 0xc7, 0, 0, 0, 0];
        assert_eq!(write(&ProducerStates::default()), bytes);
        assert_eq!(read(&bytes), Ok(ProducerStates::default()));
    }

    #[test]
    fn damage_is_found_at_every_byte() {
        let good = write(&states());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(read(&bad).is_err(), "byte {at}");
            assert!(read(&good[..at]).is_err(), "cut at {at}");
        }
        // A count that lies, under a right checksum.
        let mut lying = good;
        lying[6] = 0x7f;
        let crc = crc32c(&lying[PREFIX_BYTES..]).to_be_bytes();
        lying[2..6].copy_from_slice(&crc);
        assert_eq!(read(&lying), Err(SnapshotError::Length(lying.len())));
    }
}
