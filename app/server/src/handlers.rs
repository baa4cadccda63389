//! One file an API. A handler parses, asks a core, answers; what it may decide stands in the cores.

pub(crate) mod api_versions;
