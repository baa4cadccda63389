//! Puts a node together, in the order in which the parts need each other, and begins to serve.
//!
//! ```text
//! format (if asked) -> directories -> sockets -> metadata log, election -> logs of partitions
//!   -> quorum thread -> registration -> workers
//! ```
//!
//! Whatever can be refused is refused before anything is served. The way back is in `running.rs`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::RecvError;

use arc_swap::ArcSwap;
use ottla_config::rows::network::NetworkSettings;
use ottla_config::{BrokerConfig, Listener, META_PROPERTIES_FILE};
use ottla_disk::{FileCache, OsDisk, raise_open_files};
use ottla_env::{Disk, OsRng, SystemClock};
use ottla_net::{ConnectionCounter, FrameBudget, host_name};
use ottla_replication::fetch_session::{SessionLimits, SessionTable};
use ottla_storage::format::{FormatError, World, format_if_new};
use ottla_storage::{Background, Expect, Flusher, LoadError, LogDirs, OpenDirsError, StorageEnv};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Notify;

use crate::auto_create::AutoCreate;
use crate::bind::{BindError, BoundListener, bind_all};
use crate::broker::apply::MetadataApplier;
use crate::broker::lifecycle::{Identity, Lifecycle, LifecycleError};
use crate::broker::loading;
use crate::connection_limits::{FollowLimits, connection_limits};
use crate::coordinator::Coordinators;
use crate::failure::{Failing, OnFailure};
use crate::node::{Limits, Node};
use crate::partition::PartitionEnv;
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::quorum::{self, Quorum, QuorumError, QuorumSetup};
use crate::running::{AllPartitions, Parts, RunningNode};
use crate::session::ListenerRole;
use crate::slow_work::SlowWork;
use crate::workers::{self, Workers};

/// Idle time after which another fetch session may take a session's place; Kafka's constant.
const FETCH_SESSION_EVICTION_MS: u64 = 120_000;
/// Longest time between the first byte of a request and its last.
/// `queued.max.request.bytes` where it is not set.
const DEFAULT_FRAME_BYTES: i64 = 512 << 20;
const FRAME_MS: u64 = 30_000;

/// How to start.
pub struct StartOptions {
    /// Whether new directories are formatted; else the node refuses to start on them.
    pub auto_format: bool,
    /// Called when the node can go on no more. What is called must end the process, as Kafka halts.
    pub on_failure: OnFailure,
}

