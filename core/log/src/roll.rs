//! When the active segment is closed and a new one begun.

use crate::config::LogConfig;
use crate::offset_index::{self, entries_max, relative};
use crate::time_index;
use ottla_base::{Offset, WallMillis};

/// No segment is longer: positions are signed 32-bit numbers in the index.
pub const SEGMENT_BYTES_MAX: u32 = i32::MAX.unsigned_abs();

/// The active segment, as far as closing it goes.
#[derive(Debug, Clone, Copy)]
pub struct ActiveSegment {
    /// Offset in its name.
    pub base: Offset,
    /// Bytes in it.
    pub bytes: u32,
    /// The first batch's largest timestamp; `None` while empty, or if the batch has none.
    pub first_timestamp: Option<WallMillis>,
    /// When it was made, which counts where batches have no timestamps.
    pub created: WallMillis,
    /// Taken off `segment.ms` for this segment.
    pub jitter_ms: i64,
    /// Entries of the offset index.
    pub offset_entries: u32,
    /// Entries of the time index.
    pub time_entries: u32,
}

/// What is about to be appended.
#[derive(Debug, Clone, Copy)]
pub struct Incoming {
    /// Bytes of all batches.
    pub bytes: u32,
    /// Their largest timestamp; -1 if there is none.
    pub max_timestamp: i64,
    /// Offset of their last record.
    pub last_offset: Offset,
}

/// Why a segment is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollReason {
    /// `segment.bytes`.
    Size,
    /// `segment.ms`.
    Age,
    /// `segment.index.bytes`.
    IndexFull,
    /// An offset does not fit the index any more.
    OffsetRange,
}

impl ActiveSegment {
    /// Why `incoming` has to go into a new segment; `None` if it fits this one.
    #[must_use]
    pub fn roll_reason(
        &self,
        incoming: &Incoming,
        config: &LogConfig,
        now: WallMillis,
    ) -> Option<RollReason> {
        let bytes_max = config.segment_bytes.min(SEGMENT_BYTES_MAX);
        let grown = self.bytes.checked_add(incoming.bytes);
        // A first batch goes in however large it is: a segment of its own is the most room there is.
        if self.bytes > 0 && grown.is_none_or(|bytes| bytes > bytes_max) {
            return Some(RollReason::Size);
        }
        let waited = match self.first_timestamp {
            Some(first) if first.0 >= 0 => incoming.max_timestamp.saturating_sub(first.0),
            _ => now.0.saturating_sub(self.created.0),
        };
        if self.bytes > 0 && waited > config.segment_ms.saturating_sub(self.jitter_ms) {
            return Some(RollReason::Age);
        }
        let offset_max = entries_max(config.segment_index_bytes, offset_index::ENTRY_BYTES);
        // The last place of the time index is kept for the closing entry.
        let time_max = entries_max(config.segment_index_bytes, time_index::ENTRY_BYTES);
        if self.bytes > 0
            && (self.offset_entries >= offset_max
                || self.time_entries >= time_max.saturating_sub(1))
        {
            return Some(RollReason::IndexFull);
        }
        if relative(self.base, incoming.last_offset).is_none() {
            return Some(RollReason::OffsetRange);
        }
        None
    }
}

/// The jitter of a new segment: below `segment.jitter.ms`, and below `segment.ms`.
#[must_use]
pub fn jitter_ms(config: &LogConfig, random: u64) -> i64 {
    let bound = config.segment_jitter_ms.min(config.segment_ms);
    match u64::try_from(bound) {
        Ok(bound) if bound > 0 => i64::try_from(random % bound).expect("below an i64"),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> ActiveSegment {
        ActiveSegment {
            base: Offset(100),
            bytes: 1000,
            first_timestamp: Some(WallMillis(50)),
            created: WallMillis(10),
            jitter_ms: 0,
            offset_entries: 3,
            time_entries: 3,
        }
    }

    fn config() -> LogConfig {
        LogConfig {
            segment_bytes: 2000,
            segment_ms: 500,
            segment_index_bytes: 80,
            ..LogConfig::default()
        }
    }

    const IN: Incoming = Incoming {
        bytes: 100,
        max_timestamp: 60,
        last_offset: Offset(200),
    };

    #[test]
    fn each_limit_closes_the_segment_one_past_its_edge() {
        let check = |segment: ActiveSegment, incoming: Incoming, now: i64, want| {
            let got = segment.roll_reason(&incoming, &config(), WallMillis(now));
            assert_eq!(got, want, "{segment:?} {incoming:?} now={now}");
        };
        check(segment(), IN, 60, None);
        check(segment(), Incoming { bytes: 1000, ..IN }, 60, None);
        check(
            segment(),
            Incoming { bytes: 1001, ..IN },
            60,
            Some(RollReason::Size),
        );
        check(
            segment(),
            Incoming {
                max_timestamp: 550,
                ..IN
            },
            60,
            None,
        );
        check(
            segment(),
            Incoming {
                max_timestamp: 551,
                ..IN
            },
            60,
            Some(RollReason::Age),
        );
        // Record time counts, not the clock.
        check(segment(), IN, 1_000_000, None);
        let timeless = ActiveSegment {
            first_timestamp: None,
            ..segment()
        };
        check(timeless, IN, 510, None);
        check(timeless, IN, 511, Some(RollReason::Age));
        check(
            ActiveSegment {
                jitter_ms: 100,
                ..timeless
            },
            IN,
            411,
            Some(RollReason::Age),
        );
        check(
            ActiveSegment {
                offset_entries: 10,
                ..segment()
            },
            IN,
            60,
            Some(RollReason::IndexFull),
        );
        check(
            ActiveSegment {
                time_entries: 4,
                ..segment()
            },
            IN,
            60,
            None,
        );
        check(
            ActiveSegment {
                time_entries: 5,
                ..segment()
            },
            IN,
            60,
            Some(RollReason::IndexFull),
        );
        let last = 100 + i64::from(i32::MAX);
        check(
            segment(),
            Incoming {
                last_offset: Offset(last),
                ..IN
            },
            60,
            None,
        );
        let over = Incoming {
            last_offset: Offset(last + 1),
            ..IN
        };
        check(segment(), over, 60, Some(RollReason::OffsetRange));
    }

    #[test]
    fn an_empty_segment_takes_a_batch_of_any_size() {
        let empty = ActiveSegment {
            bytes: 0,
            first_timestamp: None,
            ..segment()
        };
        let huge = Incoming {
            bytes: SEGMENT_BYTES_MAX,
            ..IN
        };
        assert_eq!(
            empty.roll_reason(&huge, &config(), WallMillis(1_000_000)),
            None
        );
    }

    #[test]
    fn jitter_is_below_both_bounds() {
        let config = |jitter, ms| LogConfig {
            segment_jitter_ms: jitter,
            segment_ms: ms,
            ..LogConfig::default()
        };
        assert_eq!(jitter_ms(&config(0, 1000), 77), 0);
        assert_eq!(jitter_ms(&config(50, 1000), 77), 27);
        assert_eq!(jitter_ms(&config(5000, 10), 77), 7);
        assert_eq!(jitter_ms(&config(i64::MAX, i64::MAX), u64::MAX), 1);
    }
}
