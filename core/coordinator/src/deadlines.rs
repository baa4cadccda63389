//! Timers as data: one deadline for each key.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::MonoTime;

/// The next deadline of each key that has one.
///
/// A key that is heard of often should not be moved each time: leave its deadline where it is, and set
/// it anew when it comes up and turns out to be too early.
#[derive(Debug, Clone)]
pub struct Deadlines<K> {
    by_key: BTreeMap<K, MonoTime>,
    by_time: BTreeSet<(MonoTime, K)>,
}

impl<K: Ord> Default for Deadlines<K> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone> Deadlines<K> {
    /// Sets the deadline of `key`, whatever it was.
    pub fn set(&mut self, key: K, at: MonoTime) {
        if let Some(before) = self.by_key.insert(key.clone(), at) {
            if before == at {
                return;
            }
            self.by_time.remove(&(before, key.clone()));
        }
        self.by_time.insert((at, key));
    }

    /// Removes the deadline of `key`.
    pub fn clear(&mut self, key: &K) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }

    /// The earliest deadline of all.
    #[must_use]
    pub fn next(&self) -> Option<MonoTime> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes a key whose deadline has come, the earliest first.
    pub fn take_due(&mut self, now: MonoTime) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    /// Removes every deadline.
    pub fn clear_all(&mut self) {
        self.by_key.clear();
        self.by_time.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_up_in_the_order_of_their_last_deadline() {
        let mut deadlines = Deadlines::default();
        deadlines.set("late", MonoTime(1));
        deadlines.set("early", MonoTime(2));
        deadlines.set("late", MonoTime(3));
        deadlines.set("gone", MonoTime(1));
        deadlines.clear(&"gone");
        assert_eq!(deadlines.next(), Some(MonoTime(2)));
        assert_eq!(deadlines.take_due(MonoTime(1)), None);
        assert_eq!(deadlines.take_due(MonoTime(9)), Some("early"));
        assert_eq!(deadlines.take_due(MonoTime(9)), Some("late"));
        assert_eq!(deadlines.take_due(MonoTime(9)), None);
    }
}
