//! What is known of brokers' heartbeats: when each was last heard of, how far it has read the metadata
//! log. Not replicated; it starts anew with each active controller.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_base::{BrokerEpoch, MonoTime, NodeId, Offset};

/// Where a broker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BrokerState {
    Fenced,
    Unfenced,
    ControlledShutdown,
    ShutdownNow,
}

impl BrokerState {
    /// Whether the broker may not lead or serve.
    pub(crate) fn is_fenced(self) -> bool {
        matches!(self, Self::Fenced | Self::ShutdownNow)
    }
}

/// What a heartbeat asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) fence: bool,
    pub(crate) shut_down: bool,
    pub(crate) metadata_offset: i64,
}

#[derive(Debug, Clone, Copy)]
struct Heartbeat {
    fenced: bool,
    metadata_offset: i64,
    /// Every active broker must have read up to here before this one may stop.
    controlled_shutdown_offset: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Heartbeats {
    brokers: BTreeMap<NodeId, Heartbeat>,
    /// Offset of the registration record of each broker.
    registration_offsets: BTreeMap<NodeId, Offset>,
    contacts: BTreeMap<(NodeId, BrokerEpoch), MonoTime>,
}

impl Heartbeats {
    /// A registration was recorded.
    pub(crate) fn registered(&mut self, broker: NodeId, offset: Offset, fenced: bool) {
        self.registration_offsets.insert(broker, offset);
        self.reset(broker, fenced);
    }

    pub(crate) fn unregistered(&mut self, broker: NodeId) {
        self.registration_offsets.remove(&broker);
        self.brokers.remove(&broker);
    }

    /// A change of a registration was recorded.
    pub(crate) fn changed(&mut self, broker: NodeId, fenced: bool) {
        let metadata_offset = self
            .brokers
            .get(&broker)
            .filter(|known| known.fenced != fenced)
            .map_or(-1, |known| known.metadata_offset);
        self.touch(broker, fenced, metadata_offset);
    }

    /// Starts anew with a broker.
    pub(crate) fn reset(&mut self, broker: NodeId, fenced: bool) {
        let fresh = Heartbeat {
            fenced,
            metadata_offset: -1,
            controlled_shutdown_offset: None,
        };
        self.brokers.insert(broker, fresh);
    }

    /// A heartbeat was answered.
    pub(crate) fn touch(&mut self, broker: NodeId, fenced: bool, metadata_offset: i64) {
        let entry = self.brokers.entry(broker).or_insert(Heartbeat {
            fenced,
            metadata_offset,
            controlled_shutdown_offset: None,
        });
        entry.fenced = fenced;
        entry.metadata_offset = metadata_offset;
        if fenced {
            // A fenced broker leaves controlled shutdown; its next heartbeat lets it stop at once.
            entry.controlled_shutdown_offset = None;
        }
    }

    /// A broker is handing over its partitions: it may stop when all others have read up to `offset`.
    pub(crate) fn controlled_shutdown(&mut self, broker: NodeId, offset: i64) {
        if let Some(entry) = self.brokers.get_mut(&broker) {
            entry.controlled_shutdown_offset.get_or_insert(offset);
        }
    }

    /// A broker was heard of.
    pub(crate) fn contact(&mut self, broker: NodeId, epoch: BrokerEpoch, now: MonoTime) {
        self.contacts.insert((broker, epoch), now);
    }

    pub(crate) fn forget_contacts(&mut self) {
        self.contacts.clear();
    }

    pub(crate) fn registration_offset(&self, broker: NodeId) -> Option<Offset> {
        self.registration_offsets.get(&broker).copied()
    }

    /// Whether the broker was heard of within `timeout`.
    pub(crate) fn has_session(
        &self,
        broker: NodeId,
        epoch: BrokerEpoch,
        now: MonoTime,
        timeout: Duration,
    ) -> bool {
        let heard = self.contacts.get(&(broker, epoch));
        heard.is_some_and(|&heard| now.saturating_since(heard) <= timeout)
    }

    /// Takes out a broker not heard of for longer than `timeout`.
    pub(crate) fn take_expired(
        &mut self,
        now: MonoTime,
        timeout: Duration,
    ) -> Option<(NodeId, BrokerEpoch)> {
        let expired = self
            .contacts
            .iter()
            .find(|(_, heard)| now.saturating_since(**heard) > timeout)
            .map(|(broker, _)| *broker)?;
        self.contacts.remove(&expired);
        Some(expired)
    }

    /// The first moment at which a broker will not have been heard of for longer than `timeout`.
    pub(crate) fn next_expiry(&self, timeout: Duration) -> Option<MonoTime> {
        let first = self.contacts.values().min()?;
        Some(
            first
                .saturating_add(timeout)
                .saturating_add(Duration::from_nanos(1)),
        )
    }

    fn state(&self, broker: NodeId) -> BrokerState {
        match self.brokers.get(&broker) {
            Some(Heartbeat {
                controlled_shutdown_offset: Some(_),
                ..
            }) => BrokerState::ControlledShutdown,
            Some(Heartbeat { fenced: false, .. }) => BrokerState::Unfenced,
            _ => BrokerState::Fenced,
        }
    }

