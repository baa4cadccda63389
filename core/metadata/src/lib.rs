//! Cluster metadata as values: the records of `__cluster_metadata`, the image that they add up to, and
//! the difference between two images.
//!
//! Responsible for: framing and versions of the 27 record types, the ladder of `metadata.version` and
//! the other features, the immutable [`MetadataImage`] with structural sharing, [`MetadataDelta`] which
//! collects what changed, and the way back from an image to records (snapshots).
//!
//! Does not know: logs, offsets of raft, who may change what (that is the controller's), or files.
//!
//! KIPs: 500, 584, 630, 746, 858, 868, 966.
#![forbid(unsafe_code)]

mod delta;
mod error;
pub mod features;
mod image;
mod record;
mod snapshot;

pub use delta::{LocalReplica, MetadataDelta, TopicsDelta};
pub use error::{RecordError, ReplayError};
pub use features::MetadataVersion;
pub use image::{
    Acl, AclsImage, BrokerRegistration, ClientQuotasImage, ClusterImage, ConfigResource, Configs,
    ConfigsImage, ControllerRegistration, DelegationToken, DelegationTokensImage, Endpoint,
    FeaturesImage, LeaderRecoveryState, MetadataImage, PartitionRegistration, QuotaEntity,
    ResourceType, ScramCredential, ScramImage, TopicImage, TopicsImage, VersionRange, directory,
};
pub use record::{MetadataRecord, VersionedRecord};
