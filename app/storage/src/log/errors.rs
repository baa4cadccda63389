//! What can go wrong in a log.

use ottla_base::{Offset, ProducerEpoch, ProducerId, Sequence};
use ottla_records::BatchError;

use crate::error::StorageError;

/// Why a batch was not appended. The log is then as it was before.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The sequence does not follow the producer's last one (KIP-98). OUT_OF_ORDER_SEQUENCE_NUMBER.
    #[error(
        "out of order sequence number producer_id={producer_id} producer_epoch={epoch} \
         sequence={found} last_sequence={last}"
    )]
    OutOfOrderSequence {
        /// Whose batch.
        producer_id: ProducerId,
        /// Its epoch.
        epoch: ProducerEpoch,
        /// The producer's last sequence in this partition; -1 without one.
        last: Sequence,
        /// The batch's first sequence.
        found: Sequence,
    },
    /// A newer epoch of the producer was seen (KIP-98). INVALID_PRODUCER_EPOCH.
    #[error("producer epoch is old producer_id={producer_id} current={current} found={found}")]
    InvalidProducerEpoch {
        /// Whose batch.
        producer_id: ProducerId,
        /// The latest epoch known.
        current: ProducerEpoch,
        /// The batch's epoch.
        found: ProducerEpoch,
    },
    /// A marker of an older transaction coordinator. TRANSACTION_COORDINATOR_FENCED.
    #[error("marker of an old transaction coordinator current={current} found={found}")]
    TransactionCoordinatorFenced {
        /// The latest coordinator epoch known.
        current: i32,
        /// The marker's.
        found: i32,
    },
    /// A batch outside a transaction of a producer that has one open. INVALID_TXN_STATE.
    #[error("producer has an open transaction producer_id={producer_id}")]
    InvalidTxnState {
        /// Whose batch.
        producer_id: ProducerId,
    },
    /// Larger than `max.message.bytes`. MESSAGE_TOO_LARGE.
    #[error("batch is too large size={size} max={max}")]
    TooLarge {
        /// Bytes of the batch.
        size: usize,
        /// The limit.
        max: u32,
    },
    /// Larger than `segment.bytes`. RECORD_LIST_TOO_LARGE.
    #[error("batch is larger than a segment size={size} max={max}")]
    LargerThanSegment {
        /// Bytes of the batch.
        size: usize,
        /// The limit.
        max: u32,
    },
    /// A follower was sent offsets below its log end, or offsets that fall. Or offsets end at `i64::MAX`.
    #[error("unexpected offset expected_at_least={expected} found={found}")]
    UnexpectedOffset {
        /// The log end, or the offset after the batch before.
        expected: Offset,
        /// The batch's first offset.
        found: Offset,
    },
    /// The bytes are no well-formed batch. CORRUPT_MESSAGE.
    #[error("batch is corrupt: {0}")]
    Corrupt(BatchError),
    /// A control batch whose record is no transaction marker where there must be one, or fields that contradict.
    #[error("batch is invalid: {0}")]
    Invalid(&'static str),
    /// The disk. KAFKA_STORAGE_ERROR.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Below the log start or above the log end. OFFSET_OUT_OF_RANGE.
    #[error("offset is out of range from={from} start={start} end={end}")]
    OutOfRange {
        /// What was asked for.
        from: Offset,
        /// Log start.
        start: Offset,
        /// Log end.
        end: Offset,
    },
    /// The disk. KAFKA_STORAGE_ERROR.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
