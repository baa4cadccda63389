//! Message sets of magic 0 and 1, read only: nothing is written in these formats any more (KIP-724), but segments that
//! hold them stay readable.
//!
//! An entry is one message, or a wrapper whose value is a compressed message set. Offsets inside a wrapper of magic 1
//! are relative, and the wrapper has the offset of the *last* message; inside one of magic 0 they are absolute.

use crate::codec::{Compression, Decompressor, OutputLimit};
use crate::error::{BatchError, RecordError};
use crate::header::{NO_TIMESTAMP, TimestampType, layout};
use crate::record::{Headers, RecordView};
use crate::varint::Cursor;
use ottla_base::{Offset, WallMillis};

/// Smallest message: crc, magic, attributes, null key, null value.
pub(crate) const MESSAGE_SIZE_MIN_V0: usize = 14;
/// As above, with a timestamp.
const MESSAGE_SIZE_MIN_V1: usize = 22;
const CODEC: u8 = 0x07;
const LOG_APPEND_TIME: u8 = 0x08;

/// One message or wrapper.
#[derive(Clone, Copy, Debug)]
pub struct LegacyView<'a> {
    bytes: &'a [u8],
    offset: Offset,
    crc: u32,
    magic: i8,
    attributes: u8,
    timestamp: WallMillis,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'a> LegacyView<'a> {
    /// The message at the start of `bytes`; what follows it is ignored. The checksum is not checked.
    ///
    /// # Errors
    /// [`BatchError::Truncated`], [`BatchError::LengthField`] if the fields do not fit the length exactly,
    /// [`BatchError::Magic`] if it is neither 0 nor 1.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let mut cursor = Cursor(bytes);
        let truncated = |needed| BatchError::Truncated {
            needed,
            have: bytes.len(),
        };
        let short = |_| truncated(layout::UP_TO_MAGIC);
        let offset = Offset(i64::from_be_bytes(cursor.array().map_err(short)?));
        let length = i32::from_be_bytes(cursor.array().map_err(short)?);
        let bad_length = BatchError::LengthField { length };
        let size = usize::try_from(length).map_err(|_| bad_length)?;
        if size < MESSAGE_SIZE_MIN_V0 {
            return Err(bad_length);
        }
        let whole = size + layout::LOG_OVERHEAD;
        let bytes = bytes.get(..whole).ok_or_else(|| truncated(whole))?;
        let mut body = Cursor(cursor.bytes(size).map_err(|_| truncated(whole))?);
        let wrong = |_: RecordError| bad_length;
        let crc = u32::from_be_bytes(body.array().map_err(wrong)?);
        let magic = body.u8().map_err(wrong)?.cast_signed();
        let attributes = body.u8().map_err(wrong)?;
        let timestamp = match magic {
            0 => NO_TIMESTAMP,
            1 if size >= MESSAGE_SIZE_MIN_V1 => {
                WallMillis(i64::from_be_bytes(body.array().map_err(wrong)?))
            }
            1 => return Err(bad_length),
            _ => return Err(BatchError::Magic { magic }),
        };
        let key = field(&mut body).map_err(wrong)?;
        let value = field(&mut body).map_err(wrong)?;
        if !body.0.is_empty() {
            return Err(bad_length);
        }
        Ok(Self {
            bytes,
            offset,
            crc,
            magic,
            attributes,
            timestamp,
            key,
            value,
        })
    }

    /// The whole entry.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// 0 or 1.
    #[must_use]
    pub fn magic(&self) -> i8 {
        self.magic
    }

    /// The stored offset: of the message, or of the last message in a wrapper.
    #[must_use]
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// The stored checksum.
    #[must_use]
    pub fn crc(&self) -> u32 {
        self.crc
    }

    /// Codec of a wrapper; `None` as codec for a plain message.
    ///
    /// # Errors
    /// [`crate::codec::CodecError::Unknown`].
    pub fn compression(&self) -> Result<Compression, RecordError> {
        match Compression::require(self.attributes & CODEC)? {
            // Came with batches v2, so in an old message it is a number without a codec.
            Compression::Zstd => Err(crate::codec::CodecError::Unknown { id: 4 }.into()),
            codec => Ok(codec),
        }
    }

    /// The stored timestamp: of the message, or the largest in a wrapper. -1 for magic 0.
    #[must_use]
    pub fn max_timestamp(&self) -> WallMillis {
        self.timestamp
    }

    /// What the timestamp means; create time for magic 0.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.magic > 0 && self.attributes & LOG_APPEND_TIME != 0 {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    /// Key of a plain message.
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// Value of a plain message; the compressed message set of a wrapper.
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.value
    }

    /// Checks the CRC-32, which covers everything behind it.
    ///
    /// # Errors
    /// [`BatchError::Crc`] if it is wrong.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        let computed = crc_fast::crc32_iso_hdlc(
            self.bytes
                .get(layout::UP_TO_MAGIC - 1..)
                .unwrap_or_default(),
        );
        if computed == self.crc {
            Ok(())
        } else {
            Err(BatchError::Crc {
                stored: self.crc,
                computed,
            })
        }
    }

    /// Offset of the first message: of a wrapper by decompressing it.
    ///
    /// # Errors
    /// As [`messages`](Self::messages).
    pub fn first_offset(&self, scratch: &mut Decompressor) -> Result<Offset, RecordError> {
        match self.messages(scratch)?.next() {
            Some(first) => Ok(first?.offset),
            None => Ok(self.offset),
        }
    }

    /// The messages of this entry: itself, or what its wrapper holds, with absolute offsets.
    ///
    /// # Errors
    /// [`RecordError`] if the wrapper cannot be decompressed or holds anything but whole plain messages of its own
    /// magic. Checksums of inner messages are not checked: the wrapper's covers them.
    pub fn messages<'s>(
        &self,
        scratch: &'s mut Decompressor,
    ) -> Result<LegacyMessages<'s>, RecordError>
    where
        'a: 's,
    {
        let codec = self.compression()?;
        if codec == Compression::None {
            return Ok(LegacyMessages {
                single: Some(*self),
                inner: &[],
                wrapper: *self,
                shift: 0,
                last: None,
            });
        }
        // A wrapper without a value holds nothing and cannot be told from a broken one.
        let value = self.value.ok_or(RecordError::Length)?;
        let limit = OutputLimit::for_wire(value.len());
        let inner: &'s [u8] = match self.magic {
            0 => scratch.decompress_magic_0(codec, value, limit)?,
            _ => scratch.decompress(codec, value, limit)?,
        };
        let last = last_inner_offset(inner, self.magic)?;
        // Relative offsets count up to the wrapper's own; absolute ones stay.
        let shift = if self.magic == 0 {
            0
        } else {
            self.offset.0.saturating_sub(last.0)
        };
        Ok(LegacyMessages {
            single: None,
            inner,
            wrapper: *self,
            shift,
            last: None,
        })
    }

    fn record(&self, offset: Offset, timestamp: WallMillis) -> RecordView<'a> {
        RecordView {
            offset,
            offset_delta: 0,
            timestamp,
            attributes: self.attributes.cast_signed(),
            key: self.key,
            value: self.value,
            headers: Headers::default(),
        }
    }
}

