//! What waits for a record to be committed.

use std::collections::VecDeque;

use ottla_base::{MonoTime, Offset};

/// Things parked until the high watermark has passed an offset, in the order in which they were parked.
///
/// The offsets of a log only grow, and everything is parked behind the newest record that it depends on,
/// so the queue is sorted by offset and by deadline and nothing has to be searched.
#[derive(Debug, Clone)]
pub struct ParkQueue<T> {
    parked: VecDeque<Parked<T>>,
    max: usize,
}

#[derive(Debug, Clone)]
struct Parked<T> {
    until: Offset,
    deadline: MonoTime,
    item: T,
}

impl<T> ParkQueue<T> {
    /// A queue of at most `max` things.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            parked: VecDeque::new(),
            max,
        }
    }

    /// Whether another thing can be parked.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.parked.len() < self.max
    }

    /// Parks `item` until the high watermark is at least `until`, or `deadline` has come. An offset or
    /// deadline below that of the newest thing counts as that one's.
    ///
    /// # Errors
    /// The item comes back if the queue is full.
    pub fn park(&mut self, until: Offset, deadline: MonoTime, item: T) -> Result<(), T> {
        if !self.has_room() {
            return Err(item);
        }
        let (until, deadline) = self.parked.back().map_or((until, deadline), |newest| {
            (until.max(newest.until), deadline.max(newest.deadline))
        });
        self.parked.push_back(Parked {
            until,
            deadline,
            item,
        });
        Ok(())
    }

    /// Takes the oldest thing if all it waits for lies below `high_watermark`.
    pub fn take_committed(&mut self, high_watermark: Offset) -> Option<T> {
        let oldest = self.parked.front()?;
        (oldest.until <= high_watermark)
            .then(|| self.parked.pop_front())
            .flatten()
            .map(|parked| parked.item)
    }

    /// Takes the oldest thing if its deadline has come.
    pub fn take_overdue(&mut self, now: MonoTime) -> Option<T> {
        let oldest = self.parked.front()?;
        (oldest.deadline <= now)
            .then(|| self.parked.pop_front())
            .flatten()
            .map(|parked| parked.item)
    }

    /// Takes everything, whatever it waits for.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        self.parked.drain(..).map(|parked| parked.item)
    }

    /// The high watermark at which the oldest thing can be taken.
    #[must_use]
    pub fn next_offset(&self) -> Option<Offset> {
        self.parked.front().map(|parked| parked.until)
    }

    /// When the oldest thing becomes overdue.
    #[must_use]
    pub fn next_deadline(&self) -> Option<MonoTime> {
        self.parked.front().map(|parked| parked.deadline)
    }

    /// Number of things parked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parked.len()
    }

    /// Whether nothing is parked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(items: &[(i64, u64)]) -> ParkQueue<usize> {
        let mut queue = ParkQueue::new(8);
        for (index, (until, deadline)) in items.iter().enumerate() {
            queue
                .park(Offset(*until), MonoTime(*deadline), index)
                .unwrap();
        }
        queue
    }

    #[test]
    fn nothing_leaves_before_its_record_is_committed() {
        let mut queue = queue(&[(1, 10), (1, 11), (3, 12)]);
        assert_eq!(queue.next_offset(), Some(Offset(1)));
        assert_eq!(queue.take_committed(Offset(0)), None);
        assert_eq!(queue.take_committed(Offset(2)), Some(0));
        assert_eq!(queue.take_committed(Offset(2)), Some(1));
        assert_eq!(queue.take_committed(Offset(2)), None);
        assert_eq!(queue.take_committed(Offset(3)), Some(2));
        assert!(queue.is_empty());
    }

    #[test]
    fn what_is_parked_later_leaves_no_sooner() {
        let mut queue = queue(&[(5, 20), (3, 10)]);
        assert_eq!(queue.take_committed(Offset(4)), None);
        assert_eq!(queue.take_overdue(MonoTime(19)), None);
        assert_eq!(queue.take_overdue(MonoTime(20)), Some(0));
        assert_eq!(queue.next_deadline(), Some(MonoTime(20)));
        assert_eq!(queue.take_committed(Offset(5)), Some(1));
    }

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let mut queue = ParkQueue::new(1);
        assert_eq!(queue.park(Offset(1), MonoTime(1), 'a'), Ok(()));
        assert_eq!(queue.park(Offset(1), MonoTime(1), 'b'), Err('b'));
        assert_eq!(queue.drain().collect::<String>(), "a");
        assert!(queue.has_room());
    }
}
