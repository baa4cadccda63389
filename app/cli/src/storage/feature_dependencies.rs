//! `ottla storage feature-dependencies`.

use anyhow::{Result, anyhow, bail};
use ottla_metadata::MetadataVersion;
use ottla_metadata::features::{Feature, METADATA_VERSION};

use crate::output;

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A feature and its level, such as metadata.version=5; may be repeated.
    #[arg(short, long, required = true)]
    feature: Vec<String>,
}

/// Prints what each feature needs.
///
/// # Errors
/// If a feature or level is not known.
pub(crate) fn run(args: &Args) -> Result<()> {
    for text in &args.feature {
        let Some((name, level)) = text.split_once('=') else {
            bail!(
                "Invalid feature format: {text}. Expected format: 'feature=version' (e.g. \
                 'group.version=1')"
            );
        };
        let (name, level) = (name.trim(), level.trim());
        let level: i16 = level
            .parse()
            .map_err(|_| anyhow!("Invalid version format: {level} for feature {name}"))?;
        for line in describe(name, level)? {
            output::line(&line);
        }
    }
    Ok(())
}

fn describe(name: &str, level: i16) -> Result<Vec<String>> {
    if name == METADATA_VERSION {
        let version = MetadataVersion::from_level(level)
            .ok_or_else(|| anyhow!("Unknown metadata.version {level}"))?;
        return Ok(vec![format!(
            "{name}={level} ({version}) has no dependencies."
        )]);
    }
    let feature = Feature::by_name(name).ok_or_else(|| anyhow!("Unknown feature: {name}"))?;
    if !(0..=feature.max_level).contains(&level) {
        bail!("Feature level {level} is not supported for feature {name}");
    }
    // The lowest release beside which the level is allowed.
    let needs = (MetadataVersion::MINIMUM.level()..=MetadataVersion::LATEST.level())
        .filter_map(MetadataVersion::from_level)
        .find(|version| feature.check(level, *version).is_ok())
        .filter(|version| *version > MetadataVersion::MINIMUM);
    Ok(match needs {
        None => vec![format!("{name}={level} has no dependencies.")],
        Some(version) => vec![
            format!("{name}={level} requires:"),
            format!("    {METADATA_VERSION}={} ({version})", version.level()),
        ],
    })
}
