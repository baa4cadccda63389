//! DescribeTopicPartitions (key 75, version 0, broker listener, DESCRIBE Topic; KIP-966).
//!
//! Topics in the order of their names, partition by partition and a page at a time.

use std::collections::BTreeSet;

use ottla_controller::check_topic_name;
use ottla_metadata::{PartitionRegistration, TopicImage};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use ottla_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};

use crate::api_table::RequestContext;
use crate::authorized_operations as operations;
use crate::internal_topics::is_internal;
use crate::listener_view::{ListenerView, wire_ids};

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = ctx.node.image();
    let view = ListenerView {
        image: &image,
        listener: &ctx.session.listener.name,
    };
    let (first_topic, first_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.as_str(), cursor.partition_index),
        None => ("", 0),
    };
    let names: BTreeSet<&str> = request.topics.iter().map(|t| t.name.as_str()).collect();
    let all = names.is_empty();
    // A cursor goes on with a topic of the request.
    if first_partition < 0 || (request.cursor.is_some() && !all && !names.contains(first_topic)) {
        return refused(&request);
    }
    let limit = ctx.node.config().network.max_request_partition_size_limit;
    let limit = request.response_partition_limit.min(limit).max(1);
    let mut page = Page {
        view,
        room: usize::try_from(limit).unwrap_or(1),
        topics: Vec::new(),
        next: None,
    };
    let from = |name: &str| {
        if name == first_topic {
            first_partition
        } else {
            0
        }
    };
    if all {
        for topic in image.topics.iter_by_name_from(first_topic) {
            if !page.add(topic, from(&topic.name)) {
                break;
            }
        }
    } else {
        for &name in names.range(first_topic..) {
            let more = match image.topics.by_name(name) {
                Some(topic) => page.add(topic, from(name)),
                None => page.add_missing(name),
            };
            if !more {
                break;
            }
        }
    }
    DescribeTopicPartitionsResponse {
        topics: page.topics,
        next_cursor: page.next,
        ..DescribeTopicPartitionsResponse::default()
    }
}

struct Page<'a> {
    view: ListenerView<'a>,
    /// Partitions that may still be added.
    room: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next: Option<Cursor>,
}

impl Page<'_> {
    /// Adds the partitions of `topic` from `first` on; says whether another topic may follow.
    fn add(&mut self, topic: &TopicImage, first: i32) -> bool {
        if self.room == 0 {
            return self.end_at(&topic.name, 0);
        }
        let mut rest = topic.partitions.range(first..);
        let partitions: Vec<_> = rest
            .by_ref()
            .take(self.room)
            .map(|(&index, known)| partition(self.view, index, known))
            .collect();
        self.room -= partitions.len();
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            name: Some(topic.name.to_string()),
            topic_id: topic.id.0,
            is_internal: is_internal(&topic.name),
            partitions,
            topic_authorized_operations: operations::TOPIC,
            ..DescribeTopicPartitionsResponseTopic::default()
        });
        match rest.next() {
            Some((&index, _)) => self.end_at(&topic.name, index),
            None => true,
        }
    }

    /// Kafka differs: the empty name fails the whole request, with UNKNOWN_SERVER_ERROR.
    fn add_missing(&mut self, name: &str) -> bool {
        if self.room == 0 {
            return self.end_at(name, 0);
        }
        let error = match check_topic_name(name) {
            Ok(()) => ErrorCode::UnknownTopicOrPartition,
            Err(_) => ErrorCode::InvalidTopicException,
        };
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: error.code(),
            name: Some(name.to_owned()),
            is_internal: is_internal(name),
            topic_authorized_operations: operations::TOPIC,
            ..DescribeTopicPartitionsResponseTopic::default()
        });
        true
    }

    fn end_at(&mut self, topic: &str, partition_index: i32) -> bool {
        self.next = Some(Cursor {
            topic_name: topic.to_owned(),
            partition_index,
        });
        false
    }
}

fn partition(
    view: ListenerView<'_>,
    index: i32,
    known: &PartitionRegistration,
) -> DescribeTopicPartitionsResponsePartition {
    let seen = view.partition(known);
    let error = seen.no_leader.map_or(ErrorCode::None, |cause| cause.code());
    DescribeTopicPartitionsResponsePartition {
        error_code: error.code(),
        partition_index: index,
        leader_id: seen.leader.0,
        leader_epoch: known.leader_epoch.0,
        replica_nodes: wire_ids(&known.replicas),
        isr_nodes: wire_ids(&known.isr),
        eligible_leader_replicas: Some(wire_ids(&known.elr)),
        last_known_elr: Some(wire_ids(&known.last_known_elr)),
        offline_replicas: seen.offline,
    }
}

/// Every topic with INVALID_REQUEST.
fn refused(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter();
    DescribeTopicPartitionsResponse {
        topics: topics
            .map(|topic| DescribeTopicPartitionsResponseTopic {
                error_code: ErrorCode::InvalidRequest.code(),
                name: Some(topic.name.clone()),
                ..DescribeTopicPartitionsResponseTopic::default()
            })
            .collect(),
        ..DescribeTopicPartitionsResponse::default()
    }
}
