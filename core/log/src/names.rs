//! Names of files and directories, as Kafka spells them.

use ottla_base::{Offset, Uuid};

/// A batch file.
pub const LOG: &str = "log";
/// An offset index.
pub const INDEX: &str = "index";
/// A time index.
pub const TIME_INDEX: &str = "timeindex";
/// An index of aborted transactions.
pub const TXN_INDEX: &str = "txnindex";
/// A producer state snapshot.
pub const SNAPSHOT: &str = "snapshot";
/// Waits for its removal.
pub const DELETED_SUFFIX: &str = ".deleted";
/// Unfinished output of the log cleaner.
pub const CLEANED_SUFFIX: &str = ".cleaned";
/// Finished output of the log cleaner, not yet in place.
pub const SWAP_SUFFIX: &str = ".swap";

/// Epochs and where they begin, per partition.
pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
/// The topic id, per partition.
pub const PARTITION_METADATA: &str = "partition.metadata";
/// What is on stable storage, per log directory.
pub const RECOVERY_POINT_CHECKPOINT: &str = "recovery-point-offset-checkpoint";
/// Where readers begin, per log directory.
pub const LOG_START_CHECKPOINT: &str = "log-start-offset-checkpoint";
/// High watermarks, per log directory.
pub const HIGH_WATERMARK_CHECKPOINT: &str = "replication-offset-checkpoint";
/// How far the cleaner came, per log directory.
pub const CLEANER_CHECKPOINT: &str = "cleaner-offset-checkpoint";
/// Stands in a log directory between a clean shutdown and the next start.
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// The longest name that file systems take.
const NAME_BYTES_MAX: usize = 255;

/// `offset` in 20 digits, a dot and `extension`.
#[must_use]
pub fn segment_file(offset: Offset, extension: &str) -> String {
    format!("{:020}.{extension}", offset.0)
}

/// A file of a partition's directory that is named by an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentFileName<'a> {
    /// The offset in the name.
    pub offset: Offset,
    /// What stands between the offset and the transient suffix, if any: `log`, `index`, ...
    pub extension: &'a str,
    /// `.deleted`, `.cleaned`, `.swap`, or empty.
    pub suffix: &'a str,
}

/// Reads the name of a file of a partition's directory; `None` if it is not named by an offset.
#[must_use]
pub fn parse_segment_file(name: &str) -> Option<SegmentFileName<'_>> {
    let (digits, rest) = name.split_once('.')?;
    if digits.len() != 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let offset = Offset(digits.parse().ok()?);
    for suffix in [DELETED_SUFFIX, CLEANED_SUFFIX, SWAP_SUFFIX] {
        if let Some(extension) = rest.strip_suffix(suffix) {
            return Some(SegmentFileName {
                offset,
                extension,
                suffix,
            });
        }
    }
    Some(SegmentFileName {
        offset,
        extension: rest,
        suffix: "",
    })
}

/// What a directory of a log directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionDirKind {
    /// A partition in use.
    Current,
    /// `-future`: the copy that a move between log directories builds (KIP-113).
    Future,
    /// `-delete`: waits for its removal.
    Delete,
    /// `-stray`: belongs to no topic that the cluster knows.
    Stray,
}

/// A partition's directory by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionDirName<'a> {
    /// Topic name; cut short in the name of a long topic's `-delete` directory.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Its state.
    pub kind: PartitionDirKind,
}

/// `topic-partition`.
#[must_use]
pub fn partition_dir(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// `topic-partition.<32 hex digits>-<state>`, the topic cut short where the name would be too long.
#[must_use]
pub fn transient_partition_dir(
    topic: &str,
    partition: i32,
    unique: Uuid,
    kind: PartitionDirKind,
) -> String {
    let state = match kind {
        PartitionDirKind::Current => return partition_dir(topic, partition),
        PartitionDirKind::Future => "future",
        PartitionDirKind::Delete => "delete",
        PartitionDirKind::Stray => "stray",
    };
    let hex: String = unique.0.iter().map(|b| format!("{b:02x}")).collect();
    let rest = format!("-{partition}.{hex}-{state}");
    let keep = topic.len().min(NAME_BYTES_MAX - rest.len());
    // Topic names are ASCII; any other text is cut at a character's end.
    let keep = (0..=keep)
        .rev()
        .find(|&at| topic.is_char_boundary(at))
        .unwrap_or(0);
    format!("{}{rest}", &topic[..keep])
}

/// Reads the name of a partition's directory; `None` if it is none.
#[must_use]
pub fn parse_partition_dir(name: &str) -> Option<PartitionDirName<'_>> {
    let states = [
        ("-future", PartitionDirKind::Future),
        ("-delete", PartitionDirKind::Delete),
        ("-stray", PartitionDirKind::Stray),
    ];
    let (name, kind) = states
        .iter()
        .find_map(|&(suffix, kind)| {
            let (name, hex) = name.strip_suffix(suffix)?.rsplit_once('.')?;
            let is_unique = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit());
            is_unique.then_some((name, kind))
        })
        .unwrap_or((name, PartitionDirKind::Current));
    let (topic, partition) = name.rsplit_once('-')?;
    if topic.is_empty() || partition.is_empty() || !partition.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(PartitionDirName {
        topic,
        partition: partition.parse().ok()?,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_files_carry_twenty_digits() {
        assert_eq!(segment_file(Offset(53), LOG), "00000000000000000053.log");
        let check = |name, want: Option<(i64, &str, &str)>| {
            let got = parse_segment_file(name).map(|n| (n.offset.0, n.extension, n.suffix));
            assert_eq!(got, want, "{name}");
        };
        check(
            "00000000000000000053.timeindex",
            Some((53, "timeindex", "")),
        );
        check("00000000000000000053.log.swap", Some((53, "log", ".swap")));
        check(
            "09223372036854775807.log.deleted",
            Some((i64::MAX, "log", ".deleted")),
        );
        check("09223372036854775808.log", None);
        check("53.log", None);
        check("leader-epoch-checkpoint", None);
        check("0000000000000000005x.log", None);
    }

    #[test]
    fn partition_directories_round_trip() {
        let id = Uuid([0xab; 16]);
        for (topic, kind) in [
            ("plain", PartitionDirKind::Current),
            ("with-dash.and_dot", PartitionDirKind::Delete),
            ("a-1", PartitionDirKind::Future),
            ("x-stray", PartitionDirKind::Stray),
            ("x-delete", PartitionDirKind::Current),
        ] {
            let name = transient_partition_dir(topic, 7, id, kind);
            let parsed = parse_partition_dir(&name).unwrap();
            assert_eq!(
                (parsed.topic, parsed.partition, parsed.kind),
                (topic, 7, kind),
                "{name}"
            );
        }
        let long = transient_partition_dir(&"t".repeat(249), 12, id, PartitionDirKind::Delete);
        assert_eq!(long.len(), 255);
        for name in [
            "nodash",
            "-1",
            "t-",
            "t-x",
            "t--1x",
            "remote-log-index-cache",
            "t-99999999999",
        ] {
            assert_eq!(parse_partition_dir(name), None, "{name}");
        }
    }
}
