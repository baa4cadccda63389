//! Dynamic configs: IncrementalAlterConfigs (KIP-339) and the older AlterConfigs, which replaces all
//! that a resource has.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::NodeId;
use ottla_metadata::{ConfigResource, Configs, MetadataRecord, ResourceType, VersionedRecord};
use ottla_protocol::messages::alter_configs_response;
use ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, ClearElrRecord, ConfigRecord,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use crate::context::{Outcome, UserRecords};
use crate::controller::Controller;
use crate::refusal::{ConfigRefusal, Refusal, WireRefusal};
use crate::replication_control::MIN_INSYNC_REPLICAS;

const CORDONED_LOG_DIRS: &str = "cordoned.log.dirs";

/// Longest value, in UTF-16 units as Kafka counts.
const VALUE_MAX: usize = 32_767;

/// What to do with one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl Operation {
    fn from_id(id: i8) -> Result<Self, ConfigRefusal> {
        Ok(match id {
            0 => Self::Set,
            1 => Self::Delete,
            2 => Self::Append,
            3 => Self::Subtract,
            other => return Err(ConfigRefusal::UnknownOperation(other)),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Delete => "DELETE",
            Self::Append => "APPEND",
            Self::Subtract => "SUBTRACT",
        }
    }
}

/// A change of one key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alteration<'a> {
    pub(crate) operation: Operation,
    pub(crate) value: Option<&'a str>,
}

impl Controller {
    /// Changes single keys of resources; each resource is changed or refused on its own.
    ///
    /// # Errors
    /// [`TopicRefusal::BatchTooLarge`](crate::TopicRefusal::BatchTooLarge); nothing changes then.
    pub fn incremental_alter_configs(
        &self,
        request: &IncrementalAlterConfigsRequest,
    ) -> Result<Outcome<IncrementalAlterConfigsResponse>, Refusal> {
        let mut sorted = Sorter::default();
        for (index, resource) in request.resources.iter().enumerate() {
            sorted.add(index, resource.resource_type, &resource.resource_name);
        }
        let mut records = UserRecords::default();
        let mut response = IncrementalAlterConfigsResponse::default();
        for (resource, refusal) in sorted.refused {
            response
                .responses
                .push(incremental_answer(&resource, Some(&refusal.into())));
        }
        for (resource, index) in sorted.accepted {
            let decided = self.alter_incrementally(&resource, &request.resources[index].configs);
            let refusal = collect(decided, &mut records)?;
            response
                .responses
                .push(incremental_answer(&resource, refusal.as_ref()));
        }
        let outcome = Outcome::atomic(self.with_clear_elr(records)?, response);
        Ok(if request.validate_only {
            outcome.without_records()
        } else {
            outcome
        })
    }

    fn alter_incrementally(
        &self,
        resource: &ConfigResource,
        configs: &[ottla_protocol::messages::incremental_alter_configs_request::AlterableConfig],
    ) -> Result<Vec<VersionedRecord>, Refusal> {
        let mut alterations = BTreeMap::new();
        for config in configs {
            let operation = Operation::from_id(config.config_operation)?;
            let alteration = Alteration {
                operation,
                value: config.value.as_deref(),
            };
            alterations.insert(config.name.as_str(), alteration);
        }
        self.alter_resource(resource, &alterations, false)
    }

    /// Replaces all that resources have; each resource is changed or refused on its own.
    ///
    /// # Errors
    /// [`TopicRefusal::BatchTooLarge`](crate::TopicRefusal::BatchTooLarge); nothing changes then.
    pub fn alter_configs(
        &self,
        request: &AlterConfigsRequest,
    ) -> Result<Outcome<AlterConfigsResponse>, Refusal> {
        let mut sorted = Sorter::default();
        for (index, resource) in request.resources.iter().enumerate() {
            sorted.add(index, resource.resource_type, &resource.resource_name);
        }
        let mut records = UserRecords::default();
        let mut response = AlterConfigsResponse::default();
        for (resource, refusal) in sorted.refused {
            response
                .responses
                .push(answer(&resource, Some(&refusal.into())));
        }
        for (resource, index) in sorted.accepted {
            let configs: BTreeMap<&str, Option<&str>> = request.resources[index]
                .configs
                .iter()
                .map(|config| (config.name.as_str(), config.value.as_deref()))
                .collect();
            let refusal = collect(self.replace_configs(&resource, &configs), &mut records)?;
            response.responses.push(answer(&resource, refusal.as_ref()));
        }
        let outcome = Outcome::atomic(self.with_clear_elr(records)?, response);
        Ok(if request.validate_only {
            outcome.without_records()
        } else {
            outcome
        })
    }

