//! What is built is read back the same, for every codec.

use ottla_base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};
use ottla_records::codec::{Compression, Compressor, Decompressor, Levels};
use ottla_records::{BatchBuilder, BatchView, Batches, RecordHeader, Stop};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

type Bytes = Vec<u8>;
type Row = (
    i64,
    Option<Bytes>,
    Option<Bytes>,
    Vec<(Bytes, Option<Bytes>)>,
);

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 0..40), vec(0u8..4, 0..2000)]
}

fn row() -> impl Strategy<Value = Row> {
    let header = (vec(any::<u8>(), 0..10), option::of(bytes()));
    (
        any::<i64>(),
        option::of(bytes()),
        option::of(bytes()),
        vec(header, 0..4),
    )
}

fn build(codec: Compression, base: i64, rows: &[Row]) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(base))
        .compression(codec, Levels::default())
        .leader_epoch(LeaderEpoch(7))
        .producer(ProducerId(9), ProducerEpoch(3), Sequence(i32::MAX));
    for (time, key, value, headers) in rows {
        let headers: Vec<_> = headers
            .iter()
            .map(|(key, value)| RecordHeader {
                key,
                value: value.as_deref(),
            })
            .collect();
        builder
            .append_with_headers(
                WallMillis(*time),
                key.as_deref(),
                value.as_deref(),
                &headers,
            )
            .expect("small");
    }
    builder.build(&mut Compressor::new()).expect("small")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn records_come_back(
        codec in prop::sample::select(&Compression::ALL[..]),
        base in 0..i64::MAX / 2,
        rows in vec(row(), 1..30),
    ) {
        let batch = build(codec, base, &rows);
        let view = BatchView::parse(&batch).unwrap();
        view.verify_crc().unwrap();
        prop_assert_eq!(view.size_in_bytes(), batch.len());
        prop_assert_eq!(view.compression(), Some(codec));
        prop_assert_eq!(view.last_offset(), Offset(base + i64::try_from(rows.len()).unwrap() - 1));
        prop_assert_eq!(view.last_sequence(), Sequence(i32::MAX).advance(u32::try_from(rows.len()).unwrap() - 1));
        prop_assert_eq!(view.header().encode().to_vec(), batch[..61].to_vec());
        let mut scratch = Decompressor::new();
        let mut read = Vec::new();
        for (at, record) in (base..).zip(view.records(&mut scratch).unwrap()) {
            let record = record.unwrap();
            prop_assert_eq!(record.offset, Offset(at));
            let own = |b: Option<&[u8]>| b.map(<[u8]>::to_vec);
            let headers = record.headers.into_iter().map(|h| (h.key.to_vec(), own(h.value)));
            read.push((record.timestamp.0, own(record.key), own(record.value), headers.collect()));
        }
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn a_cut_buffer_gives_its_whole_batches_and_says_where_it_stopped(
        rows in vec(row(), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let first = build(Compression::None, 0, &rows);
        let second = build(Compression::Lz4, 50, &rows);
        let both = [first.clone(), second.clone()].concat();
        let cut = cut.index(both.len() + 1);
        let mut walk = Batches::new(&both[..cut]);
        let whole = walk.by_ref().count();
        let expected = usize::from(cut >= first.len()) + usize::from(cut == both.len());
        prop_assert_eq!(whole, expected);
        prop_assert_eq!(walk.position(), [0, first.len(), both.len()][whole]);
        let have = cut - walk.position();
        let size = [first.len(), second.len(), 0][whole];
        let stop = match have {
            0 => Stop::End,
            1..17 => Stop::Partial { needed: None, have },
            _ => Stop::Partial { needed: Some(size), have },
        };
        prop_assert_eq!(walk.stop(), Some(stop));
    }
}
