//! The APIs of the protocol: keys, versions, and where Kafka serves them.
//!
//! The rows come from the schemas. What this program serves is narrower; that table is the server's.

pub use crate::generated::api_keys::{API_TABLE, ApiKey};

/// A range of versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// Lowest.
    pub min: i16,
    /// Highest.
    pub max: i16,
}

impl Versions {
    /// Whether `version` is in the range.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// What the schemas say of one API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiRow {
    /// Key in the request header.
    pub key: ApiKey,
    /// Name.
    pub name: &'static str,
    /// Versions that exist; `None` for an API that was removed.
    pub versions: Option<Versions>,
    /// First version with compact lengths and tagged fields.
    pub flexible_from: Option<i16>,
    /// Whether the last version is announced only on demand.
    pub latest_unstable: bool,
    /// Whether brokers serve it.
    pub broker: bool,
    /// Whether controllers serve it.
    pub controller: bool,
}

impl ApiKey {
    /// The API of a key, if there is one.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        // Keys are dense from 0, which a test holds; so the row is found by its place.
        API_TABLE
            .get(usize::try_from(code).ok()?)
            .map(|row| row.key)
    }

    /// The key as a number.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The row of the API.
    #[must_use]
    pub fn row(self) -> &'static ApiRow {
        usize::try_from(self.code())
            .ok()
            .and_then(|index| API_TABLE.get(index))
            .expect("every key has a row, which a test holds")
    }

    /// Whether requests and responses of this version carry tagged fields.
    #[must_use]
    pub fn is_flexible(self, version: i16) -> bool {
        self.row().flexible_from.is_some_and(|from| version >= from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_dense_and_in_order() {
        assert_eq!(API_TABLE.len(), 95);
        for (index, row) in API_TABLE.iter().enumerate() {
            assert_eq!(usize::try_from(row.key.code()), Ok(index), "{}", row.name);
            assert_eq!(ApiKey::from_code(row.key.code()), Some(row.key));
        }
        assert_eq!(ApiKey::from_code(95), None);
        assert_eq!(ApiKey::from_code(-1), None);
    }

    #[test]
    fn removed_apis_have_no_version() {
        let removed = API_TABLE.iter().filter(|row| row.versions.is_none());
        assert_eq!(removed.count(), 4);
    }
}
