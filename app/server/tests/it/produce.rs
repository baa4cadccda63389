//! Batches that a client should not send.

use ottla_base::{Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};
use ottla_protocol::{ApiKey, ErrorCode};
use ottla_records::codec::{Compression, Compressor, Levels};
use ottla_records::{BatchBuilder, BatchHeader, HEADER_SIZE, layout};
use ottla_schema::json::to_hex;
use serde_json::{Value, json};

use crate::peer::Peer;
use crate::whole::{Whole, frame, read, with_node};

/// A batch of `count` records.
fn batch(count: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset::ZERO);
    fill(&mut builder, count);
    builder.build(&mut Compressor::new()).expect("small")
}

fn fill(builder: &mut BatchBuilder, count: usize) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    let now = WallMillis(i64::try_from(now.as_millis()).expect("fits"));
    for _ in 0..count {
        builder
            .append(now, Some(b"key"), Some(b"value"))
            .expect("small");
    }
}

/// A batch of one record of an idempotent producer.
fn of_producer(id: i64, epoch: i16, sequence: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset::ZERO).producer(
        ProducerId(id),
        ProducerEpoch(epoch),
        Sequence(sequence),
    );
    fill(&mut builder, 1);
    builder.build(&mut Compressor::new()).expect("small")
}

/// `batch` with `change` applied to its header, sealed again.
fn resealed(batch: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    remade(batch, &batch[HEADER_SIZE..], change)
}

/// `batch` with other bytes behind its header, sealed again.
fn remade(batch: &[u8], records: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut header = BatchHeader::decode(batch).expect("a batch");
    let length = records.len() + HEADER_SIZE - layout::LOG_OVERHEAD;
    header.batch_length = i32::try_from(length).expect("small");
    change(&mut header);
    header.reseal(records);
    [&header.encode(), records].concat()
}

/// `batch` with one byte changed and not sealed again.
fn changed(batch: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut batch = batch.to_vec();
    batch[at] = value;
    batch
}

fn produce_body(acks: i16, topic: &str, batches: &[Option<&[u8]>]) -> Value {
    let partitions: Vec<Value> = batches
        .iter()
        .zip(0..)
        .map(|(batch, index)| json!({"Index": index, "Records": batch.map(to_hex)}))
        .collect();
    json!({
        "Acks": acks, "TimeoutMs": 30_000,
        "TopicData": [{"Name": topic, "PartitionData": partitions}],
    })
}

impl Whole {
    /// Produces one batch to partition 0 of `topic`; gives the partition's answer.
    async fn produce(&self, topic: &str, acks: i16, batch: &[u8]) -> Value {
        let body = produce_body(acks, topic, &[Some(batch)]);
        let answer = self.call(ApiKey::Produce, 12, &body).await;
        answer.expect("an answer")["Responses"][0]["PartitionResponses"][0].clone()
    }

    async fn refuses(&self, what: &str, topic: &str, batch: &[u8], error: ErrorCode) {
        let answer = self.produce(topic, -1, batch).await;
        assert_eq!(answer["ErrorCode"], error.code(), "{what}: {answer}");
        assert_eq!(answer["BaseOffset"], -1, "{what}");
    }

