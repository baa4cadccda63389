//! `kafka-metadata-shell`: walks through a snapshot of the metadata as through directories.

mod commands;
mod image;
mod prompt;
mod tree;

use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, Command};

use self::commands::State;
use crate::common::output;

/// The options.
pub(crate) fn command() -> Command {
    Command::new("metadata-shell")
        .about("Look around in a snapshot of the metadata")
        .arg(
            Arg::new("snapshot")
                .short('s')
                .long("snapshot")
                .value_name("SNAPSHOT")
                .help("The metadata snapshot file to read."),
        )
        .arg(
            Arg::new("command")
                .num_args(0..)
                .help("The command to run: cat, find, ls or tree; without one, a prompt."),
        )
        .after_help(EXAMPLES)
}

const USAGE: &str = "usage: kafka-metadata-shell [-h] --snapshot SNAPSHOT
                            [command [command ...]]";

const HELP: &str = "
The Apache Kafka metadata shell

positional arguments:
  command                The command to run.

optional arguments:
  -h, --help             show this help message and exit
  --snapshot SNAPSHOT, -s SNAPSHOT
                         The metadata snapshot file to read.
";

const EXAMPLES: &str = "Examples:
  ottla metadata-shell -s data/__cluster_metadata-0/NNN-NNN.checkpoint
  ottla metadata-shell -s FILE tree image/topics/byName
  ottla metadata-shell -s FILE cat 'image/cluster/brokers/*'";

/// A command line, read.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Help,
    Run {
        snapshot: String,
        command: Vec<String>,
    },
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let code = match read(args) {
        Ok(Asked::Help) => {
            output::line(USAGE);
            output::line(HELP);
            output::line(EXAMPLES);
            // As Kafka's shell, whose parser counts help as no command line.
            ExitCode::FAILURE
        }
        Ok(Asked::Run { snapshot, command }) => look(&snapshot, &command),
        Err(reason) => {
            output::error_line(USAGE);
            output::error_line(&format!("kafka-metadata-shell: error: {reason}"));
            ExitCode::FAILURE
        }
    };
    output::flush();
    code
}

/// Reads the command line, whose options may stand anywhere.
fn read(args: &[String]) -> Result<Asked, String> {
    let mut snapshot = None;
    let mut command = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let value = match arg.as_str() {
            "-h" | "--help" => return Ok(Asked::Help),
            "--" => {
                command.extend(args.by_ref().cloned());
                continue;
            }
            "-s" | "--snapshot" => args.next().cloned(),
            other => match other
                .strip_prefix("--snapshot=")
                .or_else(|| other.strip_prefix("-s"))
            {
                Some(value) => Some(value.to_owned()),
                None if is_option(other) => {
                    return Err(format!("unrecognized arguments: '{other}'"));
                }
                None => {
                    command.push(other.to_owned());
                    continue;
                }
            },
        };
        let value = value.ok_or("argument --snapshot/-s: expected one argument")?;
        snapshot = Some(value);
    }
    match snapshot {
        Some(snapshot) => Ok(Asked::Run { snapshot, command }),
        None => Err("argument --snapshot/-s is required".to_owned()),
    }
}

/// Whether an argument is an option; a negative number is none.
fn is_option(arg: &str) -> bool {
    arg.len() > 1 && arg.starts_with('-') && arg.parse::<f64>().is_err()
}

fn look(snapshot: &str, command: &[String]) -> ExitCode {
    let is_interactive = command.is_empty();
    if is_interactive {
        output::line("Loading...");
    }
    let loaded = match image::load(Path::new(snapshot)) {
        Ok(loaded) => loaded,
        Err(error) => {
            let text = error.to_string();
            let text = text
                .strip_prefix("Exception in thread \"main\" ")
                .unwrap_or(&text);
            output::error_line(&format!("Unexpected error: {text}"));
            return ExitCode::FAILURE;
        }
    };
    let root = image::tree(&loaded);
    if is_interactive {
        output::line("Starting...");
        output::line("[ Kafka Metadata Shell ]");
        prompt::converse(root);
    } else {
        State::new(root, false, None).run(command, &mut output::line);
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_read_as_by_argparse() {
        let check = |line: &str, expected: Result<(&str, &[&str]), &str>| {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let expected = expected
                .map(|(snapshot, command)| Asked::Run {
                    snapshot: snapshot.to_owned(),
                    command: command.iter().map(|word| (*word).to_owned()).collect(),
                })
                .map_err(str::to_owned);
            assert_eq!(read(&args), expected, "{line}");
        };
        check("-s f", Ok(("f", &[])));
        check("ls --snapshot=f x", Ok(("f", &["ls", "x"])));
        check("-sf ls -1", Ok(("f", &["ls", "-1"])));
        check("-s f -- ls -l", Ok(("f", &["ls", "-l"])));
        check("", Err("argument --snapshot/-s is required"));
        check("-s", Err("argument --snapshot/-s: expected one argument"));
        check("--nonsense", Err("unrecognized arguments: '--nonsense'"));
        assert_eq!(read(&["-h".to_owned()]), Ok(Asked::Help));
    }
}
