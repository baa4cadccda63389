//! `ottla storage`: what `kafka-storage` does, with its options, output and exit codes.

mod feature_dependencies;
mod format;
mod info;
mod random_uuid;
mod version_mapping;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum StorageCommand {
    /// Prepare the directories of a node before its first start.
    Format(format::Args),
    /// Show what the directories of a node are.
    Info(info::Args),
    /// Look up the levels that a new cluster of a release gets.
    VersionMapping(version_mapping::Args),
    /// Look up what a level of a feature needs.
    FeatureDependencies(feature_dependencies::Args),
    /// Print a random id, such as a cluster needs.
    RandomUuid,
}

/// Carries a command out.
///
/// # Errors
/// With the sentence for the user; the exit code is then 1.
pub(crate) fn run(command: StorageCommand) -> Result<ExitCode> {
    match command {
        StorageCommand::Format(args) => format::run(args)?,
        StorageCommand::Info(args) if info::run(&args)? => {}
        StorageCommand::Info(_) => return Ok(ExitCode::FAILURE),
        StorageCommand::VersionMapping(args) => version_mapping::run(&args)?,
        StorageCommand::FeatureDependencies(args) => feature_dependencies::run(&args)?,
        StorageCommand::RandomUuid => random_uuid::run(),
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts the lines of FILE in place of each argument `@FILE` of `ottla storage`, as `kafka-storage` does.
///
/// # Errors
/// If a file cannot be read.
pub(crate) fn expand_files(args: impl Iterator<Item = OsString>) -> Result<Vec<OsString>> {
    let mut expanded: Vec<OsString> = Vec::new();
    for arg in args {
        let is_storage = expanded.get(1).is_some_and(|command| command == "storage");
        match arg
            .to_str()
            .and_then(|text| text.strip_prefix('@'))
            .filter(|_| is_storage)
        {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("the arguments in {file} cannot be read"))?;
                expanded.extend(text.lines().map(OsString::from));
            }
            None => expanded.push(arg),
        }
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_can_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "-t\nabc def\n").unwrap();
        let at = format!("@{}", file.path().display());
        let expand = |args: &[&str]| {
            let args = expand_files(args.iter().map(OsString::from)).unwrap();
            args.into_iter()
                .map(|arg| arg.into_string().unwrap())
                .collect::<Vec<_>>()
        };
        let expected = ["ottla", "storage", "format", "-t", "abc def", "-s"];
        assert_eq!(expand(&["ottla", "storage", "format", &at, "-s"]), expected);
        assert_eq!(expand(&["ottla", "server", &at]), ["ottla", "server", &at]);
        assert!(
            expand_files(["ottla", "storage", "@/no/such"].iter().map(OsString::from)).is_err()
        );
    }
}
