//! Whatever a node accepts, it can read again, also after it was killed: one check guards produce and
//! recovery alike.

use std::fs;
use std::path::Path;

use ottla_base::{Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};
use ottla_protocol::{ApiKey, ErrorCode};
use ottla_records::codec::{Compression, Compressor, Decompressor, Levels};
use ottla_records::{BatchBuilder, BatchHeader, Batches, HEADER_SIZE, RecordHeader, layout};
use ottla_schema::json::{from_hex, to_hex};
use serde_json::json;

use crate::random::{Random, mangle};
use crate::whole::{Whole, with_node, with_node_in};

/// Batches that are sent.
const BATCHES: usize = 3_000;

/// Plain records of some batch, with its header.
fn good(random: &mut Random) -> (BatchHeader, Vec<u8>) {
    let mut builder = BatchBuilder::new(Offset::ZERO);
    for index in 0..=random.below(20) {
        let value = vec![random.byte(); *random.pick(&[0, 1, 10, 127, 128, 1000])];
        let key = random.one_in(2).then_some(&b"key"[..]);
        let header = |key, value| RecordHeader { key, value };
        let headers = [header(&b"h"[..], Some(&value[..])), header(&b""[..], None)];
        let headers = &headers[..random.below(3)];
        let time = WallMillis(1000 + i64::try_from(index).expect("small"));
        builder
            .append_with_headers(time, key, Some(&value), headers)
            .expect("small");
    }
    let bytes = builder.build(&mut Compressor::new()).expect("small");
    let header = BatchHeader::decode(&bytes).expect("a batch");
    (header, bytes[HEADER_SIZE..].to_vec())
}

/// A batch with a right checksum whose records or header may be wrong.
fn odd(random: &mut Random) -> Vec<u8> {
    let (mut header, mut records) = good(random);
    for _ in 0..*random.pick(&[0, 0, 1, 2]) {
        mangle(&mut records, random);
    }
    let codec = *random.pick(&Compression::ALL);
    let mut payload = Vec::new();
    Compressor::new()
        .compress(codec, Levels::default(), &records, &mut payload)
        .expect("small");
    if random.one_in(10) {
        mangle(&mut payload, random);
    }
    header.attributes = header.attributes.with_compression(codec);
    if random.one_in(3) {
        header.producer_id = ProducerId(i64::try_from(random.below(5)).expect("small"));
        header.producer_epoch = ProducerEpoch(i16::from(random.one_in(2)));
        header.base_sequence = Sequence(i32::try_from(random.below(50)).expect("small"));
    }
    let length = payload.len() + HEADER_SIZE - layout::LOG_OVERHEAD;
    header.batch_length = i32::try_from(length).expect("small");
    let mut head = header.encode().to_vec();
    if random.one_in(4) {
        // A byte of the header; the length stays, or nothing behind it would be looked at.
        let at = layout::ATTRIBUTES + random.below(HEADER_SIZE - layout::ATTRIBUTES);
        head[at] = random.byte();
    }
    let mut header = BatchHeader::decode(&head).unwrap_or(header);
    header.reseal(&payload);
    [&header.encode()[..], &payload].concat()
}

impl Whole {
    /// The whole of partition 0 of `t`, as it is fetched.
    async fn fetch_all(&self) -> Vec<u8> {
        let mut peer = self.connect().await;
        let mut all = Vec::new();
        let mut offset = Offset::ZERO;
        loop {
            let body = json!({
                "MaxWaitMs": 0, "MinBytes": 1, "MaxBytes": 1 << 20,
                "Topics": [{"Topic": "t", "Partitions": [
                    {"Partition": 0, "FetchOffset": offset.0, "PartitionMaxBytes": 1 << 20},
                ]}],
            });
            let answer = peer
                .call(ApiKey::Fetch, 12, &body)
                .await
                .expect("an answer");
            let partition = &answer["Responses"][0]["Partitions"][0];
            assert_eq!(partition["ErrorCode"], 0, "{offset}");
            let bytes = from_hex(partition["Records"].as_str().unwrap_or_default());
            let bytes = bytes.expect("bytes");
            let mut next = offset;
            let mut used = 0;
            let mut batches = Batches::new(&bytes);
            for batch in &mut batches {
                next = batch.next_offset();
                used += batch.size_in_bytes();
            }
            all.extend(&bytes[..used]);
            if next == offset {
                return all;
            }
            offset = next;
        }
    }
}

