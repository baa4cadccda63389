//! What every request of a node may look at.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_base::NodeId;
use ottla_config::BrokerConfig;
use ottla_env::{Clock, Rng};
use ottla_metadata::MetadataImage;
use ottla_net::FrameBudget;
use ottla_replication::fetch_session::{Session, SessionTable};
use ottla_storage::LogDirs;
use parking_lot::Mutex;

use crate::auto_create::AutoCreate;
use crate::coordinator::Coordinators;
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::quorum::QuorumHandle;
use crate::slow_work::SlowWork;

/// What one consumer asked for, shared between the table and the request whose turn it is.
pub type FetchSession = Arc<Mutex<Session>>;

/// A running node, shared by its workers.
pub struct Node {
    /// `node.id`.
    pub id: NodeId,
    /// Cluster id, as the directories name it.
    pub cluster_id: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// The configuration of the file alone.
    pub static_config: Arc<BrokerConfig>,
    /// The configuration with what was set at run time; replaced whole.
    pub config: ArcSwap<BrokerConfig>,
    /// The committed metadata; replaced whole by the quorum thread.
    pub image: ArcSwap<MetadataImage>,
    /// The log directories; none on a node that is no broker.
    pub dirs: Option<Arc<LogDirs>>,
    /// The partitions that this node keeps.
    pub partitions: Partitions,
    /// The groups of the partitions of `__consumer_offsets` that this node leads.
    pub coordinators: Coordinators,
    /// What consumers asked for before (KIP-227).
    pub fetch_sessions: Mutex<SessionTable<FetchSession>>,
    /// The way to the controller.
    pub quorum: QuorumHandle,
    /// Topics that are being made because somebody asked for them.
    pub auto_create: AutoCreate,
    /// Producer ids that this node may give out.
    pub producer_ids: ProducerIds,
    /// Does what blocks on a disk and is rare.
    pub slow_work: SlowWork,
    /// Limits on connections and requests.
    pub limits: Limits,
    /// Memory for requests that have arrived in part.
    pub frames: Arc<FrameBudget>,
}

/// Limits on what one connection may ask for, by Kafka's names where it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `socket.request.max.bytes`: largest frame, its length field not counted.
    pub request_max_bytes: usize,
    /// `connections.max.idle.ms`.
    pub idle_ms: u64,
    /// Longest time between the first byte of a frame and its last; the connection is closed after it.
    ///
    /// Kafka differs: it has no such limit beside the idle one, so a peer that sends a byte a second holds a
    /// buffer for ever.
    pub frame_ms: u64,
}

impl Node {
    /// The committed metadata as of now.
    #[must_use]
    pub fn image(&self) -> Arc<MetadataImage> {
        self.image.load_full()
    }

    /// The configuration as of now.
    #[must_use]
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.config.load_full()
    }
}
