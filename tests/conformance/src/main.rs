//! `ottla-conformance record ADDRESS` writes what Apache Kafka at that address answers to every scenario;
//! `ottla-conformance compare ADDRESS` holds any server against that. Names of scenarios may follow.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool talks on standard output"
)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use ottla_conformance::client::Apis;
use ottla_conformance::{compare, play, scenario};

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, address, names @ ..] = arguments.as_slice() else {
        bail!("usage: ottla-conformance record|compare ADDRESS [SCENARIO...]");
    };
    let address: SocketAddr = address
        .parse()
        .context("an address such as 127.0.0.1:9092")?;
    let apis = Apis::load()?;
    // Another run against the same server needs names of its own.
    let run = std::process::id().to_string();
    let mut unexplained = 0;
    for path in scenarios()? {
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .context("a name")?;
        if !names.is_empty() && !names.iter().any(|one| one == name) {
            continue;
        }
        let steps = scenario::parse(&std::fs::read_to_string(&path)?).context(name.to_owned())?;
        let answers = play::play(&apis, address, name, &run, &steps).context(name.to_owned())?;
        let golden = folder("golden").join(format!("{name}.tsv"));
        match command.as_str() {
            "record" => {
                std::fs::write(&golden, compare::write(&answers))?;
                println!("{name}: {} answers recorded", answers.len());
            }
            "compare" => {
                let kafka = compare::read(&std::fs::read_to_string(&golden)?)?;
                let differences = compare::compare(name, &kafka, &answers)?;
                let on_purpose = differences
                    .iter()
                    .filter(|one| one.reason.is_some())
                    .count();
                println!(
                    "{name}: {} answers, {on_purpose} fields differ on purpose, {} differ",
                    answers.len(),
                    differences.len() - on_purpose
                );
                for one in differences.iter().filter(|one| one.reason.is_none()) {
                    unexplained += 1;
                    let text = |value: &Option<serde_json::Value>| {
                        value
                            .as_ref()
                            .map_or_else(|| "absent".to_owned(), ToString::to_string)
                    };
                    let (kafka, ours) = (text(&one.kafka), text(&one.ours));
                    println!(
                        "  {} {}: {kafka} in Kafka, {ours} here",
                        one.step, one.field
                    );
                }
            }
            other => bail!("no command {other}"),
        }
    }
    Ok(if unexplained == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn scenarios() -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder("scenarios"))? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}
