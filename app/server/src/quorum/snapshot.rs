//! Snapshots of the metadata log (KIP-630): files of ordinary batches, from a control batch that opens
//! them to one that closes them, so that a file without its end is never taken for a whole one.
//!
//! Which snapshot is due, and their names, is decided in `ottla-raft`; what an image is as records, in
//! `ottla-metadata`.

use std::io::{self, IoSlice};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_base::{Offset, WallMillis};
use ottla_env::{Disk, OpenMode};
use ottla_metadata::{MetadataDelta, MetadataImage, MetadataRecord, VersionedRecord};
use ottla_protocol::messages::{SnapshotFooterRecord, SnapshotHeaderRecord};
use ottla_protocol::{Reader, Writer};
use ottla_raft::VoterSet;
use ottla_raft::snapshot::{PART_SUFFIX, SnapshotId};
use ottla_records::codec::{Compressor, Decompressor};
use ottla_records::control::{ControlType, quorum_batch};
use ottla_records::{BatchBuilder, BatchView};

use super::batch_file::{for_each_batch, for_each_record};
use super::error::QuorumError;
use super::voters::{VoterHistory, kraft_version_body, voters_body};

/// Records in one batch of a snapshot; Kafka's number.
const RECORDS_PER_BATCH: i32 = 1024;
/// Bytes of a batch above which the next record goes into another.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Ending of a snapshot that Kafka is about to remove.
const DELETED_SUFFIX: &str = ".checkpoint.deleted";
/// What is added to the name of a damaged snapshot, which is kept for whoever wants to know why.
const DAMAGED_SUFFIX: &str = ".damaged";

/// The snapshots of a metadata directory.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotDir {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

/// What a snapshot says beside its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SnapshotTime(pub(crate) WallMillis);

/// A snapshot to write: the image up to its last record.
#[derive(Debug, Clone)]
pub(crate) struct NewSnapshot {
    pub(crate) id: SnapshotId,
    pub(crate) image: Arc<MetadataImage>,
    pub(crate) kraft_version: i16,
    pub(crate) voters: Option<VoterSet>,
    /// Time of the last record in it.
    pub(crate) last_timestamp: WallMillis,
    /// Time of the batches.
    pub(crate) now: WallMillis,
}

impl SnapshotDir {
    pub(crate) fn new(disk: &Arc<dyn Disk>, path: &Path) -> Self {
        Self {
            disk: Arc::clone(disk),
            path: path.to_owned(),
        }
    }

    /// Path of a snapshot.
    pub(crate) fn file(&self, id: SnapshotId) -> PathBuf {
        self.path.join(id.file_name())
    }

