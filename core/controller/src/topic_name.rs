//! Which names a topic may have.

use thiserror::Error;

/// Longest name: the directory of a partition must fit a file name.
const NAME_MAX: usize = 249;

/// A name that a topic cannot have. The texts are Kafka's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidTopicName {
    /// Nothing.
    #[error("the empty string is not allowed")]
    Empty,
    /// The name of a directory entry.
    #[error("'{0}' is not allowed")]
    Reserved(String),
    /// More than 249 characters.
    #[error("the length of '{0}' is longer than the max allowed length {NAME_MAX}")]
    TooLong(String),
    /// A character that is not allowed.
    #[error(
        "'{0}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    )]
    Characters(String),
}

/// Checks that a topic may be called `name`.
///
/// # Errors
/// [`InvalidTopicName`] if not.
pub fn check_topic_name(name: &str) -> Result<(), InvalidTopicName> {
    // Kafka counts UTF-16 units.
    let length = || name.encode_utf16().count();
    match name {
        "" => Err(InvalidTopicName::Empty),
        "." | ".." => Err(InvalidTopicName::Reserved(name.to_owned())),
        _ if name.len() > NAME_MAX && length() > NAME_MAX => {
            Err(InvalidTopicName::TooLong(name.to_owned()))
        }
        _ if !name.bytes().all(is_allowed) => Err(InvalidTopicName::Characters(name.to_owned())),
        _ => Ok(()),
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// The name with `.` replaced by `_`: names that become equal collide, because metrics cannot tell them
/// apart. `None` of a name with neither.
pub(crate) fn collision_key(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rules() {
        let ok = |name: &str| assert_eq!(check_topic_name(name), Ok(()), "{name}");
        ok("a");
        ok("__consumer_offsets");
        ok("...");
        ok("A-b_c.9");
        ok(&"x".repeat(249));
        let refused = |name: &str, text: &str| {
            assert_eq!(check_topic_name(name).unwrap_err().to_string(), text);
        };
        refused("", "the empty string is not allowed");
        refused(".", "'.' is not allowed");
        refused("..", "'..' is not allowed");
        let long = "x".repeat(250);
        refused(
            &long,
            &format!("the length of '{long}' is longer than the max allowed length 249"),
        );
        for name in ["a/b", "a b", "ä", "a\0"] {
            refused(
                name,
                &format!(
                    "'{name}' contains one or more characters other than ASCII alphanumerics, '.', \
                     '_' and '-'"
                ),
            );
        }
    }

    #[test]
    fn dot_and_underscore_collide() {
        assert_eq!(collision_key("a.b_c"), collision_key("a_b.c"));
        assert_eq!(collision_key("abc"), None);
    }
}
