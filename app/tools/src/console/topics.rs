//! Which topics a console consumer reads.

use krafka::{Kafka, KrafkaError};

use crate::common::filter::TopicFilter;

/// Longest name of a topic.
const NAME_MAX: usize = 249;

/// Topics that the nodes keep for themselves.
const INTERNAL: &[&str] = &[
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
];

/// The topics of a command line.
#[derive(Debug)]
pub(crate) enum Chosen {
    /// One by its name.
    Topic(String),
    /// Those whose names match.
    Matching {
        /// What they match.
        filter: TopicFilter,
        /// Whether those that the nodes keep for themselves are left out.
        exclude_internal: bool,
    },
}

impl Chosen {
    /// Topics whose whole names match an expression.
    ///
    /// # Errors
    /// Java's exception for an expression that is none.
    pub(crate) fn matching(text: &str, exclude_internal: bool) -> Result<Self, String> {
        let filter = TopicFilter::new(text)
            .map_err(|why| format!("java.util.regex.PatternSyntaxException: {why}"))?;
        Ok(Self::Matching {
            filter,
            exclude_internal,
        })
    }

    /// The names, as things are now.
    ///
    /// # Errors
    /// If the cluster does not say which topics it has.
    pub(crate) async fn topics(&self, kafka: &Kafka) -> Result<Vec<String>, KrafkaError> {
        match self {
            Self::Topic(name) => Ok(vec![name.clone()]),
            Self::Matching {
                filter,
                exclude_internal,
            } => {
                let mut names = kafka.admin().list_topics(Default::default()).await?;
                names.retain(|name| {
                    filter.matches(name)
                        && !(*exclude_internal && INTERNAL.contains(&name.as_str()))
                });
                names.sort_unstable();
                Ok(names)
            }
        }
    }
}

/// Refuses a name that no topic can have, as Kafka's consumer does once a node has told it so.
///
/// # Errors
/// The exception.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() <= NAME_MAX && !matches!(name, "." | "..") && name.chars().all(legal) {
        return Ok(());
    }
    Err(format!(
        "org.apache.kafka.common.errors.InvalidTopicException: Invalid topics: [{name}]"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_of_kafka() {
        for name in ["a", "a.b_c-D9", &"x".repeat(249)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["bad topic", ".", "..", "ä", &"x".repeat(250)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