    /// The finished snapshots, oldest first. Removes what a crash left half written or half removed.
    pub(crate) fn list(&self) -> Result<Vec<SnapshotId>, QuorumError> {
        let entries = match self.disk.read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(QuorumError::io(&self.path))?,
        };
        let mut found = Vec::new();
        for entry in entries.iter().filter(|entry| !entry.is_dir) {
            if let Some(id) = SnapshotId::parse(&entry.name) {
                found.push(id);
            } else if entry.name.ends_with(PART_SUFFIX) || entry.name.ends_with(DELETED_SUFFIX) {
                let path = self.path.join(&entry.name);
                self.disk
                    .remove_file(&path)
                    .map_err(QuorumError::io(&path))?;
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Bytes of a snapshot.
    pub(crate) fn bytes(&self, id: SnapshotId) -> Result<u64, QuorumError> {
        let path = self.file(id);
        let stat = self.disk.stat(&path).map_err(QuorumError::io(&path))?;
        Ok(stat.len)
    }

    /// Removes a snapshot; the caller holds a newer one.
    pub(crate) fn remove(&self, id: SnapshotId) -> Result<(), QuorumError> {
        let path = self.file(id);
        self.disk.remove_file(&path).map_err(QuorumError::io(&path))
    }

    /// Gives a damaged snapshot a name under which nobody takes it for one; returns its path.
    pub(crate) fn put_aside(&self, id: SnapshotId) -> Result<PathBuf, QuorumError> {
        let path = self.file(id);
        let name = format!("{}{DAMAGED_SUFFIX}", id.file_name());
        let aside = self.path.join(name);
        self.disk
            .rename(&path, &aside)
            .map_err(QuorumError::io(&path))?;
        Ok(aside)
    }

    /// Takes the records of a snapshot into `delta` and its voters into `voters`.
    pub(crate) fn load(
        &self,
        id: SnapshotId,
        delta: &mut MetadataDelta,
        voters: &mut VoterHistory,
    ) -> Result<SnapshotTime, QuorumError> {
        // What a snapshot says of voters was so before its end.
        let before = Offset(id.end_offset.0 - 1);
        read(
            &*self.disk,
            &self.file(id),
            &mut |_, kind, body| voters.note(before, kind, body),
            &mut |offset, record| {
                delta
                    .apply(&record.record)
                    .map_err(|source| QuorumError::Replay { offset, source })
            },
        )
    }

    /// The records with which a new cluster begins: those of the snapshot `0-0`, or of the file
    /// `bootstrap.checkpoint` that Kafka wrote before 4.4; `None` if there is neither.
    pub(crate) fn bootstrap(
        &self,
        voters: &mut VoterHistory,
    ) -> Result<Option<Vec<VersionedRecord>>, QuorumError> {
        let mut candidates = vec![self.file(SnapshotId::BOOTSTRAP)];
        candidates.extend(
            self.path
                .parent()
                .map(|dir| dir.join("bootstrap.checkpoint")),
        );
        for path in candidates {
            match self.disk.stat(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                stat => stat.map_err(QuorumError::io(&path))?,
            };
            let mut records = Vec::new();
            read(
                &*self.disk,
                &path,
                &mut |_, kind, body| voters.note(Offset(-1), kind, body),
                &mut |_, record| {
                    records.push(record);
                    Ok(())
                },
            )?;
            return Ok(Some(records));
        }
        Ok(None)
    }

    /// Time of the last record that a snapshot holds.
    pub(crate) fn time(&self, id: SnapshotId) -> Result<SnapshotTime, QuorumError> {
        let path = self.file(id);
        let file = self
            .disk
            .open(&path, OpenMode::Read)
            .map_err(QuorumError::io(&path))?;
        let end = file.len().map_err(QuorumError::io(&path))?;
        // The header is the first record; the rest is not read.
        let mut time = None;
        let mut scratch = Decompressor::new();
        for_each_batch(&path, &*file, 0..end, &mut |batch| {
            for_each_record(batch, &mut scratch, &mut |(offset, key, value)| {
                let kind = control_kind(offset, key)?;
                if kind == ControlType::SnapshotHeader {
                    time = Some(header_time(offset, value)?);
                }
                Ok(())
            })?;
            Ok(ControlFlow::Break(()))
        })?;
        time.ok_or_else(|| headless(&path))
    }

    /// Writes a snapshot: durable under its name when this returns.
    pub(crate) fn write(&self, snapshot: &NewSnapshot) -> Result<(), QuorumError> {
        let path = self.file(snapshot.id);
        let part = self.path.join(format!("{}.part", snapshot.id.file_name()));
        let file = self
            .disk
            .open(&part, OpenMode::Create)
            .map_err(QuorumError::io(&part))?;
        file.set_len(0).map_err(QuorumError::io(&part))?;
        let mut position = 0;
        encode(snapshot, &mut |bytes| {
            file.write_all_at(&[IoSlice::new(bytes)], position)
                .map_err(QuorumError::io(&part))?;
            position += u64::try_from(bytes.len()).expect("a length fits 64 bits");
            Ok(())
        })?;
        file.sync().map_err(QuorumError::io(&part))?;
        self.disk
            .rename(&part, &path)
            .map_err(QuorumError::io(&path))?;
        self.disk
            .sync_dir(&self.path)
            .map_err(QuorumError::io(&self.path))
    }
}

fn headless(path: &Path) -> QuorumError {
    QuorumError::Corrupt {
        path: path.to_owned(),
        position: 0,
        reason: "a snapshot does not begin with its header".to_owned(),
    }
}

fn control_kind(offset: Offset, key: Option<&[u8]>) -> Result<ControlType, QuorumError> {
    ControlType::from_key(key).map_err(|error| QuorumError::BadControlRecord {
        offset,
        reason: error.to_string(),
    })
}

fn header_time(offset: Offset, value: Option<&[u8]>) -> Result<SnapshotTime, QuorumError> {
    let mut reader = Reader::new(value.unwrap_or_default());
    let header = SnapshotHeaderRecord::decode(&mut reader, 0);
    let header = header.map_err(|error| QuorumError::BadControlRecord {
        offset,
        reason: error.to_string(),
    })?;
    Ok(SnapshotTime(WallMillis(
        header.last_contained_log_timestamp,
    )))
}

/// Takes a control record: offset, kind, body.
type OnControl<'a> = dyn FnMut(Offset, ControlType, &[u8]) -> Result<(), QuorumError> + 'a;

/// Reads a snapshot whole: control records to `control`, metadata records to `record`.
fn read(
    disk: &dyn Disk,
    path: &Path,
    control: &mut OnControl<'_>,
    record: &mut dyn FnMut(Offset, VersionedRecord) -> Result<(), QuorumError>,
) -> Result<SnapshotTime, QuorumError> {
    let file = disk
        .open(path, OpenMode::Read)
        .map_err(QuorumError::io(path))?;
    let end = file.len().map_err(QuorumError::io(path))?;
    let mut scratch = Decompressor::new();
    let mut time = None;
    let mut is_closed = false;
    for_each_batch(path, &*file, 0..end, &mut |batch: &BatchView<'_>| {
        for_each_record(batch, &mut scratch, &mut |(offset, key, value)| {
            if !batch.is_control() {
                return record(offset, decode(offset, value)?);
            }
            match control_kind(offset, key)? {
                ControlType::SnapshotHeader => time = Some(header_time(offset, value)?),
                ControlType::SnapshotFooter => is_closed = true,
                kind => control(offset, kind, value.unwrap_or_default())?,
            }
            Ok(())
        })?;
        Ok(ControlFlow::Continue(()))
    })?;
    match time {
        Some(time) if is_closed => Ok(time),
        Some(_) => Err(QuorumError::Corrupt {
            path: path.to_owned(),
            position: end,
            reason: "a snapshot does not end with its footer".to_owned(),
        }),
        None => Err(headless(path)),
    }
}

/// The metadata record that the value of a record holds.
pub(crate) fn decode(offset: Offset, value: Option<&[u8]>) -> Result<VersionedRecord, QuorumError> {
    MetadataRecord::decode_framed(value.unwrap_or_default())
        .map_err(|source| QuorumError::BadRecord { offset, source })
}

/// Hands the bytes of a snapshot to `sink`, piece by piece.
fn encode(
    snapshot: &NewSnapshot,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), QuorumError>,
) -> Result<(), QuorumError> {
    let NewSnapshot { id, now, .. } = snapshot;
    let mut compressor = Compressor::new();
    let mut bytes = Vec::new();
    let mut put = |batch: &BatchBuilder| {
        bytes.clear();
        batch.build_into(&mut compressor, &mut bytes)?;
        sink(&bytes)
    };
    let opening = quorum_batch(Offset::ZERO, id.epoch, *now, &borrowed(&opening(snapshot)?))?;
    put(&opening)?;
    let mut next = opening.next_offset();
    let mut batch = BatchBuilder::new(next).leader_epoch(id.epoch);
    let mut value = Vec::new();
    let mut failure = None;
    snapshot.image.write(&mut |record| {
        if failure.is_some() {
            return;
        }
        value.clear();
        let mut add = || {
            record.encode_framed(&mut value)?;
            let size = batch.uncompressed_size() + value.len();
            if batch.record_count() >= RECORDS_PER_BATCH
                || (size > BATCH_BYTES_MAX && !batch.is_empty())
            {
                put(&batch)?;
                batch = BatchBuilder::new(batch.next_offset()).leader_epoch(id.epoch);
            }
            batch.append(*now, None, Some(&value))?;
            Ok(())
        };
        failure = add().err();
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    if !batch.is_empty() {
        put(&batch)?;
        next = batch.next_offset();
    }
    let mut footer = Writer::default();
    SnapshotFooterRecord::default().encode(&mut footer, 0)?;
    put(&quorum_batch(
        next,
        id.epoch,
        *now,
        &[(ControlType::SnapshotFooter, &footer.buf)],
    )?)
}

type Control = (ControlType, Vec<u8>);

fn borrowed(records: &[Control]) -> Vec<(ControlType, &[u8])> {
    records
        .iter()
        .map(|(kind, body)| (*kind, body.as_slice()))
        .collect()
}

/// The control records at the start: header, and from kraft.version 1 on the voters.
fn opening(snapshot: &NewSnapshot) -> Result<Vec<Control>, QuorumError> {
    let header = SnapshotHeaderRecord {
        last_contained_log_timestamp: snapshot.last_timestamp.0,
        ..SnapshotHeaderRecord::default()
    };
    let mut writer = Writer::default();
    header.encode(&mut writer, 0)?;
    let mut records = vec![(ControlType::SnapshotHeader, writer.buf)];
    if snapshot.kraft_version > 0 {
        let body = kraft_version_body(snapshot.kraft_version)?;
        records.push((ControlType::KRaftVersion, body));
        if let Some(voters) = &snapshot.voters {
            records.push((ControlType::KRaftVoters, voters_body(voters)?));
        }
    }
    Ok(records)
}

/// A snapshot as retention sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) bytes: u64,
    pub(crate) time: WallMillis,
}

/// Whether the oldest of `snapshots` may go, with what the log holds before the next one: Kafka's rules
/// `metadata.max.retention.ms` and `metadata.max.retention.bytes`, negative for no limit. The newest
/// always stays.
pub(crate) fn oldest_may_go(
    snapshots: &[Kept],
    log_bytes: u64,
    now: WallMillis,
    retention_ms: i64,
    retention_bytes: i64,
) -> bool {
    let [oldest, _, ..] = snapshots else {
        return false;
    };
    let too_old = retention_ms >= 0 && now.0.saturating_sub(oldest.time.0) > retention_ms;
    let total = snapshots
        .iter()
        .fold(log_bytes, |sum, kept| sum.saturating_add(kept.bytes));
    let too_large = u64::try_from(retention_bytes).is_ok_and(|limit| total > limit);
    too_old || too_large
}

#[cfg(test)]
mod tests;
