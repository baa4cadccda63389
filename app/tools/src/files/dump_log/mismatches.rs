//! What does not fit together, which is told behind everything else.

use std::collections::BTreeMap;

use crate::common::output;

/// Findings of one file are kept up to this number; a damaged index has one for every entry.
const KEPT_MAX: usize = 1_000_000;

/// Pairs by the file that they belong to.
type Pairs = BTreeMap<String, Vec<(i64, i64)>>;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Mismatches {
    /// Offset of an index entry, and of the batch at its position.
    pub(super) index: Pairs,
    /// Timestamp of an index entry, and of its batch.
    pub(super) time: Pairs,
    /// Timestamp of an index entry, and of the one before it.
    pub(super) time_order: Pairs,
    /// Offset of an index entry, and of the batch that was found for it.
    pub(super) not_found: Pairs,
    /// Offsets of records that follow each other with a gap.
    pub(super) gaps: Pairs,
}

/// Takes a pair down.
pub(super) fn note(pairs: &mut Pairs, file: &str, pair: (i64, i64)) {
    let found = pairs.entry(file.to_owned()).or_default();
    if found.len() < KEPT_MAX {
        found.push(pair);
    }
}

impl Mismatches {
    /// Says what was found on standard error.
    pub(super) fn print(&self) {
        let show = |pairs: &Pairs, title: &str, line: &dyn Fn(i64, i64) -> String| {
            for (file, pairs) in pairs {
                output::error_line(&format!("{title}{file}"));
                for (first, second) in pairs {
                    output::error_line(&line(*first, *second));
                }
            }
        };
        show(&self.index, "Mismatches in :", &|index, log| {
            format!("  Index offset: {index}, log offset: {log}")
        });
        show(
            &self.time,
            "Found timestamp mismatch in :",
            &|index, log| format!("  Index timestamp: {index}, log timestamp: {log}"),
        );
        show(
            &self.time_order,
            "Found out of order timestamp in :",
            &|index, before| {
                format!("  Index timestamp: {index}, Previously indexed timestamp: {before}")
            },
        );
        show(
            &self.not_found,
            "The following indexed offsets are not found in :",
            &|index, log| format!("Indexed offset: {index}, found log offset: {log}"),
        );
        show(
            &self.gaps,
            "Non-consecutive offsets in ",
            &|first, second| format!("  {first} is followed by {second}"),
        );
    }
}
