//! Topics of a cluster, as several tools need them: their names, their partitions, what is configured.

use std::collections::BTreeMap;

use ottla_base::Uuid;
use ottla_client::{Admin, ClientError};
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use ottla_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::*;

use super::java;

/// Partitions that one answer describes unless a tool says otherwise; Kafka's default.
pub(crate) const PARTITIONS_PER_RESPONSE: i32 = 2_000;

/// Type of a topic among the resources that have configs.
pub(crate) const TOPIC_RESOURCE: i8 = 2;

/// A topic in a list.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) internal: bool,
}

/// A topic with its partitions, sorted by number.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) internal: bool,
    pub(crate) partitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) index: i32,
    /// -1 for none.
    pub(crate) leader: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
    /// `None` where the API that was asked does not tell.
    pub(crate) elr: Option<Vec<i32>>,
    pub(crate) last_known_elr: Option<Vec<i32>>,
}

/// All topics, by name.
///
/// # Errors
/// [`ClientError`].
pub(crate) fn list(admin: &mut Admin) -> Result<Vec<Listed>, ClientError> {
    let answer = admin.metadata("listTopics", None)?;
    ClientError::check(answer.error_code, None)?;
    let mut topics: Vec<Listed> = answer
        .topics
        .into_iter()
        .filter_map(|topic| {
            Some(Listed {
                name: topic.name?,
                id: topic.topic_id,
                internal: topic.is_internal,
            })
        })
        .collect();
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(topics)
}

/// Topics by name, in the order in which Kafka's admin client gives them. Servers without
/// DescribeTopicPartitions are asked for Metadata.
///
/// # Errors
/// [`ClientError`], also that of the first topic that cannot be described.
pub(crate) fn describe(
    admin: &mut Admin,
    names: &[String],
    limit: i32,
) -> Result<Vec<Topic>, ClientError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut topics = match with_pages(admin, names, limit) {
        Err(ClientError::UnsupportedApi { .. }) => with_metadata(admin, names)?,
        other => other?,
    };
    java::map_order(&mut topics, names.len(), |topic| {
        java::string_hash(&topic.name)
    });
    Ok(topics)
}

fn with_pages(admin: &mut Admin, names: &[String], limit: i32) -> Result<Vec<Topic>, ClientError> {
    let mut names: Vec<&String> = names.iter().collect();
    names.sort_unstable();
    let mut found = BTreeMap::<String, Topic>::new();
    let mut from: Option<(String, i32)> = None;
    loop {
        let mut request = DescribeTopicPartitionsRequest::default();
        request.response_partition_limit = limit;
        request.topics = names
            .iter()
            .filter(|name| from.as_ref().is_none_or(|(first, _)| **name >= first))
            .map(|name| {
                let mut topic = TopicRequest::default();
                topic.name = (*name).clone();
                topic
            })
            .collect();
        request.cursor = from.as_ref().map(|(name, index)| {
            let mut cursor = Cursor::default();
            cursor.topic_name.clone_from(name);
            cursor.partition_index = *index;
            cursor
        });
        let answer = admin.ask("describeTopicPartitions", &request)?;
        for topic in answer.topics {
            ClientError::check(topic.error_code, None)?;
            let name = topic.name.unwrap_or_default();
            let entry = found.entry(name.clone()).or_insert_with(|| Topic {
                name,
                id: topic.topic_id,
                internal: topic.is_internal,
                partitions: Vec::new(),
            });
            entry
                .partitions
                .extend(topic.partitions.into_iter().map(|partition| Partition {
                    index: partition.partition_index,
                    leader: partition.leader_id,
                    replicas: partition.replica_nodes,
                    isr: partition.isr_nodes,
                    elr: Some(partition.eligible_leader_replicas.unwrap_or_default()),
                    last_known_elr: Some(partition.last_known_elr.unwrap_or_default()),
                }));
        }
        let next = answer
            .next_cursor
            .map(|cursor| (cursor.topic_name, cursor.partition_index));
        // A server that does not get on would be asked for ever.
        if next.is_none() || next == from {
            break;
        }
        from = next;
    }
    Ok(found.into_values().map(sorted).collect())
}

fn with_metadata(admin: &mut Admin, names: &[String]) -> Result<Vec<Topic>, ClientError> {
    let answer = admin.metadata("describeTopics", Some(names))?;
    answer.topics.into_iter().map(of_metadata).collect()
}

/// Topics by id.
///
/// # Errors
/// [`ClientError`], also that of the first topic that cannot be described.
pub(crate) fn describe_ids(admin: &mut Admin, ids: &[Uuid]) -> Result<Vec<Topic>, ClientError> {
    let mut request = MetadataRequest::default();
    request.allow_auto_topic_creation = false;
    let entry = |id: &Uuid| {
        let mut topic = MetadataRequestTopic::default();
        topic.topic_id = *id;
        topic
    };
    request.topics = Some(ids.iter().map(entry).collect());
    let answer = admin.ask("describeTopicsWithIds", &request)?;
    answer.topics.into_iter().map(of_metadata).collect()
}

fn of_metadata(topic: metadata_response::MetadataResponseTopic) -> Result<Topic, ClientError> {
    ClientError::check(topic.error_code, None)?;
    Ok(sorted(Topic {
        name: topic.name.unwrap_or_default(),
        id: topic.topic_id,
        internal: topic.is_internal,
        partitions: topic
            .partitions
            .into_iter()
            .map(|partition| Partition {
                index: partition.partition_index,
                leader: partition.leader_id,
                replicas: partition.replica_nodes,
                isr: partition.isr_nodes,
                elr: None,
                last_known_elr: None,
            })
            .collect(),
    }))
}

fn sorted(mut topic: Topic) -> Topic {
    topic.partitions.sort_by_key(|partition| partition.index);
    topic
}

/// The configs of topics, each in the order of the server's answer.
///
/// # Errors
/// [`ClientError`], also that of the first topic whose configs are refused.
pub(crate) fn configs(
    admin: &mut Admin,
    names: &[String],
) -> Result<BTreeMap<String, Vec<DescribeConfigsResourceResult>>, ClientError> {
    let mut request = DescribeConfigsRequest::default();
    request.resources = names
        .iter()
        .map(|name| {
            let mut resource = DescribeConfigsResource::default();
            resource.resource_type = TOPIC_RESOURCE;
            resource.resource_name.clone_from(name);
            resource.configuration_keys = None;
            resource
        })
        .collect();
    let answer = admin.ask("describeConfigs", &request)?;
    answer
        .results
        .into_iter()
        .map(|result| {
            ClientError::check(result.error_code, result.error_message.as_deref())?;
            Ok((result.resource_name, result.configs))
        })
        .collect()
}
