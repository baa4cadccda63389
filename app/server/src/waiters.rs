//! Who waits for an offset of a partition to be committed, and how they are woken.
//!
//! Owned by one partition. A waiter is data, not a parked future: the produce or fetch that waits
//! stands in its connection's queue and looks again when it is woken. Waking happens on whichever
//! thread moved the high watermark.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ottla_base::Offset;
use parking_lot::Mutex;

/// Somebody who can be told to look again. Called without any lock of the partition held; must be
/// short and must not block.
pub(crate) trait Wake: Send + Sync {
    /// Says that something the waiter asked for may have happened.
    fn wake(&self);
}

/// Wakes one task, from any thread; several calls before the task runs count once.
#[derive(Debug, Default)]
pub(crate) struct Signal(Mutex<SignalState>);

#[derive(Debug, Default)]
struct SignalState {
    fired: bool,
    waker: Option<Waker>,
}

impl Signal {
    /// Ready if it was fired since the last `Ready`; else the task of `cx` is woken by the next call.
    pub(crate) fn poll_fired(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if std::mem::take(&mut state.fired) {
            return Poll::Ready(());
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Wake for Signal {
    fn wake(&self) {
        let waker = {
            let mut state = self.0.lock();
            if std::mem::replace(&mut state.fired, true) {
                return; // Woken already and not yet run.
            }
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

struct Waiter {
    at: Offset,
    wake: Arc<dyn Wake>,
}

impl Waiter {
    /// Nobody but this list holds it any more: its connection is gone.
    fn is_orphan(&self) -> bool {
        Arc::strong_count(&self.wake) == 1
    }
}

/// The waiters of one partition: at most one entry for each connection or coordinator shard, so the
/// connection cap bounds it.
#[derive(Default)]
pub(crate) struct Waiters {
    list: Vec<Waiter>,
    /// Length above which orphans are looked for; doubles with what is left.
    sweep_at: usize,
}

impl Waiters {
    const SWEEP_MIN: usize = 16;

    /// Wakes `wake` once the high watermark reaches `at`.
    ///
    /// One that waits here already is woken at the lower of both offsets; it then asks again.
    pub(crate) fn add(&mut self, at: Offset, wake: &Arc<dyn Wake>) {
        if let Some(waiter) = self
            .list
            .iter_mut()
            .find(|waiter| Arc::ptr_eq(&waiter.wake, wake))
        {
            waiter.at = waiter.at.min(at);
            return;
        }
        if self.list.len() >= self.sweep_at.max(Self::SWEEP_MIN) {
            self.list.retain(|waiter| !waiter.is_orphan());
            self.sweep_at = self.list.len() * 2;
        }
        self.list.push(Waiter {
            at,
            wake: Arc::clone(wake),
        });
    }

    /// Takes out everybody who waits for an offset up to `reached`, to be woken after the lock is
    /// released. Appends to `woken`, so that the caller's buffer is reused.
    pub(crate) fn take_reached(&mut self, reached: Offset, woken: &mut Vec<Arc<dyn Wake>>) {
        let mut at = 0;
        while let Some(waiter) = self.list.get(at) {
            if waiter.at <= reached {
                woken.push(self.list.swap_remove(at).wake);
            } else {
                at += 1;
            }
        }
    }

    /// Takes out everybody: the partition moved, went offline or was deleted.
    pub(crate) fn take_all(&mut self, woken: &mut Vec<Arc<dyn Wake>>) {
        woken.extend(self.list.drain(..).map(|waiter| waiter.wake));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Default)]
    struct Bell(AtomicU32);

    impl Wake for Bell {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn bell() -> Arc<dyn Wake> {
        Arc::new(Bell::default())
    }

    fn reached(waiters: &mut Waiters, offset: i64) -> usize {
        let mut woken = Vec::new();
        waiters.take_reached(Offset(offset), &mut woken);
        woken.len()
    }

    #[test]
    fn only_those_whose_offset_is_reached_are_woken() {
        let mut waiters = Waiters::default();
        let (a, b) = (bell(), bell());
        waiters.add(Offset(5), &a);
        waiters.add(Offset(9), &b);
        assert_eq!(reached(&mut waiters, 4), 0);
        assert_eq!(reached(&mut waiters, 5), 1);
        assert_eq!(reached(&mut waiters, 9), 1);
        assert!(waiters.list.is_empty());
    }

    #[test]
    fn one_waiter_has_one_entry_at_its_lowest_offset() {
        let mut waiters = Waiters::default();
        let a = bell();
        for offset in [9, 5, 7] {
            waiters.add(Offset(offset), &a);
        }
        assert_eq!(waiters.list.len(), 1);
        assert_eq!(reached(&mut waiters, 5), 1);
    }

    #[test]
    fn waiters_of_closed_connections_do_not_pile_up() {
        let mut waiters = Waiters::default();
        let kept = bell();
        waiters.add(Offset(1), &kept);
        for _ in 0..10_000 {
            waiters.add(Offset(1), &bell());
        }
        assert!(
            waiters.list.len() <= 2 * Waiters::SWEEP_MIN,
            "{}",
            waiters.list.len()
        );
        assert!(
            waiters
                .list
                .iter()
                .any(|waiter| Arc::ptr_eq(&waiter.wake, &kept))
        );
    }

    #[test]
    fn signal_counts_once_until_it_is_seen() {
        let signal = Signal::default();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(signal.poll_fired(&mut cx).is_pending());
        signal.wake();
        signal.wake();
        assert!(signal.poll_fired(&mut cx).is_ready());
        assert!(signal.poll_fired(&mut cx).is_pending());
    }
}
