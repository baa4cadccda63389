//! Foreign clients: how they are run, and how their lines are read. How they are installed is in `installed`.
//!
//! A client is one process that runs all its scenarios. It says which `version X` it is and names its scenarios
//! (`plan A B`), then comes `ok NAME MILLISECONDS` or `FAIL NAME: why` for each. A scenario that was planned and never
//! reported has failed. Tests that cargo runs are read as cargo prints them.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::installed::INSTALLING;

/// No client may take longer than this for all its scenarios.
const CLIENT_MAX: Duration = Duration::from_secs(300);

/// Pause between two looks at a client.
const POLL: Duration = Duration::from_millis(50);

/// A client that can be run.
#[derive(Debug)]
pub struct Foreign {
    pub(crate) command: Command,
    /// Which version it is, where it does not say so itself.
    pub(crate) version: Option<String>,
    pub(crate) kind: Kind,
}

/// How a client is told where the server is, and how it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By an argument; in the lines that are described above.
    Program,
    /// By this variable; in the lines of `cargo test`.
    CargoTest(&'static str),
}

/// What a client reported.
#[derive(Debug)]
pub struct Outcome {
    /// Scenario to `None` if it passed, or why not.
    pub scenarios: BTreeMap<String, Option<String>>,
    /// Version of the client.
    pub version: String,
    /// How long all of it took.
    pub took: Duration,
    /// What the client said on standard error.
    pub stderr: String,
}

impl Foreign {
    /// Runs the client's scenarios against a server.
    ///
    /// # Errors
    /// If the client cannot be started, does not end, or says nothing that can be read.
    pub fn run(mut self, bootstrap: &str) -> Result<Outcome> {
        let _installed = INSTALLING.read().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        match self.kind {
            Kind::Program => self.command.arg(bootstrap),
            Kind::CargoTest(variable) => self.command.env(variable, bootstrap),
        };
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // Both pipes are emptied at the same time, or a client that talks much would stand still.
        let stdout = reader(child.stdout.take().context("piped")?);
        let stderr = reader(child.stderr.take().context("piped")?);
        let mut late = false;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if begun.elapsed() > CLIENT_MAX {
                late = true;
                child.kill()?;
            }
            std::thread::sleep(POLL);
        };
        let text = |handle: std::thread::JoinHandle<String>| handle.join().unwrap_or_default();
        let (stdout, stderr) = (text(stdout), text(stderr));
        let parsed = match self.kind {
            Kind::Program => parse(&stdout),
            Kind::CargoTest(_) => parse_cargo_test(&stdout),
        };
        let mut scenarios =
            parsed.with_context(|| format!("the client said:\n{stdout}\n{stderr}"))?;
        if late {
            scenarios.insert("all".into(), Some(format!("no end within {CLIENT_MAX:?}")));
        } else if !status.success() && scenarios.values().all(Option::is_none) {
            scenarios.insert("all".into(), Some(format!("{status}\n{stdout}")));
        }
        let said = stdout
            .lines()
            .find_map(|line| line.strip_prefix("version "));
        Ok(Outcome {
            scenarios,
            version: said
                .map(ToOwned::to_owned)
                .or(self.version)
                .context("the client does not say its version")?,
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

/// Reads `test NAME ... ok` and what a test that fails said.
fn parse_cargo_test(text: &str) -> Result<BTreeMap<String, Option<String>>> {
    let mut scenarios = BTreeMap::new();
    for line in text.lines() {
        let outcome = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... "));
        match outcome {
            Some((name, "ok")) => scenarios.insert(name.to_owned(), None),
            Some((name, other)) => scenarios.insert(name.to_owned(), Some(other.to_owned())),
            None => continue,
        };
    }
    let mut failing = None;
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            failing = Some(name);
        } else if let Some(Some(why)) = failing.and_then(|name| scenarios.get_mut(name)) {
            why.push(' ');
            why.push_str(line.trim());
        }
    }
    if scenarios.is_empty() {
        bail!("no test ran");
    }
    Ok(scenarios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_test_are_read() {
        let text = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\n---- b stdout ----\nwhy\n\nfailures:\n    b\n";
        let scenarios = parse_cargo_test(text).unwrap();
        assert_eq!(scenarios["a"], None);
        assert!(scenarios["b"].as_ref().unwrap().contains("why"));
        assert!(parse_cargo_test("running 0 tests\n").is_err());
    }

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
