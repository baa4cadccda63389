//! `cargo xtask bench`: builds what is measured and what measures it, and hands over to `ottla-bench`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use ottla_oracle::{Jars, python_environment};

use crate::kernels::{self, Outcome};

/// What the broker and what measures it are built from.
const PROGRAMS: &[&str] = &["-p", "ottla-cli", "-p", "ottla-bench"];

/// Builds programs as they are delivered; the directory that they are in.
///
/// # Errors
/// If a build fails.
pub(crate) fn build(root: &Path, what: &[&str]) -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--quiet"])
        .args(what)
        .current_dir(root)
        .status()
        .context("cargo build")?;
    if !status.success() {
        bail!("the build failed");
    }
    Ok(target(root).join("release"))
}

/// Where the clients are that are not our own, as options of `ottla-bench`; what cannot be had is told, and left out.
fn foreign_clients(root: &Path) -> Vec<OsString> {
    let mut options = Vec::new();
    let mut add = |option: &str, found: Result<PathBuf>| match found {
        Ok(path) => options.extend([option.into(), path.into()]),
        Err(why) => println!("without {option}: {why:#}"),
    };
    let requirements = root.join("bench/clients/requirements.txt");
    add(
        "--python",
        python_environment("bench-python", &requirements),
    );
    add("--tools", Jars::fetch().map(|jars| jars.tools));
    options
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into)
}

/// Builds and runs `ottla-bench` with `arguments`, or counts the instructions of the kernels.
///
/// # Errors
/// If a build fails, Apache Kafka cannot be fetched, or a workload failed.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    if arguments.first().is_some_and(|one| one == "kernels") {
        let update = arguments.iter().any(|one| one == "--update");
        if let Outcome::NotRun(why) = kernels::run(root, update)? {
            println!("could not run: {why}");
        }
        return Ok(());
    }
    let (release, target) = (build(root, PROGRAMS)?, target(root));
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
    let names_one = arguments
        .iter()
        .any(|word| word.contains("rdkafka") || word.starts_with("java-"));
    // A smoke run has none of them unless they are named.
    let measures = !["list", "report", "help", "--help", "-h"]
        .iter()
        .any(|word| has(word));
    if measures && (names_one || !has("smoke")) {
        command.args(foreign_clients(root));
    }
    let status = command.status().context("ottla-bench")?;
    if !status.success() {
        bail!("ottla-bench failed");
    }
    Ok(())
}
