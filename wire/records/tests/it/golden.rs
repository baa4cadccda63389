//! Bytes that the Java implementation wrote are read as it means them, and ours are the same where they can be.

use super::hex;
use ottla_base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};
use ottla_records::codec::{Compression, Compressor, Decompressor, Levels};
use ottla_records::control::{ControlType, EndTxnMarker, TxnResult, quorum_batch};
use ottla_records::{
    BatchBuilder, BatchView, Batches, Entries, Entry, RecordHeader, Stop, TimestampType,
};

macro_rules! golden {
    ($name:literal) => {
        hex(include_str!(concat!("../golden/", $name, ".hex")))
    };
}

const HEADERS: [RecordHeader<'static>; 2] = [
    RecordHeader {
        key: b"h1",
        value: Some(b"a"),
    },
    RecordHeader {
        key: b"h2",
        value: Some(b"b"),
    },
];
const VALUE: &[u8] = b"value zero value zero value zero value zero";
const THIRD: &[u8] = b"the third has neither key nor headers";

fn check_batch(codec: Compression, bytes: &[u8]) {
    let batch = BatchView::parse(bytes).expect("a batch");
    batch.verify_crc().expect("Java's checksum");
    assert_eq!(batch.compression(), Some(codec));
    assert_eq!(batch.record_count(), 3);
    assert_eq!(batch.base_sequence(), Sequence(0));
    assert_eq!(batch.last_sequence(), Sequence(2));
    assert_eq!(batch.header().encode()[..], bytes[..61]);
    let mut scratch = Decompressor::new();
    let records: Vec<_> = batch
        .records(&mut scratch)
        .expect("Java's stream")
        .map(|r| r.expect("a record"))
        .collect();
    let fields: Vec<_> = records
        .iter()
        .map(|r| {
            (
                r.offset.0,
                r.key,
                r.value,
                r.headers.into_iter().collect::<Vec<_>>(),
            )
        })
        .collect();
    let expected = vec![
        (0, Some(&b"k0"[..]), Some(VALUE), HEADERS.to_vec()),
        (1, Some(b"k1"), None, HEADERS[..1].to_vec()),
        (2, None, Some(THIRD), vec![]),
    ];
    assert_eq!(fields, expected, "{codec}");
    assert_eq!(records[0].timestamp, batch.base_timestamp());
    assert_eq!(records[2].timestamp, batch.max_timestamp());
}

#[test]
fn batches_of_every_codec_are_read() {
    check_batch(Compression::None, &golden!("batch-none"));
    check_batch(Compression::Gzip, &golden!("batch-gzip"));
    check_batch(Compression::Snappy, &golden!("batch-snappy"));
    check_batch(Compression::Lz4, &golden!("batch-lz4"));
    check_batch(Compression::Zstd, &golden!("batch-zstd"));
}

#[test]
fn built_batch_is_javas_byte_for_byte() {
    let java = golden!("batch-none");
    let view = BatchView::parse(&java).unwrap();
    let (base, max) = (view.base_timestamp(), view.max_timestamp());
    let mut builder = BatchBuilder::new(Offset::ZERO)
        .leader_epoch(LeaderEpoch(0))
        .producer(ProducerId(0), ProducerEpoch(0), Sequence(0));
    builder
        .append_with_headers(base, Some(b"k0"), Some(VALUE), &HEADERS)
        .unwrap();
    builder
        .append_with_headers(max, Some(b"k1"), None, &HEADERS[..1])
        .unwrap();
    builder.append(max, None, Some(THIRD)).unwrap();
    assert_eq!(builder.uncompressed_size(), java.len());
    assert_eq!(builder.build(&mut Compressor::new()).unwrap(), java);
}

#[test]
fn our_gzip_is_javas_byte_for_byte_in_its_frame() {
    let java = golden!("batch-gzip");
    let view = BatchView::parse(&java).unwrap();
    let mut scratch = Decompressor::new();
    let plain = scratch
        .decompress(Compression::Gzip, view.payload(), limit())
        .unwrap()
        .to_vec();
    let mut ours = Vec::new();
    Compressor::new()
        .compress(Compression::Gzip, Levels::default(), &plain, &mut ours)
        .unwrap();
    assert_eq!(ours[..10], view.payload()[..10], "header");
    assert_eq!(
        ours[ours.len() - 8..],
        view.payload()[view.payload().len() - 8..],
        "trailer"
    );
}

fn limit() -> ottla_records::codec::OutputLimit {
    ottla_records::codec::OutputLimit::for_wire(0)
}

#[test]
fn commit_marker_is_kafkas_byte_for_byte() {
    let log = golden!("transaction");
    let mut batches = Batches::new(&log);
    let data = batches.next().unwrap();
    let marker = batches.next().unwrap();
    assert_eq!(
        (batches.next().is_none(), batches.stop()),
        (true, Some(Stop::End))
    );
    assert!(data.is_transactional() && !data.is_control());
    assert!(marker.is_transactional() && marker.is_control());
    let mut scratch = Decompressor::new();
    let record = marker
        .records(&mut scratch)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let decoded = EndTxnMarker::decode(record.key, record.value)
        .unwrap()
        .unwrap();
    assert_eq!(
        decoded,
        EndTxnMarker {
            result: TxnResult::Commit,
            coordinator_epoch: 0
        }
    );
    let built = decoded
        .batch(
            marker.base_timestamp(),
            marker.producer_id(),
            marker.producer_epoch(),
            LeaderEpoch(0),
        )
        .build(&mut Compressor::new())
        .unwrap();
    let mut header = *BatchView::parse(&built).unwrap().header();
    header.base_offset = marker.base_offset();
    assert_eq!([&header.encode(), &built[61..]].concat(), marker.bytes());
}

