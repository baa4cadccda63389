//! Metadata (key 3, versions 0-13, broker listener, DESCRIBE Topic; CREATE for auto-creation; KIP-4,
//! 204, 430, 516, 1102).
//!
//! Tells brokers, topics and partitions as the listener's clients reach them, and makes topics that are
//! asked for and missing, where both sides allow it.

use std::collections::BTreeSet;

use ottla_base::{NodeId, TopicId, Uuid};
use ottla_controller::check_topic_name;
use ottla_metadata::{MetadataImage, PartitionRegistration, TopicImage};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};

use crate::api_table::RequestContext;
use crate::authorized_operations as operations;
use crate::internal_topics::is_internal;
use crate::listener_view::{ListenerView, wire_ids};

/// From this version on topics may be asked for by id.
const TOPIC_IDS_FROM: i16 = 12;
/// Only this version leaves out replicas that cannot be reached, and says so with an error.
const HIDES_UNREACHABLE: i16 = 0;
/// From this version on clients know the error LISTENER_NOT_FOUND.
const KNOWS_LISTENER_NOT_FOUND: i16 = 6;

/// Topics that a request is about.
enum Wanted<'a> {
    All,
    Names(Vec<&'a str>),
    Ids(Vec<Uuid>),
}

pub(crate) async fn handle(ctx: &RequestContext, request: MetadataRequest) -> MetadataResponse {
    let wanted = match wanted(ctx.version, &request) {
        Ok(wanted) => wanted,
        Err(error) => return refused(ctx.version, &request, error),
    };
    let image = ctx.node.image();
    if let Wanted::Names(names) = &wanted
        && request.allow_auto_topic_creation
    {
        create_missing(ctx, &image, names);
    }
    let view = ListenerView {
        image: &image,
        listener: &ctx.session.listener.name,
    };
    let mut topics: Vec<MetadataResponseTopic> = match &wanted {
        Wanted::All => image.topics.iter().map(|t| topic(ctx, view, t)).collect(),
        Wanted::Names(names) => {
            let found = names.iter().filter_map(|name| image.topics.by_name(name));
            let missing = names.iter().filter(|name| image.topics.id(name).is_none());
            let found = found.map(|t| topic(ctx, view, t));
            found
                .chain(missing.map(|name| missing_name(name)))
                .collect()
        }
        Wanted::Ids(ids) => {
            let found = |id: &Uuid| image.topics.by_id(TopicId(*id));
            let missing = ids.iter().filter(|id| found(id).is_none());
            let topics = ids.iter().filter_map(found).map(|t| topic(ctx, view, t));
            missing.map(|id| missing_id(*id)).chain(topics).collect()
        }
    };
    if request.include_topic_authorized_operations {
        for topic in topics.iter_mut().filter(|topic| topic.name.is_some()) {
            topic.topic_authorized_operations = operations::TOPIC;
        }
    }
    MetadataResponse {
        brokers: view
            .brokers()
            .map(|(broker, endpoint)| MetadataResponseBroker {
                node_id: broker.id.0,
                host: endpoint.host.clone(),
                port: endpoint.port.into(),
                rack: broker.rack.clone(),
            })
            .collect(),
        cluster_id: Some(ctx.node.cluster_id.clone()),
        controller_id: controller(ctx, view).0,
        topics,
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            operations::CLUSTER
        } else {
            operations::NOT_ASKED
        },
        ..MetadataResponse::default()
    }
}

fn wanted(version: i16, request: &MetadataRequest) -> Result<Wanted<'_>, ErrorCode> {
    let topics = match &request.topics {
        None => return Ok(Wanted::All),
        Some(topics) if topics.is_empty() && version == 0 => return Ok(Wanted::All),
        Some(topics) => topics,
    };
    let has_id = |id: &Uuid| *id != Uuid::ZERO;
    if version < TOPIC_IDS_FROM
        && topics
            .iter()
            .any(|topic| topic.name.is_none() || has_id(&topic.topic_id))
    {
        return Err(ErrorCode::InvalidRequest);
    }
    let mut seen = BTreeSet::new();
    let ids = topics.iter().map(|topic| topic.topic_id).filter(has_id);
    let ids: Vec<Uuid> = ids.filter(|id| seen.insert(*id)).collect();
    if !ids.is_empty() {
        return Ok(Wanted::Ids(ids)); // Names beside ids are not looked at.
    }
    let mut seen = BTreeSet::new();
    let names = topics.iter().map(|topic| topic.name.as_deref());
    let names: Option<Vec<&str>> = names.filter(|name| seen.insert(*name)).collect();
    names
        .map(Wanted::Names)
        .ok_or(ErrorCode::UnknownServerError)
}

