//! How the rest of the node reaches the quorum thread: a bounded queue of requests to the controller.
//!
//! Knows nothing of logs, files or raft; what stands in the queue is a closure and a way to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI16, AtomicI32, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use ottla_base::{LeaderEpoch, NodeId, Offset};
use ottla_controller::{Context, Controller, Outcome, Refusal};
use ottla_metadata::VersionedRecord;
use thiserror::Error;
use tokio::sync::oneshot;

/// Requests that wait for the quorum thread. Above it a request is refused with [`DecideError::Busy`],
/// so that a thread held up by a slow disk is not buried.
pub(crate) const QUEUED_REQUESTS_MAX: usize = 4096;

/// Longest wait for an answer of the controller; Kafka's default `request.timeout.ms`.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the controller gave no answer.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DecideError {
    /// It decided against the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// This node does not lead the quorum, or lost the lead before the records were committed.
    #[error("this node is not the active controller")]
    NotController,
    /// It decided on a record that the format cannot hold, such as a text of more than 32767 bytes.
    #[error("a record cannot be written: {0}")]
    NotEncodable(String),
    /// The disk has no room for its records.
    #[error("the disk has no room for the metadata log")]
    NoRoom,
    /// The queue is full.
    #[error("too many requests wait for the controller: max={QUEUED_REQUESTS_MAX}")]
    Busy,
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
    /// No answer came in time. The records may be committed nevertheless.
    #[error("the controller did not answer in time")]
    TimedOut,
}

/// What the quorum thread finds in its queue.
pub(crate) enum Job {
    /// A request to the controller.
    Decide {
        /// Version of the request.
        api_version: i16,
        /// The request.
        decision: Box<dyn Decision>,
    },
    /// Stop in good order; nothing that comes later is looked at.
    Stop,
}

/// A request on its way through the quorum thread.
pub(crate) trait Decision: Send {
    /// Decides; `None` if it was refused or nobody waits any more, and nothing is to be appended.
    fn decide(&mut self, controller: &mut Controller, context: &mut Context<'_>)
    -> Option<Decided>;
    /// The records are committed and applied: sends the answer, or the refusal.
    fn answer(self: Box<Self>);
    /// The request failed before it had an answer.
    fn fail(self: Box<Self>, error: DecideError);
}

/// Records to append.
pub(crate) struct Decided {
    /// Records in order.
    pub(crate) records: Vec<VersionedRecord>,
    /// Whether they must stand in one batch.
    pub(crate) atomic: bool,
}

/// Who is told what became of a request.
trait Asker<R>: Send {
    /// Nobody waits any more, and nothing is to be done.
    fn is_gone(&self) -> bool;
    fn tell(self, answer: Result<R, DecideError>);
}

impl<R: Send> Asker<R> for oneshot::Sender<Result<R, DecideError>> {
    fn is_gone(&self) -> bool {
        self.is_closed()
    }

    fn tell(self, answer: Result<R, DecideError>) {
        // Whoever asked may be gone; then nobody is told.
        drop(self.send(answer));
    }
}

/// Called with the answer on the quorum thread.
struct Then<F>(F);

impl<R, F: FnOnce(Result<R, DecideError>) + Send> Asker<R> for Then<F> {
    fn is_gone(&self) -> bool {
        false
    }

    fn tell(self, answer: Result<R, DecideError>) {
        (self.0)(answer);
    }
}

struct Pending<R, D, A> {
    decide: Option<D>,
    reply: Option<Result<R, Refusal>>,
    asker: A,
}

impl<R, D, A> Decision for Pending<R, D, A>
where
    R: Send,
    D: FnOnce(&mut Controller, &mut Context<'_>) -> Result<Outcome<R>, Refusal> + Send,
    A: Asker<R>,
{
    fn decide(
        &mut self,
        controller: &mut Controller,
        context: &mut Context<'_>,
    ) -> Option<Decided> {
        let decide = self.decide.take().filter(|_| !self.asker.is_gone())?;
        match decide(controller, context) {
            Ok(Outcome {
                records,
                atomic,
                reply,
            }) => {
                self.reply = Some(Ok(reply));
                Some(Decided { records, atomic })
            }
            Err(refusal) => {
                self.reply = Some(Err(refusal));
                None
            }
        }
    }

    fn answer(self: Box<Self>) {
        if let Some(reply) = self.reply {
            self.asker.tell(reply.map_err(DecideError::Refused));
        }
    }

    fn fail(self: Box<Self>, error: DecideError) {
        self.asker.tell(Err(error));
    }
}

/// What the quorum thread says of itself, to be read at any time.
#[derive(Debug)]
pub struct QuorumStatus {
    leader: AtomicI32,
    epoch: AtomicI32,
    high_watermark: AtomicI64,
    kraft_version: AtomicI16,
}

impl QuorumStatus {
    fn new() -> Self {
        Self {
            leader: AtomicI32::new(-1),
            epoch: AtomicI32::new(0),
            high_watermark: AtomicI64::new(-1),
            kraft_version: AtomicI16::new(0),
        }
    }

    pub(crate) fn set_leader(&self, epoch: LeaderEpoch, leader: Option<NodeId>) {
        self.epoch.store(epoch.0, Ordering::Release);
        self.leader
            .store(leader.map_or(-1, |leader| leader.0), Ordering::Release);
    }

    pub(crate) fn set_kraft_version(&self, level: i16) {
        self.kraft_version.store(level, Ordering::Release);
    }

    /// The finalized level of `kraft.version`, which is kept by the quorum and not among the records.
    #[must_use]
    pub fn kraft_version(&self) -> i16 {
        self.kraft_version.load(Ordering::Acquire)
    }

    pub(crate) fn set_high_watermark(&self, high_watermark: Offset) {
        self.high_watermark
            .store(high_watermark.0, Ordering::Release);
    }

    /// The leader of the quorum, which is the active controller.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        let id = self.leader.load(Ordering::Acquire);
        (id >= 0).then_some(NodeId(id))
    }

    /// Epoch of the quorum.
    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.epoch.load(Ordering::Acquire))
    }

    /// Every record of the metadata log below it is committed; `None` before the first one is.
    #[must_use]
    pub fn high_watermark(&self) -> Option<Offset> {
        let offset = self.high_watermark.load(Ordering::Acquire);
        (offset >= 0).then_some(Offset(offset))
    }
}

