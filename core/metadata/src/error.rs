//! What can be wrong with a record of the metadata log.

use ottla_base::{NodeId, TopicId, Uuid};
use ottla_protocol::{DecodeError, EncodeError};
use thiserror::Error;

/// A record value that cannot be read or written.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The frame version is not 1.
    #[error("metadata record has an unknown frame version version={0}")]
    FrameVersion(u32),
    /// No record type has this id.
    #[error("metadata record has an unknown type id={0}")]
    UnknownType(u32),
    /// The record is of a version this program does not know.
    #[error("metadata record has an unsupported version type={name} version={version}")]
    UnsupportedVersion {
        /// Kafka's name of the type.
        name: &'static str,
        /// The version found.
        version: u32,
    },
    /// Bytes follow the record.
    #[error("metadata record is followed by bytes count={0}")]
    TrailingBytes(usize),
    /// The message itself cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The message cannot be written in the version asked for.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// A record that does not fit what the records before it made. The metadata log is damaged, or this
/// program has a bug: either way it must not go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// The record names a topic that does not exist.
    #[error("no such topic id={0}")]
    UnknownTopicId(TopicId),
    /// The record names a topic that does not exist.
    #[error("no such topic name={0}")]
    UnknownTopicName(String),
    /// Two topics of one name, or one id twice.
    #[error("topic exists already name={0}")]
    DuplicateTopic(String),
    /// The record names a partition that does not exist.
    #[error("no such partition topic={topic} partition={partition}")]
    UnknownPartition {
        /// Id of the topic.
        topic: TopicId,
        /// Index of the partition.
        partition: i32,
    },
    /// Replicas and directories of a partition differ in number.
    #[error("replicas and directories differ in number topic={topic} partition={partition}")]
    DirectoryCount {
        /// Id of the topic.
        topic: TopicId,
        /// Index of the partition.
        partition: i32,
    },
    /// A value outside its range.
    #[error("field has an illegal value field={field} value={value}")]
    IllegalValue {
        /// Name of the field.
        field: &'static str,
        /// The value found.
        value: i64,
    },
    /// The record names a broker that is not registered, or not with that epoch.
    #[error("no such broker registration broker={broker} epoch={epoch}")]
    UnknownBroker {
        /// Id of the broker.
        broker: NodeId,
        /// Epoch in the record.
        epoch: i64,
    },
    /// The record names a controller that is not registered.
    #[error("no such controller registration controller={0}")]
    UnknownController(NodeId),
    /// The record removes an access control entry that does not exist.
    #[error("no such access control entry id={0}")]
    UnknownAcl(Uuid),
    /// Producer ids must go up.
    #[error("next producer id goes back from={from} to={to}")]
    ProducerIdsGoBack {
        /// The next id so far.
        from: i64,
        /// The next id of the record.
        to: i64,
    },
    /// A feature at a level that this program does not know.
    #[error("unsupported feature level name={name} level={level}")]
    UnsupportedFeature {
        /// Name of the feature.
        name: String,
        /// Level in the record.
        level: i16,
    },
    /// A transaction that begins within another, or ends without having begun.
    #[error("metadata transaction record out of place type={0}")]
    Transaction(&'static str),
}
