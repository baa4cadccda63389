//! Tests of log directories and logs by what they leave on a disk.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod append;
mod crash;
mod dirs;
mod format;
mod kafka;
mod recovery;
mod support;
mod time;
mod world;
