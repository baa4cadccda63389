//! `kafka-features`: the levels of the features of a cluster, and which levels a release has.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command, value_parser};
use ottla_client::{Admin, Attempt, ClientError};
use ottla_metadata::MetadataVersion;
use ottla_metadata::features::{self, Feature, METADATA_VERSION};
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{ApiVersionsResponse, UpdateFeaturesRequest};
use serde_json::json;

use crate::common::argparse::{self, Manner, Parsed, Wrong};
use crate::common::format::{self, Format};
use crate::common::usage::Failure;
use crate::common::{client, output};

const MANNER: Manner = Manner {
    program: "kafka-features",
    help_code: 0,
    wrong: Wrong::Sentence,
};

/// How long the cluster may take for a change; Kafka's tool sends the same.
const TIMEOUT_MS: i32 = 60_000;

/// The features beside metadata.version in the order in which Kafka prints them.
const ORDER: [&str; 6] = [
    features::KRAFT_VERSION,
    features::TRANSACTION_VERSION,
    features::GROUP_VERSION,
    features::ELIGIBLE_LEADER_REPLICAS_VERSION,
    features::SHARE_VERSION,
    features::STREAMS_VERSION,
];

/// A change of levels, as the protocol numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Upgrade = 1,
    Downgrade = 2,
    UnsafeDowngrade = 3,
}

/// The options.
pub(crate) fn command() -> Command {
    let value = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help);
    let flag = |name, help| value(name, help).action(ArgAction::SetTrue);
    let release = || {
        value(
            "release-version",
            "The release whose levels all features get, such as 4.4.",
        )
    };
    let feature = |help| value("feature", help).action(ArgAction::Append);
    let metadata = || {
        value(
            "metadata",
            "The level of metadata.version, such as 3.9-IV0 (deprecated).",
        )
    };
    let dry_run = || flag("dry-run", "Only check whether it can be done.");
    let lossy = || flag("unsafe", "Go down even if metadata is lost.");
    let tool = Command::new("features").about("Show or change the feature levels of a cluster");
    client::argparse_options(tool, false)
        .subcommand(
            Command::new("describe")
                .about("Show the levels in use and those that a node supports")
                .arg(
                    value("node-id", "The node to ask; any node if not given.")
                        .value_parser(value_parser!(i32)),
                )
                .arg(format::option()),
        )
        .subcommand(
            Command::new("upgrade")
                .about("Bring features to a higher level")
                .arg(metadata())
                .arg(release())
                .arg(feature("A feature and its new level: name=level."))
                .arg(dry_run()),
        )
        .subcommand(
            Command::new("downgrade")
                .about("Bring features to a lower level")
                .arg(metadata())
                .arg(release())
                .arg(feature("A feature and its new level: name=level."))
                .arg(lossy())
                .arg(dry_run()),
        )
        .subcommand(
            Command::new("disable")
                .about("Bring features to level 0")
                .arg(feature("A feature."))
                .arg(lossy())
                .arg(dry_run()),
        )
        .subcommand(
            Command::new("version-mapping")
                .about("Show the levels that a release has")
                .arg(release()),
        )
        .subcommand(
            Command::new("feature-dependencies")
                .about("Show what a level of a feature needs")
                .arg(feature("A feature and a level: name=level.").required(true)),
        )
        .after_help(
            "Examples:\n  ottla features --bootstrap-server localhost:9092 describe\n  \
             ottla features --bootstrap-server localhost:9092 upgrade --release-version 4.4\n  \
             ottla features version-mapping --release-version 4.0",
        )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    argparse::run(MANNER, command(), args, work)
}

