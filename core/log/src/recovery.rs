//! What a start has to read of a log, and what it leaves behind of a directory.
//!
//! Decides from names and lengths alone; the storage layer carries it out.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::Offset;

use crate::names::{
    CLEANED_SUFFIX, DELETED_SUFFIX, INDEX, LOG, SNAPSHOT, SWAP_SUFFIX, TIME_INDEX, TXN_INDEX,
    parse_segment_file, segment_file,
};

/// What is to be done with the names of a partition's directory before segments are opened, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tidying {
    /// Files to remove.
    pub remove: Vec<String>,
    /// Files to rename, from and to.
    pub rename: Vec<(String, String)>,
    /// Base offsets of the cleaner's outputs among them, ascending. The segments that they replace go before the
    /// renames.
    pub swapped: Vec<Offset>,
    /// Base offsets of the segments, ascending.
    pub segments: Vec<Offset>,
    /// Offsets of the producer snapshots, ascending.
    pub snapshots: Vec<Offset>,
}

/// Plans how the leftovers of a cleaner, a split or a removal are finished or undone, as Kafka does: output that
/// was complete (`.swap`) takes its place, output that was not (`.cleaned`) goes, and what was to be removed goes.
#[must_use]
pub fn tidy<'a>(names: impl IntoIterator<Item = &'a str>) -> Tidying {
    let mut plan = Tidying::default();
    let mut swapped = BTreeSet::new();
    let mut cleaned_from = None;
    let parsed: Vec<_> = names
        .into_iter()
        .filter_map(|name| Some((name, parse_segment_file(name)?)))
        .collect();
    for (_, file) in &parsed {
        if file.suffix == CLEANED_SUFFIX {
            let least = cleaned_from.get_or_insert(file.offset);
            *least = (*least).min(file.offset);
        }
    }
    let mut segments = BTreeSet::new();
    let mut snapshots = BTreeSet::new();
    let mut present: BTreeMap<Offset, Vec<&str>> = BTreeMap::new();
    for (name, file) in &parsed {
        match file.suffix {
            DELETED_SUFFIX | CLEANED_SUFFIX => plan.remove.push((*name).to_owned()),
            // A split writes several outputs and renames the highest first: while one is unfinished, those
            // above it are not to be used either.
            SWAP_SUFFIX if cleaned_from.is_some_and(|least| file.offset >= least) => {
                plan.remove.push((*name).to_owned());
            }
            SWAP_SUFFIX => {
                if file.extension == LOG {
                    swapped.insert(file.offset);
                }
                let to = segment_file(file.offset, file.extension);
                plan.rename.push(((*name).to_owned(), to));
            }
            _ => present.entry(file.offset).or_default().push(file.extension),
        }
    }
    for (offset, extensions) in &present {
        for extension in extensions {
            match *extension {
                LOG => drop(segments.insert(*offset)),
                SNAPSHOT => drop(snapshots.insert(*offset)),
                _ => {}
            }
        }
    }
    segments.extend(&swapped);
    // An index whose segment is gone belongs to nothing.
    for (offset, extensions) in &present {
        if segments.contains(offset) {
            continue;
        }
        for extension in extensions {
            if [INDEX, TIME_INDEX, TXN_INDEX].contains(extension) {
                plan.remove.push(segment_file(*offset, extension));
            }
        }
    }
    plan.swapped = swapped.into_iter().collect();
    plan.segments = segments.into_iter().collect();
    plan.snapshots = snapshots.into_iter().collect();
    plan
}

/// The number of leading segments that are taken as they are: all that end at or below the recovery point.
///
/// The last segment counts as ending above it: its end is not known before it was read.
#[must_use]
pub fn trusted(bases: &[Offset], recovery_point: Offset) -> usize {
    bases
        .windows(2)
        .take_while(|pair| pair[1] <= recovery_point)
        .count()
}

