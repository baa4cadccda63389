//! Environments of Python, each with exactly the packages that a file of requirements names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::cache_dir;

/// Makes the environment `name` in the cache, if it is not there with these requirements; gives its Python.
///
/// # Errors
/// If Python is missing or a package cannot be installed.
pub fn python_environment(name: &str, requirements: &Path) -> Result<PathBuf> {
    let wanted =
        fs::read_to_string(requirements).with_context(|| requirements.display().to_string())?;
    let environment = cache_dir().join(name);
    let mark = environment.join("installed.txt");
    let python = environment.join("bin/python");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    if environment.exists() {
        fs::remove_dir_all(&environment)?;
    }
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(&environment))
    .context("python3 with its venv module is needed (apt-get install python3-venv)")?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "-r"])
        .arg(requirements))
    .with_context(|| {
        format!(
            "the packages of {} cannot be installed",
            requirements.display()
        )
    })?;
    fs::write(&mark, wanted)?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
