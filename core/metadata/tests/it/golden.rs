//! Apache Kafka's bytes, read and written back.

use std::sync::Arc;

use ottla_base::{LeaderEpoch, NodeId, Offset};
use ottla_metadata::{ConfigResource, MetadataDelta, MetadataImage, MetadataRecord};

const LOG: &str = include_str!("../golden/kafka-4.4-log.txt");
const SNAPSHOT: &str = include_str!("../golden/kafka-4.4-snapshot.txt");
/// The snapshot holds what lies below this offset.
const SNAPSHOT_END: i64 = 104;

/// Offset and value of each record of a fixture.
fn records(text: &str) -> Vec<(i64, Vec<u8>)> {
    let bytes = |hex: &str| {
        (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
            .collect()
    };
    let line = |line: &str| {
        let mut fields = line.split(' ');
        (
            fields.next().unwrap().parse().unwrap(),
            bytes(fields.next().unwrap()),
        )
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(line)
        .collect()
}

fn image_of(records: impl Iterator<Item = (i64, Vec<u8>)>) -> MetadataImage {
    let mut delta = MetadataDelta::new(Arc::new(MetadataImage::default()));
    for (_, value) in records {
        delta
            .apply(&MetadataRecord::decode_framed(&value).unwrap().record)
            .unwrap();
    }
    delta.into_image(Offset(0), LeaderEpoch(0))
}

#[test]
fn kafkas_records_are_written_back_byte_for_byte() {
    let mut seen = 0;
    for (offset, value) in records(LOG).into_iter().chain(records(SNAPSHOT)) {
        let record = MetadataRecord::decode_framed(&value).unwrap();
        let mut written = Vec::new();
        record.encode_framed(&mut written).unwrap();
        assert_eq!(written, value, "offset {offset}: {record:?}");
        let version = ottla_metadata::MetadataVersion::LATEST;
        assert_eq!(
            record.record.version_at(version),
            record.version,
            "offset {offset}"
        );
        seen += 1;
    }
    assert!(seen > 100, "the fixtures are not empty");
}

#[test]
fn kafkas_log_and_its_snapshot_give_the_same_image() {
    let log = image_of(
        records(LOG)
            .into_iter()
            .filter(|(offset, _)| *offset < SNAPSHOT_END),
    );
    let snapshot = image_of(records(SNAPSHOT).into_iter());
    assert!(log.same_content(&snapshot), "{log:#?}\n{snapshot:#?}");
}

#[test]
fn snapshot_has_kafkas_records_in_kafkas_order() {
    let image = image_of(records(SNAPSHOT).into_iter());
    let mut written = Vec::new();
    image.write(&mut |record| {
        let mut value = Vec::new();
        record.encode_framed(&mut value).unwrap();
        written.push((record.record.type_id(), value));
    });
    let kafkas: Vec<(u32, Vec<u8>)> = records(SNAPSHOT)
        .into_iter()
        .map(|(_, value)| {
            (
                MetadataRecord::decode_framed(&value)
                    .unwrap()
                    .record
                    .type_id(),
                value,
            )
        })
        .collect();
    let kinds = |records: &[(u32, Vec<u8>)]| {
        // Topics and their partitions alternate, and Kafka's hash map decides in which order.
        let mut kinds: Vec<u32> = records
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| *id != 3)
            .collect();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds(&written), kinds(&kafkas));
    assert_eq!(
        written.first(),
        kafkas.first(),
        "metadata.version comes first"
    );

    // The features of a registration are in the order of Kafka's hash map, too.
    let sorted = |records: &[(u32, Vec<u8>)]| {
        let mut values: Vec<Vec<u8>> = records
            .iter()
            .filter(|(id, _)| ![0, 27].contains(id))
            .map(|r| r.1.clone())
            .collect();
        values.sort();
        values
    };
    assert_eq!(sorted(&written), sorted(&kafkas));
    assert_eq!(written.len(), kafkas.len());
}

#[test]
fn log_ends_in_the_state_that_kafka_shows() {
    let image = image_of(records(LOG).into_iter());
    assert_eq!(image.features.metadata_version.unwrap().name(), "4.4-IV2");
    assert!(image.features.elr_enabled());
    assert_eq!(image.next_producer_id, Some(1000));
    let names: Vec<&str> = image.topics.names().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a.b", "after", "last", "last2", "manual"]);
    let topic = image.topics.by_name("a.b").unwrap();
    assert_eq!(topic.partitions.len(), 4);
    let partition = topic.partition(0).unwrap();
    assert_eq!(partition.leader, NodeId::NONE);
    assert_eq!(*partition.elr, [NodeId(1)]);
    assert_eq!(
        (partition.leader_epoch.0, partition.partition_epoch.0),
        (5, 6)
    );
    assert_eq!(
        image
            .configs
            .value(&ConfigResource::topic("a.b"), "min.insync.replicas"),
        Some("2")
    );
    assert_eq!(
        image
            .configs
            .value(&ConfigResource::topic("a.b"), "retention.ms"),
        None
    );
    let broker = image.cluster.broker(NodeId(1)).unwrap();
    assert!(broker.fenced && broker.in_controlled_shutdown);
    assert_eq!(broker.epoch.0, 73);
}

#[test]
fn damaged_records_are_refused() {
    let check = |value: &[u8], text: &str| {
        let error = MetadataRecord::decode_framed(value)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(text), "{error}");
    };
    check(
        &[2, 20, 0, 0],
        "metadata record has an unknown frame version version=2",
    );
    check(&[1, 6, 0, 0], "metadata record has an unknown type id=6");
    check(
        &[1, 20, 1, 0],
        "metadata record has an unsupported version type=NoOpRecord version=1",
    );
    check(
        &[1, 20, 0, 0, 7],
        "metadata record is followed by bytes count=1",
    );
    for (_, value) in records(LOG) {
        for cut in 0..value.len() {
            assert!(
                MetadataRecord::decode_framed(&value[..cut]).is_err(),
                "cut at {cut}"
            );
        }
    }
}