/// A field with an i32 length; -1 is null.
fn field<'a>(body: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, RecordError> {
    let len = i32::from_be_bytes(body.array()?);
    if len == -1 {
        return Ok(None);
    }
    let len = usize::try_from(len).map_err(|_| RecordError::Length)?;
    body.bytes(len).map(Some)
}

/// Checks that `inner` is whole plain messages of `magic`, and gives the last one's stored offset.
fn last_inner_offset(inner: &[u8], magic: i8) -> Result<Offset, RecordError> {
    let mut rest = inner;
    let mut last = None;
    while !rest.is_empty() {
        let message = LegacyView::parse(rest).map_err(|_| RecordError::Length)?;
        if message.magic != magic || message.attributes & CODEC != 0 {
            return Err(RecordError::Nesting);
        }
        last = Some(message.offset);
        rest = rest.get(message.bytes.len()..).unwrap_or_default();
    }
    last.ok_or(RecordError::Length)
}

/// Iterator over the messages of one entry. After an error it ends.
#[derive(Clone, Debug)]
pub struct LegacyMessages<'a> {
    single: Option<LegacyView<'a>>,
    inner: &'a [u8],
    wrapper: LegacyView<'a>,
    shift: i64,
    last: Option<LegacyView<'a>>,
}

impl<'a> LegacyMessages<'a> {
    /// The message that came out last, as it stands in the entry, for its checksum.
    #[must_use]
    pub fn last_message(&self) -> Option<&LegacyView<'a>> {
        self.last.as_ref()
    }

    fn inner_record(&mut self) -> Result<RecordView<'a>, RecordError> {
        let message = LegacyView::parse(self.inner).map_err(|_| RecordError::Length)?;
        self.inner = self.inner.get(message.bytes.len()..).unwrap_or_default();
        self.last = Some(message);
        let timestamp = match self.wrapper.timestamp_type() {
            TimestampType::LogAppendTime => self.wrapper.timestamp,
            TimestampType::CreateTime => message.timestamp,
        };
        Ok(message.record(
            Offset(message.offset.0.saturating_add(self.shift)),
            timestamp,
        ))
    }
}

impl<'a> Iterator for LegacyMessages<'a> {
    type Item = Result<RecordView<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(message) = self.single.take() {
            self.last = Some(message);
            return Some(Ok(message.record(message.offset, message.timestamp)));
        }
        if self.inner.is_empty() {
            return None;
        }
        let record = self.inner_record();
        if record.is_err() {
            self.inner = &[];
        }
        Some(record)
    }
}
