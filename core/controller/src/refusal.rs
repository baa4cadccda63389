//! Why a request is refused. The texts are Kafka's: users read them.

use ottla_base::{NodeId, Uuid};
use ottla_metadata::features::UnmetDependency;
use ottla_protocol::ErrorCode;
use thiserror::Error;

use crate::topic_name::InvalidTopicName;

/// A refusal as the protocol says it.
pub trait WireRefusal: std::error::Error {
    /// Kafka's error code.
    fn code(&self) -> ErrorCode;

    /// The text for the peer; `None` where Kafka leaves it to the code.
    fn message(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// Topics and partitions.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopicRefusal {
    /// The name is not allowed.
    #[error("Topic name is invalid: {0}")]
    InvalidName(#[from] InvalidTopicName),
    /// A name that differs only in `.` and `_` is taken.
    #[error("Topic '{name}' collides with existing topic: {existing}")]
    Collision {
        /// The name asked for.
        name: String,
        /// The name that is taken.
        existing: String,
    },
    /// The name is taken.
    #[error("Topic '{0}' already exists.")]
    Exists(String),
    /// The name of the metadata log.
    #[error("Creation of internal topic {0} is prohibited.")]
    Internal(&'static str),
    /// The name stands in the request more than once.
    #[error("Duplicate topic name.")]
    DuplicateName,
    /// The id stands in the request more than once.
    #[error("Duplicate topic id.")]
    DuplicateId,
    /// Neither name nor id.
    #[error("Neither topic name nor id were specified.")]
    NeitherNameNorId,
    /// Both name and id.
    #[error("You may not specify both topic name and topic id.")]
    BothNameAndId,
    /// A name whose id stands in the request as well.
    #[error("The provided topic name maps to an ID that was already supplied.")]
    NameOfSuppliedId,
    /// Replication factor beside an assignment.
    #[error(
        "A manual partition assignment was specified, but replication factor was not set to -1."
    )]
    FactorWithAssignment,
    /// Partition count beside an assignment.
    #[error("A manual partition assignment was specified, but numPartitions was not set to -1.")]
    CountWithAssignment,
    /// A partition assigned twice.
    #[error("Found multiple manual partition assignments for partition {0}")]
    DuplicateAssignment(i32),
    /// Assigned partitions with gaps.
    #[error("partitions should be a consecutive 0-based integer sequence")]
    AssignmentGap,
    /// No broker of an assignment can lead.
    #[error(
        "All brokers specified in the manual partition assignment for partition {0} are fenced or \
         in controlled shutdown."
    )]
    AssignmentInactive(i32),
    /// An assignment without replicas.
    #[error("The manual partition assignment includes an empty replica list.")]
    AssignmentEmpty,
    /// An assignment to a broker that does not exist.
    #[error(
        "The manual partition assignment includes broker {0}, but no such broker is registered."
    )]
    AssignmentUnknownBroker(NodeId),
    /// An assignment to a broker that takes no more replicas.
    #[error(
        "The manual partition assignment includes broker {0}, but all its log directories are \
         cordoned."
    )]
    AssignmentCordoned(NodeId),
    /// An assignment to one broker twice.
    #[error("The manual partition assignment includes the broker {0} more than once.")]
    AssignmentRepeatsBroker(NodeId),
    /// Assignments of different lengths.
    #[error(
        "The manual partition assignment includes a partition with {found} replica(s), but this is \
         not consistent with previous partitions, which have {expected} replica(s)."
    )]
    AssignmentFactor {
        /// Replicas of this partition.
        found: usize,
        /// Replicas of those before.
        expected: usize,
    },
    /// Assignments that do not match the partitions added.
    #[error(
        "Attempted to add {additional} additional partition(s), but only {assigned} assignment(s) \
         were specified."
    )]
    AssignmentCount {
        /// Partitions to add.
        additional: i32,
        /// Assignments given.
        assigned: usize,
    },
    /// Replication factor out of range.
    #[error("Replication factor must be larger than 0, or -1 to use the default value.")]
    ReplicationFactor,
    /// Partition count out of range.
    #[error("Number of partitions was set to an invalid non-positive value.")]
    PartitionCount,
    /// No placement exists while a topic is made.
    #[error("Unable to replicate the partition {factor} time(s): {cause}")]
    NotPlaceable {
        /// Replicas wanted.
        factor: i16,
        /// Why not.
        cause: Unplaceable,
    },
    /// No placement exists while partitions are added.
    #[error(transparent)]
    Unplaceable(#[from] Unplaceable),
    /// Growing to the present count.
    #[error("Topic already has {0} partition(s).")]
    SameCount(usize),
    /// Shrinking.
    #[error(
        "The topic {name} currently has {present} partition(s); {wanted} would not be an increase."
    )]
    NotAnIncrease {
        /// The topic.
        name: String,
        /// Partitions it has.
        present: usize,
        /// Partitions asked for.
        wanted: i32,
    },
    /// No topic of that name.
    #[error("This server does not host this topic-partition.")]
    UnknownTopic,
    /// No topic of that id.
    #[error("This server does not host this topic ID.")]
    UnknownId,
    /// Too many partitions in one request.
    #[error("Excessively large number of partitions per request.")]
    TooManyPartitions,
    /// Too many partitions added in one request.
    #[error("Excessively large number of additional partitions per request.")]
    TooManyAdditionalPartitions,
    /// Too many records for one request.
    #[error("Unable to perform excessively large batch operation.")]
    BatchTooLarge,
    /// `delete.topic.enable` is off.
    #[error("Topic deletion is disabled.")]
    DeletionDisabled {
        /// Whether the request is too old to know the error code.
        old_request: bool,
    },
    /// A config of a new topic without a value.
    #[error("Null value not supported for topic configs: {0}")]
    NullConfigs(String),
    /// Election of a kind that does not exist.
    #[error("Unknown election type {0}")]
    ElectionType(i8),
    /// Election in a topic that does not exist.
    #[error("No such topic as {0}")]
    NoSuchTopic(String),
    /// Election in a partition that does not exist.
    #[error("No such partition as {topic}-{partition}")]
    NoSuchPartition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The leader is already the one wanted.
    #[error("Leader election not needed for topic partition.")]
    ElectionNotNeeded,
    /// The preferred replica cannot lead.
    #[error("The preferred leader was not available.")]
    PreferredLeaderNotAvailable,
    /// No replica can lead.
    #[error("Eligible topic partition leaders are not available.")]
    EligibleLeadersNotAvailable,
}

