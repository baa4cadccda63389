//! The whole metadata of a cluster at one offset of the metadata log.
//!
//! An image is a value: cheap to clone, never changed once shared. Large collections are persistent
//! maps, so that an image made after a small change shares nearly everything with the one before;
//! small ones are behind an `Arc`. [`MetadataImage::apply`] is the one place that knows what a record
//! means; the controller and [`MetadataDelta`](crate::MetadataDelta) both use it.

mod apply;
mod cluster;
mod configs;
mod partition;
mod security;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::{LeaderEpoch, Offset};

use crate::features::{ELIGIBLE_LEADER_REPLICAS_VERSION, METADATA_VERSION, MetadataVersion};

pub use cluster::{
    BrokerRegistration, ClusterImage, ControllerRegistration, Endpoint, VersionRange,
};
pub use configs::{ConfigResource, Configs, ConfigsImage, ResourceType};
pub use partition::{LeaderRecoveryState, PartitionRegistration, directory};
pub use security::{
    Acl, AclsImage, ClientQuotasImage, DelegationToken, DelegationTokensImage, QuotaEntity,
    ScramCredential, ScramImage,
};
pub use topics::{TopicImage, TopicsImage};

/// Finalized feature levels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeaturesImage {
    /// `metadata.version`; `None` before the first feature record of a new cluster.
    pub metadata_version: Option<MetadataVersion>,
    /// The other features above level 0.
    pub levels: BTreeMap<String, i16>,
}

impl FeaturesImage {
    /// `metadata.version`; that of the oldest cluster served while none is finalized.
    #[must_use]
    pub fn metadata_version_or_minimum(&self) -> MetadataVersion {
        self.metadata_version.unwrap_or(MetadataVersion::MINIMUM)
    }

    /// Level of the feature `name`; 0 if it is off or unknown.
    #[must_use]
    pub fn level(&self, name: &str) -> i16 {
        if name == METADATA_VERSION {
            return self.metadata_version.map_or(0, MetadataVersion::level);
        }
        self.levels.get(name).copied().unwrap_or(0)
    }

    /// Whether eligible leader replicas are kept (KIP-966).
    #[must_use]
    pub fn elr_enabled(&self) -> bool {
        self.level(ELIGIBLE_LEADER_REPLICAS_VERSION) >= 1
    }

    /// All finalized features with their levels, `metadata.version` included.
    pub fn finalized(&self) -> impl Iterator<Item = (&str, i16)> {
        self.metadata_version
            .iter()
            .map(|version| (METADATA_VERSION, version.level()))
            .chain(
                self.levels
                    .iter()
                    .map(|(name, level)| (name.as_str(), *level)),
            )
    }
}

/// Metadata of a cluster up to one record of the metadata log.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataImage {
    /// Offset of the last record contained; -1 if there is none.
    pub offset: Offset,
    /// Epoch of that record.
    pub epoch: LeaderEpoch,
    /// Finalized features.
    pub features: Arc<FeaturesImage>,
    /// Brokers and controllers.
    pub cluster: Arc<ClusterImage>,
    /// Topics and their partitions.
    pub topics: TopicsImage,
    /// Dynamic configs by resource.
    pub configs: ConfigsImage,
    /// Client quotas by entity.
    pub client_quotas: Arc<ClientQuotasImage>,
    /// First id of the next block of producer ids; `None` before the first block.
    pub next_producer_id: Option<i64>,
    /// Access control entries.
    pub acls: AclsImage,
    /// SCRAM credentials.
    pub scram: Arc<ScramImage>,
    /// Delegation tokens.
    pub delegation_tokens: Arc<DelegationTokensImage>,
}

impl Default for MetadataImage {
    fn default() -> Self {
        Self {
            offset: Offset(-1),
            epoch: LeaderEpoch(-1),
            features: Arc::default(),
            cluster: Arc::default(),
            topics: TopicsImage::default(),
            configs: ConfigsImage::default(),
            client_quotas: Arc::default(),
            next_producer_id: None,
            acls: AclsImage::default(),
            scram: Arc::default(),
            delegation_tokens: Arc::default(),
        }
    }
}

impl MetadataImage {
    /// Whether the two hold the same metadata, wherever in the log they stand.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.features == other.features
            && self.cluster == other.cluster
            && self.topics == other.topics
            && self.configs == other.configs
            && self.client_quotas == other.client_quotas
            && self.next_producer_id == other.next_producer_id
            && self.acls == other.acls
            && self.scram == other.scram
            && self.delegation_tokens == other.delegation_tokens
    }

    /// Whether nothing was ever recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.same_content(&Self::default())
    }
}
