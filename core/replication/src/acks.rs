//! How many replicas a producer waits for.

use thiserror::Error;

/// `acks` of a Produce request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// 0: no answer at all.
    None,
    /// 1: the leader has appended.
    Leader,
    /// -1: every in-sync replica has it.
    AllInSync,
}

/// A value of `acks` that is not -1, 0 or 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("acks must be -1, 0 or 1: acks={0}")]
pub struct InvalidAcks(pub i16);

impl TryFrom<i16> for Acks {
    type Error = InvalidAcks;

    fn try_from(raw: i16) -> Result<Self, InvalidAcks> {
        match raw {
            -1 => Ok(Self::AllInSync),
            0 => Ok(Self::None),
            1 => Ok(Self::Leader),
            _ => Err(InvalidAcks(raw)),
        }
    }
}
