//! UpdateFeatures: raising and lowering finalized feature levels (KIP-584, KIP-778, KIP-1022).

use std::collections::BTreeMap;

use ottla_metadata::features::{
    ELIGIBLE_LEADER_REPLICAS_VERSION, Feature, KRAFT_VERSION, METADATA_VERSION, MetadataVersion,
    supported,
};
use ottla_metadata::{ConfigResource, MetadataRecord, ResourceType, VersionRange, VersionedRecord};
use ottla_protocol::messages::update_features_response::UpdatableFeatureResult;
use ottla_protocol::messages::{
    ConfigRecord, FeatureLevelRecord, UpdateFeaturesRequest, UpdateFeaturesResponse,
};

use crate::context::{Context, Outcome, UserRecords};
use crate::controller::Controller;
use crate::refusal::{FeatureCause, FeatureRefusal, Refusal, WireRefusal};
use crate::replication_control::MIN_INSYNC_REPLICAS;

/// Up to this version each feature has its own result.
const RESULT_PER_FEATURE_MAX: i16 = 1;

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

/// What a node that does not tell of a feature supports.
const OFF: VersionRange = VersionRange { min: 0, max: 0 };

impl Controller {
    /// Changes feature levels, all or none.
    ///
    /// # Errors
    /// [`TopicRefusal::BatchTooLarge`](crate::TopicRefusal::BatchTooLarge).
    pub fn update_features(
        &self,
        ctx: &Context<'_>,
        request: &UpdateFeaturesRequest,
    ) -> Result<Outcome<UpdateFeaturesResponse>, Refusal> {
        let mut levels = BTreeMap::new();
        for update in &request.feature_updates {
            levels.insert(
                update.feature.as_str(),
                (update.max_version_level, update.upgrade_type),
            );
        }
        // Dependencies are judged by the levels as they would be.
        let metadata_version = levels
            .get(METADATA_VERSION)
            .and_then(|(level, _)| MetadataVersion::from_level(*level))
            .unwrap_or_else(|| self.metadata_version());
        let mut records = UserRecords::default();
        if levels
            .get(ELIGIBLE_LEADER_REPLICAS_VERSION)
            .is_some_and(|(level, _)| *level > 0)
        {
            records.extend(self.elr_safety_records())?;
        }
        for (&feature, &(level, upgrade_type)) in &levels {
            match self.update_feature(feature, level, upgrade_type, metadata_version) {
                Ok(record) => records.extend(record)?,
                Err(cause) => {
                    let refusal = FeatureRefusal {
                        feature: feature.to_owned(),
                        level,
                        cause,
                    };
                    return Ok(Outcome::new(Vec::new(), refused(&refusal)));
                }
            }
        }
        let mut response = UpdateFeaturesResponse {
            error_message: None,
            ..UpdateFeaturesResponse::default()
        };
        if ctx.api_version <= RESULT_PER_FEATURE_MAX {
            response.results = levels
                .keys()
                .map(|&feature| UpdatableFeatureResult {
                    feature: feature.to_owned(),
                    error_code: 0,
                    error_message: Some("NONE".to_owned()),
                })
                .collect();
        }
        let outcome = Outcome::atomic(records.into_vec(), response);
        Ok(if request.validate_only {
            outcome.without_records()
        } else {
            outcome
        })
    }

    fn update_feature(
        &self,
        name: &str,
        level: i16,
        upgrade_type: i8,
        metadata_version: MetadataVersion,
    ) -> Result<Option<VersionedRecord>, FeatureCause> {
        if !matches!(upgrade_type, UPGRADE | SAFE_DOWNGRADE | UNSAFE_DOWNGRADE) {
            return Err(FeatureCause::UpgradeType);
        }
        let present = match name {
            KRAFT_VERSION => self.kraft_version,
            _ => self.image.features.level(name),
        };
        if level < 0 {
            return Err(FeatureCause::Negative);
        }
        self.check_support(name, level)?;
        if level < present && upgrade_type == UPGRADE {
            return Err(FeatureCause::DowngradeNotAllowed);
        }
        if level > present && upgrade_type != UPGRADE {
            return Err(FeatureCause::NotADowngrade);
        }
        match name {
            METADATA_VERSION => self.check_metadata_version(level, upgrade_type)?,
            KRAFT_VERSION if level == present => return Ok(None),
            KRAFT_VERSION if level < present => return Err(FeatureCause::NeverDown),
            KRAFT_VERSION => return Err(FeatureCause::QuorumFixed),
            _ => {
                let feature = Feature::by_name(name).ok_or_else(|| FeatureCause::NotSupported {
                    who: self.local_controller(),
                })?;
                feature.check(level, metadata_version)?;
            }
        }
        let record = FeatureLevelRecord {
            name: name.to_owned(),
            feature_level: level,
            ..FeatureLevelRecord::default()
        };
        Ok(Some(
            MetadataRecord::from(record).at(self.metadata_version()),
        ))
    }

