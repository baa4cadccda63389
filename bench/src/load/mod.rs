//! The load generator: many connections on one thread, requests that were built before, replies timed from the moment
//! their request was due.
//!
//! What is sent and how an answer is judged is a [`Traffic`]; when it is sent is a [`Pace`]; [`Engine`] does the rest.

mod connection;
mod engine;
mod outgoing;

pub(crate) use engine::{Engine, Outcome, Pace, Tally, Traffic, Until, latency_histogram};
pub(crate) use outgoing::Outgoing;
