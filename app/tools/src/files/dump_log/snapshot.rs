//! A producer snapshot: `NNN.snapshot`.

use std::io::Read as _;
use std::path::Path;

use ottla_records::crc32c;

use crate::common::output;
use crate::files::exception::Exception;

/// Largest file that is read; more producers than a partition sees in a day.
const BYTES_MAX: u64 = 256 << 20;

/// Shows the producers.
pub(super) fn dump(path: &Path) -> Result<(), Exception> {
    let of = |error| Exception::of_io(path, &error);
    let file = std::fs::File::open(path).map_err(of)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(of)?;
    match lines(&bytes) {
        Ok(lines) => lines.iter().for_each(|line| output::line(line)),
        Err(reason) => output::error_line(&reason),
    }
    Ok(())
}

/// One line a producer, or what is wrong with the file.
fn lines(bytes: &[u8]) -> Result<Vec<String>, String> {
    let cut_off = || "Snapshot failed schema validation: null".to_owned();
    let mut rest = bytes;
    let version = i16::from_be_bytes(take(&mut rest).ok_or_else(cut_off)?);
    if version != 1 {
        return Err(format!(
            "Snapshot failed schema validation: Snapshot contained an unknown file version {version}"
        ));
    }
    let stored = u32::from_be_bytes(take(&mut rest).ok_or_else(cut_off)?);
    let mut entries = rest;
    let count = i32::from_be_bytes(take(&mut entries).ok_or_else(cut_off)?);
    let mut lines = Vec::new();
    for _ in 0..count {
        lines.push(line(&mut entries).ok_or_else(cut_off)?);
    }
    let computed = crc32c(rest);
    if stored != computed {
        return Err(format!(
            "Snapshot is corrupt (CRC is no longer valid). Stored crc: {stored}. Computed crc: \
             {computed}"
        ));
    }
    Ok(lines)
}

fn line(bytes: &mut &[u8]) -> Option<String> {
    let id = i64::from_be_bytes(take(bytes)?);
    let epoch = i16::from_be_bytes(take(bytes)?);
    let last_sequence = i32::from_be_bytes(take(bytes)?);
    let last_offset = i64::from_be_bytes(take(bytes)?);
    let offset_delta = i32::from_be_bytes(take(bytes)?);
    let timestamp = i64::from_be_bytes(take(bytes)?);
    let coordinator_epoch = i32::from_be_bytes(take(bytes)?);
    let first_offset = i64::from_be_bytes(take(bytes)?);
    let first_offset = if first_offset >= 0 {
        format!("OptionalLong[{first_offset}]")
    } else {
        "OptionalLong.empty".to_owned()
    };
    let mut line = format!(
        "producerId: {id} producerEpoch: {epoch} coordinatorEpoch: {coordinator_epoch} \
         currentTxnFirstOffset: {first_offset} lastTimestamp: {timestamp}"
    );
    if last_offset >= 0 {
        line.push_str(&format!(
            " firstSequence: {} lastSequence: {last_sequence} lastOffset: {last_offset} \
             offsetDelta: {offset_delta} timestamp: {timestamp}",
            decrement(last_sequence, offset_delta)
        ));
    }
    Some(line)
}

/// A sequence so many before another; sequences begin anew behind the largest number.
fn decrement(sequence: i32, by: i32) -> i32 {
    if sequence >= by {
        sequence.wrapping_sub(by)
    } else {
        i32::MAX
            .wrapping_sub(by.wrapping_sub(sequence))
            .wrapping_add(1)
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(entries: &[[i64; 8]]) -> Vec<u8> {
        let mut body = i32::try_from(entries.len()).unwrap().to_be_bytes().to_vec();
        for [id, epoch, sequence, offset, delta, time, coordinator, first] in entries {
            body.extend(id.to_be_bytes());
            body.extend(i16::try_from(*epoch).unwrap().to_be_bytes());
            body.extend(i32::try_from(*sequence).unwrap().to_be_bytes());
            body.extend(offset.to_be_bytes());
            body.extend(i32::try_from(*delta).unwrap().to_be_bytes());
            body.extend(time.to_be_bytes());
            body.extend(i32::try_from(*coordinator).unwrap().to_be_bytes());
            body.extend(first.to_be_bytes());
        }
        let mut bytes = vec![0, 1];
        bytes.extend(crc32c(&body).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn producers_are_shown_as_by_kafka() {
        let bytes = file(&[
            [8, 0, 19_999, 20_302, 245, 1, -1, -1],
            [7, 16, -1, -1, 0, 2, 0, 9],
        ]);
        let expected = [
            "producerId: 8 producerEpoch: 0 coordinatorEpoch: -1 currentTxnFirstOffset: \
             OptionalLong.empty lastTimestamp: 1 firstSequence: 19754 lastSequence: 19999 \
             lastOffset: 20302 offsetDelta: 245 timestamp: 1",
            "producerId: 7 producerEpoch: 16 coordinatorEpoch: 0 currentTxnFirstOffset: \
             OptionalLong[9] lastTimestamp: 2",
        ];
        assert_eq!(lines(&bytes).unwrap(), expected);
        assert_eq!(decrement(1, 3), i32::MAX - 1);
        for cut in 0..bytes.len() {
            assert!(lines(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn damage_is_told_in_kafkas_words() {
        let mut bytes = file(&[[8, 0, 1, 1, 0, 1, -1, -1]]);
        bytes[20] ^= 1;
        let error = lines(&bytes).unwrap_err();
        assert!(error.starts_with("Snapshot is corrupt (CRC is no longer valid). Stored crc: "));
        bytes[1] = 3;
        assert_eq!(
            lines(&bytes).unwrap_err(),
            "Snapshot failed schema validation: Snapshot contained an unknown file version 3"
        );
        assert_eq!(
            lines(&[0]).unwrap_err(),
            "Snapshot failed schema validation: null"
        );
    }
}
