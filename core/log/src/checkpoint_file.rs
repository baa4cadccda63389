//! The small text files of a log directory: offset checkpoints, epoch checkpoint, partition metadata,
//! clean-shutdown mark.
//!
//! All are written whole, synced and renamed into place, so one that does not parse was damaged from outside;
//! the reader then goes on as if it were absent, which costs a longer recovery and no record.

use crate::epoch_cache::EpochEntry;
use ottla_base::{BrokerEpoch, LeaderEpoch, Offset, TopicId};
use std::fmt::Write;

/// The file is not in Kafka's format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The version is not 0.
    #[error("unknown version of a checkpoint file version={0:?}")]
    Version(String),
    /// A line does not have the fields it should.
    #[error("malformed line in a checkpoint file line={0:?}")]
    Line(String),
    /// The number of entries is not the announced one.
    #[error("wrong number of entries in a checkpoint file announced={announced} found={found}")]
    Count {
        /// The number in the second line.
        announced: usize,
        /// The number of lines that follow.
        found: usize,
    },
}

/// One line of an offset checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetEntry<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// The offset that the file is about.
    pub offset: Offset,
}

/// Writes an offset checkpoint: `recovery-point-`, `log-start-`, `replication-` or `cleaner-offset-checkpoint`.
pub fn write_offsets<'a>(entries: impl ExactSizeIterator<Item = OffsetEntry<'a>>) -> String {
    // 0, the count, then `topic partition offset` per line.
    let mut text = String::with_capacity(16 + entries.len() * 32);
    writeln!(text, "0\n{}", entries.len()).expect("writing to a string cannot fail");
    for OffsetEntry {
        topic,
        partition,
        offset,
    } in entries
    {
        writeln!(text, "{topic} {partition} {offset}").expect("writing to a string cannot fail");
    }
    text
}

/// Reads an offset checkpoint. An empty file has no entries.
///
/// # Errors
/// [`CheckpointError`] if it is not in Kafka's format.
pub fn read_offsets(text: &str) -> Result<Vec<OffsetEntry<'_>>, CheckpointError> {
    read_entries(text, |line| {
        let mut fields = line.split_ascii_whitespace();
        let entry = OffsetEntry {
            topic: fields.next()?,
            partition: fields.next()?.parse().ok().filter(|p| *p >= 0)?,
            offset: Offset(fields.next()?.parse().ok()?),
        };
        fields.next().is_none().then_some(entry)
    })
}

/// Writes a `leader-epoch-checkpoint`.
#[must_use]
pub fn write_epochs(entries: &[EpochEntry]) -> String {
    let mut text = format!("0\n{}\n", entries.len());
    for EpochEntry { epoch, start } in entries {
        writeln!(text, "{epoch} {start}").expect("writing to a string cannot fail");
    }
    text
}

/// Reads a `leader-epoch-checkpoint`.
///
/// # Errors
/// [`CheckpointError`] if it is not in Kafka's format.
pub fn read_epochs(text: &str) -> Result<Vec<EpochEntry>, CheckpointError> {
    read_entries(text, |line| {
        let (epoch, start) = line.split_once(' ')?;
        Some(EpochEntry {
            epoch: LeaderEpoch(epoch.parse().ok()?),
            start: Offset(start.parse().ok()?),
        })
    })
}

fn read_entries<'a, T>(
    text: &'a str,
    parse: impl Fn(&'a str) -> Option<T>,
) -> Result<Vec<T>, CheckpointError> {
    let mut lines = text.lines();
    match lines.next() {
        None => return Ok(Vec::new()),
        Some("0") => {}
        Some(version) => return Err(CheckpointError::Version(version.to_owned())),
    }
    let count = lines.next().unwrap_or_default();
    let announced: usize = count
        .parse()
        .map_err(|_| CheckpointError::Line(count.to_owned()))?;
    let entries = lines
        .map(|line| parse(line).ok_or_else(|| CheckpointError::Line(line.to_owned())))
        .collect::<Result<Vec<T>, _>>()?;
    if entries.len() != announced {
        return Err(CheckpointError::Count {
            announced,
            found: entries.len(),
        });
    }
    Ok(entries)
}