#[test]
fn first_batch_of_a_metadata_log_is_kafkas_byte_for_byte() {
    let log = golden!("leader-change");
    let batch = BatchView::parse(&log).unwrap();
    batch.verify_crc().unwrap();
    let mut scratch = Decompressor::new();
    let records: Vec<_> = batch
        .records(&mut scratch)
        .unwrap()
        .map(|record| record.unwrap())
        .collect();
    let kinds: Vec<_> = records
        .iter()
        .map(|r| ControlType::from_key(r.key).unwrap())
        .collect();
    let expected = [
        ControlType::LeaderChange,
        ControlType::KRaftVersion,
        ControlType::KRaftVoters,
    ];
    assert_eq!(kinds, expected);
    let bodies: Vec<_> = kinds
        .into_iter()
        .zip(&records)
        .map(|(kind, r)| (kind, r.value.unwrap()))
        .collect();
    let built = quorum_batch(
        Offset::ZERO,
        LeaderEpoch(1),
        batch.base_timestamp(),
        &bodies,
    )
    .unwrap();
    assert_eq!(built.build(&mut Compressor::new()).unwrap(), log);
}

fn check_legacy(magic: i8, entries: usize, append_time: bool, bytes: &[u8]) {
    let mut scratch = Decompressor::new();
    let mut walk = Entries::new(bytes);
    let mut read = Vec::new();
    for entry in walk.by_ref() {
        entry.verify_crc().expect("Java's checksum");
        assert_eq!(entry.magic(), magic);
        let Entry::Legacy(message) = entry else {
            panic!("an old message")
        };
        let append = message.timestamp_type() == TimestampType::LogAppendTime;
        assert_eq!(append, append_time);
        if entries == 1 {
            assert_eq!(
                message.offset(),
                Offset(102),
                "a wrapper has its last message's offset"
            );
            assert_eq!(message.first_offset(&mut scratch), Ok(Offset(100)));
        }
        for record in message.messages(&mut scratch).expect("Java's stream") {
            let record = record.expect("a message");
            let own = |field: Option<&[u8]>| field.map(<[u8]>::to_vec);
            read.push((
                record.offset.0,
                record.timestamp.0,
                own(record.key),
                own(record.value),
            ));
        }
    }
    assert_eq!(
        (walk.stop(), walk.position()),
        (Some(Stop::End), bytes.len())
    );
    let time = |create: i64| match (magic, append_time) {
        (0, _) => -1,
        (_, true) => 1_600_000_000_999,
        _ => create,
    };
    let text = |s: &str| Some(s.as_bytes().to_vec());
    let expected = vec![
        (
            100,
            time(1_600_000_000_000),
            text("k0"),
            text("value zero value zero value zero"),
        ),
        (101, time(1_600_000_000_005), None, text("v1")),
        (102, time(1_600_000_000_003), text("k2"), None),
    ];
    assert_eq!(read, expected);
}

#[test]
fn old_message_sets_are_read() {
    check_legacy(0, 3, false, &golden!("magic0-none"));
    check_legacy(0, 1, false, &golden!("magic0-gzip"));
    check_legacy(0, 1, false, &golden!("magic0-snappy"));
    check_legacy(0, 1, false, &golden!("magic0-lz4"));
    check_legacy(1, 3, false, &golden!("magic1-none"));
    check_legacy(1, 1, false, &golden!("magic1-gzip"));
    check_legacy(1, 1, true, &golden!("magic1-gzip-append"));
    check_legacy(1, 1, false, &golden!("magic1-snappy"));
    check_legacy(1, 1, false, &golden!("magic1-lz4"));
}

#[test]
fn old_and_new_entries_may_follow_each_other() {
    let log = [
        golden!("magic0-none"),
        golden!("magic1-gzip"),
        golden!("batch-lz4"),
    ]
    .concat();
    let seen: Vec<_> = Entries::new(&log)
        .map(|e| (e.magic(), e.stored_offset().0, e.next_offset().0))
        .collect();
    assert_eq!(
        seen,
        [
            (0, 100, 101),
            (0, 101, 102),
            (0, 102, 103),
            (1, 102, 103),
            (2, 0, 3)
        ]
    );
    let mut batches = Batches::new(&log);
    assert!(
        batches.next().is_none(),
        "an old entry stops the walk over batches"
    );
    assert_eq!(batches.position(), 0);
    assert!(matches!(batches.stop(), Some(Stop::Malformed(_))));
}

#[test]
fn append_time_is_every_records_time() {
    let mut builder = BatchBuilder::new(Offset(5)).append_time(WallMillis(77));
    builder.append(WallMillis(1), None, Some(b"a")).unwrap();
    builder.append(WallMillis(2), None, Some(b"b")).unwrap();
    let bytes = builder.build(&mut Compressor::new()).unwrap();
    let batch = BatchView::parse(&bytes).unwrap();
    assert_eq!(batch.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(
        (batch.base_timestamp(), batch.max_timestamp()),
        (WallMillis(1), WallMillis(77))
    );
    let mut scratch = Decompressor::new();
    for record in batch.records(&mut scratch).unwrap() {
        assert_eq!(record.unwrap().timestamp, WallMillis(77));
    }
}
