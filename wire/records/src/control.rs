//! Control records: markers of transactions and records of the metadata quorum.
//!
//! The framing is known here, and the transaction marker. Bodies of quorum records are messages of the wire protocol;
//! this crate carries them as bytes.

use crate::builder::{BatchBuilder, BuildError};
use ottla_base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};

/// Kind of a control record, from its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlType {
    /// End of an aborted transaction.
    Abort,
    /// End of a committed transaction.
    Commit,
    /// A new leader of the metadata quorum (`LeaderChangeMessage`).
    LeaderChange,
    /// Start of a snapshot (`SnapshotHeaderRecord`).
    SnapshotHeader,
    /// End of a snapshot (`SnapshotFooterRecord`).
    SnapshotFooter,
    /// Finalized `kraft.version` (`KRaftVersionRecord`).
    KRaftVersion,
    /// The voters of the quorum (`VotersRecord`).
    KRaftVoters,
    /// A kind that this version does not know. Readers skip it.
    Unknown(i16),
}

impl ControlType {
    /// The number in the key.
    #[must_use]
    pub fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KRaftVersion => 5,
            Self::KRaftVoters => 6,
            Self::Unknown(id) => id,
        }
    }

    /// The kind of a number.
    #[must_use]
    pub fn from_id(id: i16) -> Self {
        match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KRaftVersion,
            6 => Self::KRaftVoters,
            other => Self::Unknown(other),
        }
    }

    /// The key of a control record of this kind: version 0 and the number.
    #[must_use]
    pub fn key(self) -> [u8; 4] {
        let [hi, lo] = self.id().to_be_bytes();
        [0, 0, hi, lo]
    }

    /// The kind that a control record's key names. Keys of later versions may be longer.
    ///
    /// # Errors
    /// [`ControlError`] if the key is cut off or its version negative.
    pub fn from_key(key: Option<&[u8]>) -> Result<Self, ControlError> {
        let Some([v0, v1, t0, t1]) = key.and_then(<[u8]>::first_chunk::<4>) else {
            return Err(ControlError {
                bytes: key.map_or(0, <[u8]>::len),
            });
        };
        if i16::from_be_bytes([*v0, *v1]) < 0 {
            return Err(ControlError {
                bytes: key.map_or(0, <[u8]>::len),
            });
        }
        Ok(Self::from_id(i16::from_be_bytes([*t0, *t1])))
    }
}

/// Key or value of a control record is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed control record bytes={bytes}")]
pub struct ControlError {
    /// Length of the key or value.
    pub bytes: usize,
}

/// How a transaction ended, as its marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TxnResult {
    /// Its records count.
    Commit,
    /// Its records are to be dropped.
    Abort,
}

impl TxnResult {
    /// The control record's kind.
    #[must_use]
    pub fn control_type(self) -> ControlType {
        match self {
            Self::Commit => ControlType::Commit,
            Self::Abort => ControlType::Abort,
        }
    }
}

/// Value of a commit or abort marker (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    /// Commit or abort; stands in the key.
    pub result: TxnResult,
    /// Epoch of the transaction coordinator that wrote the marker.
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// The value: version 0 and the coordinator's epoch.
    #[must_use]
    pub fn value(&self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }

    /// The marker that key and value of a control record say; `None` if the record is of another kind.
    ///
    /// # Errors
    /// [`ControlError`] if key or value is cut off.
    pub fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Option<Self>, ControlError> {
        let result = match ControlType::from_key(key)? {
            ControlType::Commit => TxnResult::Commit,
            ControlType::Abort => TxnResult::Abort,
            _ => return Ok(None),
        };
        let Some([v0, v1, epoch @ ..]) = value.and_then(<[u8]>::first_chunk::<6>) else {
            return Err(ControlError {
                bytes: value.map_or(0, <[u8]>::len),
            });
        };
        if i16::from_be_bytes([*v0, *v1]) < 0 {
            return Err(ControlError {
                bytes: value.map_or(0, <[u8]>::len),
            });
        }
        Ok(Some(Self {
            result,
            coordinator_epoch: i32::from_be_bytes(*epoch),
        }))
    }

    /// A batch that holds this marker alone. It has no sequence, as in Kafka.
    #[must_use]
    pub fn batch(
        &self,
        time: WallMillis,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        leader_epoch: LeaderEpoch,
    ) -> BatchBuilder {
        let mut builder = BatchBuilder::new(Offset::ZERO)
            .producer(producer_id, producer_epoch, Sequence::NONE)
            .leader_epoch(leader_epoch)
            .transactional()
            .control();
        let key = self.result.control_type().key();
        builder
            .append(time, Some(&key), Some(&self.value()))
            .expect("one record of ten bytes fits");
        builder
    }
}

/// A control batch of quorum records, in order, with bodies that are encoded already.
///
/// # Errors
/// [`BuildError::TooLarge`].
pub fn quorum_batch(
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    time: WallMillis,
    records: &[(ControlType, &[u8])],
) -> Result<BatchBuilder, BuildError> {
    let mut builder = BatchBuilder::new(base_offset)
        .leader_epoch(leader_epoch)
        .control();
    for (kind, body) in records {
        builder.append(time, Some(&kind.key()), Some(body))?;
    }
    Ok(builder)
}
