//! `ottla server start`, and `ottla` alone: runs a node until it is told to stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use ottla_config::BrokerConfig;

use crate::config_file;
use crate::logs::{self, LogArgs};

/// Where a node without a configuration file keeps its data.
const DATA_DIR: &str = "./ottla-data";

/// What to start.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct StartArgs {
    /// Configuration, as Apache Kafka's server.properties; without it the node keeps its data in
    /// ./ottla-data and listens on localhost:9092.
    #[arg(value_name = "SERVER_PROPERTIES")]
    file: Option<PathBuf>,
    /// Set a configuration key, whatever the file says; may be repeated.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Format the directories if they are new, as it is done without a file.
    #[arg(long)]
    auto_format: bool,
    #[command(flatten)]
    logs: LogArgs,
}

/// A node that is ready to be started.
#[derive(Debug)]
struct Start {
    config: BrokerConfig,
    /// Whether new directories are formatted; else the node refuses to start on them.
    auto_format: bool,
}

impl StartArgs {
    fn read(&self) -> Result<Start> {
        let config = match &self.file {
            Some(file) => config_file::load(file, &self.overrides)?,
            None => config_file::without_file(Path::new(DATA_DIR), &self.overrides)?,
        };
        Ok(Start {
            config,
            auto_format: self.auto_format || self.file.is_none(),
        })
    }
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// With the sentence for the user, if the node cannot start or has to stop.
pub(crate) fn run(args: &StartArgs, logs: LogArgs) -> Result<ExitCode> {
    logs::init(LogArgs {
        json_logs: logs.json_logs || args.logs.json_logs,
    })?;
    let start = args.read()?;
    for warning in start.config.warnings() {
        tracing::warn!("{warning}");
    }
    node(start)
}

fn node(start: Start) -> Result<ExitCode> {
    anyhow::bail!("{start:?}")
}
