//! A whole node in a directory of its own, and requests as JSON by their schemas.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_env::run_local;
use ottla_protocol::{ApiKey, Reader, header};
use ottla_schema::{Kind, Message, json};
use ottla_server::start::{StartOptions, start};
use serde_json::{Value, json};

use crate::peer::{Peer, request};
use crate::random;

/// After this a test has failed: what it waits for does not come.
const WATCHDOG: Duration = Duration::from_secs(120);

/// A node that runs.
#[derive(Clone, Copy)]
pub(crate) struct Whole {
    pub(crate) address: SocketAddr,
}

fn config(dir: &Path, extra: &[(&str, &str)]) -> BrokerConfig {
    let dir = dir.display().to_string();
    let texts = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        (
            "listeners",
            "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
        ),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "127.0.0.1:1"),
        ("log.dirs", &dir),
        ("offsets.topic.num.partitions", "2"),
        ("offsets.topic.replication.factor", "1"),
        ("transaction.state.log.replication.factor", "1"),
        ("transaction.state.log.min.isr", "1"),
    ];
    let texts = texts.iter().chain(extra);
    let texts = texts.map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
    BrokerConfig::load(texts.collect()).expect("a valid configuration")
}

/// Runs `body` against a new node.
pub(crate) fn with_node<T>(extra: &[(&str, &str)], body: impl AsyncFnOnce(Whole) -> T) -> T {
    let dir = tempfile::tempdir().expect("a directory");
    with_node_in(dir.path(), extra, body)
}

/// Runs `body` against a node with its data in `dir`, which is formatted if it is new.
pub(crate) fn with_node_in<T>(
    dir: &Path,
    extra: &[(&str, &str)],
    body: impl AsyncFnOnce(Whole) -> T,
) -> T {
    let options = StartOptions {
        auto_format: true,
        on_failure: Box::new(|error| panic!("the node failed: {error}")),
    };
    let node = start(config(dir, extra), options).expect("starts");
    let port = node.listeners().first().expect("one listener").port;
    let whole = Whole {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
    };
    let result = run_local(async {
        tokio::time::timeout(WATCHDOG, body(whole))
            .await
            .expect("nothing gets stuck")
    });
    node.stop();
    result.expect("a runtime")
}

/// Schemas of one kind, by API key.
fn schemas(kind: Kind) -> BTreeMap<i16, Message> {
    random::messages(kind)
        .into_iter()
        .filter_map(|message| Some((message.key?, message)))
        .collect()
}

static REQUESTS: LazyLock<BTreeMap<i16, Message>> = LazyLock::new(|| schemas(Kind::Request));
static RESPONSES: LazyLock<BTreeMap<i16, Message>> = LazyLock::new(|| schemas(Kind::Response));

/// A request as a frame.
pub(crate) fn frame(api: ApiKey, version: i16, body: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    json::encode(&REQUESTS[&api.code()], version, body, &mut bytes)
        .unwrap_or_else(|error| panic!("{api:?} {version}: {error}"));
    request(api, version, 1, &bytes)
}

/// An answer as JSON.
pub(crate) fn read(api: ApiKey, version: i16, bytes: &[u8]) -> Value {
    let mut r = Reader::new(bytes);
    header::decode_response_header(&mut r, api, version).expect("a header");
    let (value, rest) = json::decode(&RESPONSES[&api.code()], version, r.rest())
        .unwrap_or_else(|error| panic!("{api:?} {version}: {error}"));
    assert!(rest.is_empty(), "{api:?} {version}");
    value
}

impl Peer {
    /// What a request is answered; `None` if the node closes the connection instead.
    pub(crate) async fn call(&mut self, api: ApiKey, version: i16, body: &Value) -> Option<Value> {
        let answer = self.ask(&frame(api, version, body)).await?;
        Some(read(api, version, &answer))
    }
}

impl Whole {
    pub(crate) async fn connect(&self) -> Peer {
        Peer::connect(self.address).await
    }

    /// What a request on a new connection is answered.
    pub(crate) async fn call(&self, api: ApiKey, version: i16, body: &Value) -> Option<Value> {
        self.connect().await.call(api, version, body).await
    }

    /// Makes a topic; gives its id.
    pub(crate) async fn create_topic(&self, name: &str, configs: &[(&str, &str)]) -> String {
        let configs: Vec<Value> = configs
            .iter()
            .map(|(name, value)| json!({"Name": name, "Value": value}))
            .collect();
        let topic = json!({
            "Name": name, "NumPartitions": 1, "ReplicationFactor": 1, "Configs": configs,
        });
        let answer = self
            .call(ApiKey::CreateTopics, 7, &json!({"Topics": [topic]}))
            .await
            .expect("an answer");
        let topic = &answer["Topics"][0];
        assert_eq!(topic["ErrorCode"], 0, "{answer}");
        topic["TopicId"].as_str().expect("an id").to_owned()
    }
}
