//! The tour of README.md, line by line.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ottla_tests::{Ottla, not_run};

/// The lines of the block behind `<!-- tour -->`.
fn tour(readme: &str) -> Result<Vec<String>> {
    let (_, behind) = readme
        .split_once("<!-- tour -->")
        .context("README has a tour")?;
    let (_, block) = behind.split_once("```sh\n").context("a block")?;
    let (block, _) = block.split_once("```").context("its end")?;
    Ok(block.lines().map(str::to_owned).collect())
}

#[test]
fn the_tour_of_the_readme_runs_as_it_stands_there() -> Result<()> {
    if Command::new("kcat").arg("-V").output().is_err() {
        not_run(
            "the tour of README.md",
            "kcat is not installed (apt-get install kcat)",
        );
        return Ok(());
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let lines = tour(&std::fs::read_to_string(readme)?)?;
    ensure!(lines.len() == 5, "the test knows what five lines print");
    let folder = tempfile::tempdir()?;
    let mut node = Ottla::new(folder.path());
    node.start()?;
    let mut printed = Vec::new();
    for line in &lines {
        let line = line.replace("localhost:9092", &node.bootstrap());
        let output = Command::new("bash").args(["-c", &line]).output()?;
        ensure!(output.status.success(), "{line}: {output:?}");
        printed.push(String::from_utf8(output.stdout)?);
    }
    ensure!(
        printed.get(1).is_some_and(|text| text == "hello, Ottla\n"),
        "{printed:?}"
    );
    ensure!(
        printed
            .get(2)
            .is_some_and(|text| text.contains("topic \"greetings\"")),
        "{printed:?}"
    );
    ensure!(
        printed.get(4).is_some_and(|text| text == "4\n5\n"),
        "{printed:?}"
    );
    node.stop()
}