    fn replace_configs(
        &self,
        resource: &ConfigResource,
        configs: &BTreeMap<&str, Option<&str>>,
    ) -> Result<Vec<VersionedRecord>, Refusal> {
        let present = self.image.configs.of(resource);
        let altered = configs
            .iter()
            .map(|(&key, value)| (key, value.map(str::to_owned)))
            .filter(|(key, value)| is_recorded(resource, present, key, value.as_deref()));
        let implied = present
            .keys()
            .filter(|key| !configs.contains_key(key.as_str()))
            .map(|key| (key.as_str(), None));
        let changes: Vec<(&str, Option<String>)> = altered.chain(implied).collect();
        self.check_changes(resource, &changes, false)?;
        Ok(self.config_records(resource, changes))
    }

    /// The records that change `resource`; `new` if it is about to be made in the same request.
    pub(crate) fn alter_resource(
        &self,
        resource: &ConfigResource,
        alterations: &BTreeMap<&str, Alteration<'_>>,
        new: bool,
    ) -> Result<Vec<VersionedRecord>, Refusal> {
        let present = self.image.configs.of(resource);
        let mut changes = Vec::new();
        for (&key, alteration) in alterations {
            let value = self.altered_value(resource, present, key, *alteration)?;
            if is_recorded(resource, present, key, value.as_deref()) {
                changes.push((key, value));
            }
        }
        self.check_changes(resource, &changes, new)?;
        Ok(self.config_records(resource, changes))
    }

    fn altered_value(
        &self,
        resource: &ConfigResource,
        present: &Configs,
        key: &str,
        alteration: Alteration<'_>,
    ) -> Result<Option<String>, ConfigRefusal> {
        let Alteration { operation, value } = alteration;
        match operation {
            Operation::Set => return Ok(value.map(str::to_owned)),
            Operation::Delete => return Ok(None),
            Operation::Append | Operation::Subtract => {}
        }
        if !self.schema.is_list(resource.kind, key) {
            let operation = operation.name();
            return Err(ConfigRefusal::NotAList {
                operation,
                key: key.to_owned(),
            });
        }
        let base = present
            .get(key)
            .cloned()
            .or_else(|| self.schema.default_value(resource.kind, key))
            .unwrap_or_default();
        let mut entries: Vec<&str> = base.split(',').filter(|entry| !entry.is_empty()).collect();
        for entry in value.unwrap_or_default().split(',') {
            let position = entries.iter().position(|known| *known == entry);
            match (operation, position) {
                (Operation::Append, None) => entries.push(entry),
                (Operation::Subtract, Some(position)) => {
                    entries.remove(position);
                }
                _ => {}
            }
        }
        Ok(Some(entries.join(",")))
    }

    /// Checks what `resource` would have after `changes`.
    fn check_changes(
        &self,
        resource: &ConfigResource,
        changes: &[(&str, Option<String>)],
        new: bool,
    ) -> Result<(), ConfigRefusal> {
        let existing = self.image.configs.of(resource);
        let mut configs = existing.clone();
        for (key, value) in changes {
            self.check_key(resource, key, value.as_deref())?;
            match value {
                Some(value) => configs.insert((*key).to_owned(), value.clone()),
                None => configs.remove(*key),
            };
        }
        self.schema.validate(resource, &configs, existing)?;
        if new {
            Ok(())
        } else {
            self.check_exists(resource)
        }
    }

    fn check_key(
        &self,
        resource: &ConfigResource,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), ConfigRefusal> {
        let of_brokers = resource.kind == ResourceType::BROKER;
        if of_brokers && key == MIN_INSYNC_REPLICAS && self.image.features.elr_enabled() {
            if !resource.name.is_empty() {
                return Err(ConfigRefusal::BrokerMinIsr);
            }
            if value.is_none() {
                return Err(ConfigRefusal::ClusterMinIsr);
            }
        }
        if of_brokers
            && key == CORDONED_LOG_DIRS
            && !self.metadata_version().supports_cordoned_log_dirs()
        {
            return Err(ConfigRefusal::CordonedUnsupported);
        }
        let too_long =
            |text: &str| text.len() > VALUE_MAX && text.encode_utf16().count() > VALUE_MAX;
        if value.is_some_and(too_long) {
            return Err(ConfigRefusal::ValueTooLong);
        }
        Ok(())
    }

