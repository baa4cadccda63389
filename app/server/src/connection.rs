//! One connection: frames in, answers out, in one task and without a handoff.
//!
//! Every frame that has arrived is started before one write answers them all. The task sleeps when
//! nothing arrived, nothing became ready and the socket takes no more.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ottla_net::{ConnectionPermit, FrameReader, OutQueue, ReadError};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::dispatch::dispatch;
use crate::node::Node;
use crate::reply::{Close, ReplyQueue};
use crate::session::Session;

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
    replies: ReplyQueue,
    out: OutQueue,
    /// Why it is over as soon as what is ready was sent.
    closing: Option<Close>,
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
        let reader = FrameReader::new(node.limits.request_max_bytes);
        let timer = Box::pin(sleep_until(
            now + Duration::from_millis(node.limits.idle_ms),
        ));
        Self {
            node,
            session,
            stream,
            reader,
            replies: ReplyQueue::default(),
            out: OutQueue::default(),
            closing: None,
            last_active: now,
            frame_begun: None,
            timer,
            _permit: permit,
        }
    }

    /// Whether more requests may be read.
    fn may_read(&self) -> bool {
        self.closing.is_none()
            && self.replies.has_room()
            && self.out.queued_bytes() < QUEUED_BYTES_MAX
    }

    /// Reads once and starts every whole frame; `Ready` if anything arrived.
    fn poll_requests(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReadError>> {
        let Self {
            node,
            session,
            replies,
            closing,
            reader,
            stream,
            ..
        } = self;
        if reader.is_inside_frame() {
            // Frames that were kept back when the limit was reached come first.
            let before = replies.len();
            reader.drain(&mut |frame| start(node, session, replies, closing, frame))?;
            if closing.is_some() || replies.len() > before {
                return Poll::Ready(Ok(())); // They are worked on before anything else is read.
            }
        }
        reader.poll_read(cx, stream, &mut |frame| {
            start(node, session, replies, closing, frame)
        })
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..READS_PER_TURN {
            if let Err(close) = self.replies.poll(cx, self.out.bytes_mut()) {
                self.closing = Some(close);
            }
            match self.out.poll_flush(cx, &self.stream) {
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(error)) => return Poll::Ready(End::Write(error)),
            }
            let answered = self.replies.is_empty() && self.out.is_empty();
            if let Some(close) = self.closing.filter(|_| answered) {
                return Poll::Ready(End::Refused(close));
            }
            if !self.may_read() {
                return self.poll_timer(cx);
            }
            match self.poll_requests(cx) {
                Poll::Ready(Ok(())) => self.arrived(),
                Poll::Ready(Err(error)) => return Poll::Ready(End::Read(error)),
                Poll::Pending => return self.poll_timer(cx),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn arrived(&mut self) {
        self.last_active = Instant::now();
        if !self.reader.is_inside_frame() {
            self.frame_begun = None;
        } else if self.frame_begun.is_none() {
            self.frame_begun = Some(self.last_active);
            let deadline = self.deadline();
            if deadline < self.timer.deadline() {
                self.timer.as_mut().reset(deadline);
            }
        }
    }

    fn deadline(&self) -> Instant {
        let limits = self.node.limits;
        let idle = self.last_active + Duration::from_millis(limits.idle_ms);
        let frame = self
            .frame_begun
            .map(|begun| begun + Duration::from_millis(limits.frame_ms));
        frame.map_or(idle, |frame| frame.min(idle))
    }

    /// The timer is set anew only when it fires, so that traffic costs no timer.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let deadline = self.deadline();
            if deadline <= Instant::now() {
                // While nothing is read, the peer is not to blame; one that waits for an answer is not idle.
                match self.frame_begun {
                    Some(_) if self.may_read() => return Poll::Ready(End::SlowFrame),
                    None if self.replies.is_empty() => return Poll::Ready(End::Idle),
                    begun => {
                        self.last_active = Instant::now();
                        self.frame_begun = begun.map(|_| self.last_active);
                    }
                }
            }
            let deadline = self.deadline();
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

/// Starts what a frame asks for; says whether the next one may be started too.
fn start(
    node: &Arc<Node>,
    session: &Arc<Session>,
    replies: &mut ReplyQueue,
    closing: &mut Option<Close>,
    frame: &[u8],
) -> ControlFlow<()> {
    match dispatch(node, session, frame) {
        Ok(pending) => replies.push(pending),
        Err(close) => *closing = Some(close),
    }
    if closing.is_none() && replies.has_room() {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
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
