//! Builds batches v2: for the logs that the broker itself writes, for recompression, for tests and load generators.

use crate::codec::{Compression, Compressor, Levels};
use crate::header::{Attributes, BatchHeader, HEADER_SIZE, NO_TIMESTAMP, TimestampType};
use crate::record::{RecordHeader, put_record};
use ottla_base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};

/// The batch cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A record or the batch is larger than the format's 32-bit lengths.
    #[error("batch is larger than its length fields can say")]
    TooLarge,
    /// An offset lies before the previous record's, or too far from the base offset.
    #[error("offset does not follow the batch's last offset={offset}")]
    Offset {
        /// The offset refused.
        offset: i64,
    },
    /// The codec refused the records.
    #[error(transparent)]
    Compress(#[from] crate::codec::CompressError),
}

/// A batch v2 in the making. Records are appended in offset order; the first one's timestamp becomes the base timestamp.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    attributes: Attributes,
    levels: Levels,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: Sequence,
    append_time: Option<WallMillis>,
    base_timestamp: Option<WallMillis>,
    max_timestamp: WallMillis,
    last_offset_delta: Option<i32>,
    count: i32,
    plain: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch whose first record gets `base_offset`; uncompressed, create time, no producer, leader epoch unknown.
    #[must_use]
    pub fn new(base_offset: Offset) -> Self {
        Self {
            base_offset,
            leader_epoch: LeaderEpoch::UNKNOWN,
            attributes: Attributes(0),
            levels: Levels::default(),
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            append_time: None,
            base_timestamp: None,
            max_timestamp: NO_TIMESTAMP,
            last_offset_delta: None,
            count: 0,
            plain: Vec::new(),
        }
    }

    /// Sets the codec and its levels.
    #[must_use]
    pub fn compression(mut self, compression: Compression, levels: Levels) -> Self {
        self.attributes = self.attributes.with_compression(compression);
        self.levels = levels;
        self
    }

    /// Sets the partition leader epoch.
    #[must_use]
    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.leader_epoch = epoch;
        self
    }

    /// Sets the idempotent producer and the first record's sequence.
    #[must_use]
    pub fn producer(
        mut self,
        id: ProducerId,
        epoch: ProducerEpoch,
        base_sequence: Sequence,
    ) -> Self {
        self.producer_id = id;
        self.producer_epoch = epoch;
        self.base_sequence = base_sequence;
        self
    }

    /// Makes it part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.attributes = self.attributes.with_transactional(true);
        self
    }

    /// Makes it a control batch; its records come from [`crate::control`].
    #[must_use]
    pub fn control(mut self) -> Self {
        self.attributes = self.attributes.with_control(true);
        self
    }

    /// Makes `time` the append time of all records (timestamp type LogAppendTime).
    #[must_use]
    pub fn append_time(mut self, time: WallMillis) -> Self {
        self.attributes = self
            .attributes
            .with_timestamp_type(TimestampType::LogAppendTime);
        self.append_time = Some(time);
        self
    }

    /// Appends a record without headers at the next offset.
    ///
    /// # Errors
    /// [`BuildError::TooLarge`]; the builder is unchanged.
    pub fn append(
        &mut self,
        timestamp: WallMillis,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<Offset, BuildError> {
        self.append_with_headers(timestamp, key, value, &[])
    }

    /// Appends a record at the next offset and returns that offset.
    ///
    /// # Errors
    /// [`BuildError::TooLarge`]; the builder is unchanged.
    pub fn append_with_headers(
        &mut self,
        timestamp: WallMillis,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> Result<Offset, BuildError> {
        let offset = self.next_offset();
        self.append_at(offset, timestamp, key, value, headers.iter().copied())?;
        Ok(offset)
    }

    /// Appends a record at `offset`, which may leave a gap, as compaction does.
    ///
    /// # Errors
    /// [`BuildError::Offset`] if `offset` does not follow, [`BuildError::TooLarge`]; the builder is unchanged.
    pub fn append_at<'h>(
        &mut self,
        offset: Offset,
        timestamp: WallMillis,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl Iterator<Item = RecordHeader<'h>> + Clone,
    ) -> Result<(), BuildError> {
        let refused = BuildError::Offset { offset: offset.0 };
        let delta = offset
            .0
            .checked_sub(self.base_offset.0)
            .and_then(|d| i32::try_from(d).ok());
        let delta = delta
            .filter(|&d| d > self.last_offset_delta.unwrap_or(-1))
            .ok_or(refused)?;
        let base = self.base_timestamp.unwrap_or(timestamp);
        let count = self.count.checked_add(1).ok_or(BuildError::TooLarge)?;
        let before = self.plain.len();
        // Java wraps here too: any two timestamps have a difference, and reading adds it back.
        let timestamp_delta = timestamp.0.wrapping_sub(base.0);
        put_record(&mut self.plain, timestamp_delta, delta, key, value, headers)
            .map_err(|_| BuildError::TooLarge)?;
        if i32::try_from(self.plain.len() + HEADER_SIZE).is_err() {
            self.plain.truncate(before);
            return Err(BuildError::TooLarge);
        }
        self.base_timestamp = Some(base);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.last_offset_delta = Some(delta);
        self.count = count;
        Ok(())
    }

    /// The offset that [`append`](Self::append) would give.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        let used = self
            .last_offset_delta
            .map_or(0, |delta| i64::from(delta) + 1);
        Offset(self.base_offset.0.saturating_add(used))
    }

    /// Records appended so far.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.count
    }

    /// Whether nothing was appended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the batch if it stays uncompressed.
    #[must_use]
    pub fn uncompressed_size(&self) -> usize {
        HEADER_SIZE + self.plain.len()
    }

    /// The finished batch.
    ///
    /// # Errors
    /// [`BuildError::Compress`] or [`BuildError::TooLarge`].
    pub fn build(self, compressor: &mut Compressor) -> Result<Vec<u8>, BuildError> {
        let mut out = Vec::with_capacity(HEADER_SIZE + self.plain.len());
        self.build_into(compressor, &mut out)?;
        Ok(out)
    }

    /// Appends the finished batch to `out` and returns its header.
    ///
    /// # Errors
    /// As [`build`](Self::build); `out` may have grown.
    pub fn build_into(
        &self,
        compressor: &mut Compressor,
        out: &mut Vec<u8>,
    ) -> Result<BatchHeader, BuildError> {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_SIZE]);
        let header = self.build_records(compressor, out)?;
        if let Some(head) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
            *head = header.encode();
        }
        Ok(header)
    }

    /// Appends what stands behind the header to `out` and returns the header.
    pub(crate) fn build_records(
        &self,
        compressor: &mut Compressor,
        out: &mut Vec<u8>,
    ) -> Result<BatchHeader, BuildError> {
        let start = out.len();
        let codec = self.attributes.compression().unwrap_or_default();
        compressor.compress(codec, self.levels, &self.plain, out)?;
        self.header(out.get(start..).unwrap_or_default())
    }

    /// The header over `records`, the compressed payload.
    fn header(&self, records: &[u8]) -> Result<BatchHeader, BuildError> {
        let body = records.len() + HEADER_SIZE - crate::header::layout::LOG_OVERHEAD;
        let mut header = BatchHeader {
            base_offset: self.base_offset,
            batch_length: i32::try_from(body).map_err(|_| BuildError::TooLarge)?,
            partition_leader_epoch: self.leader_epoch,
            crc: 0,
            attributes: self.attributes,
            last_offset_delta: self.last_offset_delta.unwrap_or(-1),
            base_timestamp: self.base_timestamp.unwrap_or(NO_TIMESTAMP),
            max_timestamp: self.append_time.unwrap_or(self.max_timestamp),
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            record_count: self.count,
        };
        header.reseal(records);
        Ok(header)
    }
}
