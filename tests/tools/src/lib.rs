//! Command lines of Kafka's tools, and what Apache Kafka's own tools print for them.
//!
//! `lines/` holds the command lines by subject, `golden/` what Apache Kafka's tools answered to them,
//! `differences.tsv` where Ottla answers otherwise on purpose. The README says how to add lines.
#![warn(missing_docs)]

pub mod differences;
pub mod golden;
pub mod mask;
pub mod play;
pub mod report;
pub mod script;
pub mod server;
pub mod setup;
pub mod speed;
pub mod tool;

use std::path::{Path, PathBuf};

/// A folder of this crate.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
