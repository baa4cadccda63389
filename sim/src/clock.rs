//! Time that moves when it is told to, and randomness that repeats.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ottla_base::{MonoTime, WallMillis};
use ottla_env::{Clock, Rng};

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct SimClock {
    mono_ns: AtomicU64,
    wall_ms: AtomicI64,
}

impl SimClock {
    /// A clock that shows `wall` and no time since the start.
    #[must_use]
    pub fn new(wall: WallMillis) -> Self {
        Self {
            mono_ns: AtomicU64::new(0),
            wall_ms: AtomicI64::new(wall.0),
        }
    }

    /// Moves both times on.
    pub fn advance_ms(&self, ms: u32) {
        self.mono_ns
            .fetch_add(u64::from(ms) * 1_000_000, Ordering::Relaxed);
        self.wall_ms.fetch_add(i64::from(ms), Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn mono(&self) -> MonoTime {
        MonoTime(self.mono_ns.load(Ordering::Relaxed))
    }

    fn wall(&self) -> WallMillis {
        WallMillis(self.wall_ms.load(Ordering::Relaxed))
    }
}

/// Randomness from a seed (splitmix64).
#[derive(Debug)]
pub struct SimRng(Mutex<u64>);

impl SimRng {
    /// Starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// A number below `bound`, which is not zero.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock().expect("nobody panics while holding it");
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Rng for SimRng {
    fn fill(&self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(bytes) {
                *to = from;
            }
        }
    }
}
