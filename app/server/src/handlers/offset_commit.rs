//! OffsetCommit (key 8, versions 2-10, broker listeners; ACL: READ on the group and on each topic;
//! KIP-211, 320, 345, 516).
//!
//! Decided by `ottla_group::GroupCoordinator::commit_offsets`, for partitions that exist.

use ottla_base::{TopicId, Uuid};
use ottla_group::{Caller, Committer, GroupError, OffsetToCommit};
use ottla_metadata::{MetadataImage, TopicImage};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;

/// From this version on topics are named by their ids.
const TOPIC_IDS_FROM: i16 = 10;

/// A topic of the request and what the metadata says of it.
struct Asked<'a> {
    request: &'a OffsetCommitRequestTopic,
    topic: Result<&'a TopicImage, ErrorCode>,
}

impl Asked<'_> {
    fn exists(&self, partition: i32) -> Result<(), ErrorCode> {
        if self.topic?.partitions.contains_key(&partition) {
            Ok(())
        } else {
            Err(ErrorCode::UnknownTopicOrPartition)
        }
    }
}

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let image = ctx.node.image();
    let asked: Vec<Asked<'_>> = request
        .topics
        .iter()
        .map(|topic| Asked {
            request: topic,
            topic: find_topic(ctx.version, topic, &image),
        })
        .collect();
    let offsets = || {
        asked.iter().flat_map(|asked| {
            asked
                .request
                .partitions
                .iter()
                .filter_map(move |partition| {
                    asked.exists(partition.partition_index).ok()?;
                    let topic = asked.topic.ok()?;
                    Some(OffsetToCommit {
                        topic: &topic.name,
                        topic_id: topic.id.0,
                        partition: partition.partition_index,
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata: partition.committed_metadata.as_deref(),
                    })
                })
        })
    };
    let results = if offsets().next().is_none() {
        Ok(Vec::new()) // No coordinator need be asked.
    } else {
        commit(ctx, &request, &image, offsets()).await
    };
    OffsetCommitResponse {
        throttle_time_ms: 0,
        topics: respond(ctx.version, &asked, results),
    }
}

fn find_topic<'a>(
    version: i16,
    topic: &OffsetCommitRequestTopic,
    image: &'a MetadataImage,
) -> Result<&'a TopicImage, ErrorCode> {
    if version >= TOPIC_IDS_FROM {
        let found = image.topics.by_id(TopicId(topic.topic_id));
        found.map(|topic| &**topic).ok_or(ErrorCode::UnknownTopicId)
    } else {
        let found = image.topics.by_name(&topic.name);
        found
            .map(|topic| &**topic)
            .ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

async fn commit<'a>(
    ctx: &RequestContext,
    request: &OffsetCommitRequest,
    image: &MetadataImage,
    offsets: impl Iterator<Item = OffsetToCommit<'a>>,
) -> Result<Vec<Result<(), GroupError>>, GroupError> {
    let shard = ctx.node.coordinators.shard_of(&request.group_id, image)?;
    let caller = Caller {
        client_id: ctx.client_id.as_deref().unwrap_or_default(),
        client_host: "",
        version: ctx.version,
    };
    let committer = Committer {
        group_id: &request.group_id,
        member_id: &request.member_id,
        group_instance_id: request.group_instance_id.as_deref(),
        generation: request.generation_id_or_member_epoch,
        retention_time_ms: request.retention_time_ms,
    };
    shard
        .decide(|machine, now, fx| machine.commit_offsets(now, &caller, &committer, offsets, fx))
        .await?
}

/// The answer for each topic: first the partitions that do not exist, then the others, as Kafka has it.
fn respond(
    version: i16,
    asked: &[Asked<'_>],
    results: Result<Vec<Result<(), GroupError>>, GroupError>,
) -> Vec<OffsetCommitResponseTopic> {
    let (mut each, all) = match results {
        Ok(each) => (each.into_iter(), Ok(())),
        Err(error) => (Vec::new().into_iter(), Err(error)),
    };
    let answer = |partition_index, error: Option<ErrorCode>| OffsetCommitResponsePartition {
        partition_index,
        error_code: error.map_or(0, ErrorCode::code),
    };
    let topics = asked.iter().filter_map(|asked| {
        let indexes = || asked.request.partitions.iter().map(|p| p.partition_index);
        let missing = indexes().filter_map(|index| Some((index, asked.exists(index).err()?)));
        let mut partitions: Vec<_> = missing
            .map(|(index, error)| answer(index, Some(error)))
            .collect();
        for index in indexes().filter(|index| asked.exists(*index).is_ok()) {
            let result = all.and_then(|()| each.next().unwrap_or(Ok(())));
            partitions.push(answer(index, result.err().map(|error| error.error_code())));
        }
        let by_id = version >= TOPIC_IDS_FROM;
        // A topic that exists and of which nothing is committed is not spoken of.
        (!partitions.is_empty() || asked.topic.is_err()).then(|| OffsetCommitResponseTopic {
            name: if by_id {
                String::new()
            } else {
                asked.request.name.clone()
            },
            topic_id: if by_id {
                asked.request.topic_id
            } else {
                Uuid::ZERO
            },
            partitions,
        })
    });
    topics.collect()
}
