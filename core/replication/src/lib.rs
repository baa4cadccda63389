//! What a leader knows of its replicas, and what it remembers of its readers.
//!
//! [`leader`] decides the high watermark and which writes are refused for want of in-sync replicas;
//! [`fetch_session`] remembers what an incremental fetch may leave out (KIP-227). Nothing here reads a
//! log, a clock or a socket.
#![forbid(unsafe_code)]

pub mod acks;
pub mod fetch_session;
pub mod leader;

pub use acks::{Acks, InvalidAcks};
