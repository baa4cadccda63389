//! `ottla storage format`.

use std::path::PathBuf;

use anyhow::Result;
use ottla_disk::OsDisk;
use ottla_env::{OsRng, SystemClock};
use ottla_storage::format::{Quorum, Wishes, World, carry_out, plan};

use crate::{config_file, output};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration of the node.
    #[arg(short, long)]
    config: PathBuf,
    /// Id of the cluster, such as random-uuid makes.
    #[arg(short = 't', long)]
    cluster_id: String,
    /// Leave directories that are formatted already as they are.
    #[arg(short = 'g', long)]
    ignore_formatted: bool,
    /// Release whose features the cluster starts with, such as 4.0; the newest if not given.
    #[arg(short, long)]
    release_version: Option<String>,
    /// Level of a feature, such as group.version=1; may be repeated.
    #[arg(short, long, value_name = "NAME=LEVEL")]
    feature: Vec<String>,
    #[command(flatten)]
    quorum: QuorumArgs,
    /// A SCRAM user to begin with, as SCRAM-SHA-256=[name=alice,password=secret]; may be repeated. The node
    /// keeps it, and serves SCRAM in a later release.
    #[arg(short = 'S', long)]
    add_scram: Vec<String>,
}

/// How the first voters are known, where `controller.quorum.voters` does not name them.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct QuorumArgs {
    /// This node is the only voter.
    #[arg(short, long)]
    standalone: bool,
    /// This node joins a quorum that is there, or comes to be elsewhere.
    #[arg(short = 'N', long)]
    no_initial_controllers: bool,
    /// The first voters, the same on every node.
    #[arg(short = 'I', long, value_name = "ID@HOST:PORT:DIRECTORY,...")]
    initial_controllers: Option<String>,
}

/// Formats the directories of a node.
///
/// # Errors
/// With the sentence for the user.
pub(crate) fn run(args: Args) -> Result<()> {
    let config = config_file::load_as_kafka(&args.config)?;
    let quorum = match args.quorum {
        QuorumArgs {
            initial_controllers: Some(voters),
            ..
        } => Quorum::InitialControllers(voters),
        QuorumArgs {
            standalone: true, ..
        } => Quorum::Standalone,
        QuorumArgs {
            no_initial_controllers: true,
            ..
        } => Quorum::NoInitialControllers,
        _ => Quorum::Unspecified,
    };
    let wishes = Wishes {
        cluster_id: args.cluster_id,
        ignore_formatted: args.ignore_formatted,
        release_version: args.release_version,
        features: args.feature,
        quorum,
        scram: args.add_scram,
    };
    let world = World {
        disk: &OsDisk,
        clock: &SystemClock::new(),
        rng: &OsRng,
    };
    carry_out(world, &plan(&config, &wishes, &OsRng)?, &mut output::line)?;
    Ok(())
}
