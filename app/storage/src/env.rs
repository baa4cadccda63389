//! What every log of a node shares.

use std::fmt;
use std::sync::Arc;

use ottla_disk::FileCache;
use ottla_env::{Clock, Disk, Rng};

/// The outside world, as the storage layer sees it.
pub struct StorageEnv {
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// Open files of segments; on the same disk.
    pub files: Arc<FileCache>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
}

impl fmt::Debug for StorageEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageEnv")
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
}