    fn check_exists(&self, resource: &ConfigResource) -> Result<(), ConfigRefusal> {
        let name = &resource.name;
        match resource.kind {
            ResourceType::TOPIC if self.image.topics.id(name).is_none() => {
                Err(ConfigRefusal::UnknownTopic(name.clone()))
            }
            ResourceType::BROKER if !name.is_empty() => {
                let id = name.parse().map(NodeId).ok();
                let known = id.is_some_and(|id| {
                    self.image.cluster.brokers.contains_key(&id)
                        || self.image.cluster.controllers.contains_key(&id)
                });
                if known {
                    Ok(())
                } else {
                    Err(ConfigRefusal::UnknownBroker(name.clone()))
                }
            }
            _ => Ok(()),
        }
    }

    fn config_records(
        &self,
        resource: &ConfigResource,
        changes: Vec<(&str, Option<String>)>,
    ) -> Vec<VersionedRecord> {
        let record = |(name, value): (&str, Option<String>)| {
            let record = ConfigRecord {
                resource_type: resource.kind.0,
                resource_name: resource.name.clone(),
                name: name.to_owned(),
                value,
                ..ConfigRecord::default()
            };
            MetadataRecord::from(record).at(self.metadata_version())
        };
        changes.into_iter().map(record).collect()
    }

    fn with_clear_elr(&self, mut records: UserRecords) -> Result<Vec<VersionedRecord>, Refusal> {
        records.extend(self.clear_elr_records(records.as_slice()))?;
        Ok(records.into_vec())
    }

    /// Who left an ISR under one `min.insync.replicas` need not be eligible under another (KIP-966).
    pub(crate) fn clear_elr_records(&self, records: &[VersionedRecord]) -> Vec<VersionedRecord> {
        if !self.image.features.elr_enabled() {
            return Vec::new();
        }
        let clear = |record: &VersionedRecord| match &record.record {
            MetadataRecord::Config(config) if config.name == MIN_INSYNC_REPLICAS => {
                let of_topic = config.resource_type == ResourceType::TOPIC.0;
                let topic_name = if of_topic {
                    config.resource_name.clone()
                } else {
                    String::new()
                };
                let record = ClearElrRecord {
                    topic_name,
                    ..ClearElrRecord::default()
                };
                Some(MetadataRecord::from(record).at(self.metadata_version()))
            }
            _ => None,
        };
        records.iter().filter_map(clear).collect()
    }
}

/// A value that stays is not recorded, except of brokers: they reload the files that it names.
fn is_recorded(
    resource: &ConfigResource,
    present: &Configs,
    key: &str,
    value: Option<&str>,
) -> bool {
    resource.kind == ResourceType::BROKER || present.get(key).map(String::as_str) != value
}

/// Resources of a request, those that cannot be changed apart.
#[derive(Default)]
struct Sorter {
    seen: BTreeSet<ConfigResource>,
    /// With the index in the request.
    accepted: Vec<(ConfigResource, usize)>,
    refused: Vec<(ConfigResource, ConfigRefusal)>,
}

impl Sorter {
    fn add(&mut self, index: usize, kind: i8, name: &str) {
        let resource = ConfigResource {
            kind: ResourceType(kind),
            name: name.to_owned(),
        };
        if !resource.kind.is_known() {
            self.refused
                .push((resource, ConfigRefusal::UnknownResourceType(kind)));
            return;
        }
        if self.seen.insert(resource.clone()) {
            self.accepted.push((resource, index));
            return;
        }
        // Refused once, however often it stands there.
        let first = self
            .accepted
            .iter()
            .position(|(known, _)| *known == resource);
        if let Some(first) = first {
            let (resource, _) = self.accepted.remove(first);
            self.refused
                .push((resource, ConfigRefusal::DuplicateResource));
        }
    }
}

/// Keeps the records of a resource; gives back why it was refused. What ends the request is the error.
fn collect(
    decided: Result<Vec<VersionedRecord>, Refusal>,
    records: &mut UserRecords,
) -> Result<Option<Refusal>, Refusal> {
    match decided {
        Ok(changed) => {
            records.extend(changed)?;
            Ok(None)
        }
        Err(refusal) => Ok(Some(refusal)),
    }
}

fn incremental_answer(
    resource: &ConfigResource,
    refusal: Option<&Refusal>,
) -> AlterConfigsResourceResponse {
    AlterConfigsResourceResponse {
        error_code: refusal.map_or(0, |refusal| refusal.code().code()),
        error_message: refusal.and_then(WireRefusal::message),
        resource_type: resource.kind.0,
        resource_name: resource.name.clone(),
    }
}

fn answer(
    resource: &ConfigResource,
    refusal: Option<&Refusal>,
) -> alter_configs_response::AlterConfigsResourceResponse {
    alter_configs_response::AlterConfigsResourceResponse {
        error_code: refusal.map_or(0, |refusal| refusal.code().code()),
        error_message: refusal.and_then(WireRefusal::message),
        resource_type: resource.kind.0,
        resource_name: resource.name.clone(),
    }
}
