//! What is accepted from clients, how it is changed, and what is refused: the answers of Apache Kafka 4.4.0 to the same
//! bytes, apart from the differences that the code names.

use super::{batch_of, remade};
use ottla_base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};
use ottla_records::codec::{Compression, Compressor, Decompressor, Levels};
use ottla_records::validate::{
    Payload, ProduceRefusal, ProduceRules, REJECTIONS_MAX, RejectionReason, Scratch,
    TargetCompression, Validated, validate_produce,
};
use ottla_records::{
    Attributes, BatchBuilder, BatchError, BatchHeader, BatchView, HEADER_SIZE, RecordError,
    TimestampType,
};

const NOW: WallMillis = WallMillis(1_000_000);
const HOUR: i64 = 3_600_000;

/// A topic with Kafka's defaults.
pub(crate) fn rules() -> ProduceRules {
    ProduceRules {
        now: NOW,
        max_message_bytes: 1_048_588,
        segment_bytes: 1 << 30,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: HOUR,
        compression: TargetCompression::Producer,
        levels: Levels::default(),
        zstd_known: true,
    }
}

fn validate<'a>(batch: &'a [u8], rules: &ProduceRules) -> Result<Validated<'a>, ProduceRefusal> {
    validate_produce(batch, rules, &mut Scratch::default())
}

fn refusal(batch: &[u8], rules: &ProduceRules) -> ProduceRefusal {
    validate(batch, rules).expect_err("must be refused")
}

/// Three records at `NOW`, `NOW` + 1 and `NOW` + 2.
fn good() -> Vec<u8> {
    batch_of(Compression::None, 3)
}

fn with_header(change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let good = good();
    remade(&good, &good[HEADER_SIZE..], change)
}

/// One batch of records given as (timestamp, key).
fn batch(codec: Compression, records: &[(i64, Option<&[u8]>)]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(codec, Levels::default());
    for (time, key) in records {
        builder
            .append(WallMillis(*time), *key, Some(b"v"))
            .expect("small");
    }
    builder.build(&mut Compressor::new()).expect("small")
}

/// A batch of one record whose bytes are `record`, without its length.
fn of_bytes(record: &[u8]) -> Vec<u8> {
    let len = u8::try_from(record.len() * 2).expect("short, and one byte as a varint");
    let payload = [&[len][..], record].concat();
    remade(&good(), &payload, |header| {
        header.record_count = 1;
        header.last_offset_delta = 0;
        header.max_timestamp = header.base_timestamp;
    })
}

/// Written as the log would write it at offset 1000, epoch 5.
fn stored(validated: &Validated<'_>) -> Vec<u8> {
    let mut header = validated.header;
    header.base_offset = Offset(1000);
    header.partition_leader_epoch = LeaderEpoch(5);
    let bytes = [&header.encode(), validated.payload.as_slice()].concat();
    let view = BatchView::parse(&bytes).expect("whole");
    view.verify_crc()
        .expect("base offset and epoch are not under the checksum");
    assert_eq!(view.size_in_bytes(), bytes.len());
    bytes
}

#[test]
fn stored_batch_is_the_sent_one_apart_from_offset_and_epoch() {
    for codec in Compression::ALL {
        let sent = batch_of(codec, 40);
        let stored = stored(&validate(&sent, &rules()).unwrap());
        assert_eq!(stored[..8], 1000i64.to_be_bytes(), "{codec}");
        assert_eq!(stored[8..12], sent[8..12], "{codec}");
        assert_eq!(stored[12..16], 5i32.to_be_bytes(), "{codec}");
        assert_eq!(stored[16..], sent[16..], "{codec}");
    }
}

#[test]
fn append_time_changes_bit_max_timestamp_and_checksum_only() {
    for codec in Compression::ALL {
        let sent = batch_of(codec, 3);
        let topic = ProduceRules {
            timestamp_type: TimestampType::LogAppendTime,
            ..rules()
        };
        let validated = validate(&sent, &topic).unwrap();
        assert_eq!(validated.log_append_time, Some(NOW));
        assert!(matches!(validated.payload, Payload::AsReceived(_)));
        let stored = stored(&validated);
        let (was, is) = (BatchHeader::decode(&sent).unwrap(), validated.header);
        let timestamp_type = TimestampType::LogAppendTime;
        let attributes = was.attributes.with_timestamp_type(timestamp_type);
        let expected = BatchHeader {
            attributes,
            max_timestamp: NOW,
            crc: is.crc,
            ..was
        };
        assert_eq!(is, expected);
        assert_eq!(stored[HEADER_SIZE..], sent[HEADER_SIZE..]);
    }
}

