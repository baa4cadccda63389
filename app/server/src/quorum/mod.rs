//! The metadata quorum of this node: raft, the controller and the metadata log, owned by one thread.
//!
//! `handle.rs` is the way in for everybody else.

mod handle;

use std::sync::Arc;

use ottla_metadata::{MetadataDelta, MetadataImage};

pub(crate) use handle::channel;
pub use handle::{DecideError, QuorumHandle, QuorumStatus};

/// Told of every change of the committed metadata, on the quorum thread.
pub trait MetadataListener: Send + Sync {
    /// Takes over `image`, which `delta` leads to. The request that made the change is answered when this
    /// returns; it must therefore not wait for the controller.
    fn on_commit(&self, delta: &MetadataDelta, image: &Arc<MetadataImage>);
}
