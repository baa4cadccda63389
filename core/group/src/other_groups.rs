//! Groups of newer kinds that the log holds and this coordinator does not serve.
//!
//! A log that was written by another Kafka may hold consumer (KIP-848), share (KIP-932) and streams
//! (KIP-1071) groups. Their records stay in the log as they are; what is kept here is only which there
//! are, so that a classic member cannot take such a group's name, its offsets do not expire and it is not
//! deleted as a group that nobody knows. As in Kafka, a consumer group without members gives way to a
//! classic group when somebody joins that, and can be deleted.

use std::collections::{BTreeMap, BTreeSet};

/// A newer kind of group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OtherGroupType {
    /// KIP-848.
    Consumer,
    /// KIP-932.
    Share,
    /// KIP-1071.
    Streams,
}

impl OtherGroupType {
    /// Kafka's name, as ListGroups gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Share => "share",
            Self::Streams => "streams",
        }
    }
}

/// The kind of group that a key of this type belongs to; `None` if the type is not known, or one of the
/// classic ones.
pub(crate) fn type_of_key(key_type: i16) -> Option<OtherGroupType> {
    match key_type {
        3..=8 | 16 => Some(OtherGroupType::Consumer),
        10..=15 => Some(OtherGroupType::Share),
        17 | 19..=23 => Some(OtherGroupType::Streams),
        _ => None,
    }
}

/// Type of the key of a member of a consumer group, and of what it wants and has.
const CONSUMER_MEMBER: i16 = 5;

/// The type at the front of a key.
fn key_type(key: &[u8]) -> Option<i16> {
    key.first_chunk().copied().map(i16::from_be_bytes)
}

/// The groups of newer kinds, by name. A group is there while any of its records is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct OtherGroups {
    groups: BTreeMap<String, OtherGroup>,
}

#[derive(Debug, Clone, PartialEq)]
struct OtherGroup {
    kind: OtherGroupType,
    /// Keys with a value. What is after the group's name tells them apart.
    keys: BTreeSet<Vec<u8>>,
}

impl OtherGroups {
    /// Takes note of a record.
    pub(crate) fn note(&mut self, group: &str, kind: OtherGroupType, key: &[u8], alive: bool) {
        if alive {
            let entry = self
                .groups
                .entry(group.to_owned())
                .or_insert_with(|| OtherGroup {
                    kind,
                    keys: BTreeSet::new(),
                });
            entry.kind = kind;
            entry.keys.insert(key.to_vec());
        } else if let Some(entry) = self.groups.get_mut(group) {
            entry.keys.remove(key);
            if entry.keys.is_empty() {
                self.groups.remove(group);
            }
        }
    }

    /// The kind of the group of this name, if there is one.
    pub(crate) fn kind(&self, group: &str) -> Option<OtherGroupType> {
        self.groups.get(group).map(|group| group.kind)
    }

    /// Whether it is a consumer group and has members, as far as the log says.
    pub(crate) fn has_consumers(&self, group: &str) -> bool {
        let keys = self.groups.get(group).into_iter().flat_map(|g| &g.keys);
        keys.filter_map(|key| key_type(key))
            .any(|key_type| key_type == CONSUMER_MEMBER)
    }

    /// The keys of a group, in the order in which Kafka removes them: what it is made of comes last.
    pub(crate) fn keys(&self, group: &str) -> impl Iterator<Item = &Vec<u8>> {
        let keys = self.groups.get(group).into_iter();
        keys.flat_map(|group| group.keys.iter().rev())
    }

    /// Every group, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, OtherGroupType)> {
        self.groups
            .iter()
            .map(|(name, group)| (name.as_str(), group.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_there_while_one_of_its_records_is() {
        let mut others = OtherGroups::default();
        let kind = OtherGroupType::Consumer;
        others.note("g", kind, b"epoch", true);
        others.note("g", kind, b"member", true);
        others.note("g", kind, b"member", true);
        others.note("g", kind, b"epoch", false);
        assert_eq!(others.kind("g"), Some(kind));
        others.note("g", kind, b"member", false);
        assert_eq!(others.kind("g"), None);
        others.note("g", kind, b"member", false);
        assert_eq!(others.iter().count(), 0);
    }

    #[test]
    fn every_type_but_the_classic_ones_and_the_unused_has_a_kind() {
        let without: Vec<i16> = (0..=24).filter(|t| type_of_key(*t).is_none()).collect();
        assert_eq!(without, [0, 1, 2, 9, 18, 24]);
    }
}
