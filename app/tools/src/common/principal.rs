//! Principals, as Kafka's tools read and write them: `User:alice`.

use std::fmt::{Display, Formatter, Result as FmtResult};

use super::java;

/// Who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// `User`, if the server's own classes have not made it something else.
    pub(crate) kind: String,
    pub(crate) name: String,
}

impl Principal {
    /// From both parts.
    pub(crate) fn new(kind: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Reads `type:name`.
    ///
    /// # Errors
    /// Kafka's sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        text.split_once(':')
            .map(|(kind, name)| Self::new(kind, name))
            .ok_or_else(|| {
                format!("expected a string in format principalType:principalName but got {text}")
            })
    }

    /// `KafkaPrincipal.hashCode()`.
    pub(crate) fn hash(&self) -> i32 {
        java::string_hash(&self.kind)
            .wrapping_mul(31)
            .wrapping_add(java::string_hash(&self.name))
    }
}

impl Display for Principal {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_colon_parts_type_and_name() {
        let check = |text: &str, kind: &str, name: &str| {
            let principal = Principal::parse(text).expect(text);
            assert_eq!(principal, Principal::new(kind, name), "{text}");
            assert_eq!(principal.to_string(), text);
        };
        check("User:alice", "User", "alice");
        check("User:CN=a:b", "User", "CN=a:b");
        check("User:", "User", "");
        check(":", "", "");
        for text in ["", "alice"] {
            assert_eq!(
                Principal::parse(text),
                Err(format!(
                    "expected a string in format principalType:principalName but got {text}"
                ))
            );
        }
    }
}
