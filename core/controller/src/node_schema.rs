//! The configuration of the node that the controller runs on, as a [`ConfigSchema`].

use ottla_base::NodeId;
use ottla_config::rows::{broker_rows, topic_rows};
use ottla_config::{
    AlterError, BrokerConfig, effective_topic_value, is_list, topic_default, validate_broker,
    validate_client_metrics, validate_group, validate_topic,
};
use ottla_metadata::{ConfigResource, Configs, ResourceType};

use crate::config_schema::{ConfigLayers, ConfigSchema, InvalidConfigs};
use crate::topic_name::check_topic_name;

/// Judges keys and values by the tables of the configuration layer, and by what the node's file says.
#[derive(Debug, Clone)]
pub struct NodeConfigSchema {
    config: BrokerConfig,
}

impl NodeConfigSchema {
    /// `config` holds the file of the node, without dynamic values.
    #[must_use]
    pub fn new(config: BrokerConfig) -> Self {
        Self { config }
    }

    fn validate_broker(&self, name: &str, configs: &Configs) -> Result<(), InvalidConfigs> {
        let request = |text: &str| Err(InvalidConfigs::Request(text.to_owned()));
        if !name.is_empty() {
            match name.parse().map(NodeId) {
                Err(_) => return request("Unable to parse broker name as a base 10 number."),
                Ok(NodeId(..0)) => return request("Invalid negative broker ID."),
                Ok(_) => {}
            }
        }
        validate_broker(&self.config, !name.is_empty(), configs).map_err(InvalidConfigs::from)
    }
}

impl From<AlterError> for InvalidConfigs {
    fn from(error: AlterError) -> Self {
        match error {
            AlterError::InvalidConfig(text) => Self::Value(text),
            AlterError::InvalidRequest(text) => Self::Request(text),
        }
    }
}

impl ConfigSchema for NodeConfigSchema {
    fn is_list(&self, kind: ResourceType, key: &str) -> bool {
        match kind {
            ResourceType::TOPIC => is_list(topic_rows(), key),
            ResourceType::BROKER => is_list(broker_rows(), key),
            _ => false,
        }
    }

    fn default_value(&self, kind: ResourceType, key: &str) -> Option<String> {
        match kind {
            ResourceType::TOPIC => topic_default(&self.config, key),
            ResourceType::BROKER => {
                let row = broker_rows().get(key)?;
                row.default_value()
                    .ok()
                    .flatten()
                    .map(|value| value.to_string())
            }
            _ => None,
        }
    }

    fn validate(
        &self,
        resource: &ConfigResource,
        configs: &Configs,
        existing: &Configs,
    ) -> Result<(), InvalidConfigs> {
        let request = |text: String| Err(InvalidConfigs::Request(text));
        match resource.kind {
            ResourceType::TOPIC if resource.name.is_empty() => {
                request("Default topic resources are not allowed.".to_owned())
            }
            ResourceType::TOPIC => {
                check_topic_name(&resource.name)
                    .map_err(|invalid| InvalidConfigs::TopicName(invalid.to_string()))?;
                Ok(validate_topic(&self.config, existing, configs)?)
            }
            ResourceType::BROKER => self.validate_broker(&resource.name, configs),
            ResourceType::GROUP if resource.name.is_empty() => {
                request("Default group resources are not allowed.".to_owned())
            }
            ResourceType::GROUP => Ok(validate_group(&self.config, configs)?),
            ResourceType::CLIENT_METRICS if resource.name.is_empty() => {
                request("Subscription name can't be empty".to_owned())
            }
            ResourceType::CLIENT_METRICS => Ok(validate_client_metrics(configs)?),
            ResourceType(kind) => request(format!("Unknown resource type {kind}")),
        }
    }

    fn effective_topic_config(&self, key: &str, layers: &ConfigLayers<'_>) -> Option<String> {
        let ConfigLayers {
            topic,
            node,
            cluster,
        } = *layers;
        effective_topic_value(&self.config, key, topic, node, cluster)
    }

    fn static_min_insync_replicas(&self) -> i32 {
        self.config.replication.min_insync_replicas
    }
}
