//! Walks a buffer of entries one after the other, as segments, Fetch answers and Produce requests hold them.
//!
//! Only whole entries come out. Where the walk stopped and why is kept, so that recovery can tell the end of a log from
//! a torn tail. Checksums are not checked here.

use crate::batch::BatchView;
use crate::error::BatchError;
use crate::header::{MAGIC_V2, TimestampType, layout};
use crate::legacy::{LegacyView, MESSAGE_SIZE_MIN_V0};
use crate::varint::Cursor;
use ottla_base::{LeaderEpoch, Offset, ProducerId, WallMillis};

/// What the first 17 bytes of any entry say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPrefix {
    /// Base offset of a batch v2; offset of a message, or of the last message in a wrapper, of the old formats.
    pub offset: Offset,
    /// Bytes of the whole entry.
    pub size_in_bytes: usize,
    /// Format: 0, 1 or 2.
    pub magic: i8,
}

impl EntryPrefix {
    /// Reads the prefix at the front of `bytes`.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] below 17 bytes, [`BatchError::LengthField`] or [`BatchError::Magic`] if no entry can look
    /// like this.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        let truncated = BatchError::Truncated {
            needed: layout::UP_TO_MAGIC,
            have: bytes.len(),
        };
        let mut cursor = Cursor(bytes);
        let offset = i64::from_be_bytes(cursor.array().map_err(|_| truncated)?);
        let length = i32::from_be_bytes(cursor.array().map_err(|_| truncated)?);
        // The smallest message of the oldest format comes first: a length below it is wrong whatever the magic is.
        let size = usize::try_from(length)
            .ok()
            .filter(|&size| size >= MESSAGE_SIZE_MIN_V0);
        let size = size.ok_or(BatchError::LengthField { length })?;
        let [_, _, _, _, magic] = cursor.array().map_err(|_| truncated)?;
        let magic = magic.cast_signed();
        match magic {
            0 | 1 => {}
            MAGIC_V2 if length >= crate::header::MIN_BATCH_LENGTH => {}
            MAGIC_V2 => return Err(BatchError::LengthField { length }),
            _ => return Err(BatchError::Magic { magic }),
        }
        Ok(Self {
            offset: Offset(offset),
            size_in_bytes: size + layout::LOG_OVERHEAD,
            magic,
        })
    }
}

