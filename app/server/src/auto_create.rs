//! Topics that are made because somebody asked for them: any topic by Metadata, internal ones by
//! FindCoordinator.
//!
//! Of each name one creation is in flight at a time; whoever asks for it meanwhile waits for that one.
//! Whether the topic is there afterwards, the image tells.

use std::collections::BTreeMap;

use ottla_base::{ConfigValues as _, Value};
use ottla_config::BrokerConfig;
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::internal_topics::{CONSUMER_OFFSETS, SHARE_GROUP_STATE, TRANSACTION_STATE};
use crate::node::Node;

/// Names that may be in flight at a time. Topics beyond it are not made now; their clients, told that
/// the topics do not exist, ask again.
const IN_FLIGHT_MAX: usize = 1_000;

/// Version of the CreateTopics requests made here.
const CREATE_TOPICS_VERSION: i16 = 7;

/// Topics that are being made.
#[derive(Debug, Default)]
pub struct AutoCreate {
    /// Each with something that is closed when its creation is over.
    in_flight: Mutex<BTreeMap<String, watch::Receiver<()>>>,
}

/// Names that this request makes; given back when it is over, however it ends.
struct Claim<'a> {
    owner: &'a AutoCreate,
    topics: Vec<CreatableTopic>,
    /// Dropped with the claim, which wakes those who wait.
    _over: watch::Sender<()>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut in_flight = self.owner.in_flight.lock();
        for topic in &self.topics {
            in_flight.remove(&topic.name);
        }
    }
}

impl AutoCreate {
    /// Makes those of `names` that do not exist, as `config` says; comes back when each was made or
    /// refused, by this call or by another.
    pub(crate) async fn create(&self, node: &Node, config: &BrokerConfig, names: &[&str]) {
        let (claim, others) = self.claim(config, names);
        if !claim.topics.is_empty() {
            let request = CreateTopicsRequest {
                topics: claim.topics.clone(),
                ..CreateTopicsRequest::default()
            };
            let decided = node
                .quorum
                .decide(CREATE_TOPICS_VERSION, move |controller, ctx| {
                    controller.create_topics(ctx, &request)
                });
            match decided.await {
                Ok(response) => {
                    for topic in response.topics.iter().filter(|topic| topic.error_code != 0) {
                        let (error, message) = (topic.error_code, &topic.error_message);
                        tracing::warn!(topic = topic.name, error, ?message, "topic was not made");
                    }
                }
                Err(error) => tracing::warn!(%error, "topics were not made"),
            }
        }
        drop(claim);
        for mut other in others {
            // Nothing is ever sent; the error says that the creation is over.
            drop(other.changed().await);
        }
    }

    fn claim(
        &self,
        config: &BrokerConfig,
        names: &[&str],
    ) -> (Claim<'_>, Vec<watch::Receiver<()>>) {
        let (over, wait) = watch::channel(());
        let mut topics = Vec::new();
        let mut others = Vec::new();
        let mut in_flight = self.in_flight.lock();
        for &name in names {
            if let Some(other) = in_flight.get(name) {
                if !other.same_channel(&wait) {
                    others.push(other.clone());
                }
            } else if in_flight.len() < IN_FLIGHT_MAX {
                in_flight.insert(name.to_owned(), wait.clone());
                topics.push(creatable(config, name));
            }
        }
        drop(in_flight);
        let claim = Claim {
            owner: self,
            topics,
            _over: over,
        };
        (claim, others)
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
