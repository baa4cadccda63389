//! The controller, held against a log that Apache Kafka wrote, its texts, and its own laws.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod brokers;
mod configs;
mod harness;
mod kafka_log;
mod model;
mod partitions;
mod topics;
