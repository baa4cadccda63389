//! The schema of one message, typed.

use std::fmt;

/// A range of versions, both ends included; empty if nothing matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// First version.
    pub low: i16,
    /// Last version; `i16::MAX` for an open range.
    pub high: i16,
}

impl Versions {
    /// No version at all.
    pub const NONE: Self = Self { low: 0, high: -1 };
    /// Every version.
    pub const ALL: Self = Self {
        low: 0,
        high: i16::MAX,
    };

    /// Whether `version` is in the range.
    #[must_use]
    pub fn contains(self, version: i16) -> bool {
        self.low <= version && version <= self.high
    }

    /// Whether no version is in the range.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.low > self.high
    }

    /// Versions that are in both.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
        }
    }

    /// Whether every version of `other` is in this range.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        other.is_empty() || (self.low <= other.low && other.high <= self.high)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.high) {
            _ if self.is_empty() => f.write_str("none"),
            (low, i16::MAX) => write!(f, "{low}+"),
            (low, high) if low == high => write!(f, "{low}"),
            (low, high) => write!(f, "{low}-{high}"),
        }
    }
}

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sent by a client.
    Request,
    /// Sent by a server.
    Response,
    /// In front of a request or response.
    Header,
    /// Inside another message, a record or a file.
    Data,
    /// A record of the metadata log.
    Metadata,
    /// Key of a coordinator's record.
    CoordinatorKey,
    /// Value of a coordinator's record.
    CoordinatorValue,
}

/// Where an API is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Listeners of brokers.
    Broker,
    /// Listeners of controllers.
    Controller,
}

/// Type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// One byte, 0 or 1.
    Bool,
    /// Big-endian two's complement.
    I8,
    /// Big-endian two's complement.
    I16,
    /// Big-endian, unsigned.
    U16,
    /// Big-endian two's complement.
    I32,
    /// Big-endian, unsigned.
    U32,
    /// Big-endian two's complement.
    I64,
    /// IEEE 754, big-endian.
    F64,
    /// Sixteen bytes.
    Uuid,
    /// UTF-8 with a length.
    String,
    /// Bytes with a length.
    Bytes,
    /// Record batches with a length.
    Records,
    /// A struct of the same message.
    Struct(String),
    /// Elements with a count.
    Array(Box<Self>),
}

/// One field.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word of the notation"
)]
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name as Kafka spells it.
    pub name: String,
    /// Type.
    pub ty: Type,
    /// Versions that have it.
    pub versions: Versions,
    /// Versions in which it may be null.
    pub nullable: Versions,
    /// Number as a tagged field, and the versions in which it is one.
    pub tag: Option<(u32, Versions)>,
    /// Default as written; `None` for the type's own.
    pub default: Option<String>,
    /// Part of the key of its array.
    pub map_key: bool,
    /// Dropped silently in versions that lack it.
    pub ignorable: bool,
    /// What the value names.
    pub entity: Option<String>,
    /// Keeps the old length prefix in flexible versions.
    pub never_flexible: bool,
    /// Kafka does not copy the bytes.
    pub zero_copy: bool,
}

/// A struct of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Struct {
    /// Name as Kafka spells it.
    pub name: String,
    /// Fields in wire order.
    pub fields: Vec<Field>,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What it is for.
    pub kind: Kind,
    /// Name as Kafka spells it, such as `FetchRequest`.
    pub name: String,
    /// API key or record type.
    pub key: Option<i16>,
    /// Versions that exist; empty for a removed API.
    pub versions: Versions,
    /// Versions with compact lengths and tagged fields.
    pub flexible: Versions,
    /// Whether the last version is announced only on demand.
    pub latest_unstable: bool,
    /// Where a request is served.
    pub listeners: Vec<Listener>,
    /// Fields in wire order.
    pub fields: Vec<Field>,
    /// Structs that the fields use, each before those that it contains.
    pub structs: Vec<Struct>,
}

impl Message {
    /// Finds a struct of the message.
    #[must_use]
    pub fn find_struct(&self, name: &str) -> Option<&Struct> {
        self.structs.iter().find(|one| one.name == name)
    }
}