impl WireRefusal for TopicRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidName(_) | Self::Collision { .. } => ErrorCode::InvalidTopicException,
            Self::Exists(_) => ErrorCode::TopicAlreadyExists,
            Self::Internal(_)
            | Self::DuplicateName
            | Self::DuplicateId
            | Self::NeitherNameNorId
            | Self::BothNameAndId
            | Self::NameOfSuppliedId
            | Self::FactorWithAssignment
            | Self::CountWithAssignment
            | Self::ElectionType(_)
            | Self::DeletionDisabled { old_request: true } => ErrorCode::InvalidRequest,
            Self::DeletionDisabled { old_request: false } => ErrorCode::TopicDeletionDisabled,
            Self::DuplicateAssignment(_)
            | Self::AssignmentGap
            | Self::AssignmentInactive(_)
            | Self::AssignmentEmpty
            | Self::AssignmentUnknownBroker(_)
            | Self::AssignmentCordoned(_)
            | Self::AssignmentRepeatsBroker(_)
            | Self::AssignmentFactor { .. }
            | Self::AssignmentCount { .. } => ErrorCode::InvalidReplicaAssignment,
            Self::ReplicationFactor | Self::NotPlaceable { .. } | Self::Unplaceable(_) => {
                ErrorCode::InvalidReplicationFactor
            }
            Self::PartitionCount | Self::SameCount(_) | Self::NotAnIncrease { .. } => {
                ErrorCode::InvalidPartitions
            }
            Self::UnknownTopic | Self::NoSuchTopic(_) | Self::NoSuchPartition { .. } => {
                ErrorCode::UnknownTopicOrPartition
            }
            Self::UnknownId => ErrorCode::UnknownTopicId,
            Self::TooManyPartitions | Self::TooManyAdditionalPartitions | Self::BatchTooLarge => {
                ErrorCode::PolicyViolation
            }
            Self::NullConfigs(_) => ErrorCode::InvalidConfig,
            Self::ElectionNotNeeded => ErrorCode::ElectionNotNeeded,
            Self::PreferredLeaderNotAvailable => ErrorCode::PreferredLeaderNotAvailable,
            Self::EligibleLeadersNotAvailable => ErrorCode::EligibleLeadersNotAvailable,
        }
    }
}

