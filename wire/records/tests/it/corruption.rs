//! Damaged bytes are found, and never do more harm than an error.

use super::{batch_of, remade};
use ottla_records::codec::{Compression, Decompressor};
use ottla_records::{BatchError, BatchHeader, BatchView, Entries, Entry, RecordError, layout};
use proptest::collection::vec;
use proptest::prelude::*;

/// Reads everything that can be read of `bytes`; the claim is that this returns.
fn read_all(bytes: &[u8], scratch: &mut Decompressor) -> usize {
    let mut read = 0;
    for entry in Entries::new(bytes) {
        match entry {
            Entry::Batch(batch) => {
                if let Ok(records) = batch.records(scratch) {
                    for record in records.flatten() {
                        read += 1 + record.headers.into_iter().count();
                    }
                }
            }
            Entry::Legacy(message) => {
                if let Ok(messages) = message.messages(scratch) {
                    read += messages.flatten().count();
                }
            }
        }
    }
    read
}

#[test]
fn every_changed_byte_is_found_or_harmless() {
    for codec in Compression::ALL {
        let good = batch_of(codec, 20);
        for at in 0..good.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= change;
                let parsed = BatchView::parse(&bad);
                let outside = at < layout::BATCH_LENGTH
                    || (layout::PARTITION_LEADER_EPOCH..layout::MAGIC).contains(&at);
                if outside {
                    // The log assigns these; they are not under the checksum.
                    parsed.unwrap().verify_crc().unwrap();
                } else {
                    let found = parsed.is_err() || parsed.unwrap().verify_crc().is_err();
                    assert!(found, "{codec} byte {at} ^ {change:#x}");
                }
            }
        }
    }
}

#[test]
fn every_cut_is_found() {
    for codec in Compression::ALL {
        let good = batch_of(codec, 5);
        for cut in 0..good.len() {
            let error = BatchView::parse(&good[..cut]).unwrap_err();
            let needed = if cut < layout::RECORDS {
                layout::RECORDS
            } else {
                good.len()
            };
            assert_eq!(error, BatchError::Truncated { needed, have: cut });
        }
    }
}

#[test]
fn every_cut_payload_under_a_right_checksum_is_refused() {
    let mut scratch = Decompressor::new();
    for codec in Compression::ALL {
        let good = batch_of(codec, 5);
        for cut in layout::RECORDS..good.len() {
            let bad = remade(&good, &good[layout::RECORDS..cut], |_| ());
            let batch = BatchView::parse(&bad).unwrap();
            batch.verify_crc().unwrap();
            let whole = batch
                .records(&mut scratch)
                .is_ok_and(|mut records| records.all(|r| r.is_ok()));
            assert!(!whole, "{codec} cut at {cut}");
        }
    }
}

#[test]
fn record_count_must_be_exact() {
    let mut scratch = Decompressor::new();
    let good = batch_of(Compression::None, 3);
    let last = |count: i32, scratch: &mut Decompressor| {
        let bad = remade(&good, &good[layout::RECORDS..], |header| {
            header.record_count = count;
        });
        let batch = BatchView::parse(&bad).unwrap();
        batch
            .records(scratch)
            .and_then(|records| records.last().transpose())
            .map(|r| r.is_some())
    };
    assert_eq!(last(3, &mut scratch), Ok(true));
    assert_eq!(last(4, &mut scratch), Err(RecordError::Varint));
    assert!(matches!(
        last(2, &mut scratch),
        Err(RecordError::Trailing { .. })
    ));
    assert!(matches!(
        last(0, &mut scratch),
        Err(RecordError::Trailing { .. })
    ));
    assert_eq!(
        last(-1, &mut scratch),
        Err(RecordError::Count { count: -1 })
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_end_in_an_answer(bytes in vec(any::<u8>(), 0..300), magic in 0u8..3) {
        let mut bytes = bytes;
        // Most random bytes are no entry; lengths and magic that fit let more of them in.
        if bytes.len() > 20 {
            let length = i32::try_from(bytes.len() - 12).unwrap();
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            bytes[16] = magic;
        }
        read_all(&bytes, &mut Decompressor::new());
    }

    #[test]
    fn arbitrary_payloads_end_in_an_answer(
        payload in vec(any::<u8>(), 0..200),
        codec in 0i16..8,
        count in any::<i32>(),
    ) {
        let bytes = remade(&batch_of(Compression::None, 1), &payload, |header: &mut BatchHeader| {
            header.attributes.0 = codec;
            header.record_count = count;
        });
        prop_assert!(read_all(&bytes, &mut Decompressor::new()) <= payload.len().max(1) * 64);
    }

    #[test]
    fn damaged_payloads_end_in_an_answer(
        codec in prop::sample::select(&Compression::ALL[..]),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        let good = batch_of(codec, 20);
        let mut payload = good[layout::RECORDS..].to_vec();
        let at = at.index(payload.len());
        payload[at] = to;
        read_all(&remade(&good, &payload, |_| ()), &mut Decompressor::new());
    }
}
