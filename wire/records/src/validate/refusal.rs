//! Why a client's records are refused.

use crate::builder::BuildError;
use crate::codec::Compression;
use crate::error::{BatchError, RecordError};
use ottla_base::{Offset, Sequence, WallMillis};
use std::fmt;

/// Why the records of one partition are refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProduceRefusal {
    /// No whole batch is there.
    #[error("no whole record batch")]
    NoBatch,
    /// More than one batch is there.
    #[error("more than one record batch")]
    SeveralBatches,
    /// The format is magic 0 or 1.
    #[error("record format is too old magic={magic}")]
    OldMagic {
        /// Format sent.
        magic: i8,
    },
    /// Length field, magic or checksum are wrong.
    #[error(transparent)]
    Malformed(BatchError),
    /// zstd in a request of a version that does not know it (KIP-110).
    #[error("zstd needs Produce version 7")]
    ZstdTooEarly,
    /// The attribute bits name no codec. Kafka fails with an unknown server error here.
    #[error("unknown codec id={id}")]
    UnknownCodec {
        /// The number.
        id: u8,
    },
    /// The compressed records are cut off or broken. Kafka fails with an unknown server error here.
    #[error("compressed records are corrupt codec={codec}")]
    CorruptStream {
        /// Their codec.
        codec: Compression,
    },
    /// The records are too large once decompressed.
    #[error("decompressed records are too large codec={codec} limit={limit}")]
    DecompressedTooLarge {
        /// Their codec.
        codec: Compression,
        /// Largest output allowed.
        limit: usize,
    },
    /// The base offset is not 0.
    #[error("base offset of a client's batch must be 0 base_offset={offset}")]
    BaseOffset {
        /// The offset sent.
        offset: Offset,
    },
    /// Larger than `max.message.bytes`.
    #[error("batch is larger than max.message.bytes bytes={bytes} limit={limit}")]
    TooLarge {
        /// Size of the batch.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Larger than `segment.bytes`.
    #[error("batch is larger than segment.bytes bytes={bytes} limit={limit}")]
    LargerThanSegment {
        /// Size of the batch.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Count and last offset delta do not belong together, or there is no record.
    #[error(
        "record count does not fit the offsets count={count} last_offset_delta={last_offset_delta}"
    )]
    RecordCount {
        /// Delta in the header.
        last_offset_delta: i32,
        /// Count in the header.
        count: i32,
    },
    /// A client may not write control records.
    #[error("clients may not write control records")]
    ControlBatch,
    /// A producer id without a sequence.
    #[error("a producer id needs a sequence base_sequence={base_sequence}")]
    NoSequence {
        /// Sequence in the header.
        base_sequence: Sequence,
    },
    /// The bytes are not the records that the header announces.
    #[error(transparent)]
    RecordFormat(RecordError),
    /// The offsets inside the batch are not 0, 1, 2 and so on.
    ///
    /// Kafka differs: it stores an uncompressed batch with such offsets as it is, so that consumers see wrong offsets, and
    /// fails with an unknown server error on a compressed one.
    #[error("offset delta of a record is not its index index={index} delta={delta}")]
    OffsetDelta {
        /// Index of the record.
        index: i32,
        /// Delta found.
        delta: i32,
    },
    /// Records with a timestamp that the topic does not take, and perhaps others: INVALID_TIMESTAMP.
    #[error("records with invalid timestamps listed={}", .rejections.len())]
    Timestamps {
        /// The first of them, in order.
        rejections: Vec<Rejection>,
    },
    /// Records that the topic does not take: INVALID_RECORD.
    #[error("records that the topic does not take count={count}")]
    Records {
        /// How many there are.
        count: usize,
        /// The first of them, in order.
        rejections: Vec<Rejection>,
    },
    /// The records do not fit a batch in the topic's codec.
    #[error(transparent)]
    CannotRebuild(BuildError),
}

impl ProduceRefusal {
    /// The records at fault, for the response (KIP-467); empty if the batch as a whole is.
    #[must_use]
    pub fn rejections(&self) -> &[Rejection] {
        match self {
            Self::Timestamps { rejections } | Self::Records { rejections, .. } => rejections,
            _ => &[],
        }
    }

    /// Kafka's text for the whole batch where its response has one: `topic_partition` is shown as `topic-partition`.
    #[must_use]
    pub fn message(&self, topic_partition: &dyn fmt::Display) -> Option<String> {
        match self {
            Self::Timestamps { .. } => {
                Some("One or more records have been rejected due to invalid timestamp".to_owned())
            }
            Self::Records { count, rejections } => {
                let first: Vec<String> = rejections
                    .iter()
                    .take(3)
                    .map(|rejection| {
                        let text = rejection.message(topic_partition);
                        format!(
                            "RecordError(batchIndex={}, message='{text}')",
                            rejection.index
                        )
                    })
                    .collect();
                Some(format!(
                    "One or more records have been rejected due to {count} record errors in total, and only showing \
                     the first three errors at most: [{}]",
                    first.join(", ")
                ))
            }
            Self::Malformed(BatchError::Magic { magic }) => {
                Some(format!("Invalid magic found in record: {magic}"))
            }
            Self::Malformed(BatchError::LengthField { length }) if *length < 14 => Some(format!(
                "Record size {length} is less than the minimum record overhead (14)"
            )),
            _ => None,
        }
    }
}

/// One record that the topic does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Index in the batch, from 0.
    pub index: i32,
    /// What is wrong with it.
    pub reason: RejectionReason,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionReason {
    /// A compacted topic needs keys.
    NullKey,
    /// The create time is outside the topic's limits.
    TimestampOutOfRange {
        /// The record's timestamp.
        timestamp: WallMillis,
        /// Offset in the batch as sent.
        offset: Offset,
        /// Earliest time allowed.
        earliest: WallMillis,
        /// Latest time allowed.
        latest: WallMillis,
    },
    /// The client claims append time, which only a broker sets.
    TimestampType {
        /// The record's timestamp.
        timestamp: WallMillis,
        /// Offset in the batch as sent.
        offset: Offset,
        /// Bytes of the key.
        key_bytes: usize,
        /// Bytes of the value.
        value_bytes: usize,
    },
}

impl Rejection {
    /// Kafka's text for this record: `topic_partition` is shown as `topic-partition`.
    #[must_use]
    pub fn message(&self, topic_partition: &dyn fmt::Display) -> String {
        match self.reason {
            RejectionReason::NullKey => format!(
                "Compacted topic cannot accept message without key in topic partition {topic_partition}"
            ),
            RejectionReason::TimestampOutOfRange {
                timestamp,
                offset,
                earliest,
                latest,
            } => format!(
                "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be \
                 within [{earliest}, {latest}]",
                timestamp = timestamp.0,
                earliest = earliest.0,
                latest = latest.0
            ),
            RejectionReason::TimestampType {
                timestamp,
                offset,
                key_bytes,
                value_bytes,
            } => format!(
                "Invalid timestamp type in message DefaultRecord(offset={offset}, timestamp={}, key={key_bytes} \
                 bytes, value={value_bytes} bytes). Producer should not set timestamp type to LogAppendTime.",
                timestamp.0
            ),
        }
    }
}
