//! What the tools share.

pub(crate) mod argparse;
pub(crate) mod client;
pub(crate) mod format;
pub(crate) mod jopt;
pub(crate) mod output;
pub(crate) mod usage;
