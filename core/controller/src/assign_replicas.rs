//! AssignReplicasToDirs: a broker tells in which directory it put its replicas (KIP-858).

use std::collections::BTreeSet;

use ottla_base::{NodeId, TopicId, TopicIdPartition, Uuid};
use ottla_metadata::VersionedRecord;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::assign_replicas_to_dirs_response::{
    DirectoryData, PartitionData, TopicData,
};
use ottla_protocol::messages::{AssignReplicasToDirsRequest, AssignReplicasToDirsResponse};

use crate::context::Outcome;
use crate::controller::Controller;
use crate::refusal::{BrokerRefusal, Refusal};
use crate::replication_control::BrokerChange;

impl Controller {
    /// Notes directories of replicas; each replica is noted or refused on its own. Replicas put into a
    /// directory that is offline by now leave their ISRs.
    ///
    /// # Errors
    /// [`BrokerRefusal::NoDirectoryAssignment`] before `metadata.version` 17;
    /// [`BrokerRefusal::StaleEpoch`] or [`BrokerRefusal::NoRegistration`].
    pub fn assign_replicas_to_dirs(
        &self,
        request: &AssignReplicasToDirsRequest,
    ) -> Result<Outcome<AssignReplicasToDirsResponse>, Refusal> {
        if !self.metadata_version().supports_directory_assignment() {
            return Err(BrokerRefusal::NoDirectoryAssignment.into());
        }
        let id = NodeId(request.broker_id);
        self.check_broker_epoch(id, request.broker_epoch)?;
        let broker = self
            .image
            .cluster
            .broker(id)
            .ok_or(BrokerRefusal::NoRegistration(id))?;
        let mut records = Vec::new();
        let mut response = AssignReplicasToDirsResponse::default();
        let mut offline = BTreeSet::new();
        for directory in &request.directories {
            let online = broker.has_online_directory(directory.id);
            let mut answered = DirectoryData {
                id: directory.id,
                ..Default::default()
            };
            for topic in &directory.topics {
                let mut of_topic = TopicData {
                    topic_id: topic.topic_id,
                    ..Default::default()
                };
                for wanted in &topic.partitions {
                    let at = TopicIdPartition {
                        topic_id: TopicId(topic.topic_id),
                        partition: wanted.partition_index,
                    };
                    let assigned = self.assign_replica(id, at, directory.id);
                    of_topic.partitions.push(PartitionData {
                        partition_index: wanted.partition_index,
                        error_code: assigned.as_ref().err().map_or(0, |code| code.code()),
                    });
                    if let Ok(record) = assigned {
                        records.extend(record);
                        if !online {
                            offline.insert(at);
                        }
                    }
                }
                answered.topics.push(of_topic);
            }
            response.directories.push(answered);
        }
        let change = BrokerChange {
            removed: Some(id),
            ..BrokerChange::default()
        };
        self.leader_and_isr_updates(change, offline.into_iter(), &mut records);
        Ok(Outcome::new(records, response))
    }

    fn assign_replica(
        &self,
        broker: NodeId,
        at: TopicIdPartition,
        directory: Uuid,
    ) -> Result<Option<VersionedRecord>, ErrorCode> {
        let topic = self
            .image
            .topics
            .by_id(at.topic_id)
            .ok_or(ErrorCode::UnknownTopicId)?;
        let partition = topic
            .partition(at.partition)
            .ok_or(ErrorCode::UnknownTopicOrPartition)?;
        if !partition.replicas.contains(&broker) {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let active = |node| self.image.cluster.is_active(node);
        let rules = self.topic_rules(at.topic_id);
        Ok(
            self.change_partition(at, partition, rules, &active, |builder| {
                builder.directory(broker, directory)
            }),
        )
    }
}
