//! Why the metadata quorum cannot go on. Each text is a sentence for the person who starts the node.

use std::io;
use std::path::{Path, PathBuf};

use ottla_base::{NodeId, Offset, Uuid};
use ottla_controller::BootstrapError;
use ottla_metadata::{RecordError, ReplayError};
use ottla_protocol::EncodeError;
use ottla_raft::ElectionStateError;
use ottla_records::BuildError;
use ottla_storage::StorageError;
use thiserror::Error;

/// Why the quorum cannot be opened, or has to stop.
#[derive(Debug, Error)]
pub enum QuorumError {
    /// A file of the metadata directory cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The metadata log failed.
    #[error("the metadata log has failed: {0}")]
    Log(#[from] StorageError),
    /// There is no room for a batch; the metadata log is as it was before.
    #[error("no room for the metadata log: {0}")]
    Full(StorageError),
    /// The metadata log does not take a batch.
    #[error("the metadata log refused a batch: {0}")]
    Append(String),
    /// A file does not hold what it should.
    #[error("{path} is corrupt at byte {position}: {reason}", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in it.
        position: u64,
        /// What is wrong.
        reason: String,
    },
    /// A control record is not one.
    #[error("a control record of the metadata log cannot be read: offset={offset} reason={reason}")]
    BadControlRecord {
        /// Its offset.
        offset: Offset,
        /// What is wrong.
        reason: String,
    },
    /// A metadata record is not one, or comes from a later release.
    #[error("a record of the metadata log cannot be read: offset={offset} reason={source}")]
    BadRecord {
        /// Its offset.
        offset: Offset,
        /// What is wrong.
        source: RecordError,
    },
    /// A metadata record does not fit the ones before it.
    #[error("a record of the metadata log does not fit: offset={offset} reason={source}")]
    Replay {
        /// Its offset.
        offset: Offset,
        /// What is wrong.
        source: ReplayError,
    },
    /// The file `quorum-state` is not one.
    #[error("{path}: {source}", path = path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ElectionStateError,
    },
    /// The log starts behind the newest snapshot.
    #[error(
        "the metadata log in {path} starts at offset {start}, but no snapshot holds what came before: \
         newest snapshot ends at {snapshot}", path = path.display()
    )]
    Gap {
        /// The directory.
        path: PathBuf,
        /// First offset of the log.
        start: Offset,
        /// End of the newest snapshot; 0 without one.
        snapshot: Offset,
    },
    /// A snapshot is damaged, and the log does not hold what it held.
    #[error(
        "the metadata snapshot {path} is damaged ({reason}), and the metadata log in {log} cannot replace it: it holds \
         offsets {start} to {end}, and the newest whole snapshot before it ends at {whole}; restore the file from a copy",
        path = path.display(), log = log.display()
    )]
    DamagedSnapshot {
        /// The snapshot.
        path: PathBuf,
        /// What is wrong with it.
        reason: Box<QuorumError>,
        /// The directory of the log.
        log: PathBuf,
        /// First offset of the log.
        start: Offset,
        /// End of the log.
        end: Offset,
        /// End of the newest whole snapshot; 0 without one.
        whole: Offset,
    },
    /// The bootstrap records do not make a cluster.
    #[error("the metadata log cannot be begun: {0}")]
    Bootstrap(#[from] BootstrapError),
    /// A record has a field that its version cannot express.
    #[error("a record cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// A metadata record cannot be encoded.
    #[error("a metadata record cannot be encoded: {0}")]
    EncodeRecord(#[from] RecordError),
    /// A batch cannot be built.
    #[error("a batch of the metadata log cannot be built: {0}")]
    Build(#[from] BuildError),
    /// Nobody votes.
    #[error(
        "the metadata quorum has no voters: format the metadata directory with --standalone, or set \
         controller.quorum.voters"
    )]
    NoVoters,
    /// This node does not vote.
    #[error(
        "node {node} is not a voter of its metadata quorum (voters: {voters}); nodes that follow a quorum \
         of other nodes are not supported yet"
    )]
    NotAVoter {
        /// This node.
        node: NodeId,
        /// The voters.
        voters: String,
    },
    /// The voter of this id had another directory.
    #[error(
        "node {node} votes in the metadata quorum with directory {voter}, but its metadata directory is \
         {found}"
    )]
    OtherDirectory {
        /// This node.
        node: NodeId,
        /// The directory that votes.
        voter: Uuid,
        /// The directory that is there.
        found: Uuid,
    },
    /// There are other voters.
    #[error(
        "the metadata quorum has more voters than this node (voters: {0}); a quorum of several nodes is \
         not supported yet"
    )]
    OtherVoters(String),
}

impl QuorumError {
    /// Puts the path to an error of the operating system.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
