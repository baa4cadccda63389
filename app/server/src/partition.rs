//! One partition that this node keeps: its log, who leads it, who waits for it.
//!
//! Everything of a partition is behind one short lock, which is never held across an await or a flush.
//! What may be decided stands elsewhere: in `ottla_replication::leader` how far the high watermark goes,
//! in `ottla_log` what a producer may append. Whoever is woken is woken after the lock was released.
//!
//! Files: `partition/produce.rs` appends, `partition/read.rs` reads, `partition/upkeep.rs` is asked by the
//! flusher and the background thread, `partition/assign.rs` takes the controller's decisions.

mod assign;
mod produce;
mod read;
mod upkeep;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ottla_base::{LeaderEpoch, MonoTime, NodeId, Offset, TopicId, WallMillis};
use ottla_config::{BrokerConfig, CommitFlush};
use ottla_replication::leader::{FlushPolicy, Leader, WriteRefusal};
use ottla_storage::{AppendError, DirIndex, Flusher, Log, LogDirs, StorageEnv, StorageError};
use parking_lot::{Mutex, MutexGuard};

use crate::topic_rules::TopicRules;
use crate::waiters::{Waiters, Wake};

pub(crate) use assign::LeaderChange;
pub(crate) use produce::{Acked, Awaited};
pub(crate) use read::{OffsetQuery, PartitionRead, ReadAsk};

/// What all partitions of a node use.
pub struct PartitionEnv {
    /// `node.id`.
    pub node_id: NodeId,
    /// When this node's own copy counts (`ottla.commit.flush`).
    pub policy: FlushPolicy,
    /// Disk, open files, time.
    pub storage: Arc<StorageEnv>,
    /// The directories.
    pub dirs: Arc<LogDirs>,
    /// Makes appends durable.
    pub flusher: Arc<Flusher>,
    /// `producer.id.expiration.ms`.
    producer_expiration_ms: AtomicI64,
}

impl PartitionEnv {
    /// What the partitions of a node with this configuration use.
    #[must_use]
    pub fn new(
        config: &BrokerConfig,
        storage: Arc<StorageEnv>,
        dirs: Arc<LogDirs>,
        flusher: Arc<Flusher>,
    ) -> Self {
        let env = Self {
            node_id: config.node_id,
            policy: node_flush_policy(config),
            storage,
            dirs,
            flusher,
            producer_expiration_ms: AtomicI64::new(0),
        };
        env.set_producer_expiration(config);
        env
    }

    /// Takes `producer.id.expiration.ms` over.
    pub(crate) fn set_producer_expiration(&self, config: &BrokerConfig) {
        let ms = i64::from(config.log.producer_id_expiration_ms);
        self.producer_expiration_ms.store(ms, Ordering::Relaxed);
    }
}

/// When a record counts on this node, unless its topic says otherwise (`ottla.commit.flush`).
pub(crate) fn node_flush_policy(config: &BrokerConfig) -> FlushPolicy {
    match config.ottla.commit_flush {
        CommitFlush::Alone => FlushPolicy::Alone,
        CommitFlush::Always => FlushPolicy::Always,
        CommitFlush::Never => FlushPolicy::Never,
    }
}

/// A partition whose replica this node holds.
pub struct Partition {
    /// Name of the topic.
    pub(crate) topic: Arc<str>,
    /// Id of the topic.
    pub(crate) topic_id: TopicId,
    /// 0-based index.
    pub(crate) index: i32,
    /// The directory that its log is in.
    dir: DirIndex,
    env: Arc<PartitionEnv>,
    state: Mutex<State>,
}

struct State {
    /// `None` once the partition is deleted or closed.
    log: Option<Log>,
    /// Present while this node leads.
    leader: Option<Leader>,
    /// Who leads, as the controller decided last.
    leader_id: NodeId,
    /// Epoch of that leader.
    leader_epoch: LeaderEpoch,
    /// As last known; [`Leader`] has the current one while this node leads.
    high_watermark: Offset,
    rules: Arc<TopicRules>,
    waiters: Waiters,
    /// Whether the flusher has this partition in its queue.
    flush_queued: bool,
    /// When the flusher comes because of `flush.ms`, if it does.
    flush_by: Option<MonoTime>,
    /// End of the log when `flush.messages` asked for a flush last.
    flush_asked: Offset,
    /// Whether appends are refused because the node stops.
    draining: bool,
    /// The epoch under which this node led last, and the high watermark when that ended.
    last_led: Option<(LeaderEpoch, Offset)>,
}

/// What an append gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    /// Offset of the first record.
    pub(crate) base: Offset,
    /// Offset of the last record.
    pub(crate) last: Offset,
    /// Epoch of the leader that appended.
    pub(crate) epoch: LeaderEpoch,
    /// First offset that can be read.
    pub(crate) log_start: Offset,
    /// The largest timestamp of a batch that was there already; nothing was written then (KIP-98).
    pub(crate) duplicate: Option<WallMillis>,
    /// How far this node's disk has to come before anybody is told of it, whatever acks say.
    pub(crate) on_disk: Option<Offset>,
}

