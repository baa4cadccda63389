//! Relations between broker keys, checked when a configuration is read. The sentences are Kafka's.

use ottla_base::NodeId;

use crate::broker::Roles;
use crate::checks::{check_cordoned, check_groups, check_log, check_network, check_replication};
use crate::enums::SecurityProtocol;
use crate::error::ConfigError;
use crate::listener::{
    Listener, ProtocolMap, Voter, listener_name, parse_listeners, parse_protocol_map, parse_voters,
};
use crate::rows::log::LogSettings;
use crate::rows::network::NetworkSettings;
use crate::rows::node::NodeSettings;
use crate::rows::quorum::QuorumSettings;
use crate::rows::replication::ReplicationSettings;
use crate::values::{RawConfigs, Values};

/// What follows from several keys together.
pub(crate) struct Relations {
    pub(crate) roles: Roles,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) controller_listeners: Vec<Listener>,
    pub(crate) advertised_listeners: Vec<Listener>,
    pub(crate) advertised_controller_listeners: Vec<Listener>,
    pub(crate) inter_broker_listener: String,
    pub(crate) voters: Vec<Voter>,
}

pub(crate) fn require(holds: bool, text: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if holds {
        Ok(())
    } else {
        Err(ConfigError::requirement(text()))
    }
}

impl Relations {
    pub(crate) fn check(
        values: &Values,
        raw: &RawConfigs,
        node: &NodeSettings,
        network: &NetworkSettings,
        quorum: &QuorumSettings,
    ) -> Result<Self, ConfigError> {
        let log = LogSettings::read(values);
        let roles = Roles {
            broker: node.roles.iter().any(|role| role == "broker"),
            controller: node.roles.iter().any(|role| role == "controller"),
        };
        if raw
            .get("broker.id")
            .is_some_and(|id| id.trim().parse() != Ok(node.node_id))
        {
            return Err(ConfigError::Relation(
                "`node.id` and `broker.id` must be set to the same value. `broker.id` is \
                 deprecated, please use `node.id` instead."
                    .to_owned(),
            ));
        }
        check_groups(values)?;
        check_log(&log)?;
        check_replication(&ReplicationSettings::read(values))?;
        let protocols = protocol_map(raw, network, quorum)?;
        let relations = Self::listeners(raw, roles, network, quorum, &protocols, node.node_id)?;
        relations.check_quorum(network, quorum, node.node_id)?;
        relations.check_broker(network)?;
        if roles.broker {
            check_cordoned(&log, values)?;
        }
        check_network(network, values)?;
        Ok(relations)
    }

    fn listeners(
        raw: &RawConfigs,
        roles: Roles,
        network: &NetworkSettings,
        quorum: &QuorumSettings,
        protocols: &ProtocolMap,
        node_id: i32,
    ) -> Result<Self, ConfigError> {
        let all = parse_listeners(&network.listeners, protocols, true)?;
        let is_controllers = |l: &Listener| quorum.controller_listener_names.contains(&l.name);
        let voters = parse_voters(&quorum.voters);
        let advertised = match &network.advertised_listeners {
            Some(entries) => Some(parse_listeners(entries, protocols, false)?),
            None => None,
        };
        let (controller_listeners, listeners): (Vec<_>, Vec<_>) =
            all.into_iter().partition(is_controllers);
        let advertised_controller_listeners = advertised_controllers(
            quorum,
            advertised.as_deref().unwrap_or_default(),
            &controller_listeners,
            voters.iter().find(|voter| voter.id == NodeId(node_id)),
        );
        let advertised_listeners = match advertised {
            Some(advertised) => advertised
                .into_iter()
                .filter(|l| !is_controllers(l))
                .collect(),
            None => listeners.clone(),
        };
        let inter_broker_listener = inter_broker_listener(raw, network, protocols)?;
        Ok(Self {
            roles,
            listeners,
            controller_listeners,
            advertised_listeners,
            advertised_controller_listeners,
            inter_broker_listener,
            voters,
        })
    }

