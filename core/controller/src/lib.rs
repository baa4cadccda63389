//! The controller: decides every change of cluster metadata.
//!
//! A replicated state machine. A request is decided against the present state by a method that cannot
//! change it and gives [`Outcome`]: records and the answer. The owner appends the records to the
//! metadata log, feeds each one to [`Controller::replay`], and sends the answer when the records are
//! committed. After a change of leadership a new controller is built by replaying the log. One rule
//! bends: what is known of brokers' heartbeats is not replicated, so [`Controller::broker_heartbeat`]
//! and [`Controller::on_tick`] note times as well.
//!
//! Does not know: raft, files, connections, which listener a request came by, whether its sender was
//! allowed to ask.
//!
//! Files follow Apache Kafka's control managers: `cluster_control` (brokers and controllers),
//! `replication_control` (topics and partitions), `configuration_control`, `feature_control`,
//! `producer_id_control`; `partition_change` holds the rules by which one partition changes,
//! `placement` those by which replicas are spread.
//!
//! KIPs: 500, 631, 704, 746, 778, 841, 858, 919, 966, 1022.
#![forbid(unsafe_code)]

mod activation;
mod alter_partition;
mod assign_replicas;
mod cluster_control;
mod config_schema;
mod configuration_control;
mod context;
mod controller;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod elect_leaders;
mod feature_control;
mod heartbeat;
mod node_schema;
mod partition_change;
mod periodic;
mod placement;
mod producer_id_control;
mod refusal;
mod replication_control;
mod topic_name;

pub use activation::BootstrapError;
pub use config_schema::{ConfigLayers, ConfigSchema, InvalidConfigs};
pub use context::{Context, Outcome};
pub use controller::{Controller, ControllerConfig};
pub use node_schema::NodeConfigSchema;
pub use placement::{Placement, PlacementBroker, place};
pub use refusal::{
    BrokerRefusal, ConfigRefusal, FeatureRefusal, Refusal, TopicRefusal, WireRefusal,
};
pub use topic_name::{InvalidTopicName, check_topic_name};