/// Why a partition does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PartitionRefusal {
    /// This node does not lead it (any more).
    #[error("not the leader of the partition: leader={leader} epoch={epoch}")]
    NotLeader {
        /// Who leads, as far as known.
        leader: NodeId,
        /// Epoch of that leader.
        epoch: LeaderEpoch,
    },
    /// The request names an older leader epoch.
    #[error("leader epoch is old: current={0}")]
    FencedLeaderEpoch(LeaderEpoch),
    /// The request names a leader epoch that this node has not heard of.
    #[error("leader epoch is not known yet: current={0}")]
    UnknownLeaderEpoch(LeaderEpoch),
    /// The offset is below the log start or above the end.
    #[error("offset is out of range")]
    OffsetOutOfRange,
    /// Fewer replicas are in sync than `min.insync.replicas` asks.
    #[error(transparent)]
    NotEnoughReplicas(#[from] WriteRefusal),
    /// The log does not take the batch.
    #[error(transparent)]
    Append(AppendError),
    /// Records of the topic cannot be deleted by offset.
    #[error("topic is compacted only")]
    PolicyViolation,
    /// The log, or its directory, has failed.
    #[error("log directory is offline")]
    Storage,
}

impl Partition {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Every record below it is committed; `None` unless this node leads.
    pub(crate) fn high_watermark(&self) -> Option<Offset> {
        self.state().leader.as_ref().map(Leader::high_watermark)
    }

    /// First offset that can be read.
    pub(crate) fn log_start(&self) -> Offset {
        self.state().log.as_ref().map_or(Offset::ZERO, Log::start)
    }

    /// Offset of the next record.
    pub(crate) fn log_end(&self) -> Offset {
        self.state().log.as_ref().map_or(Offset::ZERO, Log::end)
    }

    /// Epoch under which this node leads; `None` if it does not.
    pub(crate) fn leader_epoch(&self) -> Option<LeaderEpoch> {
        self.state().leader.as_ref().map(Leader::epoch)
    }

    /// Who leads, as the controller decided last, and under which epoch.
    pub(crate) fn leader(&self) -> (NodeId, LeaderEpoch) {
        let state = self.state();
        (state.leader_id, state.leader_epoch)
    }

    /// Bytes of the log on disk.
    pub(crate) fn size_bytes(&self) -> u64 {
        let state = self.state();
        state.log.as_ref().map_or(0, Log::size_bytes)
    }

    /// The rules of its topic.
    pub(crate) fn rules(&self) -> Arc<TopicRules> {
        Arc::clone(&self.state().rules)
    }

    /// Wakes `wake` once the high watermark reaches `offset`, or this node does not lead any more;
    /// `true` if that is so already.
    pub(crate) fn wait_committed(&self, offset: Offset, wake: &Arc<dyn Wake>) -> bool {
        let mut state = self.state();
        match &state.leader {
            Some(leader) if leader.high_watermark() < offset => {
                state.waiters.add(offset, wake);
                false
            }
            _ => true,
        }
    }

    /// Deals with a fault of the disk, outside the lock: the directory goes offline, as in Kafka.
    fn storage_failed(&self, error: &StorageError) {
        if self.env.dirs.mark_offline(self.dir, error) {
            tracing::error!(
                topic = &*self.topic,
                partition = self.index,
                %error,
                "a log directory failed and is taken offline"
            );
        }
    }
}

impl State {
    /// The log and the leader's view of it, if this node leads.
    fn leading(&mut self) -> Result<(&mut Log, &mut Leader), PartitionRefusal> {
        let not_leader = self.not_leader();
        match (&mut self.log, &mut self.leader) {
            (Some(log), Some(leader)) => Ok((log, leader)),
            _ => Err(not_leader),
        }
    }

    fn not_leader(&self) -> PartitionRefusal {
        PartitionRefusal::NotLeader {
            leader: self.leader_id,
            epoch: self.leader_epoch,
        }
    }

    /// Checks the leader epoch that a client names; -1 names none (KIP-320).
    fn check_epoch(&self, named: i32) -> Result<(), PartitionRefusal> {
        let current = self.leader_epoch;
        match named.cmp(&current.0) {
            _ if named < 0 => Ok(()),
            std::cmp::Ordering::Less => Err(PartitionRefusal::FencedLeaderEpoch(current)),
            std::cmp::Ordering::Greater => Err(PartitionRefusal::UnknownLeaderEpoch(current)),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }

    /// Takes out those whom a new high watermark concerns.
    fn take_woken(&mut self, moved: Option<Offset>, woken: &mut Vec<Arc<dyn Wake>>) {
        if let Some(high_watermark) = moved {
            self.waiters.take_reached(high_watermark, woken);
        }
    }
}

#[cfg(test)]
mod tests;
