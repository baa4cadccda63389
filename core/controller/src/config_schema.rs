//! What the controller asks of the configuration layer, which knows the keys.

use ottla_metadata::{ConfigResource, Configs, ResourceType};

use crate::refusal::ConfigRefusal;

/// Dynamic values that bear on a topic, the strongest first. Below them stand the node's file and the
/// defaults, which the schema knows.
#[derive(Debug, Clone, Copy)]
pub struct ConfigLayers<'a> {
    /// Of the topic, by topic keys.
    pub topic: &'a Configs,
    /// Of this node, by broker keys.
    pub node: &'a Configs,
    /// Of all nodes, by broker keys.
    pub cluster: &'a Configs,
}

/// Configs that a resource may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfigs {
    /// A key or value is not allowed (INVALID_CONFIG). The text is for the user.
    #[error("{0}")]
    Value(String),
    /// The resource or the change itself is not allowed (INVALID_REQUEST). The text is for the user.
    #[error("{0}")]
    Request(String),
    /// The topic cannot exist (INVALID_TOPIC_EXCEPTION). The text says why.
    #[error("Topic name is invalid: {0}")]
    TopicName(String),
}

impl From<InvalidConfigs> for ConfigRefusal {
    fn from(invalid: InvalidConfigs) -> Self {
        match invalid {
            InvalidConfigs::Value(text) => Self::Invalid(text),
            InvalidConfigs::Request(text) => Self::InvalidRequest(text),
            InvalidConfigs::TopicName(text) => Self::TopicName(text),
        }
    }
}

/// Knowledge of configuration keys.
pub trait ConfigSchema: Send + Sync {
    /// Whether `key` of a resource of this kind is a list, so that entries can be added and removed.
    fn is_list(&self, kind: ResourceType, key: &str) -> bool;

    /// Default of `key` as text, to which an entry is added when nothing is set.
    fn default_value(&self, kind: ResourceType, key: &str) -> Option<String>;

    /// Checks all the configs that `resource` is to have. `existing` is what it has now.
    ///
    /// # Errors
    /// [`InvalidConfigs`] with the text for the user.
    fn validate(
        &self,
        resource: &ConfigResource,
        configs: &Configs,
        existing: &Configs,
    ) -> Result<(), InvalidConfigs>;

    /// The value in force of the topic key `key`: that of the topic, else that of the broker keys that
    /// stand for it, in this node's, then the cluster's dynamic values, then the file, then the default.
    fn effective_topic_config(&self, key: &str, layers: &ConfigLayers<'_>) -> Option<String>;

    /// `min.insync.replicas` of the file, or its default.
    fn static_min_insync_replicas(&self) -> i32;
}
