//! Record batches of a given shape, built once and sent many times.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use ottla_base::{Offset, WallMillis};
use ottla_records::BatchBuilder;
use ottla_records::codec::{Compression, Compressor, Levels};

/// How many records a batch has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Records {
    /// So many.
    Count(u32),
    /// As many as fit into so many bytes before compression.
    Fill(usize),
}

/// What the values hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Payload {
    /// Bytes that no codec shortens.
    Noise,
    /// Lines of JSON with a few changing fields.
    Text,
}

/// A batch in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Bytes of a record's value; there is no key, as in the perf tools of others.
    pub(crate) value_bytes: usize,
    /// Records in the batch.
    pub(crate) records: Records,
    /// Codec of the producer.
    pub(crate) codec: Compression,
    /// What the values hold.
    pub(crate) payload: Payload,
}

/// Wall clock, as record timestamps count it.
fn now_ms() -> WallMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// xorshift64: the same noise in every run.
fn next_noise(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn fill(value: &mut [u8], payload: Payload, state: &mut u64) {
    match payload {
        Payload::Noise => {
            for chunk in value.chunks_mut(8) {
                let bytes = next_noise(state).to_le_bytes();
                chunk.copy_from_slice(&bytes[..chunk.len()]);
            }
        }
        Payload::Text => {
            let n = next_noise(state);
            let (user, level, taken) = (n % 1_000, n / 1_000 % 4, n / 4_000 % 100);
            let line = format!(
                "{{\"user\":{user},\"level\":\"{}\",\"path\":\"/api/v1/items\",\"took_ms\":{taken},\"host\":\"web-1\"}}",
                ["debug", "info", "warn", "error"][usize::try_from(level).unwrap_or(0)]
            );
            let mut source = line.bytes().cycle();
            value.fill_with(|| source.next().unwrap_or(b' '));
        }
    }
}

/// Builds the batch. `seed` makes it differ from others of the same shape. Returns the bytes and the number of records.
///
/// # Errors
/// If the batch would be larger than the format allows.
pub(crate) fn build_batch(shape: &Shape, seed: u64) -> Result<(Vec<u8>, u32)> {
    let now = now_ms();
    let mut builder = BatchBuilder::new(Offset(0)).compression(shape.codec, Levels::default());
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut value = vec![0; shape.value_bytes];
    let mut count = 0;
    // Length, attributes, two deltas, key and value length, header count: never more than this.
    let record_max = shape.value_bytes + 16;
    loop {
        let full = match shape.records {
            Records::Count(wanted) => count >= wanted,
            Records::Fill(bytes) => builder.uncompressed_size() + record_max > bytes,
        };
        if full {
            break;
        }
        fill(&mut value, shape.payload, &mut state);
        builder.append(now, None, Some(&value))?;
        count += 1;
    }
    Ok((builder.build(&mut Compressor::new())?, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_give_the_records_and_bytes_they_say() {
        let check = |records, codec, payload, at_most: usize, at_least: usize| {
            let shape = Shape {
                value_bytes: 100,
                records,
                codec,
                payload,
            };
            let (bytes, count) = build_batch(&shape, 7).expect("fits");
            assert!(bytes.len() <= at_most, "{} bytes", bytes.len());
            assert!(bytes.len() >= at_least, "{} bytes", bytes.len());
            count
        };
        assert_eq!(
            check(
                Records::Count(1),
                Compression::None,
                Payload::Noise,
                170,
                165
            ),
            1
        );
        let full = check(
            Records::Fill(1 << 20),
            Compression::None,
            Payload::Noise,
            1 << 20,
            1_048_000,
        );
        assert!(full > 9_000);
        check(
            Records::Count(9_000),
            Compression::Lz4,
            Payload::Text,
            400_000,
            10_000,
        );
    }
}
