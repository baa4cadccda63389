//! Registered brokers and controllers.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::{BrokerEpoch, NodeId, Uuid};
use ottla_protocol::messages::register_broker_record::{BrokerEndpoint, BrokerFeature};
use ottla_protocol::messages::register_controller_record::{ControllerEndpoint, ControllerFeature};
use ottla_protocol::messages::{RegisterBrokerRecord, RegisterControllerRecord};

use super::partition::directory;
use crate::features::MetadataVersion;

/// Where a node listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of the listener, such as `PLAINTEXT`.
    pub name: String,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: u16,
    /// Kafka's number of the security protocol: 0 is plaintext.
    pub security_protocol: i16,
}

/// Levels of a feature that a node supports, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    /// Lowest level.
    pub min: i16,
    /// Highest level.
    pub max: i16,
}

impl VersionRange {
    /// Whether `level` is supported.
    #[must_use]
    pub fn contains(self, level: i16) -> bool {
        (self.min..=self.max).contains(&level)
    }
}

/// A broker as it registered, with what became of it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// Its id.
    pub id: NodeId,
    /// Identifies this registration.
    pub epoch: BrokerEpoch,
    /// Identifies the process.
    pub incarnation_id: Uuid,
    /// Its listeners, in the order in which it named them.
    pub endpoints: Vec<Endpoint>,
    /// Feature levels that it supports.
    pub features: BTreeMap<String, VersionRange>,
    /// Its rack.
    pub rack: Option<String>,
    /// Whether it may not lead or serve.
    pub fenced: bool,
    /// Whether it is handing over its partitions.
    pub in_controlled_shutdown: bool,
    /// Written by clusters that once migrated from ZooKeeper.
    pub is_migrating_zk_broker: bool,
    /// Its directories that are online, sorted.
    pub directories: Vec<Uuid>,
    /// Its directories that take no new replicas; `None` until it says so (KIP-1066).
    pub cordoned_directories: Option<Vec<Uuid>>,
}

impl BrokerRegistration {
    pub(crate) fn from_record(record: &RegisterBrokerRecord) -> Self {
        let mut directories = record.log_dirs.clone();
        directories.sort_unstable();
        Self {
            id: NodeId(record.broker_id),
            epoch: BrokerEpoch(record.broker_epoch),
            incarnation_id: record.incarnation_id,
            endpoints: record
                .end_points
                .iter()
                .map(|endpoint| Endpoint {
                    name: endpoint.name.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    security_protocol: endpoint.security_protocol,
                })
                .collect(),
            features: record
                .features
                .iter()
                .map(|feature| {
                    let range = VersionRange {
                        min: feature.min_supported_version,
                        max: feature.max_supported_version,
                    };
                    (feature.name.clone(), range)
                })
                .collect(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            is_migrating_zk_broker: record.is_migrating_zk_broker,
            directories,
            cordoned_directories: record.cordoned_log_dirs.clone(),
        }
    }

    pub(crate) fn to_record(&self, metadata_version: MetadataVersion) -> RegisterBrokerRecord {
        RegisterBrokerRecord {
            broker_id: self.id.0,
            is_migrating_zk_broker: self.is_migrating_zk_broker,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch.0,
            end_points: self
                .endpoints
                .iter()
                .map(|endpoint| BrokerEndpoint {
                    name: endpoint.name.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    security_protocol: endpoint.security_protocol,
                    ..BrokerEndpoint::default()
                })
                .collect(),
            features: self
                .features
                .iter()
                .map(|(name, range)| BrokerFeature {
                    name: name.clone(),
                    min_supported_version: range.min,
                    max_supported_version: range.max,
                    ..BrokerFeature::default()
                })
                .collect(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: if metadata_version.supports_directory_assignment() {
                self.directories.clone()
            } else {
                Vec::new()
            },
            cordoned_log_dirs: if metadata_version.supports_cordoned_log_dirs() {
                self.cordoned_directories.clone()
            } else {
                None
            },
            ..RegisterBrokerRecord::default()
        }
    }

    /// Whether it may lead and be in ISRs.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// Whether a replica in `id` can serve.
    #[must_use]
    pub fn has_online_directory(&self, id: Uuid) -> bool {
        directory::is_online(id, &self.directories)
    }

    /// Whether it takes new replicas in some directory.
    #[must_use]
    pub fn has_uncordoned_directory(&self) -> bool {
        let Some(cordoned) = &self.cordoned_directories else {
            return true;
        };
        self.directories.is_empty() || self.directories.iter().any(|id| !cordoned.contains(id))
    }

    /// The listener `name`.
    #[must_use]
    pub fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }
}

/// A controller as it registered (KIP-919).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerRegistration {
    /// Its id.
    pub id: NodeId,
    /// Identifies the process.
    pub incarnation_id: Uuid,
    /// Written by clusters that once migrated from ZooKeeper.
    pub zk_migration_ready: bool,
    /// Its listeners.
    pub endpoints: Vec<Endpoint>,
    /// Feature levels that it supports.
    pub features: BTreeMap<String, VersionRange>,
}

impl ControllerRegistration {
    pub(crate) fn from_record(record: &RegisterControllerRecord) -> Self {
        Self {
            id: NodeId(record.controller_id),
            incarnation_id: record.incarnation_id,
            zk_migration_ready: record.zk_migration_ready,
            endpoints: record
                .end_points
                .iter()
                .map(|endpoint| Endpoint {
                    name: endpoint.name.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    security_protocol: endpoint.security_protocol,
                })
                .collect(),
            features: record
                .features
                .iter()
                .map(|feature| {
                    let range = VersionRange {
                        min: feature.min_supported_version,
                        max: feature.max_supported_version,
                    };
                    (feature.name.clone(), range)
                })
                .collect(),
        }
    }

    pub(crate) fn to_record(&self) -> RegisterControllerRecord {
        RegisterControllerRecord {
            controller_id: self.id.0,
            incarnation_id: self.incarnation_id,
            zk_migration_ready: self.zk_migration_ready,
            end_points: self
                .endpoints
                .iter()
                .map(|endpoint| ControllerEndpoint {
                    name: endpoint.name.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    security_protocol: endpoint.security_protocol,
                    ..ControllerEndpoint::default()
                })
                .collect(),
            features: self
                .features
                .iter()
                .map(|(name, range)| ControllerFeature {
                    name: name.clone(),
                    min_supported_version: range.min,
                    max_supported_version: range.max,
                    ..ControllerFeature::default()
                })
                .collect(),
            ..RegisterControllerRecord::default()
        }
    }
}

/// Registered brokers and controllers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterImage {
    /// Brokers by id.
    pub brokers: BTreeMap<NodeId, Arc<BrokerRegistration>>,
    /// Controllers by id.
    pub controllers: BTreeMap<NodeId, Arc<ControllerRegistration>>,
}

impl ClusterImage {
    /// The broker with this id.
    #[must_use]
    pub fn broker(&self, id: NodeId) -> Option<&BrokerRegistration> {
        self.brokers.get(&id).map(AsRef::as_ref)
    }

    /// Whether the broker is registered and may lead.
    #[must_use]
    pub fn is_active(&self, id: NodeId) -> bool {
        self.broker(id).is_some_and(BrokerRegistration::is_active)
    }
}
