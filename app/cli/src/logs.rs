//! What is logged, where and how: lines for people, or JSON for machines, on standard error.

use std::io::{IsTerminal as _, stderr};

use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;

/// Environment variable that chooses what is logged, in the notation of `RUST_LOG`.
const FILTER_VARIABLE: &str = "OTTLA_LOG";

/// How to log.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct LogArgs {
    /// Log JSON, one object a line.
    #[arg(long)]
    pub(crate) json_logs: bool,
}

/// Sets logging up for the whole process.
///
/// # Errors
/// If the filter cannot be read, or logging is set up already.
pub(crate) fn init(args: LogArgs) -> Result<()> {
    let filter = match std::env::var(FILTER_VARIABLE) {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text)
            .with_context(|| format!("{FILTER_VARIABLE}={text} cannot be read"))?,
        _ => EnvFilter::new("info"),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr);
    let result = if args.json_logs {
        builder.json().flatten_event(true).try_init()
    } else {
        let colours = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        builder
            .compact()
            .with_ansi(colours)
            .with_target(false)
            .try_init()
    };
    result.map_err(|error| anyhow::anyhow!("logging cannot be set up: {error}"))
}
