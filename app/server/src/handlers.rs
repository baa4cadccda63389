//! One file an API. A handler parses, asks a core, answers; what it may decide stands in the cores.

pub(crate) mod api_versions;
pub(crate) mod fetch;
pub(crate) mod list_offsets;
pub(crate) mod offset_for_leader_epoch;
pub(crate) mod produce;
