//! Fetch (key 1, versions 4-18, broker listeners; ACL: READ on the topic; KIP-74, 98, 227, 320, 392, 516, 951).
//!
//! An answer leaves when it holds as many bytes as the client wants, when there is an error to tell, or
//! when the client does not want to wait longer. Until then the request stands in its connection and is
//! looked at again whenever a high watermark moved. Records go from the page cache to the socket.

mod answer;
mod ask;
mod session;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bumpalo::Bump;
use ottla_net::OutQueue;
use ottla_protocol::messages::fetch_request::borrowed::FetchRequestRef;
use ottla_protocol::{ErrorCode, Reader, Splice};
use tokio::time::Instant;

use crate::node::Node;
use crate::partition::{PartitionRead, ReadAsk};
use crate::reply::{Close, ReplyTo};
use crate::waiters::Wake;
use ask::Ask;
use session::SessionTurn;

/// Lists that a thread keeps for its next requests.
const SPARE_LISTS_MAX: usize = 64;

/// A request that may have to wait for records.
pub(crate) struct PendingFetch {
    to: ReplyTo,
    deadline: Instant,
    min_bytes: u64,
    max_bytes: u32,
    read_committed: bool,
    session: SessionTurn,
    asks: Vec<Ask>,
    /// Told for the request as a whole; nothing is read then.
    error: Option<ErrorCode>,
}

/// What a partition gave, by its place among the asks.
type Reads = Vec<Result<PartitionRead, ask::Refused>>;

/// Memory of one worker for the requests that it works on.
#[derive(Default)]
struct Hot {
    arena: Bump,
    asks: Vec<Vec<Ask>>,
    reads: Reads,
    splices: Vec<Splice>,
}

thread_local! {
    static HOT: RefCell<Hot> = RefCell::default();
}

/// Reads a request.
///
/// # Errors
/// [`Close`] for a body that is none.
pub(crate) fn start(node: &Arc<Node>, to: ReplyTo, body: &[u8]) -> Result<PendingFetch, Close> {
    HOT.with_borrow_mut(|hot| {
        hot.arena.reset();
        let request = FetchRequestRef::decode(&mut Reader::new(body), &hot.arena, to.version)
            .map_err(|error| {
                tracing::debug!(%error, "a Fetch request is not valid");
                Close::BadBody {
                    api: to.api,
                    version: to.version,
                }
            })?;
        let mut asks = hot.asks.pop().unwrap_or_default();
        let turn = session::take_turn(node, &request, to.version, &mut asks);
        if request.replica_id.max(request.replica_state.replica_id) >= 0 {
            // No other node holds a replica, whatever the client says of itself (CVE-2018-1288).
            asks.iter_mut().for_each(Ask::refuse_replica);
        }
        let (session, error) = match turn {
            Ok(session) => (session, None),
            Err(error) => (SessionTurn::None, Some(error)),
        };
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let limit = node.config.load().network.fetch_max_bytes;
        let min_bytes = request.min_bytes.min(limit);
        Ok(PendingFetch {
            to,
            deadline: Instant::now() + wait,
            min_bytes: u64::try_from(min_bytes).unwrap_or(0),
            max_bytes: u32::try_from(request.max_bytes.min(limit)).unwrap_or(0),
            read_committed: request.isolation_level == 1,
            session,
            asks,
            error,
        })
    })
}

impl PendingFetch {
    /// When it stops waiting.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Answers if there is enough to tell; else `wake` is woken when there may be more. `now` is given
    /// when the deadline may have passed.
    ///
    /// # Errors
    /// [`Close`] if the answer cannot be written in the request's version.
    pub(crate) fn poll(
        &mut self,
        wake: &Arc<dyn Wake>,
        now: Option<Instant>,
        out: &mut OutQueue,
    ) -> Result<bool, Close> {
        HOT.with_borrow_mut(|hot| {
            hot.arena.reset();
            let Hot {
                arena,
                reads,
                splices,
                ..
            } = hot;
            reads.clear();
            if self.error.is_none() {
                let enough = self.read(reads);
                let over = now.unwrap_or_else(Instant::now) >= self.deadline;
                if !enough && !over {
                    self.wait(reads, wake);
                    reads.clear();
                    return Ok(false);
                }
            }
            let result = answer::write(self, reads, arena, splices, out);
            reads.clear();
            let mut asks = std::mem::take(&mut self.asks);
            asks.clear();
            if hot.asks.len() < SPARE_LISTS_MAX {
                hot.asks.push(asks);
            }
            result.map(|()| true)
        })
    }

    /// Reads every partition; whether that is worth an answer.
    fn read(&self, reads: &mut Reads) -> bool {
        let mut bytes = 0u64;
        let mut enough = self.asks.is_empty();
        for ask in &self.asks {
            let left = u64::from(self.max_bytes).saturating_sub(bytes);
            let read = ask
                .partition
                .as_ref()
                .map_err(|refused| *refused)
                .and_then(|partition| {
                    let read_ask = ReadAsk {
                        max_bytes: ask.max_bytes.min(u32::try_from(left).unwrap_or(u32::MAX)),
                        // The first records are read however large their batch is, or a client with a small
                        // limit would stand still (KIP-74).
                        min_one: bytes == 0,
                        read_committed: self.read_committed,
                        ..ask.read
                    };
                    partition
                        .read(&read_ask)
                        .map_err(|refusal| ask::Refused::partition(&refusal, partition))
                });
            match &read {
                Ok(read) => {
                    bytes += read.slice.as_ref().map_or(0, |slice| u64::from(slice.len));
                    enough |= read.diverging.is_some();
                }
                Err(_) => enough = true,
            }
            reads.push(read);
        }
        enough || bytes >= self.min_bytes
    }

    fn wait(&self, reads: &Reads, wake: &Arc<dyn Wake>) {
        for (ask, read) in self.asks.iter().zip(reads) {
            if let (Ok(partition), Ok(read)) = (&ask.partition, read) {
                partition.wait_readable(read.high_watermark, wake);
            }
        }
    }
}
