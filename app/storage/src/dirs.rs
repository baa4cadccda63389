//! The log directories of a node.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_base::{BrokerEpoch, NodeId, Offset, Uuid};
use thiserror::Error;

use crate::env::StorageEnv;
use crate::error::StorageError;

/// A log directory by its place in `log.dirs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirIndex(pub u16);

/// Whom the directories must belong to.
#[derive(Debug, Clone)]
pub struct Expect {
    /// `node.id`.
    pub node_id: NodeId,
    /// The cluster, where it is known.
    pub cluster_id: Option<String>,
    /// `metadata.log.dir`; may be one of the log directories or one of its own.
    pub metadata_dir: PathBuf,
}

/// The node cannot start on its directories. The text is for the user.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct OpenDirsError(String);

/// All log directories of a node, locked.
#[derive(Debug)]
pub struct LogDirs {}

impl LogDirs {
    /// Locks the directories and reads what they say about themselves.
    ///
    /// # Errors
    /// If one of them belongs elsewhere or is in use, or none of them works.
    pub fn open(
        _env: &Arc<StorageEnv>,
        _paths: &[PathBuf],
        _expect: &Expect,
    ) -> Result<Self, OpenDirsError> {
        todo!()
    }

    /// The cluster that the directories belong to.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        todo!()
    }

    /// Directory of `__cluster_metadata-0`.
    #[must_use]
    pub fn metadata_dir(&self) -> &Path {
        todo!()
    }

    /// Id of the metadata directory (KIP-853).
    #[must_use]
    pub fn metadata_directory_id(&self) -> Uuid {
        todo!()
    }

    /// Whether the metadata directory was closed cleanly.
    #[must_use]
    pub fn metadata_dir_is_clean(&self) -> bool {
        todo!()
    }

    /// Ids of the log directories that work, sorted (KIP-858).
    #[must_use]
    pub fn directory_ids(&self) -> Vec<Uuid> {
        todo!()
    }

    /// Ids of the log directories that failed, as far as they are known.
    #[must_use]
    pub fn offline_directory_ids(&self) -> Vec<Uuid> {
        todo!()
    }

    /// Id of a directory; `None` if it could not be read.
    #[must_use]
    pub fn directory_id(&self, _dir: DirIndex) -> Option<Uuid> {
        todo!()
    }

    /// Whether a directory works.
    #[must_use]
    pub fn is_online(&self, _dir: DirIndex) -> bool {
        todo!()
    }

    /// Epoch of the broker's last registration, if it was shut down cleanly (KIP-966).
    #[must_use]
    pub fn previous_broker_epoch(&self) -> Option<BrokerEpoch> {
        todo!()
    }

    /// Chooses the directory of a new partition, the one with the fewest, and counts the partition there;
    /// `None` if no directory works.
    #[must_use]
    pub fn place(&self) -> Option<DirIndex> {
        todo!()
    }

    /// Where a partition is in a directory.
    #[must_use]
    pub fn path_of(&self, _dir: DirIndex, _topic: &str, _partition: i32) -> PathBuf {
        todo!()
    }

    /// Makes raised log starts durable, with those of others by one write: only then may a DeleteRecords
    /// be answered (D8).
    ///
    /// # Errors
    /// The disk's.
    pub fn raise_log_starts(
        &self,
        _dir: DirIndex,
        _starts: &[(Arc<str>, i32, Offset)],
    ) -> Result<(), StorageError> {
        todo!()
    }

    /// Takes a directory out of use after a fault. Returns whether it was in use until now.
    pub fn mark_offline(&self, _dir: DirIndex, _error: &StorageError) -> bool {
        todo!()
    }
}