#[test]
fn wrong_max_timestamp_is_set_right_and_meaningless_bits_go_with_it() {
    let sent = with_header(|header| header.max_timestamp = WallMillis(NOW.0 + 77));
    assert_eq!(
        stored(&validate(&sent, &rules()).unwrap())[16..],
        good()[16..]
    );
    let bits = Attributes(0x0280);
    let kept = with_header(|header| header.attributes = bits);
    assert_eq!(validate(&kept, &rules()).unwrap().header.attributes, bits);
    let dropped = with_header(|header| {
        header.attributes = bits;
        header.max_timestamp = WallMillis(0);
    });
    assert_eq!(
        stored(&validate(&dropped, &rules()).unwrap())[16..],
        good()[16..]
    );
}

#[test]
fn clients_append_time_bit_is_cleared_or_refused() {
    let claimed = with_header(|header| header.attributes = Attributes(8));
    let validated = validate(&claimed, &rules()).unwrap();
    assert_eq!(
        stored(&validated)[16..],
        good()[16..],
        "cleared on a topic with create time"
    );

    let append = ProduceRules {
        timestamp_type: TimestampType::LogAppendTime,
        ..rules()
    };
    let ProduceRefusal::Timestamps { rejections } = refusal(&claimed, &append) else {
        panic!("INVALID_TIMESTAMP on a topic with append time")
    };
    assert_eq!(rejections.len(), 3);
    assert_eq!(
        rejections[1].message(&"t-0"),
        "Invalid timestamp type in message DefaultRecord(offset=1, timestamp=1000002, key=3 bytes, value=100 bytes). \
         Producer should not set timestamp type to LogAppendTime."
    );
    let untimed = with_header(|header| {
        header.attributes = Attributes(8);
        header.max_timestamp = WallMillis(-1);
    });
    assert!(matches!(
        refusal(&untimed, &rules()),
        ProduceRefusal::Timestamps { .. }
    ));
}

#[test]
fn timestamps_have_limits_on_both_sides() {
    let topic = ProduceRules {
        timestamp_before_max_ms: 10,
        ..rules()
    };
    let key = Some(&b"k"[..]);
    for codec in [Compression::None, Compression::Lz4] {
        let edge = batch(codec, &[(NOW.0 - 10, key), (NOW.0 + HOUR, key), (-1, key)]);
        assert!(validate(&edge, &topic).is_ok());
        for bad in [NOW.0 - 11, NOW.0 + HOUR + 1, i64::MIN, i64::MAX, -2] {
            let bytes = batch(codec, &[(NOW.0, key), (bad, key), (-1, key)]);
            let refused = refusal(&bytes, &topic);
            let ProduceRefusal::Timestamps { rejections } = &refused else {
                panic!("{refused}")
            };
            assert_eq!(rejections.len(), 1);
            assert_eq!(rejections[0].index, 1);
            assert_eq!(
                rejections[0].message(&"t-0"),
                format!(
                    "Timestamp {bad} of message with offset 1 is out of range. The timestamp should be within \
                     [{}, {}]",
                    NOW.0 - 10,
                    NOW.0 + HOUR
                )
            );
        }
    }
    let old = batch(Compression::None, &[(i64::MIN, key)]);
    assert!(
        validate(&old, &rules()).is_ok(),
        "no limit on the past by default"
    );
    let negative = batch(Compression::None, &[(-5, key)]);
    let max = validate(&negative, &rules()).unwrap().header.max_timestamp;
    assert_eq!(max, WallMillis(-1), "a max timestamp is never below -1");
}

