//! A node: connections, dispatch, handlers.
//!
//! A request's way by file: `connection.rs` reads frames, `dispatch.rs` finds the row of
//! `api_table.rs`, the file under `handlers/` named like the API answers, `reply.rs` sends answers in the
//! order of the requests.

#[cfg(test)]
mod api_docs;
mod api_table;
mod authorized_operations;
pub mod auto_create;
mod bind;
pub mod broker;
mod broker_loggers;
mod config_changes;
mod connection;
mod connection_limits;
pub mod coordinator;
mod deadline;
mod dispatch;
mod error_map;
pub mod failure;
mod handlers;
mod in_flight;
mod internal_topics;
mod java_address;
pub mod listen;
mod listener_view;
pub mod node;
pub mod partition;
pub mod partitions;
pub mod producer_ids;
pub mod quorum;
mod reply;
pub mod running;
pub mod session;
pub mod slow_work;
pub mod start;
mod topic_rules;
mod waiters;
mod workers;
