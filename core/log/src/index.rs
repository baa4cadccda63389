//! What the two sorted indexes of a segment have in common.
//!
//! Entries are addressed by number through a function that fetches one, so that the same search runs on
//! bytes in memory and on a file read piecemeal.

/// The number of leading entries, out of `count`, for which `holds` is true; it must be true for a prefix.
///
/// # Errors
/// The first error of `holds`.
pub fn partition_point<E>(
    count: u32,
    mut holds: impl FnMut(u32) -> Result<bool, E>,
) -> Result<u32, E> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Decides which entries a segment's indexes get, batch by batch. The same for append and recovery, so that
/// rebuilt indexes equal the lost ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexBuilder {
    /// Bytes since the batch that got the last entry began.
    bytes_since_entry: u64,
    /// The largest timestamp so far, -1 before the first, and the last offset of its batch.
    max_timestamp: i64,
    max_timestamp_offset: i64,
    /// Timestamp of the last entry of the time index; -1 if it is empty.
    last_time_entry: i64,
}

/// The entries that a batch brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewEntries {
    /// For the offset index: offset and position.
    pub offset: Option<(i64, u32)>,
    /// For the time index: timestamp and offset.
    pub time: Option<(i64, i64)>,
}

impl Default for IndexBuilder {
    fn default() -> Self {
        Self {
            bytes_since_entry: 0,
            max_timestamp: -1,
            max_timestamp_offset: -1,
            last_time_entry: -1,
        }
    }
}

impl IndexBuilder {
    /// Goes on behind entries that exist: `last_time` is the last entry of the time index (timestamp and
    /// offset), and `bytes_since_entry` counts from the position in the last entry of the offset index.
    #[must_use]
    pub fn resume(last_time: Option<(i64, i64)>, bytes_since_entry: u64) -> Self {
        let (timestamp, offset) = last_time.unwrap_or((-1, -1));
        Self {
            bytes_since_entry,
            max_timestamp: timestamp,
            max_timestamp_offset: offset,
            last_time_entry: timestamp,
        }
    }

    /// The largest timestamp so far; -1 if there is none.
    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// The last offset of the first batch that has [`Self::max_timestamp`]; -1 if there is none.
    #[must_use]
    pub fn max_timestamp_offset(&self) -> i64 {
        self.max_timestamp_offset
    }

    /// Takes note of a batch of `size` bytes at `position`.
    pub fn on_batch(
        &mut self,
        position: u32,
        size: u32,
        last_offset: i64,
        max_timestamp: i64,
        interval_bytes: u32,
    ) -> NewEntries {
        if max_timestamp > self.max_timestamp {
            self.max_timestamp = max_timestamp;
            self.max_timestamp_offset = last_offset;
        }
        let mut new = NewEntries::default();
        if self.bytes_since_entry > u64::from(interval_bytes) {
            new.offset = Some((last_offset, position));
            new.time = self.take_time_entry();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += u64::from(size);
        new
    }

    /// The last entry of the time index when the segment is closed: every closed segment's time index ends
    /// with the segment's largest timestamp.
    pub fn take_time_entry(&mut self) -> Option<(i64, i64)> {
        // Later entries carry later timestamps, so an unchanged maximum needs no entry.
        (self.max_timestamp > self.last_time_entry).then(|| {
            self.last_time_entry = self.max_timestamp;
            (self.max_timestamp, self.max_timestamp_offset)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_point_finds_every_edge() {
        for count in 0..10 {
            for edge in 0..=count {
                assert_eq!(partition_point(count, |i| Ok::<_, ()>(i < edge)), Ok(edge));
            }
        }
    }

    #[test]
    fn first_batch_gets_no_entry_and_large_batches_one_each() {
        let mut builder = IndexBuilder::default();
        assert_eq!(
            builder.on_batch(0, 5000, 9, 100, 4096),
            NewEntries::default()
        );
        let second = builder.on_batch(5000, 5000, 19, 90, 4096);
        assert_eq!(
            second,
            NewEntries {
                offset: Some((19, 5000)),
                time: Some((100, 9))
            }
        );
        // The maximum is unchanged: the time index has it already.
        let third = builder.on_batch(10_000, 10, 20, 95, 4096);
        assert_eq!(
            third,
            NewEntries {
                offset: Some((20, 10_000)),
                time: None
            }
        );
        assert_eq!(
            builder.on_batch(10_010, 10, 21, 101, 4096),
            NewEntries::default()
        );
        assert_eq!(builder.take_time_entry(), Some((101, 21)));
        assert_eq!(builder.take_time_entry(), None);
    }
}
