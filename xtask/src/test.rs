//! `cargo xtask test`: the whole pyramid, cheapest first, with what each stage took.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

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
        "tests",
        &["test", "--workspace", "--locked", "--no-fail-fast"],
    ),
];

/// What the test runners said so far.
#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Runs tidy and every stage; stops at the first that fails.
///
/// # Errors
/// Names the stage that failed.
pub(crate) fn run(root: &Path) -> Result<()> {
    let begun = Instant::now();
    let mut count = Count::default();
    println!("== tidy");
    crate::tidy::run(root)?;
    for (title, arguments) in STAGES {
        let at = Instant::now();
        println!("== {title}: cargo {}", arguments.join(" "));
        let ok = stage(root, arguments, &mut count)?;
        println!("== {title}: {:.1} s", at.elapsed().as_secs_f32());
        if !ok {
            println!("{} passed, {} failed", count.passed, count.failed);
            bail!("`{title}` failed");
        }
    }
    println!("== all in {:.1} s", begun.elapsed().as_secs_f32());
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(())
}

fn stage(root: &Path, arguments: &[&str], count: &mut Count) -> Result<bool> {
    let mut child = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo")?;
    let output = child.stdout.take().expect("piped above");
    for line in BufReader::new(output).lines() {
        let line = line?;
        count.add(&line);
        // A thousand lines of `ok` hide the one that matters.
        if !(line.ends_with("... ok") || line.is_empty() || line.starts_with("running 0")) {
            println!("{line}");
        }
    }
    Ok(child.wait()?.success())
}

impl Count {
    /// Reads `test result: ok. 3 passed; 0 failed; ...`.
    fn add(&mut self, line: &str) {
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
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_added_up() {
        let mut count = Count::default();
        count.add("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        count.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured");
        count.add("test something ... ok");
        assert_eq!((count.passed, count.failed), (4, 2));
    }
}
