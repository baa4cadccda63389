//! What a leader checks in the records of a Produce request before it appends them, and how it changes them.
//!
//! The result is data: the header to write and the bytes behind it, which are the received ones unless the topic asks for
//! another codec. Base offset and leader epoch are left for the append, which knows them. Sequence order, fencing and
//! quotas are not checked here, and no error code is chosen here.
//!
//! Every record is walked, compressed or not: a batch that cannot be read must not be stored.
//!
//! KIPs: 32 (timestamps), 98 (batches, idempotence), 110 (zstd), 467 (record errors), 937 (timestamp limits).

mod refusal;

pub use refusal::{ProduceRefusal, Rejection, RejectionReason};

use crate::batch::BatchView;
use crate::batches::{Entry, EntryPrefix};
use crate::builder::{BatchBuilder, BuildError};
use crate::codec::{CodecError, Compression, Compressor, Decompressor, Levels};
use crate::error::{BatchError, RecordError};
use crate::header::{BatchHeader, MAGIC_V2, NO_TIMESTAMP, TimestampType};
use crate::record::Records;
use ottla_base::{Offset, ProducerId, Sequence, WallMillis};

/// Rejected records that one refusal lists. Those beyond are refused all the same.
///
/// Kafka differs: it lists them all, so that a batch of tiny records is answered with many times its size.
pub const REJECTIONS_MAX: usize = 1024;

/// Codec that a topic stores (`compression.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TargetCompression {
    /// `producer`: as it was sent.
    #[default]
    Producer,
    /// One codec for all; `uncompressed` is [`Compression::None`].
    Codec(Compression),
}

/// What a topic and the request's version ask of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProduceRules {
    /// The broker's time.
    pub now: WallMillis,
    /// `max.message.bytes`: largest batch, header included, as sent and as stored.
    pub max_message_bytes: usize,
    /// `segment.bytes`: a batch must fit one segment.
    pub segment_bytes: usize,
    /// Whether `cleanup.policy` has `compact`: records need keys.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a create time may lie before `now`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far a create time may lie behind `now`.
    pub timestamp_after_max_ms: i64,
    /// `compression.type`.
    pub compression: TargetCompression,
    /// `compression.*.level`, for recompression.
    pub levels: Levels,
    /// Whether the request's version knows zstd: Produce v7 and later.
    pub zstd_known: bool,
}

/// The bytes to write behind the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// As they came.
    AsReceived(&'a [u8]),
    /// Compressed anew.
    Rebuilt(Vec<u8>),
}

impl Payload<'_> {
    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::AsReceived(bytes) => bytes,
            Self::Rebuilt(bytes) => bytes,
        }
    }
}

/// A batch that may be appended: write `header.encode()`, then the payload, once base offset and leader epoch are set
/// in the header. Both are outside the checksum, which is right already.
///
/// The offset that goes with the header's max timestamp in a time index is the batch's last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated<'a> {
    /// Header to write. Its base offset is 0, its leader epoch whatever the client sent.
    pub header: BatchHeader,
    /// Bytes behind it.
    pub payload: Payload<'a>,
    /// Append time that the response names; `None` on topics with create time.
    pub log_append_time: Option<WallMillis>,
}

impl Validated<'_> {
    /// Bytes to write, header included.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        self.header.size_in_bytes()
    }
}

/// Contexts for one thread's validations.
#[derive(Debug, Default)]
pub struct Scratch {
    /// For compressed batches.
    pub decompressor: Decompressor,
    /// For topics that recompress.
    pub compressor: Compressor,
}

/// Checks `records`, the bytes that a Produce request (v3 or later) has for one partition, against `rules`.
///
/// # Errors
/// [`ProduceRefusal`]; nothing of `records` may be appended then.
pub fn validate_produce<'a>(
    records: &'a [u8],
    rules: &ProduceRules,
    scratch: &mut Scratch,
) -> Result<Validated<'a>, ProduceRefusal> {
    let batch = only_batch(records, rules)?;
    check_header(&batch, rules)?;
    let header = batch.header();
    let source = Compression::require(header.attributes.codec_id()).map_err(|_| {
        ProduceRefusal::UnknownCodec {
            id: header.attributes.codec_id(),
        }
    })?;
    let walk = batch.records(&mut scratch.decompressor)?;
    let seen = inspect(walk.clone())?;
    if seen.must_list_rejections(header, rules) {
        reject(walk.clone(), header, rules)?;
    }
    let log_append_time =
        (rules.timestamp_type == TimestampType::LogAppendTime).then_some(rules.now);
    let (header, payload) = match rules.compression {
        TargetCompression::Codec(target) if target != source => {
            rebuild(walk, header, target, rules, &mut scratch.compressor)?
        }
        _ => {
            let max_timestamp = log_append_time.unwrap_or(seen.max_timestamp);
            let header = retimed(&batch, rules.timestamp_type, max_timestamp);
            (header, Payload::AsReceived(batch.payload()))
        }
    };
    if header.size_in_bytes() > rules.segment_bytes {
        let (bytes, limit) = (header.size_in_bytes(), rules.segment_bytes);
        return Err(ProduceRefusal::LargerThanSegment { bytes, limit });
    }
    Ok(Validated {
        header,
        payload,
        log_append_time,
    })
}

