//! One connection: frames in, answers out, in one task and without a handoff.
//!
//! Every frame that has arrived is started before one write answers them all. The task sleeps when
//! nothing arrived, nothing became ready and the socket takes no more.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ottla_net::{ConnectionPermit, FrameReader, OutQueue, ReadError, Taken};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::dispatch::{Arrival, Dispatched, dispatch};
use crate::in_flight::InFlight;
use crate::node::Node;
use crate::reply::Close;
use crate::session::Session;
use crate::waiters::{Signal, Wake};

/// Bytes of answers that wait for a peer to read. Above it no more requests are read.
const QUEUED_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Reads in a row before other connections of the thread have their turn.
const READS_PER_TURN: usize = 16;

/// The task of one connection; ready when it is over.
pub(crate) struct Connection {
    node: Arc<Node>,
    session: Arc<Session>,
    stream: TcpStream,
    reader: FrameReader,
    in_flight: InFlight,
    out: OutQueue,
    /// Fired by partitions when acknowledgements or records that a request waits for may be there.
    signal: Arc<Signal>,
    wake: Arc<dyn Wake>,
    /// Whether a frame was kept back until the requests before it are answered.
    kept_back: bool,
    /// Why it is over as soon as what was asked before is answered.
    closing: Option<Close>,
    /// Why nothing more is read; what was asked before is still answered, as in Kafka.
    ended: Option<ReadError>,
    last_active: Instant,
    frame_begun: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    /// Counts the connection until the task is dropped.
    _permit: ConnectionPermit,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error(transparent)]
    Refused(#[from] Close),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("write failed: {0}")]
    Write(std::io::Error),
    #[error("nothing arrived for too long")]
    Idle,
    #[error("a frame did not arrive whole in time")]
    SlowFrame,
}

impl Connection {
    pub(crate) fn new(
        node: Arc<Node>,
        session: Arc<Session>,
        stream: TcpStream,
        permit: ConnectionPermit,
    ) -> Self {
        let now = Instant::now();
        let reader = FrameReader::new(node.limits.request_max_bytes, &node.frames);
        let timer = Box::pin(sleep_until(
            now + Duration::from_millis(node.limits.idle_ms),
        ));
        let signal = Arc::new(Signal::default());
        let wake = Arc::clone(&signal) as Arc<dyn Wake>;
        Self {
            node,
            session,
            stream,
            reader,
            in_flight: InFlight::default(),
            out: OutQueue::default(),
            signal,
            wake,
            kept_back: false,
            closing: None,
            ended: None,
            last_active: now,
            frame_begun: None,
            timer,
            _permit: permit,
        }
    }

    /// Whether more requests may be read.
    fn may_read(&self) -> bool {
        self.closing.is_none()
            && self.ended.is_none()
            && self.in_flight.has_room()
            && (!self.kept_back || self.in_flight.is_empty())
            && self.out.queued_bytes() < QUEUED_BYTES_MAX
    }

