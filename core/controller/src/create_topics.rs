//! CreateTopics: names, assignments, configs and placement of new topics.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::{LeaderEpoch, Uuid};
use ottla_base::{NodeId, PartitionEpoch, TopicId};
use ottla_metadata::{
    ConfigResource, LeaderRecoveryState, MetadataRecord, PartitionRegistration, VersionedRecord,
};
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::create_topics_response::CreatableTopicResult;
use ottla_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicRecord};

use crate::configuration_control::{Alteration, Operation};
use crate::context::{Context, Outcome, UserRecords};
use crate::controller::Controller;
use crate::placement::{Placement, PlacementBroker, place};
use crate::refusal::{Refusal, TopicRefusal, Unplaceable, WireRefusal};
use crate::topic_name::check_topic_name;

/// Most partitions of one request.
const PARTITIONS_PER_REQUEST_MAX: i64 = 10_000;

/// The metadata log, which nobody may make as a topic.
const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// Use the default.
const DEFAULT: i32 = -1;

impl Controller {
    /// Makes topics; each is made or refused on its own. The configs in force are for the caller to
    /// fill in.
    ///
    /// # Errors
    /// [`TopicRefusal::TooManyPartitions`] or [`TopicRefusal::BatchTooLarge`]; nothing is made then.
    pub fn create_topics(
        &self,
        ctx: &mut Context<'_>,
        request: &CreateTopicsRequest,
    ) -> Result<Outcome<CreateTopicsResponse>, Refusal> {
        let mut seen = BTreeSet::new();
        let repeated: BTreeSet<&str> = request
            .topics
            .iter()
            .map(|topic| topic.name.as_str())
            .filter(|name| !seen.insert(*name))
            .collect();
        let wanted: Vec<&CreatableTopic> = request
            .topics
            .iter()
            .filter(|topic| {
                !repeated.contains(topic.name.as_str()) && topic.name != CLUSTER_METADATA_TOPIC
            })
            .collect();
        self.check_partition_total(&wanted)?;

        let mut records = UserRecords::default();
        let mut response = CreateTopicsResponse::default();
        for topic in wanted {
            let result = match self.create_topic(ctx, topic)? {
                Ok(created) => {
                    records.extend(created.records)?;
                    created.result
                }
                Err(refusal) => refused(&topic.name, &refusal),
            };
            response.topics.push(result);
        }
        let duplicates = repeated
            .iter()
            .map(|name| refused(name, &TopicRefusal::DuplicateName));
        response.topics.extend(duplicates);
        if seen.contains(CLUSTER_METADATA_TOPIC) && !repeated.contains(CLUSTER_METADATA_TOPIC) {
            let refusal = TopicRefusal::Internal(CLUSTER_METADATA_TOPIC);
            response
                .topics
                .push(refused(CLUSTER_METADATA_TOPIC, &refusal));
        }
        let outcome = Outcome::atomic(records.into_vec(), response);
        Ok(if request.validate_only {
            outcome.without_records()
        } else {
            outcome
        })
    }

    fn check_partition_total(&self, topics: &[&CreatableTopic]) -> Result<(), TopicRefusal> {
        let mut total: i64 = 0;
        for topic in topics {
            total += match (topic.assignments.len(), topic.num_partitions) {
                (0, DEFAULT) => i64::from(self.config.num_partitions),
                (0, count) => i64::from(count.max(0)),
                (assigned, _) => i64::try_from(assigned).unwrap_or(i64::MAX),
            };
            if total > PARTITIONS_PER_REQUEST_MAX {
                return Err(TopicRefusal::TooManyPartitions);
            }
        }
        Ok(())
    }

    /// The outer error ends the request, the inner one refuses the topic.
    fn create_topic(
        &self,
        ctx: &mut Context<'_>,
        topic: &CreatableTopic,
    ) -> Result<Result<Created, Refusal>, Refusal> {
        match self.decide_topic(ctx, topic) {
            Err(Refusal::Topic(fatal @ TopicRefusal::BatchTooLarge)) => Err(fatal.into()),
            decided => Ok(decided),
        }
    }

