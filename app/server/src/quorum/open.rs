//! Opens the metadata quorum: newest snapshot, then the log behind it, then an election.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ottla_base::{ConfigValues as _, Offset, Uuid, Value};
use ottla_config::BrokerConfig;
use ottla_controller::{ControllerConfig, NodeConfigSchema};
use ottla_metadata::VersionedRecord;
use ottla_metadata::features::{METADATA_VERSION, MetadataVersion};
use ottla_protocol::messages::FeatureLevelRecord;
use ottla_raft::{Raft, ReplicaKey, Setup, Timeouts};
use ottla_records::codec::Decompressor;
use ottla_records::control::ControlType;
use ottla_storage::StorageEnv;

use super::batch_file::for_each_record;
use super::effects::NobodyElse;
use super::error::QuorumError;
use super::handle::Inbox;
use super::metadata_log::{DIRECTORY, MetadataLog};
use super::publish::{LogEntry, Publisher};
use super::snapshot::{SnapshotDir, SnapshotTime, decode};
use super::snapshot_choice::Base;
use super::thread::Quorum;
use super::upkeep::Upkeep;
use super::voters::VoterHistory;

/// What a quorum is opened with.
pub struct QuorumSetup {
    /// The outside world.
    pub env: Arc<StorageEnv>,
    /// The configuration of the file.
    pub config: Arc<BrokerConfig>,
    /// The cluster.
    pub cluster_id: String,
    /// `metadata.log.dir`.
    pub metadata_dir: PathBuf,
    /// Id of that directory.
    pub directory_id: Uuid,
    /// Whether the directory was closed cleanly.
    pub clean: bool,
    /// Where requests come from.
    pub(crate) inbox: Inbox,
}

fn controller_config(config: &BrokerConfig, cluster_id: &str) -> ControllerConfig {
    let millis = |value: i64| Duration::from_millis(u64::try_from(value).unwrap_or(0));
    let unclean = match config.values().value("unclean.leader.election.interval.ms") {
        Some(Value::Long(ms)) => millis(*ms),
        _ => ControllerConfig::default().unclean_leader_election_interval,
    };
    let imbalance = u64::try_from(config.quorum.leader_imbalance_check_interval_seconds);
    let balances = config.quorum.auto_leader_rebalance;
    ControllerConfig {
        node_id: config.node_id,
        cluster_id: cluster_id.to_owned(),
        num_partitions: config.node.num_partitions,
        default_replication_factor: i16::try_from(config.node.default_replication_factor)
            .unwrap_or(i16::MAX),
        delete_topic_enable: config.node.delete_topic,
        broker_session_timeout: millis(i64::from(config.node.session_timeout_ms)),
        max_idle_interval: millis(i64::from(config.quorum.metadata_max_idle_interval_ms)),
        leader_imbalance_check_interval: imbalance
            .ok()
            .filter(|_| balances)
            .map(Duration::from_secs),
        unclean_leader_election_interval: unclean,
    }
}

fn timeouts(config: &BrokerConfig) -> Timeouts {
    let millis = |value: i32| u64::try_from(value).unwrap_or(0);
    Timeouts {
        election_ms: millis(config.quorum.election_timeout_ms),
        fetch_ms: millis(config.quorum.fetch_timeout_ms),
        backoff_max_ms: millis(config.quorum.election_backoff_max_ms),
    }
}

impl Quorum {
    /// Reads what is on disk and takes part in the quorum again. A node that is the whole quorum leads it
    /// when this returns, and everything in its log is committed.
    ///
    /// # Errors
    /// [`QuorumError`], with the sentence for the user.
    pub fn open(setup: QuorumSetup) -> Result<Self, QuorumError> {
        let QuorumSetup {
            env,
            config,
            cluster_id,
            metadata_dir,
            directory_id,
            clean,
            inbox,
        } = setup;
        let now = env.clock.mono();
        let dir = SnapshotDir::new(&env.disk, &metadata_dir.join(DIRECTORY));
        let mut ids = dir.list()?;
        let mut voters = VoterHistory::new(&config);
        let bootstrap = dir.bootstrap(&mut voters)?;
        let mut base = Base::read(&dir, &ids, &voters)?;
        let log = MetadataLog::open(&env, &metadata_dir, &config, clean, base.id)?;
        base.settle(&dir, &mut ids, log.path(), (log.start(), log.end()))?;
        log.check_no_gap()?;
        let (end, epoch) = base.end();
        let Base {
            delta,
            mut voters,
            time: SnapshotTime(time),
            ..
        } = base;
        let mut publisher = Publisher::new(delta, end, epoch, time, now);
        replay(&log, end, &mut voters, &mut publisher)?;

        let local = ReplicaKey {
            id: config.node_id,
            directory: directory_id,
        };
        voters.check_alone(local)?;
        let raft_setup = Setup {
            local,
            timeouts: timeouts(&config),
            voters: voters.voters().clone(),
            state: log.read_state()?,
            seed: env.rng.u64(),
        };
        let mut effects = Vec::new();
        let raft = Raft::start(raft_setup, now, &log, &mut effects);
        let mut quorum = Self {
            queue: inbox.queue,
            status: inbox.status,
            meant_end: log.end(),
            log,
            raft,
            voters,
            publisher,
            upkeep: Upkeep::new(dir, &ids, &config, now)?,
            outbox: Box::new(NobodyElse),
            controller_config: controller_config(&config, &cluster_id),
            schema: NodeConfigSchema::new(BrokerConfig::clone(&config)),
            bootstrap: bootstrap.unwrap_or_else(default_bootstrap),
            controller: None,
            round: None,
            flush_no_ops_at: None,
            had_room: true,
            waiting: VecDeque::new(),
            env,
        };
        quorum.carry_out(effects)?;
        quorum.commit()?;
        Ok(quorum)
    }
}

/// The records of a cluster whose directory was formatted by a Kafka that left no bootstrap file.
fn default_bootstrap() -> Vec<VersionedRecord> {
    let record = FeatureLevelRecord {
        name: METADATA_VERSION.to_owned(),
        feature_level: MetadataVersion::LATEST.level(),
        ..FeatureLevelRecord::default()
    };
    let record = ottla_metadata::MetadataRecord::from(record);
    vec![record.at(MetadataVersion::LATEST)]
}

/// Reads the log behind the snapshot. Nothing of it counts as committed yet.
fn replay(
    log: &MetadataLog,
    from: Offset,
    voters: &mut VoterHistory,
    publisher: &mut Publisher,
) -> Result<(), QuorumError> {
    let mut scratch = Decompressor::new();
    log.for_each_batch(from, &mut |batch| {
        let (epoch, time) = (batch.partition_leader_epoch(), batch.max_timestamp());
        for_each_record(batch, &mut scratch, &mut |(offset, key, value)| {
            let record = if batch.is_control() {
                let kind = ControlType::from_key(key);
                let kind = kind.map_err(|error| QuorumError::BadControlRecord {
                    offset,
                    reason: error.to_string(),
                })?;
                voters.note(offset, kind, value.unwrap_or_default())?;
                None
            } else {
                Some(decode(offset, value)?.record)
            };
            if offset >= from {
                publisher.push(LogEntry {
                    offset,
                    epoch,
                    time,
                    bytes: u64::try_from(value.map_or(0, <[u8]>::len)).unwrap_or(u64::MAX),
                    record,
                });
            }
            Ok(())
        })
    })
}
