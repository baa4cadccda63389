//! Files of a node, read without one.

use crate::registry::Tool;

/// The tools of this folder.
pub(crate) const TOOLS: &[Tool] = &[];
