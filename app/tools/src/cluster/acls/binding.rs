//! Resources and entries of access control, with Kafka's names and in the words of Kafka's tool. What a
//! command line means, and asking the cluster, is not here.

use std::fmt::{Display, Formatter, Result as FmtResult};

/// Name of the one resource that stands for the cluster.
pub(super) const CLUSTER_NAME: &str = "kafka-cluster";

/// An enumeration of the protocol: numbers that Kafka writes as words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum $name {
            /// A number that this program does not know.
            Unknown,
            $(#[doc = $word] $variant,)*
        }

        impl $name {
            /// From the number of the protocol.
            pub(super) const fn of(number: i8) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    _ => Self::Unknown,
                }
            }

            /// The number of the protocol.
            pub(super) const fn number(self) -> i8 {
                match self {
                    Self::Unknown => 0,
                    $(Self::$variant => $number,)*
                }
            }

            /// Kafka's word.
            pub(super) const fn word(self) -> &'static str {
                match self {
                    Self::Unknown => "UNKNOWN",
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// What an entry is about.
    Kind {
        Any = 1 "ANY",
        Topic = 2 "TOPIC",
        Group = 3 "GROUP",
        Cluster = 4 "CLUSTER",
        TransactionalId = 5 "TRANSACTIONAL_ID",
        DelegationToken = 6 "DELEGATION_TOKEN",
        User = 7 "USER",
    }
}

words! {
    /// How the name of a resource is read.
    Pattern {
        Any = 1 "ANY",
        Match = 2 "MATCH",
        Literal = 3 "LITERAL",
        Prefixed = 4 "PREFIXED",
    }
}

words! {
    /// What somebody may do.
    Operation {
        Any = 1 "ANY",
        All = 2 "ALL",
        Read = 3 "READ",
        Write = 4 "WRITE",
        Create = 5 "CREATE",
        Delete = 6 "DELETE",
        Alter = 7 "ALTER",
        Describe = 8 "DESCRIBE",
        ClusterAction = 9 "CLUSTER_ACTION",
        DescribeConfigs = 10 "DESCRIBE_CONFIGS",
        AlterConfigs = 11 "ALTER_CONFIGS",
        IdempotentWrite = 12 "IDEMPOTENT_WRITE",
        CreateTokens = 13 "CREATE_TOKENS",
        DescribeTokens = 14 "DESCRIBE_TOKENS",
        TwoPhaseCommit = 15 "TWO_PHASE_COMMIT",
    }
}

words! {
    /// Whether it is allowed.
    Permission {
        Any = 1 "ANY",
        Deny = 2 "DENY",
        Allow = 3 "ALLOW",
    }
}

impl Operation {
    /// All that are known, by their numbers.
    fn all() -> impl Iterator<Item = Self> {
        (0..=i8::MAX)
            .map(Self::of)
            .filter(|operation| *operation != Self::Unknown)
    }

    /// From what a user writes: `DescribeConfigs`, or the constant in capital or small letters.
    pub(super) fn parse(text: &str) -> Self {
        let same = |operation: &Self| {
            text.eq_ignore_ascii_case(operation.word()) || text == operation.spelled()
        };
        Self::all().find(same).unwrap_or(Self::Unknown)
    }

    /// `DescribeConfigs` for DESCRIBE_CONFIGS.
    fn spelled(self) -> String {
        let mut out = String::new();
        for part in self.word().split('_') {
            let (first, rest) = part.split_at(part.len().min(1));
            out.push_str(first);
            out.push_str(&rest.to_ascii_lowercase());
        }
        out
    }
}

impl Kind {
    /// The operations that an entry about such a resource may have.
    pub(super) const fn operations(self) -> &'static [Operation] {
        use Operation as Op;
        match self {
            Self::Topic => &[
                Op::All,
                Op::Read,
                Op::Write,
                Op::Create,
                Op::Delete,
                Op::Alter,
                Op::Describe,
                Op::DescribeConfigs,
                Op::AlterConfigs,
            ],
            Self::Group => &[
                Op::All,
                Op::Read,
                Op::Delete,
                Op::Describe,
                Op::DescribeConfigs,
                Op::AlterConfigs,
            ],
            Self::Cluster => &[
                Op::All,
                Op::Create,
                Op::Alter,
                Op::Describe,
                Op::ClusterAction,
                Op::DescribeConfigs,
                Op::AlterConfigs,
                Op::IdempotentWrite,
            ],
            Self::TransactionalId => &[Op::All, Op::Write, Op::Describe, Op::TwoPhaseCommit],
            Self::DelegationToken => &[Op::All, Op::Describe],
            Self::User => &[Op::All, Op::CreateTokens, Op::DescribeTokens],
            Self::Any | Self::Unknown => &[],
        }
    }
}

/// A resource, or a pattern of resources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resource {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) pattern: Pattern,
}

impl Resource {
    /// The cluster.
    pub(super) fn cluster() -> Self {
        Self {
            kind: Kind::Cluster,
            name: CLUSTER_NAME.to_owned(),
            pattern: Pattern::Literal,
        }
    }
}

impl Display for Resource {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        write!(
            f,
            "ResourcePattern(resourceType={}, name={}, patternType={})",
            self.kind, self.name, self.pattern
        )
    }
}

/// Who may or may not do what from where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) principal: String,
    pub(super) host: String,
    pub(super) operation: Operation,
    pub(super) permission: Permission,
}

impl Display for Entry {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        write!(
            f,
            "(principal={}, host={}, operation={}, permissionType={})",
            self.principal, self.host, self.operation, self.permission
        )
    }
}

/// Entries below each other, each behind a tab.
pub(super) fn lines<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let lines: Vec<String> = entries
        .into_iter()
        .map(|entry| format!("\t{entry}"))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_in_each_spelling() {
        let check = |text, expected| assert_eq!(Operation::parse(text), expected, "{text}");
        check("Read", Operation::Read);
        check("read", Operation::Read);
        check("DescribeConfigs", Operation::DescribeConfigs);
        check("describe_configs", Operation::DescribeConfigs);
        check("describeconfigs", Operation::Unknown);
        check("", Operation::Unknown);
        check("é", Operation::Unknown);
    }

    #[test]
    fn numbers_are_those_of_the_protocol() {
        for number in 1..=15 {
            assert_eq!(Operation::of(number).number(), number);
        }
        assert_eq!(Operation::of(16), Operation::Unknown);
        assert_eq!(Kind::of(-1), Kind::Unknown);
        assert_eq!(Pattern::of(4).word(), "PREFIXED");
        assert_eq!(Permission::of(3).word(), "ALLOW");
    }

    #[test]
    fn resources_and_entries_are_written_as_kafka_writes_them() {
        assert_eq!(
            Resource::cluster().to_string(),
            "ResourcePattern(resourceType=CLUSTER, name=kafka-cluster, patternType=LITERAL)"
        );
        let entry = Entry {
            principal: "User:bob".to_owned(),
            host: "*".to_owned(),
            operation: Operation::IdempotentWrite,
            permission: Permission::Deny,
        };
        assert_eq!(
            lines([&entry]),
            "\t(principal=User:bob, host=*, operation=IDEMPOTENT_WRITE, permissionType=DENY)"
        );
    }
}
