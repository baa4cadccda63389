//! Foreign clients drive a node; each runs the same scenarios that it passes against Apache Kafka.
//!
//! `OTTLA_TESTS_AGAINST=apache-kafka` lets them drive Apache Kafka instead, which proves the scenarios.

use anyhow::Result;
use ottla_tests::{
    Foreign, Lineage, Ottla, bash, cargo, go, java, node, not_run, note, python, rskafka,
    rskafka_with_librdkafka, say,
};

/// Runs a client's scenarios against a fresh node, with settings beside the usual ones; all of them have to pass, and
/// the node has to be in good order after them.
fn all_scenarios_pass(
    lineage: Lineage,
    client: Result<Foreign>,
    settings: &[(&str, &str)],
) -> Result<()> {
    let name = lineage.name;
    let client = match client {
        Ok(client) => client,
        Err(why) => {
            not_run(name, &format!("{why:#}"));
            return Ok(());
        }
    };
    let dir = tempfile::tempdir()?;
    let mut node = Ottla::new(dir.path());
    for (key, value) in settings {
        node = node.with(key, value);
    }
    node.start()?;
    let outcome = client.run(&node.bootstrap())?;
    let failed: Vec<String> = outcome
        .scenarios
        .iter()
        .filter_map(|(scenario, why)| why.as_ref().map(|why| format!("{scenario}: {why}")))
        .collect();
    let (count, took) = (outcome.scenarios.len(), outcome.took.as_secs_f32());
    say(&format!(
        "{name} {}: {} of {count} scenarios passed in {took:.1} s",
        outcome.version,
        count - failed.len()
    ));
    assert!(
        failed.is_empty(),
        "{name}:\n{}\n\n{}",
        failed.join("\n"),
        outcome.stderr
    );
    node.check_health()?;
    node.stop()?;
    note(lineage, &outcome)
}

#[test]
fn librdkafka_passes_by_confluent_kafka() -> Result<()> {
    let lineage = Lineage {
        name: "confluent-kafka",
        about: "librdkafka in C, through Python; pip",
        pinned: true,
    };
    all_scenarios_pass(lineage, python("confluent.py"), &[])
}

#[test]
fn kafka_python_passes() -> Result<()> {
    let lineage = Lineage {
        name: "kafka-python",
        about: "Python; pip",
        pinned: true,
    };
    all_scenarios_pass(lineage, python("kafka_python.py"), &[])
}

#[test]
fn apache_kafkas_java_clients_pass() -> Result<()> {
    let lineage = Lineage {
        name: "kafka-clients",
        about: "Apache Kafka's own, in Java; Maven",
        pinned: true,
    };
    all_scenarios_pass(lineage, java("Scenarios.java"), &[])
}

#[test]
fn kcat_passes() -> Result<()> {
    let lineage = Lineage {
        name: "kcat",
        about: "an old librdkafka, as Debian packages it; apt",
        pinned: false,
    };
    let client = bash("kcat", "kcat/scenarios.sh", "apt-get install kcat");
    all_scenarios_pass(lineage, client, &[])
}

#[test]
fn krafka_passes() -> Result<()> {
    let lineage = Lineage {
        name: "krafka",
        about: "Rust; cargo",
        pinned: true,
    };
    all_scenarios_pass(lineage, cargo("krafka"), &[])
}

#[test]
fn franz_go_passes() -> Result<()> {
    let lineage = Lineage {
        name: "franz-go",
        about: "Go; go",
        pinned: true,
    };
    all_scenarios_pass(lineage, go("franz-go"), &[])
}

#[test]
fn kafkajs_passes() -> Result<()> {
    let lineage = Lineage {
        name: "kafkajs",
        about: "JavaScript, old versions of every API; npm",
        pinned: true,
    };
    all_scenarios_pass(lineage, node("kafkajs.mjs"), &[])
}

#[test]
fn platformatic_kafka_passes() -> Result<()> {
    let lineage = Lineage {
        name: "@platformatic/kafka",
        about: "JavaScript, the newest versions of every API; npm",
        pinned: true,
    };
    all_scenarios_pass(lineage, node("platformatic.mjs"), &[])
}

/// One of rskafka's tests wants to see that a topic is not there.
const WITHOUT_AUTO_CREATION: &[(&str, &str)] = &[("auto.create.topics.enable", "false")];

#[test]
fn rskafkas_own_tests_pass() -> Result<()> {
    let lineage = Lineage {
        name: "rskafka",
        about: "Rust, the integration tests that it is published with; cargo",
        pinned: true,
    };
    all_scenarios_pass(lineage, rskafka(), WITHOUT_AUTO_CREATION)
}

#[test]
fn rskafkas_own_tests_with_librdkafka_pass() -> Result<()> {
    let lineage = Lineage {
        name: "rskafka with librdkafka",
        about: "what one of the two wrote the other reads; cargo, with `OTTLA_TESTS_SLOW=1`",
        pinned: true,
    };
    all_scenarios_pass(lineage, rskafka_with_librdkafka(), WITHOUT_AUTO_CREATION)
}