/// Writes a `partition.metadata` (KIP-516).
#[must_use]
pub fn write_partition_metadata(topic_id: TopicId) -> String {
    // Without a last newline, as Kafka.
    format!("version: 0\ntopic_id: {topic_id}")
}

/// Reads a `partition.metadata`.
///
/// # Errors
/// [`CheckpointError`] if it is not in Kafka's format.
pub fn read_partition_metadata(text: &str) -> Result<TopicId, CheckpointError> {
    let mut lines = text.lines();
    let mut field = |name: &str| {
        let line = lines.next().unwrap_or_default();
        let value = line
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(':'));
        value
            .map(str::trim)
            .ok_or_else(|| CheckpointError::Line(line.to_owned()))
    };
    let version = field("version")?;
    if version != "0" {
        return Err(CheckpointError::Version(version.to_owned()));
    }
    let id = field("topic_id")?;
    id.parse()
        .map(TopicId)
        .map_err(|_| CheckpointError::Line(id.to_owned()))
}

/// Writes a `.kafka_cleanshutdown`; -1 stands for a node that is no broker.
#[must_use]
pub fn write_clean_shutdown(broker_epoch: BrokerEpoch) -> String {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset_entry(topic: &str, partition: i32, offset: i64) -> OffsetEntry<'_> {
        OffsetEntry {
            topic,
            partition,
            offset: Offset(offset),
        }
    }

    #[test]
    fn offset_checkpoints_are_kafkas() {
        let text = "0\n2\n__transaction_state 42 0\ngold 0 86\n";
        let entries = [
            offset_entry("__transaction_state", 42, 0),
            offset_entry("gold", 0, 86),
        ];
        assert_eq!(read_offsets(text).unwrap(), entries);
        assert_eq!(write_offsets(entries.into_iter()), text);
        // As Apache Kafka leaves them on a new node.
        assert_eq!(read_offsets(""), Ok(vec![]));
        assert_eq!(read_offsets("0\n0\n"), Ok(vec![]));
        assert_eq!(write_offsets([].into_iter()), "0\n0\n");
    }

    #[test]
    fn damaged_checkpoints_are_refused() {
        for text in [
            "1\n0\n",
            "0\n",
            "0\nx\n",
            "0\n2\na 0 5\n",
            "0\n1\na 0 5\nb 0 5\n",
            "0\n1\na 0\n",
            "0\n1\na 0 5 6\n",
            "0\n1\na -1 5\n",
            "0\n1\na 0 99999999999999999999\n",
            "\0\0\0\0",
        ] {
            assert!(read_offsets(text).is_err(), "{text:?}");
        }
        assert!(read_epochs("0\n1\n5\n").is_err());
    }

    #[test]
    fn epoch_checkpoints_are_kafkas() {
        let text = "0\n2\n0 0\n5 1234\n";
        let entry = |epoch, start| EpochEntry {
            epoch: LeaderEpoch(epoch),
            start: Offset(start),
        };
        assert_eq!(read_epochs(text), Ok(vec![entry(0, 0), entry(5, 1234)]));
        assert_eq!(write_epochs(&[entry(0, 0), entry(5, 1234)]), text);
    }

    #[test]
    fn partition_metadata_is_kafkas() {
        let text = "version: 0\ntopic_id: g0Bh1ossQnqLMLUXHC_1hQ";
        let id = read_partition_metadata(text).unwrap();
        assert_eq!(write_partition_metadata(id), text);
        for bad in [
            "",
            "version: 1\ntopic_id: g0Bh1ossQnqLMLUXHC_1hQ",
            "version: 0\ntopic_id: x",
        ] {
            assert!(read_partition_metadata(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn clean_shutdown_is_kafkas() {
        assert_eq!(
            write_clean_shutdown(BrokerEpoch(13)),
            r#"{"version":0,"brokerEpoch":13}"#
        );
    }
}
