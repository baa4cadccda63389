//! `--describe`: topics with their partitions, whole or filtered.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::Uuid;
use ottla_client::{Admin, ClientError};
use ottla_protocol::messages::ListPartitionReassignmentsRequest;
use ottla_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use ottla_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use ottla_protocol::messages::list_partition_reassignments_response::OngoingPartitionReassignment;
use serde_json::{Value, json};

use crate::common::configs::source;
use crate::common::jopt::Options;
use crate::common::topics::{self, Partition, Topic};
use crate::common::usage::Failure;
use crate::common::{format, java, output, uuid};

/// Moves that are under way, by topic and partition.
type Moves = BTreeMap<(String, i32), OngoingPartitionReassignment>;

/// What is to be shown.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
struct View {
    under_replicated: bool,
    unavailable: bool,
    under_min_isr: bool,
    at_min_isr: bool,
    overrides: bool,
    /// Brokers that are alive.
    live: BTreeSet<i32>,
    moves: Moves,
}

/// Describes topics.
pub(super) fn run(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let id = options.value("topic-id")?.map(uuid::parse).transpose()?;
    let limit = options
        .number("partition-size-limit-per-response")?
        .unwrap_or(topics::PARTITIONS_PER_RESPONSE);
    let no_internal = options.has("exclude-internal");
    let described = match id.filter(|id| *id != Uuid::ZERO) {
        Some(id) => {
            let exists = topics::list(admin)?
                .iter()
                .any(|topic| topic.id == id && !(no_internal && topic.internal));
            if exists {
                topics::describe_ids(admin, &[id])?
            } else if options.has("if-exists") {
                Vec::new()
            } else {
                return Err(format!("TopicId '{id}' does not exist as expected").into());
            }
        }
        None => {
            let names = super::existing(admin, options, no_internal)?;
            topics::describe(admin, &names, limit)?
        }
    };
    if described.is_empty() {
        if format::is_json(options)? {
            format::json(&json!([]));
        }
        return Ok(());
    }
    let names: Vec<String> = described.iter().map(|topic| topic.name.clone()).collect();
    let configs = topics::configs(admin, &names)?;
    let view = View {
        under_replicated: options.has("under-replicated-partitions"),
        unavailable: options.has("unavailable-partitions"),
        under_min_isr: options.has("under-min-isr-partitions"),
        at_min_isr: options.has("at-min-isr-partitions"),
        overrides: options.has("topics-with-overrides"),
        live: admin
            .describe_cluster(false)?
            .brokers
            .iter()
            .map(|broker| broker.broker_id)
            .collect(),
        moves: moves(admin, &described),
    };
    let nothing = Vec::new();
    let shown = described.iter().map(|topic| {
        let mut configs = configs.get(&topic.name).unwrap_or(&nothing).clone();
        java::name_order(&mut configs, |config| &config.name);
        (topic, configs)
    });
    if format::is_json(options)? {
        let topics: Vec<Value> = shown
            .filter_map(|(topic, configs)| view.json(topic, &configs))
            .collect();
        format::json(&Value::Array(topics));
    } else {
        for (topic, configs) in shown {
            output::text(&view.text(topic, &configs));
        }
    }
    Ok(())
}

/// The moves of these topics' partitions. A cluster that does not tell has none.
fn moves(admin: &mut Admin, described: &[Topic]) -> Moves {
    let mut request = ListPartitionReassignmentsRequest::default();
    request.timeout_ms = crate::common::client::api_timeout_ms(admin);
    let entry = |topic: &Topic| {
        let mut entry = ListPartitionReassignmentsTopics::default();
        entry.name.clone_from(&topic.name);
        entry.partition_indexes = topic
            .partitions
            .iter()
            .map(|partition| partition.index)
            .collect();
        entry
    };
    request.topics = Some(described.iter().map(entry).collect());
    let answer = admin
        .ask("listPartitionReassignments", &request)
        .and_then(|answer| {
            ClientError::check(answer.error_code, answer.error_message.as_deref())?;
            Ok(answer)
        });
    let mut moves = Moves::new();
    for topic in answer.map(|answer| answer.topics).unwrap_or_default() {
        for partition in topic.partitions {
            moves.insert((topic.name.clone(), partition.partition_index), partition);
        }
    }
    moves
}

impl View {
    /// Whether the lines of topics are shown: not if partitions are filtered.
    fn of_topics(&self) -> bool {
        !(self.under_replicated || self.unavailable || self.under_min_isr || self.at_min_isr)
    }

    fn shows_topic(&self, configs: &[DescribeConfigsResourceResult]) -> bool {
        self.of_topics()
            && (!self.overrides
                || configs
                    .iter()
                    .any(|config| config.config_source != source::DEFAULT))
    }

