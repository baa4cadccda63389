//! What ends a node that runs: its metadata log has failed, or all of its log directories.

use std::sync::Arc;

use ottla_storage::{AllDirsFailed, LogDirs};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Notify;

use crate::quorum::QuorumError;

/// Why a node cannot go on.
#[derive(Debug, Error)]
pub enum NodeFailure {
    /// The metadata log has failed.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// No log directory works.
    #[error(transparent)]
    Dirs(#[from] AllDirsFailed),
    /// The directory of the metadata log has failed, by a fault of another log in it.
    #[error("Shutdown broker because the metadata log dir {0} has failed")]
    MetadataDir(String),
}

/// Hears of a failure, once.
pub type OnFailure = Box<dyn FnOnce(NodeFailure) + Send>;

/// Tells of the first failure only: the node is ended then.
#[derive(Clone)]
pub(crate) struct Failing(Arc<Mutex<Option<OnFailure>>>);

impl Failing {
    pub(crate) fn new(on_failure: OnFailure) -> Self {
        Self(Arc::new(Mutex::new(Some(on_failure))))
    }

    pub(crate) fn tell(&self, failure: impl Into<NodeFailure>) {
        let on_failure = self.0.lock().take();
        if let Some(on_failure) = on_failure {
            on_failure(failure.into());
        }
    }

    /// Tells when the node cannot go on with the directories that still work; `changed` wakes whenever one
    /// has failed.
    pub(crate) fn watch(&self, dirs: &Arc<LogDirs>, changed: &Arc<Notify>) {
        // The directories hold the listener.
        let (this, watched) = (self.clone(), Arc::downgrade(dirs));
        let changed = Arc::clone(changed);
        dirs.set_offline_listener(move |dir| {
            let Some(dirs) = watched.upgrade() else {
                return;
            };
            if let Some(failed) = dirs.must_stop() {
                this.tell(failed);
            } else if dirs.path(dir) == dirs.metadata_dir() {
                let path = dirs.path(dir).display().to_string();
                this.tell(NodeFailure::MetadataDir(path));
            }
            changed.notify_one();
        });
    }
}
