//! A whole record batch v2 in a buffer: header, checksum, records.
//!
//! Borrowed and read-only. Does not know offsets' assignment rules ([`crate::validate`]) or files.

use crate::codec::{Compression, Decompressor, OutputLimit};
use crate::error::{BatchError, RecordError};
use crate::header::{
    Attributes, BatchHeader, HEADER_SIZE, MAGIC_V2, TimestampType, crc32c, layout,
};
use crate::record::Records;
use ottla_base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};

/// One whole batch v2. The header is decoded; the records are still bytes. The checksum is *not* checked by parsing.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch at the start of `bytes`; what follows it is ignored.
    ///
    /// # Errors
    /// As [`BatchHeader::decode`], and [`BatchError::Truncated`] if the batch is longer than `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = BatchHeader::decode(bytes)?;
        let needed = header.size_in_bytes();
        match bytes.get(..needed) {
            Some(bytes) => Ok(Self { header, bytes }),
            None => Err(BatchError::Truncated {
                needed,
                have: bytes.len(),
            }),
        }
    }

    /// The decoded header; copy it to change it.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes behind the header, compressed if the batch is.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER_SIZE..).unwrap_or_default()
    }

    /// Checks the CRC-32C.
    ///
    /// # Errors
    /// [`BatchError::Crc`] if it is wrong.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        let computed = crc32c(self.bytes.get(layout::ATTRIBUTES..).unwrap_or_default());
        if computed == self.header.crc {
            Ok(())
        } else {
            Err(BatchError::Crc {
                stored: self.header.crc,
                computed,
            })
        }
    }

    /// The records, decompressed into `scratch` if the batch is compressed. They do not own anything: walking them
    /// allocates nothing.
    ///
    /// # Errors
    /// [`RecordError::Codec`] if the codec is unknown, the stream broken or its output above the limit for this batch's
    /// size; [`RecordError::Count`] if the record count is negative.
    pub fn records<'s>(&self, scratch: &'s mut Decompressor) -> Result<Records<'s>, RecordError>
    where
        'a: 's,
    {
        let compression = Compression::require(self.header.attributes.codec_id())?;
        let payload = self.payload();
        let plain = match compression {
            Compression::None => payload,
            codec => scratch.decompress(codec, payload, OutputLimit::for_wire(payload.len()))?,
        };
        Records::new(&self.header, plain)
    }

    /// Offset of the first record.
    #[must_use]
    pub fn base_offset(&self) -> Offset {
        self.header.base_offset
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.header.last_offset()
    }

    /// Offset after the last record.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.header.next_offset()
    }

    /// The length field: bytes after it.
    #[must_use]
    pub fn batch_length(&self) -> i32 {
        self.header.batch_length
    }

    /// Bytes of the whole batch.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Epoch of the leader that appended it.
    #[must_use]
    pub fn partition_leader_epoch(&self) -> LeaderEpoch {
        self.header.partition_leader_epoch
    }

    /// Always 2.
    #[must_use]
    pub fn magic(&self) -> i8 {
        MAGIC_V2
    }

    /// The stored checksum.
    #[must_use]
    pub fn crc(&self) -> u32 {
        self.header.crc
    }

    /// The attribute bits.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.header.attributes
    }

    /// Offset of the last record relative to the base offset.
    #[must_use]
    pub fn last_offset_delta(&self) -> i32 {
        self.header.last_offset_delta
    }

    /// What timestamp deltas are relative to.
    #[must_use]
    pub fn base_timestamp(&self) -> WallMillis {
        self.header.base_timestamp
    }

    /// Largest timestamp.
    #[must_use]
    pub fn max_timestamp(&self) -> WallMillis {
        self.header.max_timestamp
    }

    /// Idempotent producer, or none.
    #[must_use]
    pub fn producer_id(&self) -> ProducerId {
        self.header.producer_id
    }

    /// Its epoch, or none.
    #[must_use]
    pub fn producer_epoch(&self) -> ProducerEpoch {
        self.header.producer_epoch
    }

    /// Sequence of the first record, or none.
    #[must_use]
    pub fn base_sequence(&self) -> Sequence {
        self.header.base_sequence
    }

    /// Sequence of the last record, or none.
    #[must_use]
    pub fn last_sequence(&self) -> Sequence {
        self.header.last_sequence()
    }

    /// Number of records.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// Codec of the records; `None` if the number has no codec.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        self.header.attributes.compression()
    }

    /// Whether it is part of a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.header.attributes.is_transactional()
    }

    /// Whether its records are control records.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.header.attributes.is_control()
    }

    /// Whether the base timestamp is a delete horizon.
    #[must_use]
    pub fn has_delete_horizon(&self) -> bool {
        self.header.attributes.has_delete_horizon()
    }

    /// Create time or append time.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        self.header.attributes.timestamp_type()
    }
}