/// The way to the quorum thread; cheap to clone.
#[derive(Debug, Clone)]
pub struct QuorumHandle {
    queue: SyncSender<Job>,
    status: Arc<QuorumStatus>,
}

/// The other end, for the quorum thread.
pub(crate) struct Inbox {
    pub(crate) queue: Receiver<Job>,
    pub(crate) status: Arc<QuorumStatus>,
}

/// A queue to a quorum thread that is yet to be started: requests wait in it until then.
#[must_use]
pub(crate) fn channel() -> (QuorumHandle, Inbox) {
    let (sender, receiver) = sync_channel(QUEUED_REQUESTS_MAX);
    let status = Arc::new(QuorumStatus::new());
    let handle = QuorumHandle {
        queue: sender,
        status: Arc::clone(&status),
    };
    let inbox = Inbox {
        queue: receiver,
        status,
    };
    (handle, inbox)
}

impl QuorumHandle {
    /// A handle behind which no thread stands: every request is refused as if the node were stopping.
    #[must_use]
    pub fn disconnected() -> Self {
        channel().0
    }

    /// Has `decide` asked on the quorum thread, and waits until what it decided is flushed, committed,
    /// published and applied to this node's partitions.
    ///
    /// # Errors
    /// [`DecideError`]. After [`DecideError::TimedOut`] and [`DecideError::NotController`] the change may
    /// yet take place.
    pub(crate) async fn decide<R: Send + 'static>(
        &self,
        api_version: i16,
        decide: impl FnOnce(&mut Controller, &mut Context<'_>) -> Result<Outcome<R>, Refusal>
        + Send
        + 'static,
    ) -> Result<R, DecideError> {
        let (sender, receiver) = oneshot::channel();
        let decision = Pending {
            decide: Some(decide),
            reply: None,
            asker: sender,
        };
        self.submit(Job::Decide {
            api_version,
            decision: Box::new(decision),
        })?;
        match tokio::time::timeout(ANSWER_TIMEOUT, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(DecideError::Stopping),
            Err(_) => Err(DecideError::TimedOut),
        }
    }

    /// Has `decide` asked as [`Self::decide`] does, without a wait: `then` is called on the quorum thread
    /// with what became of it, or dropped if the node stops first. It must neither block nor take long.
    ///
    /// # Errors
    /// [`DecideError::Busy`] and [`DecideError::Stopping`]; `then` is dropped.
    pub(crate) fn decide_then<R: Send + 'static>(
        &self,
        api_version: i16,
        decide: impl FnOnce(&mut Controller, &mut Context<'_>) -> Result<Outcome<R>, Refusal>
        + Send
        + 'static,
        then: impl FnOnce(Result<R, DecideError>) + Send + 'static,
    ) -> Result<(), DecideError> {
        let decision = Pending {
            decide: Some(decide),
            reply: None,
            asker: Then(then),
        };
        self.submit(Job::Decide {
            api_version,
            decision: Box::new(decision),
        })
    }

    fn submit(&self, job: Job) -> Result<(), DecideError> {
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => DecideError::Busy,
            TrySendError::Disconnected(_) => DecideError::Stopping,
        })
    }

    /// Asks the quorum thread to stop once it has done what is queued.
    pub(crate) fn stop(&self) {
        // A full queue is emptied by the thread; a closed one has no thread any more.
        drop(self.queue.send(Job::Stop));
    }

    /// Who leads the quorum, in which epoch, and how far it has committed.
    #[must_use]
    pub fn status(&self) -> &QuorumStatus {
        &self.status
    }
}
