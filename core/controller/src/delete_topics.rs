//! DeleteTopics: by name or by id.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::{TopicId, Uuid};
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, RemoveTopicRecord};

use crate::context::{Context, Outcome, UserRecords};
use crate::controller::Controller;
use crate::refusal::{Refusal, TopicRefusal, WireRefusal};

/// From this version on a peer knows that deletion can be disabled.
const KNOWS_DELETION_DISABLED: i16 = 3;

/// A topic as the request names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted<'a> {
    Name(&'a str),
    Id(Uuid),
}

impl Controller {
    /// Removes topics; each is removed or refused on its own. Their configs go with them.
    ///
    /// Kafka differs: it shuffles the answers, so that their positions do not tell unknown topics from
    /// forbidden ones. Here they are in the order of the request, which tells no more.
    ///
    /// # Errors
    /// [`TopicRefusal::DeletionDisabled`]; [`TopicRefusal::BatchTooLarge`].
    pub fn delete_topics(
        &self,
        ctx: &Context<'_>,
        request: &DeleteTopicsRequest,
    ) -> Result<Outcome<DeleteTopicsResponse>, Refusal> {
        if !self.config.delete_topic_enable {
            let old_request = ctx.api_version < KNOWS_DELETION_DISABLED;
            return Err(TopicRefusal::DeletionDisabled { old_request }.into());
        }
        let mut responses = Vec::new();
        let mut wanted: Vec<Wanted<'_>> = request
            .topic_names
            .iter()
            .map(|name| Wanted::Name(name))
            .collect();
        for topic in &request.topics {
            match (topic.name.as_deref(), topic.topic_id) {
                (None, Uuid::ZERO) => {
                    responses.push(refused(None, Uuid::ZERO, &TopicRefusal::NeitherNameNorId));
                }
                (None, id) => wanted.push(Wanted::Id(id)),
                (Some(name), Uuid::ZERO) => wanted.push(Wanted::Name(name)),
                (Some(name), id) => {
                    responses.push(refused(Some(name), id, &TopicRefusal::BothNameAndId));
                }
            }
        }

        let mut counts: BTreeMap<Wanted<'_>, usize> = BTreeMap::new();
        for topic in &wanted {
            *counts.entry(*topic).or_default() += 1;
        }
        // Topics named by name and by id at once stay.
        let doubly: BTreeSet<Uuid> = counts
            .keys()
            .filter_map(|topic| match topic {
                Wanted::Name(name) => self.image.topics.id(name),
                Wanted::Id(_) => None,
            })
            .map(|id| id.0)
            .filter(|id| counts.contains_key(&Wanted::Id(*id)))
            .collect();
        let mut records = UserRecords::default();
        for topic in wanted {
            // Taken out at the first sight, so that a repeated one is answered once.
            let Some(count) = counts.remove(&topic) else {
                continue;
            };
            if let Wanted::Id(id) = topic
                && count == 1
                && doubly.contains(&id)
            {
                continue; // Answered under its name.
            }
            let (name, decided) = self.decide_removal(topic, count, &doubly);
            responses.push(match decided {
                Ok(id) => {
                    let removal = RemoveTopicRecord {
                        topic_id: id,
                        ..Default::default()
                    };
                    records.push(MetadataRecord::from(removal).at(self.metadata_version()))?;
                    DeletableTopicResult {
                        name,
                        topic_id: id,
                        ..Default::default()
                    }
                }
                Err((id, refusal)) => refused(name.as_deref(), id, &refusal),
            });
        }
        let response = DeleteTopicsResponse {
            responses,
            ..DeleteTopicsResponse::default()
        };
        Ok(Outcome::atomic(records.into_vec(), response))
    }

    /// The name to answer with, and the id to remove or why not.
    fn decide_removal(
        &self,
        topic: Wanted<'_>,
        count: usize,
        doubly: &BTreeSet<Uuid>,
    ) -> (Option<String>, Result<Uuid, (Uuid, TopicRefusal)>) {
        match topic {
            Wanted::Id(id) => {
                if count > 1 {
                    return (None, Err((id, TopicRefusal::DuplicateId)));
                }
                match self.image.topics.by_id(TopicId(id)) {
                    Some(topic) => (Some(topic.name.to_string()), Ok(id)),
                    None => (None, Err((id, TopicRefusal::UnknownId))),
                }
            }
            Wanted::Name(name) => {
                let decided = if count > 1 {
                    Err((Uuid::ZERO, TopicRefusal::DuplicateName))
                } else if let Some(id) = self.image.topics.id(name) {
                    if doubly.contains(&id.0) {
                        Err((id.0, TopicRefusal::NameOfSuppliedId))
                    } else {
                        Ok(id.0)
                    }
                } else {
                    Err((Uuid::ZERO, TopicRefusal::UnknownTopic))
                };
                (Some(name.to_owned()), decided)
            }
        }
    }
}

fn refused(name: Option<&str>, topic_id: Uuid, refusal: &TopicRefusal) -> DeletableTopicResult {
    DeletableTopicResult {
        name: name.map(str::to_owned),
        topic_id,
        error_code: refusal.code().code(),
        error_message: refusal.message(),
    }
}
