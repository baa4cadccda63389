//! Memory for frames that have arrived in part, over all connections of a node (`queued.max.request.bytes`).
//!
//! Below the limit a connection reads on as it likes. At the limit those that hold part of a frame are not read, but
//! for one, which may finish its frame: so the limit is passed by one frame at most, everybody has a turn, and no
//! connection is closed. Frames that arrive in one piece need no memory of this kind and are never held up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

/// Memory that all connections of a node share.
#[derive(Debug)]
pub struct FrameBudget {
    max: usize,
    used: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    next_id: u64,
    /// Who may read on at the limit.
    finishing: Option<u64>,
    /// Who waits, by the order in which they came; one entry for each connection.
    waiting: BTreeMap<u64, Waker>,
}

impl FrameBudget {
    /// Room for `max` bytes.
    #[must_use]
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            used: AtomicUsize::new(0),
            queue: Mutex::default(),
        })
    }

    /// Bytes that are held now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether no connection may hold more.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.used() >= self.max
    }

    /// Wakes who can go on: everybody where there is room, else whoever came first if nobody finishes a frame.
    fn wake(&self) {
        let woken: Vec<Waker> = {
            let mut queue = self.queue.lock();
            if !self.is_exhausted() {
                std::mem::take(&mut queue.waiting).into_values().collect()
            } else if queue.finishing.is_none() {
                let first = queue.waiting.pop_first();
                queue.finishing = first.as_ref().map(|(id, _)| *id);
                first.into_iter().map(|(_, waker)| waker).collect()
            } else {
                Vec::new()
            }
        };
        for waker in woken {
            waker.wake();
        }
    }
}

/// What one connection takes of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct FrameShare {
    budget: Arc<FrameBudget>,
    held: usize,
    /// Place in the queue, until the frame is whole.
    id: Option<u64>,
}

impl FrameShare {
    pub(crate) fn new(budget: &Arc<FrameBudget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            held: 0,
            id: None,
        }
    }

    pub(crate) fn budget(&self) -> &FrameBudget {
        &self.budget
    }

    /// The connection's frame is whole; it holds `bytes` of what came behind.
    pub(crate) fn frame_done(&mut self, bytes: usize) {
        self.leave();
        self.set(bytes);
        self.budget.wake();
    }

    /// The connection holds `bytes` now.
    pub(crate) fn set(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.held, bytes);
        if bytes > before {
            let more = bytes - before;
            self.budget.used.fetch_add(more, Ordering::Relaxed);
        } else if bytes < before {
            let less = before - bytes;
            self.budget.used.fetch_sub(less, Ordering::Relaxed);
        }
    }

    /// Whether the connection may read on into its frame; if not, `waker` is woken when that may have changed.
    pub(crate) fn may_grow(&mut self, waker: &Waker) -> bool {
        if !self.budget.is_exhausted() {
            return true;
        }
        let mut queue = self.budget.queue.lock();
        let id = *self.id.get_or_insert_with(|| {
            queue.next_id += 1;
            queue.next_id
        });
        // Looked at again under the lock, so that no waking is missed in between.
        if !self.budget.is_exhausted() || *queue.finishing.get_or_insert(id) == id {
            queue.waiting.remove(&id);
            return true;
        }
        queue.waiting.insert(id, waker.clone());
        false
    }

    /// Whether the connection waits for room.
    pub(crate) fn is_waiting(&self) -> bool {
        let is_in = |id| self.budget.queue.lock().waiting.contains_key(&id);
        self.id.is_some_and(is_in)
    }

    /// Gives up the place in the queue.
    fn leave(&mut self) {
        let Some(id) = self.id.take() else { return };
        let mut queue = self.budget.queue.lock();
        queue.waiting.remove(&id);
        queue.finishing.take_if(|finishing| *finishing == id);
    }
}

impl Drop for FrameShare {
    fn drop(&mut self) {
        // One that was finishing its frame lets the next one.
        self.leave();
        let held = std::mem::take(&mut self.held);
        self.budget.used.fetch_sub(held, Ordering::Relaxed);
        self.budget.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_grow(share: &mut FrameShare) -> bool {
        share.may_grow(Waker::noop())
    }

    #[test]
    fn below_the_limit_everybody_goes_on() {
        let budget = FrameBudget::new(100);
        let mut shares = [(); 3].map(|()| FrameShare::new(&budget));
        for share in &mut shares {
            share.set(30);
            assert!(may_grow(share));
        }
        assert_eq!(budget.used(), 90);
        drop(shares);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn at_the_limit_one_finishes_and_the_others_follow_in_turn() {
        let budget = FrameBudget::new(100);
        let [mut a, mut b, mut c] = [(); 3].map(|()| FrameShare::new(&budget));
        for share in [&mut a, &mut b, &mut c] {
            share.set(40);
        }
        assert!(may_grow(&mut a));
        assert!(!may_grow(&mut b) && !may_grow(&mut c));
        a.set(500);
        assert!(may_grow(&mut a) && !may_grow(&mut b));
        assert!(b.is_waiting() && !a.is_waiting());
        // Its frame is whole, and the rest fits again.
        a.frame_done(0);
        assert!(!b.is_waiting() && !c.is_waiting());
        assert!(may_grow(&mut b) && may_grow(&mut c));
        // At the limit again: whoever finishes and goes away lets the next one.
        a.set(40);
        assert!(may_grow(&mut c));
        assert!(!may_grow(&mut b) && !may_grow(&mut a));
        b.set(90);
        drop(c);
        assert!(!b.is_waiting() && a.is_waiting());
        assert!(may_grow(&mut b) && !may_grow(&mut a));
    }
}
