//! ElectLeaders: preferred and unclean elections on demand (KIP-183, KIP-460).

use ottla_base::{TopicId, TopicIdPartition};
use ottla_metadata::VersionedRecord;
use ottla_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use ottla_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::context::{Outcome, UserRecords};
use crate::controller::Controller;
use crate::partition_change::Election;
use crate::refusal::{Refusal, TopicRefusal, WireRefusal};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

impl Controller {
    /// Elects leaders for the partitions named, or for all if none is named (null).
    ///
    /// # Errors
    /// [`TopicRefusal::ElectionType`]; [`TopicRefusal::BatchTooLarge`].
    pub fn elect_leaders(
        &self,
        request: &ElectLeadersRequest,
    ) -> Result<Outcome<ElectLeadersResponse>, Refusal> {
        let election = match request.election_type {
            PREFERRED => Election::Preferred,
            UNCLEAN => Election::Unclean,
            other => return Err(TopicRefusal::ElectionType(other).into()),
        };
        let mut records = UserRecords::default();
        let mut response = ElectLeadersResponse::default();
        let named = request.topic_partitions.is_some();
        let topics: Vec<(&str, Vec<i32>)> = match &request.topic_partitions {
            Some(topics) => topics
                .iter()
                .map(|topic| (topic.topic.as_str(), topic.partitions.clone()))
                .collect(),
            None => self
                .image
                .topics
                .iter()
                .map(|topic| (&*topic.name, topic.partitions.keys().copied().collect()))
                .collect(),
        };
        for (name, partitions) in topics {
            let mut result = ReplicaElectionResult {
                topic: name.to_owned(),
                ..Default::default()
            };
            for partition_id in partitions {
                let decided = self.decide_election(name, partition_id, election);
                if !named && decided == Err(TopicRefusal::ElectionNotNeeded) {
                    continue; // Of all partitions only those that concern the request are answered.
                }
                let refusal = decided.as_ref().err();
                result.partition_result.push(PartitionResult {
                    partition_id,
                    error_code: refusal.map_or(0, |refusal| refusal.code().code()),
                    error_message: refusal.and_then(WireRefusal::message),
                });
                if let Ok(record) = decided {
                    records.push(record)?;
                }
            }
            response.replica_election_results.push(result);
        }
        Ok(Outcome::new(records.into_vec(), response))
    }

    fn decide_election(
        &self,
        name: &str,
        partition: i32,
        election: Election,
    ) -> Result<VersionedRecord, TopicRefusal> {
        let no_topic = || TopicRefusal::NoSuchTopic(name.to_owned());
        let topic_id: TopicId = self.image.topics.id(name).ok_or_else(no_topic)?;
        let present = self
            .image
            .topics
            .partition(topic_id, partition)
            .ok_or_else(|| TopicRefusal::NoSuchPartition {
                topic: name.to_owned(),
                partition,
            })?;
        let preferred = election == Election::Preferred;
        let needed = if preferred {
            !present.has_preferred_leader()
        } else {
            !present.has_leader()
        };
        if !needed {
            return Err(TopicRefusal::ElectionNotNeeded);
        }
        self.elect(
            TopicIdPartition {
                topic_id,
                partition,
            },
            election,
        )
        .ok_or(if preferred {
            TopicRefusal::PreferredLeaderNotAvailable
        } else {
            TopicRefusal::EligibleLeadersNotAvailable
        })
    }
}