/// Why a node does not start. The text is one sentence for the person who starts it.
#[derive(Debug, Error)]
pub enum StartError {
    /// A node of this kind is not there yet.
    #[error(
        "process.roles={0} is not supported yet: a node is broker and controller in one \
         (process.roles=broker,controller)"
    )]
    Roles(String),
    /// The directories cannot be formatted.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The directories are not this node's, in use, or not formatted.
    #[error(transparent)]
    Dirs(#[from] OpenDirsError),
    /// A listener cannot be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The metadata cannot be read, or this node is not the whole quorum.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// The logs of partitions cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The broker is not taken into the cluster.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// There are no more threads.
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
    /// The quorum or the broker ended before the node had started.
    #[error("the node failed while it started; see the log")]
    Failed(#[from] RecvError),
}

/// Starts a node. When this returns it answers on every listener.
///
/// # Errors
/// [`StartError`]; nothing of the node is left running then.
pub fn start(config: BrokerConfig, options: StartOptions) -> Result<RunningNode, StartError> {
    let config = Arc::new(config);
    if !(config.roles.broker && config.roles.controller) {
        return Err(StartError::Roles(config.node.roles.join(",")));
    }
    let open_files = raise_open_files();
    let storage = storage_env(&config);
    let begun = storage.clock.mono();
    // A port that is taken must not leave a directory that was formatted for nothing; otherwise the lock on
    // the directories says more than the port that the other node has as well.
    let is_new = options.auto_format && !is_formatted(&*storage.disk, &config);
    let early = is_new.then(|| bind_all(&config)).transpose()?;
    if options.auto_format {
        format(&storage, &config)?;
    }
    let dirs = Arc::new(open_dirs(&storage, &config)?);
    let failing = Failing::new(options.on_failure);
    let listeners = early.map_or_else(|| bind_all(&config), Ok)?;
    let (handle, inbox) = quorum::channel();
    let quorum = Quorum::open(QuorumSetup {
        env: Arc::clone(&storage),
        config: Arc::clone(&config),
        cluster_id: dirs.cluster_id().to_owned(),
        metadata_dir: dirs.metadata_dir().to_owned(),
        directory_id: dirs.metadata_directory_id(),
        clean: dirs.metadata_dir_is_clean(),
        inbox,
    })?;
    let flusher = Arc::new(Flusher::start(&storage, &dirs).map_err(StartError::Thread)?);
    let node = Arc::new(new_node(&config, &storage, &dirs, handle));
    let env = PartitionEnv::new(
        &config,
        Arc::clone(&storage),
        Arc::clone(&dirs),
        Arc::clone(&flusher),
    );
    let applier = MetadataApplier::new(Arc::clone(&node), Arc::new(env));
    loading::load(&dirs, &config, quorum.image(), &applier)?;
    let changed = Arc::new(Notify::new());
    failing.watch(&dirs, &changed);
    let addresses = Addresses::of(&config, &listeners);
    let counter = ConnectionCounter::new(connection_limits(&config, open_files));
    let listener = FollowLimits::new(applier, &node, &counter, open_files);

    let thread = quorum
        .spawn(Arc::new(listener), move |error| failing.tell(error))
        .map_err(StartError::Thread)?;
    let mut parts = Parts {
        node: Arc::clone(&node),
        dirs: Arc::clone(&dirs),
        flusher,
        quorum: Some(thread),
        lifecycle: None,
        workers: None,
        background: None,
        closers: usize::try_from(config.log.num_recovery_threads_per_data_dir).unwrap_or(1),
    };
    let identity = Identity {
        node: Arc::clone(&node),
        dirs: Arc::clone(&dirs),
        advertised: addresses.advertised,
        advertised_controller: addresses.advertised_controller,
        incarnation: storage.rng.uuid(),
        changed,
    };
    let (lifecycle, ready) = Lifecycle::start(identity).map_err(StartError::Thread)?;
    parts.lifecycle = Some(lifecycle);
    let registered = ready.recv();
    let started = registered
        .map_err(StartError::from)
        .and_then(|registered| Ok(registered?))
        .and_then(|()| {
            let count = workers::count(config.ottla.workers);
            let workers = Workers::start(&node, &counter, listeners, count);
            parts.workers = Some(workers.map_err(StartError::Thread)?);
            let partitions = Arc::new(AllPartitions(Arc::clone(&node)));
            let intervals = loading::intervals(&config);
            let background = Background::start(&storage, &dirs, partitions, intervals);
            parts.background = Some(background.map_err(StartError::Thread)?);
            Ok(())
        });
    if let Err(error) = started {
        parts.stop();
        return Err(error);
    }
    let took = storage.clock.mono().saturating_since(begun);
    tracing::info!(
        node = node.id.0,
        cluster = node.cluster_id,
        took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "the node has started"
    );
    Ok(RunningNode::new(parts, addresses.bound))
}

fn storage_env(config: &BrokerConfig) -> Arc<StorageEnv> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let capacity = usize::try_from(config.ottla.open_files_max).unwrap_or(1);
    Arc::new(StorageEnv {
        files: FileCache::new(Arc::clone(&disk), capacity),
        disk,
        clock: Arc::new(SystemClock::new()),
        rng: Arc::new(OsRng),
    })
}

fn is_formatted(disk: &dyn Disk, config: &BrokerConfig) -> bool {
    let file = Path::new(config.metadata_log_dir()).join(META_PROPERTIES_FILE);
    disk.stat(&file).is_ok()
}

fn format(storage: &StorageEnv, config: &BrokerConfig) -> Result<(), FormatError> {
    let world = World {
        disk: &*storage.disk,
        clock: &*storage.clock,
        rng: &*storage.rng,
    };
    format_if_new(world, config, &mut |line| {
        // Which records a new cluster begins with is nothing for a first look.
        if line.starts_with("Formatting") {
            tracing::info!("{line}");
        } else {
            tracing::debug!("{line}");
        }
    })?;
    Ok(())
}

