//! Time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ottla_base::{MonoTime, WallMillis};

/// A source of time.
pub trait Clock: Send + Sync {
    /// Time since some moment before the start; never goes back.
    fn mono(&self) -> MonoTime;
    /// Time since 1970, as record timestamps count it; may jump.
    fn wall(&self) -> WallMillis;
}

/// The operating system's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts counting now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn mono(&self) -> MonoTime {
        // 584 years fit.
        MonoTime(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn wall(&self) -> WallMillis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        WallMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
