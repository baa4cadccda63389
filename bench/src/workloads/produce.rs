//! Produce: prebuilt batches, closed or open.

use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{ProduceRequest, ProduceResponse};
use ottla_protocol::{ApiKey, Reader};

use super::{Metrics, Target};
use crate::host::WarmPages;
use crate::load::{Engine, Outgoing, Pace, Tally, Traffic, Until};
use crate::servers::Durability;
use crate::wire::{
    Client, Shape, Topic, build_batch, create_topic, delete_topic, error_name, request_frame,
};

/// Acknowledged once every in-sync replica has it.
const ACKS_ALL: i16 = -1;
/// Time that the server has for a request.
const TIMEOUT_MS: i32 = 30_000;
/// Requests under way per connection while warming up for an open pace.
const WARM_IN_FLIGHT: usize = 5;
/// Bytes of memory that are given back ahead of what is written.
const PAGES_AHEAD: u64 = 128 << 20;
/// Bytes of memory that are given back at once.
const PAGES_AT_ONCE: u64 = 16 << 20;
/// First version that names topics by id.
const TOPIC_IDS_FROM: i16 = 13;

/// How fast.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rate {
    /// As fast as answers come, with so many requests under way per connection.
    Closed(usize),
    /// So many requests a second over all connections.
    Requests(f64),
    /// So many records a second over all connections.
    Records(f64),
}

/// What to produce.
#[derive(Debug)]
pub(crate) struct ProduceLoad {
    /// The batches; one batch a request.
    pub(crate) shape: Shape,
    /// Connections.
    pub(crate) connections: usize,
    /// Partitions, taken in turn by each connection.
    pub(crate) partitions: i32,
    /// How fast.
    pub(crate) rate: Rate,
}

/// Requests for the partitions of one topic.
#[derive(Debug)]
pub(crate) struct ProduceTraffic {
    version: i16,
    frames: Vec<Rc<[u8]>>,
    records: u64,
    bytes: u64,
    /// Next frame of each connection.
    next: Vec<usize>,
    /// Bytes that the measured window writes at most.
    written: u64,
    /// As many pages, given back as they are written.
    pages: Option<WarmPages>,
    /// Bytes sent since pages were given back last.
    sent: u64,
}

impl ProduceTraffic {
    /// Builds a request for each partition of `topic`.
    ///
    /// # Errors
    /// If the server does not speak Produce.
    pub(crate) fn new(
        target: &Target<'_>,
        topic: &Topic,
        shape: &Shape,
        connections: usize,
    ) -> Result<Self> {
        let version = Client::connect(target.address)?.version(ApiKey::Produce)?;
        let mut frames = Vec::new();
        let mut records = 0;
        let mut bytes = 0;
        for index in 0..topic.partitions {
            let (batch, count) = build_batch(shape, u64::try_from(index)? + 1)?;
            records = u64::from(count);
            bytes = u64::try_from(batch.len())?;
            let mut data = TopicProduceData {
                partition_data: vec![PartitionProduceData {
                    index,
                    records: Some(batch),
                }],
                ..TopicProduceData::default()
            };
            if version >= TOPIC_IDS_FROM {
                data.topic_id = topic.id;
            } else {
                data.name.clone_from(&topic.name);
            }
            let request = ProduceRequest {
                acks: ACKS_ALL,
                timeout_ms: TIMEOUT_MS,
                topic_data: vec![data],
                ..ProduceRequest::default()
            };
            let frame = request_frame(ApiKey::Produce, version, 0, |w| request.encode(w, version))?;
            frames.push(frame.into());
        }
        // Neighbours begin with different partitions.
        let next = (0..connections).map(|i| i % frames.len()).collect();
        Ok(Self {
            version,
            frames,
            records,
            bytes,
            next,
            written: 0,
            pages: None,
            sent: 0,
        })
    }

    /// Bytes that a window at `paces` writes at most.
    fn most_written(&self, target: &Target<'_>, paces: &[Pace]) -> u64 {
        let window = target.window();
        let window_ns = u64::try_from(window.elapsed.as_nanos()).unwrap_or(u64::MAX);
        let of_pace = |pace: &Pace| match pace {
            Pace::Closed(_) => window.bytes,
            Pace::Open { interval_ns, .. } => (window_ns / interval_ns + 1) * self.bytes,
        };
        let sum = paces.iter().map(of_pace).fold(0, u64::saturating_add);
        sum.min(window.bytes)
    }

