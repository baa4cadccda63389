//! A node that runs, and how it stops: what it leads is handed over, nobody is served any more, everything
//! is made durable, and the marks of a clean shutdown are written last.

use std::sync::Arc;
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use ottla_base::BrokerEpoch;
use ottla_config::Listener;
use ottla_storage::{AllMaintained, Background, Flusher, LogDirs, Maintained};

use crate::broker::lifecycle::Lifecycle;
use crate::node::Node;
use crate::waiters::Wake;
use crate::workers::Workers;

/// Longest wait for records that were taken and are not acknowledged yet.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(&self) {
        self.0.unpark();
    }
}

/// The parts of a node, as far as they run.
pub(crate) struct Parts {
    pub(crate) node: Arc<Node>,
    pub(crate) dirs: Arc<LogDirs>,
    pub(crate) flusher: Arc<Flusher>,
    pub(crate) quorum: Option<JoinHandle<()>>,
    pub(crate) lifecycle: Option<Lifecycle>,
    pub(crate) workers: Option<Workers>,
    pub(crate) background: Option<Background>,
    /// Threads for each directory that close logs (`num.recovery.threads.per.data.dir`).
    pub(crate) closers: usize,
}

/// The partitions of a node, for the thread that looks after them.
pub(crate) struct AllPartitions(pub(crate) Arc<Node>);

impl AllMaintained for AllPartitions {
    fn collect(&self, into: &mut Vec<Arc<dyn Maintained>>) {
        let all = self.0.partitions.all();
        into.extend(
            all.into_iter()
                .map(|partition| partition as Arc<dyn Maintained>),
        );
    }
}

impl Parts {
    /// Stops what runs, in the reverse order of the start.
    pub(crate) fn stop(&mut self) {
        let epoch = self.broker_epoch();
        self.drain();
        if let Some(lifecycle) = self.lifecycle.take() {
            lifecycle.stop();
        }
        if let Some(workers) = self.workers.take() {
            workers.stop();
        }
        self.node.coordinators.stop();
        if let Some(background) = self.background.take() {
            background.stop();
        }
        self.node.quorum.stop();
        if let Some(quorum) = self.quorum.take()
            && quorum.join().is_err()
        {
            tracing::error!("the quorum thread has panicked");
        }
        self.flusher.stop();
        let mut partitions = Vec::new();
        AllPartitions(Arc::clone(&self.node)).collect(&mut partitions);
        self.dirs.close(partitions, self.closers, epoch);
    }

    /// Takes no more records, and waits until those that were taken are acknowledged.
    fn drain(&self) {
        let deadline = Instant::now() + DRAIN_MAX;
        let wake: Arc<dyn Wake> = Arc::new(Unpark(std::thread::current()));
        let all = self.node.partitions.all().into_iter();
        let mut open: Vec<_> = all
            .filter_map(|partition| partition.drain().map(|end| (partition, end)))
            .collect();
        while let Some((partition, end)) = open.last() {
            if partition.wait_committed(*end, &wake) {
                open.pop();
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!(
                    partitions = open.len(),
                    "records wait for the disk; the node stops all the same"
                );
                return;
            }
            std::thread::park_timeout(left);
        }
    }

    /// The epoch under which this node is registered now.
    fn broker_epoch(&self) -> Option<BrokerEpoch> {
        let image = self.node.image();
        let broker = image.cluster.broker(self.node.id)?;
        Some(broker.epoch)
    }
}

/// A node that serves.
pub struct RunningNode {
    parts: Parts,
    listeners: Vec<Listener>,
}

impl RunningNode {
    pub(crate) fn new(parts: Parts, listeners: Vec<Listener>) -> Self {
        Self { parts, listeners }
    }

    /// The listeners for clients, with the ports that they really have.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The cluster.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.parts.node.cluster_id
    }

    /// The node itself.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.parts.node
    }

    /// Stops in good order: the next start has nothing to recover.
    pub fn stop(mut self) {
        tracing::info!("the node is stopping");
        self.parts.stop();
        tracing::info!("the node has stopped");
    }
}
