//! `kafka-dump-log`: shows what is in the files of a partition, or of the metadata log.

mod decode;
mod index;
mod log;
mod mismatches;
mod options;
mod remote;
mod snapshot;

use std::path::Path;
use std::process::ExitCode;

use clap::Command;

use self::mismatches::Mismatches;
use self::options::Asked;
use super::exception::Exception;
use crate::common::jopt::{self, flag, optional_value, value};
use crate::common::output;
use crate::common::usage::{self, Failure};

/// The options.
pub(crate) fn command() -> Command {
    Command::new("dump-log")
        .about("Show what is in segments, indexes and snapshots")
        .after_help(
            "Examples:\n  ottla dump-log --files data/t-0/00000000000000000000.log --print-data-log\n  \
             ottla dump-log --files data/__cluster_metadata-0/00000000000000000000.log \
             --cluster-metadata-decoder\n  \
             ottla dump-log --files data/t-0/00000000000000000000.index --index-sanity-check",
        )
        .arg(value("files", "file1, file2, ...", "REQUIRED: The files, separated by commas."))
        .arg(flag("print-data-log", "Show keys and values. Any decoder turns this on."))
        .arg(flag("deep-iteration", "Show record by record. --print-data-log turns this on."))
        .arg(flag("skip-record-metadata", "Show keys and values alone; leave control records out."))
        .arg(value("max-bytes", "size", "Look at so many bytes of a log."))
        .arg(value("max-message-size", "size", "Largest batch behind an index entry (5242880)."))
        .arg(flag("verify-index-only", "Check an index against its log without showing it."))
        .arg(flag("index-sanity-check", "Check an index as a node does when it starts."))
        .arg(flag("offsets-decoder", "Records of __consumer_offsets."))
        .arg(flag("transaction-log-decoder", "Records of __transaction_state."))
        .arg(flag("cluster-metadata-decoder", "Records of the metadata log."))
        .arg(flag("share-group-state-decoder", "Records of __share_group_state."))
        .arg(flag("remote-log-metadata-decoder", "Records of __remote_log_metadata."))
        .arg(optional_value("key-decoder-class", "class", "How keys are shown (StringDecoder)."))
        .arg(optional_value("value-decoder-class", "class", "How values are shown (StringDecoder)."))
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to parse a log file and dump its contents to the console, useful for \
         debugging a seemingly corrupt log segment.",
        args,
        dump,
    )
}

fn dump(options: &jopt::Options) -> Result<ExitCode, Failure> {
    options.required(&["files"])?;
    let files = options.value("files")?.unwrap_or_default();
    let mut mismatches = Mismatches::default();
    // Like Kafka's tool, this one looks at the other options once it needs them.
    let mut asked = None;
    for file in files.split(',') {
        output::line(&format!("Dumping {file}"));
        let name = file.rsplit('/').next().unwrap_or(file);
        let path = Path::new(file);
        let asked = match (kind(name), &mut asked) {
            (FileKind::Unknown, _) => {
                output::error_line(&format!("Ignoring unknown file {file}"));
                continue;
            }
            (_, Some(asked)) => asked,
            (_, none) => none.insert(Asked::new(options)?),
        };
        let done = match kind(name) {
            FileKind::Log => log::dump(path, name, asked, &mut mismatches),
            FileKind::OffsetIndex => index::offsets(path, asked, &mut mismatches),
            FileKind::TimeIndex => index::times(path, asked, &mut mismatches),
            FileKind::TransactionIndex => index::transactions(path),
            FileKind::ProducerSnapshot => snapshot::dump(path),
            FileKind::Unknown => Ok(()),
        };
        done.map_err(|error| Failure::Failed(error.to_string()))?;
    }
    mismatches.print();
    Ok(ExitCode::SUCCESS)
}

/// What a file is by its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    /// A segment, or a snapshot of the metadata.
    Log,
    OffsetIndex,
    TimeIndex,
    TransactionIndex,
    ProducerSnapshot,
    Unknown,
}

fn kind(name: &str) -> FileKind {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "log" | "checkpoint" => FileKind::Log,
        "index" => FileKind::OffsetIndex,
        "timeindex" => FileKind::TimeIndex,
        "txnindex" => FileKind::TransactionIndex,
        "snapshot" => FileKind::ProducerSnapshot,
        _ => FileKind::Unknown,
    }
}

/// The offset in a file's name, which is what stands before the first dot.
fn base_offset(path: &Path) -> Result<i64, Exception> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    stem.parse().map_err(|_| {
        Exception::new(
            "java.lang.NumberFormatException",
            format!("For input string: \"{stem}\""),
        )
    })
}

/// The path from the root, as Java writes it.
fn absolute(path: &Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
