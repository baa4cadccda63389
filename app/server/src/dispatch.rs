//! A frame to its handler.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ottla_net::OutQueue;
use ottla_protocol::header::RequestHeader;
use ottla_protocol::{ApiKey, Reader};

use crate::api_table::{self, How, RequestContext};
use crate::handlers::{api_versions, fetch, produce};
use crate::in_flight::{InFlight, Pending};
use crate::node::Node;
use crate::reply::{self, Close, ReplyTo};
use crate::session::Session;
use crate::waiters::Wake;

/// The connection that a frame came by.
pub(crate) struct Arrival<'a> {
    /// The node.
    pub(crate) node: &'a Arc<Node>,
    /// Who asks.
    pub(crate) session: &'a Arc<Session>,
    /// Wakes the connection's task when a partition has news.
    pub(crate) wake: &'a Arc<dyn Wake>,
    /// Wakes it when a request has come to its end.
    pub(crate) waker: &'a Waker,
    /// The requests before this one.
    pub(crate) in_flight: &'a mut InFlight,
    /// Where answers go when no request is before this one.
    pub(crate) out: &'a mut OutQueue,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dispatched {
    /// It was started, perhaps answered already.
    Started,
    /// It has to wait for the requests before it.
    NotYet,
}

/// Starts what a frame asks for.
///
/// # Errors
/// [`Close`] for an API or version that is not served here, or bytes that are no request. Only
/// ApiVersions of an unknown version has an answer, or no client could ever find out what is served.
pub(crate) fn dispatch(arrival: Arrival<'_>, frame: &[u8]) -> Result<Dispatched, Close> {
    let Arrival {
        node,
        session,
        wake,
        waker,
        in_flight,
        out,
    } = arrival;
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
    if !in_flight.may_start(api == ApiKey::Produce) {
        return Ok(Dispatched::NotYet);
    }
    let to = ReplyTo {
        api,
        version,
        correlation_id,
    };
    let row = api_table::row(api).filter(|row| row.is_on(session.listener.role));
    let row = row.ok_or(Close::NotServed(api))?;
    if !row.versions.contains(version) {
        if api == ApiKey::ApiVersions {
            let to = ReplyTo { version: 0, ..to };
            let answer = reply::encode(to, |w| api_versions::unsupported_version().encode(w, 0));
            out.bytes_mut().extend_from_slice(&answer?);
            return Ok(Dispatched::Started);
        }
        return Err(Close::UnsupportedVersion { api, version });
    }
    match row.how {
        How::Produce => {
            let request = produce::Request {
                node,
                client_id: header.client_id,
                to,
                body: reader.rest(),
            };
            if let Some(mut pending) = produce::start(&request)? {
                if in_flight.is_empty() && pending.is_done(wake, None) {
                    pending.answer(out)?;
                } else {
                    in_flight.push(Pending::Produce(pending));
                }
            }
        }
        How::Fetch => {
            let mut pending = fetch::start(node, to, reader.rest())?;
            if !pending.poll(wake, None, out)? {
                in_flight.push(Pending::Fetch(pending));
            }
        }
        How::Handler(start) => {
            let context = RequestContext {
                node: Arc::clone(node),
                session: Arc::clone(session),
                api,
                version,
                correlation_id,
                client_id: header.client_id.map(Into::into),
            };
            let mut answer = start(context, reader.rest())?;
            match answer.as_mut().poll(&mut Context::from_waker(waker)) {
                Poll::Ready(answer) => out.bytes_mut().extend_from_slice(&answer?),
                Poll::Pending => in_flight.push(Pending::Other(answer)),
            }
        }
    }
    Ok(Dispatched::Started)
}
