//! A whole node in this process, on ports of the system's choice: what it keeps, and what it refuses to
//! start on.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use ottla_base::{Offset, WallMillis};
use ottla_config::{BrokerConfig, RawConfigs};
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::metadata_response::MetadataResponseTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse,
};
use ottla_protocol::{ApiKey, Reader, Writer, header};
use ottla_records::codec::{Compressor, Decompressor};
use ottla_records::{BatchBuilder, Batches};
use ottla_server::running::RunningNode;
use ottla_server::start::{StartOptions, start};

use crate::peer::request;

fn raw(dir: &Path, more: &[(&str, &str)]) -> RawConfigs {
    let dir = dir.display().to_string();
    let pairs = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        (
            "listeners",
            "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
        ),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "127.0.0.1:1"),
        ("log.dirs", &dir),
        ("offsets.topic.replication.factor", "1"),
        ("ottla.workers", "2"),
    ];
    let pairs = pairs.iter().chain(more);
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// Starts a node, or gives the sentence with which it refuses.
fn try_start(raw: RawConfigs, auto_format: bool) -> Result<RunningNode, String> {
    let config = BrokerConfig::load(raw).expect("a valid configuration");
    let options = StartOptions {
        auto_format,
        on_failure: Box::new(|error| panic!("the metadata log failed: {error}")),
    };
    start(config, options).map_err(|error| error.to_string())
}

fn start_on(dir: &Path) -> RunningNode {
    try_start(raw(dir, &[]), true).expect("starts")
}

fn address(node: &RunningNode) -> SocketAddr {
    let port = node.listeners().first().expect("a listener").port;
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Asks one question on a connection of its own.
fn ask<T>(
    node: &RunningNode,
    api: ApiKey,
    version: i16,
    encode: impl FnOnce(&mut Writer),
    decode: impl FnOnce(&mut Reader<'_>) -> T,
) -> T {
    let mut body = Writer::new();
    encode(&mut body);
    let mut stream = TcpStream::connect(address(node)).expect("listens");
    let frame = request(api, version, 9, &body.buf);
    stream.write_all(&frame).expect("open");
    let mut len = [0; 4];
    stream.read_exact(&mut len).expect("an answer");
    let mut bytes = vec![0; usize::try_from(u32::from_be_bytes(len)).expect("fits")];
    stream.read_exact(&mut bytes).expect("a whole answer");
    let mut reader = Reader::new(&bytes);
    let id = header::decode_response_header(&mut reader, api, version).expect("a header");
    assert_eq!(id, 9);
    decode(&mut reader)
}

/// Creates a topic; gives the error code.
fn create(node: &RunningNode, name: &str, partitions: i32) -> i16 {
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 30_000,
        ..CreateTopicsRequest::default()
    };
    let answer = ask(
        node,
        ApiKey::CreateTopics,
        7,
        |w| request.encode(w, 7).expect("valid"),
        |r| CreateTopicsResponse::decode(r, 7).expect("valid"),
    );
    answer.topics.first().expect("one topic").error_code
}

fn metadata(node: &RunningNode) -> MetadataResponse {
    let request = MetadataRequest {
        topics: None,
        ..MetadataRequest::default()
    };
    ask(
        node,
        ApiKey::Metadata,
        12,
        |w| request.encode(w, 12).expect("valid"),
        |r| MetadataResponse::decode(r, 12).expect("valid"),
    )
}

/// Name, id and number of partitions of every topic, with the leaders.
fn topics(node: &RunningNode) -> Vec<(String, String, Vec<i32>)> {
    let described = |topic: MetadataResponseTopic| {
        let leaders = topic.partitions.iter().map(|p| p.leader_id).collect();
        (
            topic.name.unwrap_or_default(),
            topic.topic_id.to_string(),
            leaders,
        )
    };
    let mut topics: Vec<_> = metadata(node).topics.into_iter().map(described).collect();
    topics.sort();
    topics
}

/// The directory as it is now, elsewhere: what a killed process leaves behind.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("room");
    for entry in fs::read_dir(from).expect("there") {
        let entry = entry.expect("there");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            // A file may be renamed away at this moment; a copy of a crash has it or not.
            let _ = fs::copy(entry.path(), target);
        }
    }
}