/// The snapshots that may be loaded for a log whose first segment begins at `first` and that ends at `end`: the state
/// that one tells of must be continued by the batches that are there.
#[must_use]
pub fn usable_snapshots(snapshots: &[Offset], first: Offset, end: Offset) -> &[Offset] {
    let from = snapshots.partition_point(|s| *s < first);
    let to = snapshots.partition_point(|s| *s <= end);
    snapshots.get(from..to).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter()
            .map(|name| format!("{:020}.{}", name[..2].parse::<u64>().unwrap(), &name[3..]))
            .collect()
    }

    fn check(files: &[&str], remove: &[&str], rename: &[(&str, &str)], segments: &[i64]) {
        let files_long = names(files);
        let plan = tidy(files_long.iter().map(String::as_str));
        assert_eq!(plan.remove, names(remove), "{files:?}");
        let rename: Vec<_> = rename
            .iter()
            .map(|(a, b)| (names(&[a]).remove(0), names(&[b]).remove(0)))
            .collect();
        assert_eq!(plan.rename, rename, "{files:?}");
        let bases: Vec<_> = plan.segments.iter().map(|o| o.0).collect();
        assert_eq!(bases, segments, "{files:?}");
    }

    #[test]
    fn leftovers_are_finished_or_undone() {
        check(&["00.log", "00.index", "10.log"], &[], &[], &[0, 10]);
        check(
            &["00.log.deleted", "10.log", "10.index.deleted"],
            &["00.log.deleted", "10.index.deleted"],
            &[],
            &[10],
        );
        check(
            &["00.log.cleaned", "00.log"],
            &["00.log.cleaned"],
            &[],
            &[0],
        );
        check(
            &["00.log.swap", "00.index.swap", "00.log", "20.log"],
            &[],
            &[("00.log.swap", "00.log"), ("00.index.swap", "00.index")],
            &[0, 20],
        );
        // The log was renamed already, its index not yet.
        check(
            &["00.log", "00.index.swap"],
            &[],
            &[("00.index.swap", "00.index")],
            &[0],
        );
        // A split that was not finished: the swap above the unfinished output goes, too.
        check(
            &["00.log", "05.log.cleaned", "07.log.swap"],
            &["05.log.cleaned", "07.log.swap"],
            &[],
            &[0],
        );
        check(
            &["00.log", "10.index", "10.timeindex", "10.snapshot"],
            &["10.index", "10.timeindex"],
            &[],
            &[0],
        );
    }

    #[test]
    fn names_of_others_are_left_alone() {
        let plan = tidy([
            "leader-epoch-checkpoint",
            "partition.metadata",
            "x.log",
            "quorum-state",
        ]);
        assert_eq!(plan, Tidying::default());
        let plan = tidy([
            "00000000000000000007.snapshot",
            "00000000000000000003.snapshot",
        ]);
        assert_eq!(plan.snapshots, [Offset(3), Offset(7)]);
    }

    #[test]
    fn segments_below_the_recovery_point_are_trusted() {
        let bases = [Offset(0), Offset(10), Offset(20)];
        for (recovery_point, want) in [(0, 0), (9, 0), (10, 1), (15, 1), (20, 2), (99, 2)] {
            assert_eq!(
                trusted(&bases, Offset(recovery_point)),
                want,
                "{recovery_point}"
            );
        }
        assert_eq!(trusted(&[], Offset(5)), 0);
    }

    #[test]
    fn snapshots_outside_the_log_are_not_used() {
        let all = [Offset(5), Offset(10), Offset(20)];
        let usable = |first, end| usable_snapshots(&all, Offset(first), Offset(end)).to_vec();
        assert_eq!(usable(0, 99), all);
        assert_eq!(usable(5, 19), [Offset(5), Offset(10)]);
        assert_eq!(usable(6, 19), [Offset(10)]);
        assert_eq!(usable(21, 30), []);
        assert_eq!(usable(30, 1), []);
    }
}
