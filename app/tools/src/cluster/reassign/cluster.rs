//! What this tool asks a cluster: moves under way, where partitions and their log directories are; and
//! the requests that begin and stop moves.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use ottla_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, DescribeLogDirsRequest,
    ListPartitionReassignmentsRequest,
};

use super::Trouble;
use super::plan::{Replica, TopicPartition};
use crate::common::topics::{self, Topic};
use crate::common::{client, controller};

/// A move that is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Move {
    /// All replicas, those that are added and those that are to go among them.
    pub(super) replicas: Vec<i32>,
    pub(super) adding: Vec<i32>,
    pub(super) removing: Vec<i32>,
}

/// Where a replica is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) current: Option<String>,
    /// Where it moves to.
    pub(super) future: Option<String>,
}

/// Every move that is under way.
pub(super) fn moves(admin: &mut Admin) -> Result<BTreeMap<TopicPartition, Move>, ClientError> {
    let mut request = ListPartitionReassignmentsRequest::default();
    request.timeout_ms = client::api_timeout_ms(admin);
    request.topics = None;
    let answer = controller::ask(admin, "listPartitionReassignments", &request, |answer| {
        vec![answer.error_code]
    })?;
    ClientError::check(answer.error_code, answer.error_message.as_deref())?;
    let mut moves = BTreeMap::new();
    for topic in answer.topics {
        for partition in topic.partitions {
            let step = Move {
                replicas: partition.replicas,
                adding: partition.adding_replicas,
                removing: partition.removing_replicas,
            };
            moves.insert((topic.name.clone(), partition.partition_index), step);
        }
    }
    Ok(moves)
}

/// Begins moves, or stops those without replicas. Gives back what was refused.
pub(super) fn alter<'a>(
    admin: &mut Admin,
    partitions: impl IntoIterator<Item = (&'a TopicPartition, Option<&'a Vec<i32>>)>,
    keep_count: bool,
) -> Result<BTreeMap<TopicPartition, ClientError>, ClientError> {
    let mut topics = BTreeMap::<&str, ReassignableTopic>::new();
    let mut asked = BTreeSet::new();
    for (key, replicas) in partitions {
        let mut partition = ReassignablePartition::default();
        partition.partition_index = key.1;
        partition.replicas = replicas.cloned();
        let topic = topics.entry(&key.0).or_default();
        topic.name.clone_from(&key.0);
        topic.partitions.push(partition);
        asked.insert(key);
    }
    let mut request = AlterPartitionReassignmentsRequest::default();
    request.timeout_ms = client::api_timeout_ms(admin);
    request.allow_replication_factor_change = !keep_count;
    request.topics = topics.into_values().collect();
    let answer = controller::ask(admin, "alterPartitionReassignments", &request, |answer| {
        vec![answer.error_code]
    })?;
    let mut refused = BTreeMap::new();
    let whole = ClientError::check(answer.error_code, answer.error_message.as_deref());
    if let Err(error) = whole {
        refused.extend(asked.into_iter().map(|key| (key.clone(), error.clone())));
        return Ok(refused);
    }
    for topic in answer.responses {
        for partition in topic.partitions {
            let outcome =
                ClientError::check(partition.error_code, partition.error_message.as_deref());
            if let Err(error) = outcome {
                refused.insert((topic.name.clone(), partition.partition_index), error);
            }
        }
    }
    Ok(refused)
}

/// The brokers that are alive.
pub(super) fn brokers(admin: &mut Admin) -> Result<BTreeSet<i32>, ClientError> {
    let described = admin.describe_cluster(false)?;
    Ok(described
        .brokers
        .iter()
        .map(|broker| broker.broker_id)
        .collect())
}

