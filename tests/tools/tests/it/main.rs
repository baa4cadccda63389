//! Plays the command lines of `lines/` and holds the answers against those of Apache Kafka's own tools.

use std::fs;
use std::path::Path;

use ottla_oracle::{Jars, missing};
use ottla_tests::{not_run, say};
use ottla_tool_lines::play::{self, Players};
use ottla_tool_lines::script::{self, Script};
use ottla_tool_lines::server::Kind;
use ottla_tool_lines::tool::Tools;
use ottla_tool_lines::{differences, folder, golden, report};

/// Apache Kafka's tools take most of a second a line, so that one line in so many is played here;
/// `cargo xtask tools java` plays all.
const ONE_IN: usize = 12;

/// Files whose differences are findings. A file that is not here yet is played and counted only.
const HELD: &str = include_str!("../../held.txt");

fn is_held(name: &str) -> bool {
    HELD.lines().any(|line| line == name)
}

/// Plays everything in one way and says what came out.
fn hold(way: &str, kind: &Kind, players: &Players) {
    let mut scripts = script::read_all(&[]).expect("files of command lines");
    if matches!(kind, Kind::Kafka(_)) {
        // A server each would take a minute; `cargo xtask tools kafka` has the time.
        scripts.retain(|script| !script.alone);
    }
    let mut findings = Vec::new();
    let mut unused: Vec<_> = differences::rows().filter(|row| row.way == way).collect();
    for played in play::play_all(&scripts, kind, players).expect("a server starts") {
        let name = played.script.name.clone();
        let report = report::compare(way, played);
        let report = report.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let all_there = report.count.no_tool == 0;
        unused.retain(|row| row.file != name || (all_there && !report.used.contains(row)));
        say(&format!("{way}: {report}"));
        if is_held(&name) {
            findings.extend(report.findings);
        }
    }
    assert!(findings.is_empty(), "{way}:\n{}", findings.join("\n"));
    let is_sample = players.rest.is_some();
    let was_played = |file: &str| scripts.iter().any(|script| script.name == file);
    unused.retain(|row| !is_sample && is_held(row.file) && was_played(row.file));
    assert_eq!(unused, [], "rows that explain nothing any more");
}

/// Apache Kafka's jars, or `None` and why the machine has none.
fn jars(what: &str) -> Option<Jars> {
    if let Some(why) = missing() {
        not_run(what, &why);
        return None;
    }
    match Jars::fetch() {
        Ok(jars) => Some(jars),
        Err(error) => {
            not_run(what, &format!("{error:#}"));
            None
        }
    }
}

#[test]
fn our_tools_answer_against_our_node_as_apache_kafkas_do() {
    let players = Players {
        main: Tools::Ottla,
        rest: None,
    };
    hold("ottla-ottla", &Kind::Ottla, &players);
}

#[test]
fn our_tools_answer_against_apache_kafka_as_its_own_do() {
    let Some(jars) = jars("our tools against Apache Kafka") else {
        return;
    };
    let players = Players {
        main: Tools::Ottla,
        rest: None,
    };
    hold("ottla-kafka", &Kind::Kafka(jars), &players);
}

#[test]
fn apache_kafkas_tools_answer_against_our_node_as_against_their_own() {
    let Some(jars) = jars("Apache Kafka's tools against our node") else {
        return;
    };
    let players = Players {
        main: Tools::Kafka(jars),
        rest: Some((ONE_IN, Tools::Ottla)),
    };
    hold("kafka-ottla", &Kind::Ottla, &players);
}

#[test]
fn every_file_has_answers_and_the_other_way_round() {
    let stems = |name: &str| -> Vec<_> {
        let entries = fs::read_dir(folder(name)).expect("the folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut stems: Vec<_> = paths
            .filter_map(|path| path.file_stem().map(ToOwned::to_owned))
            .collect();
        stems.sort();
        stems
    };
    assert_eq!(stems("lines"), stems("golden"));
    let scripts = script::read_all(&[]).expect("files of command lines");
    for script in &scripts {
        golden::read(script).expect("golden answers of these lines");
    }
    for name in HELD.lines() {
        assert!(scripts.iter().any(|script| script.name == name), "{name}");
    }
    let count: usize = scripts.iter().map(lines).sum();
    assert!(count >= 300, "{count} command lines");
    assert!(Path::new(&folder("README.md")).exists());
}

fn lines(script: &Script) -> usize {
    golden::lines_of(script).count()
}
