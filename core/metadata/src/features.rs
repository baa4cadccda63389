//! Features and their levels (KIP-584): `metadata.version`, which gates record formats and inter-broker
//! requests, and the features that depend on it (KIP-1022).

use std::fmt;

/// Name of the feature that gates record formats.
pub const METADATA_VERSION: &str = "metadata.version";
/// Name of the feature of the metadata quorum; it is kept in control records, not in feature records.
pub const KRAFT_VERSION: &str = "kraft.version";
/// Name of the feature of eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS_VERSION: &str = "eligible.leader.replicas.version";
/// Name of the feature of transactions (KIP-890).
pub const TRANSACTION_VERSION: &str = "transaction.version";
/// Name of the feature of consumer groups (KIP-848).
pub const GROUP_VERSION: &str = "group.version";
/// Name of the feature of share groups (KIP-932).
pub const SHARE_VERSION: &str = "share.version";
/// Name of the feature of streams groups (KIP-1071).
pub const STREAMS_VERSION: &str = "streams.version";

/// One rung of the ladder of `metadata.version`.
#[derive(Debug, Clone, Copy)]
struct Rung {
    level: i16,
    /// Release and step, as `kafka-features` shows it.
    name: &'static str,
    /// Whether record formats changed, so that going down across it would lose metadata.
    changes_metadata: bool,
}

const fn rung(level: i16, name: &'static str, changes_metadata: bool) -> Rung {
    Rung {
        level,
        name,
        changes_metadata,
    }
}

/// Every level from the oldest one served. Levels follow each other without a gap.
const LADDER: &[Rung] = &[
    rung(7, "3.3-IV3", true),
    rung(8, "3.4-IV0", true),
    rung(9, "3.5-IV0", false),
    rung(10, "3.5-IV1", false),
    rung(11, "3.5-IV2", true),
    rung(12, "3.6-IV0", false),
    rung(13, "3.6-IV1", true),
    rung(14, "3.6-IV2", true),
    rung(15, "3.7-IV0", true),
    rung(16, "3.7-IV1", false),
    rung(17, "3.7-IV2", true),
    rung(18, "3.7-IV3", false),
    rung(19, "3.7-IV4", false),
    rung(20, "3.8-IV0", false),
    rung(21, "3.9-IV0", false),
    rung(22, "4.0-IV0", false),
    rung(23, "4.0-IV1", true),
    rung(24, "4.0-IV2", false),
    rung(25, "4.0-IV3", false),
    rung(26, "4.1-IV0", false),
    rung(27, "4.1-IV1", false),
    rung(28, "4.2-IV0", false),
    rung(29, "4.2-IV1", false),
    rung(30, "4.3-IV0", true),
    rung(31, "4.4-IV0", false),
    rung(32, "4.4-IV1", true),
    rung(33, "4.4-IV2", true),
];

/// A level of `metadata.version` that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataVersion(i16);

impl MetadataVersion {
    /// The oldest level served.
    pub const MINIMUM: Self = Self(7);
    /// The newest level, which a new cluster gets.
    pub const LATEST: Self = Self(33);

    /// The level with this number; `None` if it is unknown.
    #[must_use]
    pub fn from_level(level: i16) -> Option<Self> {
        (Self::MINIMUM.0..=Self::LATEST.0)
            .contains(&level)
            .then_some(Self(level))
    }

