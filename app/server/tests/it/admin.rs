//! A whole node: what is made, given out and deleted stays so; and what is said when nobody decides.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use ottla_base::{Offset, Uuid, WallMillis};
use ottla_config::BrokerConfig;
use ottla_env::run_local;
use ottla_protocol::messages as m;
use ottla_protocol::{ApiKey, ErrorCode, Reader, Writer, header};
use ottla_records::BatchBuilder;
use ottla_records::codec::Compressor;
use ottla_server::running::RunningNode;
use ottla_server::start::{StartOptions, start};

use crate::harness::{Front, with_front};
use crate::peer::{Peer, request};

/// Sends a request, and gives its answer.
macro_rules! ask {
    ($peer:expr, $api:ident $version:literal, $request:expr => $response:ident) => {{
        let mut w = Writer::new();
        $request.encode(&mut w, $version).expect("of the version");
        let frame = request(ApiKey::$api, $version, 1, &w.buf);
        let bytes = $peer.ask(&frame).await.expect("an answer");
        let mut reader = Reader::new(&bytes);
        header::decode_response_header(&mut reader, ApiKey::$api, $version).expect("a header");
        m::$response::decode(&mut reader, $version).expect("an answer of the version")
    }};
}

fn started(dir: &Path) -> (RunningNode, SocketAddr) {
    let dir = dir.to_str().expect("a path of text");
    let texts = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        (
            "listeners",
            "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
        ),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "127.0.0.1:1"),
        ("log.dirs", dir),
        ("offsets.topic.replication.factor", "1"),
    ];
    let texts = texts.map(|(key, text)| (key.to_owned(), text.to_owned()));
    let config = BrokerConfig::load(texts.into()).expect("a valid configuration");
    let options = StartOptions {
        auto_format: true,
        on_failure: Box::new(|error| panic!("the metadata log failed: {error}")),
    };
    let node = start(config, options).expect("a node that starts");
    let listener = node.listeners().first().expect("one for clients");
    let address = SocketAddr::from(([127, 0, 0, 1], listener.port));
    (node, address)
}

/// Runs `body` against a node that keeps its data in `dir`, and stops it.
fn with_node<T>(dir: &Path, body: impl AsyncFnOnce(SocketAddr) -> T) -> T {
    let (node, address) = started(dir);
    let result = run_local(body(address)).expect("a runtime");
    node.stop();
    result
}

fn named(name: &str) -> m::MetadataRequest {
    let topic = m::metadata_request::MetadataRequestTopic {
        name: Some(name.to_owned()),
        ..Default::default()
    };
    m::MetadataRequest {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: true,
        ..Default::default()
    }
}

#[test]
fn a_topic_that_many_ask_for_is_unknown_to_the_first_and_made_once() {
    let dir = tempfile::tempdir().expect("a directory");
    with_node(dir.path(), async |address| {
        let mut peers = Vec::new();
        for _ in 0..20 {
            peers.push(Peer::connect(address).await);
        }
        let mut ids = BTreeSet::new();
        let mut unknown = 0;
        for round in 0.. {
            let mut made = 0;
            for peer in &mut peers {
                let answer = ask!(peer, Metadata 12, named("wanted") => MetadataResponse);
                let topic = answer.topics.first().expect("the topic");
                if topic.error_code == ErrorCode::UnknownTopicOrPartition.code() {
                    assert_eq!((topic.partitions.len(), topic.topic_id), (0, Uuid::ZERO));
                    unknown += 1;
                } else {
                    assert_eq!((topic.error_code, topic.partitions.len()), (0, 1));
                    ids.insert(topic.topic_id);
                    made += 1;
                }
            }
            assert!(round > 0 || unknown > 0, "nobody waits for a creation");
            if made == peers.len() {
                break;
            }
        }
        assert_eq!(ids.len(), 1);

        let find = || m::FindCoordinatorRequest {
            key: "g".to_owned(),
            ..Default::default()
        };
        let peer = peers.first_mut().expect("twenty");
        let none = ErrorCode::CoordinatorNotAvailable.code();
        let found = ask!(peer, FindCoordinator 3, find() => FindCoordinatorResponse);
        assert_eq!((found.error_code, found.node_id), (none, -1));
        let found = loop {
            let found = ask!(peer, FindCoordinator 3, find() => FindCoordinatorResponse);
            if found.error_code != none {
                break found;
            }
        };
        assert_eq!((found.error_code, found.node_id), (0, 1));
    });
}

#[test]
fn a_producer_id_is_given_once_even_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut given = BTreeSet::new();
    for _ in 0..2 {
        let ids = with_node(dir.path(), async |address| {
            let mut peer = Peer::connect(address).await;
            let mut ids = Vec::new();
            for _ in 0..1_100 {
                let request = m::InitProducerIdRequest {
                    transactional_id: None,
                    ..Default::default()
                };
                let answer = ask!(peer, InitProducerId 4, request => InitProducerIdResponse);
                assert_eq!((answer.error_code, answer.producer_epoch), (0, 0));
                ids.push(answer.producer_id);
            }
            ids
        });
        for id in ids {
            assert!(given.insert(id), "{id} was given before");
        }
    }
}

