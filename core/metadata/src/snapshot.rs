//! From an image back to records: what a snapshot of the metadata log holds.

use ottla_protocol::messages::client_quota_record::EntityData;
use ottla_protocol::messages::{
    AccessControlEntryRecord, ClientQuotaRecord, ConfigRecord, DelegationTokenRecord,
    FeatureLevelRecord, ProducerIdsRecord, TopicRecord, UserScramCredentialRecord,
};

use crate::features::{METADATA_VERSION, MetadataVersion};
use crate::image::MetadataImage;
use crate::record::{MetadataRecord, VersionedRecord};

impl MetadataImage {
    /// Hands the records that make this image to `sink`, in the order in which Kafka writes them:
    /// features (`metadata.version` first, since it decides how the rest is read), brokers and
    /// controllers, topics each with its partitions, configs, quotas, producer ids, access control
    /// entries, SCRAM credentials, delegation tokens.
    ///
    /// What the finalized `metadata.version` cannot express is left out.
    pub fn write(&self, sink: &mut dyn FnMut(VersionedRecord)) {
        let version = self.features.metadata_version_or_minimum();
        let mut put = |record: MetadataRecord| sink(record.at(version));
        self.write_features(&mut put);
        for broker in self.cluster.brokers.values() {
            put(broker.to_record(version).into());
        }
        if version.supports_controller_registration() {
            for controller in self.cluster.controllers.values() {
                put(controller.to_record().into());
            }
        }
        self.write_topics(version, &mut put);
        self.write_configs(&mut put);
        self.write_quotas(&mut put);
        if let Some(next_producer_id) = self.next_producer_id {
            let record = ProducerIdsRecord {
                broker_id: -1,
                broker_epoch: -1,
                next_producer_id,
                ..ProducerIdsRecord::default()
            };
            put(record.into());
        }
        self.write_security(version, &mut put);
    }

    fn write_features(&self, put: &mut dyn FnMut(MetadataRecord)) {
        for (name, feature_level) in self.features.finalized() {
            debug_assert!(
                feature_level > 0 || name == METADATA_VERSION,
                "off is not recorded"
            );
            let record = FeatureLevelRecord {
                name: name.to_owned(),
                feature_level,
                ..FeatureLevelRecord::default()
            };
            put(record.into());
        }
    }

    fn write_topics(&self, version: MetadataVersion, put: &mut dyn FnMut(MetadataRecord)) {
        let elr = self.features.elr_enabled() && version.supports_elr();
        let directories = version.supports_directory_assignment();
        for topic in self.topics.iter() {
            let record = TopicRecord {
                name: topic.name.to_string(),
                topic_id: topic.id.0,
                ..TopicRecord::default()
            };
            put(record.into());
            for (&index, partition) in &topic.partitions {
                put(partition
                    .to_record(topic.id, index, elr, directories)
                    .into());
            }
        }
    }

    fn write_configs(&self, put: &mut dyn FnMut(MetadataRecord)) {
        for (resource, configs) in self.configs.iter() {
            for (key, value) in configs {
                let record = ConfigRecord {
                    resource_type: resource.kind.0,
                    resource_name: resource.name.clone(),
                    name: key.clone(),
                    value: Some(value.clone()),
                    ..ConfigRecord::default()
                };
                put(record.into());
            }
        }
    }

    fn write_quotas(&self, put: &mut dyn FnMut(MetadataRecord)) {
        for (entity, values) in &self.client_quotas.entities {
            for (key, &value) in values {
                let entity = entity
                    .iter()
                    .map(|(entity_type, entity_name)| EntityData {
                        entity_type: entity_type.clone(),
                        entity_name: entity_name.clone(),
                        ..EntityData::default()
                    })
                    .collect();
                let record = ClientQuotaRecord {
                    entity,
                    key: key.clone(),
                    value,
                    remove: false,
                    ..ClientQuotaRecord::default()
                };
                put(record.into());
            }
        }
    }

    fn write_security(&self, version: MetadataVersion, put: &mut dyn FnMut(MetadataRecord)) {
        for (id, acl) in self.acls.iter() {
            let record = AccessControlEntryRecord {
                id,
                resource_type: acl.resource_type,
                resource_name: acl.resource_name.clone(),
                pattern_type: acl.pattern_type,
                principal: acl.principal.clone(),
                host: acl.host.clone(),
                operation: acl.operation,
                permission_type: acl.permission_type,
                ..AccessControlEntryRecord::default()
            };
            put(record.into());
        }
        if version.supports_scram() {
            for ((mechanism, name), credential) in &self.scram.credentials {
                let record = UserScramCredentialRecord {
                    name: name.clone(),
                    mechanism: *mechanism,
                    salt: credential.salt.clone(),
                    stored_key: credential.stored_key.clone(),
                    server_key: credential.server_key.clone(),
                    iterations: credential.iterations,
                    ..UserScramCredentialRecord::default()
                };
                put(record.into());
            }
        }
        if version.supports_delegation_tokens() {
            for (token_id, token) in &self.delegation_tokens.tokens {
                let record = DelegationTokenRecord {
                    owner: token.owner.clone(),
                    requester: token.requester.clone(),
                    renewers: token.renewers.clone(),
                    issue_timestamp: token.issue_timestamp,
                    max_timestamp: token.max_timestamp,
                    expiration_timestamp: token.expiration_timestamp,
                    token_id: token_id.clone(),
                    ..DelegationTokenRecord::default()
                };
                put(record.into());
            }
        }
    }
}