    /// The end of partition 0 of a topic.
    async fn end(&self, topic: &str) -> i64 {
        let body = json!({
            "ReplicaId": -1,
            "Topics": [{"Name": topic, "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}],
        });
        let answer = self
            .call(ApiKey::ListOffsets, 7, &body)
            .await
            .expect("an answer");
        answer["Topics"][0]["Partitions"][0]["Offset"]
            .as_i64()
            .expect("an offset")
    }
}

/// What it is, and its bytes.
type Case = (&'static str, Vec<u8>);

/// Batches whose header or length is wrong: CORRUPT_MESSAGE.
fn corrupt(good: &[u8]) -> Vec<Case> {
    let length = |length: i32| resealed(good, |header| header.batch_length = length);
    vec![
        ("crc", changed(good, layout::CRC, good[layout::CRC] ^ 1)),
        ("payload", changed(good, good.len() - 1, 0x55)),
        ("magic 3", changed(good, layout::MAGIC, 3)),
        ("magic -1", changed(good, layout::MAGIC, 0xff)),
        ("length 0", length(0)),
        ("length -1", length(-1)),
    ]
}

/// Batches that are cut, or are no batch of a client: INVALID_RECORD, where Apache Kafka fails on a length of
/// 2 GiB and says the same of the others.
fn invalid(good: &[u8]) -> Vec<Case> {
    let count = |count: i32| resealed(good, |header| header.record_count = count);
    let length = i32::try_from(good.len()).expect("small");
    vec![
        ("no bytes", vec![]),
        ("three bytes", vec![0; 3]),
        ("half a header", good[..30].to_vec()),
        ("header alone", good[..HEADER_SIZE].to_vec()),
        ("last byte missing", good[..good.len() - 1].to_vec()),
        ("magic 1", changed(good, layout::MAGIC, 1)),
        ("length beyond", resealed(good, |h| h.batch_length = length)),
        (
            "longest length",
            resealed(good, |h| h.batch_length = i32::MAX),
        ),
        ("two batches", [good, good].concat()),
        (
            "base offset 7",
            resealed(good, |h| h.base_offset = Offset(7)),
        ),
        ("count too low", count(2)),
        ("count too high", count(4)),
        ("largest count", count(i32::MAX)),
        ("negative count", count(-1)),
        ("no records", remade(good, &[], |h| h.record_count = 0)),
        ("last delta", resealed(good, |h| h.last_offset_delta = 9)),
        (
            "control",
            resealed(good, |h| h.attributes = h.attributes.with_control(true)),
        ),
    ]
}

/// Batches whose records are not what their header says: INVALID_RECORD.
fn invalid_records(good: &[u8]) -> Vec<Case> {
    let records = &good[HEADER_SIZE..];
    let last = records.len() - 1;
    let of = |records: &[u8]| remade(good, records, |_| ());
    vec![
        ("record cut", of(&records[..last])),
        ("record longer", of(&[records, &[0]].concat())),
        ("header count -1", of(&changed(records, last, 1))),
        ("record length -1", of(&changed(records, 0, 1))),
    ]
}

/// Batches that cannot be decompressed: UNKNOWN_SERVER_ERROR, as from Apache Kafka.
fn not_compressed(good: &[u8]) -> Vec<Case> {
    let codec = |number: i16| resealed(good, |header| header.attributes.0 |= number);
    vec![
        ("gzip that is none", codec(1)),
        ("snappy that is none", codec(2)),
        ("lz4 that is none", codec(3)),
        ("zstd that is none", codec(4)),
        ("codec 5", codec(5)),
    ]
}

/// A batch of a transaction that nobody has begun.
fn of_transaction(good: &[u8]) -> Vec<u8> {
    resealed(good, |header| {
        header.attributes = header.attributes.with_transactional(true);
        header.producer_id = ProducerId(5);
        header.producer_epoch = ProducerEpoch(0);
        header.base_sequence = Sequence(0);
    })
}

#[test]
fn batch_that_is_none_is_refused_and_leaves_no_trace() {
    use ErrorCode::{
        CorruptMessage, InvalidRecord, MessageTooLarge, TransactionalIdAuthorizationFailed,
        UnknownServerError,
    };
    let good = batch(3);
    let all = |cases: Vec<Case>, error: ErrorCode| {
        cases
            .into_iter()
            .map(move |(what, bytes)| (what, bytes, error))
    };
    let mut cases: Vec<(&str, Vec<u8>, ErrorCode)> = Vec::new();
    cases.extend(all(corrupt(&good), CorruptMessage));
    cases.extend(all(invalid(&good), InvalidRecord));
    cases.extend(all(invalid_records(&good), InvalidRecord));
    cases.extend(all(not_compressed(&good), UnknownServerError));
    let transaction = of_transaction(&good);
    cases.push((
        "transaction",
        transaction,
        TransactionalIdAuthorizationFailed,
    ));
    cases.push(("too large", batch(100_000), MessageTooLarge));
    with_node(&[], async |node| {
        node.create_topic("t", &[]).await;
        for (what, bytes, error) in &cases {
            node.refuses(what, "t", bytes, *error).await;
        }
        assert_eq!(node.end("t").await, 0, "nothing was written");
        let answer = node.produce("t", -1, &good).await;
        assert_eq!(
            (&answer["ErrorCode"], &answer["BaseOffset"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(node.end("t").await, 3);
    });
}

/// What is odd and taken all the same, as by Apache Kafka.
#[test]
fn bytes_behind_a_batch_are_dropped_and_its_time_is_its_own() {
    with_node(&[], async |node| {
        node.create_topic("t", &[]).await;
        let good = batch(3);
        let longer = [&good[..], &[1]].concat();
        let append_time = resealed(&good, |h| h.attributes.0 |= 8);
        for (batch, offset) in [(longer, 0), (append_time, 3)] {
            let answer = node.produce("t", -1, &batch).await;
            assert_eq!(
                (&answer["ErrorCode"], &answer["BaseOffset"]),
                (&json!(0), &json!(offset))
            );
        }
        assert_eq!(node.end("t").await, 6);
    });
}

#[test]
fn one_bad_partition_leaves_the_others_of_its_request_alone() {
    with_node(&[("num.partitions", "3")], async |node| {
        let topics = json!({"Topics": [{
            "Name": "t", "NumPartitions": 3, "ReplicationFactor": 1,
        }]});
        node.call(ApiKey::CreateTopics, 7, &topics)
            .await
            .expect("an answer");
        let good = batch(1);
        let bad = changed(&good, layout::CRC, good[layout::CRC] ^ 1);
        let body = produce_body(-1, "t", &[Some(&good), Some(&bad), None, Some(&good)]);
        let answer = node
            .call(ApiKey::Produce, 12, &body)
            .await
            .expect("an answer");
        let partitions = answer["Responses"][0]["PartitionResponses"]
            .as_array()
            .expect("a list");
        let codes: Vec<&Value> = partitions.iter().map(|one| &one["ErrorCode"]).collect();
        let expected = [
            ErrorCode::None,
            ErrorCode::CorruptMessage,
            ErrorCode::InvalidRecord,
            ErrorCode::UnknownTopicOrPartition,
        ];
        assert_eq!(
            codes,
            expected
                .map(|error| json!(error.code()))
                .iter()
                .collect::<Vec<_>>()
        );
    });
}

#[test]
fn acks_are_all_one_or_none() {
    with_node(&[], async |node| {
        node.create_topic("t", &[]).await;
        for acks in [-2, 2, 5, i16::MAX, i16::MIN] {
            let answer = node.produce("t", acks, &batch(1)).await;
            assert_eq!(
                answer["ErrorCode"],
                ErrorCode::InvalidRequiredAcks.code(),
                "{acks}"
            );
        }
        assert_eq!(node.end("t").await, 0);
        // A refused batch of a producer that asks for no answer closes its connection, as in Kafka.
        let mut peer = node.connect().await;
        let bad = produce_body(0, "t", &[Some(&[0; 5])]);
        peer.send(&frame(ApiKey::Produce, 12, &bad))
            .await
            .expect("open");
        assert!(peer.is_closed().await);
    });
}

#[test]
fn largest_batch_is_a_limit_on_what_is_sent() {
    with_node(&[], async |node| {
        let exact = batch(10);
        let max = exact.len().to_string();
        node.create_topic("t", &[("max.message.bytes", &max)]).await;
        assert_eq!(node.produce("t", -1, &exact).await["ErrorCode"], 0);
        node.refuses(
            "one record more",
            "t",
            &batch(11),
            ErrorCode::MessageTooLarge,
        )
        .await;
        assert_eq!(node.end("t").await, 10);
    });
}

/// A batch of one record that is `plain` bytes of zeros, in few bytes.
fn bomb(codec: Compression, plain: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(codec, Levels::default());
    let zeros = vec![0; plain];
    builder
        .append(WallMillis(0), None, Some(&zeros))
        .expect("below the largest batch");
    builder
        .build(&mut Compressor::new())
        .expect("below the largest batch")
}

#[test]
fn few_bytes_do_not_become_many() {
    with_node(&[], async |node| {
        node.create_topic("t", &[("max.message.bytes", "20000000")])
            .await;
        for codec in [
            Compression::Gzip,
            Compression::Snappy,
            Compression::Lz4,
            Compression::Zstd,
        ] {
            let bomb = bomb(codec, 100 << 20);
            assert!(bomb.len() < 6_000_000, "{codec}: {} bytes", bomb.len());
            node.refuses(codec.name(), "t", &bomb, ErrorCode::InvalidRecord)
                .await;
        }
        assert_eq!(node.end("t").await, 0);
        assert_eq!(node.produce("t", -1, &batch(1)).await["ErrorCode"], 0);
    });
}

#[test]
fn sequences_have_neither_gaps_nor_repeats() {
    with_node(&[], async |node| {
        node.create_topic("t", &[]).await;
        let answer = node
            .call(ApiKey::InitProducerId, 4, &json!({"TransactionalId": null}))
            .await
            .expect("an answer");
        assert_eq!(answer["ErrorCode"], 0, "{answer}");
        let id = answer["ProducerId"].as_i64().expect("an id");
        let ask = async |epoch, sequence| {
            let answer = node
                .produce("t", -1, &of_producer(id, epoch, sequence))
                .await;
            (answer["ErrorCode"].clone(), answer["BaseOffset"].clone())
        };
        let error = |error: ErrorCode| (json!(error.code()), json!(-1));
        let ok = |offset: i64| (json!(0), json!(offset));
        assert_eq!(ask(0, 0).await, ok(0));
        assert_eq!(ask(0, 1).await, ok(1));
        assert_eq!(
            ask(0, 3).await,
            error(ErrorCode::OutOfOrderSequenceNumber),
            "a gap"
        );
        assert_eq!(
            ask(0, 1).await,
            ok(1),
            "a repeat has the first one's offset"
        );
        for sequence in 2..10 {
            assert_eq!(ask(0, sequence).await, ok(sequence.into()));
        }
        assert_eq!(
            ask(0, 0).await,
            error(ErrorCode::OutOfOrderSequenceNumber),
            "older than what is kept"
        );
        assert_eq!(
            ask(1, 5).await,
            error(ErrorCode::OutOfOrderSequenceNumber),
            "epoch begins at 0"
        );
        assert_eq!(ask(1, 0).await, ok(10));
        assert_eq!(
            ask(0, 10).await,
            error(ErrorCode::InvalidProducerEpoch),
            "an old epoch"
        );
        assert_eq!(node.end("t").await, 11);
    });
}

#[test]
fn request_of_many_partitions_does_not_hold_up_others() {
    with_node(&[("ottla.workers", "1")], async |node| {
        node.create_topic("t", &[]).await;
        let good = batch(1);
        let partitions: Vec<Value> = (0..100_000)
            .map(|index| json!({"Index": index, "Records": if index == 0 { to_hex(&good).into() } else { Value::Null }}))
            .collect();
        let body = json!({
            "Acks": 1, "TimeoutMs": 1000,
            "TopicData": [{"Name": "t", "PartitionData": partitions}],
        });
        let begun = std::time::Instant::now();
        let answer = node
            .call(ApiKey::Produce, 12, &body)
            .await
            .expect("an answer");
        let answers = answer["Responses"][0]["PartitionResponses"]
            .as_array()
            .expect("a list");
        assert_eq!(answers.len(), 100_000);
        // Looking at each pair of them would take minutes.
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    });
}

#[test]
fn requests_on_one_connection_are_answered_in_order_whatever_they_wait_for() {
    with_node(&[], async |node| {
        node.create_topic("t", &[]).await;
        let mut peer = node.connect().await;
        let produce = produce_body(-1, "t", &[Some(&batch(1))]);
        let refused = produce_body(-1, "t", &[Some(&[0; 7])]);
        let metadata = json!({"Topics": [{"Name": "t"}]});
        let mut all = Vec::new();
        let mut expected = Vec::new();
        for round in 0..100 {
            let (api, version, body) = match round % 3 {
                0 => (ApiKey::Produce, 9, &produce),
                1 => (ApiKey::Metadata, 9, &metadata),
                _ => (ApiKey::Produce, 9, &refused),
            };
            all.extend(frame(api, version, body));
            expected.push(api);
        }
        peer.send(&all).await.expect("open");
        for (api, round) in expected.into_iter().zip(0..) {
            let answer = read_next(&mut peer, api).await;
            if round % 3 == 0 {
                let partition = &answer["Responses"][0]["PartitionResponses"][0];
                assert_eq!(partition["BaseOffset"], round / 3, "{answer}");
            }
        }
    });
}

async fn read_next(peer: &mut Peer, api: ApiKey) -> Value {
    let bytes = peer.answer().await.expect("an answer");
    read(api, 9, &bytes)
}
