//! ListOffsets (key 2, versions 1-11, broker listeners; ACL: DESCRIBE on the topic; KIP-79, 98, 207, 320, 734, 405).
//!
//! Finds offsets by time, and the ends of a partition by numbers that stand for them.

use ottla_base::Offset;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ListOffsetsRequest;
use ottla_protocol::messages::list_offsets_request::ListOffsetsPartition;
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
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let named = topic.partitions.iter();
            let times = named
                .filter(|other| other.partition_index == partition.partition_index)
                .count();
            let found = if times > 1 {
                Err(ErrorCode::InvalidRequest)
            } else {
                find(ctx, &topic.name, partition, request.isolation_level == 1)
            };
            respond(ctx.version, partition.partition_index, found)
        });
        ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: partitions.collect(),
        }
    });
    ListOffsetsResponse {
        throttle_time_ms: 0,
        topics: topics.collect(),
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
        timestamp => OffsetQuery::Timestamp(timestamp),
    };
    partition
        .find_offset(query, read_committed, asked.current_leader_epoch)
        .map_err(|refusal| refusal.error_code())
}
