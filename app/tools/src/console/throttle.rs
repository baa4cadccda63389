//! A rate that a tool keeps to, about.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Shortest sleep; less is saved up.
const SLEEP_MIN: Duration = Duration::from_millis(2);

/// Keeps to so many records a second.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// Below 0: no limit.
    rate: f64,
    start: Instant,
    deficit: Duration,
}

impl Throttle {
    /// So many records a second, counted from now. A negative rate is no limit, 0 sends nothing.
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            rate,
            start: Instant::now(),
            deficit: Duration::ZERO,
        }
    }

    /// Sleeps if `sent` records are more than the rate allows by now.
    pub(crate) async fn pace(&mut self, sent: u64) {
        if self.rate < 0.0 {
            return;
        }
        if self.rate == 0.0 {
            std::future::pending::<()>().await;
        }
        let elapsed = self.start.elapsed().as_secs_f64();
        if elapsed > 0.0 && super::perf::float(sent) / elapsed > self.rate {
            self.deficit += Duration::try_from_secs_f64(1.0 / self.rate).unwrap_or(Duration::MAX);
            if self.deficit >= SLEEP_MIN {
                sleep(std::mem::take(&mut self.deficit)).await;
            }
        }
    }
}
