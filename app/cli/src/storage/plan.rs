//! What formatting is to do, decided from the options and the configuration before anything is written.

use anyhow::{Result, anyhow, bail};
use ottla_base::NodeId;
use ottla_config::BrokerConfig;
use ottla_env::Rng;

use super::features::{Levels, levels};
use super::release;
use super::voters::{self, InitialVoter};

/// How the first voters of the quorum are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Quorum {
    /// By `controller.quorum.voters`, or this node is only a broker.
    #[default]
    Unspecified,
    /// This node is the only voter.
    Standalone,
    /// Others will let this node in.
    NoInitialControllers,
    /// By this list of `id@host:port:directory`.
    InitialControllers(String),
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Wishes {
    pub(crate) cluster_id: String,
    pub(crate) ignore_formatted: bool,
    pub(crate) release_version: Option<String>,
    pub(crate) features: Vec<String>,
    pub(crate) quorum: Quorum,
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) node_id: NodeId,
    pub(crate) cluster_id: String,
    /// All directories, sorted.
    pub(crate) directories: Vec<String>,
    /// The one of them that holds the metadata log.
    pub(crate) metadata_directory: String,
    pub(crate) levels: Levels,
    /// The voters that the bootstrap snapshot names.
    pub(crate) initial_voters: Option<Vec<InitialVoter>>,
    /// The controller writes what a new cluster starts from; a broker gets it from there.
    pub(crate) writes_bootstrap_snapshot: bool,
    pub(crate) controller_listener: String,
    pub(crate) ignore_formatted: bool,
}

/// Decides what to write.
///
/// # Errors
/// With Kafka's sentence, if the wishes do not go together or with the configuration.
pub(crate) fn plan(config: &BrokerConfig, wishes: &Wishes, rng: &dyn Rng) -> Result<Plan> {
    let release = wishes.release_version.as_deref().map(release).transpose()?;
    let fixed_voters = !config.voters.is_empty();
    let initial_voters = match &wishes.quorum {
        Quorum::Standalone | Quorum::InitialControllers(_) if fixed_voters => bail!(
            "You cannot specify controller.quorum.voters and format the node with \
             --initial-controllers or --standalone. If you want to use dynamic quorum, please remove \
             controller.quorum.voters and specify controller.quorum.bootstrap.servers instead."
        ),
        Quorum::Standalone => Some(vec![standalone(config, rng)?]),
        Quorum::InitialControllers(text) => Some(voters::parse(text)?),
        Quorum::Unspecified if config.roles.controller && !fixed_voters => bail!(
            "Because controller.quorum.voters is not set on this controller, you must specify one of \
             the following: --standalone, --initial-controllers, or --no-initial-controllers."
        ),
        Quorum::Unspecified | Quorum::NoInitialControllers => None,
    };
    Ok(Plan {
        node_id: config.node_id,
        cluster_id: wishes.cluster_id.clone(),
        directories: directories(config),
        metadata_directory: config.metadata_log_dir().to_owned(),
        levels: levels(release, &wishes.features, !fixed_voters)?,
        initial_voters,
        writes_bootstrap_snapshot: config.roles.controller,
        controller_listener: config
            .quorum
            .controller_listener_names
            .first()
            .cloned()
            .ok_or_else(|| anyhow!("No controller listeners found."))?,
        ignore_formatted: wishes.ignore_formatted,
    })
}

/// The log directories and the metadata directory, sorted.
pub(crate) fn directories(config: &BrokerConfig) -> Vec<String> {
    let mut directories = config.log.dirs().to_vec();
    directories.push(config.metadata_log_dir().to_owned());
    directories.sort();
    directories.dedup();
    directories
}

/// This node as the only voter, with a new id for its metadata directory.
fn standalone(config: &BrokerConfig, rng: &dyn Rng) -> Result<InitialVoter> {
    if !config.roles.controller {
        bail!("You can only use --standalone on a controller.");
    }
    let listener = config
        .advertised_controller_listeners
        .first()
        .ok_or_else(|| anyhow!("No controller listeners found."))?;
    Ok(InitialVoter {
        id: config.node_id,
        directory_id: rng.uuid(),
        host: listener
            .host
            .clone()
            .unwrap_or_else(|| "localhost".to_owned()),
        port: listener.port,
    })
}
