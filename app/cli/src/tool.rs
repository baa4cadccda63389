//! Kafka's tools under this program's name and under their own.
//!
//! `ottla topics ...` is `kafka-topics ...`; and the program called through a link or a script named
//! `kafka-topics`, `kafka-topics.sh` or `kafka-topics.bat` is that tool.

use std::process::ExitCode;

/// Runs the tool that the command line names; `None` if it names none.
pub(crate) fn run() -> Option<ExitCode> {
    // Names that are not UTF-8 cannot be told to Kafka either.
    let args: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let (program, args) = args.split_first()?;
    if let Some(tool) = ottla_tools::by_name(program) {
        return Some((tool.run)(args));
    }
    let (name, args) = args.split_first()?;
    let tool = ottla_tools::by_name(name)?;
    Some((tool.run)(args))
}
