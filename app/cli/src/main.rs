//! The `ottla` program: starts a node and does what Apache Kafka's tools do.
//!
//! One file per command; each gives back an exit code or an error, which is printed here and nowhere
//! else. What a node does is in `ottla-server`.

mod banner;
mod config_file;
mod logs;
mod output;
mod server_start;
mod storage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An Apache Kafka compatible event-streaming platform in one program.
///
/// Without a command it starts a node: broker and controller in one, on localhost:9092, with its data in
/// ./ottla-data.
#[derive(Debug, Parser)]
#[command(
    name = "ottla",
    version = concat!(env!("CARGO_PKG_VERSION"), " (speaks Apache Kafka 4.4)"),
    after_help = "\
Examples:
  ottla                                        start a node with its data in ./ottla-data
  ottla server start server.properties         start a node as the file says
  ottla storage random-uuid                    make a cluster id
  ottla storage format --standalone -t ID -c server.properties
                                               prepare the directories of a node

OTTLA_LOG chooses what is logged, such as OTTLA_LOG=debug or OTTLA_LOG=warn,ottla_server=trace."
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
    #[command(subcommand, arg_required_else_help = true)]
    Storage(storage::StorageCommand),
}

#[derive(Debug, Subcommand)]
enum ServerCommand {
    /// Start a node and run it until it is told to stop (Ctrl-C, SIGTERM).
    Start(server_start::StartArgs),
}

fn main() -> ExitCode {
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

/// Prints help to standard output and errors to standard error; an error gives 1, as Kafka's tools do.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if error.use_stderr() {
        output::error_styled(&text);
        ExitCode::FAILURE
    } else {
        output::styled(&text);
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