    fn check_metadata_version(&self, level: i16, upgrade_type: i8) -> Result<(), FeatureCause> {
        let present = self.metadata_version();
        let Some(wanted) = MetadataVersion::from_level(level) else {
            return Err(FeatureCause::OtherLevels {
                who: self.local_controller(),
                min: MetadataVersion::MINIMUM.level(),
                max: MetadataVersion::LATEST.level(),
            });
        };
        if wanted >= present || !present.metadata_changed(wanted) {
            return Ok(());
        }
        Err(FeatureCause::MetadataLoss {
            present: present.level(),
            why: if upgrade_type == UNSAFE_DOWNGRADE {
                "Unsafe metadata downgrade is not supported in this version."
            } else {
                "Refusing to perform the requested downgrade because it might delete metadata \
                 information."
            },
        })
    }

    fn local_controller(&self) -> String {
        format!("Local controller {}", self.config.node_id)
    }

    /// Every broker and controller must know the level.
    fn check_support(&self, name: &str, level: i16) -> Result<(), FeatureCause> {
        let check = |who: &dyn Fn() -> String, range: VersionRange| {
            if range.contains(level) {
                Ok(())
            } else if range.max == 0 {
                Err(FeatureCause::NotSupported { who: who() })
            } else {
                Err(FeatureCause::OtherLevels {
                    who: who(),
                    min: range.min,
                    max: range.max,
                })
            }
        };
        let local = supported()
            .find(|(known, ..)| *known == name)
            .map_or(OFF, |(_, min, max)| VersionRange { min, max });
        check(&|| self.local_controller(), local)?;
        for broker in self.image.cluster.brokers.values() {
            let range = broker.features.get(name).copied().unwrap_or(OFF);
            check(&|| format!("Broker {}", broker.id), range)?;
        }
        for controller in self.image.cluster.controllers.values() {
            if controller.id != self.config.node_id {
                let range = controller.features.get(name).copied().unwrap_or(OFF);
                check(&|| format!("Controller {}", controller.id), range)?;
            }
        }
        Ok(())
    }

    /// With eligible leader replicas on, `min.insync.replicas` is the same on all brokers.
    fn elr_safety_records(&self) -> Vec<VersionedRecord> {
        let version = self.metadata_version();
        let configs = &self.image.configs;
        let mut records = Vec::new();
        if configs
            .value(&ConfigResource::cluster(), MIN_INSYNC_REPLICAS)
            .is_none()
        {
            records.push(self.cluster_min_isr_record().at(version));
        }
        for (resource, values) in configs.iter() {
            if resource.kind == ResourceType::BROKER
                && !resource.name.is_empty()
                && values.contains_key(MIN_INSYNC_REPLICAS)
            {
                let record = ConfigRecord {
                    resource_type: resource.kind.0,
                    resource_name: resource.name.clone(),
                    name: MIN_INSYNC_REPLICAS.to_owned(),
                    value: None,
                    ..ConfigRecord::default()
                };
                records.push(MetadataRecord::from(record).at(version));
            }
        }
        records
    }
}

fn refused(refusal: &FeatureRefusal) -> UpdateFeaturesResponse {
    UpdateFeaturesResponse {
        error_code: refusal.code().code(),
        error_message: Some(format!(
            "The update failed for all features since the following feature had an error: {refusal}"
        )),
        ..UpdateFeaturesResponse::default()
    }
}
