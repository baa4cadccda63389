//! Topics that a measurement needs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ottla_base::Uuid;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, ListOffsetsRequest, MetadataRequest,
};

use super::client::{Client, call};

/// Longest wait for a topic to be ready.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// Pause between two looks.
const POLL: Duration = Duration::from_millis(2);
/// ListOffsets: the end of the log.
const LATEST: i64 = -1;

/// A topic that exists.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    /// Name.
    pub(crate) name: String,
    /// Id, which newer versions send in place of the name.
    pub(crate) id: Uuid,
    /// Number of partitions.
    pub(crate) partitions: i32,
}

/// Creates topics in one request, without waiting for their partitions.
///
/// # Errors
/// If one is refused.
pub(crate) fn create_topics(
    client: &mut Client,
    wanted: &[(String, i32)],
    configs: &[(&str, &str)],
) -> Result<Vec<Topic>> {
    let configs: Vec<CreatableTopicConfig> = configs
        .iter()
        .map(|(name, value)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        })
        .collect();
    let topics = wanted.iter().map(|(name, partitions)| CreatableTopic {
        name: name.clone(),
        num_partitions: *partitions,
        replication_factor: 1,
        configs: configs.clone(),
        ..CreatableTopic::default()
    });
    let request = CreateTopicsRequest {
        topics: topics.collect(),
        timeout_ms: 60_000,
        ..CreateTopicsRequest::default()
    };
    let response = call!(client, CreateTopics, request, CreateTopicsResponse);
    let mut made = Vec::new();
    for topic in response.topics {
        if topic.error_code != 0 {
            bail!(
                "CreateTopics {}: {}",
                topic.name,
                error_name(topic.error_code)
            );
        }
        made.push(Topic {
            name: topic.name,
            id: topic.topic_id,
            partitions: topic.num_partitions,
        });
    }
    for (topic, (_, partitions)) in made.iter_mut().zip(wanted) {
        topic.partitions = *partitions;
    }
    Ok(made)
}

/// Creates a topic and waits until every partition serves.
///
/// # Errors
/// If it is refused or not ready in time.
pub(crate) fn create_topic(
    address: SocketAddr,
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Result<Topic> {
    let mut client = Client::connect(address)?;
    let topics = create_topics(&mut client, &[(name.to_owned(), partitions)], configs)?;
    let mut topic = topics
        .into_iter()
        .next()
        .context("CreateTopics answered nothing")?;
    let wanted = usize::try_from(partitions)?;
    let begun = Instant::now();
    while ready_partitions(&mut client, std::slice::from_ref(&topic))? < wanted {
        if begun.elapsed() > READY_TIMEOUT {
            bail!("topic is not ready in time: {name}");
        }
        std::thread::sleep(POLL);
    }
    topic.id = describe(&mut client, name)?;
    Ok(topic)
}

/// The id of a topic, by Metadata.
fn describe(client: &mut Client, name: &str) -> Result<Uuid> {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(name.to_owned()),
            ..MetadataRequestTopic::default()
        }]),
        ..MetadataRequest::default()
    };
    let response = call!(client, Metadata, request, MetadataResponse);
    let topic = response
        .topics
        .first()
        .context("Metadata answered nothing")?;
    if topic.error_code != 0 {
        bail!("Metadata {name}: {}", error_name(topic.error_code));
    }
    Ok(topic.topic_id)
}

/// How many partitions of `topics` answer as leaders now: each is asked for the end of its log.
///
/// # Errors
/// If the connection breaks.
pub(crate) fn ready_partitions(client: &mut Client, topics: &[Topic]) -> Result<usize> {
    let asked = topics.iter().map(|topic| ListOffsetsTopic {
        name: topic.name.clone(),
        partitions: (0..topic.partitions)
            .map(|index| ListOffsetsPartition {
                partition_index: index,
                timestamp: LATEST,
                ..ListOffsetsPartition::default()
            })
            .collect(),
    });
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: asked.collect(),
        ..ListOffsetsRequest::default()
    };
    let response = call!(client, ListOffsets, request, ListOffsetsResponse);
    let partitions = response.topics.iter().flat_map(|t| &t.partitions);
    Ok(partitions.filter(|p| p.error_code == 0).count())
}

/// The end of partition 0 of a topic.
///
/// # Errors
/// If the server does not tell.
pub(crate) fn end_offset(address: SocketAddr, topic: &Topic) -> Result<i64> {
    let mut client = Client::connect(address)?;
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: topic.name.clone(),
            partitions: vec![ListOffsetsPartition {
                timestamp: LATEST,
                ..ListOffsetsPartition::default()
            }],
        }],
        ..ListOffsetsRequest::default()
    };
    let response = call!(client, ListOffsets, request, ListOffsetsResponse);
    let mut partitions = response.topics.iter().flat_map(|t| &t.partitions);
    let partition = partitions.next().context("ListOffsets answered nothing")?;
    if partition.error_code != 0 {
        bail!(
            "ListOffsets {}: {}",
            topic.name,
            error_name(partition.error_code)
        );
    }
    Ok(partition.offset)
}

/// Deletes a topic.
///
/// # Errors
/// If it is refused.
pub(crate) fn delete_topic(address: SocketAddr, topic: &Topic) -> Result<()> {
    let mut client = Client::connect(address)?;
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: Some(topic.name.clone()),
            ..DeleteTopicState::default()
        }],
        timeout_ms: 60_000,
        ..DeleteTopicsRequest::default()
    };
    let response = call!(client, DeleteTopics, request, DeleteTopicsResponse);
    for result in response.responses {
        if result.error_code != 0 {
            bail!(
                "DeleteTopics {}: {}",
                topic.name,
                error_name(result.error_code)
            );
        }
    }
    Ok(())
}

/// The name of an error code.
pub(crate) fn error_name(code: i16) -> String {
    ErrorCode::from_code(code).map_or_else(|| format!("error {code}"), |e| format!("{e:?}"))
}
