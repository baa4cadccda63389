//! Which leader epoch began at which offset (KIP-101, KIP-279, KIP-320).
//!
//! Followers cut their log by it, consumers notice truncation by it. Kept in the file
//! `leader-epoch-checkpoint` of a partition's directory, and in every batch's header, so that a lost file is
//! made again from the batches.

use ottla_base::{LeaderEpoch, Offset};

/// An epoch and the offset of its first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Offset of the first record of the epoch; the log end at its begin if it has none.
    pub start: Offset,
}

/// The epochs of one log, both fields growing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EpochCache {
    entries: Vec<EpochEntry>,
}

impl EpochCache {
    /// Takes over `entries`, dropping those that do not fit their predecessors.
    #[must_use]
    pub fn from_entries(entries: impl IntoIterator<Item = EpochEntry>) -> Self {
        let mut cache = Self::default();
        for entry in entries {
            cache.assign(entry.epoch, entry.start);
        }
        cache
    }

    /// The entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The latest epoch.
    #[must_use]
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|e| e.epoch)
    }

    /// The oldest entry.
    #[must_use]
    pub fn earliest(&self) -> Option<EpochEntry> {
        self.entries.first().copied()
    }

    /// Notes that `epoch` begins at `start`; returns whether something changed. Later entries that contradict
    /// are dropped: the log was cut there, or they never had a record.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || start.0 < 0 {
            return false;
        }
        if self
            .entries
            .last()
            .is_some_and(|l| l.epoch == epoch && l.start <= start)
        {
            return false;
        }
        let keep = self
            .entries
            .partition_point(|e| e.epoch < epoch && e.start < start);
        self.entries.truncate(keep);
        self.entries.push(EpochEntry { epoch, start });
        true
    }

    /// The epoch of the record at `offset`.
    #[must_use]
    pub fn epoch_for(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|e| e.start <= offset);
        after.checked_sub(1).map(|i| self.entries[i].epoch)
    }

    /// The largest epoch up to `requested` and where it ends; what OffsetForLeaderEpoch answers. `None` if
    /// `requested` is later than any epoch known.
    #[must_use]
    pub fn end_offset_for(
        &self,
        requested: LeaderEpoch,
        log_end: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        if requested == LeaderEpoch::UNKNOWN {
            return None;
        }
        if self.latest() == Some(requested) {
            return Some((requested, log_end));
        }
        let after = self.entries.partition_point(|e| e.epoch <= requested);
        let higher = self.entries.get(after)?;
        let epoch = match after.checked_sub(1) {
            Some(floor) => self.entries[floor].epoch,
            // Older than all that is left: its end is where the oldest one begins.
            None => requested,
        };
        Some((epoch, higher.start))
    }

    /// Forgets what lies at or behind `end`, to which the log was cut; returns whether something changed.
    pub fn truncate_from_end(&mut self, end: Offset) -> bool {
        let keep = self.entries.partition_point(|e| e.start < end);
        let changed = keep < self.entries.len();
        self.entries.truncate(keep);
        changed
    }

    /// Forgets what lies before `start`, the new begin of the log; the epoch of `start` then begins there.
    /// Returns whether something changed.
    pub fn truncate_from_start(&mut self, start: Offset) -> bool {
        let before = self.entries.partition_point(|e| e.start <= start);
        let Some(last) = before.checked_sub(1) else {
            return false;
        };
        if last == 0 && self.entries[0].start == start {
            return false;
        }
        self.entries.drain(..last);
        self.entries[0].start = start;
        true
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(i32, i64)]) -> EpochCache {
        EpochCache::from_entries(entries.iter().map(|&(e, s)| EpochEntry {
            epoch: LeaderEpoch(e),
            start: Offset(s),
        }))
    }

    fn list(cache: &EpochCache) -> Vec<(i32, i64)> {
        cache
            .entries()
            .iter()
            .map(|e| (e.epoch.0, e.start.0))
            .collect()
    }

    #[test]
    fn assigning_drops_what_contradicts() {
        let check = |before: &[(i32, i64)], (epoch, start): (i32, i64), after: &[(i32, i64)]| {
            let mut cache = cache(before);
            cache.assign(LeaderEpoch(epoch), Offset(start));
            assert_eq!(list(&cache), after, "{before:?} + {epoch} at {start}");
        };
        check(&[], (0, 0), &[(0, 0)]);
        check(&[(0, 0)], (2, 10), &[(0, 0), (2, 10)]);
        check(&[(0, 0), (2, 10)], (2, 20), &[(0, 0), (2, 10)]);
        check(&[(0, 0), (2, 10)], (2, 5), &[(0, 0), (2, 5)]);
        // Two elections without a record in between: only the later one counts.
        check(&[(0, 0), (2, 10)], (3, 10), &[(0, 0), (3, 10)]);
        check(&[(0, 0), (2, 10), (3, 20)], (1, 5), &[(0, 0), (1, 5)]);
        check(&[(0, 0)], (-1, 5), &[(0, 0)]);
    }

    #[test]
    fn end_offsets_follow_kip_101_and_279() {
        let cache = cache(&[(2, 10), (4, 20), (7, 30)]);
        let check = |requested, want: Option<(i32, i64)>| {
            let got = cache.end_offset_for(LeaderEpoch(requested), Offset(35));
            assert_eq!(got.map(|(e, o)| (e.0, o.0)), want, "{requested}");
        };
        check(7, Some((7, 35)));
        check(8, None);
        check(4, Some((4, 30)));
        check(5, Some((4, 30)));
        check(2, Some((2, 20)));
        check(0, Some((0, 10)));
        check(-5, Some((-5, 10)));
        check(-1, None);
    }

    #[test]
    fn truncation_from_both_ends() {
        let full = [(2, 10), (4, 20), (7, 30)];
        let end = |at| {
            let mut c = cache(&full);
            c.truncate_from_end(Offset(at));
            list(&c)
        };
        assert_eq!(end(31), full);
        assert_eq!(end(30), [(2, 10), (4, 20)]);
        assert_eq!(end(5), []);
        let start = |at| {
            let mut c = cache(&full);
            c.truncate_from_start(Offset(at));
            list(&c)
        };
        assert_eq!(start(5), full);
        assert_eq!(start(10), full);
        assert_eq!(start(15), [(2, 15), (4, 20), (7, 30)]);
        assert_eq!(start(20), [(4, 20), (7, 30)]);
        assert_eq!(start(99), [(7, 99)]);
    }

    #[test]
    fn epochs_of_offsets() {
        let cache = cache(&[(2, 10), (4, 20)]);
        assert_eq!(cache.epoch_for(Offset(9)), None);
        assert_eq!(cache.epoch_for(Offset(10)), Some(LeaderEpoch(2)));
        assert_eq!(cache.epoch_for(Offset(19)), Some(LeaderEpoch(2)));
        assert_eq!(cache.epoch_for(Offset(20)), Some(LeaderEpoch(4)));
    }
}
