//! OffsetDelete (key 47, version 0, broker listeners; ACL: DELETE on the group, READ on each topic; KIP-496).
//!
//! Decided by `ottla_group::GroupCoordinator::delete_offsets`, for partitions that exist.

use ottla_group::GroupError;
use ottla_metadata::MetadataImage;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let image = ctx.node.image();
    match delete(ctx, &request, &image).await {
        Ok(results) => OffsetDeleteResponse {
            topics: respond(&request, &image, &results),
            ..OffsetDeleteResponse::default()
        },
        Err(error) => OffsetDeleteResponse {
            error_code: error.error_code().code(),
            ..OffsetDeleteResponse::default()
        },
    }
}

/// The partitions of a topic that exist.
fn existing(topic: &OffsetDeleteRequestTopic, image: &MetadataImage) -> Vec<i32> {
    let Some(found) = image.topics.by_name(&topic.name) else {
        return Vec::new();
    };
    let indexes = topic.partitions.iter().map(|p| p.partition_index);
    indexes
        .filter(|index| found.partitions.contains_key(index))
        .collect()
}

/// What became of each topic of the request.
async fn delete(
    ctx: &RequestContext,
    request: &OffsetDeleteRequest,
    image: &MetadataImage,
) -> Result<Vec<Result<(), GroupError>>, GroupError> {
    let group_id = request.group_id.as_str();
    if group_id.is_empty() {
        return Err(GroupError::InvalidGroupId);
    }
    let shard = ctx.node.coordinators.shard_of(group_id, image)?;
    shard
        .decide(|machine, now, fx| {
            machine.may_delete_offsets(group_id, now.mono)?;
            let topics = request.topics.iter();
            topics
                .map(|topic| {
                    let partitions = existing(topic, image);
                    machine.delete_offsets(group_id, &topic.name, &partitions, now.mono, fx)
                })
                .collect()
        })
        .await?
}

/// The answer for each topic: first the partitions that do not exist, then the others, as Kafka has it.
fn respond(
    request: &OffsetDeleteRequest,
    image: &MetadataImage,
    results: &[Result<(), GroupError>],
) -> Vec<OffsetDeleteResponseTopic> {
    let topics = request.topics.iter().zip(results);
    topics
        .map(|(topic, result)| {
            let there = existing(topic, image);
            let error = result.err().map_or(0, |error| error.error_code().code());
            let indexes = topic.partitions.iter().map(|p| p.partition_index);
            let missing = indexes.filter(|index| !there.contains(index)).map(|index| {
                let error = ErrorCode::UnknownTopicOrPartition.code();
                (index, error)
            });
            let answers = missing.chain(there.iter().map(|index| (*index, error)));
            OffsetDeleteResponseTopic {
                name: topic.name.clone(),
                partitions: answers
                    .map(
                        |(partition_index, error_code)| OffsetDeleteResponsePartition {
                            partition_index,
                            error_code,
                        },
                    )
                    .collect(),
            }
        })
        .collect()
}
