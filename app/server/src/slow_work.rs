//! Work that blocks on a disk, for requests so rare that they need no more than one thread.
//!
//! Workers never wait for a disk: they hand the work over and are woken when it is done.

use std::sync::mpsc::{SyncSender, sync_channel};

use ottla_env::spawn_thread;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Pieces of work that wait. Above it a request is refused, so that a slow disk is not buried.
const QUEUED_MAX: usize = 256;

type Work = Box<dyn FnOnce() + Send>;

/// The thread, which starts with the first piece of work and ends with its owner.
#[derive(Default)]
pub struct SlowWork {
    queue: Mutex<Option<SyncSender<Work>>>,
}

/// The queue is full, or there is no thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too much work waits for the disk: max={QUEUED_MAX}")]
pub(crate) struct Overloaded;

impl SlowWork {
    /// Does `work` on the thread.
    ///
    /// # Errors
    /// [`Overloaded`]; nothing is done then.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let (tell, told) = oneshot::channel();
        let work = Box::new(move || drop(tell.send(work())));
        let queue = self.queue()?;
        queue.try_send(work).map_err(|_| Overloaded)?;
        told.await.map_err(|_| Overloaded)
    }

    fn queue(&self) -> Result<SyncSender<Work>, Overloaded> {
        let mut queue = self.queue.lock();
        if let Some(queue) = &*queue {
            return Ok(queue.clone());
        }
        let (sender, receiver) = sync_channel::<Work>(QUEUED_MAX);
        let thread = spawn_thread("slow-work", move || {
            for work in receiver {
                work();
            }
        });
        thread.map_err(|error| {
            tracing::warn!(%error, "no thread for slow work");
            Overloaded
        })?;
        Ok(queue.insert(sender).clone())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use ottla_env::run_local;

    use super::*;

    #[test]
    fn work_is_done_on_another_thread() {
        let slow = SlowWork::default();
        let here = thread::current().id();
        let there = run_local(slow.run(|| thread::current().id())).expect("a runtime");
        assert_ne!(there, Ok(here));
        assert!(there.is_ok());
    }
}
