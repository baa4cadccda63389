//! Randomness, for ids and jitter.

use ottla_base::Uuid;

/// A source of random bytes.
pub trait Rng: Send + Sync {
    /// Fills `buf`.
    fn fill(&self, buf: &mut [u8]);

    /// A random number.
    fn u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_ne_bytes(bytes)
    }

    /// A random id of version 4 that Kafka does not reserve.
    fn uuid(&self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            self.fill(&mut bytes);
            if let Some(uuid) = Uuid::from_random(bytes) {
                return uuid;
            }
        }
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRng;

impl Rng for OsRng {
    fn fill(&self, buf: &mut [u8]) {
        // A system without randomness cannot name anything; nothing sensible can go on.
        getrandom::fill(buf).expect("the operating system has randomness");
    }
}
