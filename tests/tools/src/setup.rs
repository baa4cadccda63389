//! What has to be there before a command line is run, made without any tool.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ottla_records::codec::Compression;
use ottla_tests::client::{Client, KeyValue, batch};

use crate::mask::FIRST_MS;
use crate::script::Step;
use crate::server::Server;

/// A group that nothing but [`settle`] touches.
const MARK: &str = "settled";

/// Does one step that is no command line.
///
/// # Errors
/// If the server refuses it.
pub fn carry_out(step: &Step, server: &Server, work: &Path) -> Result<()> {
    let mut client = Client::connect(&server.bootstrap())?;
    match step {
        Step::Topic(name, partitions, configs) => {
            let configs: Vec<_> = configs.iter().map(|(k, v)| (&**k, &**v)).collect();
            client.create_topic(name, *partitions, &configs)?;
            client.patiently(|client| client.offset(name, *partitions - 1, -1))?;
        }
        Step::Records(topic, partition, count) => {
            let end = client.patiently(|client| client.offset(topic, *partition, -1))?;
            for number in 0..*count {
                let at = end + i64::try_from(number)?;
                let (key, value) = (format!("k{at}"), format!("v{at}"));
                let record: KeyValue<'_> = (Some(key.as_bytes()), Some(value.as_bytes()));
                let bytes = batch(&[record], FIRST_MS + at, Compression::None, None)?;
                let produced = client.produce(topic, *partition, bytes)?;
                ensure!(produced.error == 0, "{produced:?}");
            }
        }
        Step::Commit(group, topic, partition, offset) => {
            client.patiently(|client| client.find_coordinator(group))?;
            client.patiently(|client| client.commit(group, topic, *partition, *offset))?;
        }
        Step::Member(group, topic) => {
            client.patiently(|client| client.find_coordinator(group))?;
            let partitions = client.partition_count(topic)?;
            let partitions = i32::try_from(partitions)?;
            client.patiently(|client| client.join(group, topic, partitions))?;
        }
        Step::File(name, text) => std::fs::write(work.join(name), text)?,
        Step::Unpack(name) => {
            let archive = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("../fixtures/kafka-4.4.0-{name}.tar.gz"));
            let into = work.join("fixture");
            std::fs::create_dir_all(&into)?;
            let status = Command::new("tar")
                .arg("--extract")
                .arg("--file")
                .arg(&archive)
                .arg("--directory")
                .arg(&into)
                .status()
                .context("tar")?;
            ensure!(status.success(), "tar: {status}");
        }
        Step::Line(line) => anyhow::bail!("a command line is no set-up: {}", line.text),
    }
    Ok(())
}

/// Waits until the broker has seen every change of metadata that was made before: sets a group's configuration to
/// something new, and waits until it can be read.
///
/// # Errors
/// If it never can.
pub fn settle(server: &Server, number: usize) -> Result<()> {
    let mut client = Client::connect(&server.bootstrap())?;
    client.settle(MARK, &(45_001 + number % 10_000).to_string())
}
