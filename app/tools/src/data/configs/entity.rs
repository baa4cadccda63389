//! Which things are meant, and what of them is to be changed.

use std::net::ToSocketAddrs as _;

use super::Problem;
use crate::common::jopt::{OptionError, Options};
use crate::common::usage::Failure;
use crate::common::{client, java};

/// A type of things that have configs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Topics,
    Clients,
    Users,
    Brokers,
    Ips,
    ClientMetrics,
    Groups,
    BrokerLoggers,
}

/// Types in the order in which Kafka's tool names them.
const TYPES: &[(Type, &str)] = &[
    (Type::Topics, "topics"),
    (Type::Clients, "clients"),
    (Type::Users, "users"),
    (Type::Brokers, "brokers"),
    (Type::Ips, "ips"),
    (Type::ClientMetrics, "client-metrics"),
    (Type::Groups, "groups"),
    (Type::BrokerLoggers, "broker-loggers"),
];

/// Options that give type and name at once, in the order in which Kafka's tool looks for them.
pub(super) const FLAGS: &[(&str, &str, &str)] = &[
    ("topic", "topics", "A topic."),
    ("client", "clients", "A client id."),
    ("user", "users", "A user."),
    ("broker", "brokers", "A broker."),
    (
        "broker-logger",
        "broker-loggers",
        "The loggers of a broker.",
    ),
    ("ip", "ips", "An address."),
    (
        "client-metrics",
        "client-metrics",
        "A subscription of client metrics.",
    ),
    ("group", "groups", "A group."),
];

/// Options that stand for what holds for all of a type.
pub(super) const DEFAULT_FLAGS: &[(&str, &str, &str)] = &[
    ("client-defaults", "clients", "What holds for all clients."),
    ("user-defaults", "users", "What holds for all users."),
    ("broker-defaults", "brokers", "What holds for all brokers."),
    ("ip-defaults", "ips", "What holds for all addresses."),
];

/// The things that a command line names.
#[derive(Debug)]
pub(super) struct Entities {
    /// At least one.
    pub(super) types: Vec<Type>,
    /// Names of things of these types, in the same order; empty for what holds for all.
    pub(super) names: Vec<String>,
}

/// What is to be changed.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) add: Vec<(String, String)>,
    pub(super) delete: Vec<String>,
}

/// The types that a command line names.
pub(super) fn types(options: &Options) -> Result<Vec<String>, Failure> {
    let mut types = options.values("entity-type").to_vec();
    let shortcuts = FLAGS.iter().chain(DEFAULT_FLAGS);
    types.extend(
        shortcuts
            .filter(|(name, _, _)| options.has(name))
            .map(|(_, kind, _)| (*kind).to_owned()),
    );
    let twice = java::duplicates(types.iter().cloned(), |kind| java::string_hash(kind));
    if twice.is_empty() {
        Ok(types)
    } else {
        Err(Failure::Usage(format!(
            "Duplicate entity type(s) specified: {}",
            twice.join(",")
        )))
    }
}

/// Whether a command line names types by shortcuts.
pub(super) fn has_flags(options: &Options) -> bool {
    FLAGS
        .iter()
        .chain(DEFAULT_FLAGS)
        .any(|(name, _, _)| options.has(name))
}

/// The names that a command line gives, in its order; empty for what holds for all.
pub(super) fn names(options: &Options) -> Result<Vec<String>, OptionError> {
    let mut given = options.values("entity-name").iter();
    let mut names = Vec::new();
    for option in options.order() {
        match option.as_str() {
            "entity-name" => names.extend(given.next().cloned()),
            "entity-default" => names.push(String::new()),
            _ => {}
        }
    }
    for (name, _, _) in FLAGS {
        names.extend(options.value(name)?.map(str::to_owned));
    }
    let defaults = DEFAULT_FLAGS
        .iter()
        .filter(|(name, _, _)| options.has(name));
    names.extend(defaults.map(|_| String::new()));
    Ok(names)
}

impl Type {
    /// The types of these names: one, or users with clients.
    pub(super) fn all_of(names: &[String]) -> Result<Vec<Self>, Failure> {
        let mut types = Vec::new();
        for name in names {
            match TYPES.iter().find(|(_, other)| other == name) {
                Some((kind, _)) => types.push(*kind),
                None => {
                    return Err(Failure::Usage(format!(
                        "Invalid entity type {name}, the entity type must be one of {} with a \
                         --bootstrap-server or --bootstrap-controller argument",
                        java::joined(TYPES.iter().map(|(_, name)| name), ", ")
                    )));
                }
            }
        }
        let users_with_clients =
            types.len() == 2 && types.contains(&Self::Users) && types.contains(&Self::Clients);
        match types.len() {
            0 => Err(Failure::Usage(
                "At least one entity type must be specified".to_owned(),
            )),
            1 => Ok(types),
            _ if users_with_clients => Ok(types),
            _ => Err(Failure::Usage(
                "Only 'users' and 'clients' entity types may be specified together".to_owned(),
            )),
        }
    }