/// No replicas can be placed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unplaceable {
    /// Replication factor out of range.
    #[error("Invalid replication factor {0}: the replication factor must be positive.")]
    NotPositive(i16),
    /// No broker takes a leader.
    #[error("All brokers are currently fenced, or have all their log directories cordoned.")]
    NoBroker,
    /// Fewer brokers than replicas.
    #[error(
        "The target replication factor of {factor} cannot be reached because only {brokers} \
         broker(s) are registered or some brokers have all their log directories cordoned."
    )]
    TooFewBrokers {
        /// Replicas wanted.
        factor: i16,
        /// Brokers that take replicas.
        brokers: usize,
    },
    /// Every replica chosen is on a broker that cannot lead.
    #[error("All brokers are currently fenced or in controlled shutdown.")]
    AllInactive,
}

/// Configs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigRefusal {
    /// The values are not allowed.
    #[error("{0}")]
    Invalid(String),
    /// The request makes no sense for the resource.
    #[error("{0}")]
    InvalidRequest(String),
    /// A name that no topic can have.
    #[error("Topic name is invalid: {0}")]
    TopicName(String),
    /// A kind of resource that has no number.
    #[error("Unknown resource type {0}.")]
    UnknownResourceType(i8),
    /// An operation that has no number.
    #[error("The server experienced an unexpected error when processing the request.")]
    UnknownOperation(i8),
    /// The resource stands in the request more than once.
    #[error("Duplicate resource.")]
    DuplicateResource,
    /// An operation on lists for a key that is none.
    #[error("Can't {operation} to key {key} because its type is not LIST.")]
    NotAList {
        /// Name of the operation.
        operation: &'static str,
        /// The key.
        key: String,
    },
    /// `min.insync.replicas` of one broker.
    #[error("Broker-level min.insync.replicas cannot be altered while ELR is enabled.")]
    BrokerMinIsr,
    /// Taking away the cluster's `min.insync.replicas`.
    #[error("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")]
    ClusterMinIsr,
    /// A value that is too long.
    #[error(
        "The configuration value cannot be added because it exceeds the maximum value size of \
         {max} bytes.",
        max = i16::MAX
    )]
    ValueTooLong,
    /// Directories cannot be cordoned yet.
    #[error(
        "The cordoned.log.dirs configuration value cannot be set because it requires \
         metadata.version >= 4.3-IV0"
    )]
    CordonedUnsupported,
    /// The topic does not exist.
    #[error("The topic '{0}' does not exist.")]
    UnknownTopic(String),
    /// The broker is not registered.
    #[error("No node with id {0} found.")]
    UnknownBroker(String),
}

