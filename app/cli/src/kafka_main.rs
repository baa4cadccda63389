//! `kafka-server-start`: runs a node with the command line of Kafka's script.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::daemon::{self, Launch};
use crate::logs::LogArgs;
use crate::server_start::{self, StartArgs};
use crate::{called, output};

/// Name of the process, and so of its file.
const NAME: &str = "kafkaServer";

/// What a command line asks for.
#[derive(Debug)]
enum Asked {
    /// Run a node.
    Run(StartArgs),
    /// Print the version.
    Version,
    /// Print how it is called.
    Usage,
    /// There is something behind the file that is no option.
    Rest(Vec<String>),
    /// An option that there is not, or that lacks its value.
    Wrong(String),
}

/// Runs a node as `kafka-server-start` does.
///
/// # Errors
/// With the sentence for the user, if the node cannot start or has to stop.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    if args.first().is_some_and(|first| first == "-daemon") {
        let args = std::iter::once(OsString::from("server-start"))
            .chain(args.iter().skip(1).cloned())
            .collect();
        return Ok(daemon::start(&Launch { name: NAME, args }));
    }
    match read(args) {
        Asked::Run(args) => server_start::run(&args, LogArgs::default()),
        Asked::Version => {
            output::line(ottla_tools::VERSION);
            Ok(ExitCode::SUCCESS)
        }
        Asked::Usage => {
            let usage = format!(
                "USAGE: {} [-daemon] server.properties [--override property=value]*",
                called::called_as("server-start")
            );
            if args.is_empty() {
                output::line(&usage);
            } else {
                output::error_line(&format!("{usage}\n{OPTIONS}"));
            }
            Ok(ExitCode::FAILURE)
        }
        Asked::Rest(rest) => {
            output::error_line(&format!(
                "Found non argument parameters: {}",
                rest.join(",")
            ));
            Ok(ExitCode::FAILURE)
        }
        Asked::Wrong(sentence) => {
            output::error_line(&sentence);
            Ok(ExitCode::FAILURE)
        }
    }
}

const OPTIONS: &str = "
Options
  --override KEY=VALUE  set a key, whatever the file says; may be repeated
  --version             print the version
  --auto-format         format directories that are new (Ottla's own)
  --json-logs           log JSON, one object a line (Ottla's own)

Examples
  kafka-server-start.sh config/kraft/server.properties
  kafka-server-start.sh -daemon config/kraft/server.properties --override num.partitions=3";

/// The arguments of a process that runs a node, if the command line is one of them.
pub(crate) fn node_args(args: &[OsString]) -> Option<StartArgs> {
    match read(args) {
        Asked::Run(args) => Some(args),
        _ => None,
    }
}

fn read(args: &[OsString]) -> Asked {
    let Some((file, options)) = args.split_first() else {
        return Asked::Usage;
    };
    if args.iter().any(|arg| arg == "--help") {
        return Asked::Usage;
    }
    if args.iter().any(|arg| arg == "--version") {
        return Asked::Version;
    }
    let mut start = StartArgs {
        file: Some(PathBuf::from(file)),
        ..StartArgs::default()
    };
    let mut rest = Vec::new();
    let mut options = options.iter().map(|arg| arg.to_string_lossy().into_owned());
    while let Some(arg) = options.next() {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        match name
            .strip_prefix('-')
            .map(|name| name.trim_start_matches('-'))
        {
            None => rest.push(arg),
            Some("override") => match value.or_else(|| options.next()) {
                // Kafka takes a key alone as a key with an empty value.
                Some(pair) if pair.contains('=') => start.overrides.push(pair),
                Some(key) => start.overrides.push(format!("{key}=")),
                None => return Asked::Wrong("Option override requires an argument".to_owned()),
            },
            Some("auto-format") => start.auto_format = true,
            Some("json-logs") => start.logs.json_logs = true,
            Some(other) => return Asked::Wrong(format!("{other} is not a recognized option")),
        }
    }
    if rest.is_empty() {
        Asked::Run(start)
    } else {
        Asked::Rest(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> String {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        match read(&args) {
            Asked::Run(args) => format!(
                "run {} {:?}",
                args.file.unwrap_or_default().display(),
                args.overrides
            ),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_file_comes_first_and_overrides_behind_it() {
        for (line, expected) in [
            ("", "Usage"),
            ("--help", "Usage"),
            ("f --version", "Version"),
            ("f", "run f []"),
            (
                "f --override a=b --override=c=d=e",
                r#"run f ["a=b", "c=d=e"]"#,
            ),
            ("f --override a", r#"run f ["a="]"#),
            (
                "f --override",
                r#"Wrong("Option override requires an argument")"#,
            ),
            (
                "f --nonsense",
                r#"Wrong("nonsense is not a recognized option")"#,
            ),
            ("f a --override k=v b", r#"Rest(["a", "b"])"#),
        ] {
            assert_eq!(asked(line), expected, "{line}");
        }
    }
}
