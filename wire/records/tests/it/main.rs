//! Tests of the crate from outside.
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

mod allocations;
mod codecs;
mod corruption;
mod golden;
mod roundtrip;
mod validation;

use ottla_base::{Offset, WallMillis};
use ottla_records::codec::{Compression, Compressor, Levels};
use ottla_records::{BatchBuilder, BatchHeader, HEADER_SIZE};

/// The bytes of an annotated hex file: everything behind `#` is a comment.
fn hex(text: &str) -> Vec<u8> {
    let digits: String = text
        .lines()
        .flat_map(|line| line.split('#').next())
        .flat_map(|data| data.split_whitespace())
        .collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// A batch of `count` records of 100 bytes.
fn batch_of(codec: Compression, count: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(codec, Levels::default());
    for i in 0..count {
        let value = format!("{:0>100}", i * i % 997);
        builder
            .append(
                WallMillis(1_000_000 + i),
                Some(b"key"),
                Some(value.as_bytes()),
            )
            .expect("small");
    }
    builder.build(&mut Compressor::new()).expect("small")
}

/// `batch` with other bytes behind its header and `change` applied to the header, sealed again.
fn remade(batch: &[u8], payload: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut header = BatchHeader::decode(batch).expect("a batch");
    header.batch_length = i32::try_from(payload.len() + HEADER_SIZE - 12).expect("small");
    change(&mut header);
    header.reseal(payload);
    [&header.encode(), payload].concat()
}
