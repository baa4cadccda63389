//! What every tool with joptsimple's grammar does around its work: help, version, a command line that
//! is wrong, a cluster that refuses.

use std::process::ExitCode;

use clap::Command;
use ottla_client::ClientError;

use super::jopt::{self, OptionError, Options, flag};
use super::output;

/// Version of Apache Kafka whose tools these are, as `--version` prints it.
pub const VERSION: &str = concat!("4.4.0 (ottla ", env!("CARGO_PKG_VERSION"), ")");

/// Why a tool did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong. Kafka prints its whole table of options behind the sentence.
    Usage(String),
    /// The work failed; the text is what Kafka's tool prints.
    Failed(String),
}

impl From<OptionError> for Failure {
    fn from(error: OptionError) -> Self {
        Self::Usage(error.0)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

/// Adds `--help` and `--version`, which every tool has.
pub(crate) fn common_options(command: Command) -> Command {
    command
        .disable_help_flag(true)
        .arg(flag("help", "Print this page."))
        .arg(flag(
            "version",
            "Print the version of Apache Kafka that this tool does as.",
        ))
}

/// Runs a tool: reads its options, answers `--help` and `--version`, does the work, says what failed.
///
/// Kafka's tools end with 1 after `--help`, and so does this.
pub(crate) fn run(
    command: Command,
    about: &'static str,
    args: &[String],
    work: impl FnOnce(&Options) -> Result<ExitCode, Failure>,
) -> ExitCode {
    run_saying(command, about, args, "", work)
}

/// As [`run`], for tools that put words before what is wrong with the command line.
pub(crate) fn run_saying(
    command: Command,
    about: &'static str,
    args: &[String],
    words: &str,
    work: impl FnOnce(&Options) -> Result<ExitCode, Failure>,
) -> ExitCode {
    let name = format!("ottla {}", command.get_name());
    let mut command = common_options(command).bin_name(name).about(about);
    let options = match jopt::parse(&command, args) {
        Ok(options) => options,
        Err(error) => return fail(&command, Failure::Usage(format!("{words}{error}"))),
    };
    if args.is_empty() || options.has("help") {
        output::help(&mut command);
        output::flush();
        return ExitCode::FAILURE;
    }
    if options.has("version") {
        output::line(VERSION);
        output::flush();
        return ExitCode::SUCCESS;
    }
    let code = work(&options).unwrap_or_else(|failure| fail(&command, failure));
    output::flush();
    code
}

/// Says what is wrong. Kafka differs: it prints all options behind the sentence, and the trace of the
/// exception for some; here the sentence stands alone and names the page of help.
pub(crate) fn fail(command: &Command, failure: Failure) -> ExitCode {
    match failure {
        Failure::Usage(sentence) => {
            output::error_line(&sentence);
            output::error_line(&format!("See 'ottla {} --help'.", command.get_name()));
        }
        Failure::Failed(text) => output::error_line(&text),
    }
    ExitCode::FAILURE
}
