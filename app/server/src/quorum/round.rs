//! The records of one round of the quorum thread: many requests, few batches, one flush.

use ottla_base::{LeaderEpoch, Offset, WallMillis};
use ottla_controller::TopicRefusal;
use ottla_metadata::{RecordError, VersionedRecord};
use ottla_records::BatchBuilder;

use super::error::QuorumError;
use super::handle::{DecideError, Decided};
use super::metadata_log::{BATCH_BYTES_MAX, MetadataLog};

/// Most bytes that the format puts around the value of one record.
const RECORD_OVERHEAD_MAX: usize = 32;

/// Most records in a batch, unless they must stand together; Kafka's number.
const RECORDS_PER_BATCH_MAX: i32 = 10_000;

/// Records above which no more requests are taken into a round, so that the first ones are not kept
/// waiting.
pub(crate) const RECORDS_PER_ROUND_MAX: usize = 10_000;

/// A batch in the making, at the end of the log.
pub(crate) struct Round {
    epoch: LeaderEpoch,
    now: WallMillis,
    batch: BatchBuilder,
    records: usize,
}

/// Why a decision cannot be appended. Nothing of it was.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It is larger than a batch may be.
    TooLarge,
    /// A record holds what the format cannot express.
    NotEncodable(RecordError),
}

impl From<Unfit> for DecideError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::TooLarge => Self::Refused(TopicRefusal::BatchTooLarge.into()),
            Unfit::NotEncodable(error) => Self::NotEncodable(error.to_string()),
        }
    }
}

/// Values of records, encoded.
pub(crate) struct Encoded {
    values: Vec<Vec<u8>>,
    atomic: bool,
}

impl Encoded {
    /// Encodes what was decided, or finds that no batch can hold it.
    pub(crate) fn new(decided: &Decided) -> Result<Self, Unfit> {
        let encode = |record: &VersionedRecord| {
            let mut value = Vec::new();
            let encoded = record.encode_framed(&mut value);
            encoded.map(|()| value).map_err(Unfit::NotEncodable)
        };
        let values: Vec<Vec<u8>> = decided
            .records
            .iter()
            .map(encode)
            .collect::<Result<_, _>>()?;
        let atomic = decided.atomic;
        let encoded = Self { values, atomic };
        let largest = encoded.values.iter().map(|value| size(value)).max();
        let needed = if atomic {
            encoded.bytes()
        } else {
            largest.unwrap_or(0)
        };
        let empty = BatchBuilder::new(Offset::ZERO).uncompressed_size();
        if needed + empty > BATCH_BYTES_MAX {
            return Err(Unfit::TooLarge);
        }
        Ok(encoded)
    }

    fn bytes(&self) -> usize {
        self.values.iter().map(|value| size(value)).sum()
    }
}

fn size(value: &[u8]) -> usize {
    value.len() + RECORD_OVERHEAD_MAX
}

impl Round {
    pub(crate) fn new(log: &MetadataLog, epoch: LeaderEpoch, now: WallMillis) -> Self {
        Self {
            epoch,
            now,
            batch: log.batch(epoch),
            records: 0,
        }
    }

    /// Time of the records.
    pub(crate) fn now(&self) -> WallMillis {
        self.now
    }

    /// A round that is empty begins now.
    pub(crate) fn begin(&mut self, now: WallMillis) {
        if self.batch.is_empty() {
            self.now = now;
        }
    }

    /// Offset that the next record gets.
    pub(crate) fn next_offset(&self) -> Offset {
        self.batch.next_offset()
    }

    /// Whether the round takes no more requests.
    pub(crate) fn is_full(&self) -> bool {
        self.records >= RECORDS_PER_ROUND_MAX
    }

    /// Puts the records in, appending to the log whenever a batch is full; `each` gets the offset and the
    /// size of every one.
    pub(crate) fn add(
        &mut self,
        log: &mut MetadataLog,
        encoded: &Encoded,
        each: &mut dyn FnMut(usize, Offset, u64) -> Result<(), QuorumError>,
    ) -> Result<(), QuorumError> {
        if encoded.atomic && !self.has_room(encoded.bytes()) {
            self.append(log)?;
        }
        for (index, value) in encoded.values.iter().enumerate() {
            let is_full = !encoded.atomic && self.batch.record_count() >= RECORDS_PER_BATCH_MAX;
            if is_full || !self.has_room(size(value)) {
                self.append(log)?;
            }
            let offset = self.batch.append(self.now, None, Some(value))?;
            self.records += 1;
            each(
                index,
                offset,
                u64::try_from(value.len()).unwrap_or(u64::MAX),
            )?;
        }
        Ok(())
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.batch.is_empty() || self.batch.uncompressed_size() + bytes <= BATCH_BYTES_MAX
    }

    /// Appends what is not appended yet.
    pub(crate) fn append(&mut self, log: &mut MetadataLog) -> Result<(), QuorumError> {
        if !self.batch.is_empty() {
            log.append(&self.batch, self.epoch, self.now)?;
        }
        self.batch = log.batch(self.epoch);
        Ok(())
    }
}