/// One entry of a log of any format.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// Record batch v2.
    Batch(BatchView<'a>),
    /// Message or wrapper of magic 0 or 1.
    Legacy(LegacyView<'a>),
}

impl<'a> Entry<'a> {
    /// The entry at the start of `bytes`.
    ///
    /// # Errors
    /// As [`EntryPrefix::decode`]; [`BatchError::Truncated`] if the entry is longer than `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let prefix = EntryPrefix::decode(bytes)?;
        if prefix.magic == MAGIC_V2 {
            BatchView::parse(bytes).map(Self::Batch)
        } else {
            LegacyView::parse(bytes).map(Self::Legacy)
        }
    }

    /// The whole entry.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Batch(batch) => batch.bytes(),
            Self::Legacy(message) => message.bytes(),
        }
    }

    /// Bytes of the whole entry.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        self.bytes().len()
    }

    /// Format.
    #[must_use]
    pub fn magic(&self) -> i8 {
        match self {
            Self::Batch(batch) => batch.magic(),
            Self::Legacy(message) => message.magic(),
        }
    }

    /// Checks the checksum: CRC-32C of a batch, CRC-32 of a message.
    ///
    /// # Errors
    /// [`BatchError::Crc`] if it is wrong.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        match self {
            Self::Batch(batch) => batch.verify_crc(),
            Self::Legacy(message) => message.verify_crc(),
        }
    }

    /// A lower bound of the entry's first offset that costs nothing: exact for batches and plain messages, the *last*
    /// offset for a wrapper, whose first offset is only known by decompressing it ([`LegacyView::first_offset`]).
    #[must_use]
    pub fn stored_offset(&self) -> Offset {
        match self {
            Self::Batch(batch) => batch.base_offset(),
            Self::Legacy(message) => message.offset(),
        }
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        match self {
            Self::Batch(batch) => batch.last_offset(),
            Self::Legacy(message) => message.offset(),
        }
    }

    /// Offset after the last record.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    /// Largest timestamp; -1 where there is none.
    #[must_use]
    pub fn max_timestamp(&self) -> WallMillis {
        match self {
            Self::Batch(batch) => batch.max_timestamp(),
            Self::Legacy(message) => message.max_timestamp(),
        }
    }

    /// Create time or append time; create time for magic 0.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        match self {
            Self::Batch(batch) => batch.timestamp_type(),
            Self::Legacy(message) => message.timestamp_type(),
        }
    }

    /// Epoch of the leader that appended it; unknown in the old formats.
    #[must_use]
    pub fn partition_leader_epoch(&self) -> LeaderEpoch {
        match self {
            Self::Batch(batch) => batch.partition_leader_epoch(),
            Self::Legacy(_) => LeaderEpoch::UNKNOWN,
        }
    }

    /// Idempotent producer; none in the old formats.
    #[must_use]
    pub fn producer_id(&self) -> ProducerId {
        match self {
            Self::Batch(batch) => batch.producer_id(),
            Self::Legacy(_) => ProducerId::NONE,
        }
    }

    /// The batch, if it is one.
    #[must_use]
    pub fn as_batch(&self) -> Option<&BatchView<'a>> {
        match self {
            Self::Batch(batch) => Some(batch),
            Self::Legacy(_) => None,
        }
    }
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Behind the last whole entry is nothing.
    End,
    /// Behind the last whole entry is the beginning of another: a torn tail in a log, an ordinary cut in a Fetch answer.
    Partial {
        /// Bytes that the entry takes, if enough of it is there to tell.
        needed: Option<usize>,
        /// Bytes that are there.
        have: usize,
    },
    /// Behind the last whole entry is something that cannot be one.
    Malformed(BatchError),
}

/// Iterator over the entries of a buffer, of any format.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    position: usize,
    stop: Option<Stop>,
}

impl<'a> Entries<'a> {
    /// Over `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            position: 0,
            stop: None,
        }
    }

    /// Bytes of the whole entries that came out so far; where the next one begins.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Why the walk ended; `None` while it has not.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// What is behind [`position`](Self::position).
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn classify(&self, error: BatchError) -> Stop {
        match error {
            BatchError::Truncated { .. } if self.rest.is_empty() => Stop::End,
            BatchError::Truncated { .. } => {
                let needed = EntryPrefix::decode(self.rest)
                    .ok()
                    .map(|prefix| prefix.size_in_bytes);
                Stop::Partial {
                    needed,
                    have: self.rest.len(),
                }
            }
            other => Stop::Malformed(other),
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.stop.is_some() {
            return None;
        }
        match Entry::parse(self.rest) {
            Ok(entry) => {
                let size = entry.size_in_bytes();
                self.position += size;
                self.rest = self.rest.get(size..).unwrap_or_default();
                Some(entry)
            }
            Err(error) => {
                self.stop = Some(self.classify(error));
                None
            }
        }
    }
}

/// Iterator over the batches v2 of a buffer. An entry of an old format stops it as [`Stop::Malformed`].
#[derive(Clone, Debug)]
pub struct Batches<'a>(Entries<'a>);

impl<'a> Batches<'a> {
    /// Over `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Entries::new(bytes))
    }

    /// Bytes of the whole batches that came out so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.0.position
    }

    /// Why the walk ended; `None` while it has not.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.0.stop
    }

    /// What is behind [`position`](Self::position).
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.0.rest
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = BatchView<'a>;

    #[inline]
    fn next(&mut self) -> Option<BatchView<'a>> {
        let before = self.0.clone();
        match self.0.next()? {
            Entry::Batch(batch) => Some(batch),
            Entry::Legacy(message) => {
                let stop = Stop::Malformed(BatchError::Magic {
                    magic: message.magic(),
                });
                self.0 = Entries {
                    stop: Some(stop),
                    ..before
                };
                None
            }
        }
    }
}
