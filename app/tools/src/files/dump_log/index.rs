//! The indexes of a segment, checked against its log: offsets, times, aborted transactions.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ottla_records::codec::Decompressor;
use ottla_records::legacy::LegacyView;
use ottla_records::{BatchView, MAGIC_V2};

use super::mismatches::{Mismatches, note};
use super::options::Asked;
use super::{absolute, base_offset};
use crate::common::output;
use crate::files::exception::Exception;
use crate::files::log_file::{LogFile, RawBatch};

/// Entries that are read at a time.
const READ_ENTRIES: u64 = 4096;

/// The entries of an index of `N` bytes each, read as they are needed.
struct Entries<const N: usize> {
    file: File,
    path: PathBuf,
    len: u64,
    /// The part in memory, and the number of its first entry.
    buffer: Vec<u8>,
    first: u64,
}

impl<const N: usize> Entries<N> {
    fn open(path: &Path) -> Result<Self, Exception> {
        let of = |error| Exception::of_io(path, &error);
        let file = File::open(path).map_err(of)?;
        let len = file.metadata().map_err(of)?.len();
        Ok(Self {
            file,
            path: path.to_owned(),
            len,
            buffer: Vec::new(),
            first: 0,
        })
    }

    fn count(&self) -> u64 {
        self.len / N as u64
    }

    fn get(&mut self, number: u64) -> Result<[u8; N], Exception> {
        if let Some(found) = self.buffered(number) {
            return Ok(found);
        }
        let bytes = READ_ENTRIES.min(self.count().saturating_sub(number)) * N as u64;
        self.buffer
            .resize(usize::try_from(bytes).unwrap_or_default(), 0);
        self.file
            .read_exact_at(&mut self.buffer, number * N as u64)
            .map_err(|error| Exception::of_io(&self.path, &error))?;
        self.first = number;
        Ok(self.buffered(number).unwrap_or([0; N]))
    }

    fn buffered(&self, number: u64) -> Option<[u8; N]> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let start = at.checked_mul(N)?;
        self.buffer.get(start..)?.first_chunk().copied()
    }
}

/// Relative offset and position of an entry of an offset index.
fn offset_entry(bytes: [u8; 8]) -> (i32, i32) {
    let [a, b, c, d, e, f, g, h] = bytes;
    (
        i32::from_be_bytes([a, b, c, d]),
        i32::from_be_bytes([e, f, g, h]),
    )
}

/// Timestamp and relative offset of an entry of a time index.
fn time_entry(bytes: [u8; 12]) -> (i64, i32) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
    (
        i64::from_be_bytes([a, b, c, d, e, f, g, h]),
        i32::from_be_bytes([i, j, k, l]),
    )
}

/// The file of the same segment with another ending.
fn sibling(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    absolute(path).with_file_name(format!("{stem}{ending}"))
}

/// Shows or checks an offset index.
pub(super) fn offsets(
    path: &Path,
    asked: &Asked,
    mismatches: &mut Mismatches,
) -> Result<(), Exception> {
    let base = base_offset(path)?;
    let log = LogFile::open(&sibling(path, ".log"))?;
    let mut entries = Entries::<8>::open(path)?;
    let count = entries.count();
    if count == 0 {
        output::line(&format!("{} is empty.", path.display()));
        return Ok(());
    }
    if asked.sanity_only {
        let (last, _) = offset_entry(entries.get(count - 1)?);
        if last < 0 {
            return Err(corrupt(format!(
                "Corrupt index found, index file ({}) has non-zero size but the last offset is {} \
                 which is less than the base offset {base}.",
                absolute(path).display(),
                base.saturating_add(last.into()),
            )));
        }
        passed(path);
        return Ok(());
    }
    let file = absolute(path).display().to_string();
    for number in 0..count {
        let (relative, position) = offset_entry(entries.get(number)?);
        // The rest of an index that is still in use is zeros.
        if relative == 0 && number > 0 {
            break;
        }
        let offset = base.saturating_add(relative.into());
        let size = u64::try_from(asked.max_message_size).unwrap_or_default();
        let mut batches = log.batches(start(position)?, size)?;
        let first = batches
            .next()?
            .ok_or_else(|| Exception::new("java.util.NoSuchElementException", ""))?;
        let last_offset = last_offset(&first)?;
        if last_offset != offset {
            note(&mut mismatches.index, &file, (offset, last_offset));
        }
        if !asked.verify_only {
            output::line(&format!("offset: {offset} position: {position}"));
        }
    }
    Ok(())
}

