//! The `ottla` program: starts a node and does what Apache Kafka's tools do.
//!
//! One file per command; each gives back an exit code or an error, which is printed here and nowhere
//! else. What a node does is in `ottla-server`.

mod banner;
mod called;
mod completions;
mod config_file;
mod daemon;
mod help;
mod install_tools;
mod kafka_main;
mod logs;
mod output;
mod processes;
mod run_class;
mod server_start;
mod server_stop;
mod storage;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use called::Script;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// Apache Kafka in one program.
#[derive(Debug, Parser)]
#[command(
    name = "ottla",
    version = concat!(env!("CARGO_PKG_VERSION"), " (speaks Apache Kafka 4.4)"),
    override_help = help::page(),
)]
struct Cli {
    #[command(flatten)]
    logs: logs::LogArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node, or stop those that run.
    #[command(subcommand)]
    Server(ServerCommand),
    /// Prepare and inspect the directories of a node, as kafka-storage does.
    #[command(subcommand)]
    Storage(storage::StorageCommand),
    /// Lay out Kafka's scripts and configuration files in a directory.
    InstallTools(install_tools::Args),
    /// Print what a shell needs to complete commands and options.
    Completions(completions::Args),
}

#[derive(Debug, Subcommand)]
enum ServerCommand {
    /// Start a node and run it until it is told to stop (Ctrl-C, SIGTERM).
    Start(server_start::StartArgs),
}

fn main() -> ExitCode {
    daemon::detach_if_asked();
    let args: Vec<OsString> = std::env::args_os().collect();
    let result = match (called::help_of(&args), called::script(&args)) {
        (Some(script), _) => help(script),
        (None, Some((script, args))) => run_script(script, args),
        (None, None) => run_command(args.clone()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            output::error_line(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// `ottla help NAME`. Kafka's tools end with 1 after a page of help; who asks this program gets 0.
fn help(script: Script) -> Result<ExitCode> {
    run_script(script, &[OsString::from("--help")])?;
    Ok(ExitCode::SUCCESS)
}

/// Does what one of Kafka's scripts does.
fn run_script(script: Script, args: &[OsString]) -> Result<ExitCode> {
    match script {
        Script::ServerStart => kafka_main::run(args),
        Script::ServerStop => Ok(server_stop::run(args)),
        Script::Storage => {
            let command = ["ottla", "storage"].into_iter().map(OsString::from);
            run_command(command.chain(args.iter().cloned()).collect())
        }
        Script::RunClass => match run_class::find(args) {
            Ok(call) => run_script(call.script, call.args),
            Err(code) => Ok(code),
        },
        Script::Tool(tool) => {
            // Names that are not UTF-8 cannot be told to Kafka either.
            let args: Vec<String> = args
                .iter()
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect();
            Ok((tool.run)(&args))
        }
    }
}

/// Does what this program's own command line says.
fn run_command(args: Vec<OsString>) -> Result<ExitCode> {
    let args = storage::expand_files(args.into_iter())?;
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return Ok(usage(&error)),
    };
    match cli.command {
        None => server_start::run(&server_start::StartArgs::default(), cli.logs),
        Some(Command::Server(ServerCommand::Start(args))) => server_start::run(&args, cli.logs),
        Some(Command::Storage(command)) => storage::run(command),
        Some(Command::InstallTools(args)) => install_tools::run(&args),
        Some(Command::Completions(args)) => Ok(completions::run(&args)),
    }
}

/// Prints help to standard output and what is wrong to standard error; an error gives 1, as Kafka's
/// tools do.
fn usage(error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        output::error_line(error.render().to_string().trim_end());
        ExitCode::FAILURE
    } else if error.use_stderr() {
        output::error_line(&help::sentence(error));
        ExitCode::FAILURE
    } else {
        output::styled(&error.render());
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
