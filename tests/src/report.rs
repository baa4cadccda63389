//! Lines that are seen even when a test passes.

use std::fs::File;
use std::io::Write as _;

/// Prints a line past the test runner, which keeps what a passing test prints to itself.
pub fn say(line: &str) {
    // Writing to the handle instead of through `println!` is what gets past it. A closed pipe is nobody's loss.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
}

/// Says that something was not run, and why: nothing is left out in silence.
///
/// `cargo xtask test` counts what is in the file that `OTTLA_SKIPPED` names; whoever runs the tests otherwise sees the
/// line.
pub fn not_run(what: &str, why: &str) {
    let line = format!(
        "{what}: {}",
        why.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    let append = |file| -> std::io::Result<()> {
        writeln!(File::options().append(true).open(file)?, "{line}")
    };
    let counted = std::env::var_os("OTTLA_SKIPPED").map(append);
    if !matches!(counted, Some(Ok(()))) {
        say(&format!("could not run: {line}"));
    }
}
