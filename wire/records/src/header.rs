//! The 61-byte header of a record batch v2 (KIP-98): decode, change, encode.
//!
//! Knows nothing of the records behind it. The base offset and the partition leader epoch stand before the
//! CRC's range, so a broker assigns them without touching the checksum or the payload; every other change needs
//! [`BatchHeader::reseal`].

use crate::codec::Compression;
use crate::error::BatchError;
use ottla_base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};

/// Byte offsets of the header's fields, and its sizes.
pub mod layout {
    /// Base offset, i64.
    pub const BASE_OFFSET: usize = 0;
    /// Bytes after this field, i32.
    pub const BATCH_LENGTH: usize = 8;
    /// Partition leader epoch, i32; outside the CRC.
    pub const PARTITION_LEADER_EPOCH: usize = 12;
    /// Magic, i8; at the same place in all formats.
    pub const MAGIC: usize = 16;
    /// CRC-32C of everything from [`ATTRIBUTES`] to the end, u32.
    pub const CRC: usize = 17;
    /// Attributes, i16; the first byte under the CRC.
    pub const ATTRIBUTES: usize = 21;
    /// Offset of the last record relative to the base offset, i32.
    pub const LAST_OFFSET_DELTA: usize = 23;
    /// Base timestamp, or the delete horizon if the attribute says so, i64.
    pub const BASE_TIMESTAMP: usize = 27;
    /// Largest timestamp, i64.
    pub const MAX_TIMESTAMP: usize = 35;
    /// Producer id, i64.
    pub const PRODUCER_ID: usize = 43;
    /// Producer epoch, i16.
    pub const PRODUCER_EPOCH: usize = 51;
    /// Base sequence, i32.
    pub const BASE_SEQUENCE: usize = 53;
    /// Number of records, i32.
    pub const RECORD_COUNT: usize = 57;
    /// First byte of the records; length of the header.
    pub const RECORDS: usize = 61;
    /// Bytes before the part that the length field counts: base offset and length.
    pub const LOG_OVERHEAD: usize = 12;
    /// Bytes to read in order to know size and magic of an entry of any format.
    pub const UP_TO_MAGIC: usize = 17;
}

/// Length of the header of a batch v2.
pub const HEADER_SIZE: usize = layout::RECORDS;

/// Magic of record batch v2, the only format written.
pub const MAGIC_V2: i8 = 2;

/// "No timestamp" in a record or a batch.
pub const NO_TIMESTAMP: WallMillis = WallMillis(-1);

/// What a batch's timestamps mean (topic config `message.timestamp.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// The producer's own time, record by record.
    #[default]
    CreateTime,
    /// The broker's time at the append, in the header's max timestamp, for all records alike.
    LogAppendTime,
}

/// The 16 attribute bits of a batch v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    const DELETE_HORIZON: i16 = 0x40;
    /// The bits that have a meaning.
    const KNOWN: i16 = 0x7f;

    /// Codec of the records; `None` for the three numbers that have no codec.
    #[must_use]
    pub fn compression(self) -> Option<Compression> {
        Compression::from_id(self.codec_id())
    }

    /// The codec's number as it stands, 0 to 7.
    #[must_use]
    pub fn codec_id(self) -> u8 {
        u8::try_from(self.0 & Self::CODEC).expect("three bits")
    }

    /// The same attributes with another codec.
    #[must_use]
    pub fn with_compression(self, compression: Compression) -> Self {
        Self((self.0 & !Self::CODEC) | i16::from(compression.id()))
    }

    /// Create time or append time.
    #[must_use]
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// The same attributes with another timestamp type.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(
            Self::LOG_APPEND_TIME,
            timestamp_type == TimestampType::LogAppendTime,
        )
    }

    /// Whether the batch is part of a transaction.
    #[must_use]
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// The same attributes, transactional or not.
    #[must_use]
    pub fn with_transactional(self, on: bool) -> Self {
        self.with(Self::TRANSACTIONAL, on)
    }

    /// Whether the records are control records, which consumers skip.
    #[must_use]
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// The same attributes, of a control batch or not.
    #[must_use]
    pub fn with_control(self, on: bool) -> Self {
        self.with(Self::CONTROL, on)
    }

    /// Whether the base timestamp is the time from which tombstones may go (KIP-534).
    #[must_use]
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// The same attributes, with a delete horizon or not.
    #[must_use]
    pub fn with_delete_horizon(self, on: bool) -> Self {
        self.with(Self::DELETE_HORIZON, on)
    }

    /// The bits that have a meaning; Kafka drops the others when it rewrites a header.
    #[must_use]
    pub fn known(self) -> Self {
        Self(self.0 & Self::KNOWN)
    }

    fn with(self, bit: i16, on: bool) -> Self {
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }
}

/// The decoded header of one batch v2. A plain value: change a field, [`reseal`](Self::reseal) if the field is under
/// the CRC, [`encode`](Self::encode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record, as long as compaction has not removed it.
    pub base_offset: Offset,
    /// Bytes after the length field.
    pub batch_length: i32,
    /// Epoch of the leader that appended it.
    pub partition_leader_epoch: LeaderEpoch,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec, timestamp type and kind.
    pub attributes: Attributes,
    /// Offset of the last record relative to the base offset; compaction keeps it.
    pub last_offset_delta: i32,
    /// What the records' timestamp deltas are relative to; the delete horizon if the attribute says so.
    pub base_timestamp: WallMillis,
    /// Largest timestamp; append time if the attribute says so.
    pub max_timestamp: WallMillis,
    /// Idempotent producer, or [`ProducerId::NONE`].
    pub producer_id: ProducerId,
    /// Its epoch, or [`ProducerEpoch::NONE`].
    pub producer_epoch: ProducerEpoch,
    /// Sequence of the first record, or [`Sequence::NONE`].
    pub base_sequence: Sequence,
    /// Number of records.
    pub record_count: i32,
}

