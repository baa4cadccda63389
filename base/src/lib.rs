//! Vocabulary of the whole program: ids, times and names that more than one layer uses.
//!
//! Every id, offset, epoch and unit is a type of its own, so that two kinds of number cannot be mixed.
//! This crate knows no wire format, no file and no clock.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod config_table;
mod config_value;
mod ids;
mod time;
mod topic;
mod uuid;

pub use config_table::{
    ConfigRow, ConfigType, ConfigValues, DefaultValue, Dynamic, Importance, Scope, Status, Valid,
};
pub use config_value::{FromValue, InvalidValue, Value, split_host_port};
pub use ids::{
    BrokerEpoch, ControllerEpoch, LeaderEpoch, NodeId, Offset, PartitionEpoch, ProducerEpoch,
    ProducerId, Sequence,
};
pub use time::{MonoTime, WallMillis};
pub use topic::{TopicId, TopicIdPartition, TopicPartition};
pub use uuid::{InvalidUuid, Uuid};
