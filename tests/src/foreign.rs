//! Foreign clients: how they are installed, run, and how their lines are read.
//!
//! A client is one process that runs all its scenarios. Its first line names them (`plan A B`), then comes `ok NAME
//! MILLISECONDS` or `FAIL NAME: why` for each. A scenario that was planned and never reported has failed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ottla_oracle::{Jars, cache_dir};

/// No client may take longer than this for all its scenarios.
const CLIENT_MAX: Duration = Duration::from_secs(300);

/// Pause between two looks at a client.
const POLL: Duration = Duration::from_millis(50);

/// A client that can be run.
#[derive(Debug)]
pub struct Foreign {
    command: Command,
}

/// What a client reported.
#[derive(Debug)]
pub struct Outcome {
    /// Scenario to `None` if it passed, or why not.
    pub scenarios: BTreeMap<String, Option<String>>,
    /// How long all of it took.
    pub took: Duration,
    /// What the client said on standard error.
    pub stderr: String,
}

/// The directory with the clients' scenarios.
fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// A client in Python, in an environment that holds exactly what `requirements.txt` names.
///
/// # Errors
/// Why this machine cannot run it, and what to install.
pub fn python(script: &str) -> Result<Foreign> {
    // Several tests want the same environment; the first one makes it.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = scenarios().join("python");
    let requirements = fs::read_to_string(dir.join("requirements.txt"))?;
    let environment = cache_dir().join("python");
    let mark = environment.join("installed.txt");
    let program = environment.join("bin/python");
    if !fs::read_to_string(&mark).is_ok_and(|installed| installed == requirements) {
        if environment.exists() {
            fs::remove_dir_all(&environment)?;
        }
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment))
        .context("python3 with its venv module is needed (apt-get install python3-venv)")?;
        run(Command::new(&program)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(dir.join("requirements.txt")))
        .context("the packages of tests/clients/python/requirements.txt cannot be installed")?;
        fs::write(&mark, requirements)?;
    }
    let mut command = Command::new(program);
    command
        .arg(dir.join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(Foreign { command })
}

/// A client in Java, from a source file, on the class path of Apache Kafka's clients.
///
/// # Errors
/// Why this machine cannot run it, and what to install.
pub fn java(source: &str) -> Result<Foreign> {
    let command = Jars::fetch()?.source(&scenarios().join("java").join(source));
    Ok(Foreign { command })
}

/// A client in Rust that is built into the cache, by the lock file that lies beside it.
///
/// # Errors
/// Why this machine cannot run it, and what to install.
pub fn cargo(name: &str) -> Result<Foreign> {
    let dir = scenarios().join(name);
    let target = cache_dir().join(name);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(dir.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        // These are of the workspace that the tests run in.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS"))
    .with_context(|| format!("{} cannot be built", dir.display()))?;
    let command = Command::new(target.join("debug").join(format!("{name}-scenarios")));
    Ok(Foreign { command })
}

/// A client that a script drives; `program` has to be installed.
///
/// # Errors
/// Why this machine cannot run it, and what to install.
pub fn bash(program: &str, script: &str, install: &str) -> Result<Foreign> {
    if Command::new(program)
        .arg("-V")
        .stdin(Stdio::null())
        .output()
        .is_err()
    {
        bail!("{program} is not installed ({install})");
    }
    let mut command = Command::new("bash");
    command.arg(scenarios().join(script));
    Ok(Foreign { command })
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

impl Foreign {
    /// Runs the client's scenarios against a server.
    ///
    /// # Errors
    /// If the client cannot be started, does not end, or says nothing that can be read.
    pub fn run(mut self, bootstrap: &str) -> Result<Outcome> {
        let begun = Instant::now();
        let mut child = self
            .command
            .arg(bootstrap)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // Both pipes are emptied at the same time, or a client that talks much would stand still.
        let stdout = reader(child.stdout.take().context("piped")?);
        let stderr = reader(child.stderr.take().context("piped")?);
        let mut late = false;
        while child.try_wait()?.is_none() {
            if begun.elapsed() > CLIENT_MAX {
                late = true;
                child.kill()?;
            }
            std::thread::sleep(POLL);
        }
        let text = |handle: std::thread::JoinHandle<String>| handle.join().unwrap_or_default();
        let (stdout, stderr) = (text(stdout), text(stderr));
        let mut scenarios =
            parse(&stdout).with_context(|| format!("the client said:\n{stdout}\n{stderr}"))?;
        if late {
            scenarios.insert("all".into(), Some(format!("no end within {CLIENT_MAX:?}")));
        }
        Ok(Outcome {
            scenarios,
            took: begun.elapsed(),
            stderr,
        })
    }
}

fn reader(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is still worth reading.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn parse(text: &str) -> Result<BTreeMap<String, Option<String>>> {
    let plan = text
        .lines()
        .find_map(|line| line.strip_prefix("plan "))
        .context("no plan")?;
    let mut scenarios: BTreeMap<String, Option<String>> = plan
        .split_whitespace()
        .map(|name| (name.to_owned(), Some("never reported".to_owned())))
        .collect();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("ok ") {
            let name = rest.split_whitespace().next().unwrap_or_default();
            scenarios.insert(name.to_owned(), None);
        } else if let Some((name, why)) = line
            .strip_prefix("FAIL ")
            .and_then(|rest| rest.split_once(':'))
        {
            scenarios.insert(name.to_owned(), Some(why.trim().to_owned()));
        }
    }
    if scenarios.is_empty() {
        bail!("an empty plan");
    }
    Ok(scenarios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_that_never_reported_has_failed() {
        let text = "noise\nplan a b c\nok a 12\nFAIL b: got 1, wanted 2\n";
        let scenarios = parse(text).unwrap();
        assert_eq!(scenarios["a"], None);
        assert_eq!(scenarios["b"].as_deref(), Some("got 1, wanted 2"));
        assert_eq!(scenarios["c"].as_deref(), Some("never reported"));
        assert!(
            parse("ok a 1\n").is_err(),
            "a client that crashed before its plan"
        );
    }
}