/// Shows or checks a time index.
pub(super) fn times(
    path: &Path,
    asked: &Asked,
    mismatches: &mut Mismatches,
) -> Result<(), Exception> {
    let base = base_offset(path)?;
    let log = LogFile::open(&sibling(path, ".log"))?;
    let mut offsets = Entries::<8>::open(&sibling(path, ".index"))?;
    let mut entries = Entries::<12>::open(path)?;
    if asked.sanity_only {
        return times_sanity(path, base, &mut entries);
    }
    let file = absolute(path).display().to_string();
    let mut previous = -1;
    let mut scratch = Decompressor::new();
    for number in 0..entries.count() {
        let (timestamp, relative) = time_entry(entries.get(number)?);
        if relative == 0 && number > 0 {
            break;
        }
        let offset = base.saturating_add(relative.into());
        let position = lookup(&mut offsets, relative)?;
        match find(&log, position, offset)? {
            Found::Batch(bytes) => {
                let log_timestamp = newest(&bytes, &mut scratch)?;
                if log_timestamp != timestamp {
                    note(&mut mismatches.time, &file, (timestamp, log_timestamp));
                }
                if previous >= timestamp {
                    note(&mut mismatches.time_order, &file, (timestamp, previous));
                }
            }
            Found::Other(last) => note(&mut mismatches.not_found, &file, (offset, last)),
        }
        if !asked.verify_only {
            output::line(&format!("timestamp: {timestamp} offset: {offset}"));
        }
        previous = timestamp;
    }
    Ok(())
}

fn times_sanity(path: &Path, base: i64, entries: &mut Entries<12>) -> Result<(), Exception> {
    let count = entries.count();
    let name = absolute(path).display().to_string();
    if count > 0 {
        let (first, _) = time_entry(entries.get(0)?);
        let (last, relative) = time_entry(entries.get(count - 1)?);
        // An index that is still in use ends with zeros, which Kafka takes for its last entry.
        if last < first {
            return Err(corrupt(format!(
                "Corrupt time index found, time index file ({name}) has non-zero size but the last \
                 timestamp is {last} which is less than the first timestamp {first}"
            )));
        }
        if relative < 0 {
            return Err(corrupt(format!(
                "Corrupt time index found, time index file ({name}) has non-zero size but the last \
                 offset is {} which is less than the first offset {base}",
                base.saturating_add(relative.into())
            )));
        }
    }
    if !entries.len.is_multiple_of(12) {
        return Err(corrupt(format!(
            "Time index file {name} is corrupt, found {} bytes which is neither positive nor a \
             multiple of 12",
            entries.len
        )));
    }
    passed(path);
    Ok(())
}

/// Shows an index of aborted transactions.
pub(super) fn transactions(path: &Path) -> Result<(), Exception> {
    base_offset(path)?;
    let mut entries = Entries::<34>::open(path)?;
    for number in 0..entries.count() {
        let bytes = entries.get(number)?;
        let mut fields = bytes
            .get(2..)
            .unwrap_or_default()
            .chunks_exact(8)
            .filter_map(<[u8]>::first_chunk::<8>)
            .map(|field| i64::from_be_bytes(*field));
        let mut next = || fields.next().unwrap_or_default();
        // Kafka's reader knows one version and shows it whatever the file says.
        output::line(&format!(
            "version: 0 producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            next(),
            next(),
            next(),
            next()
        ));
    }
    Ok(())
}