fn three_records() -> Vec<u8> {
    let mut batch = BatchBuilder::new(Offset::ZERO);
    for _ in 0..3 {
        batch.append(WallMillis(1), None, Some(b"v")).expect("fits");
    }
    batch.build(&mut Compressor::default()).expect("a batch")
}

#[test]
fn deleted_records_stay_deleted_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    with_node(dir.path(), async |address| {
        let mut peer = Peer::connect(address).await;
        while ask!(peer, Metadata 12, named("t") => MetadataResponse).topics[0].error_code != 0 {}
        let partition = m::produce_request::PartitionProduceData {
            index: 0,
            records: Some(three_records()),
        };
        let topic = m::produce_request::TopicProduceData {
            name: "t".to_owned(),
            partition_data: vec![partition],
            ..Default::default()
        };
        let produce = m::ProduceRequest {
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![topic],
            ..Default::default()
        };
        let answer = ask!(peer, Produce 9, produce => ProduceResponse);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);

        let delete = |offset| {
            let partition = m::delete_records_request::DeleteRecordsPartition {
                partition_index: 0,
                offset,
            };
            let topic = m::delete_records_request::DeleteRecordsTopic {
                name: "t".to_owned(),
                partitions: vec![partition],
            };
            m::DeleteRecordsRequest {
                topics: vec![topic],
                timeout_ms: 30_000,
            }
        };
        for (to, start, error) in [
            (2, 2, ErrorCode::None),
            (1, 2, ErrorCode::None),
            (4, -1, ErrorCode::OffsetOutOfRange),
            (-1, 3, ErrorCode::None),
        ] {
            let answer = ask!(peer, DeleteRecords 2, delete(to) => DeleteRecordsResponse);
            let answer = &answer.topics[0].partitions[0];
            let found = (answer.low_watermark, answer.error_code);
            assert_eq!(found, (start, error.code()), "to {to}");
        }
    });
    with_node(dir.path(), async |address| {
        let mut peer = Peer::connect(address).await;
        let partition = m::list_offsets_request::ListOffsetsPartition {
            timestamp: -2,
            ..Default::default()
        };
        let topic = m::list_offsets_request::ListOffsetsTopic {
            name: "t".to_owned(),
            partitions: vec![partition],
        };
        let earliest = m::ListOffsetsRequest {
            replica_id: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let answer = ask!(peer, ListOffsets 7, earliest => ListOffsetsResponse);
        assert_eq!(answer.topics[0].partitions[0].offset, 3);
    });
}

#[test]
fn a_node_whose_controller_does_not_answer_says_so_of_each_thing() {
    with_front(Front::default(), async |running| {
        let mut peer = Peer::connect(running.address).await;
        let expected = ErrorCode::NotController.code();

        let topic = |name: &str| m::create_topics_request::CreatableTopic {
            name: name.to_owned(),
            ..Default::default()
        };
        let create = m::CreateTopicsRequest {
            topics: vec![topic("a"), topic("b")],
            timeout_ms: 1000,
            ..Default::default()
        };
        let made = ask!(peer, CreateTopics 7, create => CreateTopicsResponse);
        let made: Vec<_> = made
            .topics
            .iter()
            .map(|t| (&*t.name, t.error_code))
            .collect();
        assert_eq!(made, [("a", expected), ("b", expected)]);

        let delete = m::DeleteTopicsRequest {
            topic_names: vec!["a".to_owned()],
            timeout_ms: 1000,
            ..Default::default()
        };
        let deleted = ask!(peer, DeleteTopics 5, delete => DeleteTopicsResponse);
        assert_eq!(deleted.responses[0].error_code, expected);

        let resource = m::incremental_alter_configs_request::AlterConfigsResource {
            resource_type: 2,
            resource_name: "a".to_owned(),
            ..Default::default()
        };
        let alter = m::IncrementalAlterConfigsRequest {
            resources: vec![resource],
            ..Default::default()
        };
        let altered =
            ask!(peer, IncrementalAlterConfigs 1, alter => IncrementalAlterConfigsResponse);
        assert_eq!(altered.responses[0].error_code, expected);

        let elected = ask!(
            peer, ElectLeaders 2,
            m::ElectLeadersRequest { timeout_ms: 1000, ..Default::default() }
            => ElectLeadersResponse
        );
        assert_eq!(elected.error_code, expected);

        // Clients ask these again until they get an answer.
        let id = m::InitProducerIdRequest {
            transactional_id: None,
            ..Default::default()
        };
        let id = ask!(peer, InitProducerId 4, id => InitProducerIdResponse);
        assert_eq!(id.error_code, ErrorCode::CoordinatorLoadInProgress.code());
        let metadata = ask!(peer, Metadata 12, named("a") => MetadataResponse);
        let error = metadata.topics[0].error_code;
        assert_eq!(error, ErrorCode::UnknownTopicOrPartition.code());
        let find = m::FindCoordinatorRequest {
            key: "g".to_owned(),
            ..Default::default()
        };
        let found = ask!(peer, FindCoordinator 3, find => FindCoordinatorResponse);
        assert_eq!(found.error_code, ErrorCode::CoordinatorNotAvailable.code());
    });
}