    /// Reads once and starts every whole frame; `Ready` if anything arrived, with whether a frame was whole.
    fn poll_requests(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, ReadError>> {
        let Self {
            node,
            session,
            reader,
            stream,
            in_flight,
            out,
            wake,
            closing,
            kept_back,
            ..
        } = self;
        let started = Cell::new(false);
        let whole = Cell::new(false);
        let closing = Cell::from_mut(closing);
        let waker = cx.waker().clone();
        let mut on_frame = |frame: &[u8]| {
            whole.set(true);
            let arrival = Arrival {
                node,
                session,
                wake,
                waker: &waker,
                in_flight,
                out,
            };
            match dispatch(arrival, frame) {
                Ok(Dispatched::Started) => started.set(true),
                Ok(Dispatched::NotYet) => {
                    *kept_back = true;
                    return Taken::NotYet;
                }
                Err(close) => closing.set(Some(close)),
            }
            if closing.get().is_none()
                && in_flight.has_room()
                && out.queued_bytes() < QUEUED_BYTES_MAX
            {
                Taken::Next
            } else {
                Taken::Last
            }
        };
        if reader.is_inside_frame() {
            // Frames that were kept back when a limit was reached come first.
            reader.drain(&mut on_frame)?;
            if started.get() || closing.get().is_some() {
                return Poll::Ready(Ok(true)); // They are worked on before anything else is read.
            }
        }
        let read = reader.poll_read(cx, stream, &mut on_frame);
        read.map_ok(|()| whole.get())
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Poll::Ready(end) = self.poll_timer(cx) {
            return Poll::Ready(end);
        }
        for _ in 0..READS_PER_TURN {
            self.poll_in_flight(cx, None);
            if let Err(error) = self.flush(cx) {
                return Poll::Ready(End::Write(error));
            }
            if self.in_flight.is_empty() && self.out.is_empty() {
                if let Some(close) = self.closing {
                    return Poll::Ready(End::Refused(close));
                }
                if let Some(error) = self.ended.take() {
                    return Poll::Ready(End::Read(error));
                }
            }
            if self.in_flight.is_empty() {
                self.kept_back = false;
            }
            if !self.may_read() {
                return Poll::Pending;
            }
            match self.poll_requests(cx) {
                Poll::Ready(Ok(whole)) => self.arrived(whole),
                Poll::Ready(Err(error)) => {
                    self.ended = Some(error);
                    self.frame_begun = None;
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sends what the socket takes. A peer that reads is not idle.
    fn flush(&mut self, cx: &mut Context<'_>) -> std::io::Result<()> {
        let queued = self.out.queued_bytes();
        if let Poll::Ready(result) = self.out.poll_flush(cx, &self.stream) {
            return result;
        }
        if self.out.queued_bytes() < queued {
            self.last_active = Instant::now();
        }
        Ok(())
    }

    /// Works on what was started; `now` is given when a deadline may have passed.
    fn poll_in_flight(&mut self, cx: &mut Context<'_>, now: Option<Instant>) {
        // The signal is asked before the requests look, so that no firing between the two is missed.
        while !self.in_flight.is_empty() {
            let fired = self.signal.poll_fired(cx).is_ready();
            if let Err(close) = self.in_flight.poll(cx, &self.wake, now, &mut self.out) {
                self.closing = Some(close);
                self.in_flight = InFlight::default();
            }
            if !fired {
                break;
            }
        }
    }

    /// Notes that bytes arrived, and whether they made a frame whole: what is left is then of another one.
    fn arrived(&mut self, whole: bool) {
        self.last_active = Instant::now();
        if whole || !self.reader.is_inside_frame() {
            self.frame_begun = None;
        }
        if self.frame_begun.is_none() && self.reader.is_inside_frame() && !self.kept_back {
            self.frame_begun = Some(self.last_active);
        }
        let deadline = self.deadline();
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
    }

    fn deadline(&self) -> Instant {
        let limits = self.node.limits;
        let idle = self.last_active + Duration::from_millis(limits.idle_ms);
        let frame = self
            .frame_begun
            .map(|begun| begun + Duration::from_millis(limits.frame_ms));
        let mut deadline = frame.map_or(idle, |frame| frame.min(idle));
        if let Some(first) = self.in_flight.next_deadline() {
            deadline = deadline.min(first);
        }
        deadline
    }

    /// The timer is set back only when it fires, so that traffic costs no timer.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            self.poll_in_flight(cx, Some(now));
            if self.deadline() <= now {
                // One that waits for an answer or for memory is not idle, and no frame is late while none is read;
                // but one that does not read its answers is to blame.
                let is_held_up = self.reader.is_waiting_for_memory();
                match self.frame_begun {
                    Some(_) if self.may_read() && !is_held_up => {
                        return Poll::Ready(End::SlowFrame);
                    }
                    _ if self.in_flight.is_empty() && !is_held_up => return Poll::Ready(End::Idle),
                    begun => {
                        self.last_active = now;
                        self.frame_begun = begun.map(|_| now);
                    }
                }
            }
            let deadline = self.deadline();
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let end = std::task::ready!(self.poll_turn(cx));
        let peer = self.session.peer;
        match end {
            End::Read(ReadError::Closed(false)) => tracing::trace!(%peer, "peer closed"),
            end => tracing::debug!(%peer, %end, "connection closed"),
        }
        Poll::Ready(())
    }
}
