//! What formatting is to do, decided from the options and the configuration before anything is written.

use ottla_base::NodeId;
use ottla_config::BrokerConfig;
use ottla_env::Rng;
use ottla_protocol::messages::UserScramCredentialRecord;

use super::error::{FormatError, refusal, refuse};
use super::features::{Levels, levels, release};
use super::scram;
use super::voters::{self, InitialVoter};

/// How the first voters of the quorum are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Quorum {
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
pub struct Wishes {
    /// Id of the cluster; Kafka takes any text.
    pub cluster_id: String,
    /// Leave directories that are formatted already as they are; else they are an error.
    pub ignore_formatted: bool,
    /// Release whose levels the cluster gets; the newest if not given.
    pub release_version: Option<String>,
    /// Levels of single features as `name=level`.
    pub features: Vec<String>,
    /// How the first voters are known.
    pub quorum: Quorum,
    /// SCRAM users to begin with, as `SCRAM-SHA-256=[name=alice,password=secret]`.
    pub scram: Vec<String>,
}

/// What to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub(super) node_id: NodeId,
    pub(super) cluster_id: String,
    /// All directories, sorted.
    pub(super) directories: Vec<String>,
    /// The one of them that holds the metadata log.
    pub(super) metadata_directory: String,
    pub(super) levels: Levels,
    /// The voters that the bootstrap snapshot names.
    pub(super) initial_voters: Option<Vec<InitialVoter>>,
    /// The controller writes what a new cluster starts from; a broker gets it from there.
    pub(super) writes_bootstrap_snapshot: bool,
    pub(super) controller_listener: String,
    /// Users that the bootstrap snapshot holds.
    pub(super) scram: Vec<UserScramCredentialRecord>,
    pub(super) ignore_formatted: bool,
}

/// Decides what to write.
///
/// # Errors
/// With Kafka's sentence, if the wishes do not go together or with the configuration.
pub fn plan(config: &BrokerConfig, wishes: &Wishes, rng: &dyn Rng) -> Result<Plan, FormatError> {
    let release = wishes.release_version.as_deref().map(release).transpose()?;
    let fixed_voters = !config.voters.is_empty();
    let initial_voters = match &wishes.quorum {
        Quorum::Standalone | Quorum::InitialControllers(_) if fixed_voters => {
            return refuse(
                "You cannot specify controller.quorum.voters and format the node with \
             --initial-controllers or --standalone. If you want to use dynamic quorum, please remove \
             controller.quorum.voters and specify controller.quorum.bootstrap.servers instead.",
            );
        }
        Quorum::Standalone => Some(vec![standalone(config, rng)?]),
        Quorum::InitialControllers(text) => Some(voters::parse(text)?),
        Quorum::Unspecified if config.roles.controller && !fixed_voters => {
            return refuse(
                "Because controller.quorum.voters is not set on this controller, you must specify one of \
             the following: --standalone, --initial-controllers, or --no-initial-controllers.",
            );
        }
        Quorum::Unspecified | Quorum::NoInitialControllers => None,
    };
    let levels = levels(release, &wishes.features, !fixed_voters)?;
    if !wishes.scram.is_empty() && !levels.metadata_version.supports_scram() {
        return refuse("SCRAM is only supported in metadata.version 3.5-IV2 or later.");
    }
    Ok(Plan {
        scram: scram::records(&wishes.scram, rng)?,
        node_id: config.node_id,
        cluster_id: wishes.cluster_id.clone(),
        directories: directories(config),
        metadata_directory: config.metadata_log_dir().to_owned(),
        levels,
        initial_voters,
        writes_bootstrap_snapshot: config.roles.controller,
        controller_listener: config
            .quorum
            .controller_listener_names
            .first()
            .cloned()
            .ok_or_else(|| refusal("No controller listeners found."))?,
        ignore_formatted: wishes.ignore_formatted,
    })
}

/// The log directories and the metadata directory, sorted.
pub fn directories(config: &BrokerConfig) -> Vec<String> {
    let mut directories = config.log.dirs().to_vec();
    directories.push(config.metadata_log_dir().to_owned());
    directories.sort();
    directories.dedup();
    directories
}

/// This node as the only voter, with a new id for its metadata directory.
fn standalone(config: &BrokerConfig, rng: &dyn Rng) -> Result<InitialVoter, FormatError> {
    if !config.roles.controller {
        return refuse("You can only use --standalone on a controller.");
    }
    let listener = config
        .advertised_controller_listeners
        .first()
        .ok_or_else(|| refusal("No controller listeners found."))?;
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