    /// Records in a request.
    pub(crate) fn records_per_request(&self) -> u64 {
        self.records
    }
}

/// Checks the answer to a Produce request for one partition; returns the base offset.
///
/// # Errors
/// If the records were refused.
pub(crate) fn check_produced(body: &[u8], version: i16) -> Result<i64> {
    let response = ProduceResponse::decode(&mut Reader::new(body), version)?;
    let topic = response.responses.first().context("an empty answer")?;
    let partition = topic
        .partition_responses
        .first()
        .context("an empty answer")?;
    if partition.error_code != 0 {
        let code = error_name(partition.error_code);
        bail!(
            "Produce: {code} {}",
            partition.error_message.as_deref().unwrap_or_default()
        );
    }
    Ok(partition.base_offset)
}

impl Traffic for ProduceTraffic {
    fn api(&self, _connection: usize) -> (ApiKey, i16) {
        (ApiKey::Produce, self.version)
    }

    fn send(
        &mut self,
        connection: usize,
        correlation_id: i32,
        _due: u64,
        out: &mut Outgoing,
    ) -> Result<()> {
        let next = &mut self.next[connection];
        out.push_frame(&self.frames[*next], correlation_id);
        *next = (*next + 1) % self.frames.len();
        self.sent += self.bytes;
        if self.sent >= PAGES_AT_ONCE
            && let Some(pages) = &mut self.pages
        {
            pages.give(self.sent)?;
            self.sent = 0;
        }
        Ok(())
    }

    fn begin_window(&mut self, work: &Path) -> Result<()> {
        if self.written > 0 {
            let mut pages = WarmPages::touch(work, self.written + PAGES_AHEAD)?;
            pages.give(PAGES_AHEAD)?;
            self.pages = Some(pages);
            self.sent = 0;
        }
        Ok(())
    }

    fn receive(&mut self, _connection: usize, body: &[u8], _now: u64) -> Result<Tally> {
        check_produced(body, self.version)?;
        Ok(Tally {
            records: self.records,
            bytes: self.bytes,
        })
    }
}

/// Fills `topic` with at least `bytes` of batches.
///
/// # Errors
/// If a request is refused.
pub(crate) fn fill(target: &Target<'_>, topic: &Topic, shape: &Shape, bytes: u64) -> Result<u64> {
    let mut traffic = ProduceTraffic::new(target, topic, shape, 1)?;
    let mut engine = Engine::connect(target.address, 1)?;
    let until = Until {
        elapsed: std::time::Duration::from_secs(300),
        requests: u64::MAX,
        bytes,
    };
    let outcome = engine.run(&mut traffic, &[Pace::Closed(WARM_IN_FLIGHT)], until)?;
    Ok(outcome.records)
}

/// Runs a produce workload on a topic of its own.
///
/// # Errors
/// If a request is refused.
pub(super) fn run(target: &Target<'_>, id: &str, load: &ProduceLoad) -> Result<Metrics> {
    let topic = create_topic(
        target.address,
        id,
        load.partitions,
        target.durability.topic_configs(),
    )?;
    let mut traffic = ProduceTraffic::new(target, &topic, &load.shape, load.connections)?;
    let closed = |n| vec![Pace::Closed(n); load.connections];
    let (warm, paces) = match load.rate {
        Rate::Closed(in_flight) => (closed(in_flight), closed(in_flight)),
        Rate::Requests(per_second) => (
            closed(WARM_IN_FLIGHT),
            Pace::spread(load.connections, per_second),
        ),
        Rate::Records(per_second) => {
            let per_second = per_second / traffic.records_per_request() as f64;
            (
                closed(WARM_IN_FLIGHT),
                Pace::spread(load.connections, per_second),
            )
        }
    };
    if target.durability == Durability::PageCache {
        // A flush of the whole file system would write those pages too.
        traffic.written = traffic.most_written(target, &paces);
    }
    let (outcome, spent) = target.measure(&mut traffic, &warm, &paces)?;
    let mut metrics = Metrics::default();
    metrics.add_outcome(&outcome, &spent);
    metrics.add_process(target.pid)?;
    delete_topic(target.address, &topic)?;
    Ok(metrics)
}
