//! From which snapshot a start goes on: the newest one that is whole.
//!
//! A damaged one is passed over if the log still holds all that came after the one before it: the two then say the
//! same. If it does not, what was committed is gone from this node, and it must not go on as if nothing were.

use std::path::Path;
use std::sync::Arc;

use ottla_base::{LeaderEpoch, Offset, WallMillis};
use ottla_metadata::MetadataDelta;
use ottla_raft::snapshot::SnapshotId;

use super::error::QuorumError;
use super::snapshot::{SnapshotDir, SnapshotTime};
use super::voters::VoterHistory;

/// What stands below the log.
pub(crate) struct Base {
    /// `None` if the log is read from its first record.
    pub(crate) id: Option<SnapshotId>,
    /// Leads from nothing to the snapshot's image.
    pub(crate) delta: MetadataDelta,
    /// The voters up to there.
    pub(crate) voters: VoterHistory,
    /// Time of the last record in it.
    pub(crate) time: SnapshotTime,
    /// Newer ones that are damaged, newest first, and what is wrong with each.
    damaged: Vec<(SnapshotId, QuorumError)>,
}

impl Base {
    /// Reads the newest whole one of the snapshots `ids`, oldest first; `voters` is what was known of the voters before
    /// all of them.
    ///
    /// # Errors
    /// The disk's. What a file says that can be read and is no snapshot is no error yet: see [`Self::settle`].
    pub(crate) fn read(
        dir: &SnapshotDir,
        ids: &[SnapshotId],
        voters: &VoterHistory,
    ) -> Result<Self, QuorumError> {
        let mut base = Self {
            id: None,
            delta: MetadataDelta::new(Arc::default()),
            voters: voters.clone(),
            time: SnapshotTime(WallMillis(0)),
            damaged: Vec::new(),
        };
        let ids = ids.iter().rev();
        for &id in ids.filter(|id| **id != SnapshotId::BOOTSTRAP) {
            let mut delta = MetadataDelta::new(Arc::default());
            let mut voters = voters.clone();
            match dir.load(id, &mut delta, &mut voters) {
                Ok(time) => {
                    base.id = Some(id);
                    (base.delta, base.voters, base.time) = (delta, voters, time);
                    break;
                }
                Err(error @ QuorumError::Io { .. }) => return Err(error),
                Err(error) => base.damaged.push((id, error)),
            }
        }
        Ok(base)
    }

    /// Offset behind the last record of the snapshot, and its epoch.
    pub(crate) fn end(&self) -> (Offset, LeaderEpoch) {
        self.id
            .map_or((Offset(0), LeaderEpoch(0)), |id| (id.end_offset, id.epoch))
    }

    /// Puts damaged snapshots aside, now that the log is known to hold offsets from `start` up to `end`. Takes them out of
    /// `ids`.
    ///
    /// # Errors
    /// [`QuorumError::DamagedSnapshot`] if the log does not hold what they held.
    pub(crate) fn settle(
        &mut self,
        dir: &SnapshotDir,
        ids: &mut Vec<SnapshotId>,
        log: &Path,
        (start, end): (Offset, Offset),
    ) -> Result<(), QuorumError> {
        let (from, _) = self.end();
        for (id, error) in std::mem::take(&mut self.damaged) {
            let path = dir.file(id);
            if start > from || end < id.end_offset {
                return Err(QuorumError::DamagedSnapshot {
                    path,
                    reason: Box::new(error),
                    log: log.to_owned(),
                    start,
                    end,
                    whole: from,
                });
            }
            let aside = dir.put_aside(id)?;
            tracing::warn!(
                snapshot = %path.display(),
                aside = %aside.display(),
                %error,
                from = from.0,
                "a metadata snapshot is damaged; the one before it and the log are used in its place"
            );
            ids.retain(|other| *other != id);
        }
        Ok(())
    }
}