fn work(parsed: &Parsed) -> Result<ExitCode, Failure> {
    match parsed.command() {
        "version-mapping" => version_mapping(parsed.value("release-version"))?,
        "feature-dependencies" => dependencies(parsed.values("feature"))?,
        command => {
            if !parsed.has("bootstrap-server") && !parsed.has("bootstrap-controller") {
                let text = "You must specify either --bootstrap-controller or --bootstrap-server.";
                return Err(Failure::Usage(text.to_owned()));
            }
            let mut admin = client::admin_of_parsed(parsed, parsed.value("command-config"))?;
            match command {
                "describe" => describe(&mut admin, parsed)?,
                "disable" => disable(&mut admin, parsed)?,
                _ => change(&mut admin, parsed)?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(admin: &mut Admin, parsed: &Parsed) -> Result<(), Failure> {
    let format = format::of(parsed.value(format::OUTPUT))?;
    let node = parsed.number("node-id");
    let versions = admin
        .retry("describeFeatures", |admin| {
            let connection = match node {
                Some(node) => admin.node(node)?,
                None => admin.any()?,
            };
            Ok(Attempt::Done(connection.versions().clone()))
        })
        .map_err(|error| error.to_java())?;
    match format {
        Format::Text => output::text(&table(&versions)),
        Format::Json => {
            let features: Vec<_> = rows(&versions)
                .map(|(name, min, max, level)| {
                    json!({
                        "feature": name,
                        "supportedMinVersion": level_name(name, min),
                        "supportedMaxVersion": level_name(name, max),
                        "finalizedVersionLevel": level_name(name, level),
                    })
                })
                .collect();
            let epoch = epoch(&versions);
            format::json(&json!({ "epoch": epoch, "features": features }));
        }
    }
    Ok(())
}

/// Name, lowest and highest level that the node supports, level in use; in the order of names.
fn rows(versions: &ApiVersionsResponse) -> impl Iterator<Item = (&str, i16, i16, i16)> {
    let mut supported: Vec<_> = versions.supported_features.iter().collect();
    supported.sort_by(|a, b| a.name.cmp(&b.name));
    supported.into_iter().map(|feature| {
        let level = versions
            .finalized_features
            .iter()
            .find(|other| other.name == feature.name)
            .map_or(0, |other| other.max_version_level);
        (
            feature.name.as_str(),
            feature.min_version,
            feature.max_version,
            level,
        )
    })
}

fn epoch(versions: &ApiVersionsResponse) -> Option<i64> {
    Some(versions.finalized_features_epoch).filter(|epoch| *epoch >= 0)
}

fn table(versions: &ApiVersionsResponse) -> String {
    let epoch = epoch(versions).map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
    rows(versions)
        .map(|(name, min, max, level)| {
            format!(
                "Feature: {name:<42}SupportedMinVersion: {:<17}SupportedMaxVersion: {:<17}\
                 FinalizedVersionLevel: {:<17}Epoch: {epoch}\n",
                level_name(name, min),
                level_name(name, max),
                level_name(name, level),
            )
        })
        .collect()
}

/// Levels of metadata.version have names.
fn level_name(feature: &str, level: i16) -> String {
    if feature != METADATA_VERSION {
        return level.to_string();
    }
    match MetadataVersion::from_level(level) {
        Some(version) => version.name().to_owned(),
        None => format!("UNKNOWN [{level}]"),
    }
}

fn release(name: &str) -> Result<MetadataVersion, String> {
    MetadataVersion::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = (MetadataVersion::MINIMUM.level()..=MetadataVersion::LATEST.level())
            .filter_map(MetadataVersion::from_level)
            .map(MetadataVersion::name)
            .collect();
        format!(
            "Unknown metadata.version '{name}'. Supported metadata.version are: {}",
            known.join(", ")
        )
    })
}

/// `upgrade` and `downgrade`.
fn change(admin: &mut Admin, parsed: &Parsed) -> Result<(), Failure> {
    let downgrade = parsed.command() == "downgrade";
    let change = match (downgrade, parsed.has("unsafe")) {
        (false, _) => Change::Upgrade,
        (true, false) => Change::Downgrade,
        (true, true) => Change::UnsafeDowngrade,
    };
    let mut levels = BTreeMap::new();
    let metadata = parsed.value("metadata");
    if let Some(name) = parsed.value("release-version") {
        if metadata.is_some() || parsed.has("feature") {
            let text = "Can not specify `release-version` with other feature flags.";
            return Err(Failure::Failed(text.to_owned()));
        }
        let version = release(name)?;
        levels.insert(METADATA_VERSION.to_owned(), version.level());
        for feature in features::FEATURES {
            let level = feature.default_level(version);
            // Going up, a feature that the release does not have is left alone.
            if level > 0 || downgrade {
                levels.insert(feature.name.to_owned(), level);
            }
        }
    } else {
        if let Some(name) = metadata {
            output::line(" `metadata` flag is deprecated and may be removed in a future release.");
            levels.insert(METADATA_VERSION.to_owned(), release(name)?.level());
        }
        for text in parsed.values("feature") {
            let (name, level) = name_and_level(text)?;
            if levels.insert(name.to_owned(), level).is_some() {
                let text = format!("Feature {name} was specified more than once.");
                return Err(Failure::Failed(text));
            }
        }
        if levels.is_empty() {
            let verb = parsed.command();
            let text = format!("You must specify at least one feature to {verb}");
            return Err(Failure::Failed(text));
        }
    }
    update(admin, &levels, change, parsed)
}

fn disable(admin: &mut Admin, parsed: &Parsed) -> Result<(), Failure> {
    let mut levels = BTreeMap::new();
    for name in parsed.values("feature") {
        if levels.insert(name.clone(), 0).is_some() {
            let text = format!("Feature {name} was specified more than once.");
            return Err(Failure::Failed(text));
        }
    }
    if levels.is_empty() {
        let text = "You must specify at least one feature to disable";
        return Err(Failure::Failed(text.to_owned()));
    }
    let change = if parsed.has("unsafe") {
        Change::UnsafeDowngrade
    } else {
        Change::Downgrade
    };
    update(admin, &levels, change, parsed)
}

/// `name=level` of an option.
fn name_and_level(text: &str) -> Result<(&str, i16), String> {
    let (name, level) = text.split_once('=').ok_or_else(|| {
        format!("Can't parse feature=level string {text}: equals sign not found.")
    })?;
    let (name, level) = (name.trim(), level.trim());
    let parsed = level.parse().map_err(|_| {
        format!("Can't parse feature=level string {text}: unable to parse {level} as a short.")
    })?;
    Ok((name, parsed))
}

fn update(
    admin: &mut Admin,
    levels: &BTreeMap<String, i16>,
    change: Change,
    parsed: &Parsed,
) -> Result<(), Failure> {
    if levels.keys().any(String::is_empty) {
        return Err(Failure::Failed(
            "Provided feature can not be empty.".to_owned(),
        ));
    }
    let dry_run = parsed.has("dry-run");
    let mut request = UpdateFeaturesRequest {
        timeout_ms: TIMEOUT_MS,
        validate_only: dry_run,
        feature_updates: levels
            .iter()
            .map(|(name, level)| FeatureUpdateKey {
                feature: name.clone(),
                max_version_level: *level,
                allow_downgrade: false,
                upgrade_type: change as i8,
            })
            .collect(),
    };
    let answer = admin.retry("updateFeatures", |admin| {
        let controller = admin.cluster()?.controller_id;
        let connection = admin.node(controller)?;
        if connection.version::<UpdateFeaturesRequest>()? == 0 {
            // The first version told the direction by a flag.
            for update in &mut request.feature_updates {
                update.allow_downgrade = change != Change::Upgrade;
                update.upgrade_type = Change::Upgrade as i8;
            }
        }
        let answer = connection.ask(&request)?;
        ClientError::check(answer.error_code, answer.error_message.as_deref())?;
        Ok(Attempt::Done(answer))
    });
    let mut failed = 0;
    for (name, level) in levels {
        let result = match &answer {
            Err(error) => Err(error.to_string()),
            Ok(answer) => answer
                .results
                .iter()
                .find(|result| result.feature == *name)
                .map_or(Ok(()), |result| {
                    ClientError::check(result.error_code, result.error_message.as_deref())
                        .map_err(|error| error.to_string())
                }),
        };
        failed += usize::from(result.is_err());
        output::line(&told(parsed.command(), name, *level, dry_run, result.err()));
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!(
            "{failed} out of {} operation(s) failed.",
            levels.len()
        ))),
    }
}