    fn check_quorum(
        &self,
        network: &NetworkSettings,
        quorum: &QuorumSettings,
        node_id: i32,
    ) -> Result<(), ConfigError> {
        if self.voters.is_empty() && quorum.bootstrap_servers.is_empty() {
            return Err(ConfigError::Relation(
                "If using process.roles, either controller.quorum.bootstrap.servers must contain \
                 the set of bootstrap controllers or controller.quorum.voters must contain a \
                 parseable set of controllers."
                    .to_owned(),
            ));
        }
        let is_voter = self.voters.iter().any(|voter| voter.id == NodeId(node_id));
        let voters = || {
            let ids: Vec<_> = self
                .voters
                .iter()
                .map(|voter| voter.id.to_string())
                .collect();
            format!("controller.quorum.voters=Set({})", ids.join(", "))
        };
        if !self.roles.controller {
            require(!is_voter, || {
                format!(
                    "If process.roles contains just the 'broker' role, the node id {node_id} must \
                     not be included in the set of voters {}",
                    voters()
                )
            })?;
            require(self.controller_listeners.is_empty(), || {
                "controller.listener.names must not contain a value appearing in the 'listeners' \
                 configuration when running KRaft with just the broker role"
                    .to_owned()
            })?;
            return require(!quorum.auto_join, || {
                "controller.quorum.auto.join.enable is only supported when process.roles contains \
                 the 'controller' role."
                    .to_owned()
            });
        }
        if !self.roles.broker {
            require(
                self.advertised_controller_listeners.len() == network.listeners.len(),
                || {
                    "The listeners config must only contain KRaft controller listeners from \
                 controller.listener.names when process.roles=controller"
                        .to_owned()
                },
            )?;
            let explicit = network.inter_broker_listener_name.is_some();
            require(
                !explicit
                    || !quorum
                        .controller_listener_names
                        .contains(&self.inter_broker_listener),
                || {
                    "controller.listener.names must not contain an explicitly set \
                     inter.broker.listener.name configuration value when \
                     process.roles=controller'"
                        .to_owned()
                },
            )?;
        }
        require(self.voters.is_empty() || is_voter, || {
            format!(
                "If process.roles contains the 'controller' role, the node id {node_id} must be \
                 included in the set of voters {}",
                voters()
            )
        })?;
        require(!self.advertised_controller_listeners.is_empty(), || {
            "controller.listener.names must contain at least one value appearing in the \
             'listeners' configuration when running the KRaft controller role"
                .to_owned()
        })?;
        let is_listener = |name: &String| {
            self.controller_listeners
                .iter()
                .any(|listener| listener.name == *name)
        };
        require(
            quorum.controller_listener_names.iter().all(is_listener),
            || {
                "controller.listener.names must only contain values appearing in the 'listeners' \
             configuration when running the KRaft controller role"
                    .to_owned()
            },
        )
    }

    fn check_broker(&self, network: &NetworkSettings) -> Result<(), ConfigError> {
        let names = |listeners: &[Listener]| {
            listeners
                .iter()
                .map(|l| l.name.as_str())
                .collect::<Vec<_>>()
                .join(",")
        };
        if self.roles.broker {
            let advertised = &self.advertised_listeners;
            require(!advertised.is_empty(), || {
                "There must be at least one broker advertised listener. Perhaps all listeners \
                 appear in controller.listener.names?"
                    .to_owned()
            })?;
            require(
                advertised
                    .iter()
                    .any(|l| l.name == self.inter_broker_listener),
                || {
                    format!(
                        "inter.broker.listener.name must be a listener name defined in \
                     advertised.listeners. The valid options based on currently configured \
                     listeners are {}",
                        names(advertised)
                    )
                },
            )?;
            let known: Vec<String> = network
                .listeners
                .iter()
                .map(|l| listener_name(l))
                .collect::<Result<_, _>>()?;
            require(advertised.iter().all(|l| known.contains(&l.name)), || {
                format!(
                    "advertised.listeners listener names must be equal to or a subset of the ones \
                     defined in listeners. Found {}. The valid options based on the current \
                     configuration are {}",
                    names(advertised),
                    known.join(",")
                )
            })?;
        }
        let nowhere = |l: &Listener| l.host.as_deref() == Some("0.0.0.0");
        let mut advertised = self
            .advertised_listeners
            .iter()
            .chain(&self.advertised_controller_listeners);
        require(!advertised.any(nowhere), || {
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable \
             IP address."
                .to_owned()
        })
    }

