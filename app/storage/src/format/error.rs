//! Why directories are not formatted.

use std::io;

use ottla_config::InvalidMetaProperties;
use ottla_metadata::RecordError;
use ottla_metadata::features::UnmetDependency;
use ottla_protocol::EncodeError;
use ottla_records::BuildError;
use thiserror::Error;

/// Directories are not formatted. The text is for the user.
#[derive(Debug, Error)]
pub enum FormatError {
    /// What was asked for cannot be, in Kafka's words.
    #[error("{0}")]
    Refused(String),
    /// A directory belongs to another node or cluster.
    #[error(transparent)]
    Elsewhere(#[from] InvalidMetaProperties),
    /// The levels of the features do not go together.
    #[error(transparent)]
    Features(#[from] UnmetDependency),
    /// A record of the bootstrap snapshot is longer than the format allows.
    #[error("the bootstrap snapshot cannot be written")]
    Control(#[from] EncodeError),
    /// As [`Self::Control`], of a metadata record.
    #[error("the bootstrap snapshot cannot be written")]
    Record(#[from] RecordError),
    /// A batch of the bootstrap snapshot is longer than the format allows.
    #[error("the bootstrap snapshot cannot be written")]
    Batch(#[from] BuildError),
    /// The disk failed.
    #[error("{directory} cannot be formatted")]
    Disk {
        /// On this directory.
        directory: String,
        /// Its error.
        source: io::Error,
    },
}

pub(super) fn refusal(text: impl Into<String>) -> FormatError {
    FormatError::Refused(text.into())
}

pub(super) fn refuse<T>(text: impl Into<String>) -> Result<T, FormatError> {
    Err(refusal(text))
}
