//! The configuration of a node: its settings by type, their sources and the relations between them.
//!
//! Knows nothing of files: texts come in, typed settings come out. A change at run time makes a new
//! [`BrokerConfig`] from the same static texts and new dynamic ones (KIP-226).

use ottla_base::{ConfigRow, DefaultValue, Dynamic, NodeId, Status, Value};

use crate::error::ConfigError;
use crate::listener::{Listener, Voter};
use crate::relations::Relations;
use crate::rows::group::GroupSettings;
use crate::rows::log::LogSettings;
use crate::rows::network::NetworkSettings;
use crate::rows::node::NodeSettings;
use crate::rows::ottla::OttlaSettings;
use crate::rows::quorum::QuorumSettings;
use crate::rows::replication::ReplicationSettings;
use crate::rows::transaction::TransactionSettings;
use crate::rows::{DYNAMIC_ONLY, broker_rows};
use crate::suggest::suggestion;
use crate::values::{RawConfigs, Values};

/// Where the texts of a broker's configuration come from, strongest last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerLayers {
    /// `server.properties` with overrides from the command line.
    pub file: RawConfigs,
    /// Dynamic configs of all brokers (the broker resource with an empty name).
    pub cluster: RawConfigs,
    /// Dynamic configs of this broker.
    pub broker: RawConfigs,
}

impl BrokerLayers {
    /// Every key with its strongest text.
    #[must_use]
    pub fn merged(&self) -> RawConfigs {
        let mut merged = self.file.clone();
        merged.extend(self.cluster.iter().map(|(k, v)| (k.clone(), v.clone())));
        merged.extend(self.broker.iter().map(|(k, v)| (k.clone(), v.clone())));
        merged
    }
}

/// What a node plays: broker, controller or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// It keeps partitions and serves clients.
    pub broker: bool,
    /// It is part of the metadata quorum.
    pub controller: bool,
}

/// The effective configuration of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerConfig {
    /// Its id.
    pub node_id: NodeId,
    /// What it plays.
    pub roles: Roles,
    /// Listeners for clients and other brokers.
    pub listeners: Vec<Listener>,
    /// Listeners of the controller; none on a node that is only a broker.
    pub controller_listeners: Vec<Listener>,
    /// The addresses told to clients and other brokers. A host of `None` means the machine's own name.
    pub advertised_listeners: Vec<Listener>,
    /// The addresses told to brokers and other controllers.
    pub advertised_controller_listeners: Vec<Listener>,
    /// Name of the listener that brokers use among themselves.
    pub inter_broker_listener: String,
    /// The fixed quorum; empty if the metadata log holds the voters.
    pub voters: Vec<Voter>,
    /// Settings of the node.
    pub node: NodeSettings,
    /// Settings of listeners, connections and requests.
    pub network: NetworkSettings,
    /// Settings of logs.
    pub log: LogSettings,
    /// Settings of replication.
    pub replication: ReplicationSettings,
    /// Settings of the metadata quorum.
    pub quorum: QuorumSettings,
    /// Settings of groups.
    pub group: GroupSettings,
    /// Settings of transactions.
    pub transaction: TransactionSettings,
    /// Ottla's own settings.
    pub ottla: OttlaSettings,
    layers: BrokerLayers,
    values: Values,
}

impl BrokerConfig {
    /// Reads a configuration from the texts of `server.properties`.
    ///
    /// # Errors
    /// [`ConfigError`] with the sentence for the user.
    pub fn load(file: RawConfigs) -> Result<Self, ConfigError> {
        let mut file = file;
        // `broker.id` is an older name of `node.id`.
        if let Some(id) = file.get("broker.id").cloned() {
            file.entry("node.id".to_owned()).or_insert(id);
        } else if let Some(id) = file.get("node.id").cloned() {
            file.insert("broker.id".to_owned(), id);
        }
        Self::from_layers(BrokerLayers {
            file,
            ..BrokerLayers::default()
        })
    }

    /// The configuration with other dynamic configs. A text that cannot be applied is left out: the
    /// controller has accepted it already, and a broker must not fail over it. The texts left out come
    /// back as `key=value`.
    #[must_use]
    pub fn with_dynamic(&self, cluster: &RawConfigs, broker: &RawConfigs) -> (Self, Vec<String>) {
        let mut refused = Vec::new();
        let mut current = Self {
            layers: BrokerLayers {
                file: self.layers.file.clone(),
                ..BrokerLayers::default()
            },
            ..self.clone()
        };
        let whole = BrokerLayers {
            file: self.layers.file.clone(),
            cluster: applicable(cluster, false, &mut refused),
            broker: applicable(broker, true, &mut refused),
        };
        if let Ok(config) = Self::from_layers(whole.clone()) {
            return (config, refused);
        }
        // Some text is bad: apply them one by one. The static texts alone were valid at start.
        for (is_broker, texts) in [(false, &whole.cluster), (true, &whole.broker)] {
            for (key, text) in texts {
                let mut layers = current.layers.clone();
                let layer = if is_broker {
                    &mut layers.broker
                } else {
                    &mut layers.cluster
                };
                layer.insert(key.clone(), text.clone());
                match Self::from_layers(layers) {
                    Ok(config) => current = config,
                    Err(_) => refused.push(format!("{key}={}", loggable(key, text))),
                }
            }
        }
        (current, refused)
    }

