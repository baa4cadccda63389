//! Thousands of requests that are almost right: nobody else notices.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ottla_base::{Offset, WallMillis};
use ottla_env::connection_panics;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::ApiVersionsRequest;
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_records::BatchBuilder;
use ottla_records::codec::Compressor;
use ottla_schema::Message;
use socket2::SockRef;

use crate::harness::{Front, with_front};
use crate::memory;
use crate::peer::{self, Peer, api_versions, api_versions_of, raw, read_api_versions, request};
use crate::random::{Random, Things, body, mangle, requests};
use crate::whole::with_node;

/// Requests of one run.
const REQUESTS: usize = 5_000;
/// Connections over which they are sent.
const PEERS: usize = 40;

/// What the node serves, with the schema of each.
async fn served(address: SocketAddr) -> Vec<(Message, i16, i16)> {
    let mut peer = Peer::connect(address).await;
    let ask = api_versions_of(0, 1, &ApiVersionsRequest::default());
    let answer = peer.ask(&ask).await.expect("an answer");
    let schemas: BTreeMap<i16, Message> = requests()
        .into_iter()
        .filter_map(|message| Some((message.key?, message)))
        .collect();
    let (_, versions) = read_api_versions(&answer, 0);
    let row = |api: &ApiVersion| {
        let schema = schemas.get(&api.api_key).expect("an API has a schema");
        (schema.clone(), api.min_version, api.max_version)
    };
    // Whoever unregisters a broker that runs has no broker, in Kafka too.
    let harmless = |api: &&ApiVersion| api.api_key != ApiKey::UnregisterBroker.code();
    versions.api_keys.iter().filter(harmless).map(row).collect()
}

/// Sends requests of every API that is served, most of them mangled, and leaves in many ways.
pub(crate) async fn storm(address: SocketAddr, things: &Things, seed: u64) {
    let random = &mut Random(seed);
    let apis = served(address).await;
    let before = memory::resident();
    let mut healthy = Peer::connect(address).await;
    let mut peers: Vec<Option<Peer>> = (0..PEERS).map(|_| None).collect();
    for count in 0..REQUESTS {
        let (schema, min, max) = random.pick(&apis);
        let span = usize::try_from(max - min).expect("in order") + 1;
        let version = min + i16::try_from(random.below(span)).expect("small");
        let key = schema.key.expect("a request has a key");
        let api = ApiKey::from_code(key).expect("served");
        let version = version.max(schema.versions.low);
        let id = i32::try_from(count).expect("small");
        let mut frame =
            request(api, version, id, &body(schema, version, things, random)).split_off(4);
        for _ in 0..*random.pick(&[0, 0, 1, 1, 2, 5]) {
            mangle(&mut frame, random);
        }
        let slot = random.below(PEERS);
        let mut peer = match peers[slot].take() {
            Some(peer) => peer,
            None => Peer::connect(address).await,
        };
        let is_open = peer.send(&raw(&frame)).await.is_ok();
        match random.below(10) {
            _ if !is_open => {}
            // A peer that resets the connection, and one that leaves in the middle of a frame.
            0 => {
                let socket = SockRef::from(&peer.stream);
                drop(socket.set_linger(Some(std::time::Duration::ZERO)));
            }
            1 => drop(peer.send(&[0, 0, 1]).await),
            _ => peers[slot] = Some(peer),
        }
        if count % 50 == 0 {
            assert!(healthy.is_served().await, "request {count} of seed {seed}");
        }
    }
    assert!(healthy.ask(&api_versions(0, 1)).await.is_some());
    assert!(peer::is_served(address).await);
    assert_eq!(connection_panics(), 0, "seed {seed}");
    memory::assert_bounded(before);
}

#[test]
fn mangled_requests_harm_nobody_at_the_front() {
    let things = Things {
        topic_ids: vec!["AAAAAAAAAAAAAAAAAAAAAQ".to_owned()],
        batches: vec![vec![], vec![0xa5; 61], vec![0; 200]],
    };
    for seed in 1..=2 {
        with_front(Front::default(), async |node| {
            storm(node.address, &things, seed).await;
        });
    }
}

#[test]
fn mangled_requests_harm_nobody_at_a_whole_node() {
    with_node(&[("group.initial.rebalance.delay.ms", "0")], async |node| {
        let id = node.create_topic("t", &[]).await;
        let mut builder = BatchBuilder::new(Offset::ZERO);
        for _ in 0..3 {
            builder
                .append(WallMillis(1000), Some(b"key"), Some(b"value"))
                .expect("small");
        }
        let batch = builder.build(&mut Compressor::new()).expect("small");
        let things = Things {
            topic_ids: vec![
                id,
                "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
                "AAAAAAAAAAAAAAAAAAAAAQ".to_owned(),
            ],
            batches: vec![batch, vec![], vec![0xa5; 61]],
        };
        for seed in 1..=2 {
            storm(node.address, &things, seed).await;
        }
        // What a node is for still works.
        node.create_topic("after", &[]).await;
    });
}
