//! Which level each feature gets on a new cluster: what was asked for, else what the release has.

use std::collections::BTreeMap;

use ottla_metadata::MetadataVersion;
use ottla_metadata::features::{FEATURES, Feature, KRAFT_VERSION, METADATA_VERSION};

use super::error::{FormatError, refusal, refuse};

/// Levels of a new cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Levels {
    /// `metadata.version`.
    pub(super) metadata_version: MetadataVersion,
    /// Every other feature, `kraft.version` and those at 0 included.
    pub(super) features: BTreeMap<&'static str, i16>,
}

impl Levels {
    /// Level of `kraft.version`, which is kept in control records.
    pub(super) fn kraft_version(&self) -> i16 {
        self.features
            .get(KRAFT_VERSION)
            .copied()
            .unwrap_or_default()
    }

    /// The levels that feature records hold: `metadata.version` first, then all above 0.
    pub(super) fn records(&self) -> Vec<(&'static str, i16)> {
        let others = self
            .features
            .iter()
            .filter(|(name, level)| **name != KRAFT_VERSION && **level > 0);
        std::iter::once((METADATA_VERSION, self.metadata_version.level()))
            .chain(others.map(|(name, level)| (*name, *level)))
            .collect()
    }
}

/// Finds a release by its name: `4.0-IV3`, `4.0` or `4.0.1`.
///
/// # Errors
/// If there is none, with the names that there are.
pub fn release(text: &str) -> Result<MetadataVersion, FormatError> {
    // The third number of a release does not change its levels.
    let key = match text.match_indices('.').nth(1) {
        Some((second, _)) => text.split_at(second).0,
        None => text,
    };
    MetadataVersion::from_name(key).ok_or_else(|| {
        let names: Vec<&str> = (MetadataVersion::MINIMUM.level()..=MetadataVersion::LATEST.level())
            .filter_map(MetadataVersion::from_level)
            .map(MetadataVersion::name)
            .collect();
        refusal(format!(
            "Unknown metadata.version '{text}'. Supported metadata.version are: {}",
            names.join(", ")
        ))
    })
}

/// Works the levels out. `dynamic_quorum` tells whether the quorum keeps its voters itself.
///
/// # Errors
/// With Kafka's sentence.
pub(super) fn levels(
    release: Option<MetadataVersion>,
    asked: &[String],
    dynamic_quorum: bool,
) -> Result<Levels, FormatError> {
    let mut levels = BTreeMap::new();
    for text in asked {
        let (name, level) = parse(text)?;
        levels.insert(name, level);
    }
    let metadata_version = match (levels.remove(METADATA_VERSION), release) {
        (Some(_), Some(_)) => return refuse("Use --release-version instead of --feature metadata.version=X to avoid ambiguity."),
        (Some(level), None) => MetadataVersion::from_level(level).ok_or_else(|| {
            refusal(format!("No MetadataVersion with feature level {level}. Valid feature levels are from {} to \
                 {}.",
                MetadataVersion::MINIMUM.level(),
                MetadataVersion::LATEST.level()))
        })?,
        (None, release) => release.unwrap_or(MetadataVersion::LATEST),
    };
    if let Some(name) = levels.keys().find(|name| Feature::by_name(name).is_none()) {
        let known: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
        return refuse(format!(
            "Unsupported feature: {name}. Supported features are: {}",
            known.join(", ")
        ));
    }
    let mut features = BTreeMap::new();
    for feature in FEATURES {
        let level = match levels.get(feature.name).copied() {
            asked if feature.name == KRAFT_VERSION => kraft_level(asked, dynamic_quorum)?,
            Some(level) => level,
            None => feature.default_level(metadata_version),
        };
        if !(0..=feature.max_level).contains(&level) {
            return refuse(format!(
                "No feature:{} with feature level {level}",
                feature.name
            ));
        }
        feature.check(level, metadata_version)?;
        features.insert(feature.name, level);
    }
    Ok(Levels {
        metadata_version,
        features,
    })
}

fn parse(text: &str) -> Result<(&str, i16), FormatError> {
    let (name, level) = text.split_once('=').ok_or_else(|| {
        refusal(format!(
            "Can't parse feature=level string {text}: equals sign not found."
        ))
    })?;
    let level = level.trim();
    let number = level.parse().map_err(|_| {
        refusal(format!(
            "Can't parse feature=level string {text}: unable to parse {level} as a short."
        ))
    })?;
    Ok((name.trim(), number))
}

/// `kraft.version` follows from the quorum: a fixed one has 0, one that keeps its voters has 1.
fn kraft_level(asked: Option<i16>, dynamic_quorum: bool) -> Result<i16, FormatError> {
    match (asked, dynamic_quorum) {
        (None, dynamic) => Ok(i16::from(dynamic)),
        (Some(0), true) => refuse(
            "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags \
             --standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic \
             controllers support, try removing the --feature flag for kraft.version.",
        ),
        (Some(level), false) if level != 0 => refuse(format!(
            "Cannot set kraft.version to {level} unless controller.quorum.voters is empty and one of \
             the flags --standalone, --initial-controllers, or --no-initial-controllers is used. For \
             dynamic controllers support, try using one of --standalone, --initial-controllers, or \
             --no-initial-controllers and removing controller.quorum.voters."
        )),
        (Some(level), _) => Ok(level),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(release: Option<&str>, asked: &[&str]) -> Vec<(&'static str, i16)> {
        let release = release.and_then(MetadataVersion::from_name);
        let asked: Vec<String> = asked.iter().map(|text| (*text).to_owned()).collect();
        levels(release, &asked, true).unwrap().records()
    }

    #[test]
    fn a_new_cluster_has_the_newest_levels() {
        assert_eq!(
            records(None, &[]),
            [
                ("metadata.version", 33),
                ("eligible.leader.replicas.version", 1),
                ("group.version", 1),
                ("share.version", 2),
                ("streams.version", 1),
                ("transaction.version", 2),
            ]
        );
    }

    #[test]
    fn a_release_and_single_levels_can_be_asked_for() {
        assert_eq!(records(Some("3.9"), &[]), [("metadata.version", 21)]);
        assert_eq!(
            records(Some("4.0"), &["transaction.version = 1", "group.version=0"]),
            [("metadata.version", 25), ("transaction.version", 1)]
        );
        assert_eq!(
            records(None, &["metadata.version=20"]),
            [("metadata.version", 20)]
        );
    }

    #[test]
    fn kraft_version_follows_from_the_quorum() {
        assert_eq!(levels(None, &[], true).unwrap().kraft_version(), 1);
        assert_eq!(levels(None, &[], false).unwrap().kraft_version(), 0);
        let zero = ["kraft.version=0".to_owned()];
        assert_eq!(levels(None, &zero, false).unwrap().kraft_version(), 0);
        assert!(levels(None, &zero, true).is_err());
    }
}
