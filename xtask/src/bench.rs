//! `cargo xtask bench`: builds what is measured and what measures it, and hands over to `ottla-bench`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use ottla_oracle::Jars;

/// Builds and runs `ottla-bench` with `arguments`.
///
/// # Errors
/// If a build fails, Apache Kafka cannot be fetched, or a workload failed.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--locked",
            "-p",
            "ottla-cli",
            "-p",
            "ottla-bench",
        ])
        .current_dir(root)
        .status()
        .context("cargo build")?;
    if !status.success() {
        bail!("the build failed");
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let release = target.join("release");
    let mut command = Command::new(release.join("ottla-bench"));
    command.args(arguments).current_dir(root);
    let has = |word: &str| arguments.iter().any(|one| one == word);
    if !has("--ottla") {
        command.arg("--ottla").arg(release.join("ottla"));
    }
    if !has("--out") {
        command.arg("--out").arg(target.join("bench"));
    }
    let alone = ["smoke", "list", "report", "help", "--help", "-h", "--jars"];
    let says = |option: &str, wanted: &dyn Fn(&str) -> bool| {
        arguments
            .windows(2)
            .any(|two| two[0] == option && wanted(&two[1]))
    };
    let only_ours = says("--only", &|side| side == "ottla");
    let no_kafka = says("--against", &|what| what != "kafka");
    if !only_ours && !no_kafka && !alone.iter().any(|word| has(word)) {
        command.arg("--jars").arg(Jars::fetch()?.server);
    }
    let status = command.status().context("ottla-bench")?;
    if !status.success() {
        bail!("ottla-bench failed");
    }
    Ok(())
}
