//! What can be wrong with bytes that should be batches or records.

use crate::codec::CodecError;

/// The bytes are not a whole, well-formed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than the batch, or its header, needs.
    #[error("batch is cut off needed={needed} have={have}")]
    Truncated {
        /// Bytes that the batch or its header takes.
        needed: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// The length field cannot be true.
    #[error("length field of a batch is too small length={length}")]
    LengthField {
        /// The field's value.
        length: i32,
    },
    /// The format is not the expected one.
    #[error("unexpected magic magic={magic}")]
    Magic {
        /// The byte found.
        magic: i8,
    },
    /// The bytes are not those that the checksum was made of.
    #[error("checksum does not match stored={stored} computed={computed}")]
    Crc {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
}

/// The bytes behind a header are not the records that it announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A varint is cut off or longer than its type allows.
    #[error("bad varint in a record")]
    Varint,
    /// A length reaches past the record or the batch, or is negative where it may not be.
    #[error("bad length in a record")]
    Length,
    /// The fields of a record take fewer bytes than its length says.
    #[error("a record's fields end before its length")]
    Slack,
    /// The header count is negative or larger than the bytes left.
    #[error("bad header count in a record count={count}")]
    HeaderCount {
        /// The field's value.
        count: i32,
    },
    /// The batch announces a negative number of records.
    #[error("negative record count count={count}")]
    Count {
        /// The field's value.
        count: i32,
    },
    /// Bytes follow the last record that the batch announces.
    #[error("bytes after the last record bytes={bytes}")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// A record of an old format has a magic other than its wrapper's, or is compressed within one.
    #[error("a record does not fit its wrapper")]
    Nesting,
    /// The records could not be decompressed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}
