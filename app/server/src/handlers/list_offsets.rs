//! ListOffsets (key 2, versions 1-11, broker listeners; ACL: DESCRIBE on the topic; KIP-79, 98, 207, 320, 734, 405).
//!
//! Finds offsets by time, and the ends of a partition by numbers that stand for them.

use std::collections::BTreeMap;

use ottla_base::Offset;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ListOffsetsRequest;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use ottla_storage::FoundOffset;

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;
use crate::partition::OffsetQuery;

/// Timestamps that stand for something else, with the version that brought each.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: (i64, i16) = (-3, 7);
const EARLIEST_LOCAL: (i64, i16) = (-4, 8);
const LATEST_TIERED: (i64, i16) = (-5, 9);
const EARLIEST_PENDING_UPLOAD: (i64, i16) = (-6, 11);
/// First version that tells leader epochs.
const LEADER_EPOCHS_FROM: i16 = 4;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let mut topics: Vec<ListOffsetsTopicResponse> = Vec::new();
    let mut at: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in &request.topics {
        // A topic that is named several times is answered once.
        let index = *at.entry(&topic.name).or_insert_with(|| {
            topics.push(ListOffsetsTopicResponse {
                name: topic.name.clone(),
                partitions: Vec::new(),
            });
            topics.len() - 1
        });
        if let Some(answer) = topics.get_mut(index) {
            answer_topic(ctx, topic, request.isolation_level == 1, answer);
        }
    }
    ListOffsetsResponse {
        throttle_time_ms: 0,
        topics,
    }
}

fn answer_topic(
    ctx: &RequestContext,
    topic: &ListOffsetsTopic,
    read_committed: bool,
    answer: &mut ListOffsetsTopicResponse,
) {
    let mut named: BTreeMap<i32, usize> = BTreeMap::new();
    for partition in &topic.partitions {
        *named.entry(partition.partition_index).or_default() += 1;
    }
    for partition in &topic.partitions {
        let index = partition.partition_index;
        let found = match named.remove(&index) {
            Some(1) => find(ctx, &topic.name, partition, read_committed),
            Some(_) => Err(ErrorCode::InvalidRequest),
            None => continue, // Answered with its first mention.
        };
        answer.partitions.push(respond(ctx.version, index, found));
    }
}

fn respond(
    version: i16,
    partition_index: i32,
    found: Result<FoundOffset, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let mut response = ListOffsetsPartitionResponse {
        partition_index,
        error_code: 0,
        timestamp: -1,
        offset: -1,
        leader_epoch: -1,
    };
    match found {
        Ok(found) => {
            response.timestamp = found.timestamp;
            response.offset = found.offset.0;
            if version >= LEADER_EPOCHS_FROM {
                response.leader_epoch = found.epoch.map_or(-1, |epoch| epoch.0);
            }
        }
        Err(error) => response.error_code = error.code(),
    }
    response
}

fn find(
    ctx: &RequestContext,
    topic: &str,
    asked: &ListOffsetsPartition,
    read_committed: bool,
) -> Result<FoundOffset, ErrorCode> {
    let partition = ctx.node.partitions.by_name(topic, asked.partition_index);
    let partition = partition.ok_or_else(|| {
        let image = ctx.node.image.load();
        let topic = image.topics.by_name(topic);
        match topic.and_then(|topic| topic.partition(asked.partition_index)) {
            Some(_) => ErrorCode::NotLeaderOrFollower,
            None => ErrorCode::UnknownTopicOrPartition,
        }
    })?;
    let special = [
        MAX_TIMESTAMP,
        EARLIEST_LOCAL,
        LATEST_TIERED,
        EARLIEST_PENDING_UPLOAD,
    ];
    let too_early =
        |&(number, since): &(i64, i16)| asked.timestamp == number && ctx.version < since;
    if special.iter().any(too_early) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let query = match asked.timestamp {
        LATEST => OffsetQuery::Latest,
        // Without tiered storage the local log is the whole log.
        EARLIEST => OffsetQuery::Earliest,
        number if number == EARLIEST_LOCAL.0 => OffsetQuery::Earliest,
        number if number == MAX_TIMESTAMP.0 => OffsetQuery::MaxTimestamp,
        // Nothing is tiered, or about to be.
        number if number == LATEST_TIERED.0 || number == EARLIEST_PENDING_UPLOAD.0 => {
            return Ok(FoundOffset {
                offset: Offset::UNKNOWN,
                timestamp: -1,
                epoch: None,
            });
        }
        timestamp if timestamp < EARLIEST_PENDING_UPLOAD.0 => {
            return Err(ErrorCode::UnsupportedVersion);
        }
        timestamp => OffsetQuery::Timestamp(timestamp),
    };
    partition
        .find_offset(query, read_committed, asked.current_leader_epoch)
        .map_err(|refusal| refusal.error_code())
}