    /// How far every active broker has read the metadata log.
    fn lowest_active_offset(&self) -> i64 {
        self.brokers
            .values()
            .filter(|broker| !broker.fenced && broker.controlled_shutdown_offset.is_none())
            .map(|broker| broker.metadata_offset)
            .min()
            .unwrap_or(i64::MAX)
    }

    /// Where the broker stands, and where its wish puts it.
    ///
    /// ```text
    /// Fenced --caught up--> Unfenced --wants to stop, leads--> ControlledShutdown
    ///   ^                      |                                     | leads nothing, others caught up
    ///   +------wants fence-----+--wants to stop, leads nothing--> ShutdownNow
    /// ```
    pub(crate) fn next_state(
        &self,
        broker: NodeId,
        wish: Wish,
        registration_offset: Offset,
        leads: bool,
    ) -> (BrokerState, BrokerState) {
        use BrokerState::{ControlledShutdown, Fenced, ShutdownNow, Unfenced};
        let present = self.state(broker);
        let next = match present {
            Fenced if wish.shut_down => ShutdownNow,
            Fenced if !wish.fence && wish.metadata_offset >= registration_offset.0 => Unfenced,
            Fenced => Fenced,
            Unfenced if wish.fence && wish.shut_down => ShutdownNow,
            Unfenced if wish.fence => Fenced,
            Unfenced if wish.shut_down && leads => ControlledShutdown,
            Unfenced if wish.shut_down => ShutdownNow,
            Unfenced => Unfenced,
            ControlledShutdown if leads => ControlledShutdown,
            ControlledShutdown => {
                let known = self.brokers.get(&broker);
                let awaited = known
                    .and_then(|b| b.controlled_shutdown_offset)
                    .unwrap_or(-1);
                if awaited <= self.lowest_active_offset() {
                    ShutdownNow
                } else {
                    ControlledShutdown
                }
            }
            ShutdownNow => ShutdownNow,
        };
        (present, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: Offset = Offset(10);

    fn at(fenced: bool) -> Heartbeats {
        let mut heartbeats = Heartbeats::default();
        heartbeats.registered(NodeId(1), OFFSET, fenced);
        heartbeats
    }

    fn wish(fence: bool, shut_down: bool, metadata_offset: i64) -> Wish {
        Wish {
            fence,
            shut_down,
            metadata_offset,
        }
    }

    #[test]
    fn wishes_lead_where_kafka_lets_them() {
        use BrokerState::{ControlledShutdown, Fenced, ShutdownNow, Unfenced};
        let check = |fenced, wish, leads, expected| {
            let (_, next) = at(fenced).next_state(NodeId(1), wish, OFFSET, leads);
            assert_eq!(next, expected, "fenced={fenced} {wish:?} leads={leads}");
        };
        check(true, wish(true, false, 10), false, Fenced);
        check(true, wish(false, false, 9), false, Fenced);
        check(true, wish(false, false, 10), false, Unfenced);
        check(true, wish(false, true, 0), false, ShutdownNow);
        check(false, wish(false, false, 0), true, Unfenced);
        check(false, wish(true, false, 10), true, Fenced);
        check(false, wish(false, true, 10), true, ControlledShutdown);
        check(false, wish(false, true, 10), false, ShutdownNow);
        check(false, wish(true, true, 10), true, ShutdownNow);
    }

    #[test]
    fn a_broker_stops_when_the_others_have_seen_it_leave() {
        let mut heartbeats = at(false);
        heartbeats.registered(NodeId(2), Offset(11), false);
        heartbeats.touch(NodeId(2), false, 19);
        heartbeats.controlled_shutdown(NodeId(1), 20);
        let next = |heartbeats: &Heartbeats, leads| {
            heartbeats
                .next_state(NodeId(1), wish(false, true, 30), OFFSET, leads)
                .1
        };
        assert_eq!(
            next(&heartbeats, false),
            BrokerState::ControlledShutdown,
            "broker 2 is behind"
        );
        heartbeats.touch(NodeId(2), false, 20);
        assert_eq!(
            next(&heartbeats, true),
            BrokerState::ControlledShutdown,
            "it still leads"
        );
        assert_eq!(next(&heartbeats, false), BrokerState::ShutdownNow);
    }

    #[test]
    fn sessions_end_only_after_the_timeout() {
        let mut heartbeats = at(false);
        let timeout = Duration::from_nanos(9);
        let epoch = BrokerEpoch(10);
        heartbeats.contact(NodeId(1), epoch, MonoTime(100));
        assert!(heartbeats.has_session(NodeId(1), epoch, MonoTime(109), timeout));
        assert_eq!(heartbeats.next_expiry(timeout), Some(MonoTime(110)));
        assert_eq!(heartbeats.take_expired(MonoTime(109), timeout), None);
        assert!(!heartbeats.has_session(NodeId(1), epoch, MonoTime(110), timeout));
        assert_eq!(
            heartbeats.take_expired(MonoTime(110), timeout),
            Some((NodeId(1), epoch))
        );
        assert_eq!(heartbeats.next_expiry(timeout), None);
    }
}
