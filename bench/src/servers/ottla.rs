//! Ottla, from its binary.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What the binary says of itself.
pub(super) fn version(binary: &Path) -> Result<String> {
    let output = Command::new(binary)
        .arg("--version")
        .output()
        .with_context(|| binary.display().to_string())?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Formats the directories that `config` names.
pub(super) fn format(binary: &Path, config: &Path) -> Result<()> {
    let run = |arguments: &[&str]| -> Result<String> {
        let output = Command::new(binary)
            .args(arguments)
            .output()
            .with_context(|| binary.display().to_string())?;
        if !output.status.success() {
            bail!("ottla storage: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let id = run(&["storage", "random-uuid"])?;
    let config = config.display().to_string();
    run(&[
        "storage",
        "format",
        "--standalone",
        "-t",
        &id,
        "-c",
        &config,
    ])?;
    Ok(())
}

/// The command that starts a node.
pub(super) fn command(binary: &Path, config: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["server", "start"]).arg(config);
    command.env("OTTLA_LOG", "warn");
    command
}
