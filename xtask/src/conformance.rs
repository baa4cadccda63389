//! `cargo xtask conformance`: the same requests to Apache Kafka and to a node of this build.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Builds and runs `ottla-conformance live` with the names of scenarios that are given.
///
/// # Errors
/// If it does not build, Apache Kafka cannot be fetched, or an answer differs without a reason.
pub(crate) fn run(root: &Path, names: &[String]) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "ottla-conformance",
        ])
        .args(["--", "live"])
        .args(names)
        .current_dir(root)
        .status()
        .context("cargo run")?;
    if !status.success() {
        bail!("answers differ");
    }
    Ok(())
}