/// A topic; `None` if there is none of this name.
pub(super) fn topic(admin: &mut Admin, name: &str) -> Result<Option<Topic>, ClientError> {
    let found = topics::describe(admin, &[name.to_owned()], topics::PARTITIONS_PER_RESPONSE);
    match found {
        Ok(topics) => Ok(topics.into_iter().next()),
        Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A topic that has to be there.
pub(super) fn known_topic(admin: &mut Admin, name: &str) -> Result<Topic, Trouble> {
    topic(admin, name)?.ok_or_else(|| unknown(&format!("Topic {name} not found.")))
}

/// What Kafka's tool says of a topic or partition that is not there.
pub(super) fn unknown(text: &str) -> Trouble {
    ClientError::refused(ErrorCode::UnknownTopicOrPartition.code(), Some(text)).into()
}

/// Where replicas are. Each of them is in the answer.
pub(super) fn places<'a>(
    admin: &mut Admin,
    replicas: impl IntoIterator<Item = &'a Replica>,
) -> Result<BTreeMap<Replica, Place>, ClientError> {
    let mut places = BTreeMap::new();
    let mut brokers = BTreeMap::<i32, BTreeMap<&str, DescribableLogDirTopic>>::new();
    for replica in replicas {
        let (name, index, broker) = replica;
        places.insert(replica.clone(), Place::default());
        let topics = brokers.entry(*broker).or_default();
        let topic = topics.entry(name).or_default();
        topic.topic.clone_from(name);
        topic.partitions.push(*index);
    }
    for (broker, topics) in brokers {
        let mut request = DescribeLogDirsRequest::default();
        request.topics = Some(topics.into_values().collect());
        let answer = admin.ask_node("describeReplicaLogDirs", broker, &request)?;
        ClientError::check(answer.error_code, None)?;
        for dir in answer.results {
            // A directory that cannot be read holds no replica that is known.
            if dir.error_code == ErrorCode::KafkaStorageError.code() {
                continue;
            }
            ClientError::check(dir.error_code, None)?;
            for topic in dir.topics {
                for partition in topic.partitions {
                    let key = (topic.name.clone(), partition.partition_index, broker);
                    if let Some(place) = places.get_mut(&key) {
                        let side = if partition.is_future_key {
                            &mut place.future
                        } else {
                            &mut place.current
                        };
                        *side = Some(dir.log_dir.clone());
                    }
                }
            }
        }
    }
    Ok(places)
}

/// The log directory of each replica, where it is known; brokers that are away are not asked.
pub(super) fn dirs(
    admin: &mut Admin,
    partitions: &BTreeMap<TopicPartition, Vec<i32>>,
) -> Result<BTreeMap<Replica, String>, ClientError> {
    let live = brokers(admin)?;
    let replicas: Vec<Replica> = partitions
        .iter()
        .flat_map(|((topic, index), replicas)| {
            replicas
                .iter()
                .map(|broker| (topic.clone(), *index, *broker))
        })
        .filter(|(_, _, broker)| live.contains(broker))
        .collect();
    let places = places(admin, &replicas)?;
    Ok(places
        .into_iter()
        .filter_map(|(replica, place)| Some((replica, place.current?)))
        .collect())
}

/// Asks brokers to have replicas in certain log directories; says what came of each.
pub(super) fn move_dirs(
    admin: &mut Admin,
    moves: &BTreeMap<Replica, String>,
) -> BTreeMap<Replica, Result<(), ClientError>> {
    let mut brokers = BTreeMap::<i32, Vec<(&Replica, &String)>>::new();
    for entry @ ((_, _, broker), _) in moves {
        brokers.entry(*broker).or_default().push(entry);
    }
    let mut outcomes = BTreeMap::new();
    for (broker, moves) in brokers {
        let mut dirs = BTreeMap::<&str, BTreeMap<&str, AlterReplicaLogDirTopic>>::new();
        for ((name, index, _), dir) in &moves {
            let topic = dirs.entry(dir).or_default().entry(name).or_default();
            topic.name.clone_from(name);
            topic.partitions.push(*index);
        }
        let mut request = AlterReplicaLogDirsRequest::default();
        request.dirs = dirs
            .into_iter()
            .map(|(path, topics)| {
                let mut dir = AlterReplicaLogDir::default();
                path.clone_into(&mut dir.path);
                dir.topics = topics.into_values().collect();
                dir
            })
            .collect();
        match admin.ask_node("alterReplicaLogDirs", broker, &request) {
            Ok(answer) => {
                for topic in answer.results {
                    for partition in topic.partitions {
                        let key = (topic.topic_name.clone(), partition.partition_index, broker);
                        outcomes.insert(key, ClientError::check(partition.error_code, None));
                    }
                }
            }
            Err(error) => {
                outcomes.extend(
                    moves
                        .into_iter()
                        .map(|(replica, _)| (replica.clone(), Err(error.clone()))),
                );
            }
        }
    }
    outcomes
}
