//! The records, the image and the delta, held against a log and a snapshot that Apache Kafka wrote, and
//! against each other.

mod golden;
mod model;
