//! Producing and consuming by hand, measuring both, and the programs that drive system tests.

use crate::registry::Tool;

/// The tools of this folder.
pub(crate) const TOOLS: &[Tool] = &[];
