//! Start, restart after a crash or a clean stop, and many partitions.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ottla_protocol::ApiKey;
use ottla_protocol::messages::ProduceRequest;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_records::codec::Compression;

use super::idle::idle_cpu_percent;
use super::produce::{check_produced, fill};
use super::{Metrics, Stage, Target};
use crate::host::Snapshot;
use crate::servers::{Durability, Running, Start, prepare};
use crate::wire::{
    Client, Payload, Records, Shape, Topic, build_batch, create_topics, ready_partitions,
};

/// Longest wait for partitions.
const TIMEOUT: Duration = Duration::from_secs(180);
/// Pause between two tries.
const POLL: Duration = Duration::from_millis(1);
/// Partitions of a topic, where many are wanted.
const PARTITIONS_PER_TOPIC: i32 = 100;

const ONE_RECORD: Shape = Shape {
    value_bytes: 100,
    records: Records::Count(1),
    codec: Compression::None,
    payload: Payload::Noise,
};
const FILLING: Shape = Shape {
    records: Records::Count(1_000),
    ..ONE_RECORD
};

impl<'a> Stage<'a> {
    fn how(&self) -> Start<'a> {
        Start {
            side: self.side,
            home: self.home,
            placement: self.placement,
            durability: Durability::PageCache,
        }
    }

    fn target(&self, server: &Running) -> Target<'a> {
        Target {
            work: self.home,
            address: server.address,
            pid: server.pid(),
            is_native: self.side.is_native(),
            durability: Durability::PageCache,
            generators: self.generators,
            effort: self.effort,
        }
    }
}

/// Topics that together have `partitions` partitions.
fn many(partitions: i32) -> Vec<(String, i32)> {
    let count = partitions / PARTITIONS_PER_TOPIC.min(partitions);
    (0..count)
        .map(|i| (format!("many-{i}"), PARTITIONS_PER_TOPIC.min(partitions)))
        .collect()
}

/// Produces one record to partition 0 of a topic, again until it is acknowledged.
fn first_ack(server: &Running, topic: &Topic) -> Result<Duration> {
    let mut client = Client::connect(server.address)?;
    let version = client.version(ApiKey::Produce)?;
    let (batch, _) = build_batch(&ONE_RECORD, 1)?;
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: if version < 13 {
                topic.name.clone()
            } else {
                String::new()
            },
            topic_id: if version < 13 {
                ottla_base::Uuid::ZERO
            } else {
                topic.id
            },
            partition_data: vec![PartitionProduceData {
                index: 0,
                records: Some(batch),
            }],
        }],
        ..ProduceRequest::default()
    };
    loop {
        let body = client.exchange(ApiKey::Produce, version, |w| request.encode(w, version))?;
        match check_produced(&body, version) {
            Ok(_) => return Ok(server.started.elapsed()),
            Err(error) if server.started.elapsed() > TIMEOUT => return Err(error),
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

/// Waits until every partition of `topics` answers.
fn all_ready(server: &Running, topics: &[Topic], begun: Instant) -> Result<Duration> {
    let mut client = Client::connect(server.address)?;
    let wanted: i32 = topics.iter().map(|topic| topic.partitions).sum();
    let wanted = usize::try_from(wanted)?;
    loop {
        let ready = ready_partitions(&mut client, topics)?;
        if ready == wanted {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > TIMEOUT {
            bail!("not every partition is ready: {ready} of {wanted}");
        }
        std::thread::sleep(POLL);
    }
}

/// Creates topics as soon as the server lets it: a node that answers may not have a controller yet.
fn create_when_possible(server: &Running, wanted: &[(String, i32)]) -> Result<Vec<Topic>> {
    let mut client = Client::connect(server.address)?;
    loop {
        match create_topics(&mut client, wanted, &[]) {
            Ok(topics) => return Ok(topics),
            Err(error) if server.started.elapsed() > TIMEOUT => return Err(error),
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

/// Start on an empty, formatted directory.
///
/// # Errors
/// If the server does not come up.
pub(super) fn start(stage: &Stage<'_>) -> Result<Metrics> {
    let how = stage.how();
    let mut metrics = Metrics::default();
    metrics.set_ms("format_ms", prepare(&how)?);
    let server = Running::start(&how)?;
    metrics.set_ms("first_answer_ms", server.first_answer);
    let topics = create_when_possible(&server, &[("first".to_owned(), 1)])?;
    metrics.set_ms("first_ack_ms", first_ack(&server, &topics[0])?);
    metrics.add_process(server.pid())?;
    metrics.set_ms("stop_ms", server.stop()?);
    Ok(metrics)
}

/// Start on a directory with many partitions and much data, after a crash or a clean stop.
///
/// # Errors
/// If the server does not come up.
pub(super) fn restart(stage: &Stage<'_>, crash: bool) -> Result<Metrics> {
    let how = stage.how();
    prepare(&how)?;
    let server = Running::start(&how)?;
    let wanted = many(stage.effort.many_partitions);
    let topics = create_when_possible(&server, &wanted)?;
    all_ready(&server, &topics, Instant::now())?;
    let share = stage.effort.restart_bytes / u64::try_from(topics.len())?;
    for topic in &topics {
        fill(&stage.target(&server), topic, &FILLING, share)?;
    }
    let mut metrics = Metrics::default();
    if crash {
        server.kill()?;
    } else {
        metrics.set_ms("stop_ms", server.stop()?);
    }
    let server = Running::start(&how)?;
    metrics.set_ms("first_answer_ms", server.first_answer);
    metrics.set_ms("first_ack_ms", first_ack(&server, &topics[0])?);
    metrics.set_ms("all_ready_ms", all_ready(&server, &topics, server.started)?);
    metrics.add_process(server.pid())?;
    server.stop()?;
    Ok(metrics)
}

/// Creates many partitions, waits for every one, then looks at the server at rest.
///
/// # Errors
/// If one does not come up.
pub(super) fn partitions(stage: &Stage<'_>) -> Result<Metrics> {
    let how = stage.how();
    prepare(&how)?;
    let server = Running::start(&how)?;
    create_when_possible(&server, &[("first".to_owned(), 1)])?;
    let mut client = Client::connect(server.address)?;
    let before = Snapshot::take(server.pid())?;
    let begun = Instant::now();
    let topics = create_topics(&mut client, &many(stage.effort.many_partitions), &[])?;
    let mut metrics = Metrics::default();
    metrics.set_ms("created_ms", begun.elapsed());
    metrics.set_ms("all_ready_ms", all_ready(&server, &topics, begun)?);
    metrics.add_spent(&before.spent()?);
    metrics.add_process(server.pid())?;
    metrics.set(
        "idle_cpu_percent",
        idle_cpu_percent(server.pid(), stage.effort.window)?,
    );
    metrics.set_ms("stop_ms", server.stop()?);
    Ok(metrics)
}
