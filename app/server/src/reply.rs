//! Answers of a connection, in the order of its requests.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ottla_protocol::frame;
use ottla_protocol::header::encode_response_header;
use ottla_protocol::{ApiKey, EncodeError, Writer};

/// Requests read from one connection and not yet answered. At the limit the reader stops, so the peer's
/// TCP window closes: that is the back-pressure.
pub(crate) const IN_FLIGHT_PER_CONNECTION_MAX: usize = 64;

/// An encoded answer with its length in front, or the end of the connection.
pub(crate) type Answer = Result<Vec<u8>, Close>;

/// An answer that is still being worked on.
pub(crate) type PendingAnswer = Pin<Box<dyn Future<Output = Answer>>>;

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
    /// An answer that cannot be written in the version asked for: a mistake of this program.
    #[error("response cannot be encoded: api={0:?}")]
    Unencodable(ApiKey),
}

/// Encodes a response with header and length.
pub(crate) fn encode(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Answer {
    let mut w = Writer::new();
    let open = frame::begin(&mut w);
    encode_response_header(&mut w, api, version, correlation_id);
    let written = body(&mut w).and_then(|()| frame::end(&mut w, &open));
    match written {
        Ok(()) => Ok(w.buf),
        Err(error) => {
            tracing::error!(?api, version, %error, "a response could not be encoded");
            Err(Close::Unencodable(api))
        }
    }
}

enum Slot {
    Ready(Vec<u8>),
    Pending(PendingAnswer),
}

/// The answers of one connection that were not yet handed to its out queue.
#[derive(Default)]
pub(crate) struct ReplyQueue {
    slots: VecDeque<Slot>,
}

impl ReplyQueue {
    /// Whether another request may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.slots.len() < IN_FLIGHT_PER_CONNECTION_MAX
    }

    /// Number of requests not yet answered.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether every request was answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes the next request's answer.
    pub(crate) fn push(&mut self, pending: PendingAnswer) {
        assert!(self.has_room(), "the reader stops at the limit");
        self.slots.push_back(Slot::Pending(pending));
    }

    /// Works on every answer, and hands over those at the front that are ready.
    ///
    /// # Errors
    /// [`Close`], once every answer before it was handed over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Result<(), Close> {
        let mut at_front = true;
        let mut index = 0;
        while let Some(slot) = self.slots.get_mut(index) {
            if let Slot::Pending(pending) = slot
                && let Poll::Ready(answer) = pending.as_mut().poll(cx)
            {
                match answer {
                    Ok(bytes) => *slot = Slot::Ready(bytes),
                    Err(close) if at_front => {
                        self.slots.clear();
                        return Err(close);
                    }
                    // Its turn comes when the answers before it have left.
                    Err(close) => *slot = Slot::Pending(Box::pin(std::future::ready(Err(close)))),
                }
            }
            match slot {
                Slot::Ready(bytes) if at_front => {
                    out.extend_from_slice(bytes);
                    self.slots.pop_front();
                }
                Slot::Ready(_) | Slot::Pending(_) => {
                    at_front = false;
                    index += 1;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::sync::oneshot;

    use super::*;

    fn pending() -> (oneshot::Sender<Answer>, PendingAnswer) {
        let (tell, told) = oneshot::channel();
        (
            tell,
            Box::pin(async { told.await.expect("the test answers") }),
        )
    }

    #[test]
    fn answers_leave_in_the_order_of_the_requests() {
        let mut queue = ReplyQueue::default();
        let ((first, one), (second, two)) = (pending(), pending());
        queue.push(one);
        queue.push(two);
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = Vec::new();
        second.send(Ok(vec![2])).expect("waited for");
        assert_eq!(queue.poll(&mut cx, &mut out), Ok(()));
        assert_eq!(out, []);
        first.send(Ok(vec![1])).expect("waited for");
        assert_eq!(queue.poll(&mut cx, &mut out), Ok(()));
        assert_eq!(out, [1, 2]);
        assert!(queue.is_empty());
    }

    #[test]
    fn closing_waits_for_the_answers_before_it() {
        let mut queue = ReplyQueue::default();
        let ((first, one), (second, two)) = (pending(), pending());
        queue.push(one);
        queue.push(two);
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = Vec::new();
        second.send(Err(Close::BadHeader)).expect("waited for");
        assert_eq!(queue.poll(&mut cx, &mut out), Ok(()));
        first.send(Ok(vec![1])).expect("waited for");
        assert_eq!(queue.poll(&mut cx, &mut out), Err(Close::BadHeader));
        assert_eq!(out, [1]);
    }
}
