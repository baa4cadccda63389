//! Records of a Fetch response, which usually lie in a file.

use crate::writer::{EncodeError, Writer};

/// The records of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordsPayload<'a> {
    /// No records field; older clients stumble over it where Kafka sends an empty one.
    Null,
    /// Bytes in memory.
    Inline(&'a [u8]),
    /// Bytes that are sent from elsewhere; only their length is written.
    External {
        /// Number of bytes.
        len: u32,
        /// Which bytes, in the words of whoever encodes and sends.
        tag: u64,
    },
}

impl RecordsPayload<'_> {
    /// Number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Inline(bytes) => bytes.len(),
            Self::External { len, .. } => usize::try_from(*len).unwrap_or(usize::MAX),
        }
    }

    /// Whether there is not a byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the length, and the bytes if they are in memory.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2 GiB.
    pub fn encode(&self, w: &mut Writer, flexible: bool) -> Result<(), EncodeError> {
        match self {
            Self::Null => w.nullable_bytes(None, flexible),
            Self::Inline(bytes) => w.bytes(bytes, flexible),
            Self::External { len, tag } => w.external_bytes(*len, *tag, flexible),
        }
    }
}
