//! AlterPartition: a leader asks for another ISR (KIP-497, KIP-841, KIP-903).

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_base::{NodeId, TopicId, TopicIdPartition};
use ottla_metadata::{LeaderRecoveryState, MetadataRecord, PartitionRegistration, VersionedRecord};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::alter_partition_request;
use ottla_protocol::messages::alter_partition_response::{PartitionData, TopicData};
use ottla_protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};

use crate::context::{Context, Outcome};
use crate::controller::Controller;
use crate::partition_change::Election;
use crate::refusal::Refusal;

/// From this version on the ISR comes with broker epochs.
const ISR_WITH_EPOCHS: i16 = 3;

/// A member of the ISR asked for.
#[derive(Debug, Clone, Copy)]
struct Member {
    id: NodeId,
    /// Epoch under which the leader knows it; `None` if the request is too old to say.
    epoch: Option<i64>,
}

/// What is done, and what is said. A record may go with a refusal.
struct Decision {
    record: Option<VersionedRecord>,
    answer: Result<Arc<PartitionRegistration>, ErrorCode>,
}

impl Decision {
    fn refuse(code: ErrorCode) -> Self {
        Self {
            record: None,
            answer: Err(code),
        }
    }
}

impl Controller {
    /// Changes ISRs; each partition is changed or refused on its own.
    ///
    /// # Errors
    /// [`BrokerRefusal::StaleEpoch`](crate::BrokerRefusal::StaleEpoch) or
    /// [`BrokerRefusal::NoRegistration`](crate::BrokerRefusal::NoRegistration) of the asking broker.
    pub fn alter_partition(
        &self,
        ctx: &Context<'_>,
        request: &AlterPartitionRequest,
    ) -> Result<Outcome<AlterPartitionResponse>, Refusal> {
        let leader = NodeId(request.broker_id);
        self.check_broker_epoch(leader, request.broker_epoch)?;
        let mut records = Vec::new();
        let mut response = AlterPartitionResponse::default();
        for topic in &request.topics {
            let mut answered = TopicData {
                topic_id: topic.topic_id,
                ..TopicData::default()
            };
            for wanted in &topic.partitions {
                let isr = members(wanted, ctx.api_version);
                let at = TopicIdPartition {
                    topic_id: TopicId(topic.topic_id),
                    partition: wanted.partition_index,
                };
                let decision = self
                    .alter_isr(leader, at, wanted, &isr)
                    .unwrap_or_else(Decision::refuse);
                records.extend(decision.record);
                answered.partitions.push(match decision.answer {
                    Ok(after) => accepted(wanted.partition_index, &after),
                    Err(code) => refused(wanted.partition_index, code),
                });
            }
            response.topics.push(answered);
        }
        Ok(Outcome::new(records, response))
    }

    fn alter_isr(
        &self,
        leader: NodeId,
        at: TopicIdPartition,
        wanted: &alter_partition_request::PartitionData,
        isr: &[Member],
    ) -> Result<Decision, ErrorCode> {
        let topic = self
            .image
            .topics
            .by_id(at.topic_id)
            .ok_or(ErrorCode::UnknownTopicId)?;
        let partition = topic
            .partition(at.partition)
            .ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let recovery = self.check_isr(leader, partition, wanted, isr)?;
        let rules = self.topic_rules(at.topic_id);
        let election = if rules.unclean_election {
            Election::Unclean
        } else {
            Election::Online
        };
        let active = |node| self.image.cluster.is_active(node);
        let record = self.change_partition(at, partition, rules, &active, |builder| {
            builder
                .election(election)
                .isr(isr.iter().map(|member| member.id).collect())
                .recovery(recovery)
        });
        let Some(record) = record else {
            return Ok(Decision {
                record: None,
                answer: Ok(Arc::clone(partition)),
            });
        };
        let MetadataRecord::PartitionChange(change) = &record.record else {
            unreachable!("a change of a partition gives a partition change record")
        };
        let after = partition
            .merge(change)
            .expect("a change made for this partition fits it");
        // Completing a reassignment may take the leader away: the ISR changes, but it must not lead on.
        let deposed = after.leader != leader;
        let answer = if deposed {
            Err(ErrorCode::NewLeaderElected)
        } else {
            Ok(Arc::new(after))
        };
        Ok(Decision {
            record: Some(record),
            answer,
        })
    }

    /// Checks what a leader asks for, in Kafka's order.
    fn check_isr(
        &self,
        leader: NodeId,
        partition: &PartitionRegistration,
        wanted: &alter_partition_request::PartitionData,
        isr: &[Member],
    ) -> Result<LeaderRecoveryState, ErrorCode> {
        // A leader that is ahead learned from a controller newer than this one.
        if wanted.leader_epoch > partition.leader_epoch.0
            || wanted.partition_epoch > partition.partition_epoch.0
        {
            return Err(ErrorCode::NotController);
        }
        if wanted.leader_epoch < partition.leader_epoch.0 {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        if leader != partition.leader {
            return Err(ErrorCode::InvalidRequest);
        }
        if wanted.partition_epoch < partition.partition_epoch.0 {
            return Err(ErrorCode::InvalidUpdateVersion);
        }
        let distinct: BTreeSet<NodeId> = isr.iter().map(|member| member.id).collect();
        let recovery = LeaderRecoveryState::from_id(wanted.leader_recovery_state)
            .ok_or(ErrorCode::InvalidRequest)?;
        let recovers = recovery == LeaderRecoveryState::Recovering;
        if distinct.len() != isr.len()
            || !distinct
                .iter()
                .all(|node| partition.replicas.contains(node))
            || !distinct.contains(&partition.leader)
            || (recovers && isr.len() > 1)
            || (recovers && partition.leader_recovery_state == LeaderRecoveryState::Recovered)
        {
            return Err(ErrorCode::InvalidRequest);
        }
        let eligible = |member: &Member| {
            self.image.cluster.broker(member.id).is_some_and(|broker| {
                broker.is_active() && member.epoch.is_none_or(|epoch| epoch == broker.epoch.0)
            })
        };
        if isr.iter().all(eligible) {
            Ok(recovery)
        } else {
            Err(ErrorCode::IneligibleReplica)
        }
    }
}

fn members(wanted: &alter_partition_request::PartitionData, api_version: i16) -> Vec<Member> {
    if api_version < ISR_WITH_EPOCHS {
        return wanted
            .new_isr
            .iter()
            .map(|&id| Member {
                id: NodeId(id),
                epoch: None,
            })
            .collect();
    }
    let member = |member: &alter_partition_request::BrokerState| Member {
        id: NodeId(member.broker_id),
        epoch: (member.broker_epoch != -1).then_some(member.broker_epoch),
    };
    wanted.new_isr_with_epochs.iter().map(member).collect()
}

fn accepted(partition_index: i32, partition: &PartitionRegistration) -> PartitionData {
    PartitionData {
        partition_index,
        leader_id: partition.leader.0,
        leader_epoch: partition.leader_epoch.0,
        isr: partition.isr.iter().map(|node| node.0).collect(),
        leader_recovery_state: partition.leader_recovery_state.id(),
        partition_epoch: partition.partition_epoch.0,
        ..PartitionData::default()
    }
}

fn refused(partition_index: i32, code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code: code.code(),
        ..PartitionData::default()
    }
}
