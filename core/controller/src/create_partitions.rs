//! CreatePartitions: more partitions for topics that exist.

use std::collections::BTreeSet;

use ottla_base::NodeId;
use ottla_metadata::{PartitionRegistration, TopicImage, VersionedRecord};
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use crate::context::{Context, Outcome, UserRecords};
use crate::controller::Controller;
use crate::refusal::{Refusal, TopicRefusal, Unplaceable, WireRefusal};

/// Most partitions that one request may add, over all its topics.
const ADDITIONAL_PARTITIONS_MAX: usize = 10_000;

impl Controller {
    /// Adds partitions; each topic is grown or refused on its own.
    ///
    /// # Errors
    /// [`TopicRefusal::TooManyAdditionalPartitions`] or [`TopicRefusal::BatchTooLarge`]; nothing is added
    /// then.
    pub fn create_partitions(
        &self,
        ctx: &mut Context<'_>,
        request: &CreatePartitionsRequest,
    ) -> Result<Outcome<CreatePartitionsResponse>, Refusal> {
        self.check_additional_total(&request.topics)?;
        let mut seen = BTreeSet::new();
        let repeated: BTreeSet<&str> = request
            .topics
            .iter()
            .map(|topic| topic.name.as_str())
            .filter(|name| !seen.insert(*name))
            .collect();
        let mut response = CreatePartitionsResponse::default();
        let duplicates = repeated
            .iter()
            .map(|name| answer(name, Some(&TopicRefusal::DuplicateName)));
        response.results.extend(duplicates);

        let mut records = UserRecords::default();
        for topic in request
            .topics
            .iter()
            .filter(|t| !repeated.contains(t.name.as_str()))
        {
            let result = match self.grow_topic(ctx, topic) {
                Ok(added) => {
                    records.extend(added)?;
                    answer(&topic.name, None)
                }
                Err(refusal) => answer(&topic.name, Some(&refusal)),
            };
            response.results.push(result);
        }
        let outcome = Outcome::atomic(records.into_vec(), response);
        Ok(if request.validate_only {
            outcome.without_records()
        } else {
            outcome
        })
    }

    fn check_additional_total(&self, topics: &[CreatePartitionsTopic]) -> Result<(), TopicRefusal> {
        let additional = |wanted: &CreatePartitionsTopic| {
            let topic = self.image.topics.by_name(&wanted.name)?;
            let count = usize::try_from(wanted.count).ok()?;
            Some(count.saturating_sub(topic.partitions.len()))
        };
        let total = topics
            .iter()
            .filter_map(additional)
            .fold(0, usize::saturating_add);
        if total > ADDITIONAL_PARTITIONS_MAX {
            return Err(TopicRefusal::TooManyAdditionalPartitions);
        }
        Ok(())
    }

    fn grow_topic(
        &self,
        ctx: &mut Context<'_>,
        wanted: &CreatePartitionsTopic,
    ) -> Result<Vec<VersionedRecord>, TopicRefusal> {
        let topic = self
            .image
            .topics
            .by_name(&wanted.name)
            .ok_or(TopicRefusal::UnknownTopic)?;
        let present = topic.partitions.len();
        let count = usize::try_from(wanted.count).unwrap_or(0);
        if count == present {
            return Err(TopicRefusal::SameCount(present));
        }
        if count < present {
            let name = wanted.name.clone();
            return Err(TopicRefusal::NotAnIncrease {
                name,
                present,
                wanted: wanted.count,
            });
        }
        let additional = count - present;
        let first = i32::try_from(present).expect("partitions are numbered by 31 bits");
        let partitions = match &wanted.assignments {
            Some(assignments) => {
                if assignments.len() != additional {
                    return Err(TopicRefusal::AssignmentCount {
                        additional: wanted.count - first,
                        assigned: assignments.len(),
                    });
                }
                let replicas = assignments
                    .iter()
                    .map(|assignment| assignment.broker_ids.as_slice());
                self.added_by_hand(topic, first, replicas)?
            }
            None => {
                let factor = replication_factor(topic);
                let factor = i16::try_from(factor).unwrap_or(i16::MAX);
                self.place_partitions(ctx, additional, factor)
                    .map_err(|cause| match cause {
                        Unplaceable::AllInactive => TopicRefusal::NotPlaceable { factor, cause },
                        cause => cause.into(),
                    })?
            }
        };
        let indexes = first..;
        let records = partitions.iter().zip(indexes);
        Ok(records
            .map(|(p, index)| self.partition_record(p, topic.id, index))
            .collect())
    }

    fn added_by_hand<'a>(
        &self,
        topic: &TopicImage,
        first: i32,
        assignments: impl Iterator<Item = &'a [i32]>,
    ) -> Result<Vec<PartitionRegistration>, TopicRefusal> {
        let factor = replication_factor(topic);
        let partition = |(ids, index): (&[i32], i32)| {
            let replicas: Vec<NodeId> = ids.iter().map(|&id| NodeId(id)).collect();
            self.check_assignment(&replicas, Some(factor))?;
            self.new_partition(&replicas)
                .ok_or(TopicRefusal::AssignmentInactive(index))
        };
        assignments.zip(first..).map(partition).collect()
    }
}

fn replication_factor(topic: &TopicImage) -> usize {
    topic
        .partitions
        .values()
        .next()
        .map_or(0, |partition| partition.replicas.len())
}

fn answer(name: &str, refusal: Option<&TopicRefusal>) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult {
        name: name.to_owned(),
        error_code: refusal.map_or(0, |refusal| refusal.code().code()),
        error_message: match refusal {
            // The code says it all.
            Some(TopicRefusal::UnknownTopic) | None => None,
            Some(refusal) => refusal.message(),
        },
    }
}
