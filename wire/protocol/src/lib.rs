//! Kafka's protocol: bytes to values and back, no IO.
//!
//! [`messages`] holds every request, response and record, generated from the files in `schemas/`;
//! [`frame`] and [`header`] what stands around them; [`api`] and [`error_code`] the two tables that
//! everything else refers to.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod api;
pub mod error_code;
pub mod frame;
#[expect(
    clippy::derivable_impls,
    clippy::field_reassign_with_default,
    clippy::single_match,
    reason = "generated: one way of writing serves every message"
)]
mod generated;
pub mod header;
pub mod payload;
pub mod reader;
pub mod schemas;
pub mod writer;

/// Every message, in a module of its own; the messages themselves are also here by name.
pub mod messages {
    pub use crate::generated::*;
}

pub use api::ApiKey;
pub use error_code::ErrorCode;
pub use payload::RecordsPayload;
pub use reader::{DecodeError, RawTaggedField, Reader};
pub use writer::{EncodeError, Splice, Writer};
