//! DeleteRecords (key 21, versions 0-2, broker listener, DELETE Topic; KIP-107).
//!
//! Moves the log start of partitions that this node leads. The new start is on stable storage before the
//! answer leaves, so that deleted records do not come back.

use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::delete_records_request::DeleteRecordsTopic;
use ottla_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use ottla_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::api_table::RequestContext;
use crate::error_map::WireError;
use crate::internal_topics::is_internal;
use crate::partition::Partition;

/// What to do with one partition of the request.
struct Deletion {
    index: i32,
    to: i64,
    partition: Result<Arc<Partition>, ErrorCode>,
}

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let topics: Vec<(String, Vec<Deletion>)> = request
        .topics
        .into_iter()
        .map(|topic| {
            let deletions = deletions(ctx, &topic);
            (topic.name, deletions)
        })
        .collect();
    let refused: Vec<DeleteRecordsTopicResult> = topics
        .iter()
        .map(|(name, deletions)| DeleteRecordsTopicResult {
            name: name.clone(),
            partitions: deletions
                .iter()
                .map(|deletion| answer(deletion.index, Err(ErrorCode::RequestTimedOut)))
                .collect(),
        })
        .collect();
    let done = ctx.node.slow_work.run(move || {
        let topics = topics.into_iter();
        let done = topics.map(|(name, deletions)| DeleteRecordsTopicResult {
            name,
            partitions: deletions.iter().map(delete).collect(),
        });
        done.collect()
    });
    DeleteRecordsResponse {
        topics: done.await.unwrap_or(refused),
        ..DeleteRecordsResponse::default()
    }
}

fn deletions(ctx: &RequestContext, topic: &DeleteRecordsTopic) -> Vec<Deletion> {
    let image = ctx.node.image();
    let known = image.topics.by_name(&topic.name);
    let find = |index: i32| {
        let exists = known.is_some_and(|known| known.partition(index).is_some());
        if !exists {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        if is_internal(&topic.name) {
            return Err(ErrorCode::InvalidTopicException);
        }
        let here = ctx.node.partitions.by_name(&topic.name, index);
        here.ok_or(ErrorCode::NotLeaderOrFollower)
    };
    let partitions = topic.partitions.iter();
    partitions
        .map(|partition| Deletion {
            index: partition.partition_index,
            to: partition.offset,
            partition: find(partition.partition_index),
        })
        .collect()
}

/// Blocks for a flush.
fn delete(deletion: &Deletion) -> DeleteRecordsPartitionResult {
    let deleted = deletion.partition.as_ref().map_err(|error| *error);
    let deleted = deleted.and_then(|partition| {
        let start = partition.delete_records(deletion.to);
        start.map_err(|refusal| refusal.error_code())
    });
    answer(deletion.index, deleted.map(|start| start.0))
}

fn answer(partition_index: i32, start: Result<i64, ErrorCode>) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult {
        partition_index,
        low_watermark: start.unwrap_or(-1),
        error_code: start.err().unwrap_or(ErrorCode::None).code(),
    }
}
