//! Starts what a test talks to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ottla_base::NodeId;
use ottla_config::BrokerConfig;
use ottla_env::{OsRng, SystemClock, run_local, spawn_connection};
use ottla_metadata::MetadataImage;
use ottla_net::{ConnectionCounter, ConnectionLimits, FrameBudget, SocketOptions, bind};
use ottla_replication::fetch_session::{SessionLimits, SessionTable};
use ottla_server::auto_create::AutoCreate;
use ottla_server::coordinator::Coordinators;
use ottla_server::listen;
use ottla_server::node::{Limits, Node};
use ottla_server::partitions::Partitions;
use ottla_server::producer_ids::ProducerIds;
use ottla_server::quorum::QuorumHandle;
use ottla_server::session::{ListenerInfo, ListenerRole};
use ottla_server::slow_work::SlowWork;
use parking_lot::Mutex;
use tokio::net::TcpListener;

/// After this a test has failed: what it waits for does not come.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Kafka's limits on requests.
pub(crate) const LIMITS: Limits = Limits {
    request_max_bytes: 100 << 20,
    idle_ms: 600_000,
    frame_ms: 30_000,
};

/// Limits of a front.
#[derive(Clone, Copy)]
pub(crate) struct Front {
    pub(crate) limits: Limits,
    pub(crate) connections: ConnectionLimits,
    /// `queued.max.request.bytes`.
    pub(crate) frame_bytes: usize,
}

impl Default for Front {
    fn default() -> Self {
        Self {
            limits: LIMITS,
            connections: ConnectionLimits {
                total: 1000,
                per_address: 1000,
            },
            frame_bytes: 512 << 20,
        }
    }
}

/// A front that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) counter: Arc<ConnectionCounter>,
    pub(crate) frames: Arc<FrameBudget>,
}

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

fn node(limits: Limits, frames: &Arc<FrameBudget>) -> Node {
    let config = Arc::new(config());
    Node {
        id: NodeId(1),
        cluster_id: "the-cluster".to_owned(),
        clock: Arc::new(SystemClock::new()),
        rng: Arc::new(OsRng),
        static_config: Arc::clone(&config),
        config: ArcSwap::new(Arc::clone(&config)),
        image: ArcSwap::from_pointee(MetadataImage::default()),
        dirs: None,
        partitions: Partitions::default(),
        coordinators: Coordinators::new(
            Arc::new(SystemClock::new()),
            Arc::new(config.group.clone()),
        ),
        fetch_sessions: Mutex::new(SessionTable::new(SessionLimits {
            slots: 10,
            eviction_ms: 120_000,
        })),
        quorum: QuorumHandle::disconnected(),
        auto_create: AutoCreate::default(),
        producer_ids: ProducerIds::default(),
        slow_work: SlowWork::default(),
        limits,
        frames: Arc::clone(frames),
    }
}

/// Runs `body` against the front of a node that listens on a port of the system's choice.
pub(crate) fn with_front<T>(front: Front, body: impl AsyncFnOnce(Running) -> T) -> T {
    run_local(async {
        let options = SocketOptions {
            backlog: 1000,
            send_buffer: None,
            receive_buffer: None,
        };
        let socket = bind(SocketAddr::from(([127, 0, 0, 1], 0)), options).expect("a port");
        let listener = TcpListener::from_std(socket).expect("a runtime");
        let address = listener.local_addr().expect("bound");
        let info = ListenerInfo {
            name: "PLAINTEXT".to_owned(),
            role: ListenerRole::Broker,
        };
        let counter = ConnectionCounter::new(front.connections);
        let frames = FrameBudget::new(front.frame_bytes);
        let node = Arc::new(node(front.limits, &frames));
        let task = listen::serve(node, Arc::new(info), Arc::clone(&counter), listener);
        spawn_connection(task);
        let running = Running {
            address,
            counter,
            frames,
        };
        tokio::time::timeout(WATCHDOG, body(running))
            .await
            .expect("nothing gets stuck")
    })
    .expect("a runtime")
}

impl Running {
    /// Waits until the node has noticed that all but `count` connections are gone.
    pub(crate) async fn connections_fall_to(&self, count: usize) {
        while self.counter.total() > count {
            tokio::task::yield_now().await;
        }
    }
}
