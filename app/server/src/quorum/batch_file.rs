//! Record batches of a file one after the other: snapshots, and what the metadata log reads of itself.
//!
//! Every batch is checked - format, size, CRC - before anybody sees it.

use std::ops::ControlFlow;
use std::path::Path;

use ottla_env::DiskFile;
use ottla_records::codec::Decompressor;
use ottla_records::{BatchView, EntryPrefix, HEADER_SIZE};

use super::error::QuorumError;

/// Largest batch that is read: Kafka writes up to 8 MiB (`internal.metadata.max.batch.size.in.bytes`).
/// Above it the file counts as corrupt.
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Hands every batch of the half-open byte range to `sink`, in order, until it breaks off.
pub(crate) fn for_each_batch(
    path: &Path,
    file: &dyn DiskFile,
    range: std::ops::Range<u64>,
    sink: &mut dyn FnMut(&BatchView<'_>) -> Result<ControlFlow<()>, QuorumError>,
) -> Result<(), QuorumError> {
    let mut position = range.start;
    let mut bytes = Vec::new();
    while position < range.end {
        let corrupt = |reason: String| QuorumError::Corrupt {
            path: path.to_owned(),
            position,
            reason,
        };
        let left = range.end - position;
        let mut head = [0; HEADER_SIZE];
        if left < u64::try_from(HEADER_SIZE).expect("61 fits") {
            return Err(corrupt("a batch is cut off".to_owned()));
        }
        let read = |buf: &mut [u8]| {
            file.read_exact_at(buf, position)
                .map_err(QuorumError::io(path))
        };
        read(&mut head)?;
        let prefix = EntryPrefix::decode(&head).map_err(|error| corrupt(error.to_string()))?;
        let size = u64::try_from(prefix.size_in_bytes).unwrap_or(u64::MAX);
        if prefix.size_in_bytes > BATCH_BYTES_MAX || size > left {
            return Err(corrupt(format!("a batch is too long: bytes={size}")));
        }
        bytes.resize(prefix.size_in_bytes, 0);
        read(&mut bytes)?;
        let batch = BatchView::parse(&bytes).map_err(|error| corrupt(error.to_string()))?;
        batch
            .verify_crc()
            .map_err(|error| corrupt(error.to_string()))?;
        if sink(&batch)?.is_break() {
            break;
        }
        position += size;
    }
    Ok(())
}

/// A record of a batch: its offset, key and value.
pub(crate) type KeyValue<'a> = (ottla_base::Offset, Option<&'a [u8]>, Option<&'a [u8]>);

/// Hands every record of `batch` to `sink`.
pub(crate) fn for_each_record(
    batch: &BatchView<'_>,
    scratch: &mut Decompressor,
    sink: &mut dyn FnMut(KeyValue<'_>) -> Result<(), QuorumError>,
) -> Result<(), QuorumError> {
    let bad = |error: &dyn std::fmt::Display| QuorumError::BadControlRecord {
        offset: batch.base_offset(),
        reason: error.to_string(),
    };
    let records = batch.records(scratch).map_err(|error| bad(&error))?;
    for record in records {
        let record = record.map_err(|error| bad(&error))?;
        sink((record.offset, record.key, record.value))?;
    }
    Ok(())
}
