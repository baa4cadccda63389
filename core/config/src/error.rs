//! Why a configuration is refused.

use ottla_base::InvalidValue;

/// A node cannot start with this configuration, or a change of it cannot be taken. The texts that
/// Apache Kafka's users know are Kafka's, word for word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// One value is wrong by itself.
    #[error(transparent)]
    Value(#[from] InvalidValue),
    /// A value does not go together with another.
    #[error("{0}")]
    Relation(String),
    /// A value that Kafka would take and Ottla does not serve; ignoring it would break a promise.
    #[error("`{key}={value}` is not served by Ottla yet: {reason}")]
    NotServed {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// Why, or what to do instead.
        reason: String,
    },
}

impl ConfigError {
    /// The text of a failed requirement, with the words that Kafka's language puts before it.
    pub(crate) fn requirement(text: impl std::fmt::Display) -> Self {
        Self::Relation(format!("requirement failed: {text}"))
    }
}

/// A change of configs that is refused, by the error code it gets on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlterError {
    /// INVALID_CONFIG (40).
    #[error("{0}")]
    InvalidConfig(String),
    /// INVALID_REQUEST (42).
    #[error("{0}")]
    InvalidRequest(String),
}
