//! Topics that are made because somebody asked for them: any topic by Metadata, internal ones by
//! FindCoordinator.
//!
//! Nobody waits for a creation: the request that begins it is answered that the topic is not there, and its
//! client asks again, as with Apache Kafka. Of each name one creation is in flight at a time. Whether the topic
//! is there afterwards, the image tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_base::{ConfigValues as _, Value};
use ottla_config::BrokerConfig;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use parking_lot::Mutex;

use crate::internal_topics::{CONSUMER_OFFSETS, SHARE_GROUP_STATE, TRANSACTION_STATE};
use crate::quorum::{DecideError, QuorumHandle};

/// Names that may be in flight at a time. Topics beyond it are not made now; their clients, told that
/// the topics do not exist, ask again.
const IN_FLIGHT_MAX: usize = 1_000;

/// Version of the CreateTopics requests made here.
const CREATE_TOPICS_VERSION: i16 = 7;

/// Topics that are being made.
#[derive(Debug, Default)]
pub struct AutoCreate {
    in_flight: Arc<Mutex<BTreeSet<String>>>,
}

/// Names that one request makes; given back when it is over, however it ends.
struct Claim {
    in_flight: Arc<Mutex<BTreeSet<String>>>,
    names: Vec<String>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut in_flight = self.in_flight.lock();
        for name in &self.names {
            in_flight.remove(name);
        }
    }
}

impl AutoCreate {
    /// Begins to make those of `names` that are not being made, as `config` says.
    pub(crate) fn begin(&self, quorum: &QuorumHandle, config: &BrokerConfig, names: &[&str]) {
        let claim = self.claim(names);
        if claim.names.is_empty() {
            return;
        }
        let topics = claim.names.iter().map(|name| creatable(config, name));
        let request = CreateTopicsRequest {
            topics: topics.collect(),
            ..CreateTopicsRequest::default()
        };
        let begun = quorum.decide_then(
            CREATE_TOPICS_VERSION,
            move |controller, ctx| controller.create_topics(ctx, &request),
            move |answer| {
                tell(answer);
                drop(claim);
            },
        );
        if let Err(error) = begun {
            tracing::warn!(%error, "topics were not made");
        }
    }

    fn claim(&self, names: &[&str]) -> Claim {
        let mut in_flight = self.in_flight.lock();
        let mut claimed = Vec::new();
        for &name in names {
            if in_flight.len() < IN_FLIGHT_MAX && in_flight.insert(name.to_owned()) {
                claimed.push(name.to_owned());
            }
        }
        Claim {
            in_flight: Arc::clone(&self.in_flight),
            names: claimed,
        }
    }
}

/// Says why topics were not made; nobody else will.
fn tell(answer: Result<CreateTopicsResponse, DecideError>) {
    match answer {
        Ok(response) => {
            // Another node may have been asked for the same topic.
            let there = [ErrorCode::None, ErrorCode::TopicAlreadyExists].map(ErrorCode::code);
            let topics = response.topics.iter();
            for topic in topics.filter(|topic| !there.contains(&topic.error_code)) {
                let (error, message) = (topic.error_code, &topic.error_message);
                tracing::warn!(topic = topic.name, error, ?message, "topic was not made");
            }
        }
        Err(error) => tracing::warn!(%error, "topics were not made"),
    }
}

/// The topic `name` as it is made when nobody says how: internal topics with configs of their own,
/// others by the broker's defaults.
fn creatable(config: &BrokerConfig, name: &str) -> CreatableTopic {
    let topic = |partitions, factor, configs: &[(&str, String)]| CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: factor,
        configs: configs
            .iter()
            .map(|(key, value)| CreatableTopicConfig {
                name: (*key).to_owned(),
                value: Some(value.clone()),
            })
            .collect(),
        ..CreatableTopic::default()
    };
    let number = |key| match config.values().value(key) {
        Some(Value::Int(value)) => *value,
        Some(Value::Short(value)) => i32::from(*value),
        _ => -1,
    };
    match name {
        CONSUMER_OFFSETS => topic(
            config.group.offsets_topic_num_partitions,
            config.group.offsets_topic_replication_factor,
            &[
                ("cleanup.policy", "compact".to_owned()),
                ("compression.type", "producer".to_owned()),
                (
                    "segment.bytes",
                    config.group.offsets_topic_segment_bytes.to_string(),
                ),
            ],
        ),
        TRANSACTION_STATE => topic(
            config.transaction.state_log_num_partitions,
            config.transaction.state_log_replication_factor,
            &[
                ("cleanup.policy", "compact".to_owned()),
                ("compression.type", "uncompressed".to_owned()),
                (
                    "min.insync.replicas",
                    config.transaction.state_log_min_isr.to_string(),
                ),
                (
                    "segment.bytes",
                    config.transaction.state_log_segment_bytes.to_string(),
                ),
                ("unclean.leader.election.enable", "false".to_owned()),
            ],
        ),
        SHARE_GROUP_STATE => topic(
            number("share.coordinator.state.topic.num.partitions"),
            i16::try_from(number("share.coordinator.state.topic.replication.factor")).unwrap_or(-1),
            &[
                ("cleanup.policy", "delete".to_owned()),
                ("compression.type", "producer".to_owned()),
                (
                    "min.insync.replicas",
                    number("share.coordinator.state.topic.min.isr").to_string(),
                ),
                ("retention.ms", "-1".to_owned()),
                (
                    "segment.bytes",
                    number("share.coordinator.state.topic.segment.bytes").to_string(),
                ),
            ],
        ),
        _ => topic(-1, -1, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_claimed_once_until_its_creation_is_over() {
        let table = AutoCreate::default();
        let first = table.claim(&["a", "b", "a"]);
        assert_eq!(first.names, ["a", "b"]);
        assert_eq!(table.claim(&["b", "c"]).names, ["c"]);
        drop(first);
        assert_eq!(table.claim(&["a", "b", "c"]).names, ["a", "b", "c"]);
    }

    #[test]
    fn creations_in_flight_are_bounded() {
        let table = AutoCreate::default();
        let names: Vec<String> = (0..=IN_FLIGHT_MAX).map(|i| i.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let full = table.claim(&names);
        assert_eq!(full.names.len(), IN_FLIGHT_MAX);
        assert!(table.claim(&["one more"]).names.is_empty());
        drop(full);
        assert_eq!(table.claim(&["one more"]).names, ["one more"]);
    }

    #[test]
    fn a_creation_that_cannot_begin_gives_its_names_back() {
        let table = AutoCreate::default();
        let raw = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.bootstrap.servers", "localhost:9093"),
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ];
        let raw = raw.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let config = BrokerConfig::load(raw.into()).expect("a valid configuration");
        table.begin(&QuorumHandle::disconnected(), &config, &["a"]);
        assert_eq!(table.claim(&["a"]).names, ["a"]);
    }
}
