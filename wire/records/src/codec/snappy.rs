//! Snappy: the xerial framing that Java uses, and bare blocks that librdkafka and others send.
//!
//! Framing: 8 magic bytes, version and compatible version as i32, then blocks, each an i32 length and one raw block.
//! The framing header may repeat between blocks, when streams were joined.

use super::{Failure, Output};
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSION: i32 = 1;
const FRAME_HEADER: usize = 16;
/// Plain bytes in one block, as Java writes them.
const BLOCK: usize = 32 << 10;

pub(super) fn decompress(
    decoder: &mut Decoder,
    input: &[u8],
    out: &mut Output,
) -> Result<(), Failure> {
    let Some(mut rest) = after_frame_header(input) else {
        return block(decoder, input, out);
    };
    loop {
        if let Some(after) = after_frame_header(rest) {
            rest = after;
            continue;
        }
        // Fewer bytes than a length are the end, as in Java.
        let Some((len, after)) = rest.split_first_chunk::<4>() else {
            return Ok(());
        };
        let len = usize::try_from(i32::from_be_bytes(*len)).map_err(|_| Failure::Corrupt)?;
        let (compressed, after) = after.split_at_checked(len).ok_or(Failure::Corrupt)?;
        block(decoder, compressed, out)?;
        rest = after;
    }
}

/// What follows a framing header at the front; `None` if there is no such header. Its versions do not matter, as in Java.
fn after_frame_header(input: &[u8]) -> Option<&[u8]> {
    let (header, rest) = input.split_first_chunk::<FRAME_HEADER>()?;
    header.starts_with(&MAGIC).then_some(rest)
}

fn block(decoder: &mut Decoder, compressed: &[u8], out: &mut Output) -> Result<(), Failure> {
    // A block names its size up front; it is believed only up to the limit, and only as far as
    // the densest copy elements (3 bytes for 64) could reach with these input bytes.
    let len = decompress_len(compressed).map_err(|_| Failure::Corrupt)?;
    if len > compressed.len().saturating_mul(64) {
        return Err(Failure::Corrupt);
    }
    if len == 0 {
        return if compressed.len() == 1 {
            Ok(())
        } else {
            Err(Failure::Corrupt)
        };
    }
    let room = out.room(len)?;
    if room.len() < len {
        return Err(Failure::TooLarge);
    }
    let written = decoder
        .decompress(compressed, room)
        .map_err(|_| Failure::Corrupt)?;
    out.advance(written);
    Ok(())
}

pub(super) fn compress(state: &mut Option<Encoder>, input: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let encoder = state.get_or_insert_with(Encoder::new);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    for plain in input.chunks(BLOCK) {
        let at = out.len();
        out.resize(at + 4 + max_compress_len(plain.len()), 0);
        let (len_field, room) = out.get_mut(at..)?.split_first_chunk_mut::<4>()?;
        let len = encoder.compress(plain, room).ok()?;
        *len_field = i32::try_from(len).ok()?.to_be_bytes();
        out.truncate(at + 4 + len);
    }
    Some(())
}