    /// Reads a configuration from all its layers.
    ///
    /// # Errors
    /// [`ConfigError`] with the sentence for the user.
    pub fn from_layers(layers: BrokerLayers) -> Result<Self, ConfigError> {
        let raw = layers.merged();
        let rows = broker_rows();
        // Kafka looks for these first, and users know the answer.
        for key in ["process.roles", "node.id", "controller.listener.names"] {
            if !raw.contains_key(key) {
                return Err(ottla_base::InvalidValue::Missing(key.to_owned()).into());
            }
        }
        let values = Values::parse(rows.values(), &raw)?;
        let node = NodeSettings::read(&values);
        let network = NetworkSettings::read(&values);
        let quorum = QuorumSettings::read(&values);
        let relations = Relations::check(&values, &raw, &node, &network, &quorum)?;
        refuse_unserved(&raw, &values)?;
        relations.refuse_unserved_protocols()?;
        Ok(Self {
            node_id: NodeId(node.node_id),
            roles: relations.roles,
            listeners: relations.listeners,
            controller_listeners: relations.controller_listeners,
            advertised_listeners: relations.advertised_listeners,
            advertised_controller_listeners: relations.advertised_controller_listeners,
            inter_broker_listener: relations.inter_broker_listener,
            voters: relations.voters,
            node,
            network,
            quorum,
            log: LogSettings::read(&values),
            replication: ReplicationSettings::read(&values),
            group: GroupSettings::read(&values),
            transaction: TransactionSettings::read(&values),
            ottla: OttlaSettings::read(&values),
            layers,
            values,
        })
    }

    /// The texts behind the settings.
    #[must_use]
    pub fn layers(&self) -> &BrokerLayers {
        &self.layers
    }

    /// The parsed value of any broker key.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Directory of the metadata log.
    #[must_use]
    pub fn metadata_log_dir(&self) -> &str {
        match &self.quorum.metadata_log_dir {
            Some(dir) => dir,
            None => self
                .log
                .dirs()
                .first()
                .expect("the rows refuse an empty list of directories"),
        }
    }

    /// Sentences about the texts of the file: unknown keys, and keys that have no effect yet.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let rows = broker_rows();
        let mut warnings = Vec::new();
        let (beat, session) = (
            self.node.heartbeat_interval_ms,
            self.node.session_timeout_ms,
        );
        if i64::from(beat) * 2 > i64::from(session) {
            warnings.push(format!(
                "broker.heartbeat.interval.ms ({beat} ms) must be less than or equal to half of the \
                 broker.session.timeout.ms ({session} ms)"
            ));
        }
        for (key, text) in &self.layers.file {
            match rows.get(key.as_str()) {
                Some(row) if DYNAMIC_ONLY.contains(&row.name) => warnings.push(format!(
                    "`{key}` has no effect in a file; set it as a dynamic config"
                )),
                Some(row) if row.status == Status::Accepted && !is_default(row, text) => {
                    warnings.push(format!("`{key}` has no effect in Ottla yet"));
                }
                Some(_) => {}
                None if is_passed_on(key) => {}
                None => warnings.push(match suggestion(key, rows.keys().copied()) {
                    Some(known) => {
                        format!("unknown configuration `{key}`, did you mean `{known}`?")
                    }
                    None => format!("unknown configuration `{key}`"),
                }),
            }
        }
        warnings
    }
}

impl LogSettings {
    /// Directories of the logs.
    #[must_use]
    pub fn dirs(&self) -> &[String] {
        self.log_dirs.as_ref().unwrap_or(&self.log_dir)
    }
}

/// Whether `text` says what holds anyway.
fn is_default(row: &ConfigRow, text: &str) -> bool {
    match row.default {
        DefaultValue::Text(default) => {
            Value::parse(row.name, row.kind, text) == Value::parse(row.name, row.kind, default)
        }
        DefaultValue::Null | DefaultValue::Required => false,
    }
}

/// Keys that are not in Kafka's table either, because a listener or a plugin reads them.
fn is_passed_on(key: &str) -> bool {
    const PLUGIN_KEYS: [&str; 2] = ["super.users", "allow.everyone.if.no.acl.found"];
    [
        "listener.name.",
        "rsm.config.",
        "rlmm.config.",
        "config.providers.",
    ]
    .iter()
    .any(|prefix| key.starts_with(prefix))
        || PLUGIN_KEYS.contains(&key)
}

/// `text`, or a mask if it may be a secret.
#[must_use]
pub fn loggable<'t>(key: &str, text: &'t str) -> &'t str {
    match crate::describe::broker_row_of(key) {
        Some(row) if !row.sensitive() => text,
        _ => "[hidden]",
    }
}

/// Refuses keys whose row says so, unless they say what holds anyway.
// Kafka differs: it loads the class that such a key names, or switches the feature on.
fn refuse_unserved(raw: &RawConfigs, values: &Values) -> Result<(), ConfigError> {
    use ottla_base::ConfigValues as _;
    for (key, text) in raw {
        let Some(row) = broker_rows().get(key.as_str()) else {
            continue;
        };
        if row.status == Status::Refused
            && !is_default(row, text)
            // An empty text is how a file says that a class is not set.
            && values.value(row.name).is_some_and(|v| !v.to_string().is_empty())
        {
            return Err(ConfigError::NotServed {
                key: key.clone(),
                value: text.clone(),
                reason: row.summary(),
            });
        }
    }
    Ok(())
}

/// The dynamic texts that may apply at this level at all.
fn applicable(texts: &RawConfigs, per_broker: bool, refused: &mut Vec<String>) -> RawConfigs {
    let mut kept = RawConfigs::new();
    for (key, text) in texts {
        let allowed = match broker_rows().get(key.as_str()).map(|row| row.dynamic) {
            Some(Dynamic::ReadOnly) => false,
            Some(Dynamic::PerBroker) => per_broker,
            Some(Dynamic::ClusterWide) | None => true,
        };
        if allowed {
            kept.insert(key.clone(), text.clone());
        } else {
            refused.push(format!("{key}={}", loggable(key, text)));
        }
    }
    kept
}