/// Reads everything as a consumer does; gives the number of records.
fn read(bytes: &[u8]) -> usize {
    let mut scratch = Decompressor::new();
    let mut count = 0;
    let mut next = Offset::ZERO;
    let mut used = 0;
    for batch in Batches::new(bytes) {
        assert_eq!(batch.base_offset(), next, "offsets have no gaps");
        batch.verify_crc().expect("the checksum is right");
        let before = count;
        for record in batch.records(&mut scratch).expect("records") {
            let record = record.expect("a record");
            let index = i64::try_from(count - before).expect("small");
            assert_eq!(record.offset.0, next.0 + index);
            assert!(record.headers.into_iter().count() < 1_000_000);
            count += 1;
        }
        next = batch.next_offset();
        used += batch.size_in_bytes();
    }
    assert_eq!(used, bytes.len());
    assert_eq!(next, Offset(i64::try_from(count).expect("small")));
    count
}

/// Copies a directory as it is, under the hands of the node that writes into it: what a killed node leaves.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("readable");
        }
    }
}

#[test]
fn what_is_accepted_is_read_again_after_a_kill() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, killed) = (dir.path().join("first"), dir.path().join("killed"));
    let random = &mut Random(7);
    let before = with_node_in(&first, &[], async |node| {
        node.create_topic("t", &[]).await;
        let mut peer = node.connect().await;
        let mut accepted = 0;
        for _ in 0..BATCHES {
            let batch = odd(random);
            let body = json!({
                "Acks": 1, "TimeoutMs": 30_000,
                "TopicData": [{"Name": "t", "PartitionData": [
                    {"Index": 0, "Records": to_hex(&batch)},
                ]}],
            });
            let answer = peer
                .call(ApiKey::Produce, 9, &body)
                .await
                .expect("an answer");
            let error = &answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"];
            accepted += usize::from(*error == ErrorCode::None.code());
        }
        assert!(accepted > BATCHES / 10, "{accepted} accepted");
        assert!(accepted < BATCHES * 9 / 10, "{accepted} accepted");
        copy(&first, &killed);
        node.fetch_all().await
    });
    assert!(read(&before) > BATCHES / 10);
    for dir in [&killed, &first] {
        let after = with_node_in(dir, &[], async |node| node.fetch_all().await);
        assert!(
            after == before,
            "{} and {} bytes",
            after.len(),
            before.len()
        );
    }
}

#[test]
fn records_that_are_right_are_accepted_as_they_are() {
    let random = &mut Random(8);
    with_node(&[], async |node| {
        node.create_topic("t", &[]).await;
        let mut count = 0;
        for codec in Compression::ALL {
            let (mut header, records) = good(random);
            let mut payload = Vec::new();
            Compressor::new()
                .compress(codec, Levels::default(), &records, &mut payload)
                .expect("small");
            header.attributes = header.attributes.with_compression(codec);
            let length = payload.len() + HEADER_SIZE - layout::LOG_OVERHEAD;
            header.batch_length = i32::try_from(length).expect("small");
            header.reseal(&payload);
            let batch = [&header.encode()[..], &payload].concat();
            let body = json!({
                "Acks": -1, "TimeoutMs": 30_000,
                "TopicData": [{"Name": "t", "PartitionData": [
                    {"Index": 0, "Records": to_hex(&batch)},
                ]}],
            });
            let answer = node
                .call(ApiKey::Produce, 9, &body)
                .await
                .expect("an answer");
            let partition = &answer["Responses"][0]["PartitionResponses"][0];
            assert_eq!(partition["ErrorCode"], 0, "{codec}: {answer}");
            count += usize::try_from(header.record_count).expect("positive");
            let all = node.fetch_all().await;
            assert!(
                all.ends_with(&payload),
                "{codec}: the records are as they were sent"
            );
            assert_eq!(read(&all), count);
        }
    });
}