    fn decide_topic(
        &self,
        ctx: &mut Context<'_>,
        topic: &CreatableTopic,
    ) -> Result<Created, Refusal> {
        self.check_new_name(&topic.name)?;
        let config_records = self.creation_configs(&topic.name, &topic.configs)?;
        let partitions = if topic.assignments.is_empty() {
            self.place_topic(ctx, topic)?
        } else {
            self.assigned_partitions(topic)?
        };

        let version = self.metadata_version();
        let topic_id = TopicId((ctx.new_id)());
        let record = TopicRecord {
            name: topic.name.clone(),
            topic_id: topic_id.0,
            ..Default::default()
        };
        let mut records = vec![MetadataRecord::from(record).at(version)];
        records.extend(config_records);
        for (partition, index) in partitions.iter().zip(0..) {
            records.push(self.partition_record(partition, topic_id, index));
        }
        let factor = partitions
            .first()
            .map_or(0, |partition| partition.replicas.len());
        let result = CreatableTopicResult {
            name: topic.name.clone(),
            topic_id: topic_id.0,
            error_message: None,
            num_partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
            ..CreatableTopicResult::default()
        };
        Ok(Created { records, result })
    }

    fn check_new_name(&self, name: &str) -> Result<(), TopicRefusal> {
        // Kafka's order: a name that exists is told so, even where it also collides.
        if self.image.topics.id(name).is_some() {
            return Err(TopicRefusal::Exists(name.to_owned()));
        }
        if let Some(existing) = self.index.colliding_name(name) {
            return Err(TopicRefusal::Collision {
                name: name.to_owned(),
                existing: existing.to_owned(),
            });
        }
        Ok(check_topic_name(name)?)
    }

    fn creation_configs(
        &self,
        name: &str,
        configs: &[CreatableTopicConfig],
    ) -> Result<Vec<VersionedRecord>, Refusal> {
        let nulls: Vec<&str> = configs
            .iter()
            .filter(|config| config.value.is_none())
            .map(|config| config.name.as_str())
            .collect();
        if !nulls.is_empty() {
            return Err(TopicRefusal::NullConfigs(nulls.join(",")).into());
        }
        if configs.is_empty() {
            return Ok(Vec::new());
        }
        let mut alterations = BTreeMap::new();
        for config in configs {
            let alteration = Alteration {
                operation: Operation::Set,
                value: config.value.as_deref(),
            };
            alterations.insert(config.name.as_str(), alteration);
        }
        let mut records = self.alter_resource(&ConfigResource::topic(name), &alterations, true)?;
        let clear = self.clear_elr_records(&records);
        records.extend(clear);
        Ok(records)
    }

    fn assigned_partitions(
        &self,
        topic: &CreatableTopic,
    ) -> Result<Vec<PartitionRegistration>, TopicRefusal> {
        if topic.replication_factor != -1 {
            return Err(TopicRefusal::FactorWithAssignment);
        }
        if topic.num_partitions != DEFAULT {
            return Err(TopicRefusal::CountWithAssignment);
        }
        let mut partitions = BTreeMap::new();
        let mut factor = None;
        for assignment in &topic.assignments {
            let index = assignment.partition_index;
            if partitions.contains_key(&index) {
                return Err(TopicRefusal::DuplicateAssignment(index));
            }
            let replicas: Vec<NodeId> =
                assignment.broker_ids.iter().map(|&id| NodeId(id)).collect();
            self.check_assignment(&replicas, factor)?;
            factor = Some(replicas.len());
            let partition = self
                .new_partition(&replicas)
                .ok_or(TopicRefusal::AssignmentInactive(index))?;
            partitions.insert(index, partition);
        }
        if !partitions.keys().copied().eq((0..).take(partitions.len())) {
            return Err(TopicRefusal::AssignmentGap);
        }
        Ok(partitions.into_values().collect())
    }

