//! FindCoordinator (key 10, versions 0-6, broker listener, DESCRIBE Group or TransactionalId; KIP-98,
//! 699, 890, 932).
//!
//! The coordinator of a key is the leader of the partition of an internal topic that the key's hash
//! falls on. The topic is made when somebody asks for the first time.

use ottla_base::Uuid;
use ottla_coordinator::partition_for;
use ottla_metadata::MetadataImage;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::find_coordinator_response::Coordinator;
use ottla_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use crate::api_table::RequestContext;
use crate::internal_topics::CONSUMER_OFFSETS;
use crate::listener_view::ListenerView;

/// From this version on a request asks for several keys.
const BATCHED_FROM: i16 = 4;
/// From this version on share groups have coordinators.
const SHARE_FROM: i16 = 6;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let batched = ctx.version >= BATCHED_FROM;
    let known = match request.key_type {
        GROUP | TRANSACTION => true,
        SHARE => batched,
        _ => false,
    };
    if !known {
        return refused(batched, request);
    }
    let image = ctx.node.image();
    if request.key_type == GROUP {
        create_topic(ctx, &image);
    }
    let find = |key: &str| find(ctx, &image, request.key_type, key);
    if batched {
        let keys = request.coordinator_keys.iter();
        return FindCoordinatorResponse {
            coordinators: keys.map(|key| coordinator(key, find(key))).collect(),
            ..FindCoordinatorResponse::default()
        };
    }
    let found = find(&request.key);
    let error = found.as_ref().err().copied().unwrap_or(ErrorCode::None);
    let (node_id, host, port) = found.unwrap_or_else(|_| nowhere());
    FindCoordinatorResponse {
        error_code: error.code(),
        error_message: Some(error.message().to_owned()),
        node_id,
        host,
        port,
        ..FindCoordinatorResponse::default()
    }
}

/// Begins to make the topic if it is missing in `image`; this answer still says that there is no coordinator,
/// and the client asks again.
fn create_topic(ctx: &RequestContext, image: &MetadataImage) {
    if image.topics.id(CONSUMER_OFFSETS).is_none() {
        let config = ctx.node.config();
        let node = &ctx.node;
        let names = [CONSUMER_OFFSETS];
        node.auto_create.begin(&node.quorum, &config, &names);
    }
}

/// Node id, host and port.
type Place = (i32, String, i32);

fn find(
    ctx: &RequestContext,
    image: &MetadataImage,
    kind: i8,
    key: &str,
) -> Result<Place, ErrorCode> {
    if kind == SHARE && (ctx.version < SHARE_FROM || !is_share_key(key)) {
        return Err(ErrorCode::InvalidRequest);
    }
    if kind != GROUP {
        // Kafka differs: it has coordinators of transactions and of share groups, which are not served
        // here yet.
        return Err(ErrorCode::CoordinatorNotAvailable);
    }
    let topic = image.topics.by_name(CONSUMER_OFFSETS);
    let topic = topic.ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let view = ListenerView {
        image,
        listener: &ctx.session.listener.name,
    };
    let partition = topic.partition(partition_for(key, count));
    let leader = partition.map(|partition| partition.leader);
    leader
        .and_then(|leader| Some((leader.0, view.endpoint(leader)?)))
        .map(|(id, endpoint)| (id, endpoint.host.clone(), endpoint.port.into()))
        .ok_or(ErrorCode::CoordinatorNotAvailable)
}

/// `group:topicId:partition` (KIP-932).
fn is_share_key(key: &str) -> bool {
    let mut parts = key.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(group), Some(topic), Some(partition), None) => {
            !group.trim().is_empty()
                && topic.parse::<Uuid>().is_ok()
                && partition.parse::<i32>().is_ok()
        }
        _ => false,
    }
}

fn nowhere() -> Place {
    (-1, String::new(), -1)
}

fn coordinator(key: &str, found: Result<Place, ErrorCode>) -> Coordinator {
    let error = found.as_ref().err().copied().unwrap_or(ErrorCode::None);
    let (node_id, host, port) = found.unwrap_or_else(|_| nowhere());
    Coordinator {
        key: key.to_owned(),
        node_id,
        host,
        port,
        error_code: error.code(),
        error_message: Some(String::new()),
    }
}

/// The answer to a kind of key that does not exist.
fn refused(batched: bool, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let error = ErrorCode::InvalidRequest;
    let error_message = Some(error.message().to_owned());
    if batched {
        let keys = request.coordinator_keys.into_iter();
        return FindCoordinatorResponse {
            coordinators: keys
                .map(|key| Coordinator {
                    error_message: error_message.clone(),
                    ..coordinator(&key, Err(error))
                })
                .collect(),
            ..FindCoordinatorResponse::default()
        };
    }
    let (node_id, host, port) = nowhere();
    FindCoordinatorResponse {
        error_code: error.code(),
        error_message,
        node_id,
        host,
        port,
        ..FindCoordinatorResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_keys_name_group_topic_and_partition() {
        for (key, valid) in [
            ("g:AAAAAAAAAAAAAAAAAAAAAA:1", true),
            ("t1", false),
            ("a:b:c", false),
            (":AAAAAAAAAAAAAAAAAAAAAA:1", false),
            ("g:AAAAAAAAAAAAAAAAAAAAAA:x", false),
            ("g:AAAAAAAAAAAAAAAAAAAAAA:1:2", false),
            ("", false),
        ] {
            assert_eq!(is_share_key(key), valid, "{key:?}");
        }
    }
}
