//! The client side of administration: asks a cluster anything that the protocol knows, and says what
//! went wrong in Kafka's words.
//!
//! Blocking, one request at a time: a command line needs no more, and starts faster without a runtime.
//! Answers come back as the protocol's own messages, so that a tool can show every field of them. It
//! does not produce or consume.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod admin;
mod api;
mod config;
mod connection;
mod error;
mod exception;

pub use admin::{Admin, Attempt, CoordinatorKind};
pub use api::Call;
pub use config::{Bootstrap, ClientConfig, ConfigError, Properties};
pub use connection::Connection;
pub use error::{ClientError, Result};
pub use exception::exception_name;
