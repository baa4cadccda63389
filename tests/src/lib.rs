//! What the tests of the whole program share: a node of Ottla as a process, a client of our own that speaks the
//! protocol and nothing else, foreign clients as processes, and how a test says what it could not run.
//!
//! The tests themselves are in `tests/it`; Apache Kafka as a process is in `ottla-oracle`.
#![warn(missing_docs)]

pub mod annotate;
pub mod client;
pub mod dump;
mod expected;
mod foreign;
mod health;
pub mod inspect;
mod installed;
mod matrix;
mod ottla;
mod report;

pub use expected::{End, Expected};
pub use foreign::{Foreign, Outcome};
pub use installed::{bash, cargo, go, java, node, python, rskafka, rskafka_with_librdkafka};
pub use matrix::{Lineage, note};
pub use ottla::Ottla;
pub use report::{not_run, say};
