//! Plays `storage.scenario` and compares with what Apache Kafka's own tool answered.

use std::fs;
use std::path::Path;

use crate::{ottla, text};

const GOLDEN: &str = include_str!("../golden/storage.golden");

/// Lines in which Ottla answers otherwise: what Kafka says, what Ottla says.
const DIFFERENT: &[(&str, &str)] = &[
    // Kafka names whichever directory its hash table gives first.
    (
        "! Log directory DIR/d2 is already",
        "! Log directory DIR/d1 is already",
    ),
    // Kafka counts a level that is still in development.
    (
        "Valid feature levels are from 7 to 34.",
        "Valid feature levels are from 7 to 33.",
    ),
];

/// A properties file over a small configuration; the same as in `record.sh`.
fn config(dir: &Path, words: &[&str]) {
    let root = dir.display().to_string();
    let base = [
        "process.roles=broker,controller",
        "node.id=1",
        "controller.quorum.bootstrap.servers=localhost:9093",
        "listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
        "controller.listener.names=CONTROLLER",
        "log.dirs=DIR/d1,DIR/d2",
    ];
    let (name, pairs) = words.split_first().expect("a config has a name");
    let removed = |line: &str| {
        pairs
            .iter()
            .any(|p| p.strip_prefix('-') == line.split('=').next())
    };
    let kept = base.iter().filter(|line| !removed(line));
    let added = pairs.iter().filter(|pair| !pair.starts_with('-'));
    let lines: Vec<String> = kept
        .chain(added)
        .map(|line| line.replace("DIR", &root))
        .collect();
    fs::write(dir.join(name), lines.join("\n")).expect("the directory is ours");
}

/// Runs the tool and shows its answer as the recording does.
fn answer(dir: &Path, args: &[&str]) -> Vec<String> {
    let args: Vec<&str> = ["storage"]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    let output = ottla(dir, &args);
    let root = dir.display().to_string();
    let mask = |line: &str| {
        let line = line.replace(&root, "DIR");
        for before in ["directory.id=", "Expected "] {
            if let Some((head, tail)) = line.split_once(before)
                && let Some(id) = tail.get(..22)
                && tail.get(22..).is_some_and(|rest| rest.starts_with(','))
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            {
                return format!("{head}{before}ID{}", &tail[22..]);
            }
        }
        if line.len() == 22 && !line.contains(' ') {
            "ID".to_owned()
        } else {
            line
        }
    };
    let mut lines: Vec<String> = text(&output.stdout).lines().map(mask).collect();
    let errors = text(&output.stderr);
    if errors.starts_with("error: ") || errors.contains("Usage: ") {
        lines.push("! wrong command line".to_owned());
    } else {
        lines.extend(errors.lines().map(|line| format!("! {}", mask(line))));
    }
    lines.push(format!(
        "= {}",
        output.status.code().expect("the program was not killed")
    ));
    lines
}

/// Sorts the lines of the directories, whose order is left to chance in Kafka.
fn comparable(lines: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = lines.to_vec();
    for (kafka, ours) in DIFFERENT {
        for line in &mut lines {
            *line = line.replace(kafka, ours);
        }
    }
    let is_directory = |line: &String| line.starts_with("Formatting ");
    if let Some(first) = lines.iter().position(is_directory) {
        let count = lines.iter().filter(|line| is_directory(line)).count();
        lines[first..first + count].sort();
    }
    lines
}

#[test]
fn the_tool_answers_as_kafkas_does() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dir = dir.path();
    let mut expected: Vec<String> = Vec::new();
    let mut blocks: Vec<(&str, Vec<String>)> = Vec::new();
    for line in GOLDEN.lines() {
        match line.strip_prefix("> ") {
            Some(command) => blocks.push((command, Vec::new())),
            None => blocks
                .last_mut()
                .expect("a command comes first")
                .1
                .push(line.to_owned()),
        }
    }
    for (command, kafka) in blocks {
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["config", rest @ ..] => config(dir, rest),
            ["rm", names @ ..] => {
                for name in names {
                    let _ = fs::remove_dir_all(dir.join(name));
                }
            }
            ["mkdir", name] => fs::create_dir(dir.join(name)).expect("the name is free"),
            ["run", args @ ..] => {
                let ours = answer(dir, args);
                assert_eq!(comparable(&ours), comparable(&kafka), "{command}");
                expected.push(command.to_owned());
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(expected.len() > 70, "the recording is whole");
}
