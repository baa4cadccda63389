//! LZ4 frames as Kafka knows them: independent blocks, no dictionary, and only the first frame of a stream counts.
//!
//! The content checksum is skipped, as Java skips it: the batch has a CRC. Blocks come from the library; the frame is
//! read here because Java's reader differs from a general one in what it accepts.

use super::{Failure, Output};
use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size,
};
use twox_hash::XxHash32;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const VERSION_MASK: u8 = 0b1100_0000;
const VERSION: u8 = 0b0100_0000;
const INDEPENDENT: u8 = 0b0010_0000;
const BLOCK_CHECKSUM: u8 = 0b0001_0000;
const CONTENT_SIZE: u8 = 0b0000_1000;
const RESERVED: u8 = 0b0000_0011;
const STORED: u32 = 1 << 31;
/// Plain bytes in one block, as Java writes them: size code 4.
const BLOCK: usize = 64 << 10;
const BLOCK_CODE: u8 = 4 << 4;

/// Whether the checksum of the frame header is checked. Kafka before 0.10 computed it wrongly, and with magic 0
/// everybody has to (KAFKA-3160).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderChecksum {
    Checked,
    Ignored,
}

pub(super) type Table = Box<CompressTable>;

pub(super) fn decompress(
    input: &[u8],
    checksum: HeaderChecksum,
    out: &mut Output,
) -> Result<(), Failure> {
    let (flags, block_max, mut rest) = frame_header(input, checksum)?;
    loop {
        let word = u32::from_le_bytes(*take::<4>(&mut rest)?);
        let len = usize::try_from(word & !STORED).map_err(|_| Failure::Corrupt)?;
        // An end mark closes the frame; Java takes "stored, no bytes" for one too.
        if len == 0 {
            return Ok(());
        }
        if len > block_max {
            return Err(Failure::Corrupt);
        }
        let (block, after) = rest.split_at_checked(len).ok_or(Failure::Corrupt)?;
        rest = after;
        if flags & BLOCK_CHECKSUM != 0
            && u32::from_le_bytes(*take::<4>(&mut rest)?) != XxHash32::oneshot(0, block)
        {
            return Err(Failure::Corrupt);
        }
        if word & STORED != 0 {
            out.extend(block)?;
            continue;
        }
        // One input byte gives at most 255 output bytes, so small blocks need no full block of room.
        let want = block_max.min(len.saturating_mul(255));
        let room = out.room(want)?;
        let cut_by_limit = room.len() < want;
        match decompress_into(block, room) {
            Ok(written) => out.advance(written),
            Err(_) if cut_by_limit => return Err(Failure::TooLarge),
            Err(_) => return Err(Failure::Corrupt),
        }
    }
}

/// Flags, largest block and what follows the header.
fn frame_header(input: &[u8], checksum: HeaderChecksum) -> Result<(u8, usize, &[u8]), Failure> {
    let mut rest = input;
    if *take::<4>(&mut rest)? != MAGIC {
        return Err(Failure::Corrupt);
    }
    let descriptor = rest;
    let [flags, sizes] = *take::<2>(&mut rest)?;
    let code = sizes >> 4;
    let legal = flags & VERSION_MASK == VERSION
        && flags & RESERVED == 0
        && flags & INDEPENDENT != 0
        && sizes & 0b1000_1111 == 0
        && (4..=7).contains(&code);
    if !legal {
        return Err(Failure::Corrupt);
    }
    if flags & CONTENT_SIZE != 0 {
        take::<8>(&mut rest)?;
    }
    let covered = descriptor.len() - rest.len();
    let [stored] = *take::<1>(&mut rest)?;
    let hash = XxHash32::oneshot(0, descriptor.get(..covered).unwrap_or_default());
    let [_, computed, ..] = hash.to_le_bytes();
    if checksum == HeaderChecksum::Checked && stored != computed {
        return Err(Failure::Corrupt);
    }
    Ok((flags, 1 << (8 + 2 * u32::from(code)), rest))
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Failure> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(Failure::Corrupt)?;
    *rest = tail;
    Ok(head)
}

pub(super) fn compress(state: &mut Option<Table>, input: &[u8], out: &mut Vec<u8>) -> Option<()> {
    // Blocks are as large as a small table's limit, which a full block would cross: hence the large one.
    let table = state.get_or_insert_with(|| Box::new(CompressTable::large()));
    let descriptor = [VERSION | INDEPENDENT, BLOCK_CODE];
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&descriptor);
    let [_, check, ..] = XxHash32::oneshot(0, &descriptor).to_le_bytes();
    out.push(check);
    for plain in input.chunks(BLOCK) {
        let at = out.len();
        out.resize(at + 4 + get_maximum_output_size(plain.len()), 0);
        let (word, room) = out.get_mut(at..)?.split_first_chunk_mut::<4>()?;
        let len = compress_into_with_table(plain, room, table).ok()?;
        let (len, stored) = if len < plain.len() {
            (len, 0)
        } else {
            room.get_mut(..plain.len())?.copy_from_slice(plain);
            (plain.len(), STORED)
        };
        *word = (u32::try_from(len).ok()? | stored).to_le_bytes();
        out.truncate(at + 4 + len);
    }
    out.extend_from_slice(&[0; 4]);
    Some(())
}
