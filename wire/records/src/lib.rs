//! Record batches: the bytes that producers send, segments hold and consumers get.
//!
//! | subject | module |
//! |---|---|
//! | header of a batch v2, checksum | [`BatchHeader`], [`BatchView`] |
//! | walking a buffer of entries | [`Batches`], [`Entries`] |
//! | records | [`Records`], [`RecordView`] |
//! | codecs, with a limit on their output | [`codec`] |
//! | building batches | [`BatchBuilder`], [`control`] |
//! | what a leader checks in a client's batch | [`validate`] |
//! | message sets of magic 0 and 1 | [`legacy`] |
//!
//! This crate knows no file, no clock and no request. Walking a batch allocates nothing per record; decompression uses
//! memory that its [`codec::Decompressor`] keeps.
//!
//! KIPs: 98 (batches v2, idempotence), 32 and 33 (timestamps), 110 (zstd), 390 (levels), 467 (record errors), 534
//! (delete horizon), 724 (old formats are only read).
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod batch;
mod batches;
mod builder;
pub mod codec;
pub mod control;
mod error;
mod header;
pub mod legacy;
mod record;
pub mod validate;
mod varint;

pub use batch::BatchView;
pub use batches::{Batches, Entries, Entry, EntryPrefix, Stop};
pub use builder::{BatchBuilder, BuildError};
pub use error::{BatchError, RecordError};
pub use header::{
    Attributes, BatchHeader, HEADER_SIZE, MAGIC_V2, NO_TIMESTAMP, TimestampType, crc32c, layout,
};
pub use record::{HeaderIter, Headers, RecordHeader, RecordView, Records};
