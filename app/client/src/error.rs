//! What can go wrong between a tool and a cluster, named as Kafka's clients name it.

use ottla_protocol::{ApiKey, ErrorCode};
use thiserror::Error;

use crate::config::ConfigError;
use crate::exception::exception_name;

/// An answer, or why there is none.
pub type Result<T> = std::result::Result<T, ClientError>;

/// Why there is no answer. The text is the message of the exception that Kafka's clients throw;
/// [`ClientError::exception`] its name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// The server refused.
    #[error("{message}")]
    Refused {
        /// Why.
        code: ErrorCode,
        /// What the server said, or else the code's own text.
        message: String,
    },
    /// Nothing came in time.
    #[error("{0}")]
    Timeout(String),
    /// The connection ended before the answer came, or could not be made.
    #[error("{0}")]
    Disconnected(String),
    /// Client and server have no version of the API in common.
    #[error("The node does not support {}", constant(*api))]
    UnsupportedApi {
        /// The API.
        api: ApiKey,
    },
    /// What is asked needs a newer version than the server speaks.
    #[error("{0}")]
    UnsupportedVersion(String),
    /// Bytes came that are no answer.
    #[error("the answer to {} cannot be read: {reason}", api.row().name)]
    Malformed {
        /// The API that was asked.
        api: ApiKey,
        /// Why.
        reason: String,
    },
    /// The configuration of the client is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl ClientError {
    /// An error that a server gave, with what it said about it.
    #[must_use]
    pub fn refused(code: i16, message: Option<&str>) -> Self {
        let code = ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError);
        Self::Refused {
            code,
            message: message
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| code.message())
                .to_owned(),
        }
    }

    /// `Ok` for the code 0.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for any other code.
    pub fn check(code: i16, message: Option<&str>) -> Result<()> {
        if code == 0 {
            Ok(())
        } else {
            Err(Self::refused(code, message))
        }
    }

    /// The code, if a server gave one.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Refused { code, .. } => code.is_retriable(),
            Self::Timeout(_) | Self::Disconnected(_) => true,
            _ => false,
        }
    }

    /// The full name of the exception that Kafka's clients throw.
    #[must_use]
    pub fn exception(&self) -> String {
        match self {
            Self::Refused { code, .. } => exception_name(*code),
            Self::Timeout(_) => exception_name(ErrorCode::RequestTimedOut),
            Self::Disconnected(_) => {
                "org.apache.kafka.common.errors.DisconnectException".to_owned()
            }
            Self::UnsupportedApi { .. } | Self::UnsupportedVersion(_) => {
                exception_name(ErrorCode::UnsupportedVersion)
            }
            Self::Malformed { .. } => {
                "org.apache.kafka.common.protocol.types.SchemaException".to_owned()
            }
            Self::Config(_) => "org.apache.kafka.common.config.ConfigException".to_owned(),
        }
    }

    /// Name and message, as Java prints an exception: `NAME: MESSAGE`.
    #[must_use]
    pub fn to_java(&self) -> String {
        format!("{}: {self}", self.exception())
    }
}

/// The name of Java's constant: `LIST_OFFSETS` for ListOffsets.
fn constant(api: ApiKey) -> String {
    let mut name = String::new();
    for (at, letter) in api.row().name.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_without_words_has_those_of_its_code() {
        let code = ErrorCode::GroupIdNotFound;
        for said in [None, Some("")] {
            assert_eq!(
                ClientError::refused(code.code(), said).to_string(),
                code.message(),
                "{said:?}"
            );
        }
        let said = ClientError::refused(code.code(), Some("Group g not found."));
        assert_eq!(said.to_string(), "Group g not found.");
    }

    #[test]
    fn an_api_is_named_by_its_constant() {
        let error = ClientError::UnsupportedApi {
            api: ApiKey::OffsetForLeaderEpoch,
        };
        assert_eq!(
            error.to_string(),
            "The node does not support OFFSET_FOR_LEADER_EPOCH"
        );
    }
}
