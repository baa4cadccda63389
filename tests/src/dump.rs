//! Apache Kafka's `kafka-dump-log` over a directory: what it finds wrong.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ottla_oracle::Jars;

use crate::End;

/// What the tool says of something wrong, at the beginning of a line or in it.
const FAULTS: &[&str] = &[
    "isvalid: false",
    "Mismatches in",
    "Index offset:",
    "Indexed offset:",
    "Index timestamp:",
    "Indexed timestamp:",
    "are not found in",
    "Found timestamp mismatch",
    "Found out of order timestamp",
    "Non-consecutive offsets",
    "is followed by",
    "invalid bytes",
    "Exception",
];

/// One run of the tool: over which files, with which options.
struct Run {
    extensions: &'static [&'static str],
    options: &'static [&'static str],
    /// How the directories' names begin.
    partitions: &'static str,
}

const RUNS: &[Run] = &[
    Run {
        extensions: &["log"],
        options: &["--print-data-log", "--deep-iteration"],
        partitions: "",
    },
    Run {
        extensions: &["log"],
        options: &[
            "--print-data-log",
            "--skip-record-metadata",
            "--key-decoder-class",
            "org.apache.kafka.tools.api.StringDecoder",
            "--value-decoder-class",
            "org.apache.kafka.tools.api.StringDecoder",
        ],
        partitions: "",
    },
    Run {
        extensions: &["index", "timeindex", "snapshot", "txnindex"],
        options: &[],
        partitions: "",
    },
    Run {
        extensions: &["index"],
        options: &["--index-sanity-check"],
        partitions: "",
    },
    Run {
        extensions: &["index", "timeindex"],
        options: &["--verify-index-only"],
        partitions: "",
    },
    Run {
        extensions: &["log", "checkpoint"],
        options: &["--cluster-metadata-decoder"],
        partitions: "__cluster_metadata-",
    },
    Run {
        extensions: &["log"],
        options: &["--offsets-decoder"],
        partitions: "__consumer_offsets-",
    },
    Run {
        extensions: &["log"],
        options: &["--transaction-log-decoder"],
        partitions: "__transaction_state-",
    },
    Run {
        extensions: &["log"],
        options: &["--share-group-state-decoder"],
        partitions: "__share_group_state-",
    },
    Run {
        extensions: &["log"],
        options: &["--remote-log-metadata-decoder"],
        partitions: "__remote_log_metadata-",
    },
];

/// Runs the tool over every log, index, snapshot and checkpoint below `data`; returns its complaints.
///
/// # Errors
/// If the tool itself fails.
pub fn faults(jars: &Jars, data: &Path, end: End) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for Run {
        extensions,
        options,
        partitions,
    } in RUNS
    {
        // The tool stumbles over the room that an index file keeps at its end until the node stops.
        if end == End::Killed && extensions.contains(&"index") {
            continue;
        }
        let files = files(data, extensions, partitions)?;
        if files.is_empty() {
            continue;
        }
        let list: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let output = jars
            .tool("dump-log")
            .args(*options)
            .args(["--files", &list.join(",")])
            .output()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        if !output.status.success() {
            bail!("kafka-dump-log {options:?}: {}\n{text}", output.status);
        }
        let whole = text
            .lines()
            .filter(|line| line.starts_with("Dumping "))
            .count();
        if whole != files.len() {
            bail!(
                "kafka-dump-log {options:?} read {whole} of {} files\n{text}",
                files.len()
            );
        }
        found.extend(complaints(&text));
    }
    Ok(found)
}

/// Lines that complain; the tool takes every segment that does not begin at 0 for a gap, and so it does for what
/// compaction took out.
fn complaints(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut about_gap: Option<&str> = None;
    for line in text.lines() {
        if line.starts_with("Non-consecutive offsets in") {
            about_gap = Some(line);
        } else if let (Some(file), true) = (about_gap, line.contains(" is followed by ")) {
            if !line.trim_start().starts_with("-1 is") && !file.contains("/compacted-") {
                found.push(format!("{file}: {}", line.trim()));
            }
        } else if FAULTS.iter().any(|fault| line.contains(fault)) {
            found.push(line.to_owned());
        }
    }
    found
}

/// Files with one of the extensions, in the directories of partitions whose name begins so.
fn files(data: &Path, extensions: &[&str], partitions: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for dir in fs::read_dir(data).with_context(|| data.display().to_string())? {
        let dir = dir?;
        let name = dir.file_name().to_string_lossy().into_owned();
        let going = name.ends_with("-delete") || name.ends_with("-stray");
        if !dir.file_type()?.is_dir() || going || !name.starts_with(partitions) {
            continue;
        }
        for file in fs::read_dir(dir.path())? {
            let path = file?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if extension.is_some_and(|extension| extensions.contains(&extension)) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_count_except_where_compaction_made_them() {
        let check = |text: &str, count: usize| assert_eq!(complaints(text).len(), count, "{text}");
        check(
            "Non-consecutive offsets in /d/rolled-0/8.log\n  -1 is followed by 8",
            0,
        );
        check(
            "Non-consecutive offsets in /d/rolled-0/8.log\n  9 is followed by 12",
            1,
        );
        check(
            "Non-consecutive offsets in /d/compacted-0/0.log\n  9 is followed by 12",
            0,
        );
        check("baseOffset: 0 crc: 1 isvalid: true", 0);
        check("baseOffset: 0 crc: 1 isvalid: false", 1);
        check(
            "Mismatches in :/d/t-0/0.index\n  Index offset: 0, log offset: 4",
            2,
        );
    }
}
