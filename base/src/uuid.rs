//! Kafka's 128-bit ids: 16 raw bytes on the wire, 22 characters of unpadded base64url in text.

use std::fmt;
use std::str::FromStr;

/// A 128-bit id. The all-zero value stands for "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

/// The text is not 22 characters of unpadded base64url, as 16 bytes give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a uuid in base64url form text={0:?}")]
pub struct InvalidUuid(pub String);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// "None" on the wire.
    pub const ZERO: Self = Self([0; 16]);
    /// Id of the metadata topic, `__cluster_metadata`, and of a directory not yet assigned (KIP-858).
    pub const ONE: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// Whether this is one of the 100 lowest values, which Kafka reserves (KIP-858).
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        u128::from_be_bytes(self.0) < 100
    }

    /// Makes a version-4 id of 16 random bytes; `None` if Kafka would not use it because it is reserved or
    /// its text begins with a dash, which command lines take for an option.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Option<Self> {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let id = Self(bytes);
        (!id.is_reserved() && !id.to_string().starts_with('-')).then_some(id)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 22];
        let bits = u128::from_be_bytes(self.0);
        for (i, c) in text.iter_mut().enumerate() {
            // 21 groups of 6 bits from the top, then the last 2 bits padded with zeros.
            let group = if i < 21 {
                (bits >> (122 - 6 * i)) & 63
            } else {
                (bits << 4) & 63
            };
            *c = ALPHABET[usize::try_from(group).expect("6 bits")];
        }
        f.write_str(std::str::from_utf8(&text).expect("base64 is ASCII"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

impl FromStr for Uuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Self, InvalidUuid> {
        let invalid = || InvalidUuid(text.to_owned());
        let digits = text.strip_suffix("==").unwrap_or(text);
        if digits.len() != 22 {
            return Err(invalid());
        }
        let mut bits: u128 = 0;
        for (i, c) in digits.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|&a| a == c).ok_or_else(invalid)?;
            let digit = u128::try_from(digit).expect("below 64");
            // The last digit holds the 2 lowest bits in its upper part.
            bits = if i < 21 {
                bits << 6 | digit
            } else {
                bits << 2 | digit >> 4
            };
        }
        Ok(Self(bits.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kafkas() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::ONE.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let all = Uuid([0xff; 16]);
        assert_eq!(all.to_string(), "_____________________w");
        assert_eq!(all.to_string().parse(), Ok(all));
    }

    #[test]
    fn text_round_trips() {
        let id = Uuid([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("short".parse::<Uuid>().is_err());
        assert!("AAAAAAAAAAAAAAAAAAAA*A".parse::<Uuid>().is_err());
    }

    #[test]
    fn random_ids_are_never_reserved() {
        assert!(
            Uuid::from_random([0; 16]).is_some(),
            "the version bits lift it"
        );
        assert!(Uuid::ONE.is_reserved());
        assert!(!Uuid([1; 16]).is_reserved());
    }
}
