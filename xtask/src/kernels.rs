//! `cargo xtask bench kernels`: instructions of the codec, validation and append kernels under callgrind, against those
//! that are written down in `bench/kernels.tsv`.
//!
//! Instructions do not depend on what else the machine does, so a slower kernel shows where times would not. They do depend
//! on compiler and processor: where those are others than the baseline's, nothing can be compared, and the reason is said.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// What runs the kernels.
const PROGRAM: &str = "ottla-kernels";

/// How much a kernel may cost more than the baseline, in percent. Registers and inlining change a little with everything.
const ALLOWED: i64 = 5;

/// Calls in the shorter and in the longer of the two runs, whose difference is what is compared.
const CALLS: (i64, i64) = (50, 150);

/// How a run came out that did not fail.
pub(crate) enum Outcome {
    /// Everything is within what is allowed.
    Compared,
    /// Nothing could be compared, and why.
    NotRun(String),
}

/// Counts every kernel and compares; with `update` writes the baseline instead.
///
/// # Errors
/// If a build fails, a kernel fails, or one costs more than is allowed.
pub(crate) fn run(root: &Path, update: bool) -> Result<Outcome> {
    let Some(valgrind) = first_line("valgrind", &["--version"]) else {
        let why = "valgrind is not installed (apt-get install valgrind)";
        return Ok(Outcome::NotRun(why.to_owned()));
    };
    let rustc = first_line("rustc", &["--version"]).context("rustc")?;
    let machine = format!("# {rustc}, {}, {valgrind}", std::env::consts::ARCH);
    let path = root.join("bench/kernels.tsv");
    let baseline = fs::read_to_string(&path).unwrap_or_default();
    let then = baseline.lines().next().unwrap_or_default();
    if !update && then != machine {
        let then = then.trim_start_matches("# ");
        return Ok(Outcome::NotRun(format!(
            "bench/kernels.tsv is of {then}, this is {}",
            machine.trim_start_matches("# ")
        )));
    }
    let program =
        crate::bench::build(root, &["-p", "ottla-bench", "--bin", PROGRAM])?.join(PROGRAM);
    let names = Command::new(&program).output().context(PROGRAM)?;
    let names = String::from_utf8(names.stdout)?;
    let mut counted = BTreeMap::new();
    for name in names.lines() {
        let (short, long) = CALLS;
        let (few, many) = (count(&program, name, short)?, count(&program, name, long)?);
        counted.insert(name.to_owned(), (many - few) / (long - short));
    }
    if update {
        let mut text = format!("{machine}\n");
        for (name, instructions) in &counted {
            writeln!(text, "{name}\t{instructions}")?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    compare(&fs::read_to_string(&path)?, &counted).map(|()| Outcome::Compared)
}

/// Prints a line for each kernel.
fn compare(baseline: &str, counted: &BTreeMap<String, i64>) -> Result<()> {
    let mut worse = Vec::new();
    let written: BTreeMap<&str, i64> = baseline
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(name, number)| Some((name, number.parse().ok()?)))
        .collect();
    for (name, now) in counted {
        let Some(then) = written.get(name.as_str()) else {
            bail!(
                "bench/kernels.tsv has no {name}; `cargo xtask bench kernels --update` writes it"
            );
        };
        let change = (now - then) * 1000 / then.max(&1);
        println!(
            "{name:24} {now:>9} instructions, {then:>9} written down, {:+}.{} %",
            change / 10,
            (change % 10).abs()
        );
        if change > ALLOWED * 10 {
            worse.push(name.as_str());
        }
    }
    if !worse.is_empty() {
        bail!(
            "more than {ALLOWED} % above bench/kernels.tsv: {}; if that has to be, `cargo xtask bench kernels \
             --update` writes it down",
            worse.join(", ")
        );
    }
    Ok(())
}

/// Instructions of a whole run.
fn count(program: &Path, name: &str, calls: i64) -> Result<i64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([name, &calls.to_string()])
        .stdin(Stdio::null())
        .output()
        .context("valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{name}: {}\n{text}", output.status);
    }
    // `==123== Collected : 4711`
    text.lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, number)| number.trim().parse().ok())
        .with_context(|| format!("{name}: callgrind says no number\n{text}"))
}

/// What a program says first; `None` if there is none.
fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_costs_more_is_named() {
        let counted = |number| BTreeMap::from([("crc".to_owned(), number)]);
        assert!(compare("# m\ncrc\t1000\n", &counted(1050)).is_ok());
        assert!(compare("# m\ncrc\t1000\n", &counted(10)).is_ok());
        let error = compare("# m\ncrc\t1000\n", &counted(1060)).unwrap_err();
        assert!(error.to_string().contains("crc"));
        assert!(compare("# m\n", &counted(1)).is_err());
    }
}
