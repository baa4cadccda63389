//! What each record does to an image.

use std::sync::Arc;

use ottla_base::{NodeId, TopicId};
use ottla_protocol::messages::{
    BrokerRegistrationChangeRecord, ClearElrRecord, ClientQuotaRecord, DelegationTokenRecord,
    FeatureLevelRecord, PartitionChangeRecord, PartitionRecord, ProducerIdsRecord,
    UnregisterBrokerRecord, UserScramCredentialRecord,
};

use super::cluster::{BrokerRegistration, ControllerRegistration};
use super::configs::{ConfigResource, ResourceType};
use super::partition::PartitionRegistration;
use super::security::{Acl, DelegationToken, ScramCredential};
use super::{MetadataImage, topics::TopicImage};
use crate::error::ReplayError;
use crate::features::{self, KRAFT_VERSION, METADATA_VERSION, MetadataVersion};
use crate::record::MetadataRecord;

impl MetadataImage {
    /// Does what `record` says. Does not know transactions: who calls holds them back.
    ///
    /// # Errors
    /// [`ReplayError`] if the record does not fit what the image holds; the image is then of no use.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<(), ReplayError> {
        use MetadataRecord as R;
        match record {
            R::RegisterBroker(record) => {
                let registration = BrokerRegistration::from_record(record);
                let cluster = Arc::make_mut(&mut self.cluster);
                cluster
                    .brokers
                    .insert(registration.id, Arc::new(registration));
                Ok(())
            }
            R::UnregisterBroker(record) => self.unregister_broker(record),
            R::FenceBroker(record) => {
                self.change_broker(record.id, record.epoch, |broker| broker.fenced = true)
            }
            R::UnfenceBroker(record) => {
                self.change_broker(record.id, record.epoch, |broker| broker.fenced = false)
            }
            R::BrokerRegistrationChange(record) => self.change_registration(record),
            R::RegisterController(record) => {
                let registration = ControllerRegistration::from_record(record);
                let cluster = Arc::make_mut(&mut self.cluster);
                cluster
                    .controllers
                    .insert(registration.id, Arc::new(registration));
                Ok(())
            }
            R::UnregisterController(record) => {
                let id = NodeId(record.controller_id);
                let removed = Arc::make_mut(&mut self.cluster).controllers.remove(&id);
                removed
                    .map(|_| ())
                    .ok_or(ReplayError::UnknownController(id))
            }
            R::Topic(record) => self.topics.create(TopicId(record.topic_id), &record.name),
            R::Partition(record) => self.put_partition(record),
            R::PartitionChange(record) => self.change_partition(record),
            R::RemoveTopic(record) => {
                let topic = self.topics.remove(TopicId(record.topic_id))?;
                self.configs.remove(&ConfigResource::topic(&*topic.name));
                Ok(())
            }
            R::ClearElr(record) => self.clear_elr(record),
            R::Config(record) => {
                let resource = ConfigResource {
                    kind: ResourceType(record.resource_type),
                    name: record.resource_name.clone(),
                };
                self.configs
                    .set(resource, &record.name, record.value.as_deref());
                Ok(())
            }
            R::FeatureLevel(record) => self.set_feature(record),
            R::ProducerIds(record) => self.set_producer_ids(record),
            R::ClientQuota(record) => {
                self.set_quota(record);
                Ok(())
            }
            R::UserScramCredential(record) => {
                self.set_scram(record);
                Ok(())
            }
            R::RemoveUserScramCredential(record) => {
                let key = (record.mechanism, record.name.clone());
                Arc::make_mut(&mut self.scram).credentials.remove(&key);
                Ok(())
            }
            R::DelegationToken(record) => {
                self.set_token(record);
                Ok(())
            }
            R::RemoveDelegationToken(record) => {
                Arc::make_mut(&mut self.delegation_tokens)
                    .tokens
                    .remove(&record.token_id);
                Ok(())
            }
            R::AccessControlEntry(record) => {
                let acl = Acl {
                    resource_type: record.resource_type,
                    resource_name: record.resource_name.clone(),
                    pattern_type: record.pattern_type,
                    principal: record.principal.clone(),
                    host: record.host.clone(),
                    operation: record.operation,
                    permission_type: record.permission_type,
                };
                self.acls.insert(record.id, acl);
                Ok(())
            }
            R::RemoveAccessControlEntry(record) => match self.acls.remove(record.id) {
                true => Ok(()),
                false => Err(ReplayError::UnknownAcl(record.id)),
            },
            // The migration from ZooKeeper is over; transactions are the caller's.
            R::ZkMigrationState(_)
            | R::NoOp(_)
            | R::BeginTransaction(_)
            | R::EndTransaction(_)
            | R::AbortTransaction(_) => Ok(()),
        }
    }

    fn unregister_broker(&mut self, record: &UnregisterBrokerRecord) -> Result<(), ReplayError> {
        let id = NodeId(record.broker_id);
        let known = self
            .cluster
            .broker(id)
            .is_some_and(|b| b.epoch.0 == record.broker_epoch);
        if !known {
            return Err(ReplayError::UnknownBroker {
                broker: id,
                epoch: record.broker_epoch,
            });
        }
        Arc::make_mut(&mut self.cluster).brokers.remove(&id);
        Ok(())
    }

    fn change_broker(
        &mut self,
        id: i32,
        epoch: i64,
        change: impl FnOnce(&mut BrokerRegistration),
    ) -> Result<(), ReplayError> {
        let unknown = ReplayError::UnknownBroker {
            broker: NodeId(id),
            epoch,
        };
        let cluster = Arc::make_mut(&mut self.cluster);
        let Some(broker) = cluster.brokers.get_mut(&NodeId(id)) else {
            return Err(unknown);
        };
        if broker.epoch.0 != epoch {
            return Err(unknown);
        }
        change(Arc::make_mut(broker));
        Ok(())
    }

    fn change_registration(
        &mut self,
        record: &BrokerRegistrationChangeRecord,
    ) -> Result<(), ReplayError> {
        let illegal = |field, value: i8| ReplayError::IllegalValue {
            field,
            value: value.into(),
        };
        let fenced = match record.fenced {
            -1 => Some(false),
            0 => None,
            1 => Some(true),
            other => return Err(illegal("fenced", other)),
        };
        let in_controlled_shutdown = match record.in_controlled_shutdown {
            0 => None,
            1 => Some(true),
            other => return Err(illegal("in_controlled_shutdown", other)),
        };
        self.change_broker(record.broker_id, record.broker_epoch, |broker| {
            broker.fenced = fenced.unwrap_or(broker.fenced);
            broker.in_controlled_shutdown =
                in_controlled_shutdown.unwrap_or(broker.in_controlled_shutdown);
            if !record.log_dirs.is_empty() {
                broker.directories.clone_from(&record.log_dirs);
                broker.directories.sort_unstable();
            }
            if record.cordoned_log_dirs.is_some() {
                broker
                    .cordoned_directories
                    .clone_from(&record.cordoned_log_dirs);
            }
        })
    }

    fn put_partition(&mut self, record: &PartitionRecord) -> Result<(), ReplayError> {
        let partition = PartitionRegistration::from_record(record)?;
        let topic = self.topics.topic_mut(TopicId(record.topic_id))?;
        topic
            .partitions
            .insert(record.partition_id, Arc::new(partition));
        Ok(())
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), ReplayError> {
        let id = TopicId(record.topic_id);
        let topic = self.topics.topic_mut(id)?;
        let partition = topic.partitions.get_mut(&record.partition_id).ok_or(
            ReplayError::UnknownPartition {
                topic: id,
                partition: record.partition_id,
            },
        )?;
        *partition = Arc::new(partition.merge(record)?);
        Ok(())
    }

    fn clear_elr(&mut self, record: &ClearElrRecord) -> Result<(), ReplayError> {
        let ids: Vec<TopicId> = if record.topic_name.is_empty() {
            self.topics
                .iter()
                .filter(|topic| has_elr(topic))
                .map(|topic| topic.id)
                .collect()
        } else {
            let id = self.topics.id(&record.topic_name);
            vec![id.ok_or_else(|| ReplayError::UnknownTopicName(record.topic_name.clone()))?]
        };
        let change = PartitionChangeRecord {
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            ..PartitionChangeRecord::default()
        };
        for id in ids {
            for partition in self.topics.topic_mut(id)?.partitions.values_mut() {
                if !partition.elr.is_empty() || !partition.last_known_elr.is_empty() {
                    *partition = Arc::new(partition.merge(&change)?);
                }
            }
        }
        Ok(())
    }

    fn set_feature(&mut self, record: &FeatureLevelRecord) -> Result<(), ReplayError> {
        let level = record.feature_level;
        let supported = features::supported()
            .find(|(name, ..)| *name == record.name)
            .map_or(level == 0, |(_, min, max)| (min..=max).contains(&level));
        if !supported {
            return Err(ReplayError::UnsupportedFeature {
                name: record.name.clone(),
                level,
            });
        }
        let features = Arc::make_mut(&mut self.features);
        match record.name.as_str() {
            METADATA_VERSION => features.metadata_version = MetadataVersion::from_level(level),
            // Kept in control records.
            KRAFT_VERSION => {}
            name if level == 0 => {
                features.levels.remove(name);
            }
            name => {
                features.levels.insert(name.to_owned(), level);
            }
        }
        Ok(())
    }

    fn set_producer_ids(&mut self, record: &ProducerIdsRecord) -> Result<(), ReplayError> {
        if let Some(from) = self.next_producer_id
            && record.next_producer_id <= from
        {
            return Err(ReplayError::ProducerIdsGoBack {
                from,
                to: record.next_producer_id,
            });
        }
        self.next_producer_id = Some(record.next_producer_id);
        Ok(())
    }

    fn set_quota(&mut self, record: &ClientQuotaRecord) {
        let mut entity: Vec<_> = record
            .entity
            .iter()
            .map(|part| (part.entity_type.clone(), part.entity_name.clone()))
            .collect();
        entity.sort_unstable();
        let entities = &mut Arc::make_mut(&mut self.client_quotas).entities;
        if !record.remove {
            entities
                .entry(entity)
                .or_default()
                .insert(record.key.clone(), record.value);
            return;
        }
        if let Some(values) = entities.get_mut(&entity) {
            values.remove(&record.key);
            if values.is_empty() {
                entities.remove(&entity);
            }
        }
    }

    fn set_scram(&mut self, record: &UserScramCredentialRecord) {
        let credential = ScramCredential {
            salt: record.salt.clone(),
            stored_key: record.stored_key.clone(),
            server_key: record.server_key.clone(),
            iterations: record.iterations,
        };
        let key = (record.mechanism, record.name.clone());
        Arc::make_mut(&mut self.scram)
            .credentials
            .insert(key, credential);
    }

    fn set_token(&mut self, record: &DelegationTokenRecord) {
        let token = DelegationToken {
            owner: record.owner.clone(),
            requester: record.requester.clone(),
            renewers: record.renewers.clone(),
            issue_timestamp: record.issue_timestamp,
            max_timestamp: record.max_timestamp,
            expiration_timestamp: record.expiration_timestamp,
        };
        let tokens = &mut Arc::make_mut(&mut self.delegation_tokens).tokens;
        tokens.insert(record.token_id.clone(), token);
    }
}

fn has_elr(topic: &TopicImage) -> bool {
    topic
        .partitions
        .values()
        .any(|p| !p.elr.is_empty() || !p.last_known_elr.is_empty())
}
