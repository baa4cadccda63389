//! gzip members around raw deflate (RFC 1952). The container is read here because the raw decoder can be reset in
//! place, while a gzip decoder of the library is rebuilt for each stream.

use super::{Failure, Output};
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const FHCRC: u8 = 0x02;
const FEXTRA: u8 = 0x04;
const FNAME: u8 = 0x08;
const FCOMMENT: u8 = 0x10;
const TRAILER: usize = 8;

pub(super) fn decompress(
    state: &mut Option<Box<Decompress>>,
    input: &[u8],
    out: &mut Output,
) -> Result<(), Failure> {
    let inflate = state.get_or_insert_with(|| Box::new(Decompress::new(false)));
    let mut rest = member(inflate, input, out)?;
    // Members may follow each other; what is not a member behind the last one is ignored, as in Java.
    while header_len(rest).is_some() {
        rest = member(inflate, rest, out)?;
    }
    Ok(())
}

/// Decompresses one member and returns what follows it.
fn member<'a>(
    inflate: &mut Decompress,
    input: &'a [u8],
    out: &mut Output,
) -> Result<&'a [u8], Failure> {
    let mut rest = header_len(input)
        .and_then(|len| input.get(len..))
        .ok_or(Failure::Corrupt)?;
    let start = out.filled;
    inflate.reset(false);
    loop {
        let room = out.room(rest.len().saturating_mul(4).max(4096))?;
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let status = inflate
            .decompress(rest, room, FlushDecompress::None)
            .map_err(|_| Failure::Corrupt)?;
        let read = count(inflate.total_in().saturating_sub(read));
        let written = count(inflate.total_out().saturating_sub(written));
        rest = rest.get(read..).ok_or(Failure::Corrupt)?;
        out.advance(written);
        if status == Status::StreamEnd {
            break;
        }
        if read == 0 && written == 0 {
            return Err(Failure::Corrupt);
        }
    }
    let (trailer, rest) = rest
        .split_first_chunk::<TRAILER>()
        .ok_or(Failure::Corrupt)?;
    let plain = out.filled().get(start..).unwrap_or_default();
    if *trailer == trailer_of(plain) {
        Ok(rest)
    } else {
        Err(Failure::Corrupt)
    }
}

fn trailer_of(plain: &[u8]) -> [u8; TRAILER] {
    let mut trailer = [0; TRAILER];
    let (crc, size) = trailer.split_at_mut(4);
    crc.copy_from_slice(&crc_fast::crc32_iso_hdlc(plain).to_le_bytes());
    // The size is stored modulo 2^32.
    let modulo = u32::try_from(plain.len() & 0xffff_ffff).expect("masked to 32 bits");
    size.copy_from_slice(&modulo.to_le_bytes());
    trailer
}

/// Length of the member header at the front of `input`; `None` if there is none.
fn header_len(input: &[u8]) -> Option<usize> {
    let fixed = input.first_chunk::<10>()?;
    if !fixed.starts_with(&MAGIC) {
        return None;
    }
    let [_, _, _, flags, ..] = *fixed;
    let mut at = fixed.len();
    if flags & FEXTRA != 0 {
        let len = input.get(at..)?.first_chunk::<2>()?;
        at += 2 + usize::from(u16::from_le_bytes(*len));
    }
    for field in [FNAME, FCOMMENT] {
        if flags & field != 0 {
            at += 1 + input.get(at..)?.iter().position(|&byte| byte == 0)?;
        }
    }
    if flags & FHCRC != 0 {
        let stored = u16::from_le_bytes(*input.get(at..)?.first_chunk::<2>()?);
        let computed = crc_fast::crc32_iso_hdlc(input.get(..at)?) & 0xffff;
        if u32::from(stored) != computed {
            return None;
        }
        at += 2;
    }
    Some(at)
}

pub(super) fn compress(
    state: &mut Option<(i32, Box<Compress>)>,
    level: i32,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let level = if (0..=9).contains(&level) { level } else { 6 };
    let deflate = match state {
        Some((kept, deflate)) if *kept == level => {
            deflate.reset();
            deflate
        }
        _ => {
            let compression = flate2::Compression::new(u32::try_from(level).ok()?);
            &mut state
                .insert((level, Box::new(Compress::new(compression, false))))
                .1
        }
    };
    // Header as Java writes it: no flags, no time, operating system unknown.
    out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    let mut rest = input;
    loop {
        out.reserve(rest.len() / 2 + 1024);
        let read = deflate.total_in();
        let status = deflate
            .compress_vec(rest, out, FlushCompress::Finish)
            .ok()?;
        rest = rest.get(count(deflate.total_in().saturating_sub(read))..)?;
        if status == Status::StreamEnd {
            break;
        }
    }
    out.extend_from_slice(&trailer_of(input));
    Some(())
}

fn count(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
