//! Peers that send and do not read.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ottla_env::spawn_connection;
use ottla_server::node::Limits;
use tokio::io::AsyncWriteExt as _;

use crate::harness::{Front, LIMITS, with_front};
use crate::memory;
use crate::peer::{Peer, api_versions, is_served, raw, read_api_versions};

/// Requests sent without reading an answer.
const REQUESTS: i32 = 100_000;

#[test]
fn peer_that_does_not_read_is_no_longer_read() {
    with_front(Front::default(), async |node| {
        let before = memory::resident();
        // 1 KB a request, so that 100 MB do not fit into the buffers of the sockets.
        let frame = |id: i32| {
            let mut body = api_versions(0, id).split_off(4);
            body.resize(1000, 0);
            raw(&body)
        };
        let (mut read, mut write) = Peer::connect(node.address).await.stream.into_split();
        let send = async {
            for first in (0..REQUESTS).step_by(100) {
                let some: Vec<u8> = (first..first + 100).flat_map(frame).collect();
                write.write_all(&some).await.expect("open");
            }
        };
        tokio::pin!(send);
        // Others are served while this one sends; it does not come to an end.
        let mut others = 0;
        while others < 1000 {
            tokio::select! {
                biased;
                () = &mut send => panic!("everything was taken although nothing was read"),
                served = is_served(node.address) => {
                    assert!(served);
                    others += 1;
                }
            }
        }
        memory::assert_bounded(before);
        // What was asked is answered, in order, as soon as the peer reads.
        let receive = async {
            let mut peer = Receiver(&mut read);
            for expected in 0..REQUESTS {
                assert_eq!(read_api_versions(&peer.answer().await, 0).0, expected);
            }
        };
        tokio::join!(send, receive);
        memory::assert_bounded(before);
    });
}

struct Receiver<'a>(&'a mut tokio::net::tcp::OwnedReadHalf);

impl Receiver<'_> {
    async fn answer(&mut self) -> Vec<u8> {
        use tokio::io::AsyncReadExt as _;
        let len = self.0.read_u32().await.expect("an answer");
        let mut bytes = vec![0; usize::try_from(len).expect("small")];
        self.0.read_exact(&mut bytes).await.expect("a whole answer");
        bytes
    }
}

#[test]
fn peer_that_never_reads_is_closed_when_it_is_idle_for_too_long() {
    let front = Front {
        limits: Limits {
            idle_ms: 100,
            ..LIMITS
        },
        ..Front::default()
    };
    with_front(front, async |node| {
        let mut peer = Peer::connect(node.address).await;
        let some: Vec<u8> = (0..100).flat_map(|id| api_versions(0, id)).collect();
        // The node stops reading, and then closes: the peer cannot send any more.
        while peer.send(&some).await.is_ok() {}
        node.connections_fall_to(0).await;
    });
}

#[test]
fn frames_that_follow_each_other_are_not_one_slow_frame() {
    let front = Front {
        limits: Limits {
            frame_ms: 1000,
            ..LIMITS
        },
        ..Front::default()
    };
    with_front(front, async |node| {
        let mut peer = Peer::connect(node.address).await;
        // After large frames buffers are large, and a read takes more than one small frame.
        for _ in 0..20 {
            let mut large = api_versions(0, 1).split_off(4);
            large.resize(100_000, 0);
            let (first, rest) = large.split_at(50_000);
            let size = 100_000_u32.to_be_bytes();
            peer.send(&[&size, first].concat()).await.expect("open");
            assert!(is_served(node.address).await, "the first half was read");
            assert!(peer.ask(rest).await.is_some());
        }
        let begun = tokio::time::Instant::now();
        let frame = api_versions(0, 1);
        let (first, rest) = frame.split_at(7);
        peer.send(first).await.expect("open");
        // What is sent always ends within a frame, for longer than one frame may take.
        while begun.elapsed() < Duration::from_millis(2500) {
            peer.send(&[rest, first].concat()).await.expect("open");
            assert!(
                peer.answer().await.is_some(),
                "closed in the middle of traffic"
            );
        }
        assert!(peer.ask(rest).await.is_some());
    });
}

/// Memory for requests that arrive in part.
const FRAME_BYTES: usize = 600_000;

/// A request of 1 MiB.
fn large(id: i32) -> Vec<u8> {
    let mut body = api_versions(0, id).split_off(4);
    body.resize(1 << 20, 0);
    raw(&body)
}

#[test]
fn requests_that_arrive_in_part_share_a_bounded_memory() {
    let front = Front {
        frame_bytes: FRAME_BYTES,
        ..Front::default()
    };
    with_front(front, async |node| {
        // Two that stop in the middle take all there is.
        let mut stopped = Vec::new();
        for id in 0..2 {
            let mut peer = Peer::connect(node.address).await;
            peer.send(&large(id)[..400_000]).await.expect("open");
            stopped.push(peer);
        }
        while node.frames.used() < FRAME_BYTES {
            assert!(is_served(node.address).await);
        }
        // Others wait, and whoever asks little is served meanwhile.
        let done = Rc::new(Cell::new(0));
        for id in 2..18 {
            let mut peer = Peer::connect(node.address).await;
            let done = Rc::clone(&done);
            spawn_connection(async move {
                let answer = peer.ask(&large(id)).await.expect("an answer");
                assert_eq!(read_api_versions(&answer, 0).0, id);
                done.set(done.get() + 1);
            });
        }
        for _ in 0..200 {
            assert!(is_served(node.address).await);
            let used = node.frames.used();
            assert!(used < 4 * FRAME_BYTES, "{used}");
        }
        assert_eq!(done.get(), 0, "there was no memory for them");
        // The two go on, and everybody has his answer.
        for (id, peer) in (0..).zip(&mut stopped) {
            let rest = large(id).split_off(400_000);
            let answer = peer.ask(&rest).await.expect("an answer");
            assert_eq!(read_api_versions(&answer, 0).0, id);
        }
        while done.get() < 16 {
            assert!(is_served(node.address).await);
        }
        assert_eq!(node.frames.used(), 0);
    });
}
