//! What waits for records of a shard to be committed, and for its time to come.

use std::time::Duration;

use ottla_base::MonoTime;
use ottla_group::{Continuation, GroupEffects, GroupError, Now};
use tokio::sync::oneshot;

use super::super::waiting::Told;
use super::{Parked, Shard, State};

impl Shard {
    pub(super) fn deadline(&self, now: Now) -> MonoTime {
        let ms = u64::try_from(self.env.settings.offsets_commit_timeout_ms).unwrap_or(0);
        now.mono.saturating_add(Duration::from_millis(ms))
    }

    /// Parks a request behind everything written so far; `None` if all of it is committed.
    pub(super) fn park_request(&self, state: &mut State, now: Now) -> Option<Told> {
        if state.written <= state.committed {
            return None;
        }
        if !state.registered {
            // Then nobody waits: who does is registered for.
            state.registered = !self.partition.wait_committed(state.written, &self.wake);
            if !state.registered {
                self.take_committed(state, now);
                if state.written <= state.committed {
                    return None;
                }
            }
        }
        let (tell, told) = oneshot::channel();
        let (until, deadline) = (state.written, self.deadline(now));
        if let Err(Parked::Request(tell)) =
            state.parked.park(until, deadline, Parked::Request(tell))
        {
            let _ = tell.send(Err(GroupError::NotAvailable));
        }
        self.set_alarm(state);
        Some(told)
    }

    /// Lets go on what waits for records that are committed by now, and asks to be woken for the rest.
    pub(super) fn take_committed(&self, state: &mut State, now: Now) {
        loop {
            let high_watermark = self.partition.high_watermark();
            state.committed = high_watermark.unwrap_or(state.committed);
            while let Some(parked) = state.parked.take_committed(state.committed) {
                match parked {
                    Parked::Request(request) => {
                        let _ = request.send(Ok(()));
                    }
                    Parked::Continue(continuation) => self.go_on(state, continuation, now),
                }
            }
            let Some(next) = state.parked.next_offset() else {
                return;
            };
            // Without a leader nothing is committed here any more: `close` is on its way.
            if state.registered || high_watermark.is_none() {
                return;
            }
            state.registered = !self.partition.wait_committed(next, &self.wake);
        }
    }

    pub(super) fn go_on(&self, state: &mut State, continuation: Continuation, now: Now) {
        let mut fx = GroupEffects::default();
        if let Ok(machine) = state.machine() {
            machine.committed(continuation, now, &mut fx);
        }
        state.answer(&mut fx);
        // What a continuation decides is not answered to anybody who waits here.
        let _ = self.execute_all(state, fx, now);
    }

    pub(super) fn set_alarm(&self, state: &mut State) {
        let own = state
            .machine()
            .ok()
            .and_then(|machine| machine.next_deadline());
        let next = [own, state.parked.next_deadline()];
        let Some(next) = next.into_iter().flatten().min() else {
            return;
        };
        // Moved forward only: an alarm that comes too early sets the next one.
        if state.alarm.is_none_or(|alarm| next < alarm) {
            state.alarm = Some(next);
            self.env.keeper.set_alarm(self.partition.index, next);
        }
    }
}
