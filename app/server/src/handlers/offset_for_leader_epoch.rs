//! OffsetForLeaderEpoch (key 23, versions 2-4, broker listeners; ACL: DESCRIBE on the topic; KIP-101, 279, 320).
//!
//! Where the records of a leader epoch end, so that a client learns what was cut off behind its back.

use ottla_base::LeaderEpoch;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::OffsetForLeaderEpochRequest;
use ottla_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use ottla_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| OffsetForLeaderTopicResult {
            topic: topic.topic.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|asked| end(ctx, &topic.topic, asked))
                .collect(),
        });
    OffsetForLeaderEpochResponse {
        throttle_time_ms: 0,
        topics: topics.collect(),
    }
}

fn end(ctx: &RequestContext, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let mut response = EpochEndOffset {
        error_code: 0,
        partition: asked.partition,
        leader_epoch: -1,
        end_offset: -1,
    };
    let Some(partition) = ctx.node.partitions.by_name(topic, asked.partition) else {
        let image = ctx.node.image.load();
        let known = image.topics.by_name(topic);
        let known = known.is_some_and(|topic| topic.partition(asked.partition).is_some());
        let error = if known {
            ErrorCode::NotLeaderOrFollower
        } else {
            ErrorCode::UnknownTopicOrPartition
        };
        response.error_code = error.code();
        return response;
    };
    let epoch = LeaderEpoch(asked.leader_epoch);
    match partition.end_of_epoch(epoch, asked.current_leader_epoch) {
        Ok(Some((epoch, end))) => {
            response.leader_epoch = epoch.0;
            response.end_offset = end.0;
        }
        Ok(None) => {}
        Err(refusal) => response.error_code = refusal.error_code().code(),
    }
    response
}