impl WireRefusal for ConfigRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_)
            | Self::NotAList { .. }
            | Self::BrokerMinIsr
            | Self::ClusterMinIsr
            | Self::ValueTooLong
            | Self::CordonedUnsupported => ErrorCode::InvalidConfig,
            Self::InvalidRequest(_) | Self::DuplicateResource => ErrorCode::InvalidRequest,
            Self::TopicName(_) => ErrorCode::InvalidTopicException,
            Self::UnknownResourceType(_) => ErrorCode::UnsupportedVersion,
            Self::UnknownOperation(_) => ErrorCode::UnknownServerError,
            Self::UnknownTopic(_) => ErrorCode::UnknownTopicOrPartition,
            Self::UnknownBroker(_) => ErrorCode::BrokerIdNotRegistered,
        }
    }

    fn message(&self) -> Option<String> {
        // What went wrong in the server is not told to the peer.
        let told = !matches!(self, Self::UnknownOperation(_));
        told.then(|| self.to_string())
    }
}

/// Brokers and controllers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BrokerRefusal {
    /// A broker of another cluster.
    #[error("Expected cluster ID {expected}, but got cluster ID {found}")]
    ClusterId {
        /// Id of this cluster.
        expected: String,
        /// Id in the request.
        found: String,
    },
    /// Another process with that id is alive.
    #[error(
        "Another broker is registered with that broker id. If the broker was recently restarted \
         this should self-resolve once the heartbeat manager expires the broker's session."
    )]
    Duplicate,
    /// Brokers of ZooKeeper's time.
    #[error("Controller does not support registering ZK brokers.")]
    ZooKeeper,
    /// A broker without directories.
    #[error("No directories specified in request")]
    NoDirectories,
    /// A directory with an id of its own meaning.
    #[error("Reserved directory ID in request")]
    ReservedDirectory,
    /// A directory named twice.
    #[error("Duplicate directory ID in request")]
    DuplicateDirectory,
    /// A directory of another broker.
    #[error("Broker {broker} is already registered with directory {directory}")]
    DirectoryTaken {
        /// The other broker.
        broker: NodeId,
        /// The directory.
        directory: Uuid,
    },
    /// A broker that does not tell `metadata.version`.
    #[error("Request features do not contain 'metadata.version'")]
    NoMetadataVersion,
    /// A broker that does not know a finalized level.
    #[error(
        "Unable to register because the broker does not support finalized version {finalized} of \
         {feature}. The broker wants a version between {min} and {max}, inclusive."
    )]
    UnsupportedFeature {
        /// The feature.
        feature: String,
        /// Its finalized level.
        finalized: i16,
        /// Lowest level of the broker.
        min: i16,
        /// Highest level of the broker.
        max: i16,
    },
    /// No such broker, where an epoch is checked.
    #[error("No broker registration found for broker id {0}")]
    NoRegistration(NodeId),
    /// The broker registered anew since.
    #[error("Expected broker epoch {expected}, but got broker epoch {found}")]
    StaleEpoch {
        /// Epoch of the present registration.
        expected: i64,
        /// Epoch in the request.
        found: i64,
    },
    /// No such broker.
    #[error("Broker ID {0} is not currently registered")]
    NotRegistered(NodeId),
    /// No such controller.
    #[error("Controller ID {0} is not currently registered.")]
    ControllerNotRegistered(NodeId),
    /// `metadata.version` is too low.
    #[error("The current MetadataVersion is too old to support {0}.")]
    TooOldFor(&'static str),
    /// `metadata.version` is too low for directories.
    #[error("Directory assignment is not supported yet.")]
    NoDirectoryAssignment,
    /// The last producer id was given out.
    #[error("the next block of producer ids would pass the largest id")]
    ProducerIdsExhausted,
}

