//! The committed metadata as a client of one listener sees it: which brokers it can reach, and what of
//! a partition it can use.

use ottla_base::NodeId;
use ottla_metadata::{BrokerRegistration, Endpoint, MetadataImage, PartitionRegistration};
use ottla_protocol::ErrorCode;

/// An image, seen from a listener.
#[derive(Clone, Copy)]
pub(crate) struct ListenerView<'a> {
    pub(crate) image: &'a MetadataImage,
    /// Name of the listener that the client came by.
    pub(crate) listener: &'a str,
}

/// A partition as Metadata and DescribeTopicPartitions show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PartitionView {
    /// Why it has no leader that the client can reach, if so.
    pub(crate) no_leader: Option<NoLeader>,
    /// The leader; -1 if the client can reach none.
    pub(crate) leader: NodeId,
    /// Replicas that are down, unreachable by the listener, or whose directory is offline.
    pub(crate) offline: Vec<i32>,
}

/// Why a client can reach no leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoLeader {
    /// There is none, or it is not registered.
    Unknown,
    /// There is one, but it is fenced or does not listen where the client does.
    Unreachable,
}

impl NoLeader {
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Self::Unknown => ErrorCode::LeaderNotAvailable,
            Self::Unreachable => ErrorCode::ListenerNotFound,
        }
    }
}

impl<'a> ListenerView<'a> {
    /// Where the client reaches `node`; `None` if it is down or not on the listener.
    pub(crate) fn endpoint(self, node: NodeId) -> Option<&'a Endpoint> {
        let broker = self.image.cluster.broker(node)?;
        self.endpoint_of(broker)
    }

    fn endpoint_of(self, broker: &BrokerRegistration) -> Option<&Endpoint> {
        broker.endpoint(self.listener).filter(|_| !broker.fenced)
    }

    /// Brokers that the client can reach, by id.
    pub(crate) fn brokers(self) -> impl Iterator<Item = (&'a BrokerRegistration, &'a Endpoint)> {
        let brokers = self.image.cluster.brokers.values();
        brokers.filter_map(move |broker| Some((&**broker, self.endpoint_of(broker)?)))
    }

    /// What the client sees of `partition`.
    pub(crate) fn partition(self, partition: &PartitionRegistration) -> PartitionView {
        let leader = partition.leader;
        let no_leader = match self.endpoint(leader) {
            Some(_) => None,
            None if self.image.cluster.broker(leader).is_none() => Some(NoLeader::Unknown),
            None => Some(NoLeader::Unreachable),
        };
        let offline = partition.replicas.iter().copied();
        PartitionView {
            no_leader,
            leader: if no_leader.is_none() {
                leader
            } else {
                NodeId::NONE
            },
            offline: offline
                .filter(|&node| self.is_offline(partition, node))
                .map(|node| node.0)
                .collect(),
        }
    }

    fn is_offline(self, partition: &PartitionRegistration, node: NodeId) -> bool {
        let broker = self.image.cluster.broker(node);
        let directory = partition.directory(node);
        !broker.zip(directory).is_some_and(|(broker, directory)| {
            self.endpoint_of(broker).is_some() && broker.has_online_directory(directory)
        })
    }
}

/// Node ids as messages carry them.
pub(crate) fn wire_ids(nodes: &[NodeId]) -> Vec<i32> {
    nodes.iter().map(|node| node.0).collect()
}
