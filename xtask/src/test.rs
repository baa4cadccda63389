//! `cargo xtask test`: the whole pyramid, cheapest first, with what each stage took.
//!
//! Says at the end how many tests ran, which failed, and which could not run and why: a test that lacks
//! something of its surroundings appends a line with its name and the reason to the file that
//! `OTTLA_SKIPPED` names.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::kernels::{self, Outcome};

/// One stage: a title, and cargo's arguments.
const STAGES: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    (
        "lints",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ],
    ),
    (
        "documentation",
        &["doc", "--workspace", "--no-deps", "--locked", "--quiet"],
    ),
    (
        TESTS,
        &["test", "--workspace", "--locked", "--no-fail-fast"],
    ),
];

/// The stage that has to count something.
const TESTS: &str = "tests";

/// Names the file that tells which tests could not run.
const SKIPPED: &str = "OTTLA_SKIPPED";

/// What the test runners said so far.
#[derive(Debug, Default)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Names of those that failed.
    names: Vec<String>,
}

/// Runs tidy and every stage; stops at the first that fails.
///
/// # Errors
/// Names the stage that failed.
pub(crate) fn run(root: &Path) -> Result<()> {
    let begun = Instant::now();
    let skipped = std::env::temp_dir().join(format!("ottla-skipped-{}", std::process::id()));
    fs::write(&skipped, "").with_context(|| skipped.display().to_string())?;
    let result = stages(root, &skipped);
    println!("== all in {:.1} s", begun.elapsed().as_secs_f32());
    let reasons = fs::read_to_string(&skipped).unwrap_or_default();
    fs::remove_file(&skipped).with_context(|| skipped.display().to_string())?;
    for reason in reasons.lines() {
        println!("could not run: {reason}");
    }
    let count = result?;
    println!("{count}, {} could not run", reasons.lines().count());
    Ok(())
}

fn stages(root: &Path, skipped: &Path) -> Result<Count> {
    let mut count = Count::default();
    println!("== tidy");
    crate::tidy::run(root)?;
    for (number, (title, arguments)) in STAGES.iter().enumerate() {
        let at = Instant::now();
        let of = STAGES.len();
        println!(
            "== {title} ({} of {of}): cargo {}",
            number + 1,
            arguments.join(" ")
        );
        let stage = Stage {
            root,
            arguments,
            skipped: skipped.to_owned(),
        };
        let ok = stage.run(&mut count)?;
        println!("== {title}: {:.1} s", at.elapsed().as_secs_f32());
        for name in &count.names {
            println!("failed: {name}");
        }
        if !ok || count.failed > 0 {
            bail!("`{title}` failed; {count}");
        }
        if *title == TESTS && count.passed == 0 {
            bail!("no test ran");
        }
    }
    speed(root, skipped)?;
    Ok(count)
}

/// What the hot paths cost in instructions, and every workload of the benchmark for a moment.
fn speed(root: &Path, skipped: &Path) -> Result<()> {
    let at = Instant::now();
    println!("== speed: cargo xtask bench kernels, cargo xtask bench smoke");
    if let Outcome::NotRun(why) = kernels::run(root, false)? {
        let mut file = fs::File::options().append(true).open(skipped)?;
        writeln!(file, "instructions of the kernels: {why}")?;
    }
    crate::bench::run(root, &["smoke".to_owned()])?;
    println!("== speed: {:.1} s", at.elapsed().as_secs_f32());
    Ok(())
}

struct Stage<'a> {
    root: &'a Path,
    arguments: &'a [&'a str],
    skipped: PathBuf,
}

impl Stage<'_> {
    fn run(&self, count: &mut Count) -> Result<bool> {
        let mut child = Command::new(env!("CARGO"))
            .args(self.arguments)
            .current_dir(self.root)
            .env(SKIPPED, &self.skipped)
            .env("RUSTDOCFLAGS", "-D warnings")
            // `cargo test --workspace` builds it before the first test runs, as `ottla-cli` has tests of the program. A build
            // of that package alone would compile its dependencies once more, with fewer features.
            .env(
                "OTTLA_BIN",
                crate::bench::target(self.root).join("debug/ottla"),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cargo")?;
        let mut output = BufReader::new(child.stdout.take().expect("piped above"));
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line)? > 0 {
            // A test may print anything.
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            count.add(text);
            // A thousand lines of `ok` hide the one that matters.
            if !(text.ends_with("... ok") || text.is_empty() || text.starts_with("running 0")) {
                println!("{text}");
            }
            line.clear();
        }
        Ok(child.wait()?.success())
    }
}

impl Count {
    /// Reads `test result: ok. 3 passed; 0 failed; ...` and `test NAME ... FAILED`.
    fn add(&mut self, line: &str) {
        let name = line
            .strip_prefix("test ")
            .and_then(|line| line.strip_suffix(" ... FAILED"));
        if let Some(name) = name {
            self.names.push(name.to_owned());
        }
        let Some(rest) = line.strip_prefix("test result: ") else {
            return;
        };
        let Some((_, rest)) = rest.split_once(". ") else {
            return;
        };
        for part in rest.split(';') {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<u64>().ok());
            match (number, words.next()) {
                (Some(number), Some("passed")) => self.passed += number,
                (Some(number), Some("failed")) => self.failed += number,
                (Some(number), Some("ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            passed,
            failed,
            ignored,
            ..
        } = self;
        write!(f, "{passed} passed, {failed} failed, {ignored} ignored")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_added_up() {
        let mut count = Count::default();
        count.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        count.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured");
        count.add("test something ... ok");
        count.add("test one::that_fails ... FAILED");
        assert_eq!(count.to_string(), "4 passed, 2 failed, 1 ignored");
        assert_eq!(count.names, ["one::that_fails"]);
    }
}
