//! What the tools share.

pub(crate) mod argparse;
pub(crate) mod base64;
pub(crate) mod client;
pub(crate) mod columns;
pub(crate) mod configs;
pub(crate) mod confirm;
pub(crate) mod controller;
pub(crate) mod coordinator;
pub(crate) mod dates;
pub(crate) mod filter;
pub(crate) mod format;
pub(crate) mod java;
pub(crate) mod jopt;
pub(crate) mod json;
pub(crate) mod leaders;
pub(crate) mod output;
pub(crate) mod principal;
pub(crate) mod table;
pub(crate) mod topics;
pub(crate) mod usage;
pub(crate) mod uuid;
