//! The producers of a log on disk: snapshots, and what the batches behind a snapshot say.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;

use ottla_base::{Offset, ProducerEpoch, ProducerId};
use ottla_disk::read_small;
use ottla_env::OpenMode;
use ottla_log::entry::EntryHeader;
use ottla_log::names::{SNAPSHOT, segment_file};
use ottla_log::producer_snapshot::{self, SNAPSHOT_BYTES_MAX};
use ottla_log::producer_state::{BATCHES_KEPT, BatchSpan, CompletedTxn, ProducerStates};
use ottla_log::recovery::usable_snapshots;
use ottla_records::control::EndTxnMarker;
use ottla_records::{BatchHeader, HEADER_SIZE, Records};
use tracing::warn;

use super::scan::{Scan, Step};
use super::segment::{mark_deleted, remove_if_there};
use super::{Log, StorageError};

/// Bytes appended after which a snapshot is due even within a segment, so that a start reads no more than this.
const SNAPSHOT_EVERY_BYTES: u64 = 32 << 20;

/// Bytes before a snapshot that are looked through for batches that a client may repeat.
const RECALL_BYTES: u32 = 256 << 10;

/// What the record of a control batch says; `None` for other batches, and for control records of other kinds.
pub(super) fn marker_of(header: &BatchHeader, payload: &[u8]) -> Option<EndTxnMarker> {
    if !header.attributes.is_control() || header.attributes.codec_id() != 0 {
        return None;
    }
    let record = Records::new(header, payload).ok()?.next()?.ok()?;
    EndTxnMarker::decode(record.key, record.value)
        .ok()
        .flatten()
}

impl Log {
    /// Reads the producers as they were at `upto`: the newest usable snapshot and the batches behind it.
    pub(super) fn load_producers(&mut self, upto: Offset) -> Result<(), StorageError> {
        self.producers.clear();
        self.bytes_since_snapshot = 0;
        let mut from = self.first_segment();
        let usable = usable_snapshots(&self.snapshots, from, upto).to_vec();
        for at in usable.into_iter().rev() {
            if let Some(states) = self.read_snapshot(at)? {
                self.producers = states;
                self.recall_batches(at)?;
                from = at;
                break;
            }
            self.snapshots.retain(|one| *one != at);
        }
        self.replay_producers(from, upto)
    }

    /// Tells the producers of a snapshot at `at` of their batches before it: a snapshot holds one of each, and a client
    /// may repeat any that it had in flight.
    fn recall_batches(&mut self, at: Offset) -> Result<(), StorageError> {
        let before = Offset(at.0.saturating_sub(1));
        let Some(segment) = self
            .segment_at(before)
            .and_then(|number| self.segments.get(number))
        else {
            return Ok(());
        };
        if self.producers.is_empty() || segment.size == 0 {
            return Ok(());
        }
        let Some(last) = segment.find(before, None)? else {
            return Ok(());
        };
        let begin = segment.boundary(last.position.saturating_sub(RECALL_BYTES))?;
        let end = u64::from(last.position) + u64::from(last.entry.size());
        let mut recent: BTreeMap<(ProducerId, ProducerEpoch), VecDeque<BatchSpan>> =
            BTreeMap::new();
        let file = segment.file()?;
        let mut buffer = Scan::bulk_buffer(end - u64::from(begin));
        let mut scan = Scan::new(&*file, segment.path(), begin.into(), end, &mut buffer);
        // What cannot be read is found by whoever has to read it.
        while let Step::Entry(entry) = scan.peek()? {
            if let EntryHeader::Batch(header) = &entry
                && header.producer_id.0 >= 0
                && !header.attributes.is_control()
            {
                let spans = recent
                    .entry((header.producer_id, header.producer_epoch))
                    .or_default();
                if spans.len() == BATCHES_KEPT {
                    spans.pop_front();
                }
                spans.push_back(BatchSpan::of(header));
            }
            scan.skip(&entry);
        }
        for ((id, epoch), mut spans) in recent {
            self.producers.recall(id, epoch, spans.make_contiguous());
        }
        Ok(())
    }

    fn read_snapshot(&self, at: Offset) -> Result<Option<ProducerStates>, StorageError> {
        let path = self.path.join(segment_file(at, SNAPSHOT));
        let bytes = match read_small(&*self.env.disk, &path, SNAPSHOT_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Vec::new(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StorageError::io("reading producers", &path, error)),
        };
        match producer_snapshot::read(&bytes) {
            Ok(states) => Ok(Some(states)),
            Err(error) => {
                // A power cut leaves this of a snapshot that was not flushed. An older one and the batches do.
                warn!(path = %path.display(), %error, "producer snapshot is removed");
                remove_if_there(&*self.env.disk, &path)?;
                Ok(None)
            }
        }
    }