    /// Only unprotected listeners are served so far.
    // Kafka differs: it serves SSL, SASL_PLAINTEXT and SASL_SSL listeners too.
    pub(crate) fn refuse_unserved_protocols(&self) -> Result<(), ConfigError> {
        let mut listeners = self.listeners.iter().chain(&self.controller_listeners);
        match listeners.find(|listener| listener.protocol != SecurityProtocol::Plaintext) {
            None => Ok(()),
            Some(listener) => Err(ConfigError::NotServed {
                key: "listeners".to_owned(),
                value: listener.to_string(),
                reason: format!(
                    "listener {} uses the protocol {}, and only PLAINTEXT can be served; change it \
                     in `listener.security.protocol.map`",
                    listener.name,
                    listener.protocol.name()
                ),
            }),
        }
    }
}

/// The protocols of all listener names. Where the map is not set and nothing uses TLS or SASL, the
/// controller's listeners need not be mapped (KIP-630).
fn protocol_map(
    raw: &RawConfigs,
    network: &NetworkSettings,
    quorum: &QuorumSettings,
) -> Result<ProtocolMap, ConfigError> {
    let mut map = parse_protocol_map(&network.listener_security_protocol_map)?;
    if raw.contains_key("listener.security.protocol.map") {
        return Ok(map);
    }
    let secure = |name: &str| matches!(name, "SSL" | "SASL_SSL" | "SASL_PLAINTEXT");
    let mut any_secure = quorum
        .controller_listener_names
        .iter()
        .any(|name| secure(name));
    for entry in &network.listeners {
        any_secure |= secure(&listener_name(entry)?);
    }
    if !any_secure {
        for name in &quorum.controller_listener_names {
            map.insert(name.clone(), SecurityProtocol::Plaintext);
        }
    }
    Ok(map)
}

/// What the controller's listeners are called from outside: as advertised, else as bound. A default
/// listener that is bound to all interfaces takes the address that the voters know this node by.
fn advertised_controllers(
    quorum: &QuorumSettings,
    advertised: &[Listener],
    bound: &[Listener],
    own_voter: Option<&Voter>,
) -> Vec<Listener> {
    let mut found = Vec::new();
    for (i, name) in quorum.controller_listener_names.iter().enumerate() {
        if let Some(listener) = advertised.iter().find(|l| l.name == *name) {
            found.push(listener.clone());
            continue;
        }
        let Some(listener) = bound.iter().find(|l| l.name.eq_ignore_ascii_case(name)) else {
            continue;
        };
        let mut listener = listener.clone();
        if listener
            .host
            .as_deref()
            .is_none_or(|host| host == "0.0.0.0")
        {
            listener.host = None;
            if let (0, Some(voter)) = (i, own_voter) {
                listener.host = Some(voter.host.clone());
                listener.port = voter.port;
            }
        }
        found.push(listener);
    }
    found
}

fn inter_broker_listener(
    raw: &RawConfigs,
    network: &NetworkSettings,
    protocols: &ProtocolMap,
) -> Result<String, ConfigError> {
    let Some(name) = &network.inter_broker_listener_name else {
        return Ok(network.security_inter_broker_protocol.clone());
    };
    if raw.contains_key("security.inter.broker.protocol") {
        return Err(ConfigError::Relation(
            "Only one of inter.broker.listener.name and security.inter.broker.protocol should be \
             set."
                .to_owned(),
        ));
    }
    let name = name.to_uppercase();
    if protocols.contains_key(&name) {
        Ok(name)
    } else {
        Err(ConfigError::Relation(format!(
            "Listener with name {name} defined in inter.broker.listener.name not found in \
             listener.security.protocol.map."
        )))
    }
}
