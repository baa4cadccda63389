//! The requests of one connection that were not answered yet, in order.
//!
//! Kafka works on one request of a connection at a time, and clients rely on it: what a request did is
//! there for the next. So a request is started when those before it are answered; only Produce may follow
//! Produce, because what it still waits for, the acknowledgement, changes nothing for the next one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use ottla_net::OutQueue;
use tokio::time::Instant;

use crate::handlers::fetch::PendingFetch;
use crate::handlers::produce::PendingProduce;
use crate::reply::{Close, PendingAnswer};
use crate::waiters::Wake;

/// Produce requests of one connection that wait for their acknowledgement. At the limit the reader stops,
/// so the peer's TCP window closes: that is the back-pressure.
pub(crate) const IN_FLIGHT_PER_CONNECTION_MAX: usize = 64;

/// A request that was started.
pub(crate) enum Pending {
    /// Waits for acknowledgements.
    Produce(PendingProduce),
    /// Waits for records.
    Fetch(PendingFetch),
    /// Waits for anything else.
    Other(PendingAnswer),
}

/// The requests of one connection.
#[derive(Default)]
pub(crate) struct InFlight {
    queue: VecDeque<Pending>,
}

impl InFlight {
    /// Whether a request may be started now.
    pub(crate) fn may_start(&self, is_produce: bool) -> bool {
        match self.queue.back() {
            None => true,
            Some(Pending::Produce(_)) => is_produce && self.has_room(),
            Some(_) => false,
        }
    }

    /// Whether another request may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() < IN_FLIGHT_PER_CONNECTION_MAX
    }

    /// Whether every request was answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes the next request.
    pub(crate) fn push(&mut self, pending: Pending) {
        assert!(self.has_room(), "the reader stops at the limit");
        self.queue.push_back(pending);
    }

    /// When the first of them stops waiting.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let deadline = |pending: &Pending| match pending {
            Pending::Produce(produce) => Some(produce.deadline()),
            Pending::Fetch(fetch) => Some(fetch.deadline()),
            Pending::Other(_) => None,
        };
        self.queue.iter().filter_map(deadline).min()
    }

    /// Works on the first request until one is not done; answers go to `out` in order. `now` is given
    /// when a deadline may have passed.
    ///
    /// # Errors
    /// [`Close`], once every answer before it was handed over.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        wake: &Arc<dyn Wake>,
        now: Option<Instant>,
        out: &mut OutQueue,
    ) -> Result<(), Close> {
        while let Some(first) = self.queue.front_mut() {
            let done = match first {
                Pending::Produce(produce) => {
                    let done = produce.is_done(wake, now);
                    if done {
                        produce.answer(out)?;
                    }
                    done
                }
                Pending::Fetch(fetch) => fetch.poll(wake, now, out)?,
                Pending::Other(answer) => match answer.as_mut().poll(cx) {
                    Poll::Ready(answer) => {
                        out.bytes_mut().extend_from_slice(&answer?);
                        true
                    }
                    Poll::Pending => false,
                },
            };
            if !done {
                break;
            }
            self.queue.pop_front();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::sync::oneshot;

    use super::*;
    use crate::reply::Answer;
    use crate::waiters::Signal;

    fn pending() -> (oneshot::Sender<Answer>, Pending) {
        let (tell, told) = oneshot::channel();
        let answer = Box::pin(async { told.await.expect("the test answers") });
        (tell, Pending::Other(answer))
    }

    #[test]
    fn nothing_is_started_behind_a_request_that_is_not_answered() {
        let mut requests = InFlight::default();
        let mut out = OutQueue::default();
        let wake: Arc<dyn Wake> = Arc::new(Signal::default());
        let mut cx = Context::from_waker(Waker::noop());
        let (tell, one) = pending();
        assert!(requests.may_start(false));
        requests.push(one);
        assert!(!requests.may_start(false) && !requests.may_start(true));
        assert_eq!(requests.poll(&mut cx, &wake, None, &mut out), Ok(()));
        assert!(out.is_empty() && !requests.is_empty());
        tell.send(Ok(vec![1])).expect("waited for");
        assert_eq!(requests.poll(&mut cx, &wake, None, &mut out), Ok(()));
        assert_eq!(*out.bytes_mut(), [1]);
        assert!(requests.is_empty() && requests.may_start(false));
    }

    #[test]
    fn closing_is_told() {
        let mut requests = InFlight::default();
        let mut out = OutQueue::default();
        let wake: Arc<dyn Wake> = Arc::new(Signal::default());
        let mut cx = Context::from_waker(Waker::noop());
        let (tell, one) = pending();
        requests.push(one);
        tell.send(Err(Close::BadHeader)).expect("waited for");
        assert_eq!(
            requests.poll(&mut cx, &wake, None, &mut out),
            Err(Close::BadHeader)
        );
    }
}
