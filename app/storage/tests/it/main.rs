//! Log directories and logs on a disk: what was promised is there, in Kafka's formats, whenever the process or the
//! power goes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod append;
mod crash;
mod dirs;
mod format;
mod kafka;
mod loader;
mod recovery;
mod support;
mod time;
mod truncate;
mod world;