    /// The level named `text`: a whole name (`3.7-IV2`), or a release (`3.7`), which stands for its
    /// last step.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        LADDER
            .iter()
            .rev()
            .find(|rung| {
                let release = rung.name.split('-').next();
                rung.name == text || release == Some(text)
            })
            .map(|rung| Self(rung.level))
    }

    /// Number of the level.
    #[must_use]
    pub fn level(self) -> i16 {
        self.0
    }

    /// Release and step, such as `4.4-IV2`.
    #[must_use]
    pub fn name(self) -> &'static str {
        LADDER
            .iter()
            .find(|rung| rung.level == self.0)
            .expect("a level is made only if it is on the ladder")
            .name
    }

    /// Whether record formats changed between the two levels, so that the way down loses metadata.
    #[must_use]
    pub fn metadata_changed(self, other: Self) -> bool {
        let (low, high) = (self.min(other).0, self.max(other).0);
        LADDER
            .iter()
            .any(|rung| rung.level > low && rung.level <= high && rung.changes_metadata)
    }

    /// Whether a shrinking ISR needs no new leader epoch.
    #[must_use]
    pub fn isr_shrink_keeps_leader_epoch(self) -> bool {
        self.0 >= 12
    }

    /// Whether SCRAM credentials can be stored.
    #[must_use]
    pub fn supports_scram(self) -> bool {
        self.0 >= 11
    }

    /// Whether metadata transactions exist (KIP-868).
    #[must_use]
    pub fn supports_transactions(self) -> bool {
        self.0 >= 13
    }

    /// Whether delegation tokens can be stored.
    #[must_use]
    pub fn supports_delegation_tokens(self) -> bool {
        self.0 >= 14
    }

    /// Whether controllers register (KIP-919).
    #[must_use]
    pub fn supports_controller_registration(self) -> bool {
        self.0 >= 15
    }

    /// Whether partitions know their directories (KIP-858).
    #[must_use]
    pub fn supports_directory_assignment(self) -> bool {
        self.0 >= 17
    }

    /// Whether partition records carry eligible leader replicas (KIP-966).
    #[must_use]
    pub fn supports_elr(self) -> bool {
        self.0 >= 23
    }

    /// Whether directories can be closed to new replicas (KIP-1066).
    #[must_use]
    pub fn supports_cordoned_log_dirs(self) -> bool {
        self.0 >= 30
    }

    /// Whether controllers can be unregistered (KIP-1312).
    #[must_use]
    pub fn supports_controller_unregistration(self) -> bool {
        self.0 >= 33
    }

    pub(crate) fn register_broker_record_version(self) -> i16 {
        if self.supports_cordoned_log_dirs() {
            4
        } else if self.supports_directory_assignment() {
            3
        } else if self.0 >= 8 {
            2
        } else {
            1
        }
    }

    pub(crate) fn partition_record_version(self) -> i16 {
        if self.supports_elr() {
            2
        } else if self.supports_directory_assignment() {
            1
        } else {
            0
        }
    }

    pub(crate) fn partition_change_record_version(self) -> i16 {
        self.partition_record_version()
    }
}

impl fmt::Display for MetadataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A feature other than `metadata.version`.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// Kafka's name.
    pub name: &'static str,
    /// The highest level served. The lowest is 0: off.
    pub max_level: i16,
    /// From which `metadata.version` on a new cluster gets which level, lowest first.
    defaults: &'static [(i16, MetadataVersion)],
    /// The `metadata.version` that any level above 0 needs.
    needs: MetadataVersion,
}

/// The features other than `metadata.version`, in the order of their names.
pub const FEATURES: &[Feature] = &[
    Feature {
        name: ELIGIBLE_LEADER_REPLICAS_VERSION,
        max_level: 1,
        defaults: &[(1, MetadataVersion(26))],
        needs: MetadataVersion(23),
    },
    Feature {
        name: GROUP_VERSION,
        max_level: 1,
        defaults: &[(1, MetadataVersion(22))],
        needs: MetadataVersion::MINIMUM,
    },
    Feature {
        name: KRAFT_VERSION,
        max_level: 1,
        defaults: &[(1, MetadataVersion(21))],
        needs: MetadataVersion::MINIMUM,
    },
    Feature {
        name: SHARE_VERSION,
        max_level: 2,
        defaults: &[(1, MetadataVersion(28)), (2, MetadataVersion(31))],
        needs: MetadataVersion::MINIMUM,
    },
    Feature {
        name: STREAMS_VERSION,
        max_level: 1,
        defaults: &[(1, MetadataVersion(29))],
        needs: MetadataVersion::MINIMUM,
    },
    Feature {
        name: TRANSACTION_VERSION,
        max_level: 2,
        defaults: &[(2, MetadataVersion(24))],
        needs: MetadataVersion::MINIMUM,
    },
];

/// A feature that may not be at a level, because another is too low. The text is Kafka's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} could not be set to {level} because it depends on metadata.version level {needs}")]
pub struct UnmetDependency {
    name: &'static str,
    level: i16,
    needs: i16,
}

