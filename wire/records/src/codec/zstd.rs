//! Zstandard frames, decompressed in one piece into the output: the output is the window, so a frame that claims a
//! window of 128 MiB or more costs nothing until it has produced that much, and the limit comes first.

use super::{Failure, Output};
use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective::ZSTD_e_end;
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall;
use zstd::zstd_safe::{CCtx, CParameter, DCtx, InBuffer, OutBuffer, compress_bound, is_error_kind};

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
