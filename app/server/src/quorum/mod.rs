//! The metadata quorum of this node: raft, the controller and the metadata log, owned by one thread.
//!
//! `handle.rs` is the way in for everybody else; `open.rs` reads what is on disk; `thread.rs` is the loop,
//! `round.rs` what it appends at once, `effects.rs` what raft asks for, `publish.rs` how records become the
//! image that everybody reads, `upkeep.rs` snapshots and what they make superfluous. `metadata_log.rs`,
//! `snapshot.rs`, `batch_file.rs` are the files, `snapshot_choice.rs` which of them a start goes on from. Decisions are made in `ottla-raft` and `ottla-controller`.

mod batch_file;
mod effects;
mod error;
mod handle;
mod metadata_log;
mod open;
mod publish;
mod round;
mod snapshot;
mod snapshot_choice;
mod thread;
mod upkeep;
mod voters;

use std::sync::Arc;

use ottla_metadata::{MetadataDelta, MetadataImage};

pub use error::QuorumError;
pub(crate) use handle::channel;
pub use handle::{DecideError, QuorumHandle, QuorumStatus};
pub use open::QuorumSetup;
pub use thread::Quorum;

/// Told of every change of the committed metadata, on the quorum thread.
pub trait MetadataListener: Send + Sync {
    /// Takes over `image`, which `delta` leads to. The request that made the change is answered when this
    /// returns; it must therefore not wait for the controller.
    fn on_commit(&self, delta: &MetadataDelta, image: &Arc<MetadataImage>);
}

#[cfg(test)]
mod tests;
