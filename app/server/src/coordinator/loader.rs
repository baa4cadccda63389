//! Reads a shard's groups back from its log.

use std::collections::BTreeMap;

use ottla_base::Offset;
use ottla_group::GroupCoordinator;
use ottla_records::codec::Decompressor;
use ottla_records::control::ControlType;
use ottla_records::{BatchView, Batches, Stop};

use super::Shard;

/// How far a shard has read its log.
pub(super) struct Loading {
    machine: GroupCoordinator,
    next: Offset,
    /// End of the log when this node was elected: nothing else is appended until it is read.
    end: Offset,
    scratch: Decompressor,
    /// How many records of types that are not known were left alone.
    unknown: BTreeMap<i16, u64>,
}

impl Loading {
    pub(super) fn new(start: Offset, end: Offset, machine: GroupCoordinator) -> Self {
        Self {
            machine,
            next: start,
            end,
            scratch: Decompressor::new(),
            unknown: BTreeMap::new(),
        }
    }
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("batches end early at offset {0}")]
    Cut(Offset),
    #[error("batch at offset {at} is not valid")]
    Batch {
        at: Offset,
        #[source]
        source: ottla_records::BatchError,
    },
    #[error("a record near offset {at} is not valid")]
    Record {
        at: Offset,
        #[source]
        source: ottla_records::RecordError,
    },
    #[error("record at offset {at} is not one of groups")]
    Group {
        at: Offset,
        #[source]
        source: ottla_group::RecordError,
    },
}

impl Shard {
    /// Reads the next piece of the log, of `offsets.load.buffer.size`. At the end the shard becomes
    /// active; if records are not committed yet, it goes on when they are.
    pub(super) fn load_step(&self) {
        let mut slot = self.loading.lock();
        let Some(loading) = &mut *slot else {
            return;
        };
        if !self.is_loading() {
            *slot = None; // It resigned.
            return;
        }
        let buffer = u32::try_from(self.env.settings.offsets_load_buffer_size).unwrap_or(u32::MAX);
        match self.partition.read_committed_bytes(loading.next, buffer) {
            Ok(Some(bytes)) => {
                if let Err(error) = loading.take(&bytes) {
                    // As in Kafka the groups of this partition are out of service then: to go on without
                    // the record would lose what it says for good.
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(
                        partition = self.partition.index,
                        %error,
                        source,
                        "group coordinator cannot read its log"
                    );
                    *slot = None;
                    drop(slot);
                    self.close();
                    return;
                }
            }
            Ok(None) if loading.next < loading.end => {
                if !self.partition.wait_committed(loading.end, &self.wake) {
                    return; // It wakes this shard.
                }
                if self.partition.high_watermark().is_none() {
                    return; // It resigns.
                }
            }
            Ok(None) => {}
            Err(refusal) => {
                tracing::warn!(
                    partition = self.partition.index,
                    %refusal,
                    "group coordinator cannot read its log and gives up"
                );
                *slot = None;
                drop(slot);
                self.close();
                return;
            }
        }
        if loading.next < loading.end {
            self.env.keeper.load_by_index(self.partition.index);
            return;
        }
        let loaded = slot.take();
        drop(slot);
        if let Some(loaded) = loaded {
            for (key_type, count) in &loaded.unknown {
                tracing::warn!(
                    partition = self.partition.index,
                    key_type,
                    count,
                    "records of an unknown type among those of groups are left alone"
                );
            }
            self.activate(loaded.machine);
        }
    }
}

impl Loading {
    fn take(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        let mut batches = Batches::new(bytes);
        let before = self.next;
        for batch in &mut batches {
            self.take_batch(&batch)?;
            self.next = self.next.max(batch.next_offset());
        }
        if let Some(Stop::Malformed(source)) = batches.stop() {
            let at = self.next;
            return Err(LoadError::Batch { at, source });
        }
        if self.next > before {
            Ok(())
        } else {
            Err(LoadError::Cut(before))
        }
    }

    fn take_batch(&mut self, batch: &BatchView<'_>) -> Result<(), LoadError> {
        let at = batch.base_offset();
        batch
            .verify_crc()
            .map_err(|source| LoadError::Batch { at, source })?;
        let producer = batch.is_transactional().then(|| batch.producer_id());
        let records = batch
            .records(&mut self.scratch)
            .map_err(|source| LoadError::Record { at, source })?;
        for record in records {
            let record = record.map_err(|source| LoadError::Record { at, source })?;
            if record.offset < self.next {
                continue; // The batch holds what was asked for, and something before it.
            }
            if batch.is_control() {
                let kind = ControlType::from_key(record.key);
                if matches!(kind, Ok(ControlType::Commit | ControlType::Abort)) {
                    let committed = kind == Ok(ControlType::Commit);
                    self.machine
                        .replay_end_of_transaction(batch.producer_id(), committed);
                }
                continue;
            }
            let unknown = self
                .machine
                .load(record.offset, producer, record.key, record.value)
                .map_err(|source| LoadError::Group {
                    at: record.offset,
                    source,
                })?;
            if let Some(key_type) = unknown {
                *self.unknown.entry(key_type).or_default() += 1;
            }
        }
        Ok(())
    }
}
