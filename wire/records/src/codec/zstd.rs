//! Zstandard frames, decompressed in one piece into the output: the output is the window, so a frame that claims a
//! window of 128 MiB or more costs nothing until it has produced that much, and the limit comes first.

use super::{Failure, Output};
use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective::ZSTD_e_end;
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall;
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, InBuffer, OutBuffer, compress_bound, find_frame_compressed_size,
    is_error_kind,
};

/// Largest window that a reader has to keep, 2^27 bytes: what Java's streaming reader allows, so that a batch accepted here
/// can be read there.
const WINDOW_MAX: u64 = 1 << 27;
/// Output to try first when the frame does not say its size, as most do not.
const FIRST_TRY_MIN: usize = 64 << 10;

pub(super) fn decompress(
    state: &mut Option<DCtx<'static>>,
    input: &[u8],
    out: &mut Output,
) -> Result<(), Failure> {
    let context = match state {
        Some(context) => context,
        None => state.insert(DCtx::try_create().ok_or(Failure::TooLarge)?),
    };
    check_windows(input)?;
    let claimed = zstd::zstd_safe::get_frame_content_size(input)
        .ok()
        .flatten();
    let guess = match claimed.and_then(|size| usize::try_from(size).ok()) {
        // One byte more: a frame may be empty, room is never.
        Some(size) => size.saturating_add(1).min(input.len().saturating_mul(64)),
        None => input.len().saturating_mul(4).max(out.buf.len()),
    };
    let mut want = guess.max(FIRST_TRY_MIN);
    loop {
        let limit = out.limit;
        let room = out.room(want)?;
        match context.decompress(room, input) {
            Ok(written) => {
                out.advance(written);
                return Ok(());
            }
            Err(code) if is_error_kind(code, ZSTD_error_dstSize_tooSmall) => {
                if want >= limit {
                    return Err(Failure::TooLarge);
                }
                want = want.saturating_mul(4);
            }
            Err(_) => return Err(Failure::Corrupt),
        }
    }
}

/// Refuses frames with a window above [`WINDOW_MAX`].
fn check_windows(input: &[u8]) -> Result<(), Failure> {
    let mut rest = input;
    while !rest.is_empty() {
        // First, because the library calls the largest windows corrupt.
        if window_size(rest).is_some_and(|window| window > WINDOW_MAX) {
            return Err(Failure::TooLarge);
        }
        let size = find_frame_compressed_size(rest).map_err(|_| Failure::Corrupt)?;
        rest = rest.get(size.max(1)..).ok_or(Failure::Corrupt)?;
    }
    Ok(())
}

/// The window that the frame at the front declares. `None` for skippable frames, and for frames whose window is their
/// content, which the output's limit bounds.
fn window_size(frame: &[u8]) -> Option<u64> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    const SINGLE_SEGMENT: u8 = 0x20;
    let [m0, m1, m2, m3, flags, window] = *frame.first_chunk::<6>()?;
    if [m0, m1, m2, m3] != MAGIC || flags & SINGLE_SEGMENT != 0 {
        return None;
    }
    let base = 1u64 << (10 + (window >> 3));
    Some(base + base / 8 * u64::from(window & 7))
}

pub(super) fn compress(
    state: &mut Option<CCtx<'static>>,
    level: i32,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let context = match state {
        Some(context) => context,
        None => state.insert(CCtx::try_create()?),
    };
    context
        .set_parameter(CParameter::CompressionLevel(level))
        .ok()?;
    let start = out.len();
    out.reserve(compress_bound(input.len()));
    let mut source = InBuffer::around(input);
    let mut sink = OutBuffer::around_pos(out, start);
    let left = context
        .compress_stream2(&mut sink, &mut source, ZSTD_e_end)
        .ok()?;
    (left == 0).then_some(())
}
