//! The first records of a controller that has just become active.

use ottla_metadata::features::{
    ELIGIBLE_LEADER_REPLICAS_VERSION, METADATA_VERSION, MetadataVersion,
};
use ottla_metadata::{MetadataRecord, ResourceType, VersionedRecord};
use ottla_protocol::messages::{
    AbortTransactionRecord, BeginTransactionRecord, ConfigRecord, EndTransactionRecord,
};
use thiserror::Error;

use crate::context::Outcome;
use crate::controller::Controller;
use crate::replication_control::MIN_INSYNC_REPLICAS;

/// Bootstrap records that no cluster can start from.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BootstrapError {
    /// No feature record sets `metadata.version`.
    #[error("bootstrap records do not set metadata.version")]
    NoMetadataVersion,
    /// The level is not known.
    #[error("bootstrap records set an unknown metadata.version level={0}")]
    UnknownMetadataVersion(i16),
    /// A transaction is open that the finalized `metadata.version` does not allow.
    #[error("metadata transaction is open, which metadata.version does not allow level={0}")]
    UnexpectedTransaction(i16),
}

impl Controller {
    /// The records with which a new active controller begins: on an empty log the `bootstrap` records
    /// (feature levels, credentials) in a transaction, otherwise at most the end of a transaction that
    /// the one before left open.
    ///
    /// # Errors
    /// [`BootstrapError`] if the node cannot lead this cluster.
    pub fn activation_records(
        &self,
        bootstrap: &[VersionedRecord],
    ) -> Result<Outcome<()>, BootstrapError> {
        match self.metadata_version_before_transaction() {
            Some(version) => self.records_for_present_log(version),
            None => self.records_for_empty_log(bootstrap),
        }
    }

    /// `metadata.version` of the log; what an open transaction says does not count.
    fn metadata_version_before_transaction(&self) -> Option<MetadataVersion> {
        self.committed_features().metadata_version
    }

    fn records_for_empty_log(
        &self,
        bootstrap: &[VersionedRecord],
    ) -> Result<Outcome<()>, BootstrapError> {
        let level = |name: &str| {
            bootstrap
                .iter()
                .rev()
                .find_map(|record| match &record.record {
                    MetadataRecord::FeatureLevel(feature) if feature.name == name => {
                        Some(feature.feature_level)
                    }
                    _ => None,
                })
        };
        let version = level(METADATA_VERSION).ok_or(BootstrapError::NoMetadataVersion)?;
        let version = MetadataVersion::from_level(version)
            .ok_or(BootstrapError::UnknownMetadataVersion(version))?;
        let mut records = Vec::new();
        if self.open_transaction().is_some() {
            if !version.supports_transactions() {
                return Err(BootstrapError::UnexpectedTransaction(version.level()));
            }
            records.push(abort().at(version));
        }
        if version.supports_transactions() {
            let name = Some("Bootstrap records".to_owned());
            let begin = BeginTransactionRecord {
                name,
                ..Default::default()
            };
            records.push(MetadataRecord::from(begin).at(version));
        }
        records.extend_from_slice(bootstrap);
        if level(ELIGIBLE_LEADER_REPLICAS_VERSION).unwrap_or(0) > 0 {
            records.push(self.cluster_min_isr_record().at(version));
        }
        if version.supports_transactions() {
            records.push(MetadataRecord::from(EndTransactionRecord::default()).at(version));
            return Ok(Outcome::new(records, ()));
        }
        Ok(Outcome::atomic(records, ()))
    }

    /// With eligible leader replicas every node must agree on `min.insync.replicas`: what this node's
    /// file says becomes the cluster's value.
    pub(crate) fn cluster_min_isr_record(&self) -> MetadataRecord {
        ConfigRecord {
            resource_type: ResourceType::BROKER.0,
            resource_name: String::new(),
            name: MIN_INSYNC_REPLICAS.to_owned(),
            value: Some(self.schema.static_min_insync_replicas().to_string()),
            ..ConfigRecord::default()
        }
        .into()
    }

    fn records_for_present_log(
        &self,
        version: MetadataVersion,
    ) -> Result<Outcome<()>, BootstrapError> {
        let mut records = Vec::new();
        if self.open_transaction().is_some() {
            if !version.supports_transactions() {
                return Err(BootstrapError::UnexpectedTransaction(version.level()));
            }
            records.push(abort().at(version));
        }
        Ok(Outcome::atomic(records, ()))
    }
}

fn abort() -> MetadataRecord {
    let reason = Some("Controller failover".to_owned());
    AbortTransactionRecord {
        reason,
        ..AbortTransactionRecord::default()
    }
    .into()
}
