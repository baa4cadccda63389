//! Ottla writes every kind of file below `log.dirs` as Apache Kafka does: what Apache Kafka wrote is read, and written
//! again byte for byte.
//!
//! Segments and their indexes are held against Apache Kafka's in `app/storage/tests/it/kafka.rs`, where they are made from
//! the same appends; batches of all formats in `wire/records/tests/golden`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ottla_base::{BrokerEpoch, NodeId};
use ottla_config::{MetaProperties, parse_properties, write_properties};
use ottla_log::offset_index::OffsetEntry;
use ottla_log::time_index::TimeEntry;
use ottla_log::txn_index::AbortedTxn;
use ottla_log::{checkpoint_file, producer_snapshot};
use ottla_metadata::MetadataRecord;
use ottla_raft::ElectionState;
use ottla_records::codec::{Compressor, Decompressor};
use ottla_records::control::{ControlType, quorum_batch};
use ottla_records::{BatchBuilder, BatchView, Batches};

use crate::handover::unpack;

/// The entries of an index, written again.
fn entries<const N: usize>(
    bytes: &[u8],
    again: impl Fn(&[u8; N]) -> Option<[u8; N]>,
) -> Result<Vec<u8>> {
    let (entries, rest) = bytes.as_chunks::<N>();
    ensure!(rest.is_empty(), "half an entry");
    let entries: Option<Vec<[u8; N]>> = entries.iter().map(again).collect();
    Ok(entries.context("an entry that is none")?.concat())
}

/// Lines of a checkpoint in order: Apache Kafka writes them as its hash map has them.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Checks a file whose lines may be in any order.
fn same_lines(bytes: &[u8], again: &str) -> Result<()> {
    let text = std::str::from_utf8(bytes)?;
    assert_eq!(sorted(text), sorted(again));
    assert_eq!(
        text.lines().take(2).collect::<Vec<_>>(),
        again.lines().take(2).collect::<Vec<_>>()
    );
    Ok(())
}

/// A batch of the metadata log or of a snapshot, written again from what its records say.
fn metadata_batch(batch: &BatchView<'_>) -> Result<Vec<u8>> {
    let (base, epoch) = (batch.base_offset(), batch.partition_leader_epoch());
    let time = batch.base_timestamp();
    let mut scratch = Decompressor::new();
    let mut control: Vec<(ControlType, Vec<u8>)> = Vec::new();
    let mut data = BatchBuilder::new(base).leader_epoch(epoch);
    for record in batch.records(&mut scratch)? {
        let record = record?;
        let value = record.value.unwrap_or_default();
        if batch.is_control() {
            control.push((ControlType::from_key(record.key)?, value.to_vec()));
            continue;
        }
        let mut again = Vec::new();
        MetadataRecord::decode_framed(value)?.encode_framed(&mut again)?;
        data.append(time, None, Some(&again))?;
    }
    if batch.is_control() {
        let borrowed: Vec<(ControlType, &[u8])> = control
            .iter()
            .map(|(kind, body)| (*kind, body.as_slice()))
            .collect();
        data = quorum_batch(base, epoch, time, &borrowed)?;
    }
    Ok(data.build(&mut Compressor::new())?)
}

/// What a snapshot of producers says: an entry for each, then version and count. Apache Kafka writes them as its hash map has
/// them, and the checksum covers the order.
fn producers(bytes: &[u8]) -> Result<Vec<&[u8]>> {
    const ENTRY_BYTES: usize = 46;
    let (version, rest) = bytes.split_at_checked(2).context("a version")?;
    let (_checksum, rest) = rest.split_at_checked(4).context("a checksum")?;
    let (count, rest) = rest.split_at_checked(4).context("a count")?;
    let mut entries: Vec<&[u8]> = rest.chunks(ENTRY_BYTES).collect();
    entries.sort_unstable();
    entries.extend([version, count]);
    Ok(entries)
}

/// Checks an index or the state of the producers of a partition; gives its kind, or `None` if it is something else.
fn check_binary(extension: &str, bytes: &[u8]) -> Result<Option<&'static str>> {
    let (again, kind) = match extension {
        "index" => {
            let again = |entry: &_| Some(OffsetEntry::from_bytes(entry).to_bytes());
            (entries(bytes, again)?, ".index")
        }
        "timeindex" => {
            let again = |entry: &_| Some(TimeEntry::from_bytes(entry).to_bytes());
            (entries(bytes, again)?, ".timeindex")
        }
        "txnindex" => {
            let again = |entry: &_| Some(AbortedTxn::from_bytes(entry)?.to_bytes());
            (entries(bytes, again)?, ".txnindex")
        }
        "snapshot" => {
            let again = producer_snapshot::write(&producer_snapshot::read(bytes)?);
            assert_eq!(producers(&again)?, producers(bytes)?);
            return Ok(Some(".snapshot"));
        }
        _ => return Ok(None),
    };
    assert_eq!(again, bytes);
    Ok(Some(kind))
}

