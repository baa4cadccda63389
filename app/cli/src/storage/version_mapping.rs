//! `ottla storage version-mapping`.

use anyhow::Result;
use ottla_metadata::MetadataVersion;
use ottla_metadata::features::{self, Feature};
use ottla_storage::format::release;

use crate::output;

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release to look up, such as 3.9 or 4.0-IV3; the newest if not given.
    #[arg(short, long)]
    release_version: Option<String>,
}

/// The features in the order in which Kafka prints them.
const ORDER: [&str; 6] = [
    features::KRAFT_VERSION,
    features::TRANSACTION_VERSION,
    features::GROUP_VERSION,
    features::ELIGIBLE_LEADER_REPLICAS_VERSION,
    features::SHARE_VERSION,
    features::STREAMS_VERSION,
];

/// Prints the level that each feature gets on a new cluster.
///
/// # Errors
/// If there is no such release.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (version, name) = match &args.release_version {
        Some(text) => (release(text)?, text.as_str()),
        None => (MetadataVersion::LATEST, MetadataVersion::LATEST.name()),
    };
    output::line(&format!("metadata.version={} ({name})", version.level()));
    for feature in ORDER.into_iter().filter_map(Feature::by_name) {
        output::line(&format!(
            "{}={}",
            feature.name,
            feature.default_level(version)
        ));
    }
    Ok(())
}
