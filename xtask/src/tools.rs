//! `cargo xtask tools`: Kafka's command lines, recorded and compared.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Hands over to the crate that plays the lines; it is built only for this.
///
/// # Errors
/// If something differs.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let mut command = Command::new(env!("CARGO"));
    if arguments.first().is_some_and(|command| command == "speed") {
        // What users run.
        let status = Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "-p", "ottla-cli"])
            .current_dir(root)
            .status()
            .context("cargo build")?;
        if !status.success() {
            bail!("the build failed");
        }
        command.env(
            "OTTLA_BIN",
            crate::bench::target(root).join("release/ottla"),
        );
    }
    let status = command
        .args(["run", "--quiet", "--locked", "-p", "ottla-tool-lines", "--"])
        .args(arguments)
        .current_dir(root)
        .status()
        .context("cargo")?;
    if !status.success() {
        bail!("tools: {status}");
    }
    Ok(())
}
