//! Whether a node is in good order after others had it: answers at once, within its memory, without a panic.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use ottla_protocol::messages::ApiVersionsRequest;
use ottla_records::codec::Compression;

use crate::client::{Client, Isolation, batch};
use crate::ottla::Ottla;

/// Longest that the four questions together may take.
const ANSWERS_MAX: Duration = Duration::from_secs(1);

/// Most memory that a node may ever have had resident while clients used it: what they have under way at most, with
/// room for a build without optimisation.
const MEMORY_MAX: u64 = 160 << 20;

/// How a panic begins in the log, of the standard library and of the node's own handler.
const PANICS: &[&str] = &["panicked at", "panic"];

impl Ottla {
    /// Fails if the node is not in good order.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check_health(&self) -> Result<()> {
        let mut client = Client::connect(&self.bootstrap())?;
        let topic = "health";
        client.create_topic(topic, 1, &[])?;
        client.patiently(|client| client.offset(topic, 0, -1))?;
        let batch = batch(&[(Some(b"k"), Some(b"v"))], 1, Compression::None, None)?;
        let begun = Instant::now();
        let versions = client.call(&ApiVersionsRequest {
            client_software_name: "ottla-tests".into(),
            client_software_version: "1".into(),
            ..ApiVersionsRequest::default()
        })?;
        ensure!(
            versions.error_code == 0 && !versions.api_keys.is_empty(),
            "ApiVersions: error {}",
            versions.error_code
        );
        ensure!(!client.brokers()?.is_empty(), "Metadata names no broker");
        let produced = client.produce(topic, 0, batch)?;
        ensure!(produced.error == 0, "Produce: error {}", produced.error);
        let fetched = client.fetch(topic, 0, produced.base_offset, Isolation::ReadUncommitted)?;
        ensure!(
            fetched.error == 0 && !fetched.records.is_empty(),
            "Fetch: error {}",
            fetched.error
        );
        let took = begun.elapsed();
        ensure!(took < ANSWERS_MAX, "four answers took {took:?}");
        if let Some(memory) = self.memory_max()? {
            ensure!(
                memory < MEMORY_MAX,
                "{} MiB of memory were in use",
                memory >> 20
            );
        }
        let log = self.log();
        let panic = log
            .lines()
            .find(|line| PANICS.iter().any(|word| line.contains(word)));
        if let Some(line) = panic {
            bail!("the log has a panic: {line}");
        }
        Ok(())
    }

    /// Most bytes that the process has had resident; `None` for a node of Apache Kafka.
    fn memory_max(&self) -> Result<Option<u64>> {
        let Some(pid) = self.pid() else {
            return Ok(None);
        };
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.split_whitespace().next())
            .context("no VmHWM")?;
        Ok(Some(kibibytes.parse::<u64>()? << 10))
    }
}
