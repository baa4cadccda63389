//! What a Fetch asks of one partition.

use std::sync::Arc;

use ottla_base::{LeaderEpoch, NodeId, TopicId, Uuid};
use ottla_protocol::ErrorCode;

use crate::error_map::WireError as _;
use crate::node::Node;
use crate::partition::{Partition, PartitionRefusal, ReadAsk};

/// How the client names a topic.
#[derive(Debug, Clone, Copy)]
pub(super) enum TopicKey<'a> {
    Name(&'a str),
    Id(Uuid),
}

/// One partition that is asked for.
pub(super) struct Ask {
    /// The partition, or why it cannot be read here.
    pub(super) partition: Result<Arc<Partition>, Refused>,
    /// The topic's name where the partition is not at hand to tell.
    pub(super) name: Option<Arc<str>>,
    /// The topic's id, as the client gave it; zero if it gave none.
    pub(super) topic_id: Uuid,
    /// 0-based index.
    pub(super) index: i32,
    /// Where to read.
    pub(super) read: ReadAsk,
    /// Bytes wanted at most.
    pub(super) max_bytes: u32,
    /// The partition's place in the fetch session.
    pub(super) slot: u32,
    /// Whether the partition is here, but not for this reader.
    pub(super) is_refused: bool,
}

impl Ask {
    /// Refuses a reader that is no replica of the partition.
    pub(super) fn refuse_replica(&mut self) {
        if let Ok(partition) = &self.partition {
            self.name = Some(Arc::clone(&partition.topic));
            self.partition = Err(Refused::from(ErrorCode::NotLeaderOrFollower));
            self.is_refused = true;
        }
    }
}

/// A refusal of one partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    pub(super) error: ErrorCode,
    /// Leader and epoch to try instead (KIP-951).
    pub(super) leader: Option<(NodeId, LeaderEpoch)>,
}

impl From<ErrorCode> for Refused {
    fn from(error: ErrorCode) -> Self {
        Self {
            error,
            leader: None,
        }
    }
}

impl Refused {
    pub(super) fn partition(refusal: &PartitionRefusal, partition: &Partition) -> Self {
        let hint = match refusal {
            PartitionRefusal::NotLeader { leader, epoch } => Some((*leader, *epoch)),
            PartitionRefusal::FencedLeaderEpoch(_) => Some(partition.leader()),
            _ => None,
        };
        Self {
            error: refusal.error_code(),
            leader: hint,
        }
    }
}

/// Finds the partition that a client names.
pub(super) fn find(
    node: &Node,
    topic: TopicKey<'_>,
    index: i32,
) -> Result<Arc<Partition>, Refused> {
    let found = match topic {
        TopicKey::Name(name) => node.partitions.by_name(name, index),
        TopicKey::Id(id) => node.partitions.by_id(TopicId(id), index),
    };
    if let Some(partition) = found {
        return Ok(partition);
    }
    let image = node.image.load();
    let known = match topic {
        TopicKey::Name(name) => image.topics.by_name(name),
        TopicKey::Id(id) => {
            let topic = image.topics.by_id(TopicId(id));
            if topic.is_none() {
                return Err(Refused::from(ErrorCode::UnknownTopicId));
            }
            topic
        }
    };
    match known.and_then(|topic| topic.partition(index)) {
        Some(partition) => Err(Refused {
            error: ErrorCode::NotLeaderOrFollower,
            leader: Some((partition.leader, partition.leader_epoch)),
        }),
        None => Err(Refused::from(ErrorCode::UnknownTopicOrPartition)),
    }
}
