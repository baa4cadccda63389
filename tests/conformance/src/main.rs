//! `ottla-conformance live` starts Apache Kafka and a node of this build and holds one against the other, and
//! against what is recorded;
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
use ottla_conformance::client::{Apis, Client};
use ottla_conformance::compare::Difference;
use ottla_conformance::play::Answered;
use ottla_conformance::table::{Table, announced};
use ottla_conformance::{compare, play, scenario};
use ottla_oracle::{Cluster, Jars, free_ports};
use ottla_tests::Ottla;

const USAGE: &str = "\
usage: ottla-conformance live [SCENARIO...]               (or `cargo xtask conformance`)
       ottla-conformance record|compare ADDRESS [SCENARIO...]";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["live", names @ ..] => live(names),
        ["record", address, names @ ..] => record(address.parse()?, names),
        ["compare", address, names @ ..] => against_recorded(address.parse()?, names),
        _ => bail!("{USAGE}"),
    }
}

/// Starts both servers on fresh directories, plays everything to both and compares.
fn live(names: &[&str]) -> Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    println!(
        "starting Apache Kafka and Ottla in {}",
        folder.path().display()
    );
    let cluster = Cluster::single(&folder.path().join("kafka"), free_ports());
    let kafka = cluster.start(&Jars::fetch()?)?.pop().context("a node")?;
    let mut ottla = Ottla::new(&folder.path().join("ottla"));
    ottla.start()?;
    let (kafka_at, ottla_at) = (kafka.bootstrap().parse()?, ottla.bootstrap().parse()?);
    let apis = Apis::load()?;
    let mut table = Table::default();
    let (mut unexplained, mut stale) = (0, 0);
    for (name, steps) in scenarios(names)? {
        // The same names on both sides, as they are in texts.
        let play = |at| play::play(&apis, at, &name, "1", &steps).context(name.clone());
        let (theirs, ours) = (play(kafka_at)?, play(ottla_at)?);
        let differences = compare::compare(&name, &theirs, &ours)?;
        table.add(&name, &ours, &differences);
        unexplained += show(&name, &differences);
        stale += changed_since_recorded(&name, &theirs)?;
    }
    let announced = announced(&apis, &mut Client::connect(ottla_at)?)?;
    ottla.stop()?;
    kafka.stop()?;
    println!("\n{}", table.render(&announced));
    if stale > 0 {
        println!("{stale} fields of the recorded answers are not what Apache Kafka answers today");
    }
    Ok(code(unexplained))
}

/// Fields in which recorded answers are not those of Apache Kafka now; `UPDATE=1` records them anew.
fn changed_since_recorded(name: &str, theirs: &[Answered]) -> Result<usize> {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(golden(name), compare::write(theirs))?;
        return Ok(0);
    }
    let recorded = std::fs::read_to_string(golden(name))?;
    let changed = compare::compare(name, &compare::read(&recorded)?, theirs)?;
    for one in &changed {
        println!("{name}: recorded {} {} has changed", one.step, one.field);
    }
    Ok(changed.len())
}

fn record(address: SocketAddr, names: &[&str]) -> Result<ExitCode> {
    let apis = Apis::load()?;
    for (name, steps) in scenarios(names)? {
        let answers = play::play(&apis, address, &name, &run(), &steps).context(name.clone())?;
        std::fs::write(golden(&name), compare::write(&answers))?;
        println!("{name}: {} answers recorded", answers.len());
    }
    Ok(ExitCode::SUCCESS)
}

fn against_recorded(address: SocketAddr, names: &[&str]) -> Result<ExitCode> {
    let apis = Apis::load()?;
    let mut table = Table::default();
    let mut unexplained = 0;
    for (name, steps) in scenarios(names)? {
        let ours = play::play(&apis, address, &name, &run(), &steps).context(name.clone())?;
        let kafka = compare::read(&std::fs::read_to_string(golden(&name))?)?;
        let differences = compare::compare(&name, &kafka, &ours)?;
        table.add(&name, &ours, &differences);
        unexplained += show(&name, &differences);
    }
    let announced = announced(&apis, &mut Client::connect(address)?)?;
    println!("\n{}", table.render(&announced));
    Ok(code(unexplained))
}

/// Prints what differs without a reason; says how much that is.
fn show(name: &str, differences: &[Difference]) -> usize {
    let unexplained: Vec<_> = differences
        .iter()
        .filter(|one| one.reason.is_none())
        .collect();
    let on_purpose = differences.len() - unexplained.len();
    println!(
        "{name}: {on_purpose} fields differ on purpose, {} differ",
        unexplained.len()
    );
    for one in &unexplained {
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
    unexplained.len()
}

fn code(unexplained: usize) -> ExitCode {
    if unexplained == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Another run against the same server needs names of its own.
fn run() -> String {
    std::process::id().to_string()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn golden(name: &str) -> PathBuf {
    folder("golden").join(format!("{name}.tsv"))
}

/// The scenarios of these names, or all, in the order of their names.
fn scenarios(names: &[&str]) -> Result<Vec<(String, Vec<scenario::Step>)>> {
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(folder("scenarios"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.context("a name")?.to_owned();
        if names.is_empty() || names.contains(&name.as_str()) {
            let steps = scenario::parse(&std::fs::read_to_string(&path)?).context(name.clone())?;
            scenarios.push((name, steps));
        }
    }
    scenarios.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(scenarios)
}
