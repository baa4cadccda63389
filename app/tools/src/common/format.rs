//! `--output json`, which every tool that lists or describes has beyond Kafka's own text.

use clap::{Arg, ArgAction};
use serde_json::Value;

use super::jopt::{OptionError, Options};
use super::output;

/// Name of the option.
pub(crate) const OUTPUT: &str = "output";

/// How a tool prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As Kafka's tool prints it.
    Text,
    /// One JSON document.
    Json,
}

/// The option `--output`.
pub(crate) fn option() -> Arg {
    Arg::new(OUTPUT)
        .long(OUTPUT)
        .value_name("text|json")
        .help("How to print: text as Kafka's tool, or json.")
        .action(ArgAction::Append)
}

/// What the option says.
///
/// # Errors
/// One sentence for a value that is neither.
pub(crate) fn of(value: Option<&str>) -> Result<Format, String> {
    match value {
        None | Some("text") => Ok(Format::Text),
        Some("json") => Ok(Format::Json),
        Some(other) => Err(format!(
            "{other} is not a way to print: --output is text or json"
        )),
    }
}

/// Whether a command line with joptsimple's grammar asks for JSON.
///
/// # Errors
/// As [`of`].
pub(crate) fn is_json(options: &Options) -> Result<bool, OptionError> {
    of(options.value(OUTPUT)?)
        .map(|format| format == Format::Json)
        .map_err(OptionError)
}

/// Prints a JSON document, indented, with an end of line.
pub(crate) fn json(value: &Value) {
    output::line(&format!("{value:#}"));
}
