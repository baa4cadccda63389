//! How many connections there may be, in total and from one address.
//!
//! Kafka differs: its defaults are unlimited; a node that ends by running out of descriptors serves
//! nobody, so ours are finite. A connection above a limit is closed right after it was accepted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Limits on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub total: usize,
    /// `max.connections.per.ip`.
    pub per_address: usize,
}

/// Why a connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TurnedAway {
    /// `max.connections` is reached.
    #[error("too many connections: max={0}")]
    Total(usize),
    /// `max.connections.per.ip` is reached.
    #[error("too many connections from one address: max={0}")]
    PerAddress(usize),
}

/// Counts the connections of a node.
#[derive(Debug)]
pub struct ConnectionCounter {
    limits: Mutex<ConnectionLimits>,
    /// `max.connections.per.ip.overrides`, by address.
    overrides: Mutex<HashMap<IpAddr, usize>>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The place of one connection; given back when dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    counter: Arc<ConnectionCounter>,
    address: IpAddr,
}

impl ConnectionCounter {
    /// No connection yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits: Mutex::new(limits),
            overrides: Mutex::default(),
            open: Mutex::default(),
        })
    }

    /// Changes the limits; connections that are open stay.
    pub fn set_limits(&self, limits: ConnectionLimits) {
        *self.limits.lock() = limits;
    }

    /// Changes the limits of single addresses, which stand in place of [`ConnectionLimits::per_address`].
    pub fn set_overrides(&self, overrides: HashMap<IpAddr, usize>) {
        *self.overrides.lock() = overrides;
    }

    /// Number of open connections.
    #[must_use]
    pub fn total(&self) -> usize {
        self.open.lock().total
    }

    /// Takes a place for a connection from `address`.
    ///
    /// # Errors
    /// [`TurnedAway`].
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPermit, TurnedAway> {
        let limits = *self.limits.lock();
        let own = self.overrides.lock().get(&address.to_canonical()).copied();
        let per_address = own.unwrap_or(limits.per_address);
        let mut open = self.open.lock();
        if open.total >= limits.total {
            return Err(TurnedAway::Total(limits.total));
        }
        let from_here = open.by_address.get(&address).copied().unwrap_or(0);
        if from_here >= per_address {
            return Err(TurnedAway::PerAddress(per_address));
        }
        open.total += 1;
        open.by_address.insert(address, from_here + 1);
        Ok(ConnectionPermit {
            counter: Arc::clone(self),
            address,
        })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.counter.open.lock();
        open.total -= 1;
        match open.by_address.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.by_address.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let counter = ConnectionCounter::new(ConnectionLimits {
            total: 3,
            per_address: 2,
        });
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = counter.admit(a).expect("free");
        let _second = counter.admit(a).expect("free");
        assert_eq!(counter.admit(a).err(), Some(TurnedAway::PerAddress(2)));
        let _third = counter.admit(b).expect("free");
        assert_eq!(counter.admit(b).err(), Some(TurnedAway::Total(3)));
        drop(first);
        assert!(counter.admit(a).is_ok());
        assert_eq!(counter.total(), 3 - 1);
        counter.set_overrides(HashMap::from([(a, 1)]));
        assert_eq!(counter.admit(a).err(), Some(TurnedAway::PerAddress(1)));
    }
}
