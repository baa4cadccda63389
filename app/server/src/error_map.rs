//! Which error code of the protocol a refusal gets: the one map from the domain's words to Kafka's.
//!
//! Every match is exhaustive, so that a new refusal is a question here and not a surprise on the wire.

use ottla_config::AlterError;
use ottla_controller::WireRefusal;
use ottla_group::GroupError;
use ottla_protocol::ErrorCode;
use ottla_records::validate::ProduceRefusal;
use ottla_storage::AppendError;

use crate::partition::PartitionRefusal;
use crate::quorum::DecideError;

/// A refusal as the protocol says it.
pub(crate) trait WireError {
    /// Kafka's error code.
    fn error_code(&self) -> ErrorCode;

    /// The text that goes with the code where the response has a field for it; `None` leaves it to the
    /// code, and the client shows its own.
    fn error_message(&self) -> Option<String> {
        None
    }
}

impl WireError for DecideError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            // Clients look for the controller anew and ask again, here or elsewhere.
            Self::NotController | Self::Stopping => ErrorCode::NotController,
            // Clients ask again after a pause, which is what a full queue needs.
            Self::Busy | Self::TimedOut => ErrorCode::RequestTimedOut,
            Self::NotEncodable(_) => ErrorCode::UnknownServerError,
            Self::NoRoom => ErrorCode::KafkaStorageError,
        }
    }

    fn error_message(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.message(),
            Self::NotController
            | Self::Stopping
            | Self::Busy
            | Self::TimedOut
            | Self::NoRoom
            | Self::NotEncodable(_) => None,
        }
    }
}

impl WireError for AlterError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::InvalidConfig(_) => ErrorCode::InvalidConfig,
            Self::InvalidRequest(_) => ErrorCode::InvalidRequest,
        }
    }

    fn error_message(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl WireError for GroupError {
    fn error_code(&self) -> ErrorCode {
        self.code()
    }
}

impl WireError for PartitionRefusal {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::NotLeader { .. } => ErrorCode::NotLeaderOrFollower,
            Self::FencedLeaderEpoch(_) => ErrorCode::FencedLeaderEpoch,
            Self::UnknownLeaderEpoch(_) => ErrorCode::UnknownLeaderEpoch,
            Self::OffsetOutOfRange => ErrorCode::OffsetOutOfRange,
            Self::NotEnoughReplicas(_) => ErrorCode::NotEnoughReplicas,
            Self::Append(error) => error.error_code(),
            Self::PolicyViolation => ErrorCode::PolicyViolation,
            Self::Storage => ErrorCode::KafkaStorageError,
        }
    }
}

impl WireError for AppendError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::TransactionCoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
            Self::InvalidTxnState { .. } => ErrorCode::InvalidTxnState,
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            Self::UnexpectedOffset { .. } | Self::Invalid(_) => ErrorCode::InvalidRecord,
            Self::Corrupt(_) => ErrorCode::CorruptMessage,
            Self::Storage(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl WireError for ProduceRefusal {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::NoBatch
            | Self::SeveralBatches
            | Self::OldMagic { .. }
            | Self::DecompressedTooLarge { .. }
            | Self::BaseOffset { .. }
            | Self::RecordCount { .. }
            | Self::ControlBatch
            | Self::NoSequence { .. }
            | Self::RecordFormat(_)
            | Self::OffsetDelta { .. }
            | Self::Records { .. }
            | Self::CannotRebuild(_) => ErrorCode::InvalidRecord,
            Self::Malformed(_) => ErrorCode::CorruptMessage,
            Self::ZstdTooEarly => ErrorCode::UnsupportedCompressionType,
            Self::UnknownCodec { .. } | Self::CorruptStream { .. } => ErrorCode::UnknownServerError,
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            Self::Timestamps { .. } => ErrorCode::InvalidTimestamp,
        }
    }
}
