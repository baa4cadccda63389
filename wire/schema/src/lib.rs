//! The notation in which the protocol's messages are written down.
//!
//! [`parse`] reads it into [`Message`]s; the generator of `ottla-protocol` and everything that treats
//! messages as data (documentation, comparison with another broker) start from there; [`json`] reads and
//! writes messages by their schema alone, [`kafka_json`] shows them as Kafka does. Does no IO.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod json;
pub mod kafka_json;
mod model;
mod parse;

pub use model::{Field, Kind, Listener, Message, Struct, Type, Versions};
pub use parse::{ParseError, parse};
