//! Whole requests, length in front, ready to be sent again and again under another correlation id.

use anyhow::Result;
use ottla_protocol::frame;
use ottla_protocol::header::RequestHeader;
use ottla_protocol::{ApiKey, EncodeError, Writer};

/// Place of the correlation id in a frame: behind the length, the key and the version.
pub(crate) const CORRELATION_AT: usize = 8;
/// Bytes of a frame that differ between two sendings of it, and what stands before them.
pub(crate) const HEAD_BYTES: usize = CORRELATION_AT + 4;

/// What the load generator calls itself.
const CLIENT_ID: &str = "ottla-bench";

/// A whole request.
///
/// # Errors
/// If the body has no form in `version`.
pub(crate) fn request_frame(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<Vec<u8>> {
    let mut w = Writer::new();
    let open = frame::begin(&mut w);
    let header = RequestHeader {
        api,
        version,
        correlation_id,
        client_id: Some(CLIENT_ID),
    };
    header.encode(&mut w)?;
    body(&mut w)?;
    frame::end(&mut w, &open)?;
    Ok(w.buf)
}
