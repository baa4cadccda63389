//! Apache Kafka's command-line tools: same names, options, output and exit codes.
//!
//! One folder for each kind of tool, one file or folder for each tool, and `common/` for what they
//! share: the grammar of options, the way to a cluster, and everything that prints. What runs a node
//! is not here but in the program itself.
#![forbid(unsafe_code)]

mod cluster;
mod common;
mod console;
mod data;
mod files;
mod groups;
mod registry;

/// Version of Apache Kafka whose tools these are, as `--version` prints it.
pub use common::usage::VERSION;
pub use registry::{Kind, Tool, all, by_class, by_name};