#[test]
fn node_tells_the_port_that_it_has_and_leads_itself() {
    let dir = tempfile::tempdir().expect("room");
    let node = start_on(dir.path());
    let answer = metadata(&node);
    assert_eq!(answer.controller_id, 1);
    let broker = answer.brokers.first().expect("itself");
    assert_eq!((broker.node_id, broker.host.as_str()), (1, "127.0.0.1"));
    assert_eq!(broker.port, i32::from(address(&node).port()));
    assert_eq!(answer.cluster_id.as_deref(), Some(node.cluster_id()));
    node.stop();
}

#[test]
fn clean_restart_keeps_cluster_topics_and_leaders() {
    let dir = tempfile::tempdir().expect("room");
    let node = start_on(dir.path());
    let cluster = node.cluster_id().to_owned();
    assert_eq!(create(&node, "a", 3), 0);
    assert_eq!(create(&node, "b", 1), 0);
    assert_eq!(create(&node, "a", 3), 36, "TOPIC_ALREADY_EXISTS");
    let before = topics(&node);
    assert_eq!(before.len(), 2);
    node.stop();
    assert!(dir.path().join(".kafka_cleanshutdown").exists());
    let node = start_on(dir.path());
    assert_eq!(node.cluster_id(), cluster);
    assert_eq!(topics(&node), before);
    node.stop();
}

#[test]
fn kill_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().expect("room");
    let node = start_on(&dir.path().join("first"));
    let mut lives = Vec::new();
    for index in 0..5 {
        assert_eq!(create(&node, &format!("t{index}"), 2), 0);
        let life = dir.path().join(format!("life-{index}"));
        copy(&dir.path().join("first"), &life);
        lives.push((life, topics(&node)));
    }
    for (life, before) in lives {
        let node = start_on(&life);
        assert_eq!(topics(&node), before);
        assert_eq!(create(&node, "next", 1), 0);
        node.stop();
    }
    node.stop();
}