#[test]
fn compacted_topics_name_the_records_without_key() {
    let topic = ProduceRules {
        compacted: true,
        ..rules()
    };
    let (key, now) = (Some(&b"k"[..]), NOW.0);
    for codec in [Compression::None, Compression::Zstd] {
        let bytes = batch(codec, &[(now, key), (now, None), (now, key), (now, None)]);
        let refused = refusal(&bytes, &topic);
        let indexes: Vec<_> = refused
            .rejections()
            .iter()
            .map(|r| (r.index, r.reason))
            .collect();
        assert_eq!(
            indexes,
            [(1, RejectionReason::NullKey), (3, RejectionReason::NullKey)]
        );
        assert_eq!(
            refused.message(&"b-cp-0").unwrap(),
            "One or more records have been rejected due to 2 record errors in total, and only showing the first three \
             errors at most: [RecordError(batchIndex=1, message='Compacted topic cannot accept message without key in \
             topic partition b-cp-0'), RecordError(batchIndex=3, message='Compacted topic cannot accept message \
             without key in topic partition b-cp-0')]"
        );
        assert!(validate(&bytes, &rules()).is_ok());
    }
    // One bad timestamp makes it INVALID_TIMESTAMP; a record without key is not asked for its time.
    let both = batch(
        Compression::None,
        &[(now, None), (now + 5 * HOUR, key), (now + 5 * HOUR, None)],
    );
    let refused = refusal(&both, &topic);
    assert!(matches!(refused, ProduceRefusal::Timestamps { .. }));
    assert_eq!(
        refused.message(&"t-0").unwrap(),
        "One or more records have been rejected due to invalid timestamp"
    );
    let null_key: Vec<_> = refused
        .rejections()
        .iter()
        .map(|r| r.reason == RejectionReason::NullKey)
        .collect();
    assert_eq!(null_key, [true, false, true]);
}

#[test]
fn listed_rejections_are_bounded() {
    let records = vec![(NOW.0, None); REJECTIONS_MAX + 5];
    let topic = ProduceRules {
        compacted: true,
        ..rules()
    };
    let refused = refusal(&batch(Compression::None, &records), &topic);
    let ProduceRefusal::Records { count, rejections } = refused else {
        panic!("{refused}")
    };
    assert_eq!(
        (count, rejections.len()),
        (REJECTIONS_MAX + 5, REJECTIONS_MAX)
    );
}

#[test]
fn headers_that_cannot_be_are_refused() {
    type Expected = fn(&ProduceRefusal) -> bool;
    let count: Expected = |r| matches!(r, ProduceRefusal::RecordCount { .. });
    let cases: Vec<(&str, Vec<u8>, Expected)> = vec![
        (
            "base offset",
            with_header(|h| h.base_offset = Offset(7)),
            |r| matches!(r, ProduceRefusal::BaseOffset { .. }),
        ),
        (
            "control",
            with_header(|h| h.attributes = Attributes(0x20)),
            |r| matches!(r, ProduceRefusal::ControlBatch),
        ),
        (
            "producer without sequence",
            with_header(|h| h.producer_id = ProducerId(5)),
            |r| matches!(r, ProduceRefusal::NoSequence { .. }),
        ),
        (
            "last offset delta",
            with_header(|h| h.last_offset_delta = 5),
            count,
        ),
        ("count -1", with_header(|h| h.record_count = -1), count),
        ("count 0", with_header(|h| h.record_count = 0), count),
        (
            "no records",
            with_header(|h| (h.record_count, h.last_offset_delta) = (0, -1)),
            count,
        ),
        (
            "largest delta",
            with_header(|h| (h.record_count, h.last_offset_delta) = (i32::MIN, i32::MAX)),
            count,
        ),
        (
            "one record less",
            with_header(|h| (h.record_count, h.last_offset_delta) = (2, 1)),
            |r| {
                matches!(
                    r,
                    ProduceRefusal::RecordFormat(RecordError::Trailing { .. })
                )
            },
        ),
        (
            "one record more",
            with_header(|h| (h.record_count, h.last_offset_delta) = (4, 3)),
            |r| matches!(r, ProduceRefusal::RecordFormat(_)),
        ),
        (
            "codec 5",
            with_header(|h| h.attributes = Attributes(5)),
            |r| matches!(r, ProduceRefusal::UnknownCodec { id: 5 }),
        ),
        (
            "no gzip stream",
            with_header(|h| h.attributes = Attributes(1)),
            |r| {
                matches!(
                    r,
                    ProduceRefusal::CorruptStream {
                        codec: Compression::Gzip
                    }
                )
            },
        ),
    ];
    for (what, bytes, expected) in cases {
        let refused = refusal(&bytes, &rules());
        assert!(expected(&refused), "{what}: {refused}");
    }
    let ids = with_header(|h| {
        h.producer_id = ProducerId(5);
        h.producer_epoch = ProducerEpoch(0);
        h.base_sequence = Sequence(0);
    });
    assert!(validate(&ids, &rules()).is_ok());
}

