//! The topics that a streams group made for itself: which they are, and deleting them.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::{Admin, Attempt, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::DeleteTopicsRequest;
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::streams_group_describe_response::DescribedGroup;

use crate::common::client;

use super::super::ask;
use super::describe;

/// Endings of the names that Kafka Streams gives such topics.
const ENDINGS: &[&str] = &[
    "-changelog",
    "-repartition",
    "-subscription-registration-topic",
    "-subscription-response-topic",
];

/// Endings of the names of topics for joins by a foreign key, before a number and `-topic`.
const NUMBERED: &[&str] = &[
    "-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION",
    "-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE",
];

/// Whether a topic has the name of one that a group made for itself.
pub(in super::super) fn is_internal(topic: &str, group: &str) -> bool {
    let own = topic
        .strip_prefix(group)
        .is_some_and(|rest| rest.starts_with('-'));
    own && has_internal_name(topic)
}

fn has_internal_name(topic: &str) -> bool {
    let numbered = topic
        .strip_suffix("-topic")
        .and_then(|name| name.rsplit_once('-'))
        .filter(|(_, number)| {
            !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit())
        })
        .is_some_and(|(name, _)| {
            NUMBERED
                .iter()
                .any(|ending| name.len() > ending.len() && name.ends_with(ending))
        });
    numbered || ENDINGS.iter().any(|ending| topic.ends_with(ending))
}

/// The internal topics of groups, for those that have any. What goes wrong is only said.
pub(super) fn of_groups(admin: &mut Admin, groups: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut described = Vec::new();
    for group in groups {
        match describe::group(admin, group) {
            Ok((_, group)) => described.push(group),
            Err(error) => {
                ask::print_error(&format!(
                    "Retrieving internal topics failed due to {}",
                    error.to_java()
                ));
                return BTreeMap::new();
            }
        }
    }
    described
        .into_iter()
        .map(|group| (group.group_id.clone(), of_group(&group)))
        .filter(|(_, topics)| !topics.is_empty())
        .collect()
}

fn of_group(group: &DescribedGroup) -> Vec<String> {
    let parts = describe::subtopologies(group);
    let sources: BTreeSet<&String> = parts.iter().flat_map(|part| &part.source_topics).collect();
    let made = parts.iter().flat_map(|part| {
        part.repartition_source_topics
            .iter()
            .chain(&part.state_changelog_topics)
            .map(|topic| &topic.name)
    });
    let mut out = Vec::new();
    for topic in made.filter(|topic| !sources.contains(topic)) {
        if is_internal(topic, &group.group_id) {
            out.push(topic.clone());
        } else {
            ask::print_error(&format!(
                "The internal topic '{topic}' is not inferred as internal and thus will not be deleted \
                 with the group '{}'.",
                group.group_id
            ));
        }
    }
    out
}

/// Deletes topics, and says which could not be deleted and why.
pub(in super::super) fn delete(admin: &mut Admin, topics: &[String]) -> Vec<(String, ClientError)> {
    let timeout_ms = client::api_timeout_ms(admin);
    let answer = admin.retry("deleteTopics", |admin| {
        let node = admin.first()?;
        let version = node.version::<DeleteTopicsRequest>()?;
        let mut request = DeleteTopicsRequest {
            timeout_ms,
            ..Default::default()
        };
        // From version 6 on names stand elsewhere.
        if version >= 6 {
            request.topics = topics
                .iter()
                .map(|topic| DeleteTopicState {
                    name: Some(topic.clone()),
                    ..Default::default()
                })
                .collect();
        } else {
            request.topic_names = topics.to_vec();
        }
        let answer = node.exchange(&request, version)?;
        let moved = answer
            .responses
            .iter()
            .any(|result| result.error_code == ErrorCode::NotController.code());
        if moved {
            let code = ErrorCode::NotController.code();
            return Ok(Attempt::Again(ClientError::refused(code, None)));
        }
        Ok(Attempt::Done(answer))
    });
    match answer {
        Ok(answer) => answer
            .responses
            .into_iter()
            .filter_map(|result| {
                ClientError::check(result.error_code, result.error_message.as_deref())
                    .err()
                    .map(|error| (result.name.unwrap_or_default(), error))
            })
            .collect(),
        Err(error) => topics
            .iter()
            .map(|topic| (topic.clone(), error.clone()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_a_group_made_are_known_by_their_names() {
        for (topic, expected) in [
            ("app-store-changelog", true),
            ("app-by-key-repartition", true),
            ("app-x-subscription-registration-topic", true),
            ("app-x-subscription-response-topic", true),
            (
                "app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000007-topic",
                true,
            ),
            ("app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-12-topic", true),
            ("app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE--topic", false),
            ("app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-x-topic", false),
            ("application-store-changelog", false),
            ("other-store-changelog", false),
            ("app-changelog-2", false),
            ("app", false),
        ] {
            assert_eq!(is_internal(topic, "app"), expected, "{topic}");
        }
    }
}
