//! Frames whose bytes are not a request that is served.

use ottla_protocol::ApiKey;
use ottla_protocol::messages::MetadataResponse;
use ottla_protocol::{Reader, header};

use crate::harness::{Front, with_front};
use crate::memory;
use crate::peer::{Peer, api_versions, is_served, raw, request};

/// Sends one frame; true if the node closes the connection without a word and serves others.
fn closes(frame: &[u8]) -> bool {
    with_front(Front::default(), async move |node| {
        let before = memory::resident();
        let mut peer = Peer::connect(node.address).await;
        peer.send(frame).await.expect("open");
        let closed = peer.is_closed().await;
        assert!(is_served(node.address).await, "others are not");
        memory::assert_bounded(before);
        closed
    })
}

/// A frame with a header of the old form: api key, version, correlation id 1, no client id.
fn headed(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(key.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0xff, 0xff]);
    bytes.extend(body);
    raw(&bytes)
}

#[test]
fn api_that_is_not_for_clients_closes_the_connection() {
    for (key, version, what) in [
        (999, 0, "unknown"),
        (-1, 0, "negative"),
        (i16::MAX, 0, "largest"),
        (4, 0, "LeaderAndIsr, removed"),
        (5, 0, "StopReplica, removed"),
        (6, 0, "UpdateMetadata, removed"),
        (7, 0, "ControlledShutdown, removed"),
        (52, 0, "Vote"),
        (53, 0, "BeginQuorumEpoch"),
        (54, 0, "EndQuorumEpoch"),
        (56, 2, "AlterPartition"),
        (58, 0, "Envelope"),
        (59, 0, "FetchSnapshot"),
        (62, 0, "BrokerRegistration"),
        (63, 0, "BrokerHeartbeat"),
        (67, 0, "AllocateProducerIds"),
        (70, 0, "ControllerRegistration"),
        (73, 0, "AssignReplicasToDirs"),
    ] {
        assert!(closes(&headed(key, version, &[0; 40])), "{what}");
    }
}

#[test]
fn version_that_is_not_served_closes_the_connection() {
    for (api, version) in [
        (ApiKey::Produce, 2),
        (ApiKey::Produce, 99),
        (ApiKey::Fetch, 3),
        (ApiKey::Fetch, i16::MAX),
        (ApiKey::Metadata, -1),
        (ApiKey::Metadata, 99),
        (ApiKey::CreateTopics, 1),
        (ApiKey::ListOffsets, 0),
    ] {
        assert!(
            closes(&headed(api.code(), version, &[0; 40])),
            "{api:?} {version}"
        );
    }
}

#[test]
fn header_that_ends_early_closes_the_connection() {
    let whole = api_versions(3, 1).split_off(4);
    for len in 1..whole.len() {
        assert!(closes(&raw(&whole[..len])), "{len} bytes");
    }
    for (what, bytes) in [
        (
            "client id beyond the frame",
            &[0, 18, 0, 0, 0, 0, 0, 1, 0x7f, 0xff, b'a'][..],
        ),
        (
            "client id below null",
            &[0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xfe],
        ),
        (
            "client id that is no text",
            &[0, 18, 0, 0, 0, 0, 0, 1, 0, 2, 0xc3, 0x28],
        ),
        (
            "tag that does not end",
            &[
                0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
        ),
        (
            "tag beyond the frame",
            &[0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 1, 0, 0x7f, 1, 1, 0],
        ),
    ] {
        assert!(closes(&raw(bytes)), "{what}");
    }
}

/// Bodies of Metadata that are none, with their version.
const BAD_BODIES: &[(&str, i16, &[u8])] = &[
    ("no body", 1, &[]),
    (
        "as many topics as can be said",
        1,
        &[0x7f, 0xff, 0xff, 0xff],
    ),
    (
        "more topics than the frame holds",
        1,
        &[0, 0, 0, 2, 0, 1, b'a'],
    ),
    ("16 million topics", 1, &[1, 0, 0, 0, 0, 1, b'a']),
    ("-2 topics", 1, &[0xff, 0xff, 0xff, 0xfe]),
    ("fewest topics that can be said", 1, &[0x80, 0, 0, 0]),
    ("no list where one must be", 0, &[0xff, 0xff, 0xff, 0xff]),
    ("topic without a name", 1, &[0, 0, 0, 1, 0xff, 0xff]),
    ("name beyond the frame", 1, &[0, 0, 0, 1, 0x7f, 0xff, b'a']),
    ("name below null", 1, &[0, 0, 0, 1, 0xff, 0xfe]),
    ("name that is no text", 1, &[0, 0, 0, 1, 0, 2, 0xc3, 0x28]),
    (
        "name with half a surrogate",
        1,
        &[0, 0, 0, 1, 0, 3, 0xed, 0xa0, 0x80],
    ),
    (
        "compact count that does not end",
        9,
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
    ),
    ("largest compact count", 9, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ("compact name without a value", 9, &[2, 0, 0, 0, 0, 0, 0]),
    (
        "compact name beyond the frame",
        9,
        &[2, 0x7f, b'a', 0, 0, 0, 0],
    ),
    (
        "tags without end",
        9,
        &[2, 2, b'a', 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ),
    ("more tags than bytes", 9, &[2, 2, b'a', 0, 0, 0, 0, 0x7f]),
    (
        "tag beyond the frame",
        9,
        &[2, 2, b'a', 0, 0, 0, 0, 1, 0x7f, 0x7f, 1],
    ),
];

#[test]
fn body_that_is_none_closes_the_connection() {
    for (what, version, body) in BAD_BODIES {
        let frame = request(ApiKey::Metadata, *version, 1, body);
        assert!(closes(&frame), "{what}");
    }
}

/// What Metadata is answered, if it is.
fn metadata(version: i16, body: &[u8]) -> Option<MetadataResponse> {
    with_front(Front::default(), async move |node| {
        let mut peer = Peer::connect(node.address).await;
        let answer = peer
            .ask(&request(ApiKey::Metadata, version, 1, body))
            .await?;
        let mut r = Reader::new(&answer);
        header::decode_response_header(&mut r, ApiKey::Metadata, version).expect("a header");
        Some(MetadataResponse::decode(&mut r, version).expect("valid"))
    })
}

#[test]
fn what_a_newer_client_may_add_is_skipped() {
    let plain: &[u8] = &[2, 2, b'a', 0, 1, 0, 0, 0];
    for (what, body) in [
        ("nothing", plain),
        (
            "a tag of the topic",
            &[2, 2, b'a', 1, 99, 3, 1, 2, 3, 1, 0, 0, 0],
        ),
        (
            "a tag of the request",
            &[2, 2, b'a', 0, 1, 0, 0, 1, 0xff, 0x7f, 2, 1, 2],
        ),
        ("an empty tag", &[2, 2, b'a', 0, 1, 0, 0, 1, 9, 0]),
        (
            "bytes behind the end",
            &[2, 2, b'a', 0, 1, 0, 0, 0, 1, 2, 3, 4, 5],
        ),
    ] {
        let response = metadata(9, body).expect(what);
        assert_eq!(response.topics.len(), 1, "{what}");
        assert_eq!(response.topics[0].name.as_deref(), Some("a"), "{what}");
    }
}