/// What became of one feature.
fn told(command: &str, name: &str, level: i16, dry_run: bool, error: Option<String>) -> String {
    let to = match command {
        "disable" => String::new(),
        _ => format!(" to {level}"),
    };
    match (error, dry_run) {
        (Some(error), false) => format!("Could not {command} {name}{to}. {error}"),
        (Some(error), true) => format!("Can not {command} {name}{to}. {error}"),
        (None, dry_run) => {
            let can = if dry_run { "can be" } else { "was" };
            let done = command.trim_end_matches('e');
            format!("{name} {can} {done}ed{to}.")
        }
    }
}

fn version_mapping(name: Option<&str>) -> Result<(), Failure> {
    let (version, name) = match name {
        Some(name) => (release(name)?, name),
        None => (MetadataVersion::LATEST, MetadataVersion::LATEST.name()),
    };
    output::line(&format!("metadata.version={} ({name})", version.level()));
    for feature in ORDER.into_iter().filter_map(Feature::by_name) {
        let level = feature.default_level(version);
        output::line(&format!("{}={level}", feature.name));
    }
    Ok(())
}

fn dependencies(texts: &[String]) -> Result<(), Failure> {
    for text in texts {
        let (name, level) = name_and_level(text)?;
        if name == METADATA_VERSION {
            let version = MetadataVersion::from_level(level)
                .ok_or_else(|| format!("Unknown metadata.version {level}"))?;
            output::line(&format!("{name}={level} ({version}) has no dependencies."));
            continue;
        }
        let feature = Feature::by_name(name).ok_or_else(|| format!("Unknown feature: {name}"))?;
        if !(0..=feature.max_level).contains(&level) {
            return Err(Failure::Failed(format!(
                "No feature:{name} with feature level {level}"
            )));
        }
        // The lowest release beside which the level is allowed.
        let needs = (MetadataVersion::MINIMUM.level()..=MetadataVersion::LATEST.level())
            .filter_map(MetadataVersion::from_level)
            .find(|version| feature.check(level, *version).is_ok())
            .filter(|version| *version > MetadataVersion::MINIMUM);
        match needs {
            None => output::line(&format!("{name}={level} has no dependencies.")),
            Some(version) => {
                output::line(&format!("{name}={level} requires:"));
                let level = version.level();
                output::line(&format!("    {METADATA_VERSION}={level} ({version})"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_as_kafka_tells_them() {
        let check = |command, dry_run, error: Option<&str>, expected: &str| {
            let error = error.map(str::to_owned);
            assert_eq!(told(command, "a", 2, dry_run, error), expected);
        };
        check("upgrade", false, None, "a was upgraded to 2.");
        check("downgrade", true, None, "a can be downgraded to 2.");
        check("disable", false, None, "a was disabled.");
        check("disable", true, None, "a can be disabled.");
        check(
            "upgrade",
            false,
            Some("No."),
            "Could not upgrade a to 2. No.",
        );
        check("disable", true, Some("No."), "Can not disable a. No.");
    }

    #[test]
    fn a_feature_with_its_level_is_read_or_refused() {
        assert_eq!(name_and_level("a = 3"), Ok(("a", 3)));
        assert_eq!(
            name_and_level("a").expect_err("no level"),
            "Can't parse feature=level string a: equals sign not found."
        );
        assert_eq!(
            name_and_level("a=99999").expect_err("too high"),
            "Can't parse feature=level string a=99999: unable to parse 99999 as a short."
        );
    }
}
