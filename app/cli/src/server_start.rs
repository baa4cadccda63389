//! `ottla server start`, and `ottla` alone: runs a node until it is told to stop.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Result;
use ottla_config::BrokerConfig;
use ottla_env::{run_local, spawn_thread};
use ottla_server::start::StartOptions;
use tokio::signal::unix::{SignalKind, signal};

use crate::banner;
use crate::config_file;
use crate::logs::{self, LogArgs};
use crate::output;

/// Where a node without a configuration file keeps its data.
const DATA_DIR: &str = "./ottla-data";

/// A process that a signal ended gives this and the signal's number, as a shell says it.
const SIGNAL_EXIT: i32 = 128;

/// What to start.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct StartArgs {
    /// Configuration, as Apache Kafka's server.properties; without it the node keeps its data in
    /// ./ottla-data and listens on localhost:9092.
    #[arg(value_name = "SERVER_PROPERTIES")]
    pub(crate) file: Option<PathBuf>,
    /// Set a configuration key, whatever the file says; may be repeated.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Format the directories if they are new, as it is done without a file.
    #[arg(long)]
    pub(crate) auto_format: bool,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
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
    let Start {
        config,
        auto_format,
    } = start;
    let signals = Signals::listen()?;
    let shown = config.clone();
    let node = ottla_server::start::start(
        config,
        StartOptions {
            auto_format,
            on_failure: Box::new(|error| {
                output::error_line(&format!("The node has failed and stops now: {error}"));
                std::process::exit(1);
            }),
        },
    )?;
    // Whoever reads that the node is ready may tell it to stop.
    signals.serve();
    for line in banner::lines(&shown, node.listeners(), node.cluster_id()) {
        output::line(&line);
    }
    signals.wait();
    node.stop();
    Ok(ExitCode::SUCCESS)
}

/// SIGINT and SIGTERM: the first one stops a node in good order, any other kills it at once. That is as
/// safe as any crash; the next start takes longer.
struct Signals {
    first: Receiver<()>,
    is_served: Arc<AtomicBool>,
}

impl Signals {
    /// Listens from now on. A node that has not started yet has nothing to stop: a signal kills it.
    fn listen() -> Result<Self> {
        let (tell, first) = sync_channel(1);
        let is_served = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_served);
        spawn_thread("signals", move || {
            let listened = run_local(async move {
                let mut interrupt = signal(SignalKind::interrupt())?;
                let mut terminate = signal(SignalKind::terminate())?;
                loop {
                    let number = tokio::select! {
                        biased;
                        _ = interrupt.recv() => SignalKind::interrupt(),
                        _ = terminate.recv() => SignalKind::terminate(),
                    };
                    if !seen.swap(false, Ordering::AcqRel) || tell.try_send(()).is_err() {
                        std::process::exit(SIGNAL_EXIT + number.as_raw_value());
                    }
                }
            });
            let Err(error) = listened.and_then(|ended: io::Result<Infallible>| ended);
            tracing::error!(%error, "signals cannot be listened to");
        })?;
        Ok(Self { first, is_served })
    }

    /// From now on the first signal is waited for, and kills nothing.
    fn serve(&self) {
        self.is_served.store(true, Ordering::Release);
    }

    /// Waits for the first signal.
    fn wait(self) {
        if self.first.recv().is_err() {
            tracing::error!("signals are not listened to any more");
        }
    }
}
