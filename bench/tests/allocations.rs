//! A node in its steady state allocates nothing for a Produce or a Fetch: what it needs it keeps from one request to
//! the next. Only a flush makes a list. Counted in a process that holds the node and, besides it, only a client that allocates nothing either.

use std::alloc::System;
use std::io::{Read, Write};
use std::net::TcpStream;

use ottla_base::{Offset, WallMillis};
use ottla_config::{BrokerConfig, RawConfigs};
use ottla_protocol::header::RequestHeader;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{CreateTopicsRequest, FetchRequest, ProduceRequest};
use ottla_protocol::{ApiKey, EncodeError, Writer, frame};
use ottla_records::BatchBuilder;
use ottla_records::codec::Compressor;
use ottla_server::running::RunningNode;
use ottla_server::start::{StartOptions, start};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests before the count.
const WARM_UP: usize = 300;
/// Requests counted.
const COUNTED: usize = 3_000;
/// Requests sent together.
const PIPELINED: usize = 5;
/// Threads of the node that look after other things may allocate meanwhile.
const OTHERS_MAX: usize = COUNTED / 20;

fn request(
    api: ApiKey,
    version: i16,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Vec<u8> {
    let mut w = Writer::new();
    let open = frame::begin(&mut w);
    let header = RequestHeader {
        api,
        version,
        correlation_id: 7,
        client_id: Some("counter"),
    };
    header
        .encode(&mut w)
        .expect("a header has a form in every version");
    body(&mut w).expect("the body has a form in this version");
    frame::end(&mut w, &open).expect("short");
    w.buf
}

fn node(dir: &std::path::Path, flush: &str) -> RunningNode {
    let pairs = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        (
            "listeners",
            "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
        ),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "127.0.0.1:9093"),
        (
            "log.dirs",
            dir.to_str()
                .expect("a temporary directory has a plain name"),
        ),
        ("ottla.commit.flush", flush),
    ];
    let pairs = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let config = BrokerConfig::load(pairs.collect::<RawConfigs>()).expect("a valid configuration");
    let on_failure = Box::new(|error| panic!("the node failed: {error}"));
    start(
        config,
        StartOptions {
            auto_format: true,
            on_failure,
        },
    )
    .expect("a node starts")
}

/// Sends `frames` copies of `bytes` together, `rounds` times; reads as many answers into `buffer`.
fn exchange(mut stream: &TcpStream, bytes: &[u8], frames: usize, rounds: usize, buffer: &mut [u8]) {
    for _ in 0..rounds {
        stream.write_all(bytes).expect("the node reads");
        for _ in 0..frames {
            let mut length = [0; 4];
            stream.read_exact(&mut length).expect("the node answers");
            let length = usize::try_from(i32::from_be_bytes(length)).expect("positive");
            stream
                .read_exact(&mut buffer[..length])
                .expect("the node answers");
        }
    }
}

/// Allocations in the whole process while `bytes`, which hold `frames` requests, are sent and answered.
fn allocations(stream: &TcpStream, bytes: &[u8], frames: usize) -> usize {
    let mut buffer = vec![0; 1 << 20];
    exchange(stream, bytes, frames, WARM_UP / frames, &mut buffer);
    let region = Region::new(ALLOCATOR);
    exchange(stream, bytes, frames, COUNTED / frames, &mut buffer);
    let change = region.change();
    change.allocations + change.reallocations
}

fn create_topic(stream: &TcpStream) {
    let topic = CreatableTopic {
        name: "t".to_owned(),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let body = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 10_000,
        ..CreateTopicsRequest::default()
    };
    let bytes = request(ApiKey::CreateTopics, 5, |w| body.encode(w, 5));
    exchange(stream, &bytes, 1, 1, &mut [0; 4096]);
}

fn produce() -> Vec<u8> {
    let mut batch = BatchBuilder::new(Offset(0));
    batch
        .append(WallMillis(1), None, Some(&[b'x'; 100]))
        .expect("short");
    let records = batch.build(&mut Compressor::new()).expect("uncompressed");
    let data = PartitionProduceData {
        index: 0,
        records: Some(records),
    };
    let topic = TopicProduceData {
        name: "t".to_owned(),
        partition_data: vec![data],
        ..TopicProduceData::default()
    };
    let body = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    request(ApiKey::Produce, 9, |w| body.encode(w, 9))
}

fn fetch() -> Vec<u8> {
    let partition = FetchPartition {
        partition_max_bytes: 1,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: "t".to_owned(),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    let body = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    request(ApiKey::Fetch, 12, |w| body.encode(w, 12))
}

/// One test, because others of this process would be counted too.
#[test]
fn produce_and_fetch_allocate_nothing_per_request() {
    for flush in ["never", "alone"] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let node = node(dir.path(), flush);
        let listener = node.listeners().first().expect("a listener for clients");
        let stream = TcpStream::connect(("127.0.0.1", listener.port)).expect("the node listens");
        stream.set_nodelay(true).expect("a socket");
        create_topic(&stream);
        for (name, frame) in [("produce", produce()), ("fetch", fetch())] {
            for frames in [1, PIPELINED] {
                let found = allocations(&stream, &frame.repeat(frames), frames);
                // A flush makes a list of its files, and no request causes more than one flush; now and then it is
                // two lists, if a checkpoint was due.
                let is_flushed = name == "produce" && flush == "alone";
                let flushes = if is_flushed { COUNTED * 3 / 2 } else { 0 };
                assert!(
                    found <= flushes + OTHERS_MAX,
                    "{name}, {flush}, {frames} together: {found} allocations in {COUNTED} requests"
                );
            }
        }
        drop(stream);
        node.stop();
    }
}
