//! What the tools share.

pub(crate) mod client;
pub(crate) mod jopt;
pub(crate) mod output;
pub(crate) mod usage;