#[test]
fn exactly_one_whole_batch_is_taken() {
    let one = good();
    let mut magic_3 = one.clone();
    magic_3[16] = 3;
    let mut negative = one.clone();
    negative[8..12].copy_from_slice(&(-1i32).to_be_bytes());
    let mut corrupt = one.clone();
    corrupt[100] ^= 1;
    let old = super::hex(include_str!("../golden/magic1-none.hex"));
    let join = |behind: &[u8]| [&one[..], behind].concat();
    let taken = |bytes: &[u8]| validate(bytes, &rules()).map(|v| v.size_in_bytes());
    assert_eq!(
        taken(&join(&one[..one.len() - 1])),
        Ok(one.len()),
        "a cut second batch is ignored"
    );
    assert_eq!(taken(&join(&[0; 10])), Ok(one.len()), "so are a few bytes");
    assert_eq!(taken(&join(&one)), Err(ProduceRefusal::SeveralBatches));
    assert!(matches!(
        taken(&join(&[0; 30])),
        Err(ProduceRefusal::Malformed(_))
    ));
    assert_eq!(taken(&[]), Err(ProduceRefusal::NoBatch));
    assert_eq!(taken(&one[..one.len() - 1]), Err(ProduceRefusal::NoBatch));
    assert_eq!(taken(&old), Err(ProduceRefusal::OldMagic { magic: 1 }));
    let magic = taken(&magic_3).unwrap_err();
    assert_eq!(
        magic,
        ProduceRefusal::Malformed(BatchError::Magic { magic: 3 })
    );
    assert_eq!(
        magic.message(&"t-0").unwrap(),
        "Invalid magic found in record: 3"
    );
    assert_eq!(
        taken(&negative).unwrap_err().message(&"t-0").unwrap(),
        "Record size -1 is less than the minimum record overhead (14)"
    );
    assert!(matches!(
        taken(&corrupt),
        Err(ProduceRefusal::Malformed(BatchError::Crc { .. }))
    ));
    let zstd = batch_of(Compression::Zstd, 1);
    let before_v7 = ProduceRules {
        zstd_known: false,
        ..rules()
    };
    assert_eq!(refusal(&zstd, &before_v7), ProduceRefusal::ZstdTooEarly);
    assert!(validate(&batch_of(Compression::Lz4, 1), &before_v7).is_ok());
}

#[test]
fn records_are_read_as_strictly_as_java_reads_them() {
    // attributes, timestamp delta, offset delta, key length, value length, header count
    let fine: &[(&str, &[u8])] = &[
        ("null key and value", &[0, 0, 0, 1, 1, 0]),
        ("any negative length is null", &[0, 0, 0, 9, 17, 0]),
        ("attributes have no meaning", &[7, 0, 0, 1, 1, 0]),
        (
            "header value of length -7",
            &[0, 0, 0, 1, 1, 2, 2, b'h', 13],
        ),
    ];
    for (what, record) in fine {
        assert!(validate(&of_bytes(record), &rules()).is_ok(), "{what}");
    }
    let bad: &[(&str, &[u8], RecordError)] = &[
        (
            "negative header count",
            &[0, 0, 0, 1, 1, 1],
            RecordError::HeaderCount { count: -1 },
        ),
        (
            "header count too large",
            &[0, 0, 0, 1, 1, 20],
            RecordError::HeaderCount { count: 10 },
        ),
        (
            "null header key",
            &[0, 0, 0, 1, 1, 2, 1, 1],
            RecordError::Length,
        ),
        ("bytes behind", &[0, 0, 0, 1, 1, 0, 9], RecordError::Slack),
        (
            "key past the record",
            &[0, 0, 0, 100, 1, 0],
            RecordError::Length,
        ),
        ("no header count", &[0, 0, 0, 1, 1], RecordError::Varint),
        ("nothing", &[], RecordError::Length),
    ];
    for (what, record, error) in bad {
        let refused = refusal(&of_bytes(record), &rules());
        assert_eq!(refused, ProduceRefusal::RecordFormat(*error), "{what}");
    }
    let renumbered = refusal(&of_bytes(&[0, 0, 10, 1, 1, 0]), &rules());
    assert_eq!(
        renumbered,
        ProduceRefusal::OffsetDelta { index: 0, delta: 5 }
    );
}

