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

#[cfg(test)]
mod tests {
    use ottla_base::Uuid;
    use ottla_metadata::MetadataRecord;
    use ottla_protocol::messages::register_broker_record::BrokerEndpoint;
    use ottla_protocol::messages::{PartitionRecord, RegisterBrokerRecord, TopicRecord};

    use super::*;

    const TOPIC: Uuid = Uuid([7; 16]);
    const DIRECTORY: Uuid = Uuid([9; 16]);

    fn broker(id: i32, fenced: bool, listeners: &[&str]) -> MetadataRecord {
        let endpoint = |name: &&str| BrokerEndpoint {
            name: (*name).to_owned(),
            host: format!("host{id}"),
            port: 9092,
            ..BrokerEndpoint::default()
        };
        MetadataRecord::from(RegisterBrokerRecord {
            broker_id: id,
            fenced,
            end_points: listeners.iter().map(endpoint).collect(),
            log_dirs: vec![DIRECTORY],
            ..RegisterBrokerRecord::default()
        })
    }

    /// Broker 1 is well, 2 is fenced, 3 is on another listener, 4 has lost the directory, 5 is unknown.
    fn image(leader: i32) -> MetadataImage {
        let partition = PartitionRecord {
            partition_id: 0,
            topic_id: TOPIC,
            leader,
            replicas: vec![1, 2, 3, 4, 5],
            isr: vec![1],
            directories: [DIRECTORY, DIRECTORY, DIRECTORY, Uuid([3; 16]), DIRECTORY].into(),
            ..PartitionRecord::default()
        };
        let topic = TopicRecord {
            name: "t".to_owned(),
            topic_id: TOPIC,
            ..TopicRecord::default()
        };
        let mut image = MetadataImage::default();
        for record in [
            broker(1, false, &["OUT", "IN"]),
            broker(2, true, &["OUT"]),
            broker(3, false, &["IN"]),
            broker(4, false, &["OUT"]),
            topic.into(),
            partition.into(),
        ] {
            image.apply(&record).unwrap();
        }
        image
    }

    #[test]
    fn brokers_are_those_that_serve_on_the_listener() {
        let image = image(1);
        let ids = |listener| {
            let view = ListenerView {
                image: &image,
                listener,
            };
            let brokers = view.brokers();
            brokers.map(|(broker, _)| broker.id.0).collect::<Vec<_>>()
        };
        assert_eq!(ids("OUT"), [1, 4]);
        assert_eq!(ids("IN"), [1, 3]);
        assert_eq!(ids("NONE"), [0; 0]);
    }

    #[test]
    fn leaders_and_replicas_are_seen_from_the_listener() {
        let check = |leader, listener, seen: Result<i32, ErrorCode>, offline: &[i32]| {
            let image = image(leader);
            let view = ListenerView {
                image: &image,
                listener,
            };
            let topic = image.topics.by_name("t").unwrap();
            let found = view.partition(topic.partition(0).unwrap());
            let error = found.no_leader.map(NoLeader::code);
            assert_eq!(
                (found.leader.0, error),
                match seen {
                    Ok(leader) => (leader, None),
                    Err(error) => (-1, Some(error)),
                }
            );
            assert_eq!(found.offline, offline, "{leader} {listener}");
        };
        check(1, "OUT", Ok(1), &[2, 3, 4, 5]);
        check(1, "IN", Ok(1), &[2, 4, 5]);
        check(2, "OUT", Err(ErrorCode::ListenerNotFound), &[2, 3, 4, 5]);
        check(3, "OUT", Err(ErrorCode::ListenerNotFound), &[2, 3, 4, 5]);
        check(4, "OUT", Ok(4), &[2, 3, 4, 5]);
        check(5, "OUT", Err(ErrorCode::LeaderNotAvailable), &[2, 3, 4, 5]);
        check(-1, "OUT", Err(ErrorCode::LeaderNotAvailable), &[2, 3, 4, 5]);
    }
}
