//! Numbers and letters that look random, for records whose content does not matter.

/// A generator after Marsaglia (xorshift64*). Not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// One that begins where the operating system says; with a fixed number where it says nothing.
    pub(crate) fn new() -> Self {
        let mut seed = [0; 8];
        let _ = getrandom::fill(&mut seed);
        Self(u64::from_ne_bytes(seed) | 1)
    }

    /// The next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Capital letters.
    pub(crate) fn letters(&mut self, count: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(count);
        while out.len() < count {
            let bytes = self.next().to_be_bytes();
            let room = count - out.len();
            out.extend(bytes.iter().take(room).map(|byte| b'A' + byte % 26));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_as_many_as_asked_for() {
        for count in [0, 1, 7, 8, 9, 1000] {
            let letters = Random::new().letters(count);
            assert_eq!(letters.len(), count);
            assert!(letters.iter().all(u8::is_ascii_uppercase));
        }
    }
}
