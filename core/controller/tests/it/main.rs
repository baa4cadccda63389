//! The controller, held against a log that Apache Kafka wrote, its texts, and its own laws.

mod harness;
mod kafka_log;
