//! All configuration keys of brokers and topics, what they mean and what follows from them.
//!
//! The rows under [`rows`] are the one place where a key, its default and its range stand. From them
//! come the typed settings ([`BrokerConfig`], [`TopicConfig`]), the answers of DescribeConfigs
//! ([`describe_broker`], [`describe_topic`]), the checks of changes ([`validate_topic`],
//! [`alter_broker`]) and the reference page ([`reference_page`]).
//!
//! Texts come in and values go out: no file is opened here, and nothing is known of the wire beyond the
//! numbers of types and sources. KIP-21, KIP-226, KIP-339, KIP-569.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod alter;
mod broker;
mod checks;
mod describe;
mod enums;
mod error;
mod listener;
mod meta_properties;
mod properties;
mod reference;
mod relations;
mod resources;
pub mod rows;
mod suggest;
mod topic;
mod values;

pub use alter::{AlterOp, alter_broker, is_list, topic_default, validate_broker, validate_topic};
pub use broker::{BrokerConfig, BrokerLayers, Roles, loggable};
pub use describe::{
    ConfigSource, ConfigSynonym, DescribedConfig, describe_broker, describe_client_metrics,
    describe_cluster_default, describe_group, describe_topic,
};
pub use enums::{CommitFlush, CompressionType, SecurityProtocol, TimestampType};
pub use error::{AlterError, ConfigError};
pub use listener::{Listener, Voter};
pub use meta_properties::{
    InvalidMetaProperties, META_PROPERTIES_FILE, MetaProperties, verify_meta_properties,
};
pub use properties::{InvalidProperties, parse_properties, write_properties};
pub use reference::reference_page;
pub use resources::{validate_client_metrics, validate_group};
pub use rows::topic::TopicConfig;
pub use suggest::suggestion;
pub use topic::effective_topic_value;
pub use values::{RawConfigs, Values};