    /// As it stands on a command line.
    pub(super) fn name(self) -> &'static str {
        TYPES
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }

    /// Without its last letter, as Kafka's tool makes one of many.
    pub(super) fn singular(self) -> &'static str {
        self.name().strip_suffix('s').unwrap_or_default()
    }

    /// Whether something can hold for all of the type.
    pub(super) const fn has_default(self) -> bool {
        matches!(
            self,
            Self::Users | Self::Clients | Self::Brokers | Self::Ips
        )
    }
}

impl Entities {
    /// The first type.
    pub(super) fn head(&self) -> Type {
        self.types.first().copied().unwrap_or(Type::Topics)
    }

    /// Refuses names that no broker or address has.
    pub(super) fn check_names(&self) -> Result<(), Failure> {
        let kind = self.head();
        for name in self.names.iter().filter(|name| !name.is_empty()) {
            let problem = match kind {
                Type::Brokers | Type::BrokerLoggers if name.parse::<i32>().is_err() => {
                    "a valid integer broker id"
                }
                Type::Ips if (name.as_str(), 0).to_socket_addrs().is_err() => {
                    "a valid IP or resolvable host"
                }
                _ => continue,
            };
            return Err(Failure::Usage(format!(
                "The entity name for {} must be {problem}, but it is: {name}",
                kind.name()
            )));
        }
        Ok(())
    }
}

impl Changes {
    /// What a command line asks to change.
    pub(super) fn of(options: &Options) -> Result<Self, Problem> {
        let mut add = Vec::new();
        if let Some(path) = options.value("add-config-file")? {
            let properties = client::properties_file(path).map_err(Problem::Failed)?;
            add.extend(properties);
        }
        if let Some(text) = options.value("add-config")? {
            add.extend(parse_added(text).map_err(Problem::Wrong)?);
        }
        let of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some((key, _)) = add.iter().find(|(key, _)| !key.chars().all(of_key)) {
            return super::wrong(format!("Invalid character found for config key: {key}"));
        }
        java::name_order(&mut add, |(key, _)| key);
        let delete = options
            .values("delete-config")
            .iter()
            .flat_map(|text| text.split(','))
            .map(|key| key.trim().to_owned())
            .collect();
        Ok(Self { add, delete })
    }
}

/// Whether what follows is not within brackets: the next bracket opens, or there is none.
fn outside(rest: &str) -> bool {
    rest.find(['[', ']'])
        .is_none_or(|at| rest.as_bytes().get(at) == Some(&b'['))
}

/// Parts between separators that stand outside of brackets.
fn parts(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some((part, after)) = rest
        .get(from..)
        .and_then(|tail| tail.find(separator))
        .and_then(|at| Some((rest.get(..from + at)?, rest.get(from + at + 1..)?)))
    {
        if outside(after) {
            parts.push(part);
            rest = after;
            from = 0;
        } else {
            from = part.len() + 1;
        }
    }
    parts.push(rest);
    parts
}

/// `key=value` and `key=[value,value]`, with commas between; the last one of a key counts.
fn parse_added(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = parts(text, ',');
    while pairs.len() > 1 && pairs.last().is_some_and(|pair| pair.is_empty()) {
        pairs.pop();
    }
    let mut added = std::collections::BTreeMap::new();
    for pair in pairs {
        match parts(pair, '=').as_slice() {
            [key, value] => {
                let value = value.replace(['[', ']'], "");
                added.insert(key.trim().to_owned(), value.trim().to_owned());
            }
            _ => {
                return Err(
                    "requirement failed: Invalid entity config: all configs to be added must be in the \
                     format \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas."
                        .to_owned(),
                );
            }
        }
    }
    Ok(added.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_hold_values_with_commas() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let pairs = parse_added(text).expect("right");
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            assert_eq!(pairs, expected, "{text}");
        };
        check("a=1", &[("a", "1")]);
        check("a=1,", &[("a", "1")]);
        check("a = 1, b = 2", &[("a", "1"), ("b", "2")]);
        check("a=[1,2],b=3", &[("a", "1,2"), ("b", "3")]);
        check("a=[x=1,y=2]", &[("a", "x=1,y=2")]);
        check("a=[b", &[("a", "b")]);
        check("a=", &[("a", "")]);
        check("=x", &[("", "x")]);
        for text in ["", "a", ",a=1", "a=1=2", "a=1,,b=2"] {
            assert!(parse_added(text).is_err(), "{text}");
        }
    }
}
