//! The records, the image and the delta, held against a log and a snapshot that Apache Kafka wrote, and
//! against each other.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod golden;
mod model;