fn open_dirs(env: &Arc<StorageEnv>, config: &BrokerConfig) -> Result<LogDirs, OpenDirsError> {
    let paths: Vec<PathBuf> = config.log.dirs().iter().map(PathBuf::from).collect();
    let expect = Expect {
        node_id: config.node_id,
        cluster_id: None,
        metadata_dir: PathBuf::from(config.metadata_log_dir()),
    };
    LogDirs::open(env, &paths, &expect)
}

fn new_node(
    config: &Arc<BrokerConfig>,
    storage: &StorageEnv,
    dirs: &Arc<LogDirs>,
    quorum: quorum::QuorumHandle,
) -> Node {
    let network = &config.network;
    let slots = usize::try_from(network.max_incremental_fetch_session_cache_slots).unwrap_or(0);
    Node {
        id: config.node_id,
        cluster_id: dirs.cluster_id().to_owned(),
        clock: Arc::clone(&storage.clock),
        rng: Arc::clone(&storage.rng),
        static_config: Arc::clone(config),
        config: ArcSwap::new(Arc::clone(config)),
        image: ArcSwap::from_pointee(ottla_metadata::MetadataImage::default()),
        dirs: Some(Arc::clone(dirs)),
        partitions: Partitions::default(),
        coordinators: Coordinators::new(Arc::clone(&storage.clock), Arc::new(config.group.clone())),
        fetch_sessions: Mutex::new(SessionTable::new(SessionLimits {
            slots,
            eviction_ms: FETCH_SESSION_EVICTION_MS,
        })),
        quorum,
        auto_create: AutoCreate::default(),
        producer_ids: ProducerIds::default(),
        slow_work: SlowWork::default(),
        limits: Limits {
            request_max_bytes: usize::try_from(network.socket_request_max_bytes).unwrap_or(0),
            idle_ms: idle_ms(network.connections_max_idle_ms),
            frame_ms: FRAME_MS,
        },
        frames: FrameBudget::new(frame_bytes(network)),
    }
}

/// Memory for requests that have arrived in part.
///
/// Kafka differs: -1, the default, is no limit; here it is one that a machine can bear, because ten thousand connections
/// may each claim a request of 100 MiB.
fn frame_bytes(network: &NetworkSettings) -> usize {
    let configured = network.queued_max_request_bytes;
    let default = DEFAULT_FRAME_BYTES.max(i64::from(network.socket_request_max_bytes));
    let max = if configured > 0 { configured } else { default };
    usize::try_from(max).unwrap_or(usize::MAX)
}

/// Kafka takes a negative time for none at all.
fn idle_ms(configured: i64) -> u64 {
    const YEAR_MS: u64 = 365 * 24 * 3_600_000;
    u64::try_from(configured).unwrap_or(YEAR_MS).min(YEAR_MS)
}

/// Where the node listens, and what it tells others.
struct Addresses {
    bound: Vec<Listener>,
    advertised: Vec<Listener>,
    advertised_controller: Vec<Listener>,
}

impl Addresses {
    fn of(config: &BrokerConfig, bound: &[BoundListener]) -> Self {
        // A port that the system chose, and a host that stands for the machine, are told as they are.
        let real = |listener: &Listener| {
            let socket = bound.iter().find(|b| b.listener.name == listener.name);
            let port = socket.map_or(0, |bound| bound.listener.port);
            Listener {
                host: Some(listener.host.clone().unwrap_or_else(host_name)),
                port: if listener.port == 0 {
                    port
                } else {
                    listener.port
                },
                ..listener.clone()
            }
        };
        let broker = |b: &&BoundListener| b.role == ListenerRole::Broker;
        Self {
            bound: bound
                .iter()
                .filter(broker)
                .map(|bound| bound.listener.clone())
                .collect(),
            advertised: config.advertised_listeners.iter().map(real).collect(),
            advertised_controller: config
                .advertised_controller_listeners
                .iter()
                .map(real)
                .collect(),
        }
    }
}
