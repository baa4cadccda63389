//! Groups, their members and their offsets.

use crate::registry::Tool;

/// The tools of this folder.
pub(crate) const TOOLS: &[Tool] = &[];
