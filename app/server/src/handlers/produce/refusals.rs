//! Why a batch was refused, as the answer tells it.

use ottla_base::{LeaderEpoch, NodeId};
use ottla_protocol::ErrorCode;
use ottla_records::validate::ProduceRefusal;

use crate::error_map::WireError as _;
use crate::partition::{Partition, PartitionRefusal};

/// A refusal, with what some error codes carry beside themselves.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) error: ErrorCode,
    /// Leader and epoch to try instead (KIP-951).
    pub(super) leader: Option<(NodeId, LeaderEpoch)>,
    /// Rare, so it is not in the way of those that are accepted.
    pub(super) detail: Option<Box<Detail>>,
}

/// What was wrong in words (KIP-467).
#[derive(Debug, Default)]
pub(super) struct Detail {
    pub(super) message: Option<String>,
    /// Index of a record in its batch, and what is wrong with it.
    pub(super) records: Vec<(i32, Option<String>)>,
    /// The log start, which Kafka tells with some refusals.
    pub(super) log_start: Option<ottla_base::Offset>,
}

impl From<ErrorCode> for Refused {
    fn from(error: ErrorCode) -> Self {
        Self {
            error,
            leader: None,
            detail: None,
        }
    }
}

impl Refused {
    pub(super) fn not_leader(leader: NodeId, epoch: LeaderEpoch) -> Self {
        Self {
            leader: Some((leader, epoch)),
            ..Self::from(ErrorCode::NotLeaderOrFollower)
        }
    }

    /// The batch itself is wrong.
    pub(super) fn batch(refusal: &ProduceRefusal, partition: &Partition) -> Self {
        let name = format!("{}-{}", partition.topic, partition.index);
        let records = refusal
            .rejections()
            .iter()
            .map(|rejection| (rejection.index, Some(rejection.message(&name))))
            .collect();
        let detail = Detail {
            message: refusal.message(&name),
            records,
            log_start: names_log_start(refusal).then(|| partition.log_start()),
        };
        Self {
            detail: Some(Box::new(detail)),
            ..Self::from(refusal.error_code())
        }
    }

    /// The partition does not take the batch.
    pub(super) fn append(refusal: &PartitionRefusal, partition: &Partition) -> Self {
        match refusal {
            PartitionRefusal::NotLeader { leader, epoch } => Self::not_leader(*leader, *epoch),
            PartitionRefusal::Append(error) => {
                let detail = Detail {
                    log_start: Some(partition.log_start()),
                    ..Detail::default()
                };
                Self {
                    detail: Some(Box::new(detail)),
                    ..Self::from(error.error_code())
                }
            }
            other => Self::from(other.error_code()),
        }
    }
}

/// Whether Kafka tells the log start with a refusal: it does with those that it finds while appending and
/// does not foresee, and does not with those that every producer has to know.
fn names_log_start(refusal: &ProduceRefusal) -> bool {
    match refusal {
        ProduceRefusal::NoBatch
        | ProduceRefusal::SeveralBatches
        | ProduceRefusal::OldMagic { .. }
        | ProduceRefusal::Malformed(_)
        | ProduceRefusal::ZstdTooEarly
        | ProduceRefusal::TooLarge { .. }
        | ProduceRefusal::LargerThanSegment { .. } => false,
        ProduceRefusal::UnknownCodec { .. }
        | ProduceRefusal::CorruptStream { .. }
        | ProduceRefusal::DecompressedTooLarge { .. }
        | ProduceRefusal::BaseOffset { .. }
        | ProduceRefusal::RecordCount { .. }
        | ProduceRefusal::ControlBatch
        | ProduceRefusal::NoSequence { .. }
        | ProduceRefusal::RecordFormat(_)
        | ProduceRefusal::OffsetDelta { .. }
        | ProduceRefusal::Timestamps { .. }
        | ProduceRefusal::Records { .. }
        | ProduceRefusal::CannotRebuild(_) => true,
    }
}
