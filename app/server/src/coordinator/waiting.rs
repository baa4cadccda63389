//! Requests that wait: for their records, or for their machine.

use std::sync::Arc;

use ottla_coordinator::Ticket;
use ottla_group::{GroupError, GroupReply};
use tokio::sync::oneshot;

use super::Shard;

/// What comes when records are committed, or will not be.
pub(super) type Told = oneshot::Receiver<Result<(), GroupError>>;

/// A decision that was taken, and may not be known to last yet.
#[must_use = "until it is committed the result is not to be told"]
pub(crate) struct Decided<R> {
    pub(super) result: R,
    pub(super) waits: Option<Told>,
}

impl<R> Decided<R> {
    /// The result, when all that it stands on is committed.
    ///
    /// # Errors
    /// `NotCoordinator`, `NotAvailable`.
    pub(crate) async fn committed(self) -> Result<R, GroupError> {
        if let Some(told) = self.waits {
            told.await.unwrap_or(Err(GroupError::NotCoordinator))?;
        }
        Ok(self.result)
    }
}

/// A JoinGroup or SyncGroup that waits. If its connection goes away, its place is given up.
pub(super) struct Kept {
    shard: Arc<Shard>,
    ticket: Ticket,
    answered: oneshot::Receiver<GroupReply>,
    done: bool,
}

impl Kept {
    pub(super) fn new(
        shard: Arc<Shard>,
        ticket: Ticket,
        answered: oneshot::Receiver<GroupReply>,
    ) -> Self {
        Self {
            shard,
            ticket,
            answered,
            done: false,
        }
    }

    /// The answer, when it comes; a shard that stops gives none.
    pub(super) async fn answer(mut self) -> Result<GroupReply, GroupError> {
        let answer = (&mut self.answered).await;
        self.done = true;
        answer.map_err(|_| GroupError::NotCoordinator)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.done {
            self.shard.forget(self.ticket);
        }
    }
}
