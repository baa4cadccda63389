//! DescribeQuorum (key 55, versions 0-2, broker and controller listeners, DESCRIBE Cluster; KIP-595, 836,
//! 853).
//!
//! Tells who leads the metadata quorum, and how far its log is committed. A quorum is one node so far, so
//! its only voter is its leader, and everything in the log that others can see is committed.

use ottla_base::{NodeId, Uuid};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_quorum_request::TopicData as Asked;
use ottla_protocol::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use ottla_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};

use crate::api_table::RequestContext;

const METADATA_TOPIC: &str = "__cluster_metadata";
/// From this version on a replica is told with its directory, and every error with its text.
const TELLS_DIRECTORIES_FROM: i16 = 2;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    let texts = ctx.version >= TELLS_DIRECTORIES_FROM;
    let text = |error: ErrorCode| match error {
        _ if !texts => None,
        ErrorCode::None => Some(String::new()),
        error => Some(error.message().to_owned()),
    };
    if !is_of_the_quorum(&request.topics) {
        let error = ErrorCode::UnknownTopicOrPartition;
        return DescribeQuorumResponse {
            error_message: text(ErrorCode::None),
            topics: each(request.topics, |partition_index| PartitionData {
                partition_index,
                error_code: error.code(),
                error_message: text(error),
                ..PartitionData::default()
            }),
            ..DescribeQuorumResponse::default()
        };
    }
    let status = ctx.node.quorum.status();
    let leader = status.leader();
    let here = leader == Some(ctx.node.id);
    let state = status.high_watermark().filter(|_| here);
    let Some(high_watermark) = state else {
        let error = ErrorCode::NotLeaderOrFollower;
        return DescribeQuorumResponse {
            error_message: text(ErrorCode::None),
            topics: each(request.topics, |partition_index| PartitionData {
                partition_index,
                error_code: error.code(),
                error_message: text(error),
                leader_id: leader.map_or(-1, |leader| leader.0),
                leader_epoch: status.epoch().0,
                ..PartitionData::default()
            }),
            ..DescribeQuorumResponse::default()
        };
    };
    let now = ctx.node.clock.wall().0;
    let since = ctx.version >= 1;
    let voter = ReplicaState {
        replica_id: ctx.node.id.0,
        replica_directory_id: directory(ctx),
        log_end_offset: high_watermark.0,
        last_fetch_timestamp: if since { now } else { -1 },
        last_caught_up_timestamp: if since { now } else { -1 },
    };
    DescribeQuorumResponse {
        error_message: text(ErrorCode::None),
        nodes: if texts && !request.topics.is_empty() {
            node(ctx, ctx.node.id).into_iter().collect()
        } else {
            Vec::new()
        },
        topics: each(request.topics, |partition_index| PartitionData {
            partition_index,
            error_message: text(ErrorCode::None),
            leader_id: ctx.node.id.0,
            leader_epoch: status.epoch().0,
            high_watermark: high_watermark.0,
            current_voters: vec![voter.clone()],
            ..PartitionData::default()
        }),
        ..DescribeQuorumResponse::default()
    }
}

/// The one partition that is replicated by the quorum, and nothing beside it.
fn is_of_the_quorum(topics: &[Asked]) -> bool {
    match topics {
        [topic] if topic.topic_name == METADATA_TOPIC => {
            matches!(topic.partitions.as_slice(), [only] if only.partition_index == 0)
        }
        topics => topics.is_empty(),
    }
}

fn each(topics: Vec<Asked>, partition: impl Fn(i32) -> PartitionData) -> Vec<TopicData> {
    let topics = topics.into_iter();
    topics
        .map(|topic| TopicData {
            topic_name: topic.topic_name,
            partitions: topic
                .partitions
                .iter()
                .map(|asked| partition(asked.partition_index))
                .collect(),
        })
        .collect()
}

/// The directory of this voter, where the quorum knows directories (KIP-853).
fn directory(ctx: &RequestContext) -> Uuid {
    let known =
        ctx.version >= TELLS_DIRECTORIES_FROM && ctx.node.quorum.status().kraft_version() > 0;
    let dirs = ctx.node.dirs.as_ref().filter(|_| known);
    dirs.map_or(Uuid::ZERO, |dirs| dirs.metadata_directory_id())
}

fn node(ctx: &RequestContext, id: NodeId) -> Option<Node> {
    let image = ctx.node.image();
    let controller = image.cluster.controllers.get(&id)?;
    let endpoints = controller.endpoints.iter();
    Some(Node {
        node_id: id.0,
        listeners: endpoints
            .map(|endpoint| Listener {
                name: endpoint.name.clone(),
                host: endpoint.host.clone(),
                port: endpoint.port,
            })
            .collect(),
    })
}
