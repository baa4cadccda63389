//! One row per configuration key.
//!
//! A row says everything that is known about a key: its type, default, valid values, who may change it
//! at run time, how important and how secret it is, what it means and whether Ottla serves it. Parser,
//! typed settings, DescribeConfigs, the validation of changes and `docs/reference/configs.md` all read
//! the rows; no default and no name stands anywhere else. [`config_table!`](crate::config_table) writes
//! the rows of one subject and, where the program uses a key, a typed field for it.

use crate::config_value::Value;

/// Kafka's type of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigType {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// 32 bits, signed.
    Int,
    /// 16 bits, signed.
    Short,
    /// 64 bits, signed.
    Long,
    /// Floating point.
    Double,
    /// Comma-separated texts.
    List,
    /// Name of a Java class.
    Class,
    /// A secret; never shown.
    Password,
}

impl ConfigType {
    /// Number of the type in DescribeConfigs (KIP-569).
    #[must_use]
    pub fn wire_id(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }

    /// Kafka's name of the type, as its error messages print it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// What a key is set on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The node, in `server.properties` or as a dynamic broker config.
    Broker,
    /// A topic.
    Topic,
    /// A group.
    Group,
    /// A subscription to client metrics.
    ClientMetrics,
}

/// Value of a key that nobody set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// None; the key must be set.
    Required,
    /// Null.
    Null,
    /// This text, parsed as a set value would be.
    Text(&'static str),
}

/// Which values a key takes, beyond its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Valid {
    /// Every value of the type.
    Any,
    /// This number or more.
    AtLeast(i64),
    /// From the first number to the second, both included.
    Between(i64, i64),
    /// As [`Valid::Between`], for a double.
    BetweenDouble(f64, f64),
    /// From 1 to 9, or -1.
    GzipLevel,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts in upper or lower case.
    OneOfAnyCase(&'static [&'static str]),
    /// A text of at least one character.
    NonEmpty,
    /// A list without repeated or empty entries.
    List {
        /// Whether the list itself may be empty.
        empty: bool,
        /// The texts allowed in it; no entry means all.
        of: &'static [&'static str],
    },
    /// `host:port` entries.
    HostPorts,
    /// `id@host:port` entries.
    Voters,
    /// `partition:broker` entries, or `*`.
    ThrottledReplicas,
}

/// Whether and for whom a key can change while the broker runs (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dynamic {
    /// Only by a restart.
    ReadOnly,
    /// For one broker.
    PerBroker,
    /// For one broker, or for all at once.
    ClusterWide,
}

/// How much most users care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Decide about it.
    High,
    /// Know it.
    Medium,
    /// Leave it.
    Low,
}

/// What Ottla does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does what Kafka does.
    Served,
    /// Its value is checked and shown, and has no effect yet.
    Accepted,
    /// Only its default is taken, because ignoring another value would break a promise.
    Refused,
}

/// All that is known about one key.
#[derive(Debug, Clone, Copy)]
pub struct ConfigRow {
    /// The key.
    pub name: &'static str,
    /// What it is set on.
    pub scope: Scope,
    /// Its type.
    pub kind: ConfigType,
    /// Its default.
    pub default: DefaultValue,
    /// Its valid values.
    pub valid: Valid,
    /// Its importance.
    pub importance: Importance,
    /// Whether it can change at run time.
    pub dynamic: Dynamic,
    /// What Ottla does with it.
    pub status: Status,
    /// Keys that stand for the same setting, this one included, in the order in which they are asked.
    /// Empty if it stands alone. Of a topic key: the broker keys that hold where the topic is silent.
    pub synonyms: &'static [&'static str],
    /// Kept out of lists and docs, as Kafka keeps its internal keys.
    pub internal: bool,
    /// What it means.
    pub doc: &'static str,
}

impl ConfigRow {
    /// Whether the value is a secret.
    #[must_use]
    pub fn sensitive(&self) -> bool {
        self.kind == ConfigType::Password
    }

