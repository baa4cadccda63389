//! Apache Kafka itself, from its published jars, to compare with: fetches it, starts nodes of it on
//! loopback, stops and kills them, and runs its tools. Environments of Python for its foreign clients lie in the same cache.
//!
//! Needs Java 17 or newer and Maven. What is fetched lies in a cache outside of the source tree and is
//! used again; [`missing`] says why a machine cannot. Nothing here knows Ottla.
#![warn(missing_docs)]

mod jars;
mod node;
mod tool;
mod venv;

pub use jars::{Jars, cache_dir, missing};
pub use node::{Cluster, Member, Node, Role, free_port, free_ports, reachable, stop_by_pid_file};
pub use venv::python_environment;
