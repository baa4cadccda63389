//! Reads the entries of the sorted index files of a segment.
//!
//! An index that Apache Kafka did not close ends in zeros; those are no entries. An index that is damaged costs time,
//! never a wrong answer: whoever follows an entry looks whether the batch is there.

use std::io;

use ottla_env::DiskFile;
use ottla_log::index::partition_point;
use ottla_log::offset_index::{self, OffsetEntry};
use ottla_log::time_index::{self, TimeEntry};

/// Bytes of an index read at once when all of it is checked.
const CHECK_BYTES: usize = 12 << 10;

/// The offset entry number `at`.
pub(super) fn offset_entry(file: &dyn DiskFile, at: u32) -> io::Result<OffsetEntry> {
    let mut bytes = [0; offset_index::ENTRY_BYTES];
    file.read_exact_at(&mut bytes, u64::from(at) * offset_index::ENTRY_BYTES as u64)?;
    Ok(OffsetEntry::from_bytes(&bytes))
}

/// The time entry number `at`.
pub(super) fn time_entry(file: &dyn DiskFile, at: u32) -> io::Result<TimeEntry> {
    let mut bytes = [0; time_index::ENTRY_BYTES];
    file.read_exact_at(&mut bytes, u64::from(at) * time_index::ENTRY_BYTES as u64)?;
    Ok(TimeEntry::from_bytes(&bytes))
}

fn slots(file_len: u64, entry_bytes: usize) -> u32 {
    u32::try_from(file_len / entry_bytes as u64).unwrap_or(u32::MAX)
}

/// Number of offset entries before the zeros in a file of `file_len` bytes.
pub(super) fn offset_count(file: &dyn DiskFile, file_len: u64) -> io::Result<u32> {
    count(slots(file_len, offset_index::ENTRY_BYTES), |at| {
        Ok(offset_entry(file, at)?.position > 0)
    })
}

/// Number of time entries before the zeros in a file of `file_len` bytes.
pub(super) fn time_count(file: &dyn DiskFile, file_len: u64) -> io::Result<u32> {
    count(slots(file_len, time_index::ENTRY_BYTES), |at| {
        let entry = time_entry(file, at)?;
        Ok(entry.timestamp > 0 || entry.relative_offset > 0)
    })
}

/// How many of `slots` are entries; those that are none are at the end.
fn count(slots: u32, is_entry: impl Fn(u32) -> io::Result<bool>) -> io::Result<u32> {
    // An index that was closed has no room behind its entries, so that one look is enough.
    match slots.checked_sub(1) {
        Some(last) if !is_entry(last)? => partition_point(last, is_entry),
        _ => Ok(slots),
    }
}

/// The last of `count` offset entries for which `holds` is true; it is true for a prefix.
pub(super) fn last_offset_entry(
    file: &dyn DiskFile,
    count: u32,
    holds: impl Fn(&OffsetEntry) -> bool,
) -> io::Result<Option<OffsetEntry>> {
    let after: io::Result<u32> = partition_point(count, |at| Ok(holds(&offset_entry(file, at)?)));
    after?
        .checked_sub(1)
        .map(|at| offset_entry(file, at))
        .transpose()
}

/// The last of `count` time entries for which `holds` is true; it is true for a prefix.
pub(super) fn last_time_entry(
    file: &dyn DiskFile,
    count: u32,
    holds: impl Fn(&TimeEntry) -> bool,
) -> io::Result<Option<TimeEntry>> {
    let after: io::Result<u32> = partition_point(count, |at| Ok(holds(&time_entry(file, at)?)));
    after?
        .checked_sub(1)
        .map(|at| time_entry(file, at))
        .transpose()
}

/// The leading offset entries that can be true of a segment of `log_bytes`, and end below `relative_end`:
/// how many, and the last.
pub(super) fn checked_offsets(
    file: &dyn DiskFile,
    log_bytes: u32,
    relative_end: u32,
) -> io::Result<(u32, Option<OffsetEntry>)> {
    checked::<{ offset_index::ENTRY_BYTES }, _>(file, OffsetEntry::from_bytes, |entry, previous| {
        entry.follows(previous, log_bytes) && entry.relative_offset < relative_end
    })
}

/// The leading time entries that can be true, and are about offsets below `relative_end`: how many, and the last.
pub(super) fn checked_times(
    file: &dyn DiskFile,
    relative_end: u32,
) -> io::Result<(u32, Option<TimeEntry>)> {
    checked::<{ time_index::ENTRY_BYTES }, _>(file, TimeEntry::from_bytes, |entry, previous| {
        entry.follows(previous) && entry.relative_offset < relative_end
    })
}

fn checked<const N: usize, E: Copy>(
    file: &dyn DiskFile,
    decode: impl Fn(&[u8; N]) -> E,
    follows: impl Fn(&E, Option<&E>) -> bool,
) -> io::Result<(u32, Option<E>)> {
    let slots = slots(file.len()?, N);
    let per_read = u32::try_from(CHECK_BYTES / N).expect("small");
    let mut buffer = [0; CHECK_BYTES];
    let (mut count, mut last) = (0, None);
    while count < slots {
        let batch = per_read.min(slots - count);
        let bytes = usize::try_from(batch).expect("small") * N;
        let part = buffer.get_mut(..bytes).unwrap_or_default();
        file.read_exact_at(part, u64::from(count) * N as u64)?;
        let (entries, _) = part.as_chunks::<N>();
        for bytes in entries {
            let entry = decode(bytes);
            if !follows(&entry, last.as_ref()) {
                return Ok((count, last));
            }
            (count, last) = (count + 1, Some(entry));
        }
    }
    Ok((count, last))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn one_look_counts_the_entries_of_a_closed_index() {
        for (slots, entries, looks) in [
            (0, 0, 0),
            (1, 1, 1),
            (1000, 1000, 1),
            (1000, 3, 11),
            (7, 0, 4),
        ] {
            let looked = Cell::new(0);
            let found = count(slots, |at| {
                looked.set(looked.get() + 1);
                Ok(at < entries)
            });
            assert_eq!(found.expect("no disk"), entries);
            assert!(looked.get() <= looks, "{slots} {entries}: {}", looked.get());
        }
    }
}