/// Begins to make what is missing in `image`; this answer still says that it is unknown, and the client asks
/// again.
fn create_missing(ctx: &RequestContext, image: &MetadataImage, names: &[&str]) {
    let config = ctx.node.config();
    if !config.node.auto_create_topics {
        return;
    }
    let missing = |name: &&str| image.topics.id(name).is_none() && check_topic_name(name).is_ok();
    let names: Vec<&str> = names.iter().copied().filter(missing).collect();
    let node = &ctx.node;
    node.auto_create.begin(&node.quorum, &config, &names);
}

/// Any broker takes what a controller would, so any that the client reaches will do (KIP-590).
fn controller(ctx: &RequestContext, view: ListenerView<'_>) -> NodeId {
    if view.endpoint(ctx.node.id).is_some() {
        return ctx.node.id;
    }
    let mut brokers = view.brokers();
    brokers.next().map_or(NodeId::NONE, |(broker, _)| broker.id)
}

fn topic(
    ctx: &RequestContext,
    view: ListenerView<'_>,
    topic: &TopicImage,
) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter();
    MetadataResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id.0,
        is_internal: is_internal(&topic.name),
        partitions: partitions
            .map(|(&index, known)| partition(ctx.version, view, index, known))
            .collect(),
        ..MetadataResponseTopic::default()
    }
}

fn partition(
    version: i16,
    view: ListenerView<'_>,
    index: i32,
    known: &PartitionRegistration,
) -> MetadataResponsePartition {
    let seen = view.partition(known);
    let mut replica_nodes = wire_ids(&known.replicas);
    let mut isr_nodes = wire_ids(&known.isr);
    if version == HIDES_UNREACHABLE {
        let reachable = |id: &i32| view.endpoint(NodeId(*id)).is_some();
        replica_nodes.retain(reachable);
        isr_nodes.retain(reachable);
    }
    let complete =
        replica_nodes.len() == known.replicas.len() && isr_nodes.len() == known.isr.len();
    let error = match seen.no_leader {
        Some(cause) if version >= KNOWS_LISTENER_NOT_FOUND => cause.code(),
        Some(_) => ErrorCode::LeaderNotAvailable,
        None if !complete => ErrorCode::ReplicaNotAvailable,
        None => ErrorCode::None,
    };
    MetadataResponsePartition {
        error_code: error.code(),
        partition_index: index,
        leader_id: seen.leader.0,
        leader_epoch: known.leader_epoch.0,
        replica_nodes,
        isr_nodes,
        offline_replicas: seen.offline,
    }
}

fn missing_name(name: &str) -> MetadataResponseTopic {
    let error = match check_topic_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    };
    MetadataResponseTopic {
        error_code: error.code(),
        name: Some(name.to_owned()),
        is_internal: is_internal(name),
        ..MetadataResponseTopic::default()
    }
}

fn missing_id(topic_id: Uuid) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: ErrorCode::UnknownTopicId.code(),
        name: None,
        topic_id,
        ..MetadataResponseTopic::default()
    }
}

/// Every topic with the same error, and nothing else.
fn refused(version: i16, request: &MetadataRequest, error: ErrorCode) -> MetadataResponse {
    let topics = request.topics.iter().flatten();
    MetadataResponse {
        cluster_id: None,
        topics: topics
            .map(|topic| MetadataResponseTopic {
                error_code: error.code(),
                name: Some(topic.name.clone().unwrap_or_default()),
                topic_id: topic.topic_id,
                ..MetadataResponseTopic::default()
            })
            .collect(),
        error_code: if version >= 13 { error.code() } else { 0 },
        ..MetadataResponse::default()
    }
}
