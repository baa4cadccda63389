//! Which segments are old enough to go.
//!
//! Segments go whole and from the front, never past the high watermark, and never an empty active one. An
//! active segment with records may be due too; the shell then rolls first.

use crate::config::LogConfig;
use ottla_base::{Offset, WallMillis};

/// A segment, as far as its removal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Bytes of its batch file.
    pub bytes: u64,
    /// Base offset of the next segment; the log end for the active one.
    pub end: Offset,
}

/// Why segments go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionReason {
    /// All records are below the log start offset.
    LogStart,
    /// `retention.ms`.
    Time,
    /// `retention.bytes`.
    Size,
}

/// How many segments go, counted from the front, and why the last of them does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPlan {
    /// Segments to remove.
    pub count: usize,
    /// The reason that reaches furthest.
    pub reason: RetentionReason,
}

/// Plans what to remove of `segments`, the active one last.
///
/// `largest_timestamp` gives the time of a segment by its index: its largest record timestamp, or the file's
/// modification where records have none. It is asked from the front and only as far as needed, since it may
/// have to read a file.
///
/// # Errors
/// The first error of `largest_timestamp`.
pub fn plan<E>(
    segments: &[SegmentFacts],
    log_start: Offset,
    high_watermark: Offset,
    config: &LogConfig,
    now: WallMillis,
    mut largest_timestamp: impl FnMut(usize) -> Result<WallMillis, E>,
) -> Result<Option<RetentionPlan>, E> {
    // What may go at all.
    let mut deletable = segments
        .iter()
        .take_while(|s| s.end <= high_watermark)
        .count();
    if deletable == segments.len() && segments.last().is_some_and(|active| active.bytes == 0) {
        deletable -= 1;
    }
    let candidates = &segments[..deletable];

    let mut count = candidates.iter().take_while(|s| s.end <= log_start).count();
    // The active segment is not closed for this reason: nothing in it can be read, and nothing is won.
    count = count.min(segments.len().saturating_sub(1));
    let mut reason = RetentionReason::LogStart;

    if config.cleanup_policy.delete {
        if config.retention_ms >= 0 {
            let mut by_time = 0;
            while by_time < candidates.len() {
                let age = now.0.saturating_sub(largest_timestamp(by_time)?.0);
                if age <= config.retention_ms {
                    break;
                }
                by_time += 1;
            }
            if by_time > count {
                (count, reason) = (by_time, RetentionReason::Time);
            }
        }
        if let Ok(limit) = u64::try_from(config.retention_bytes) {
            let total: u64 = segments.iter().map(|s| s.bytes).sum();
            let mut surplus = total.saturating_sub(limit);
            let mut by_size = 0;
            // A segment goes only if what is left still has the whole size.
            while let Some(segment) = candidates.get(by_size) {
                match surplus.checked_sub(segment.bytes) {
                    Some(rest) if total > limit => surplus = rest,
                    _ => break,
                }
                by_size += 1;
            }
            if by_size > count {
                (count, reason) = (by_size, RetentionReason::Size);
            }
        }
    }
    Ok((count > 0).then_some(RetentionPlan { count, reason }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CleanupPolicy;

    /// Four segments of ten records and 100 bytes, the last with 50; record time is 10 ms per offset.
    fn segments() -> Vec<SegmentFacts> {
        let segment = |bytes, end| SegmentFacts {
            bytes,
            end: Offset(end),
        };
        vec![
            segment(100, 10),
            segment(100, 20),
            segment(100, 30),
            segment(50, 35),
        ]
    }

    fn check(
        log_start: i64,
        high_watermark: i64,
        now: i64,
        config: &LogConfig,
        want: Option<(usize, RetentionReason)>,
    ) {
        let segments = segments();
        let largest = |i: usize| Ok::<_, ()>(WallMillis((segments[i].end.0 - 1) * 10));
        let (start, high) = (Offset(log_start), Offset(high_watermark));
        let plan = plan(&segments, start, high, config, WallMillis(now), largest).unwrap();
        assert_eq!(
            plan.map(|p| (p.count, p.reason)),
            want,
            "{log_start} {high_watermark} {now}"
        );
    }

    fn config(ms: i64, bytes: i64) -> LogConfig {
        LogConfig {
            retention_ms: ms,
            retention_bytes: bytes,
            ..LogConfig::default()
        }
    }

    #[test]
    fn time_counts_by_the_largest_timestamp() {
        let by_time = config(1000, -1);
        check(0, 35, 1090, &by_time, None);
        check(0, 35, 1091, &by_time, Some((1, RetentionReason::Time)));
        check(0, 35, 1291, &by_time, Some((3, RetentionReason::Time)));
        // The active one goes too: the shell rolls before.
        check(0, 35, 9999, &by_time, Some((4, RetentionReason::Time)));
        check(0, 35, i64::MAX, &config(-1, -1), None);
    }

    #[test]
    fn size_leaves_at_least_the_limit() {
        check(0, 35, 0, &config(-1, 350), None);
        check(0, 35, 0, &config(-1, 251), None);
        check(0, 35, 0, &config(-1, 250), Some((1, RetentionReason::Size)));
        check(0, 35, 0, &config(-1, 149), Some((2, RetentionReason::Size)));
        check(0, 35, 0, &config(-1, 0), Some((4, RetentionReason::Size)));
    }

    #[test]
    fn nothing_goes_past_the_high_watermark() {
        check(
            0,
            29,
            9999,
            &config(1000, -1),
            Some((2, RetentionReason::Time)),
        );
        check(0, 9, 9999, &config(1000, 0), None);
        check(
            30,
            15,
            0,
            &config(-1, -1),
            Some((1, RetentionReason::LogStart)),
        );
    }

    #[test]
    fn records_below_the_log_start_go_under_every_policy() {
        let mut compact = config(10, 0);
        compact.cleanup_policy = CleanupPolicy {
            delete: false,
            compact: true,
        };
        check(25, 35, 9999, &compact, Some((2, RetentionReason::LogStart)));
        check(35, 35, 9999, &compact, Some((3, RetentionReason::LogStart)));
        check(0, 35, 9999, &compact, None);
    }

    #[test]
    fn an_empty_active_segment_stays() {
        let empty = [SegmentFacts {
            bytes: 0,
            end: Offset(35),
        }];
        let late = WallMillis(i64::MAX);
        let largest = |_| Ok::<_, ()>(WallMillis(0));
        let got = plan(&empty, Offset(0), Offset(35), &config(0, 0), late, largest);
        assert_eq!(got, Ok(None));
        assert_eq!(
            plan(&[], Offset(0), Offset(0), &config(0, 0), late, largest),
            Ok(None)
        );
    }
}
