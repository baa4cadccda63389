//! Which partitions a Fetch asks for: those it names, or those that its session remembers (KIP-227).

use std::sync::Arc;

use ottla_base::{Offset, TopicId, Uuid};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::fetch_request::borrowed::{
    FetchPartitionRef, FetchRequestRef, FetchTopicRef,
};
use ottla_replication::fetch_session::{
    FINAL_EPOCH, INITIAL_EPOCH, Interest, NO_SESSION, Session, SessionError, SessionTopic,
};
use parking_lot::Mutex;

use super::ask::{Ask, Refused, TopicKey, find};
use crate::node::{FetchSession, Node};
use crate::partition::ReadAsk;

/// First version in which topics are named by id (KIP-516).
pub(super) const TOPIC_IDS_FROM: i16 = 13;
/// Random ids tried for a new session.
const ID_TRIES: usize = 16;

/// What a request means for its session.
pub(super) enum SessionTurn {
    /// There is none.
    None,
    /// The whole answer is told, and the session begins.
    Begun(i32, FetchSession),
    /// Only news are told.
    Incremental(i32, FetchSession),
}

impl SessionTurn {
    /// The id that the answer carries.
    pub(super) fn id(&self) -> i32 {
        match self {
            Self::None => NO_SESSION,
            Self::Begun(id, _) | Self::Incremental(id, _) => *id,
        }
    }
}

/// Follows what the request says of its session, and lists what is asked.
///
/// # Errors
/// The error code of the request as a whole.
pub(super) fn take_turn(
    node: &Node,
    request: &FetchRequestRef<'_>,
    version: i16,
    asks: &mut Vec<Ask>,
) -> Result<SessionTurn, ErrorCode> {
    let by_id = version >= TOPIC_IDS_FROM;
    if matches!(request.session_epoch, INITIAL_EPOCH | FINAL_EPOCH) {
        if request.session_id != NO_SESSION {
            node.fetch_sessions.lock().remove(request.session_id);
        }
        if request.session_epoch == INITIAL_EPOCH
            && let Some((id, session)) = begin(node, request, by_id)
        {
            list_session(node, &session.lock(), asks);
            return Ok(SessionTurn::Begun(id, session));
        }
        for topic in request.topics {
            for partition in topic.partitions {
                let key = key(topic, by_id);
                asks.push(ask(
                    node,
                    key,
                    None,
                    partition.partition,
                    interest(partition),
                    0,
                ));
            }
        }
        return Ok(SessionTurn::None);
    }
    let now = node.clock.mono();
    let found = node.fetch_sessions.lock().touch(now, request.session_id);
    let session = found.map_err(|error| session_error(&error))?;
    let mut remembered = session.lock();
    remembered
        .begin(request.session_epoch, by_id)
        .map_err(|error| session_error(&error))?;
    let named = request.topics.iter().map(|topic| topic.partitions.len());
    if !node.fetch_sessions.lock().has_room_for(named.sum()) {
        return Err(ErrorCode::FetchSessionIdNotFound);
    }
    change(&mut remembered, request, by_id);
    let id = remembered.id();
    node.fetch_sessions.lock().resize(id, remembered.len());
    list_session(node, &remembered, asks);
    drop(remembered);
    Ok(SessionTurn::Incremental(id, session))
}

fn begin(node: &Node, request: &FetchRequestRef<'_>, by_id: bool) -> Option<(i32, FetchSession)> {
    let named = request.topics.iter().map(|topic| topic.partitions.len());
    let partitions = named.sum();
    let candidates = (0..ID_TRIES).map(|_| {
        let [a, b, c, d, ..] = node.rng.u64().to_be_bytes();
        i32::from_be_bytes([a & 0x7f, b, c, d])
    });
    let make = |id| Arc::new(Mutex::new(Session::new(id, by_id)));
    let now = node.clock.mono();
    let mut sessions = node.fetch_sessions.lock();
    let (id, session) = sessions.insert(now, partitions, candidates, make)?;
    let mut remembered = session.lock();
    change(&mut remembered, request, by_id);
    sessions.resize(id, remembered.len());
    drop(remembered);
    Some((id, session))
}

fn change(session: &mut Session, request: &FetchRequestRef<'_>, by_id: bool) {
    let topic = |name: &str, id: Uuid| {
        if by_id {
            SessionTopic::Id(TopicId(id))
        } else {
            SessionTopic::Name(name.into())
        }
    };
    for named in request.topics {
        let key = topic(named.topic, named.topic_id);
        for partition in named.partitions {
            session.update(key.clone(), partition.partition, interest(partition));
        }
    }
    for forgotten in request.forgotten_topics_data {
        let key = topic(forgotten.topic, forgotten.topic_id);
        for partition in forgotten.partitions {
            session.forget(key.clone(), *partition);
        }
    }
}

fn list_session(node: &Node, session: &Session, asks: &mut Vec<Ask>) {
    for (slot, entry) in session.iter() {
        let (key, name) = match &entry.topic {
            SessionTopic::Name(name) => (TopicKey::Name(name), Some(name)),
            SessionTopic::Id(id) => (TopicKey::Id(id.0), None),
        };
        asks.push(ask(node, key, name, entry.partition, entry.interest, slot));
    }
}

fn key<'a>(topic: &FetchTopicRef<'a>, by_id: bool) -> TopicKey<'a> {
    if by_id {
        TopicKey::Id(topic.topic_id)
    } else {
        TopicKey::Name(topic.topic)
    }
}

fn interest(partition: &FetchPartitionRef) -> Interest {
    Interest {
        fetch_offset: Offset(partition.fetch_offset),
        log_start: partition.log_start_offset,
        max_bytes: partition.partition_max_bytes,
        current_leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
    }
}

fn ask(
    node: &Node,
    key: TopicKey<'_>,
    name: Option<&Arc<str>>,
    index: i32,
    interest: Interest,
    slot: u32,
) -> Ask {
    let partition: Result<_, Refused> = find(node, key, index);
    let name = match (&partition, key) {
        (Err(_), TopicKey::Name(text)) => Some(name.map_or_else(|| text.into(), Arc::clone)),
        _ => None,
    };
    Ask {
        partition,
        name,
        topic_id: match key {
            TopicKey::Id(id) => id,
            TopicKey::Name(_) => Uuid::ZERO,
        },
        index,
        read: ReadAsk {
            from: interest.fetch_offset,
            max_bytes: 0,
            min_one: false,
            read_committed: false,
            current_leader_epoch: interest.current_leader_epoch,
            last_fetched_epoch: interest.last_fetched_epoch,
        },
        max_bytes: u32::try_from(interest.max_bytes).unwrap_or(0),
        slot,
        is_refused: false,
    }
}

fn session_error(error: &SessionError) -> ErrorCode {
    match error {
        SessionError::NotFound(_) => ErrorCode::FetchSessionIdNotFound,
        SessionError::InvalidEpoch { .. } => ErrorCode::InvalidFetchSessionEpoch,
        SessionError::TopicIdMismatch => ErrorCode::FetchSessionTopicIdError,
    }
}
