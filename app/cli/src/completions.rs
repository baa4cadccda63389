//! `ottla completions`: what a shell needs to complete this program's commands and their options.
//!
//! Made from the same declarations as the command line and the help pages, tools included.

use std::process::ExitCode;

use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::{Cli, called, output};

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ottla completions bash > ~/.local/share/bash-completion/completions/ottla
  ottla completions zsh > ~/.zfunc/_ottla
  ottla completions fish > ~/.config/fish/completions/ottla.fish")]
pub(crate) struct Args {
    /// The shell: bash, zsh or fish (elvish and powershell too).
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut script = Vec::new();
    generate(args.shell, &mut everything(), "ottla", &mut script);
    output::text(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}

/// The command line with every tool as a command.
fn everything() -> Command {
    let mut all = Cli::command();
    for name in called::names() {
        if all.find_subcommand(name).is_some() {
            continue;
        }
        let tool = ottla_tools::by_name(name);
        // The rest are scripts that take a file.
        let command = tool.map_or_else(|| Command::new(name), |tool| (tool.command)());
        all = all.subcommand(command);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_its_options_can_be_completed() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            generate(shell, &mut everything(), "ottla", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in [
                "server-start",
                "broker-api-versions",
                "bootstrap-server",
                "auto-format",
            ] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