/// The one batch that the request may have for a partition. What is cut off behind it is ignored, as in Kafka.
fn only_batch<'a>(
    records: &'a [u8],
    rules: &ProduceRules,
) -> Result<BatchView<'a>, ProduceRefusal> {
    if let Ok(prefix) = EntryPrefix::decode(records)
        && prefix.magic < MAGIC_V2
    {
        return Err(ProduceRefusal::OldMagic {
            magic: prefix.magic,
        });
    }
    let batch = match Entry::parse(records) {
        Ok(Entry::Batch(batch)) => batch,
        Ok(Entry::Legacy(message)) => {
            return Err(ProduceRefusal::OldMagic {
                magic: message.magic(),
            });
        }
        Err(BatchError::Truncated { .. }) => return Err(ProduceRefusal::NoBatch),
        Err(error) => return Err(ProduceRefusal::Malformed(error)),
    };
    if batch.compression() == Some(Compression::Zstd) && !rules.zstd_known {
        return Err(ProduceRefusal::ZstdTooEarly);
    }
    let behind = records.get(batch.size_in_bytes()..).unwrap_or_default();
    match Entry::parse(behind) {
        Err(BatchError::Truncated { .. }) => Ok(batch),
        Ok(_) => Err(ProduceRefusal::SeveralBatches),
        Err(error) => Err(ProduceRefusal::Malformed(error)),
    }
}

fn check_header(batch: &BatchView<'_>, rules: &ProduceRules) -> Result<(), ProduceRefusal> {
    let header = batch.header();
    if header.base_offset != Offset::ZERO {
        return Err(ProduceRefusal::BaseOffset {
            offset: header.base_offset,
        });
    }
    check_size(header, rules)?;
    batch.verify_crc().map_err(ProduceRefusal::Malformed)?;
    let (last_offset_delta, count) = (header.last_offset_delta, header.record_count);
    if last_offset_delta < 0 || count <= 0 || last_offset_delta.checked_add(1) != Some(count) {
        return Err(ProduceRefusal::RecordCount {
            last_offset_delta,
            count,
        });
    }
    if header.attributes.is_control() {
        return Err(ProduceRefusal::ControlBatch);
    }
    if header.producer_id > ProducerId::NONE && header.base_sequence < Sequence(0) {
        return Err(ProduceRefusal::NoSequence {
            base_sequence: header.base_sequence,
        });
    }
    Ok(())
}

fn check_size(header: &BatchHeader, rules: &ProduceRules) -> Result<(), ProduceRefusal> {
    let (bytes, limit) = (header.size_in_bytes(), rules.max_message_bytes);
    if bytes > limit {
        Err(ProduceRefusal::TooLarge { bytes, limit })
    } else {
        Ok(())
    }
}

/// What one pass over well-formed records saw.
struct Seen {
    /// Largest timestamp, -1 at least.
    max_timestamp: WallMillis,
    /// Smallest timestamp of the records that have one; `i64::MAX` if none has.
    min_timestamp: WallMillis,
    /// Whether a record has timestamp -1.
    untimed: bool,
    /// Whether a record has no key.
    keyless: bool,
}

impl Seen {
    /// Whether some record breaks a rule of the topic.
    fn must_list_rejections(&self, header: &BatchHeader, rules: &ProduceRules) -> bool {
        let append_time_sent = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let timestamps = match rules.timestamp_type {
            TimestampType::LogAppendTime => append_time_sent,
            TimestampType::CreateTime => {
                let timed = self.min_timestamp != WallMillis(i64::MAX);
                let out = |time| timed && out_of_range(time, rules);
                out(self.min_timestamp)
                    || out(self.max_timestamp)
                    || (append_time_sent && self.untimed)
            }
        };
        timestamps || (rules.compacted && self.keyless)
    }
}

/// Walks all records and checks that each is well-formed and has the offset of its place.
fn inspect(records: Records<'_>) -> Result<Seen, ProduceRefusal> {
    let mut seen = Seen {
        max_timestamp: NO_TIMESTAMP,
        min_timestamp: WallMillis(i64::MAX),
        untimed: false,
        keyless: false,
    };
    let mut expected = 0i32;
    for record in records {
        let record = record?;
        if record.offset_delta != expected {
            return Err(ProduceRefusal::OffsetDelta {
                index: expected,
                delta: record.offset_delta,
            });
        }
        // Cannot overflow: the record count is an i32 too.
        expected = expected.saturating_add(1);
        seen.keyless |= record.key.is_none();
        if record.timestamp == NO_TIMESTAMP {
            seen.untimed = true;
        } else {
            seen.min_timestamp = seen.min_timestamp.min(record.timestamp);
            seen.max_timestamp = seen.max_timestamp.max(record.timestamp);
        }
    }
    Ok(seen)
}