    fn place_topic(
        &self,
        ctx: &mut Context<'_>,
        topic: &CreatableTopic,
    ) -> Result<Vec<PartitionRegistration>, TopicRefusal> {
        let factor = match topic.replication_factor {
            -1 => self.config.default_replication_factor,
            factor if factor > 0 => factor,
            _ => return Err(TopicRefusal::ReplicationFactor),
        };
        let count = match topic.num_partitions {
            DEFAULT => self.config.num_partitions,
            count => count,
        };
        let count = usize::try_from(count).ok().filter(|&count| count > 0);
        let partitions = count.ok_or(TopicRefusal::PartitionCount)?;
        self.place_partitions(ctx, partitions, factor)
            .map_err(|cause| TopicRefusal::NotPlaceable { factor, cause })
    }

    /// New partitions on brokers that the placement chooses.
    pub(crate) fn place_partitions(
        &self,
        ctx: &mut Context<'_>,
        partitions: usize,
        replication_factor: i16,
    ) -> Result<Vec<PartitionRegistration>, Unplaceable> {
        let usable = self
            .image
            .cluster
            .brokers
            .values()
            .filter(|broker| broker.fenced || !broker.in_controlled_shutdown)
            .filter(|broker| broker.has_uncordoned_directory())
            .map(|broker| PlacementBroker {
                id: broker.id,
                rack: broker.rack.clone(),
                fenced: broker.fenced,
            });
        place(
            Placement {
                partitions,
                replication_factor,
            },
            usable,
            ctx.random,
        )?
        .iter()
        .map(|replicas| self.new_partition(replicas).ok_or(Unplaceable::AllInactive))
        .collect()
    }

    /// A partition that begins with all its active replicas in sync and the first of them as leader;
    /// `None` if there is none.
    pub(crate) fn new_partition(&self, replicas: &[NodeId]) -> Option<PartitionRegistration> {
        let active = |node: &NodeId| self.image.cluster.is_active(*node);
        let isr: Box<[NodeId]> = replicas.iter().copied().filter(active).collect();
        let directories: Box<[Uuid]> = replicas
            .iter()
            .map(|&node| self.default_directory(node))
            .collect();
        Some(PartitionRegistration {
            leader: *isr.first()?,
            replicas: replicas.into(),
            directories,
            isr,
            removing_replicas: [].into(),
            adding_replicas: [].into(),
            elr: [].into(),
            last_known_elr: [].into(),
            leader_recovery_state: LeaderRecoveryState::Recovered,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
        })
    }

    pub(crate) fn partition_record(
        &self,
        partition: &PartitionRegistration,
        topic_id: TopicId,
        index: i32,
    ) -> VersionedRecord {
        let version = self.metadata_version();
        let elr = self.image.features.elr_enabled();
        let directories = version.supports_directory_assignment();
        MetadataRecord::from(partition.to_record(topic_id, index, elr, directories)).at(version)
    }

    /// Checks replicas that somebody chose by hand. `factor` is that of the partitions before.
    pub(crate) fn check_assignment(
        &self,
        replicas: &[NodeId],
        factor: Option<usize>,
    ) -> Result<(), TopicRefusal> {
        if replicas.is_empty() {
            return Err(TopicRefusal::AssignmentEmpty);
        }
        let mut sorted = replicas.to_vec();
        sorted.sort_unstable();
        let mut previous = None;
        for &node in &sorted {
            let broker = self.image.cluster.broker(node);
            let broker = broker.ok_or(TopicRefusal::AssignmentUnknownBroker(node))?;
            if !broker.has_uncordoned_directory() {
                return Err(TopicRefusal::AssignmentCordoned(node));
            }
            if previous == Some(node) {
                return Err(TopicRefusal::AssignmentRepeatsBroker(node));
            }
            previous = Some(node);
        }
        match factor {
            Some(expected) if expected != replicas.len() => Err(TopicRefusal::AssignmentFactor {
                found: replicas.len(),
                expected,
            }),
            _ => Ok(()),
        }
    }
}

struct Created {
    records: Vec<VersionedRecord>,
    result: CreatableTopicResult,
}

fn refused(name: &str, refusal: &impl WireRefusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.to_owned(),
        error_code: refusal.code().code(),
        error_message: refusal.message(),
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}
