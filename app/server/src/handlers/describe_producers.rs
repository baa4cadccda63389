//! DescribeProducers (key 61, version 0, broker listener, READ Topic; KIP-664).
//!
//! Tells which idempotent and transactional producers a partition knows, by its leader.

use ottla_controller::check_topic_name;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_producers_request::TopicRequest;
use ottla_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use ottla_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use ottla_storage::ProducerInfo;

use crate::api_table::RequestContext;
use crate::error_map::WireError;

/// An error code with the text that goes with it.
type Refused = (ErrorCode, Option<String>);

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.iter();
    DescribeProducersResponse {
        topics: topics.map(|topic| describe(ctx, topic)).collect(),
        ..DescribeProducersResponse::default()
    }
}

fn describe(ctx: &RequestContext, topic: &TopicRequest) -> TopicResponse {
    let refused = check(ctx, &topic.name).err();
    let indexes = topic.partition_indexes.iter();
    let partitions = indexes.map(|&index| {
        let told = match &refused {
            Some(refused) => Err(refused.clone()),
            None => producers(ctx, &topic.name, index),
        };
        let (error, message) = told
            .as_ref()
            .err()
            .cloned()
            .unwrap_or((ErrorCode::None, None));
        PartitionResponse {
            partition_index: index,
            error_code: error.code(),
            error_message: message,
            active_producers: told.unwrap_or_default(),
        }
    });
    TopicResponse {
        partitions: partitions.collect(),
        name: topic.name.clone(),
    }
}

/// Checks that the topic exists.
fn check(ctx: &RequestContext, name: &str) -> Result<(), Refused> {
    check_topic_name(name).map_err(|invalid| {
        let text = format!("Topic name is invalid: {invalid}");
        (ErrorCode::InvalidTopicException, Some(text))
    })?;
    let unknown = ErrorCode::UnknownTopicOrPartition;
    match ctx.node.image().topics.id(name) {
        Some(_) => Ok(()),
        None => Err((unknown, Some(unknown.message().to_owned()))),
    }
}

fn producers(ctx: &RequestContext, name: &str, index: i32) -> Result<Vec<ProducerState>, Refused> {
    let image = ctx.node.image();
    let topic = image.topics.by_name(name);
    let exists = topic.is_some_and(|topic| topic.partition(index).is_some());
    let partition = ctx.node.partitions.by_name(name, index).ok_or_else(|| {
        let error = if exists {
            ErrorCode::NotLeaderOrFollower
        } else {
            ErrorCode::UnknownTopicOrPartition
        };
        (error, None)
    })?;
    let known = partition
        .producers()
        .map_err(|refusal| (refusal.error_code(), refusal.error_message()))?;
    Ok(known.into_iter().map(state).collect())
}

fn state(producer: ProducerInfo) -> ProducerState {
    ProducerState {
        producer_id: producer.id.0,
        producer_epoch: producer.epoch.0.into(),
        last_sequence: producer.last_sequence.0,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.txn_start.map_or(-1, |offset| offset.0),
    }
}
