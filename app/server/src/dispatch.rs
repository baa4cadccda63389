//! A frame to its handler.

use std::sync::Arc;

use ottla_protocol::header::RequestHeader;
use ottla_protocol::{ApiKey, Reader};

use crate::api_table::{self, RequestContext};
use crate::handlers::api_versions;
use crate::node::Node;
use crate::reply::{self, Close, PendingAnswer};
use crate::session::Session;

/// Starts what a frame asks for.
///
/// # Errors
/// [`Close`] for an API or version that is not served here, or bytes that are no request. Only
/// ApiVersions of an unknown version has an answer, or no client could ever find out what is served.
pub(crate) fn dispatch(
    node: &Arc<Node>,
    session: &Arc<Session>,
    frame: &[u8],
) -> Result<PendingAnswer, Close> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader).map_err(|error| {
        tracing::debug!(peer = %session.peer, %error, "request header is not valid");
        Close::BadHeader
    })?;
    let RequestHeader {
        api,
        version,
        correlation_id,
        ..
    } = header;
    let row = api_table::row(api).filter(|row| row.is_on(session.listener.role));
    let row = row.ok_or(Close::NotServed(api))?;
    if !row.versions.contains(version) {
        if api == ApiKey::ApiVersions {
            let answer = reply::encode(api, 0, correlation_id, |w| {
                api_versions::unsupported_version().encode(w, 0)
            });
            return Ok(Box::pin(std::future::ready(answer)));
        }
        return Err(Close::UnsupportedVersion { api, version });
    }
    let context = RequestContext {
        node: Arc::clone(node),
        session: Arc::clone(session),
        api,
        version,
        correlation_id,
    };
    (row.start)(context, reader.rest())
}