/// Checks a file of text; gives its kind, or `None` if it is something else.
fn check_text(name: &str, bytes: &[u8]) -> Result<Option<&'static str>> {
    let text = || std::str::from_utf8(bytes);
    let (again, kind) = match name {
        "leader-epoch-checkpoint" => {
            let epochs = checkpoint_file::read_epochs(text()?)?;
            (
                checkpoint_file::write_epochs(&epochs),
                "leader-epoch-checkpoint",
            )
        }
        "partition.metadata" => {
            let id = checkpoint_file::read_partition_metadata(text()?)?;
            (
                checkpoint_file::write_partition_metadata(id),
                "partition.metadata",
            )
        }
        ".kafka_cleanshutdown" => {
            let json: serde_json::Value = serde_json::from_slice(bytes)?;
            let epoch = BrokerEpoch(json["brokerEpoch"].as_i64().context("an epoch")?);
            (
                checkpoint_file::write_clean_shutdown(epoch),
                ".kafka_cleanshutdown",
            )
        }
        "quorum-state" => {
            let state = ElectionState::parse(text()?)?;
            (state.format(1, &[NodeId(1)]), "quorum-state")
        }
        "meta.properties" => {
            let date = text()?
                .lines()
                .nth(1)
                .and_then(|line| line.strip_prefix('#'));
            let properties = MetaProperties::from_properties(&parse_properties(bytes)?)?;
            let date = date.context("a date")?;
            let again = write_properties(Some(""), date, &properties.to_properties());
            same_lines(bytes, &again)?;
            return Ok(Some("meta.properties"));
        }
        name if name.ends_with("-checkpoint") => {
            let read = checkpoint_file::read_offsets(text()?)?;
            same_lines(bytes, &checkpoint_file::write_offsets(read.into_iter()))?;
            return Ok(Some("offset checkpoints"));
        }
        _ => return Ok(None),
    };
    assert_eq!(again.as_bytes(), bytes);
    Ok(Some(kind))
}

/// Checks a file of the metadata log.
fn check_metadata(bytes: &[u8]) -> Result<()> {
    let mut end = 0;
    for batch in Batches::new(bytes) {
        let base = batch.base_offset();
        assert_eq!(metadata_batch(&batch)?, batch.bytes(), "offset {base}");
        end += batch.size_in_bytes();
    }
    ensure!(end == bytes.len(), "no batch at {end}");
    Ok(())
}

/// Checks one file; gives its kind, or `None` if nothing but batches of clients stands in it.
fn check(path: &Path) -> Result<Option<&'static str>> {
    let bytes = fs::read(path)?;
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .context("a name")?;
    // What is about to be removed is of the kind that it was.
    let name = name.trim_end_matches(".deleted");
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if let Some(kind) = check_binary(extension, &bytes)? {
        return Ok(Some(kind));
    }
    if let Some(kind) = check_text(name, &bytes)? {
        return Ok(Some(kind));
    }
    let folder = path
        .parent()
        .and_then(Path::file_name)
        .context("a folder")?;
    match (folder == "__cluster_metadata-0", extension) {
        (true, "log") => check_metadata(&bytes).map(|()| Some("metadata log")),
        (true, "checkpoint") => check_metadata(&bytes).map(|()| Some("metadata snapshot")),
        (false, "log") => Ok(None),
        _ => anyhow::bail!("a kind of file that nobody knows"),
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files(&entry.path(), found)?;
        } else if entry.file_name() != ".lock" {
            found.push(entry.path());
        }
    }
    Ok(())
}

#[test]
fn every_kind_of_file_is_written_as_apache_kafka_wrote_it() -> Result<()> {
    let dir = tempfile::tempdir()?;
    unpack("kafka-4.4.0-clean.tar.gz", dir.path())?;
    let mut found = Vec::new();
    files(&dir.path().join("data"), &mut found)?;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for path in &found {
        let context = || path.display().to_string();
        if let Some(kind) = check(path).with_context(context)? {
            *kinds.entry(kind).or_default() += 1;
        }
    }
    let expected = [
        ".index",
        ".kafka_cleanshutdown",
        ".snapshot",
        ".timeindex",
        ".txnindex",
        "leader-epoch-checkpoint",
        "meta.properties",
        "metadata log",
        "metadata snapshot",
        "offset checkpoints",
        "partition.metadata",
        "quorum-state",
    ];
    assert_eq!(kinds.keys().copied().collect::<Vec<_>>(), expected);
    assert_eq!(kinds["offset checkpoints"], 4);
    Ok(())
}
