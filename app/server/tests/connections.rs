//! What a peer sees of a node's front: answers in order, refusals, limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ottla_base::NodeId;
use ottla_config::BrokerConfig;
use ottla_env::{OsRng, SystemClock, run_local, spawn_connection};
use ottla_metadata::MetadataImage;
use ottla_net::{ConnectionCounter, ConnectionLimits, SocketOptions, bind};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{ApiKey, ErrorCode, Reader, Writer, frame, header};
use ottla_replication::fetch_session::{SessionLimits, SessionTable};
use ottla_server::auto_create::AutoCreate;
use ottla_server::listen;
use ottla_server::node::{Limits, Node};
use ottla_server::partitions::Partitions;
use ottla_server::producer_ids::ProducerIds;
use ottla_server::quorum::QuorumHandle;
use ottla_server::session::{ListenerInfo, ListenerRole};
use ottla_server::slow_work::SlowWork;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LIMITS: Limits = Limits {
    request_max_bytes: 1000,
    idle_ms: 600_000,
    frame_ms: 30_000,
};

fn config() -> BrokerConfig {
    let texts = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        (
            "listeners",
            "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
        ),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "127.0.0.1:1"),
    ];
    let texts = texts.map(|(key, text)| (key.to_owned(), text.to_owned()));
    BrokerConfig::load(texts.into()).expect("a valid configuration")
}

/// Runs `body` against a node that listens on a port of the system's choice.
fn with_node<T>(limits: Limits, body: impl AsyncFnOnce(SocketAddr) -> T) -> T {
    run_local(async {
        let options = SocketOptions {
            backlog: 50,
            send_buffer: None,
            receive_buffer: None,
        };
        let socket = bind(SocketAddr::from(([127, 0, 0, 1], 0)), options).expect("a port");
        let listener = TcpListener::from_std(socket).expect("a runtime");
        let address = listener.local_addr().expect("bound");
        let config = Arc::new(config());
        let node = Arc::new(Node {
            id: NodeId(1),
            cluster_id: "the-cluster".to_owned(),
            clock: Arc::new(SystemClock::new()),
            rng: Arc::new(OsRng),
            static_config: Arc::clone(&config),
            config: ArcSwap::new(config),
            image: ArcSwap::from_pointee(MetadataImage::default()),
            partitions: Partitions::default(),
            fetch_sessions: Mutex::new(SessionTable::new(SessionLimits {
                slots: 10,
                eviction_ms: 120_000,
            })),
            quorum: QuorumHandle::disconnected(),
            auto_create: AutoCreate::default(),
            producer_ids: ProducerIds::default(),
            slow_work: SlowWork::default(),
            limits,
        });
        let info = ListenerInfo {
            name: "PLAINTEXT".to_owned(),
            role: ListenerRole::Broker,
        };
        let counter = ConnectionCounter::new(ConnectionLimits {
            total: 100,
            per_address: 10,
        });
        spawn_connection(listen::serve(node, Arc::new(info), counter, listener));
        body(address).await
    })
    .expect("a runtime")
}

/// An ApiVersions request as a frame.
fn request(version: i16, correlation_id: i32, body: &ApiVersionsRequest) -> Vec<u8> {
    let mut w = Writer::new();
    let open = frame::begin(&mut w);
    let api = ApiKey::ApiVersions;
    let head = header::RequestHeader {
        api,
        version,
        correlation_id,
        client_id: Some("test"),
    };
    head.encode(&mut w).expect("short");
    body.encode(&mut w, version.min(5))
        .expect("a version that exists");
    frame::end(&mut w, &open).expect("short");
    w.buf
}

fn client() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "test".to_owned(),
        client_software_version: "1.0".to_owned(),
        ..Default::default()
    }
}

async fn answer(stream: &mut TcpStream, version: i16) -> (i32, ApiVersionsResponse) {
    let len = stream.read_u32().await.expect("an answer");
    let mut bytes = vec![0; usize::try_from(len).expect("small")];
    stream.read_exact(&mut bytes).await.expect("a whole answer");
    let mut r = Reader::new(&bytes);
    let id = header::decode_response_header(&mut r, ApiKey::ApiVersions, version);
    let body = ApiVersionsResponse::decode(&mut r, version).expect("valid");
    assert_eq!(r.remaining(), 0);
    (id.expect("a header"), body)
}

/// What one request is answered.
fn ask(version: i16, body: ApiVersionsRequest) -> ApiVersionsResponse {
    with_node(LIMITS, async move |address| {
        let mut stream = TcpStream::connect(address).await.expect("listens");
        stream
            .write_all(&request(version, 7, &body))
            .await
            .expect("open");
        let known = if version > 5 { 0 } else { version };
        let (id, response) = answer(&mut stream, known).await;
        assert_eq!(id, 7);
        response
    })
}

/// Sends bytes; true if the node closes the connection without a word.
fn closes(limits: Limits, bytes: Vec<u8>) -> bool {
    with_node(limits, async move |address| {
        let mut stream = TcpStream::connect(address).await.expect("listens");
        stream.write_all(&bytes).await.expect("open");
        let mut rest = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest));
        // A reset is a close too: the node left bytes unread.
        read.await
            .is_ok_and(|read| read.is_err() || rest.is_empty())
    })
}

