//! `listeners`, `advertised.listeners` and the protocol of each.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ottla_base::{NodeId, split_host_port};

use crate::enums::SecurityProtocol;
use crate::error::ConfigError;

/// An address under a name: `NAME://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The name, in upper case.
    pub name: String,
    /// Host name or address; `None` stands for all interfaces.
    pub host: Option<String>,
    /// TCP port; 0 lets the system choose one.
    pub port: u16,
    /// How its connections are protected.
    pub protocol: SecurityProtocol,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or("");
        if host.contains(':') {
            write!(f, "{}://[{host}]:{}", self.name, self.port)
        } else {
            write!(f, "{}://{host}:{}", self.name, self.port)
        }
    }
}

/// A member of the metadata quorum as `controller.quorum.voters` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// Its `node.id`.
    pub id: NodeId,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Protocol of each listener name, names in upper case.
pub(crate) type ProtocolMap = BTreeMap<String, SecurityProtocol>;

/// Parses `NAME:PROTOCOL` pairs.
pub(crate) fn parse_protocol_map(text: &str) -> Result<ProtocolMap, ConfigError> {
    const KEY: &str = "listener.security.protocol.map";
    let mut map = BTreeMap::new();
    for (name, protocol) in parse_pairs(KEY, text)? {
        let protocol = SecurityProtocol::from_name(&protocol.to_uppercase()).ok_or_else(|| {
            ConfigError::Relation(format!(
                "Invalid security protocol `{protocol}` defined in {KEY}"
            ))
        })?;
        map.insert(name.to_uppercase(), protocol);
    }
    Ok(map)
}

/// Parses comma-separated `key:value` pairs; the last colon of a pair divides it.
pub(crate) fn parse_pairs<'t>(
    key: &str,
    text: &'t str,
) -> Result<Vec<(&'t str, &'t str)>, ConfigError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',')
        .map(|pair| {
            let (name, value) = pair.rsplit_once(':').ok_or_else(|| {
                ConfigError::Relation(format!(
                    "Error parsing configuration property '{key}': no colon in '{}'",
                    pair.trim()
                ))
            })?;
            Ok((name.trim(), value.trim()))
        })
        .collect()
}

/// The name of a listener entry, upper case.
pub(crate) fn listener_name(entry: &str) -> Result<String, ConfigError> {
    match entry.split_once(':') {
        Some((name, _)) => Ok(name.to_uppercase()),
        None => Err(ConfigError::Relation(format!(
            "Unable to parse a listener name from {entry}"
        ))),
    }
}

/// Parses the entries of `listeners` (each port once) or of `advertised.listeners`.
pub(crate) fn parse_listeners(
    entries: &[String],
    protocols: &ProtocolMap,
    distinct_ports: bool,
) -> Result<Vec<Listener>, ConfigError> {
    let listed = format!("[{}]", entries.join(", "));
    let error = |reason: String| {
        ConfigError::Relation(format!(
            "Error creating broker listeners from '{listed}': {reason}"
        ))
    };
    let mut listeners: Vec<Listener> = Vec::with_capacity(entries.len());
    for entry in entries {
        let (name, host, port) = split_entry(entry)
            .ok_or_else(|| error(format!("Unable to parse {entry} to a broker endpoint")))?;
        let name = name.to_uppercase();
        let protocol = *protocols
            .get(&name)
            .ok_or_else(|| error(format!("No security protocol defined for listener {name}")))?;
        listeners.push(Listener {
            name,
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
            protocol,
        });
    }
    for (i, listener) in listeners.iter().enumerate() {
        if listeners
            .iter()
            .take(i)
            .any(|other| other.name == listener.name)
        {
            let text = "Each listener must have a different name, listeners: ";
            return Err(error(format!("{text}{listed}")));
        }
    }
    if distinct_ports {
        check_ports(&listeners, &listed).map_err(error)?;
    }
    Ok(listeners)
}

/// Two listeners may share a port only if one is bound to an IPv4 and the other to an IPv6 address.
fn check_ports(listeners: &[Listener], listed: &str) -> Result<(), String> {
    let mut by_port: BTreeMap<u16, Vec<&Listener>> = BTreeMap::new();
    for listener in listeners.iter().filter(|listener| listener.port != 0) {
        by_port.entry(listener.port).or_default().push(listener);
    }
    for (port, group) in by_port.into_iter().filter(|(_, group)| group.len() > 1) {
        let addresses: Vec<IpAddr> = group
            .iter()
            .filter_map(|listener| listener.host.as_deref()?.parse().ok())
            .collect();
        let unnumbered = group.len() - addresses.len();
        if unnumbered > 1 {
            return Err(format!(
                "Each listener must have a different port, listeners: {listed}"
            ));
        }
        match addresses.as_slice() {
            [] => {}
            [a, b] if a.is_ipv4() != b.is_ipv4() && unnumbered == 0 => {}
            [_, _] => {
                return Err(format!(
                    "If you have two listeners on the same port then one needs to be IPv4 and the \
                     other IPv6, listeners: {listed}, port: {port}"
                ));
            }
            _ => {
                return Err(format!(
                    "Each listener must have a different port unless exactly one listener has an \
                     IPv4 address and the other IPv6 address, listeners: {listed}, port: {port}"
                ));
            }
        }
    }
    Ok(())
}

/// Splits `NAME://host:port`; the host may be empty, and an IPv6 address may stand in brackets.
fn split_entry(entry: &str) -> Option<(&str, &str, u16)> {
    let (name, address) = entry.rsplit_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    let in_host = |b: u8| b.is_ascii_alphanumeric() || b"-%._:".contains(&b);
    // Kafka differs: it takes any number for a port here, and fails when it binds.
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (digits && host.bytes().all(in_host))
        .then(|| port.parse().ok())
        .flatten()
        .map(|p| (name, host, p))
}

/// Takes the parts of `controller.quorum.voters`, whose form its row has checked. Of two entries with
/// one id the last holds.
pub(crate) fn parse_voters(entries: &[String]) -> Vec<Voter> {
    let mut voters: Vec<Voter> = Vec::with_capacity(entries.len());
    for entry in entries {
        let parts = entry
            .split_once('@')
            .and_then(|(id, address)| Some((id.parse().ok()?, split_host_port(address)?)));
        if let Some((id, (host, port))) = parts {
            voters.retain(|voter| voter.id != NodeId(id));
            voters.push(Voter {
                id: NodeId(id),
                host: host.to_owned(),
                port,
            });
        }
    }
    voters
}
