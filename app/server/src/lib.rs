//! A node: connections, dispatch, handlers.
//!
//! A request's way by file: `connection.rs` reads frames, `dispatch.rs` finds the row of
//! `api_table.rs`, the file under `handlers/` named like the API answers, `reply.rs` sends answers in the
//! order of the requests.

mod api_table;
mod connection;
mod dispatch;
mod handlers;
pub mod listen;
pub mod node;
pub mod quorum;
pub mod partition;
pub mod partitions;
mod reply;
pub mod session;
mod waiters;
