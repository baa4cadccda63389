//! Directories go both ways: Ottla takes over what Apache Kafka wrote, and Apache Kafka what Ottla wrote.
//!
//! What Apache Kafka wrote lies in `fixtures/`, so that half needs no Java.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use ottla_oracle::{Cluster, Jars, free_ports};
use ottla_tests::{End, Expected, Ottla, dump, java, not_run, say};

/// Features of Fixture.java that Ottla does not serve yet are left out.
const FEATURES: &[&str] = &[];

/// Unpacks an archive of `fixtures/` into `dir`.
pub(crate) fn unpack(name: &str, dir: &Path) -> Result<()> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name);
    let status = Command::new("tar")
        .arg("-xzf")
        .arg(&archive)
        .arg("-C")
        .arg(dir)
        .status()?;
    if !status.success() {
        bail!("tar -xzf {}: {status}", archive.display());
    }
    Ok(())
}

/// A configuration for directories whose records are old and must not expire.
fn cluster(dir: &Path) -> Cluster {
    Cluster::single(dir, free_ports()).with("log.retention.ms", "-1")
}

pub(crate) fn no_differences(who: &str, found: &[String]) {
    assert!(
        found.is_empty(),
        "{who}: {} differences\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Ottla serves a directory of Apache Kafka's, and does so again after each way of ending.
fn ottla_takes_over(archive: &str, end: End) -> Result<()> {
    let dir = tempfile::tempdir()?;
    unpack(archive, dir.path())?;
    let expected = Expected::read(&dir.path().join("expected.tsv"))?;
    let mut node = Ottla::of(cluster(dir.path()));
    node.start()?;
    no_differences(
        "first start",
        &expected.differences(&node.bootstrap(), end)?,
    );
    node.kill()?;
    node.start()?;
    no_differences(
        "after kill -9",
        &expected.differences(&node.bootstrap(), end)?,
    );
    node.stop()?;
    node.start()?;
    no_differences(
        "after a clean stop",
        &expected.differences(&node.bootstrap(), end)?,
    );
    node.stop()?;
    say(&format!(
        "{archive}: {} records served as Apache Kafka wrote them",
        expected.records()
    ));
    Ok(())
}

#[test]
fn directory_that_apache_kafka_stopped_on_is_served() -> Result<()> {
    ottla_takes_over("kafka-4.4.0-clean.tar.gz", End::Clean)
}

#[test]
fn directory_that_apache_kafka_was_killed_on_is_served() -> Result<()> {
    ottla_takes_over("kafka-4.4.0-killed.tar.gz", End::ApacheKafkaKilled)
}

/// Fills a node as the fixtures are made; what a client saw is in the file returned.
pub(crate) fn fill(node: &Ottla, features: &[&str]) -> Result<PathBuf> {
    let file = node.dir().join("expected.tsv");
    let mut command = Jars::fetch()?.source(&java_source("Fixture.java"));
    command.arg(node.bootstrap()).arg(&file).args(features);
    let output = command.output()?;
    if !output.status.success() {
        bail!("Fixture.java: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(file)
}

fn java_source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients/java")
        .join(name)
}

/// Apache Kafka serves a directory of Ottla's, after its tools found nothing wrong; then Ottla serves it again.
fn apache_kafka_takes_over(end: End) -> Result<()> {
    let jars = match java("Fixture.java").and_then(|_| Jars::fetch()) {
        Ok(jars) => jars,
        Err(why) => {
            not_run(
                "Apache Kafka on a directory of Ottla's",
                &format!("{why:#}"),
            );
            return Ok(());
        }
    };
    let dir = tempfile::tempdir()?;
    let mut node = Ottla::of(cluster(dir.path()));
    node.start()?;
    let expected = Expected::read(&fill(&node, FEATURES)?)?;
    no_differences(
        "before the end",
        &expected.differences(&node.bootstrap(), End::Clean)?,
    );
    if end == End::Clean {
        node.stop()?;
    } else {
        node.kill()?;
    }
    no_differences(
        "kafka-dump-log",
        &dump::faults(&jars, &node.data_dir(), end)?,
    );
    for kafka in node.cluster().start(&jars)? {
        no_differences(
            "Apache Kafka",
            &expected.differences(&kafka.bootstrap(), End::Clean)?,
        );
        kafka.stop()?;
    }
    node.start()?;
    no_differences(
        "back again",
        &expected.differences(&node.bootstrap(), End::Clean)?,
    );
    node.stop()?;
    no_differences(
        "kafka-dump-log in the end",
        &dump::faults(&jars, &node.data_dir(), End::Clean)?,
    );
    Ok(())
}

#[test]
fn apache_kafka_serves_what_ottla_stopped_on() -> Result<()> {
    apache_kafka_takes_over(End::Clean)
}

#[test]
fn apache_kafka_serves_what_ottla_was_killed_on() -> Result<()> {
    apache_kafka_takes_over(End::Killed)
}