#[test]
fn sizes_are_limited_as_sent_and_as_stored() {
    let sent = batch_of(Compression::None, 50);
    let exact = ProduceRules {
        max_message_bytes: sent.len(),
        ..rules()
    };
    assert!(validate(&sent, &exact).is_ok());
    let below = ProduceRules {
        max_message_bytes: sent.len() - 1,
        ..rules()
    };
    let (bytes, limit) = (sent.len(), sent.len() - 1);
    assert_eq!(
        refusal(&sent, &below),
        ProduceRefusal::TooLarge { bytes, limit }
    );
    let segment = ProduceRules {
        segment_bytes: limit,
        ..rules()
    };
    assert_eq!(
        refusal(&sent, &segment),
        ProduceRefusal::LargerThanSegment { bytes, limit }
    );
    // The compressed size counts, also where decompressed records are stored.
    let small = batch_of(Compression::Zstd, 50);
    assert!(validate(&small, &below).is_ok());
    let plain = TargetCompression::Codec(Compression::None);
    let grown = ProduceRules {
        compression: plain,
        ..below
    };
    assert!(matches!(
        refusal(&small, &grown),
        ProduceRefusal::TooLarge { .. }
    ));
}

#[test]
fn another_codec_rebuilds_the_batch_and_nothing_else_changes() {
    let mut builder = BatchBuilder::new(Offset::ZERO)
        .producer(ProducerId(3), ProducerEpoch(4), Sequence(5))
        .transactional();
    let header = ottla_records::RecordHeader {
        key: b"h",
        value: None,
    };
    builder
        .append_with_headers(WallMillis(NOW.0 + 10), None, Some(b"a"), &[header])
        .unwrap();
    builder
        .append(WallMillis(NOW.0 - 5), Some(b"k"), None)
        .unwrap();
    let plain = builder.clone().build(&mut Compressor::new()).unwrap();
    for target in Compression::ALL {
        for source in Compression::ALL {
            let sent = builder.clone().compression(source, Levels::default());
            let sent = sent.build(&mut Compressor::new()).unwrap();
            let compression = TargetCompression::Codec(target);
            let topic = ProduceRules {
                compression,
                ..rules()
            };
            let validated = validate(&sent, &topic).unwrap();
            assert_eq!(
                matches!(validated.payload, Payload::Rebuilt(_)),
                source != target
            );
            let stored = stored(&validated);
            let view = BatchView::parse(&stored).unwrap();
            let (is, was) = (*view.header(), BatchHeader::decode(&plain).unwrap());
            let expected = BatchHeader {
                base_offset: Offset(1000),
                partition_leader_epoch: LeaderEpoch(5),
                attributes: was.attributes.with_compression(target),
                batch_length: is.batch_length,
                crc: is.crc,
                ..was
            };
            assert_eq!(is, expected, "{source} to {target}");
            let (mut left, mut right) = (Decompressor::new(), Decompressor::new());
            let records = view.records(&mut left).unwrap().map(|r| r.unwrap());
            let plain = BatchView::parse(&plain).unwrap();
            let originals = plain.records(&mut right).unwrap().map(|r| r.unwrap());
            for (is, was) in records.zip(originals) {
                assert_eq!(is.offset.0, was.offset.0 + 1000);
                let fields = |r: ottla_records::RecordView<'_>| (r.timestamp, r.offset_delta);
                assert_eq!(fields(is), fields(was));
                assert_eq!(
                    (is.key, is.value, is.headers),
                    (was.key, was.value, was.headers)
                );
            }
        }
    }
    let append = ProduceRules {
        timestamp_type: TimestampType::LogAppendTime,
        compression: TargetCompression::Codec(Compression::Gzip),
        ..rules()
    };
    let header = validate(&plain, &append).unwrap().header;
    assert_eq!(
        header.base_timestamp,
        WallMillis(NOW.0 + 10),
        "stays as sent"
    );
    assert_eq!(header.max_timestamp, NOW);
    assert_eq!(
        header.attributes.timestamp_type(),
        TimestampType::LogAppendTime
    );
}

#[test]
fn a_bomb_is_refused() {
    let mut builder =
        BatchBuilder::new(Offset::ZERO).compression(Compression::Zstd, Levels::default());
    builder.append(NOW, None, Some(&vec![0; 65 << 20])).unwrap();
    let bomb = builder.build(&mut Compressor::new()).unwrap();
    assert!(bomb.len() < 10_000);
    assert!(matches!(
        refusal(&bomb, &rules()),
        ProduceRefusal::DecompressedTooLarge { .. }
    ));
}
