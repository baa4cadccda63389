//! Encoding answers, and the reasons to close a connection instead.

use std::future::Future;
use std::pin::Pin;

use ottla_net::OutQueue;
use ottla_protocol::frame;
use ottla_protocol::header::encode_response_header;
use ottla_protocol::{ApiKey, EncodeError, Splice, Writer};

/// An encoded answer with its length in front, or the end of the connection.
pub(crate) type Answer = Result<Vec<u8>, Close>;

/// An answer that is still being worked on.
pub(crate) type PendingAnswer = Pin<Box<dyn Future<Output = Answer>>>;

/// What an answer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplyTo {
    /// API asked for.
    pub(crate) api: ApiKey,
    /// Version of request and response.
    pub(crate) version: i16,
    /// Comes back in the response.
    pub(crate) correlation_id: i32,
}

/// The connection is to be closed; the reason goes to the log, never to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Close {
    /// A header that cannot be read, or a key that Kafka does not have.
    #[error("request header is not valid")]
    BadHeader,
    /// An API that is not served on this listener.
    #[error("api is not served on this listener: api={0:?}")]
    NotServed(ApiKey),
    /// A version that is not served.
    #[error("version is not served: api={api:?} version={version}")]
    UnsupportedVersion {
        /// API asked for.
        api: ApiKey,
        /// Version asked for.
        version: i16,
    },
    /// A body that is not what its header says.
    #[error("request body is not valid: api={api:?} version={version}")]
    BadBody {
        /// API asked for.
        api: ApiKey,
        /// Version asked for.
        version: i16,
    },
    /// A Produce without acknowledgement failed; closing is the only way to tell.
    #[error("produce with acks=0 failed")]
    UnacknowledgedProduceFailed,
    /// An answer that cannot be written in the version asked for: a mistake of this program.
    #[error("response cannot be encoded: api={0:?}")]
    Unencodable(ApiKey),
}

/// Encodes a response with header and length.
pub(crate) fn encode(
    to: ReplyTo,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Answer {
    let mut w = Writer::new();
    write(&mut w, to, body)?;
    Ok(w.buf)
}

/// Encodes a response behind what `out` holds already, without a buffer of its own. `splices` is empty
/// before, and afterwards names what is to be sent from elsewhere. If the response cannot be encoded,
/// nothing of it is left in `out`.
pub(crate) fn encode_into(
    to: ReplyTo,
    out: &mut OutQueue,
    splices: &mut Vec<Splice>,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<(), Close> {
    let bytes = out.bytes_mut();
    let before = bytes.len();
    let mut w = Writer {
        buf: std::mem::take(bytes),
        splices: std::mem::take(splices),
    };
    let result = write(&mut w, to, body);
    if result.is_err() {
        w.buf.truncate(before);
        w.splices.clear();
    }
    *bytes = w.buf;
    *splices = w.splices;
    result
}

fn write(
    w: &mut Writer,
    to: ReplyTo,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<(), Close> {
    let ReplyTo {
        api,
        version,
        correlation_id,
    } = to;
    let open = frame::begin(w);
    encode_response_header(w, api, version, correlation_id);
    let written = body(w).and_then(|()| frame::end(w, &open));
    written.map_err(|error| {
        tracing::error!(?api, version, %error, "a response could not be encoded");
        Close::Unencodable(api)
    })
}