/// Whether a create time lies outside the topic's limits.
fn out_of_range(timestamp: WallMillis, rules: &ProduceRules) -> bool {
    let behind = rules.now.0.saturating_sub(timestamp.0);
    behind > rules.timestamp_before_max_ms || behind.saturating_neg() > rules.timestamp_after_max_ms
}

/// Lists the records that break a rule, in a second pass that only bad batches take.
fn reject(
    records: Records<'_>,
    header: &BatchHeader,
    rules: &ProduceRules,
) -> Result<(), ProduceRefusal> {
    let append_time_sent = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
    let mut rejections = Vec::new();
    let mut count = 0usize;
    let mut has_bad_timestamp = false;
    for (index, record) in (0i32..).zip(records) {
        let record = record?;
        let create_time = rules.timestamp_type == TimestampType::CreateTime;
        let reason = if rules.compacted && record.key.is_none() {
            RejectionReason::NullKey
        } else if create_time && record.timestamp != NO_TIMESTAMP {
            if !out_of_range(record.timestamp, rules) {
                continue;
            }
            has_bad_timestamp = true;
            RejectionReason::TimestampOutOfRange {
                timestamp: record.timestamp,
                offset: record.offset,
                earliest: WallMillis(rules.now.0.wrapping_sub(rules.timestamp_before_max_ms)),
                latest: WallMillis(rules.now.0.wrapping_add(rules.timestamp_after_max_ms)),
            }
        } else if append_time_sent {
            has_bad_timestamp = true;
            RejectionReason::TimestampType {
                timestamp: record.timestamp,
                offset: record.offset,
                key_bytes: record.key.map_or(0, <[u8]>::len),
                value_bytes: record.value.map_or(0, <[u8]>::len),
            }
        } else {
            continue;
        };
        count += 1;
        if rejections.len() < REJECTIONS_MAX {
            rejections.push(Rejection { index, reason });
        }
    }
    match (count, has_bad_timestamp) {
        (0, _) => Ok(()),
        (_, true) => Err(ProduceRefusal::Timestamps { rejections }),
        (_, false) => Err(ProduceRefusal::Records { count, rejections }),
    }
}

/// The header with the topic's timestamp type and the true max timestamp. The checksum is only computed if one of them
/// differs from what was sent; bits without a meaning go at the same time, as in Kafka.
fn retimed(
    batch: &BatchView<'_>,
    timestamp_type: TimestampType,
    max_timestamp: WallMillis,
) -> BatchHeader {
    let mut header = *batch.header();
    let unchanged = header.attributes.timestamp_type() == timestamp_type
        && header.max_timestamp == max_timestamp;
    if !unchanged {
        header.attributes = header
            .attributes
            .known()
            .with_timestamp_type(timestamp_type);
        header.max_timestamp = max_timestamp;
        header.reseal(batch.payload());
    }
    header
}

/// The same records in the topic's codec.
fn rebuild<'a>(
    records: Records<'_>,
    header: &BatchHeader,
    target: Compression,
    rules: &ProduceRules,
    compressor: &mut Compressor,
) -> Result<(BatchHeader, Payload<'a>), ProduceRefusal> {
    let mut builder = BatchBuilder::new(Offset::ZERO)
        .compression(target, rules.levels)
        .leader_epoch(header.partition_leader_epoch)
        .producer(
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
        );
    if header.attributes.is_transactional() {
        builder = builder.transactional();
    }
    if rules.timestamp_type == TimestampType::LogAppendTime {
        builder = builder.append_time(rules.now);
    }
    for record in records {
        let record = record?;
        let headers = record.headers.into_iter();
        builder.append_at(
            record.offset,
            record.timestamp,
            record.key,
            record.value,
            headers,
        )?;
    }
    let mut payload = Vec::new();
    let header = builder.build_records(compressor, &mut payload)?;
    check_size(&header, rules)?;
    Ok((header, Payload::Rebuilt(payload)))
}

impl From<RecordError> for ProduceRefusal {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Codec(CodecError::Unknown { id }) => Self::UnknownCodec { id },
            RecordError::Codec(CodecError::Corrupt { codec }) => Self::CorruptStream { codec },
            RecordError::Codec(CodecError::TooLarge { codec, limit }) => {
                Self::DecompressedTooLarge { codec, limit }
            }
            other => Self::RecordFormat(other),
        }
    }
}

impl From<BuildError> for ProduceRefusal {
    fn from(error: BuildError) -> Self {
        Self::CannotRebuild(error)
    }
}