#[test]
fn every_version_announces_what_is_served() {
    for version in 0..=5 {
        let body = if version >= 3 {
            client()
        } else {
            ApiVersionsRequest::default()
        };
        let response = ask(version, body);
        assert_eq!(response.error_code, 0, "version {version}");
        let own = response
            .api_keys
            .iter()
            .find(|api| api.api_key == 18)
            .expect("announced");
        assert_eq!((own.min_version, own.max_version), (0, 5));
        let metadata = response
            .supported_features
            .iter()
            .find(|f| f.name == "metadata.version");
        assert_eq!(metadata.is_some(), version >= 3, "version {version}");
        let hidden = response
            .supported_features
            .iter()
            .any(|feature| feature.min_version == 0);
        assert_eq!(hidden, version >= 4, "version {version}");
    }
}

#[test]
fn version_of_the_future_is_answered_in_the_form_of_version_0() {
    let response = ask(99, client());
    assert_eq!(response.error_code, ErrorCode::UnsupportedVersion.code());
    assert_eq!(response.api_keys.len(), 1);
}

#[test]
fn nameless_clients_and_other_clusters_are_told() {
    let check = |version: i16, body: ApiVersionsRequest, error: ErrorCode| {
        assert_eq!(ask(version, body).error_code, error.code());
    };
    check(3, ApiVersionsRequest::default(), ErrorCode::InvalidRequest);
    let to = |cluster: Option<&str>, node_id: i32| ApiVersionsRequest {
        cluster_id: cluster.map(str::to_owned),
        node_id,
        ..client()
    };
    check(5, to(Some("the-cluster"), 1), ErrorCode::None);
    check(5, to(Some("another"), 1), ErrorCode::RebootstrapRequired);
    check(
        5,
        to(Some("the-cluster"), 2),
        ErrorCode::RebootstrapRequired,
    );
    check(5, to(Some("the-cluster"), -1), ErrorCode::InvalidRequest);
    check(5, to(None, 1), ErrorCode::InvalidRequest);
}

#[test]
fn what_is_no_request_closes_the_connection() {
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0x16, 3, 1, 2, 0, 1, 0, 1],
        vec![0, 0, 0, 0],
        vec![0xff; 4],
        // An unknown API, a removed one, one that is not served, and a header that ends early.
        vec![0, 0, 0, 10, 0x03, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
        vec![0, 0, 0, 10, 0, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
        vec![0, 0, 0, 10, 0, 52, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
        vec![0, 0, 0, 3, 0, 18, 0],
        // ApiVersions of version 3 without its body.
        vec![0, 0, 0, 11, 0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0],
    ] {
        assert!(closes(LIMITS, bytes.clone()), "{bytes:x?}");
    }
}

#[test]
fn frame_that_never_arrives_closes_the_connection() {
    let limits = Limits {
        frame_ms: 50,
        ..LIMITS
    };
    assert!(closes(limits, vec![0, 0, 0, 100, 0, 18]));
}

#[test]
fn silent_connection_is_closed_when_it_is_idle_for_too_long() {
    assert!(closes(
        Limits {
            idle_ms: 50,
            ..LIMITS
        },
        Vec::new()
    ));
}

#[test]
fn a_thousand_requests_at_once_are_answered_in_order() {
    with_node(LIMITS, async |address| {
        let stream = TcpStream::connect(address).await.expect("listens");
        let (mut read, mut write) = stream.into_split();
        let all: Vec<u8> = (0..1000)
            .flat_map(|id| request(0, id, &client_v0()))
            .collect();
        let send = async { write.write_all(&all).await.expect("open") };
        let receive = async {
            for expected in 0..1000 {
                let len = read.read_u32().await.expect("an answer");
                let mut bytes = vec![0; usize::try_from(len).expect("small")];
                read.read_exact(&mut bytes).await.expect("a whole answer");
                let id = bytes.first_chunk().map(|id| i32::from_be_bytes(*id));
                assert_eq!(id, Some(expected));
            }
        };
        let all = async { tokio::join!(send, receive) };
        // Far below the limits after which a stuck connection would be looked at again.
        tokio::time::timeout(Duration::from_secs(10), all)
            .await
            .expect("nothing gets stuck");
    });
}

fn client_v0() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
}

#[test]
fn one_address_has_no_more_connections_than_its_share() {
    with_node(LIMITS, async |address| {
        let mut open = Vec::new();
        for _ in 0..10 {
            let mut stream = TcpStream::connect(address).await.expect("listens");
            stream
                .write_all(&request(0, 1, &client_v0()))
                .await
                .expect("open");
            answer(&mut stream, 0).await;
            open.push(stream);
        }
        let mut one_more = TcpStream::connect(address).await.expect("listens");
        let mut rest = Vec::new();
        let closed = one_more.read_to_end(&mut rest).await;
        assert!(closed.is_err() || rest.is_empty());
        // The others are unharmed.
        let first = open.first_mut().expect("ten");
        first
            .write_all(&request(0, 2, &client_v0()))
            .await
            .expect("open");
        assert_eq!(answer(first, 0).await.0, 2);
    });
}
