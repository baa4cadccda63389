//! Committed offsets: reading them, committing, deleting.

use std::collections::BTreeMap;

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, offset_commit_request,
    offset_delete_request, offset_fetch_request,
};

use super::{TopicPartition, coordinator};

/// Last version of OffsetFetch and OffsetCommit that names topics; from the next on they have ids, which
/// a tool would have to look up first.
const NAMES_VERSION_MAX: i16 = 9;

/// Where a group has committed to: nothing for a partition whose offset is not known.
pub(in super::super) type Committed = BTreeMap<TopicPartition, Option<(i64, i32)>>;

/// The committed offsets of a group with their leader epochs.
pub(in super::super) fn committed(
    admin: &mut Admin,
    group: &str,
) -> Result<Committed, ClientError> {
    let request = |version: i16| {
        let mut request = OffsetFetchRequest::default();
        if version >= 8 {
            let entry = offset_fetch_request::OffsetFetchRequestGroup {
                group_id: group.to_owned(),
                topics: None,
                ..Default::default()
            };
            request.groups = vec![entry];
        } else {
            group.clone_into(&mut request.group_id);
            request.topics = None;
        }
        request
    };
    let (_, answer) = coordinator::<OffsetFetchRequest>(
        admin,
        "listConsumerGroupOffsets",
        group,
        request,
        NAMES_VERSION_MAX,
        |answer| {
            answer
                .groups
                .first()
                .map_or(answer.error_code, |group| group.error_code)
        },
    )?;
    let mut out = Committed::new();
    let mut add = |topic: &str, partition: i32, code: i16, offset: i64, epoch: i32| {
        if code == 0 {
            let value = (offset >= 0).then_some((offset, epoch));
            out.insert(TopicPartition::new(topic, partition), value);
        }
    };
    ClientError::check(answer.error_code, None)?;
    for topic in &answer.topics {
        for entry in &topic.partitions {
            add(
                &topic.name,
                entry.partition_index,
                entry.error_code,
                entry.committed_offset,
                entry.committed_leader_epoch,
            );
        }
    }
    for group in &answer.groups {
        ClientError::check(group.error_code, None)?;
        for topic in &group.topics {
            for entry in &topic.partitions {
                add(
                    &topic.name,
                    entry.partition_index,
                    entry.error_code,
                    entry.committed_offset,
                    entry.committed_leader_epoch,
                );
            }
        }
    }
    Ok(out)
}

/// By topic: what requests want.
fn by_topic<T: Copy>(entries: &[(TopicPartition, T)]) -> BTreeMap<&str, Vec<(i32, T)>> {
    let mut out: BTreeMap<&str, Vec<(i32, T)>> = BTreeMap::new();
    for (at, value) in entries {
        out.entry(&at.topic)
            .or_default()
            .push((at.partition, *value));
    }
    out
}

/// Commits offsets for a group without members.
pub(in super::super) fn commit(
    admin: &mut Admin,
    group: &str,
    offsets: &[(TopicPartition, i64)],
) -> Result<(), ClientError> {
    let request = |_| {
        let mut request = OffsetCommitRequest {
            group_id: group.to_owned(),
            generation_id_or_member_epoch: -1,
            retention_time_ms: -1,
            ..Default::default()
        };
        for (name, partitions) in by_topic(offsets) {
            let mut topic = offset_commit_request::OffsetCommitRequestTopic {
                name: name.to_owned(),
                ..Default::default()
            };
            for (partition, offset) in partitions {
                let entry = offset_commit_request::OffsetCommitRequestPartition {
                    partition_index: partition,
                    committed_offset: offset,
                    committed_leader_epoch: -1,
                    committed_metadata: Some(String::new()),
                };
                topic.partitions.push(entry);
            }
            request.topics.push(topic);
        }
        request
    };
    let first_code = |answer: &ottla_protocol::messages::OffsetCommitResponse| {
        let mut codes = answer
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|entry| entry.error_code));
        codes.find(|code| *code != 0).unwrap_or_default()
    };
    let (_, answer) = coordinator::<OffsetCommitRequest>(
        admin,
        "alterConsumerGroupOffsets",
        group,
        request,
        NAMES_VERSION_MAX,
        first_code,
    )?;
    let failed: Vec<(String, i16)> = answer
        .topics
        .iter()
        .flat_map(|topic| {
            topic
                .partitions
                .iter()
                .filter(|entry| entry.error_code != 0)
                .map(|entry| {
                    (
                        format!("{}-{}", topic.name, entry.partition_index),
                        entry.error_code,
                    )
                })
        })
        .collect();
    let Some((_, code)) = failed.first() else {
        return Ok(());
    };
    let of_the_group = [
        ErrorCode::InvalidGroupId,
        ErrorCode::InvalidCommitOffsetSize,
        ErrorCode::GroupAuthorizationFailed,
    ];
    if of_the_group.iter().any(|error| error.code() == *code) {
        return Err(ClientError::refused(*code, None));
    }
    let names: Vec<&str> = failed.iter().map(|(name, _)| name.as_str()).collect();
    Err(ClientError::refused(
        *code,
        Some(&format!(
            "Failed altering group offsets for the following partitions: [{}]",
            names.join(", ")
        )),
    ))
}

/// What became of offsets that were to be deleted: of all, and of each.
pub(in super::super) type Deleted = (i16, BTreeMap<TopicPartition, i16>);

/// Deletes committed offsets of a group.
pub(in super::super) fn delete_offsets(
    admin: &mut Admin,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Deleted, ClientError> {
    let entries: Vec<(TopicPartition, ())> = partitions.iter().map(|at| (at.clone(), ())).collect();
    let request = |_| {
        let mut request = OffsetDeleteRequest {
            group_id: group.to_owned(),
            ..Default::default()
        };
        for (name, partitions) in by_topic(&entries) {
            let mut topic = offset_delete_request::OffsetDeleteRequestTopic {
                name: name.to_owned(),
                ..Default::default()
            };
            for (partition, ()) in partitions {
                let entry = offset_delete_request::OffsetDeleteRequestPartition {
                    partition_index: partition,
                };
                topic.partitions.push(entry);
            }
            request.topics.push(topic);
        }
        request
    };
    let (_, answer) = coordinator::<OffsetDeleteRequest>(
        admin,
        "deleteConsumerGroupOffsets",
        group,
        request,
        i16::MAX,
        |answer| answer.error_code,
    )?;
    let each = answer
        .topics
        .iter()
        .flat_map(|topic| {
            topic.partitions.iter().map(|entry| {
                (
                    TopicPartition::new(&topic.name, entry.partition_index),
                    entry.error_code,
                )
            })
        })
        .collect();
    Ok((answer.error_code, each))
}
