//! `ottla storage info`.

use std::path::PathBuf;

use anyhow::Result;
use ottla_config::{META_PROPERTIES_FILE, MetaProperties};
use ottla_disk::OsDisk;
use ottla_env::Disk;
use ottla_storage::format::{Directory, directories, look};

use crate::{config_file, output};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration of the node.
    #[arg(short, long)]
    config: PathBuf,
}

/// Prints what the directories of a node are; returns whether all is well with them.
///
/// # Errors
/// If the configuration cannot be read.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let config = config_file::load_as_kafka(&args.config)?;
    let (lines, well) = report(&OsDisk, &directories(&config));
    for line in lines {
        output::line(&line);
    }
    Ok(well)
}

fn report(disk: &dyn Disk, paths: &[String]) -> (Vec<String>, bool) {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut first: Option<MetaProperties> = None;
    for path in paths {
        let directory = look(disk, path);
        match directory {
            Directory::Absent => problems.push(format!("{path} does not exist")),
            Directory::File => problems.push(format!("{path} is not a directory")),
            Directory::New | Directory::Formatted(_) | Directory::Broken(_) => {
                found.push(path.clone());
            }
        }
        match (directory, &first) {
            (Directory::New, _) => problems.push(format!("{path} is not formatted.")),
            (Directory::Broken(reason), _) => {
                problems.push(format!(
                    "Error loading {path}/{META_PROPERTIES_FILE}: {reason}"
                ));
            }
            (Directory::Formatted(meta), None) => first = Some(meta),
            (Directory::Formatted(meta), Some(first)) if meta.cluster_id != first.cluster_id => {
                problems.push("Mismatched cluster IDs between storage directories.".to_owned());
            }
            (Directory::Formatted(meta), Some(first)) if meta.node_id != first.node_id => {
                problems.push("Mismatched node IDs between storage directories.".to_owned());
            }
            _ => {}
        }
    }
    if first.as_ref().is_some_and(|meta| meta.version == 0) {
        problems.push(
            "The kafka configuration file appears to be for a cluster in KRaft mode, but the \
             directories are formatted for legacy mode."
                .to_owned(),
        );
    }
    let mut lines = Vec::new();
    section(
        &mut lines,
        "Found log directory:",
        "Found log directories:",
        &found,
    );
    if let Some(meta) = first {
        let pairs: Vec<String> = meta
            .to_properties()
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        lines.push(format!("Found metadata: {{{}}}", pairs.join(", ")));
        lines.push(String::new());
    }
    section(&mut lines, "Found problem:", "Found problems:", &problems);
    (lines, problems.is_empty())
}

fn section(lines: &mut Vec<String>, one: &str, many: &str, entries: &[String]) {
    if !entries.is_empty() {
        lines.push(if entries.len() == 1 { one } else { many }.to_owned());
        lines.extend(entries.iter().map(|entry| format!("  {entry}")));
        lines.push(String::new());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn directories_that_do_not_belong_together_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<String> = ["a", "b", "c", "d"]
            .iter()
            .map(|name| folder.path().join(name).display().to_string())
            .collect();
        let texts = [
            "version=1\ncluster.id=x\nnode.id=1\n",
            "version=1\ncluster.id=y\nnode.id=1\n",
            "version=1\ncluster.id=x\nnode.id=2\n",
            "version=7\n",
        ];
        for (path, text) in paths.iter().zip(texts) {
            fs::create_dir(path).unwrap();
            fs::write(format!("{path}/meta.properties"), text).unwrap();
        }
        let (lines, well) = report(&OsDisk, &paths);
        assert!(!well);
        let text = lines.join("\n");
        assert!(text.contains(
            "Found problems:\n  Mismatched cluster IDs between storage directories.\n  \
             Mismatched node IDs between storage directories.\n  Error loading "
        ));
        assert!(
            text.contains("Unknown meta.properties version number 7"),
            "{text}"
        );
    }
}
