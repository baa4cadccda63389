//! Counts and latencies of records, and the lines that `kafka-producer-perf-test` prints of them.

use std::time::{Duration, Instant};

/// Latencies that are kept for the percentiles, at most. Beyond it every second, third, ... is kept.
const SAMPLES_MAX: u64 = 500_000;

/// What is known of the records so far.
#[derive(Debug)]
pub(crate) struct Stats {
    start: Instant,
    interval: Duration,
    sampling: u64,
    latencies: Vec<u32>,
    count: u64,
    bytes: u64,
    total_ms: u64,
    max_ms: u64,
    window: Window,
    /// Number of the record that counts as the first after the warm-up, if there is one.
    steady: bool,
}

#[derive(Debug)]
struct Window {
    start: Instant,
    count: u64,
    bytes: u64,
    total_ms: u64,
    max_ms: u64,
}

impl Window {
    const fn new(start: Instant) -> Self {
        Self {
            start,
            count: 0,
            bytes: 0,
            total_ms: 0,
            max_ms: 0,
        }
    }
}

impl Stats {
    /// Statistics of `records` records, with a line each `interval`. `steady` are those after a warm-up.
    pub(crate) fn new(start: Instant, records: u64, interval: Duration, steady: bool) -> Self {
        Self {
            start,
            interval,
            sampling: records.div_ceil(SAMPLES_MAX).max(1),
            latencies: Vec::new(),
            count: 0,
            bytes: 0,
            total_ms: 0,
            max_ms: 0,
            window: Window::new(start),
            steady,
        }
    }

    /// Counts a record that was answered at `now`. Gives the lines to print, if it is time for some.
    pub(crate) fn record(&mut self, sent: Instant, now: Instant, bytes: u64) -> Vec<String> {
        let ms = u64::try_from(now.duration_since(sent).as_millis()).unwrap_or(u64::MAX);
        if self.count.is_multiple_of(self.sampling) {
            self.latencies.push(u32::try_from(ms).unwrap_or(u32::MAX));
        }
        self.count += 1;
        self.bytes += bytes;
        self.total_ms += ms;
        self.max_ms = self.max_ms.max(ms);
        self.window.count += 1;
        self.window.bytes += bytes;
        self.window.total_ms += ms;
        self.window.max_ms = self.window.max_ms.max(ms);
        if now.duration_since(self.window.start) < self.interval {
            return Vec::new();
        }
        let mut lines = Vec::new();
        if self.steady && self.window.count == self.count {
            lines.push("In steady state.".to_owned());
        }
        lines.push(self.window_line(now));
        self.window = Window::new(now);
        lines
    }

    fn window_line(&self, now: Instant) -> String {
        let window = &self.window;
        let (rate, mb) = rates(window.count, window.bytes, now.duration_since(window.start));
        format!(
            "{} records sent, {rate:.1} records/sec ({mb:.2} MB/sec), {:.1} ms avg latency, {:.1} ms max \
             latency.",
            window.count,
            ratio(window.total_ms, window.count),
            float(window.max_ms),
        )
    }

    /// The line about all records.
    pub(crate) fn total_line(&mut self, now: Instant) -> String {
        let (rate, mb) = rates(self.count, self.bytes, now.duration_since(self.start));
        self.latencies.sort_unstable();
        let [p50, p95, p99, p999] = [500, 950, 990, 999].map(|per_mille: usize| {
            let at = self.latencies.len() * per_mille / 1000;
            self.latencies.get(at).copied().unwrap_or_default()
        });
        format!(
            "{}{} records sent, {rate:.6} records/sec ({mb:.2} MB/sec), {:.2} ms avg latency, {:.2} ms max \
             latency, {p50} ms 50th, {p95} ms 95th, {p99} ms 99th, {p999} ms 99.9th.",
            self.count,
            if self.steady { " steady state" } else { "" },
            ratio(self.total_ms, self.count),
            float(self.max_ms),
        )
    }
}

/// Records and megabytes a second.
fn rates(count: u64, bytes: u64, time: Duration) -> (f64, f64) {
    let seconds = (time.as_millis().max(1) as f64) / 1000.0;
    (float(count) / seconds, float(bytes) / seconds / 1_048_576.0)
}

fn ratio(total: u64, count: u64) -> f64 {
    if count == 0 {
        0.0
    } else {
        float(total) / float(count)
    }
}

/// A count as a float, which is exact up to 2^53.
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_kafka() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut stats = Stats::new(start, 3, Duration::from_millis(1000), false);
        assert_eq!(stats.record(at(0), at(10), 1_048_576), Vec::<String>::new());
        assert_eq!(stats.record(at(500), at(530), 0), Vec::<String>::new());
        assert_eq!(
            stats.record(at(900), at(1000), 1_048_576),
            [
                "3 records sent, 3.0 records/sec (2.00 MB/sec), 46.7 ms avg latency, 100.0 ms max latency."
            ]
        );
        assert_eq!(
            stats.total_line(at(2000)),
            "3 records sent, 1.500000 records/sec (1.00 MB/sec), 46.67 ms avg latency, 100.00 ms max \
             latency, 30 ms 50th, 100 ms 95th, 100 ms 99th, 100 ms 99.9th."
        );
    }

    #[test]
    fn nothing_sent_is_no_division_by_zero() {
        let now = Instant::now();
        let line = Stats::new(now, 0, Duration::ZERO, true).total_line(now);
        assert!(
            line.starts_with("0 steady state records sent, 0.000000 records/sec"),
            "{line}"
        );
    }
}
