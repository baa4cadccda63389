//! `cargo xtask tools COMMAND`: records what Apache Kafka's tools answer, and compares.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool talks on standard output"
)]

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use ottla_oracle::Jars;
use ottla_tool_lines::play::{self, Played, Players};
use ottla_tool_lines::script::{self, Script};
use ottla_tool_lines::server::Kind;
use ottla_tool_lines::tool::Tools;
use ottla_tool_lines::{folder, golden, report, speed};

const USAGE: &str = "\
usage: cargo xtask tools COMMAND [FILE...]     (FILE: a name in tests/tools/lines; none means all)

  record [FILE...]    play the lines with Apache Kafka's tools against Apache Kafka; writes tests/tools/golden
  check [FILE...]     Ottla's tools against a node of Ottla, held against the golden answers
  kafka [FILE...]     Ottla's tools against Apache Kafka (needs Java)
  java [FILE...]      Apache Kafka's tools against a node of Ottla (needs Java; 0.7 s a line)
  speed               what tools cost from start to end, Ottla's and Apache Kafka's (needs Java)";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, names) = arguments.split_first().context(USAGE)?;
    let scripts = script::read_all(names)?;
    match command.as_str() {
        "record" => record(&scripts),
        "check" => check("ottla-ottla", &scripts, &Kind::Ottla, Tools::Ottla),
        "kafka" => {
            let kind = Kind::Kafka(Jars::fetch()?);
            check("ottla-kafka", &scripts, &kind, Tools::Ottla)
        }
        "java" => {
            let tools = Tools::Kafka(Jars::fetch()?);
            check("kafka-ottla", &scripts, &Kind::Ottla, tools)
        }
        "speed" => {
            println!("| line | Ottla | Apache Kafka | times |\n|---|---|---|---|");
            for times in speed::measure(&Jars::fetch()?)? {
                println!("{times}");
            }
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("no such command: `{other}`\n{USAGE}"),
    }
}

fn record(scripts: &[Script]) -> Result<ExitCode> {
    let jars = Jars::fetch()?;
    let players = Players {
        main: Tools::Kafka(jars.clone()),
        rest: None,
    };
    let mut failed = false;
    for played in play::play_all(scripts, &Kind::Kafka(jars), &players)? {
        let name = &played.script.name;
        match played.lines {
            Ok(lines) => {
                let count = write(name, lines)?;
                println!("{name}: {count} answers recorded");
            }
            Err(error) => {
                failed = true;
                println!("{error:#}");
            }
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn write(name: &str, lines: Vec<Played<'_>>) -> Result<usize> {
    let answers: Option<Vec<_>> = lines
        .into_iter()
        .map(|played| Some((played.line, played.answer?)))
        .collect();
    let answers = answers.context("Apache Kafka has every tool")?;
    let path = folder("golden").join(format!("{name}.txt"));
    std::fs::write(&path, golden::write(&answers))?;
    Ok(answers.len())
}

fn check(way: &str, scripts: &[Script], kind: &Kind, tools: Tools) -> Result<ExitCode> {
    let players = Players {
        main: tools,
        rest: None,
    };
    let mut wrong = 0;
    for played in play::play_all(scripts, kind, &players)? {
        match report::compare(way, played) {
            Ok(report) => {
                wrong += report.count.differ;
                for finding in &report.findings {
                    println!("{finding}");
                }
                println!("{report}");
            }
            Err(error) => {
                wrong += 1;
                println!("{error:#}");
            }
        }
    }
    println!("{way}: {wrong} differ");
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
