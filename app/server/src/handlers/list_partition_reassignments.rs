//! ListPartitionReassignments (key 46, version 0, broker and controller listeners, DESCRIBE Cluster;
//! KIP-455).
//!
//! Tells the partitions whose replicas are being exchanged, from the committed image.

use std::collections::BTreeMap;

use ottla_metadata::TopicImage;
use ottla_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use ottla_protocol::messages::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use crate::api_table::RequestContext;
use crate::listener_view::wire_ids;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let image = ctx.node.image();
    let mut topics = BTreeMap::new();
    let mut add = |topic: &TopicImage, ongoing: Vec<OngoingPartitionReassignment>| {
        if !ongoing.is_empty() {
            topics.insert(topic.name.to_string(), ongoing);
        }
    };
    match &request.topics {
        None => {
            for topic in image.topics.iter() {
                add(topic, ongoing(topic, |_| true));
            }
        }
        Some(named) => {
            for asked in named {
                if let Some(topic) = image.topics.by_name(&asked.name) {
                    let indexes = &asked.partition_indexes;
                    add(topic, ongoing(topic, |index| indexes.contains(&index)));
                }
            }
        }
    }
    let topics = topics.into_iter();
    ListPartitionReassignmentsResponse {
        error_message: None,
        topics: topics
            .map(|(name, partitions)| OngoingTopicReassignment { name, partitions })
            .collect(),
        ..ListPartitionReassignmentsResponse::default()
    }
}

fn ongoing(topic: &TopicImage, asked: impl Fn(i32) -> bool) -> Vec<OngoingPartitionReassignment> {
    let partitions = topic.partitions.iter();
    partitions
        .filter(|(_, known)| {
            !known.adding_replicas.is_empty() || !known.removing_replicas.is_empty()
        })
        .filter(|(index, _)| asked(**index))
        .map(|(&partition_index, known)| OngoingPartitionReassignment {
            partition_index,
            replicas: wire_ids(&known.replicas),
            adding_replicas: wire_ids(&known.adding_replicas),
            removing_replicas: wire_ids(&known.removing_replicas),
        })
        .collect()
}
