//! Numbers with a meaning.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

id! {
    /// A broker or controller: `node.id`. -1 stands for "none" on the wire.
    NodeId(i32)
}
id! {
    /// Position of a record in its partition. A log end offset is the offset of the *next* record;
    /// ranges are half-open.
    Offset(i64)
}
id! {
    /// Counts the leaders of one partition, or of the metadata quorum. -1 stands for "unknown".
    LeaderEpoch(i32)
}
id! {
    /// Counts every change of a partition's registration, ISR changes included.
    PartitionEpoch(i32)
}
id! {
    /// Identifies one registration of a broker: the offset of its registration record.
    BrokerEpoch(i64)
}
id! {
    /// The leader epoch of the metadata quorum, as seen by those it controls.
    ControllerEpoch(i32)
}
id! {
    /// Identity of an idempotent producer (KIP-98). -1 stands for "none".
    ProducerId(i64)
}
id! {
    /// Fences older incarnations of a producer id (KIP-98). -1 stands for "none".
    ProducerEpoch(i16)
}
id! {
    /// Number of a record within one producer, epoch and partition; wraps from `i32::MAX` to 0 (KIP-98).
    /// -1 stands for "none".
    Sequence(i32)
}

impl NodeId {
    /// No node.
    pub const NONE: Self = Self(-1);
}

impl Offset {
    /// Offset of the first record of a new partition.
    pub const ZERO: Self = Self(0);
    /// "Unknown" on the wire.
    pub const UNKNOWN: Self = Self(-1);

    /// The offset `count` records on; `None` past `i64::MAX`.
    #[must_use]
    pub fn checked_add(self, count: i64) -> Option<Self> {
        self.0.checked_add(count).map(Self)
    }
}

impl LeaderEpoch {
    /// "Unknown" on the wire.
    pub const UNKNOWN: Self = Self(-1);
}

impl ProducerId {
    /// Not idempotent.
    pub const NONE: Self = Self(-1);
}

impl ProducerEpoch {
    /// Not idempotent.
    pub const NONE: Self = Self(-1);
}

impl Sequence {
    /// Not idempotent.
    pub const NONE: Self = Self(-1);

    /// The sequence `count` records on: wraps to 0, never negative (KIP-98).
    #[must_use]
    pub fn advance(self, count: u32) -> Self {
        const SPACE: i64 = 1 << 31;
        let next = (i64::from(self.0) + i64::from(count)).rem_euclid(SPACE);
        Self(i32::try_from(next).expect("below 2^31"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_wraps_to_zero() {
        assert_eq!(Sequence(i32::MAX).advance(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).advance(3), Sequence(1));
        assert_eq!(Sequence(5).advance(2), Sequence(7));
    }
}
