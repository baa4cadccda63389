//! Foreign clients drive a node; each runs the same scenarios that it passes against Apache Kafka.
//!
//! `OTTLA_TESTS_AGAINST=apache-kafka` lets them drive Apache Kafka instead, which proves the scenarios.

use anyhow::Result;
use ottla_tests::{Foreign, Ottla, bash, cargo, java, not_run, python, say};

/// Runs a client's scenarios against a fresh node; all of them have to pass.
fn all_scenarios_pass(name: &str, client: Result<Foreign>) -> Result<()> {
    let client = match client {
        Ok(client) => client,
        Err(why) => {
            not_run(name, &format!("{why:#}"));
            return Ok(());
        }
    };
    let dir = tempfile::tempdir()?;
    let mut node = Ottla::new(dir.path());
    node.start()?;
    let outcome = client.run(&node.bootstrap())?;
    let failed: Vec<String> = outcome
        .scenarios
        .iter()
        .filter_map(|(scenario, why)| why.as_ref().map(|why| format!("{scenario}: {why}")))
        .collect();
    let (count, took) = (outcome.scenarios.len(), outcome.took.as_secs_f32());
    say(&format!(
        "{name}: {} of {count} scenarios passed in {took:.1} s",
        count - failed.len()
    ));
    assert!(
        failed.is_empty(),
        "{name}:\n{}\n\n{}",
        failed.join("\n"),
        outcome.stderr
    );
    node.stop()
}

#[test]
fn librdkafka_passes_by_confluent_kafka() -> Result<()> {
    all_scenarios_pass("confluent-kafka (librdkafka)", python("confluent.py"))
}

#[test]
fn kafka_python_passes() -> Result<()> {
    all_scenarios_pass("kafka-python", python("kafka_python.py"))
}

#[test]
fn apache_kafkas_java_clients_pass() -> Result<()> {
    all_scenarios_pass("Apache Kafka's Java clients", java("Scenarios.java"))
}

#[test]
fn kcat_passes() -> Result<()> {
    let client = bash("kcat", "kcat/scenarios.sh", "apt-get install kcat");
    all_scenarios_pass("kcat (an old librdkafka)", client)
}

#[test]
fn krafka_passes() -> Result<()> {
    all_scenarios_pass("krafka", cargo("krafka"))
}