/// Position of the last entry at or below an offset; 0 if there is none.
fn lookup(offsets: &mut Entries<8>, relative: i32) -> Result<i32, Exception> {
    let (mut low, mut high) = (0, offsets.count());
    while low < high {
        let middle = low + (high - low) / 2;
        let (entry, _) = offset_entry(offsets.get(middle)?);
        // Zeros behind the first entry are room that is not used yet.
        if entry <= relative && (middle == 0 || entry != 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    match low.checked_sub(1) {
        Some(number) => Ok(offset_entry(offsets.get(number)?).1),
        None => Ok(0),
    }
}

/// What a log has at an indexed offset.
enum Found {
    /// The batch that ends there.
    Batch(Vec<u8>),
    /// Another one, by its last offset; -1 if the log ends before.
    Other(i64),
}

fn find(log: &LogFile, position: i32, offset: i64) -> Result<Found, Exception> {
    let mut batches = log.batches(start(position)?, u64::from(i32::MAX.unsigned_abs()))?;
    while let Some(batch) = batches.next()? {
        let last = last_offset(&batch)?;
        if last == offset {
            let mut bytes = batch.own_bytes().to_vec();
            if let (Some(place), [magic], true) = (
                bytes.get_mut(16),
                MAGIC_V2.to_be_bytes(),
                batch.magic >= MAGIC_V2,
            ) {
                *place = magic;
            }
            return Ok(Found::Batch(bytes));
        }
        if last > offset {
            return Ok(Found::Other(last));
        }
    }
    Ok(Found::Other(-1))
}

/// The largest timestamp of a batch's records; -1 if it has none.
fn newest(bytes: &[u8], scratch: &mut Decompressor) -> Result<i64, Exception> {
    let broken = |error: &dyn std::fmt::Display| {
        Exception::new(
            "org.apache.kafka.common.InvalidRecordException",
            error.to_string(),
        )
    };
    let mut newest = -1;
    let is_legacy = bytes.get(16).is_some_and(|magic| *magic < 2);
    if is_legacy {
        let view = LegacyView::parse(bytes).map_err(|error| broken(&error))?;
        for record in view.messages(scratch).map_err(|error| broken(&error))? {
            newest = newest.max(record.map_err(|error| broken(&error))?.timestamp.0);
        }
    } else {
        let view = BatchView::parse(bytes).map_err(|error| broken(&error))?;
        for record in view.records(scratch).map_err(|error| broken(&error))? {
            newest = newest.max(record.map_err(|error| broken(&error))?.timestamp.0);
        }
    }
    Ok(newest)
}

fn last_offset(batch: &RawBatch<'_>) -> Result<i64, Exception> {
    if (0..MAGIC_V2).contains(&batch.magic) {
        let offset = batch.bytes.first_chunk::<8>().copied().unwrap_or_default();
        return Ok(i64::from_be_bytes(offset));
    }
    Ok(batch.header()?.last_offset().0)
}

fn start(position: i32) -> Result<u64, Exception> {
    u64::try_from(position).map_err(|_| {
        Exception::new(
            "java.lang.IllegalArgumentException",
            format!("Invalid position: {position} in read from FileRecords"),
        )
    })
}

fn corrupt(message: String) -> Exception {
    Exception::new(
        "org.apache.kafka.storage.internals.log.CorruptIndexException",
        message,
    )
}

fn passed(path: &Path) {
    output::line(&format!("{} passed sanity check.", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_at_or_below_an_offset_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("00000000000000000000.index");
        let mut bytes = Vec::new();
        for (offset, position) in [(5i32, 100i32), (9, 200), (20, 300), (0, 0), (0, 0)] {
            bytes.extend(offset.to_be_bytes());
            bytes.extend(position.to_be_bytes());
        }
        std::fs::write(&path, bytes).unwrap();
        let mut entries = Entries::<8>::open(&path).unwrap();
        for (offset, position) in [(0, 0), (4, 0), (5, 100), (8, 100), (9, 200), (99, 300)] {
            assert_eq!(lookup(&mut entries, offset).unwrap(), position, "{offset}");
        }
        std::fs::write(&path, []).unwrap();
        let mut entries = Entries::<8>::open(&path).unwrap();
        assert_eq!(lookup(&mut entries, 7).unwrap(), 0);
    }
}
