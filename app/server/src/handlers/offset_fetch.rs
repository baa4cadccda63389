//! OffsetFetch (key 9, versions 1-10, broker listeners; ACL: DESCRIBE on the group and on each topic;
//! KIP-88, 320, 447, 516, 709).
//!
//! Answered from `ottla_group::GroupCoordinator`, group by group.

use ottla_base::{TopicId, Uuid};
use ottla_group::{CommittedOffset, GroupError, PartitionOffset, TopicOffsets};
use ottla_metadata::MetadataImage;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;

/// Most offsets in one answer. A request can name a group with many offsets many times; what comes behind
/// the limit is told to ask again, by itself.
const OFFSETS_PER_ANSWER_MAX: usize = 1 << 20;
/// From this version on a request asks for several groups.
const SEVERAL_GROUPS: i16 = 8;
/// From this version on topics are named by their ids.
const TOPIC_IDS_FROM: i16 = 10;
/// From this version on an answer has room for an error of the whole group.
const GROUP_ERROR_FROM: i16 = 2;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let mut response = OffsetFetchResponse::default();
    if ctx.version >= SEVERAL_GROUPS {
        let mut offsets = 0;
        for group in &request.groups {
            let fetched = if offsets < OFFSETS_PER_ANSWER_MAX {
                fetch(ctx, group, request.require_stable).await
            } else {
                refused_group(group, GroupError::NotAvailable)
            };
            let topics = fetched.topics.iter();
            offsets += topics.map(|topic| topic.partitions.len()).sum::<usize>();
            response.groups.push(fetched);
        }
        return response;
    }
    let group = OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics: request.topics.map(|topics| {
            let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
                name: topic.name,
                topic_id: Uuid::ZERO,
                partition_indexes: topic.partition_indexes,
            });
            topics.collect()
        }),
        ..OffsetFetchRequestGroup::default()
    };
    let mut fetched = fetch(ctx, &group, request.require_stable).await;
    if fetched.error_code != 0 && ctx.version < GROUP_ERROR_FROM {
        let asked = group.topics.iter().flatten();
        fetched.topics = asked
            .map(|topic| refused(topic, fetched.error_code))
            .collect();
    }
    response.error_code = fetched.error_code;
    response.topics = fetched.topics.into_iter().map(single).collect();
    response
}

/// A topic in the form of the versions that ask for one group.
fn single(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partitions = topic.partitions.into_iter();
    OffsetFetchResponseTopic {
        name: topic.name,
        partitions: partitions
            .map(|partition| OffsetFetchResponsePartition {
                partition_index: partition.partition_index,
                committed_offset: partition.committed_offset,
                committed_leader_epoch: partition.committed_leader_epoch,
                metadata: partition.metadata,
                error_code: partition.error_code,
            })
            .collect(),
    }
}

async fn fetch(
    ctx: &RequestContext,
    group: &OffsetFetchRequestGroup,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let image = ctx.node.image();
    let fetched = match &group.topics {
        Some(topics) => fetch_some(ctx, &image, &group.group_id, topics, require_stable).await,
        None => fetch_all(ctx, &image, &group.group_id, require_stable).await,
    };
    match fetched {
        Ok(topics) => OffsetFetchResponseGroup {
            group_id: group.group_id.clone(),
            topics,
            error_code: 0,
        },
        Err(error) => refused_group(group, error),
    }
}

fn refused_group(group: &OffsetFetchRequestGroup, error: GroupError) -> OffsetFetchResponseGroup {
    OffsetFetchResponseGroup {
        group_id: group.group_id.clone(),
        topics: Vec::new(),
        error_code: error.error_code().code(),
    }
}

async fn fetch_some(
    ctx: &RequestContext,
    image: &MetadataImage,
    group_id: &str,
    topics: &[OffsetFetchRequestTopics],
    require_stable: bool,
) -> Result<Vec<OffsetFetchResponseTopics>, GroupError> {
    let shard = ctx.node.coordinators.shard_of(group_id, image)?;
    // Names, or none for an id that nobody has.
    let names: Vec<Option<&str>> = topics
        .iter()
        .map(|topic| {
            if ctx.version < TOPIC_IDS_FROM {
                return Some(topic.name.as_str());
            }
            let found = image.topics.by_id(TopicId(topic.topic_id));
            found.map(|topic| &*topic.name)
        })
        .collect();
    let fetched = shard
        .decide(|machine, _, _| {
            let asked = topics.iter().zip(&names);
            asked
                .map(|(topic, name)| {
                    name.map(|name| {
                        let partitions = &topic.partition_indexes;
                        machine.fetch_offsets(group_id, name, partitions, require_stable)
                    })
                })
                .collect::<Vec<_>>()
        })
        .await?;
    let answers = topics.iter().zip(fetched);
    Ok(answers
        .map(|(topic, fetched)| match fetched {
            Some(partitions) => OffsetFetchResponseTopics {
                partitions: partitions.into_iter().map(respond).collect(),
                ..named(topic)
            },
            None => refused(topic, ErrorCode::UnknownTopicId.code()),
        })
        .collect())
}

async fn fetch_all(
    ctx: &RequestContext,
    image: &MetadataImage,
    group_id: &str,
    require_stable: bool,
) -> Result<Vec<OffsetFetchResponseTopics>, GroupError> {
    let shard = ctx.node.coordinators.shard_of(group_id, image)?;
    let fetched: Vec<TopicOffsets> = shard
        .decide(|machine, _, _| machine.fetch_all_offsets(group_id, require_stable))
        .await?;
    let topics = fetched.into_iter().filter_map(|topic| {
        let mut response = OffsetFetchResponseTopics {
            partitions: topic.partitions.into_iter().map(respond).collect(),
            ..OffsetFetchResponseTopics::default()
        };
        if ctx.version < TOPIC_IDS_FROM {
            response.name = topic.topic;
        } else {
            response.topic_id = image.topics.id(&topic.topic)?.0;
        }
        Some(response)
    });
    Ok(topics.collect())
}

/// An answer for the topic that a request names, as the request names it.
fn named(topic: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        ..OffsetFetchResponseTopics::default()
    }
}

fn refused(topic: &OffsetFetchRequestTopics, error_code: i16) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.iter();
    OffsetFetchResponseTopics {
        partitions: partitions
            .map(|index| OffsetFetchResponsePartitions {
                error_code,
                ..without_offset(*index)
            })
            .collect(),
        ..named(topic)
    }
}

fn without_offset(partition_index: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        error_code: 0,
    }
}

fn respond(fetched: PartitionOffset) -> OffsetFetchResponsePartitions {
    let nothing = without_offset(fetched.partition);
    match fetched.committed {
        Ok(Some(CommittedOffset {
            offset,
            leader_epoch,
            metadata,
            ..
        })) => OffsetFetchResponsePartitions {
            committed_offset: offset,
            committed_leader_epoch: leader_epoch,
            metadata: Some(metadata.into()),
            ..nothing
        },
        Ok(None) => nothing,
        Err(error) => OffsetFetchResponsePartitions {
            error_code: error.error_code().code(),
            ..nothing
        },
    }
}