    fn shows(&self, topic: &Topic, partition: &Partition, min_isr: usize) -> bool {
        let led = self.live.contains(&partition.leader);
        let missing = self.replication_factor(topic, partition) > partition.isr.len();
        self.of_topics()
            || (self.under_replicated && missing)
            || (self.unavailable && !led)
            || (self.under_min_isr && (!led || partition.isr.len() < min_isr))
            || (self.at_min_isr && partition.isr.len() == min_isr)
    }

    fn move_of(
        &self,
        topic: &Topic,
        partition: &Partition,
    ) -> Option<&OngoingPartitionReassignment> {
        self.moves.get(&(topic.name.clone(), partition.index))
    }

    /// Replicas that the partition has without those that a move under way adds.
    fn replication_factor(&self, topic: &Topic, partition: &Partition) -> usize {
        let all = partition.replicas.len();
        match self.move_of(topic, partition) {
            Some(under_way)
                if under_way
                    .adding_replicas
                    .iter()
                    .chain(&under_way.removing_replicas)
                    .any(|id| partition.replicas.contains(id)) =>
            {
                all.saturating_sub(under_way.adding_replicas.len())
            }
            _ => all,
        }
    }

    /// The leader, if it is alive.
    fn leader(&self, partition: &Partition) -> Option<i32> {
        Some(partition.leader).filter(|leader| self.live.contains(leader))
    }

    fn text(&self, topic: &Topic, configs: &[DescribeConfigsResourceResult]) -> String {
        let mut out = String::new();
        if self.shows_topic(configs) {
            let set = configs
                .iter()
                .filter(|config| config.config_source != source::DEFAULT)
                .map(|config| {
                    format!(
                        "{}={}",
                        config.name,
                        config.value.as_deref().unwrap_or("null")
                    )
                });
            out.push_str(&format!(
                "Topic: {}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}\n",
                topic.name,
                topic.id,
                topic.partitions.len(),
                topic
                    .partitions
                    .first()
                    .map_or(0, |first| self.replication_factor(topic, first)),
                java::joined(set, ",")
            ));
        }
        if self.overrides {
            return out;
        }
        let min_isr = min_isr(configs);
        for partition in &topic.partitions {
            if self.shows(topic, partition, min_isr) {
                self.line(topic, partition, &mut out);
            }
        }
        out
    }

    fn line(&self, topic: &Topic, partition: &Partition, out: &mut String) {
        let ids = |ids: &[i32]| java::joined(ids, ",");
        let leader = self
            .leader(partition)
            .map_or_else(|| "none".to_owned(), |leader| leader.to_string());
        out.push_str(&format!(
            "\tTopic: {}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
            topic.name,
            partition.index,
            ids(&partition.replicas),
            ids(&partition.isr)
        ));
        if let Some(under_way) = self.move_of(topic, partition) {
            out.push_str(&format!(
                "\tAdding Replicas: {}\tRemoving Replicas: {}",
                ids(&under_way.adding_replicas),
                ids(&under_way.removing_replicas)
            ));
        }
        let known = |list: &Option<Vec<i32>>| list.as_deref().map_or_else(|| "N/A".to_owned(), ids);
        out.push_str(&format!(
            "\tElr: {}\tLastKnownElr: {}\n",
            known(&partition.elr),
            known(&partition.last_known_elr)
        ));
    }

    fn json(&self, topic: &Topic, configs: &[DescribeConfigsResourceResult]) -> Option<Value> {
        let min_isr = min_isr(configs);
        let partitions: Vec<Value> = topic
            .partitions
            .iter()
            .filter(|partition| !self.overrides && self.shows(topic, partition, min_isr))
            .map(|partition| {
                let under_way = self.move_of(topic, partition);
                json!({
                    "partition": partition.index,
                    "leader": self.leader(partition),
                    "replicas": partition.replicas,
                    "isr": partition.isr,
                    "addingReplicas": under_way.map_or(&[][..], |under_way| &under_way.adding_replicas),
                    "removingReplicas": under_way.map_or(&[][..], |under_way| &under_way.removing_replicas),
                    "elr": partition.elr,
                    "lastKnownElr": partition.last_known_elr,
                })
            })
            .collect();
        if partitions.is_empty() && !self.shows_topic(configs) {
            return None;
        }
        let set: serde_json::Map<String, Value> = configs
            .iter()
            .filter(|config| config.config_source != source::DEFAULT)
            .map(|config| (config.name.clone(), json!(config.value)))
            .collect();
        Some(json!({
            "topic": topic.name,
            "topicId": topic.id.to_string(),
            "internal": topic.internal,
            "partitionCount": topic.partitions.len(),
            "replicationFactor": topic
                .partitions
                .first()
                .map_or(0, |first| self.replication_factor(topic, first)),
            "configs": set,
            "partitions": partitions,
        }))
    }
}

/// `min.insync.replicas` of a topic.
fn min_isr(configs: &[DescribeConfigsResourceResult]) -> usize {
    configs
        .iter()
        .find(|config| config.name == "min.insync.replicas")
        .and_then(|config| config.value.as_deref()?.parse().ok())
        .unwrap_or(1)
}
