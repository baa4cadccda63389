//! Tasks of the repository: `cargo xtask COMMAND`.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool talks on standard output"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

mod bench;
mod codegen;
mod conformance;
mod docs;
mod kernels;
mod oracle;
mod source_rules;
mod test;
mod tidy;
mod tools;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  bench [ARGUMENT]   measures Ottla, beside Apache Kafka or another build; `bench help` says how;
                     `bench kernels` counts instructions against bench/kernels.tsv
  codegen [--check]  writes wire/protocol/src/generated from the schemas, or only compares
  conformance [NAME] the same requests to Apache Kafka, which is fetched and started, and to Ottla: every
                     field of every answer compared, and a table of what was covered
  docs               writes docs/reference/differences.md
  oracle COMMAND     Apache Kafka itself, to compare with: fetch, start, stop, tool
  test               everything that must hold before a change lands: tidy, format, lints,
                     documentation, tests, instruction counts and a moment of every benchmark
  tools COMMAND      Kafka's command lines: record what Apache Kafka's tools answer, and compare
  tidy               layers between the crates, licences, rules of the source tree";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = root();
    match arguments.first().map(String::as_str) {
        Some("test") => test::run(&root),
        Some("bench") => bench::run(&root, arguments.get(1..).unwrap_or_default()),
        Some("codegen") => codegen::run(&root, arguments.iter().any(|one| one == "--check")),
        Some("conformance") => conformance::run(&root, arguments.get(1..).unwrap_or_default()),
        Some("docs") => docs::run(&root),
        Some("oracle") => oracle::run(arguments.get(1..).unwrap_or_default()),
        Some("tools") => tools::run(&root, arguments.get(1..).unwrap_or_default()),
        Some("tidy") => tidy::run(&root),
        Some("help" | "--help" | "-h") | None => {
            println!("{USAGE}");
            Ok(())
        }
        Some(other) => bail!("no such command: `{other}`\n{USAGE}"),
    }
}

/// The repository's root, above this crate.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}
