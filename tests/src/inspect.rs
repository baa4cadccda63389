//! What Apache Kafka's tools beside `kafka-dump-log` find wrong with a directory: `kafka-storage info`, which reads what
//! identifies it, and `kafka-metadata-shell`, which builds the metadata from the log or a snapshot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use ottla_oracle::{Jars, Member};

/// Runs both tools over the directory of `member`; returns their complaints.
///
/// # Errors
/// If a tool cannot be run at all.
pub fn faults(jars: &Jars, member: &Member) -> Result<Vec<String>> {
    let mut found = storage_info(jars, member)?;
    for file in metadata_files(&member.data_dir())? {
        found.extend(metadata_shell(jars, &file)?);
    }
    Ok(found)
}

/// The log of the metadata and every snapshot of it.
fn metadata_files(data: &Path) -> Result<Vec<PathBuf>> {
    let dir = data.join("__cluster_metadata-0");
    let mut files = Vec::new();
    for file in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
        let path = file?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("log" | "checkpoint")) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("{}: no metadata", dir.display());
    }
    Ok(files)
}

/// Both streams of a tool, and whether it succeeded.
fn said(command: &mut Command) -> Result<(String, bool)> {
    let output = command.output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((text, output.status.success()))
}

fn storage_info(jars: &Jars, member: &Member) -> Result<Vec<String>> {
    let (text, success) = said(
        jars.tool("storage")
            .args(["info", "-c"])
            .arg(member.config()),
    )?;
    let id = format!("node.id={}", member.id);
    let good = success
        && text.contains("Found log directory:")
        && text.contains(&id)
        && !text.contains("problem");
    Ok(if good {
        Vec::new()
    } else {
        vec![format!("kafka-storage info: {text}")]
    })
}

/// The shell shows of a log no more than that it is one, even of Apache Kafka's own; of a snapshot all that is in it.
fn metadata_shell(jars: &Jars, file: &Path) -> Result<Option<String>> {
    let mut command = jars.tool("metadata-shell");
    command.arg("--snapshot").arg(file).args(["find", "/image"]);
    let (tree, success) = said(&mut command)?;
    let good = success && tree.contains("/image/topics/byName") && !tree.contains("Exception");
    Ok((!good).then(|| format!("kafka-metadata-shell {}: {tree}", file.display())))
}
