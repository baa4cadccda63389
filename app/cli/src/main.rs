//! The `ottla` program: starts a node and does what Apache Kafka's tools do.
//!
//! One file per command; each gives back an exit code or an error, which is printed here and nowhere
//! else. What a node does is in `ottla-server`.

mod banner;
mod config_file;
mod help;
mod logs;
mod output;
mod server_start;
mod storage;
mod tool;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// Apache Kafka in one program.
#[derive(Debug, Parser)]
#[command(
    name = "ottla",
    version = concat!(env!("CARGO_PKG_VERSION"), " (speaks Apache Kafka 4.4)"),
    override_help = help::PAGE,
)]
struct Cli {
    #[command(flatten)]
    logs: logs::LogArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node.
    #[command(subcommand)]
    Server(ServerCommand),
    /// Prepare and inspect the directories of a node, as kafka-storage does.
    #[command(subcommand)]
    Storage(storage::StorageCommand),
}

#[derive(Debug, Subcommand)]
enum ServerCommand {
    /// Start a node and run it until it is told to stop (Ctrl-C, SIGTERM).
    Start(server_start::StartArgs),
}

fn main() -> ExitCode {
    if let Some(code) = tool::run() {
        return code;
    }
    let args = match storage::expand_files(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            output::error_line(&format!("{error:#}"));
            return ExitCode::FAILURE;
        }
    };
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let result = match cli.command {
        None => server_start::run(&server_start::StartArgs::default(), cli.logs),
        Some(Command::Server(ServerCommand::Start(args))) => server_start::run(&args, cli.logs),
        Some(Command::Storage(command)) => storage::run(command),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            output::error_line(&format!("{error:#}"));
            ExitCode::FAILURE
        }
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
