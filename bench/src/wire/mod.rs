//! Requests as bytes, and a plain client for what surrounds a measurement.

mod batches;
mod client;
mod frames;
mod topics;

pub(crate) use batches::{Payload, Records, Shape, build_batch};
pub(crate) use client::{Client, call};
pub(crate) use frames::{CORRELATION_AT, HEAD_BYTES, request_frame};
pub(crate) use topics::{
    Topic, create_topic, create_topics, delete_topic, end_offset, error_name, ready_partitions,
};
