//! Snapshots when they are due, and away with what they make superfluous.
//!
//! A snapshot is written by a thread of its own, from an image that nobody changes; requests go on
//! meanwhile. Nothing is removed before a newer snapshot is durable.

use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use ottla_base::{MonoTime, Offset};
use ottla_config::BrokerConfig;
use ottla_raft::snapshot::{SnapshotId, SnapshotPolicy};

use super::error::QuorumError;
use super::snapshot::{Kept, NewSnapshot, SnapshotDir, SnapshotTime, oldest_may_go};
use super::thread::Quorum;

/// How often it is looked whether old snapshots may go; Kafka's interval.
const CLEAN_INTERVAL: Duration = Duration::from_secs(60);

/// A snapshot of the directory.
#[derive(Debug, Clone, Copy)]
struct Known {
    id: SnapshotId,
    kept: Kept,
}

/// A snapshot that is being written.
struct Writing {
    id: SnapshotId,
    done: Receiver<Result<(), QuorumError>>,
}

/// The snapshots of this node.
pub(crate) struct Upkeep {
    dir: SnapshotDir,
    policy: SnapshotPolicy,
    retention_ms: i64,
    retention_bytes: i64,
    snapshots: Vec<Known>,
    writing: Option<Writing>,
    clean_at: MonoTime,
}

impl Upkeep {
    /// Looks after the snapshots of `dir`, of which `ids` are there, oldest first.
    pub(crate) fn new(
        dir: SnapshotDir,
        ids: &[SnapshotId],
        config: &BrokerConfig,
        now: MonoTime,
    ) -> Result<Self, QuorumError> {
        let quorum = &config.quorum;
        let positive = |value: i64| u64::try_from(value).unwrap_or(0);
        let known = |id: &SnapshotId| {
            let SnapshotTime(time) = dir.time(*id)?;
            let bytes = dir.bytes(*id)?;
            Ok(Known {
                id: *id,
                kept: Kept { bytes, time },
            })
        };
        let snapshots = ids.iter().map(known).collect::<Result<_, QuorumError>>()?;
        Ok(Self {
            dir,
            policy: SnapshotPolicy {
                max_bytes: positive(quorum.metadata_max_record_bytes_between_snapshots),
                max_interval_ms: positive(quorum.metadata_max_snapshot_interval_ms),
            },
            retention_ms: quorum.metadata_max_retention_ms,
            retention_bytes: quorum.metadata_max_retention_bytes,
            snapshots,
            writing: None,
            clean_at: now.saturating_add(CLEAN_INTERVAL),
        })
    }

    /// Waits until a snapshot that is being written is done; the next round then finds it.
    #[cfg(test)]
    pub(crate) fn settle(&mut self) {
        if let Some(Writing { id, done }) = self.writing.take() {
            let (tell, again) = sync_channel(1);
            tell.send(done.recv().unwrap()).unwrap();
            self.writing = Some(Writing { id, done: again });
        }
    }

    /// Waits for a snapshot that is being written. What comes of it does not matter any more.
    pub(crate) fn wait(&mut self) {
        if let Some(writing) = self.writing.take()
            && let Ok(Err(error)) = writing.done.recv()
        {
            tracing::error!(%error, "a snapshot of the metadata log was not written");
        }
    }
}

impl Quorum {
    /// Begins and ends snapshots, and removes what is not needed.
    pub(super) fn keep_up(&mut self) -> Result<(), QuorumError> {
        let now = self.env.clock.mono();
        self.finish_snapshot()?;
        let (bytes, last) = self.publisher.since_snapshot();
        if self.upkeep.writing.is_none() && self.upkeep.policy.is_due(bytes, last, now) {
            self.begin_snapshot(now)?;
        }
        if now >= self.upkeep.clean_at {
            self.upkeep.clean_at = now.saturating_add(CLEAN_INTERVAL);
            self.clean()?;
        }
        Ok(())
    }

    fn begin_snapshot(&mut self, now: MonoTime) -> Result<(), QuorumError> {
        let image = self.publisher.image().clone();
        let end = Offset(image.offset.0 + 1);
        let id = SnapshotId {
            end_offset: end,
            epoch: image.epoch,
        };
        let snapshot = NewSnapshot {
            id,
            image,
            kraft_version: self.voters.kraft_version_below(end),
            voters: self.voters.recorded_below(end).cloned(),
            last_timestamp: self.publisher.last_time(),
            now: self.env.clock.wall(),
        };
        let (tell, done) = sync_channel(1);
        let dir = self.upkeep.dir.clone();
        ottla_env::spawn_thread("snapshot", move || {
            let result = dir.write(&snapshot);
            drop(tell.send(result)); // The quorum thread may be gone.
        })
        .map_err(QuorumError::io(std::path::Path::new(
            "a thread for a snapshot",
        )))?;
        self.publisher.snapshot_begun(now);
        self.upkeep.writing = Some(Writing { id, done });
        Ok(())
    }

    fn finish_snapshot(&mut self) -> Result<(), QuorumError> {
        let Some(writing) = &self.upkeep.writing else {
            return Ok(());
        };
        let id = writing.id;
        let result = match writing.done.try_recv() {
            Err(TryRecvError::Empty) => return Ok(()),
            Err(TryRecvError::Disconnected) => {
                unreachable!("a thread that panics ends the process")
            }
            Ok(result) => result,
        };
        self.upkeep.writing = None;
        if let Err(error) = result {
            // The log holds everything, and the next snapshot comes with as many records again.
            tracing::error!(%error, "a snapshot of the metadata log was not written");
            return Ok(());
        }
        let (SnapshotTime(time), bytes) = (self.upkeep.dir.time(id)?, self.upkeep.dir.bytes(id)?);
        tracing::info!(
            offset = id.end_offset.0,
            epoch = id.epoch.0,
            bytes,
            "wrote a snapshot of the metadata log"
        );
        let kept = Kept { bytes, time };
        self.upkeep.snapshots.push(Known { id, kept });
        Ok(())
    }

    /// Removes the oldest snapshots by age and size, and the part of the log that the next one holds.
    fn clean(&mut self) -> Result<(), QuorumError> {
        let now = self.env.clock.wall();
        loop {
            let upkeep = &mut self.upkeep;
            let kept: Vec<Kept> = upkeep.snapshots.iter().map(|known| known.kept).collect();
            let (ms, bytes) = (upkeep.retention_ms, upkeep.retention_bytes);
            if !oldest_may_go(&kept, self.log.size_bytes(), now, ms, bytes) {
                return Ok(());
            }
            let [oldest, next, ..] = upkeep.snapshots.as_slice() else {
                return Ok(());
            };
            let (oldest, next) = (oldest.id, next.id);
            self.log.delete_below(next.end_offset)?;
            upkeep.dir.remove(oldest)?;
            upkeep.snapshots.remove(0);
            tracing::info!(
                offset = oldest.end_offset.0,
                epoch = oldest.epoch.0,
                "removed an old snapshot of the metadata log"
            );
        }
    }
}
