//! Bytes that are no frames, frames that never come, peers that leave, peers that are too many.

use ottla_net::ConnectionLimits;
use ottla_server::node::Limits;
use socket2::SockRef;
use tokio::io::AsyncWriteExt as _;

use crate::harness::{Front, LIMITS, with_front};
use crate::memory;
use crate::peer::{Peer, api_versions, is_served, raw};

/// A front with short frames.
fn small() -> Front {
    Front {
        limits: Limits {
            request_max_bytes: 1000,
            ..LIMITS
        },
        ..Front::default()
    }
}

/// A front that waits 50 ms for a frame that was begun.
fn impatient() -> Front {
    Front {
        limits: Limits {
            frame_ms: 50,
            ..LIMITS
        },
        ..Front::default()
    }
}

/// Sends bytes; true if the node closes the connection without a word.
fn closes(front: Front, bytes: &[u8]) -> bool {
    with_front(front, async move |node| {
        let mut peer = Peer::connect(node.address).await;
        peer.send(bytes).await.expect("open");
        let closed = peer.is_closed().await;
        assert!(is_served(node.address).await, "others are not");
        closed
    })
}

#[test]
fn what_is_no_frame_closes_the_connection_at_once() {
    for (what, bytes) in [
        ("size 0", &[0, 0, 0, 0][..]),
        ("size -1", &[0xff; 4]),
        ("smallest size", &[0x80, 0, 0, 0]),
        ("one above the limit", &1001_u32.to_be_bytes()),
        ("largest size", &[0x7f, 0xff, 0xff, 0xff]),
        ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("http, cut", b"GET "),
        ("tls", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        ("ssh", b"SSH-2.0-OpenSSH_9.9\r\n"),
    ] {
        assert!(closes(small(), bytes), "{what}");
    }
}

#[test]
fn frame_of_the_largest_size_is_served() {
    with_front(small(), async |node| {
        let mut peer = Peer::connect(node.address).await;
        // Bytes behind a request are ignored, as in Kafka.
        let mut body = api_versions(0, 5).split_off(4);
        body.resize(1000, 0xab);
        let answer = peer.ask(&raw(&body)).await.expect("an answer");
        assert!(answer.starts_with(&[0, 0, 0, 5]));
        assert!(peer.is_served().await);
    });
}

#[test]
fn good_frames_before_a_bad_one_are_answered() {
    with_front(small(), async |node| {
        let mut peer = Peer::connect(node.address).await;
        let bytes = [api_versions(0, 1), api_versions(0, 2), vec![0xff; 100]].concat();
        peer.send(&bytes).await.expect("open");
        let answer = peer.answer().await.expect("the first");
        assert!(answer.starts_with(&[0, 0, 0, 1]));
        let answer = peer.answer().await.expect("the second");
        assert!(answer.starts_with(&[0, 0, 0, 2]));
        assert!(peer.is_closed().await);
    });
}

#[test]
fn frame_that_never_arrives_closes_the_connection() {
    let size = 90_u32 << 20;
    let begun = [&size.to_be_bytes()[..], &[0, 18]].concat();
    assert!(closes(impatient(), &begun));
    assert!(closes(impatient(), &[0]), "not even a length");
}

#[test]
fn byte_now_and_then_does_not_keep_a_frame_alive() {
    with_front(impatient(), async |node| {
        let mut peer = Peer::connect(node.address).await;
        let size = 90_u32 << 20;
        peer.send(&size.to_be_bytes()).await.expect("open");
        // Ends when the node has closed the connection; the watchdog ends it otherwise.
        while peer.send(&[0]).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(is_served(node.address).await);
    });
}

#[test]
fn silent_connection_is_closed_when_it_is_idle_for_too_long() {
    let front = Front {
        limits: Limits {
            idle_ms: 50,
            ..LIMITS
        },
        ..Front::default()
    };
    assert!(closes(front, &[]));
}

#[test]
fn claimed_sizes_cost_no_memory() {
    with_front(Front::default(), async |node| {
        let before = memory::resident();
        let size = 90_u32 << 20;
        let begun = [&size.to_be_bytes()[..], &[0; 1000]].concat();
        let mut peers = Vec::new();
        for _ in 0..200 {
            let mut peer = Peer::connect(node.address).await;
            peer.send(&begun).await.expect("open");
            peers.push(peer);
        }
        // Every connection had its turn when the last is served.
        assert!(is_served(node.address).await);
        assert!(node.counter.total() >= 200);
        memory::assert_bounded(before);
    });
}

#[test]
fn peers_that_leave_are_forgotten() {
    with_front(Front::default(), async |node| {
        let begun = [&1000_u32.to_be_bytes()[..], &[0, 18]].concat();
        for sent in [&[][..], &begun, &api_versions(0, 1)] {
            for reset in [false, true] {
                let mut peer = Peer::connect(node.address).await;
                peer.send(sent).await.expect("open");
                if reset {
                    // Closing with a linger time of 0 sends RST.
                    let socket = SockRef::from(&peer.stream);
                    socket
                        .set_linger(Some(std::time::Duration::ZERO))
                        .expect("a socket");
                }
                drop(peer);
                node.connections_fall_to(0).await;
            }
            let mut half = Peer::connect(node.address).await;
            half.send(sent).await.expect("open");
            half.stream.shutdown().await.expect("open");
            node.connections_fall_to(0).await;
        }
        assert!(is_served(node.address).await);
    });
}

/// Opens as many connections as the node takes; each was served once.
async fn fill(address: std::net::SocketAddr, count: usize) -> Vec<Peer> {
    let mut open = Vec::new();
    for _ in 0..count {
        let mut peer = Peer::connect(address).await;
        assert!(peer.is_served().await);
        open.push(peer);
    }
    open
}

#[test]
fn connections_above_a_limit_are_turned_away() {
    for (total, per_address) in [(5, 100), (100, 5)] {
        let front = Front {
            connections: ConnectionLimits { total, per_address },
            ..Front::default()
        };
        with_front(front, async |node| {
            let mut open = fill(node.address, 5).await;
            assert!(Peer::connect(node.address).await.is_closed().await);
            for peer in &mut open {
                assert!(peer.is_served().await, "those that are there are unharmed");
            }
            drop(open.pop());
            node.connections_fall_to(4).await;
            assert!(
                is_served(node.address).await,
                "a place that is free is given"
            );
        });
    }
}

#[test]
fn ten_thousand_connects_leave_the_others_alone() {
    let front = Front {
        connections: ConnectionLimits {
            total: 50,
            per_address: 50,
        },
        ..Front::default()
    };
    with_front(front, async |node| {
        let before = memory::resident();
        let mut healthy = Peer::connect(node.address).await;
        let mut flood = Vec::new();
        for round in 0..10_000 {
            flood.push(Peer::connect(node.address).await);
            if flood.len() == 500 {
                flood.clear();
            }
            if round % 100 == 0 {
                assert!(healthy.is_served().await);
            }
        }
        drop(flood);
        assert!(healthy.is_served().await);
        node.connections_fall_to(1).await;
        assert!(is_served(node.address).await);
        memory::assert_bounded(before);
    });
}
