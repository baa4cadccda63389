//! Tools that measure: throughput of a producer and of a consumer, and the time from one to the other.

pub(crate) mod consumer;
pub(crate) mod e2e_latency;
pub(crate) mod producer;
pub(crate) mod share_consumer;
mod stats;

pub(crate) use stats::float;
