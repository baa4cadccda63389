//! Topics, their configs and their records.

use crate::registry::Tool;

/// The tools of this folder.
pub(crate) const TOOLS: &[Tool] = &[];
