//! Clients that produce and consume, made from Kafka's configuration keys.
//!
//! `settings` reads values and checks them as Kafka's client does, `security` makes keys of protection
//! into the library's, `connection`, `producer`, `consumer` and `share`
//! are the settings of one part of a client each, and `sender` is a producer at work.

pub(crate) mod connection;
pub(crate) mod consumer;
pub(crate) mod producer;
mod security;
pub(crate) mod sender;
pub(crate) mod settings;
pub(crate) mod share;

pub(crate) use settings::Settings;