    /// The documentation in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        self.doc.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Parsed values by key.
pub trait ConfigValues {
    /// Value of a key that has a row; `None` is null.
    fn value(&self, key: &str) -> Option<&Value>;
}

/// Writes the rows of one subject, and a struct with a field for each key that the program uses.
///
/// ```
/// # use ottla_base::{config_table, ConfigValues, Value};
/// config_table! {
///     /// Settings of a log.
///     pub struct LogSettings in LOG_ROWS, scope Broker;
///
///     /// A segment is closed at this size.
///     "log.segment.bytes" => segment_bytes: i32
///         [Int = "1073741824", AtLeast(1_048_576), High, ClusterWide, Served];
///     /// A segment is closed at this age; unset, `log.roll.hours` holds.
///     "log.roll.ms" => roll_ms: Option<i64>
///         [Long = null, Any, High, ClusterWide, Served; synonyms "log.roll.ms" "log.roll.hours"];
///     /// Whether segments are compacted.
///     "log.cleaner.enable" [Boolean = "true", Any, Medium, ReadOnly, Accepted];
/// }
/// assert_eq!(LOG_ROWS.len(), 3);
///
/// struct One(Value);
/// impl ConfigValues for One {
///     fn value(&self, key: &str) -> Option<&Value> {
///         (key == "log.segment.bytes").then_some(&self.0)
///     }
/// }
/// let settings = LogSettings::read(&One(Value::Int(5)));
/// assert_eq!((settings.segment_bytes, settings.roll_ms), (5, None));
/// ```
#[macro_export]
macro_rules! config_table {
    (
        $(#[doc = $struct_doc:literal])+
        pub struct $settings:ident in $rows:ident, scope $scope:ident;
        $(
            $(#[doc = $doc:literal])+
            $name:literal $(=> $field:ident: $field_type:ty)?
            [$kind:ident = $default:tt, $valid:ident $(($($arg:expr),*))? $({$($member:ident: $value:expr),*})?,
             $importance:ident, $dynamic:ident, $status:ident
             $(, $internal:ident)? $(; synonyms $($synonym:literal)+)?];
        )*
    ) => {
        $(#[doc = $struct_doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $settings {
            $($(
                #[doc = concat!("Value of `", $name, "`.")]
                pub $field: $field_type,
            )?)*
        }

        impl $settings {
            /// Takes the fields from parsed values.
            #[must_use]
            pub fn read(values: &impl $crate::ConfigValues) -> Self {
                Self {
                    $($(
                        $field: <$field_type as $crate::FromValue>::from_value(values.value($name))
                            .expect("a value of the row's type, which is the field's"),
                    )?)*
                }
            }
        }

        $crate::config_table! {
            $(#[doc = $struct_doc])+
            pub rows $rows, scope $scope;
            $(
                $(#[doc = $doc])+
                $name
                [$kind = $default, $valid $(($($arg),*))? $({$($member: $value),*})?,
                 $importance, $dynamic, $status
                 $(, $internal)? $(; synonyms $($synonym)+)?];
            )*
        }
    };
    (
        $(#[doc = $rows_doc:literal])+
        pub rows $rows:ident, scope $scope:ident;
        $(
            $(#[doc = $doc:literal])+
            $name:literal
            [$kind:ident = $default:tt, $valid:ident $(($($arg:expr),*))? $({$($member:ident: $value:expr),*})?,
             $importance:ident, $dynamic:ident, $status:ident
             $(, $internal:ident)? $(; synonyms $($synonym:literal)+)?];
        )*
    ) => {
        $(#[doc = $rows_doc])+
        pub const $rows: &[$crate::ConfigRow] = &[$($crate::ConfigRow {
            name: $name,
            scope: $crate::Scope::$scope,
            kind: $crate::ConfigType::$kind,
            default: $crate::config_table!(@default $default),
            valid: $crate::Valid::$valid $(($($arg),*))? $({$($member: $value),*})?,
            importance: $crate::Importance::$importance,
            dynamic: $crate::Dynamic::$dynamic,
            status: $crate::Status::$status,
            synonyms: &[$($($synonym),+)?],
            internal: $crate::config_table!(@internal $($internal)?),
            doc: concat!($($doc),+),
        }),*];
    };
    (@default required) => { $crate::DefaultValue::Required };
    (@default null) => { $crate::DefaultValue::Null };
    (@default $text:literal) => { $crate::DefaultValue::Text($text) };
    (@internal internal) => { true };
    (@internal) => { false };
}