impl BatchHeader {
    /// Decodes the first 61 bytes of `bytes`; more may follow or be missing. Checks magic and the length field, nothing else.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] below 61 bytes, [`BatchError::Magic`] if it is not 2, [`BatchError::LengthField`] if the
    /// length cannot hold a header.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(raw) = bytes.first_chunk::<HEADER_SIZE>() else {
            return Err(BatchError::Truncated {
                needed: HEADER_SIZE,
                have: bytes.len(),
            });
        };
        let header = Self::decode_raw(raw)?;
        if header.batch_length < MIN_BATCH_LENGTH {
            return Err(BatchError::LengthField {
                length: header.batch_length,
            });
        }
        Ok(header)
    }

    fn decode_raw(raw: &[u8; HEADER_SIZE]) -> Result<Self, BatchError> {
        let mut r = Fields(raw);
        let base_offset = Offset(r.i64());
        let batch_length = r.i32();
        let partition_leader_epoch = LeaderEpoch(r.i32());
        let magic = r.i8();
        if magic != MAGIC_V2 {
            return Err(BatchError::Magic { magic });
        }
        Ok(Self {
            base_offset,
            batch_length,
            partition_leader_epoch,
            crc: u32::from_be_bytes(r.take()),
            attributes: Attributes(i16::from_be_bytes(r.take())),
            last_offset_delta: r.i32(),
            base_timestamp: WallMillis(r.i64()),
            max_timestamp: WallMillis(r.i64()),
            producer_id: ProducerId(r.i64()),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(r.take())),
            base_sequence: Sequence(r.i32()),
            record_count: r.i32(),
        })
    }

    /// The header's 61 bytes, with the CRC as it stands in the field.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_SIZE] {
        let mut raw = [0; HEADER_SIZE];
        let mut w = Sink(&mut raw);
        w.put(self.base_offset.0.to_be_bytes());
        w.put(self.batch_length.to_be_bytes());
        w.put(self.partition_leader_epoch.0.to_be_bytes());
        w.put(MAGIC_V2.to_be_bytes());
        w.put(self.crc.to_be_bytes());
        w.put(self.attributes.0.to_be_bytes());
        w.put(self.last_offset_delta.to_be_bytes());
        w.put(self.base_timestamp.0.to_be_bytes());
        w.put(self.max_timestamp.0.to_be_bytes());
        w.put(self.producer_id.0.to_be_bytes());
        w.put(self.producer_epoch.0.to_be_bytes());
        w.put(self.base_sequence.0.to_be_bytes());
        w.put(self.record_count.to_be_bytes());
        raw
    }

    /// Computes the CRC of this header's part under the checksum and of `records`, the bytes behind the header.
    #[must_use]
    pub fn compute_crc(&self, records: &[u8]) -> u32 {
        let raw = self.encode();
        let (_, under_crc) = raw.split_at(layout::ATTRIBUTES);
        crc32c_of(under_crc, records)
    }

    /// Sets the CRC to what header and `records` give.
    pub fn reseal(&mut self, records: &[u8]) {
        self.crc = self.compute_crc(records);
    }

    /// Bytes of the whole batch, header included.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        usize::try_from(self.batch_length).unwrap_or(0) + layout::LOG_OVERHEAD
    }

    /// Offset of the last record, as long as compaction has not removed it. Saturates for a header made up by a peer.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        Offset(
            self.base_offset
                .0
                .saturating_add(i64::from(self.last_offset_delta)),
        )
    }

    /// Offset after the last record.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    /// Sequence of the last record; [`Sequence::NONE`] without a sequence.
    #[must_use]
    pub fn last_sequence(&self) -> Sequence {
        match u32::try_from(self.last_offset_delta) {
            Ok(delta) if self.base_sequence != Sequence::NONE => self.base_sequence.advance(delta),
            _ => Sequence::NONE,
        }
    }

    /// The time from which tombstones and markers of this batch may go (KIP-534).
    #[must_use]
    pub fn delete_horizon(&self) -> Option<WallMillis> {
        self.attributes
            .has_delete_horizon()
            .then_some(self.base_timestamp)
    }
}

/// Smallest legal length field: a header without records.
pub(crate) const MIN_BATCH_LENGTH: i32 = 49;
const _: () = assert!(HEADER_SIZE - layout::LOG_OVERHEAD == 49);

/// CRC-32C (Castagnoli) of `a` followed by `b`.
pub(crate) fn crc32c_of(a: &[u8], b: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(a);
    digest.update(b);
    u32::try_from(digest.finalize()).expect("a 32-bit checksum")
}

/// CRC-32C (Castagnoli), as batches v2 and producer snapshots use it.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// Reads fields in order; the array's type says that they are all there.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    #[inline]
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self
            .0
            .split_first_chunk::<N>()
            .expect("fields sum up to the header");
        self.0 = rest;
        *head
    }
    #[inline]
    fn i8(&mut self) -> i8 {
        i8::from_be_bytes(self.take())
    }
    #[inline]
    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }
    #[inline]
    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take())
    }
}

/// Writes fields in order.
struct Sink<'a>(&'a mut [u8]);

impl Sink<'_> {
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let (head, rest) = std::mem::take(&mut self.0)
            .split_first_chunk_mut::<N>()
            .expect("fields sum up to the header");
        *head = bytes;
        self.0 = rest;
    }
}
