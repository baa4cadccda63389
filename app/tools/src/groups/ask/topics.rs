//! Partitions of topics and offsets of their logs.

use std::collections::BTreeMap;

use ottla_client::{Admin, Attempt, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{ListOffsetsRequest, list_offsets_request, list_offsets_response};

use super::TopicPartition;

/// Timestamps that ListOffsets takes for the end and the beginning of a log.
pub(in super::super) const LATEST: i64 = -1;
pub(in super::super) const EARLIEST: i64 = -2;

/// Partitions of a topic with whether they have a leader, or why they are not known.
pub(in super::super) type Topic = Result<BTreeMap<i32, bool>, ClientError>;

/// Describes topics, in the order given.
pub(in super::super) fn topics(
    admin: &mut Admin,
    names: &[String],
) -> Result<Vec<(String, Topic)>, ClientError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let answer = admin.metadata("listNodes", Some(names))?;
    let describe = |name: &String| {
        let found = answer
            .topics
            .iter()
            .find(|topic| topic.name.as_ref() == Some(name));
        let Some(topic) = found else {
            return Err(ClientError::refused(
                ErrorCode::UnknownTopicOrPartition.code(),
                None,
            ));
        };
        if topic.error_code != ErrorCode::LeaderNotAvailable.code() {
            ClientError::check(topic.error_code, None)?;
        }
        Ok(topic
            .partitions
            .iter()
            .map(|partition| (partition.partition_index, partition.leader_id >= 0))
            .collect())
    };
    Ok(names
        .iter()
        .map(|name| (name.clone(), describe(name)))
        .collect())
}

/// Looks offsets up, each by a timestamp or by [`LATEST`] or [`EARLIEST`]; nothing where no record is
/// that new.
pub(in super::super) fn offsets(
    admin: &mut Admin,
    wanted: &[TopicPartition],
    timestamp: i64,
) -> Result<BTreeMap<TopicPartition, Option<i64>>, ClientError> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut names: Vec<String> = wanted.iter().map(|at| at.topic.clone()).collect();
    names.sort_unstable();
    names.dedup();
    admin.retry("listOffsets(api=METADATA)", |admin| {
        let metadata = admin.metadata("listOffsets(api=METADATA)", Some(&names))?;
        let leader = |at: &TopicPartition| -> Result<i32, ClientError> {
            let unknown = || ClientError::refused(ErrorCode::UnknownTopicOrPartition.code(), None);
            let topic = metadata
                .topics
                .iter()
                .find(|topic| topic.name.as_ref() == Some(&at.topic))
                .ok_or_else(unknown)?;
            ClientError::check(topic.error_code, None).map_err(|error| of_topic(error, at))?;
            let partition = topic
                .partitions
                .iter()
                .find(|partition| partition.partition_index == at.partition)
                .ok_or_else(unknown)?;
            if partition.leader_id < 0 {
                return Err(ClientError::refused(
                    ErrorCode::LeaderNotAvailable.code(),
                    None,
                ));
            }
            Ok(partition.leader_id)
        };
        let mut by_leader: BTreeMap<i32, BTreeMap<&str, Vec<i32>>> = BTreeMap::new();
        for at in wanted {
            by_leader
                .entry(leader(at)?)
                .or_default()
                .entry(&at.topic)
                .or_default()
                .push(at.partition);
        }
        let mut out = BTreeMap::new();
        for (leader, topics) in by_leader {
            let answer = admin
                .node(leader)?
                .ask(&offsets_request(&topics, timestamp))?;
            for topic in answer.topics {
                for entry in topic.partitions {
                    ClientError::check(entry.error_code, None)?;
                    out.insert(
                        TopicPartition::new(&topic.name, entry.partition_index),
                        offset_of(&entry),
                    );
                }
            }
        }
        Ok(Attempt::Done(out))
    })
}

/// What Kafka's client says of a topic in the answer to a request for metadata.
fn of_topic(error: ClientError, at: &TopicPartition) -> ClientError {
    let Some(code) = error.code().filter(|code| !code.is_retriable()) else {
        return error;
    };
    let topic = &at.topic;
    let why = match code {
        ErrorCode::InvalidTopicException => format!("due to invalid topic `{topic}`"),
        ErrorCode::TopicAuthorizationFailed => "due to topic authorization failure".to_owned(),
        _ => format!("due to unexpected error for topic `{topic}`"),
    };
    let text = format!("Failed to fetch metadata for partition {at} {why}");
    ClientError::refused(code.code(), Some(&text))
}

fn offset_of(entry: &list_offsets_response::ListOffsetsPartitionResponse) -> Option<i64> {
    (entry.offset >= 0).then_some(entry.offset)
}

fn offsets_request(topics: &BTreeMap<&str, Vec<i32>>, timestamp: i64) -> ListOffsetsRequest {
    let mut request = ListOffsetsRequest {
        replica_id: -1,
        ..Default::default()
    };
    for (name, partitions) in topics {
        let mut topic = list_offsets_request::ListOffsetsTopic {
            name: (*name).to_owned(),
            ..Default::default()
        };
        for partition in partitions {
            let entry = list_offsets_request::ListOffsetsPartition {
                partition_index: *partition,
                current_leader_epoch: -1,
                timestamp,
            };
            topic.partitions.push(entry);
        }
        request.topics.push(topic);
    }
    request
}
