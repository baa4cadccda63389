//! `ottla-bench`: drives a server with prebuilt requests and says what that cost the server.
//!
//! | subject | module |
//! |---|---|
//! | what is measured, by name | [`workloads`] |
//! | what is to be reached | [`goals`] |
//! | connections, paces, latencies | [`load`] |
//! | clients of others as load generators | [`generators`] |
//! | requests as bytes | [`wire`] |
//! | servers: Ottla, Apache Kafka | [`servers`] |
//! | CPU, memory, cores | [`host`] |
//! | pairs of runs | [`run`] |
//! | ratios, table, page | [`report`] |
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks on its terminal"
)]

mod args;
mod generators;
mod goals;
mod host;
mod load;
mod report;
mod result;
mod run;
mod servers;
mod wire;
mod workloads;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::args::Command;
use crate::report::Report;
use crate::workloads::WORKLOADS;

fn main() -> ExitCode {
    match work() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ottla-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<ExitCode> {
    match args::parse(std::env::args().skip(1))? {
        Command::Help => println!("{}", args::USAGE),
        Command::List => {
            for workload in &WORKLOADS {
                println!("{:<16} {}", workload.id, workload.about);
            }
        }
        Command::Report(files, out) => write_report(result::read_runs(&files)?, &out)?,
        Command::Run(plan) => {
            for (workload, why) in &plan.left_out {
                println!("left out: {workload}: {why}");
            }
            let (lines, runs) = run::run(&plan)?;
            let failed = runs.iter().filter(|run| run.error.is_some()).count();
            write_report(runs, &plan.out)?;
            println!("{}", lines.display());
            if failed > 0 {
                eprintln!("ottla-bench: {failed} runs failed");
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the table and writes it and the page to `out`.
fn write_report(runs: Vec<result::RunResult>, out: &Path) -> Result<()> {
    let report = Report::new(runs);
    let table = report::table(&report);
    print!("\n{table}\n");
    std::fs::create_dir_all(out)?;
    std::fs::write(out.join("results.md"), report::document(&report))?;
    let page = out.join("index.html");
    std::fs::write(&page, report::page(&report))?;
    println!("{}", page.display());
    Ok(())
}
