//! Dynamic configs by resource.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::NodeId;
use rpds::RedBlackTreeMapSync;

/// Kind of resource that has configs. Numbers that Kafka has not given out are kept as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(pub i8);

impl ResourceType {
    /// A topic.
    pub const TOPIC: Self = Self(2);
    /// A broker; the empty name stands for all of them.
    pub const BROKER: Self = Self(4);
    /// Log levels of a broker; never recorded.
    pub const BROKER_LOGGER: Self = Self(8);
    /// A subscription to client metrics.
    pub const CLIENT_METRICS: Self = Self(16);
    /// A group.
    pub const GROUP: Self = Self(32);

    /// Whether Kafka has given out the number.
    #[must_use]
    pub fn is_known(self) -> bool {
        matches!(
            self,
            Self::TOPIC | Self::BROKER | Self::BROKER_LOGGER | Self::CLIENT_METRICS | Self::GROUP
        )
    }
}

/// A resource that has configs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// Its kind.
    pub kind: ResourceType,
    /// Its name.
    pub name: String,
}

impl ConfigResource {
    /// The topic `name`.
    #[must_use]
    pub fn topic(name: impl Into<String>) -> Self {
        Self {
            kind: ResourceType::TOPIC,
            name: name.into(),
        }
    }

    /// The broker `id`.
    #[must_use]
    pub fn broker(id: NodeId) -> Self {
        Self {
            kind: ResourceType::BROKER,
            name: id.to_string(),
        }
    }

    /// What holds for every broker that has no value of its own.
    #[must_use]
    pub fn cluster() -> Self {
        Self {
            kind: ResourceType::BROKER,
            name: String::new(),
        }
    }
}

/// Values by key.
pub type Configs = BTreeMap<String, String>;

static NO_CONFIGS: Configs = Configs::new();

/// Dynamic configs of every resource that has some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigsImage {
    resources: RedBlackTreeMapSync<ConfigResource, Arc<Configs>>,
}

impl Default for ConfigsImage {
    fn default() -> Self {
        Self {
            resources: RedBlackTreeMapSync::new_sync(),
        }
    }
}

impl ConfigsImage {
    /// Configs of `resource`; empty if it has none.
    #[must_use]
    pub fn of(&self, resource: &ConfigResource) -> &Configs {
        self.resources
            .get(resource)
            .map_or(&NO_CONFIGS, AsRef::as_ref)
    }

    /// One value of `resource`.
    #[must_use]
    pub fn value(&self, resource: &ConfigResource, key: &str) -> Option<&str> {
        self.of(resource).get(key).map(String::as_str)
    }

    /// Every resource that has configs, topics before brokers, each kind by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigResource, &Configs)> {
        self.resources
            .iter()
            .map(|(resource, configs)| (resource, configs.as_ref()))
    }

    /// Sets a value, or takes it away.
    pub(crate) fn set(&mut self, resource: ConfigResource, key: &str, value: Option<&str>) {
        match value {
            Some(value) => {
                if let Some(configs) = self.resources.get_mut(&resource) {
                    Arc::make_mut(configs).insert(key.to_owned(), value.to_owned());
                } else {
                    let configs = Configs::from([(key.to_owned(), value.to_owned())]);
                    self.resources.insert_mut(resource, Arc::new(configs));
                }
            }
            None => {
                let Some(configs) = self.resources.get_mut(&resource) else {
                    return;
                };
                let configs = Arc::make_mut(configs);
                configs.remove(key);
                if configs.is_empty() {
                    self.resources.remove_mut(&resource);
                }
            }
        }
    }

    /// Takes away all configs of `resource`.
    pub(crate) fn remove(&mut self, resource: &ConfigResource) {
        self.resources.remove_mut(resource);
    }
}