/// Produces one record with acks=all; gives error code and offset.
fn produce(node: &RunningNode, topic: &str, index: i32) -> (i16, i64) {
    let mut batch = BatchBuilder::new(Offset::ZERO);
    batch
        .append(WallMillis(1_700_000_000_000), None, Some(b"a record"))
        .expect("fits");
    let records = batch.build(&mut Compressor::new()).expect("fits");
    let partition = PartitionProduceData {
        index,
        records: Some(records),
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: topic.to_owned(),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let answer = ask(
        node,
        ApiKey::Produce,
        9,
        |w| request.encode(w, 9).expect("valid"),
        |r| ProduceResponse::decode(r, 9).expect("valid"),
    );
    let topic = answer.responses.first().expect("one topic");
    let partition = topic.partition_responses.first().expect("one partition");
    (partition.error_code, partition.base_offset)
}

#[test]
fn partition_of_a_directory_that_is_offline_is_not_begun_anew() {
    let dir = tempfile::tempdir().expect("room");
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let both = format!("{},{}", first.display(), second.display());
    let start = || try_start(raw(&first, &[("log.dirs", &both)]), true).expect("starts");
    let partitions = |dir: &Path| {
        let names = fs::read_dir(dir).expect("there").filter_map(|entry| {
            let name = entry.expect("there").file_name().into_string().ok()?;
            name.strip_prefix("t-")?.parse::<i32>().ok()
        });
        names.collect::<Vec<i32>>()
    };
    let node = start();
    assert_eq!(create(&node, "t", 4), 0);
    for index in 0..4 {
        assert_eq!(produce(&node, "t", index), (0, 0));
    }
    node.stop();
    let lost = partitions(&second);
    assert_eq!((partitions(&first).len(), lost.len()), (2, 2));

    let meta = second.join("meta.properties");
    let text = fs::read_to_string(&meta).expect("there");
    fs::write(&meta, "version=9").expect("room");
    let node = start();
    assert_eq!(create(&node, "new", 2), 0);
    for index in 0..2 {
        assert_eq!(produce(&node, "new", index), (0, 0), "room is in the other");
    }
    for index in 0..4 {
        let (error, _) = produce(&node, "t", index);
        let is_lost = lost.contains(&index);
        assert_eq!(error != 0, is_lost, "partition {index} error {error}");
    }
    node.stop();

    fs::write(&meta, text).expect("room");
    let node = start();
    for index in 0..4 {
        let end = if lost.contains(&index) { 1 } else { 2 };
        assert_eq!(produce(&node, "t", index), (0, end), "partition {index}");
    }
    node.stop();
}

#[test]
fn refusals_are_one_sentence() {
    let dir = tempfile::tempdir().expect("room");
    let check = |raw: RawConfigs, auto_format, part: &str| {
        let Err(text) = try_start(raw, auto_format) else {
            panic!("started although: {part}");
        };
        assert!(text.contains(part), "{part} is missing in: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    };
    let data = dir.path().join("data");
    check(raw(&data, &[]), false, "No `meta.properties` found");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let listeners = format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:0");
    let busy = [("listeners", listeners.as_str())];
    check(raw(&data, &busy), true, "Address already in use");
    assert!(!data.exists(), "a start that fails formats nothing");

    let node = start_on(&data);
    check(
        raw(&data, &[]),
        true,
        "Failed to acquire lock on file .lock",
    );
    node.stop();
    check(raw(&data, &[("node.id", "2")]), true, "Stored node id 1");
    let node = start_on(&data);
    node.stop();
}

#[test]
fn quorum_of_several_nodes_is_refused() {
    let dir = tempfile::tempdir().expect("room");
    let mut raw = raw(
        dir.path(),
        &[("controller.quorum.voters", "1@127.0.0.1:1,2@127.0.0.1:2")],
    );
    raw.remove("controller.quorum.bootstrap.servers");
    let refused = try_start(raw, true).err();
    let text = refused.expect("refused");
    assert!(text.contains("voters: 1, 2"), "{text}");
}

/// What the metadata log says of the registration of broker 1, in order.
fn registrations(dir: &Path) -> Vec<String> {
    let file = dir.join("__cluster_metadata-0/00000000000000000000.log");
    let bytes = fs::read(file).expect("a metadata log");
    let mut found = Vec::new();
    let mut scratch = Decompressor::new();
    for batch in Batches::new(&bytes).filter(|batch| !batch.is_control()) {
        for record in batch.records(&mut scratch).expect("records") {
            let value = record.expect("whole").value.unwrap_or_default();
            match MetadataRecord::decode_framed(value).expect("known").record {
                MetadataRecord::RegisterBroker(record) => {
                    found.push(format!("registered, fenced {}", record.fenced));
                }
                MetadataRecord::BrokerRegistrationChange(record) => {
                    let (fenced, cordoned) = (record.fenced, record.cordoned_log_dirs);
                    found.push(format!("fenced {fenced}, cordoned {cordoned:?}"));
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn broker_tells_of_its_directories_before_it_serves() {
    let dir = tempfile::tempdir().expect("a directory");
    let node = start_on(dir.path());
    let found = registrations(dir.path());
    node.stop();
    // As Apache Kafka's metadata log has them; -1 is not fenced any more.
    let expected = [
        "registered, fenced true",
        "fenced 0, cordoned Some([])",
        "fenced -1, cordoned None",
    ];
    assert_eq!(found, expected);
}