impl WireRefusal for BrokerRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::ClusterId { .. } => ErrorCode::InconsistentClusterId,
            Self::Duplicate => ErrorCode::DuplicateBrokerRegistration,
            Self::ZooKeeper | Self::NotRegistered(_) => ErrorCode::BrokerIdNotRegistered,
            Self::NoDirectories
            | Self::ReservedDirectory
            | Self::DuplicateDirectory
            | Self::DirectoryTaken { .. }
            | Self::NoMetadataVersion => ErrorCode::InvalidRegistration,
            Self::UnsupportedFeature { .. } | Self::TooOldFor(_) | Self::NoDirectoryAssignment => {
                ErrorCode::UnsupportedVersion
            }
            Self::NoRegistration(_) | Self::StaleEpoch { .. } => ErrorCode::StaleBrokerEpoch,
            Self::ControllerNotRegistered(_) => ErrorCode::ControllerIdNotRegistered,
            Self::ProducerIdsExhausted => ErrorCode::UnknownServerError,
        }
    }
}

/// Feature levels.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} {cause}", self.what())]
pub struct FeatureRefusal {
    /// The feature.
    pub feature: String,
    /// The level asked for.
    pub level: i16,
    /// Why not.
    pub cause: FeatureCause,
}

/// Why a feature cannot get a level.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FeatureCause {
    /// Neither upgrade nor downgrade.
    #[error("The controller does not support the given upgrade type.")]
    UpgradeType,
    /// Below zero.
    #[error("A feature version cannot be less than 0.")]
    Negative,
    /// Some node does not have the feature.
    #[error("{who} does not support this feature.")]
    NotSupported {
        /// The node.
        who: String,
    },
    /// Some node does not have the level.
    #[error("{who} only supports versions {min}-{max}")]
    OtherLevels {
        /// The node.
        who: String,
        /// Its lowest level.
        min: i16,
        /// Its highest level.
        max: i16,
    },
    /// A downgrade that is not called one.
    #[error(
        "Can't downgrade the version of this feature without setting the upgrade type to either \
         safe or unsafe downgrade."
    )]
    DowngradeNotAllowed,
    /// An upgrade that is called a downgrade.
    #[error("Can't downgrade to a newer version.")]
    NotADowngrade,
    /// A feature that never goes down.
    #[error("Can't downgrade the version of this feature.")]
    NeverDown,
    /// A feature that this controller cannot raise.
    #[error("The metadata quorum cannot be upgraded while it runs.")]
    QuorumFixed,
    /// A downgrade that loses metadata.
    #[error("{why}")]
    MetadataLoss {
        /// The level from which to go down.
        present: i16,
        /// What is said to it.
        why: &'static str,
    },
    /// Another feature is too low.
    #[error(transparent)]
    Unmet(#[from] UnmetDependency),
}

impl FeatureRefusal {
    fn what(&self) -> String {
        let Self {
            feature,
            level,
            cause,
        } = self;
        match cause {
            FeatureCause::MetadataLoss { present, .. } => {
                format!("Unsupported {feature} downgrade from {present} to {level}.")
            }
            _ => format!("Invalid update version {level} for feature {feature}."),
        }
    }
}

impl WireRefusal for FeatureRefusal {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidUpdateVersion
    }
}

/// A refusal of a whole request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Topics and partitions.
    #[error(transparent)]
    Topic(#[from] TopicRefusal),
    /// Configs.
    #[error(transparent)]
    Config(#[from] ConfigRefusal),
    /// Brokers and controllers.
    #[error(transparent)]
    Broker(#[from] BrokerRefusal),
    /// Feature levels.
    #[error(transparent)]
    Feature(#[from] FeatureRefusal),
}

impl WireRefusal for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Topic(refusal) => refusal.code(),
            Self::Config(refusal) => refusal.code(),
            Self::Broker(refusal) => refusal.code(),
            Self::Feature(refusal) => refusal.code(),
        }
    }

    fn message(&self) -> Option<String> {
        match self {
            Self::Topic(refusal) => refusal.message(),
            Self::Config(refusal) => refusal.message(),
            Self::Broker(refusal) => refusal.message(),
            Self::Feature(refusal) => refusal.message(),
        }
    }
}