impl Feature {
    /// The feature with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        FEATURES.iter().find(|feature| feature.name == name)
    }

    /// The level that a new cluster of `metadata_version` gets.
    #[must_use]
    pub fn default_level(&self, metadata_version: MetadataVersion) -> i16 {
        self.defaults
            .iter()
            .rev()
            .find(|(_, from)| metadata_version >= *from)
            .map_or(0, |(level, _)| *level)
    }

    /// Checks that the feature may be at `level` beside `metadata_version`.
    ///
    /// # Errors
    /// [`UnmetDependency`] if it needs a higher `metadata.version`.
    pub fn check(
        &self,
        level: i16,
        metadata_version: MetadataVersion,
    ) -> Result<(), UnmetDependency> {
        if level == 0 || metadata_version >= self.needs {
            return Ok(());
        }
        Err(UnmetDependency {
            name: self.name,
            level,
            needs: self.needs.0,
        })
    }
}

/// What this program supports of each feature: name, lowest and highest level.
pub fn supported() -> impl Iterator<Item = (&'static str, i16, i16)> {
    FEATURES
        .iter()
        .map(|feature| (feature.name, 0, feature.max_level))
        .chain([(
            METADATA_VERSION,
            MetadataVersion::MINIMUM.0,
            MetadataVersion::LATEST.0,
        )])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ladder_has_no_gap() {
        assert_eq!(
            LADDER.first().map(|rung| rung.level),
            Some(MetadataVersion::MINIMUM.0)
        );
        assert_eq!(
            LADDER.last().map(|rung| rung.level),
            Some(MetadataVersion::LATEST.0)
        );
        assert!(
            LADDER
                .windows(2)
                .all(|pair| pair[0].level + 1 == pair[1].level)
        );
    }

    #[test]
    fn releases_stand_for_their_last_step() {
        let check = |text: &str, level| {
            assert_eq!(
                MetadataVersion::from_name(text).map(MetadataVersion::level),
                level,
                "{text}"
            );
        };
        check("3.3", Some(7));
        check("3.7", Some(19));
        check("3.7-IV2", Some(17));
        check("4.4", Some(33));
        check("4.4-IV2", Some(33));
        check("4.5", None);
        check("", None);
        assert_eq!(MetadataVersion::LATEST.name(), "4.4-IV2");
    }

    #[test]
    fn new_clusters_get_kafkas_levels() {
        let check = |name: &str, level: i16, expected: i16| {
            let feature = Feature::by_name(name).unwrap();
            let metadata_version = MetadataVersion::from_level(level).unwrap();
            assert_eq!(
                feature.default_level(metadata_version),
                expected,
                "{name} at {level}"
            );
        };
        check(ELIGIBLE_LEADER_REPLICAS_VERSION, 25, 0);
        check(ELIGIBLE_LEADER_REPLICAS_VERSION, 26, 1);
        check(SHARE_VERSION, 27, 0);
        check(SHARE_VERSION, 30, 1);
        check(SHARE_VERSION, 31, 2);
        check(TRANSACTION_VERSION, 23, 0);
        check(TRANSACTION_VERSION, 24, 2);
        check(KRAFT_VERSION, 20, 0);
        check(KRAFT_VERSION, 21, 1);
    }

    #[test]
    fn way_down_across_a_record_change_loses_metadata() {
        let at = |level| MetadataVersion::from_level(level).unwrap();
        assert!(!at(29).metadata_changed(at(23)));
        assert!(at(30).metadata_changed(at(29)));
        assert!(at(33).metadata_changed(at(7)));
        assert!(!at(33).metadata_changed(at(33)));
    }

    #[test]
    fn elr_needs_its_records() {
        let elr = Feature::by_name(ELIGIBLE_LEADER_REPLICAS_VERSION).unwrap();
        let at = |level| MetadataVersion::from_level(level).unwrap();
        assert_eq!(elr.check(1, at(23)), Ok(()));
        assert_eq!(elr.check(0, at(22)), Ok(()));
        assert_eq!(
            elr.check(1, at(22)).unwrap_err().to_string(),
            "eligible.leader.replicas.version could not be set to 1 because it depends on \
             metadata.version level 23"
        );
    }
}