    /// Tells the producers of the batches in `[from, upto)`.
    fn replay_producers(&mut self, from: Offset, upto: Offset) -> Result<(), StorageError> {
        if from >= upto {
            return Ok(());
        }
        let first = self.segment_at(from).unwrap_or(0);
        for at in first..self.segments.len() {
            let Some(segment) = self.segments.get(at) else {
                break;
            };
            if segment.base >= upto {
                break;
            }
            let position = match segment.find(from, self.known(at))? {
                Some(placed) => placed.position,
                None => continue,
            };
            let file = segment.file()?;
            let end = u64::from(segment.size);
            let mut buffer = Scan::bulk_buffer(end - u64::from(position));
            let mut spill = Vec::new();
            let mut scan = Scan::new(&*file, segment.path(), position.into(), end, &mut buffer);
            loop {
                let position = scan.position;
                match scan.peek()? {
                    Step::End => break,
                    Step::Broken(_) => return Err(segment.corrupt(position)),
                    Step::Entry(entry) if entry.first_offset() >= upto => return Ok(()),
                    Step::Entry(entry) => {
                        if let EntryHeader::Batch(header) = &entry {
                            let marker = if header.attributes.is_control() {
                                let bytes = scan.bytes(&entry, &mut spill)?;
                                marker_of(header, bytes.get(HEADER_SIZE..).unwrap_or_default())
                            } else {
                                None
                            };
                            self.producers.apply(header, marker.as_ref());
                        }
                        self.bytes_since_snapshot += u64::from(entry.size());
                        scan.skip(&entry);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes note of a batch that is in the log. Returns the transaction that it ended.
    pub(super) fn note_producer(
        &mut self,
        header: &BatchHeader,
        marker: Option<&EndTxnMarker>,
    ) -> Option<CompletedTxn> {
        if marker.is_some() {
            self.forget_ended_transactions();
        }
        self.producers.apply(header, marker)
    }

    /// Forgets ended transactions whose markers every reader may see.
    pub(super) fn forget_ended_transactions(&mut self) {
        let seen = Offset(*self.seen_high_watermark.get_mut());
        if seen > self.pruned_upto {
            self.pruned_upto = seen;
            self.producers.on_high_watermark(seen);
        }
    }

    /// The log was cut: the high watermark may be lower than it was.
    pub(super) fn forget_high_watermark(&mut self) {
        *self.seen_high_watermark.get_mut() = 0;
        self.pruned_upto = Offset::ZERO;
    }

    /// Writes the producers as they are at the log end, under the name of `at`: the log end, or what will be the
    /// base offset of the next segment.
    pub(super) fn write_snapshot(&mut self, at: Offset) -> Result<(), StorageError> {
        let path = self.path.join(segment_file(at, SNAPSHOT));
        let failed = |error| StorageError::io("writing producers", &path, error);
        let bytes = producer_snapshot::write(&self.producers);
        let file = self
            .env
            .disk
            .open(&path, OpenMode::Create)
            .map_err(failed)?;
        file.set_len(0).map_err(failed)?;
        file.write_all_at(&[IoSlice::new(&bytes)], 0)
            .map_err(failed)?;
        self.unflushed.note_name();
        self.bytes_since_snapshot = 0;
        if self.snapshots.last() != Some(&at) {
            self.drop_stray_snapshots()?;
            self.snapshots.push(at);
        }
        Ok(())
    }

    /// Takes a snapshot if many bytes were appended since the last one.
    pub(super) fn snapshot_if_due(&mut self) -> Result<(), StorageError> {
        if self.bytes_since_snapshot < SNAPSHOT_EVERY_BYTES {
            return Ok(());
        }
        match self.write_snapshot(self.end) {
            Err(error) if error.is_full() => Ok(()),
            result => result,
        }
    }

    /// Removes the snapshots that stand at no segment's begin, as Kafka does: they are superseded.
    fn drop_stray_snapshots(&mut self) -> Result<(), StorageError> {
        let is_base = |at: &Offset| self.segments.binary_search_by_key(at, |s| s.base).is_ok();
        let strays: Vec<_> = self
            .snapshots
            .iter()
            .filter(|at| !is_base(at))
            .copied()
            .collect();
        for at in strays {
            remove_if_there(&*self.env.disk, &self.path.join(segment_file(at, SNAPSHOT)))?;
            self.snapshots.retain(|one| *one != at);
        }
        Ok(())
    }

    /// Removes the snapshots behind `end`, which is where the log is cut.
    pub(super) fn drop_snapshots_behind(&mut self, end: Offset) -> Result<(), StorageError> {
        while let Some(at) = self.snapshots.last().copied().filter(|at| *at > end) {
            remove_if_there(&*self.env.disk, &self.path.join(segment_file(at, SNAPSHOT)))?;
            self.snapshots.pop();
        }
        Ok(())
    }

    /// Gives the snapshots below `start` the suffix `.deleted`; returns their new paths.
    pub(super) fn mark_snapshots_deleted(
        &mut self,
        start: Offset,
    ) -> Result<Vec<std::path::PathBuf>, StorageError> {
        let mut paths = Vec::new();
        while let Some(at) = self.snapshots.first().copied().filter(|at| *at < start) {
            let path = self.path.join(segment_file(at, SNAPSHOT));
            paths.extend(mark_deleted(&*self.env.disk, &path)?);
            self.snapshots.remove(0);
        }
        Ok(paths)
    }
}
