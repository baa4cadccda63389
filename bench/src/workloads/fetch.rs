//! Fetch: reads again and again what was produced before, from the page cache.

use anyhow::{Context, Result, bail};
use bumpalo::Bump;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch_response::borrowed::FetchResponseRef;
use ottla_protocol::{ApiKey, Reader, RecordsPayload};
use ottla_records::Batches;

use super::produce::fill;
use super::{Metrics, Target};
use crate::load::{Outgoing, Pace, Tally, Traffic};
use crate::wire::{Client, Shape, Topic, create_topic, delete_topic, error_name, request_frame};

/// librdkafka's and Java's `fetch.wait.max.ms`.
const MAX_WAIT_MS: i32 = 500;
/// `fetch.max.bytes` of both.
const MAX_BYTES: i32 = 50 << 20;
/// First version that names topics by id.
const TOPIC_IDS_FROM: i16 = 13;

/// What to fetch.
#[derive(Debug)]
pub(crate) struct FetchLoad {
    /// The batches in the log.
    pub(crate) shape: Shape,
    /// Bytes in the log.
    pub(crate) stored_bytes: u64,
    /// Bytes wanted of a partition; at least one batch comes.
    pub(crate) partition_max_bytes: i32,
    /// Connections, all on the one partition.
    pub(crate) connections: usize,
    /// Requests under way per connection.
    pub(crate) in_flight: usize,
}

/// One partition's consumers.
#[derive(Debug)]
pub(crate) struct Reading {
    version: i16,
    topic: Topic,
    partition_max_bytes: i32,
    arena: Bump,
}

/// What a Fetch answer held.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fetched {
    /// Offset behind the last whole batch; `None` if there was none.
    pub(crate) next: Option<i64>,
    /// Records in whole batches.
    pub(crate) records: u64,
    /// Bytes of the records field.
    pub(crate) bytes: u64,
}

impl Reading {
    /// Prepares to read partition 0 of `topic`.
    ///
    /// # Errors
    /// If the server does not speak Fetch.
    pub(crate) fn new(
        target: &Target<'_>,
        topic: &Topic,
        partition_max_bytes: i32,
    ) -> Result<Self> {
        let version = Client::connect(target.address)?.version(ApiKey::Fetch)?;
        Ok(Self {
            version,
            topic: topic.clone(),
            partition_max_bytes,
            arena: Bump::new(),
        })
    }

    /// API and version.
    pub(crate) fn api(&self) -> (ApiKey, i16) {
        (ApiKey::Fetch, self.version)
    }

    /// A request without a session for the records from `offset`.
    ///
    /// # Errors
    /// If it has no form in the version.
    pub(crate) fn request(&self, offset: i64, correlation_id: i32) -> Result<Vec<u8>> {
        let mut topic = FetchTopic {
            partitions: vec![FetchPartition {
                fetch_offset: offset,
                partition_max_bytes: self.partition_max_bytes,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        };
        if self.version >= TOPIC_IDS_FROM {
            topic.topic_id = self.topic.id;
        } else {
            topic.topic.clone_from(&self.topic.name);
        }
        let request = FetchRequest {
            max_wait_ms: MAX_WAIT_MS,
            min_bytes: 1,
            max_bytes: MAX_BYTES,
            topics: vec![topic],
            ..FetchRequest::default()
        };
        let version = self.version;
        request_frame(ApiKey::Fetch, version, correlation_id, |w| {
            request.encode(w, version)
        })
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// If it says that something is wrong.
    pub(crate) fn answer(&mut self, body: &[u8]) -> Result<Fetched> {
        self.arena.reset();
        let response = FetchResponseRef::decode(&mut Reader::new(body), &self.arena, self.version)?;
        if response.error_code != 0 {
            bail!("Fetch: {}", error_name(response.error_code));
        }
        let topic = response.responses.first().context("an empty answer")?;
        let partition = topic.partitions.first().context("an empty answer")?;
        if partition.error_code != 0 {
            bail!("Fetch: {}", error_name(partition.error_code));
        }
        let RecordsPayload::Inline(bytes) = partition.records else {
            return Ok(Fetched::default());
        };
        let mut fetched = Fetched {
            bytes: u64::try_from(bytes.len())?,
            ..Fetched::default()
        };
        for batch in Batches::new(bytes) {
            let header = batch.header();
            fetched.next = Some(header.last_offset().0 + 1);
            fetched.records += u64::try_from(header.record_count).unwrap_or(0);
        }
        Ok(fetched)
    }
}

/// Reads the log over and over.
#[derive(Debug)]
struct FetchTraffic {
    reading: Reading,
    end: i64,
    /// Offset of the next request of each connection.
    next: Vec<i64>,
    /// Records that an answer holds, where more than one request is under way and the next offset has to be foreseen.
    stride: Option<i64>,
}

impl Traffic for FetchTraffic {
    fn api(&self, _connection: usize) -> (ApiKey, i16) {
        self.reading.api()
    }

    fn send(
        &mut self,
        connection: usize,
        correlation_id: i32,
        _due: u64,
        out: &mut Outgoing,
    ) -> Result<()> {
        let offset = self.next[connection];
        out.push_bytes(&self.reading.request(offset, correlation_id)?);
        if let Some(stride) = self.stride {
            self.next[connection] = if offset + stride < self.end {
                offset + stride
            } else {
                0
            };
        }
        Ok(())
    }

    fn receive(&mut self, connection: usize, body: &[u8], _now: u64) -> Result<Tally> {
        let fetched = self.reading.answer(body)?;
        let next = fetched
            .next
            .context("a Fetch below the end gave no batch")?;
        if self.stride.is_none() {
            self.next[connection] = if next < self.end { next } else { 0 };
        }
        Ok(Tally {
            records: fetched.records,
            bytes: fetched.bytes,
        })
    }
}

/// Runs a fetch workload on a topic of its own.
///
/// # Errors
/// If a request is refused.
pub(super) fn run(target: &Target<'_>, id: &str, load: &FetchLoad) -> Result<Metrics> {
    let topic = create_topic(target.address, id, 1, &[])?;
    let stored = load.stored_bytes.min(target.effort.bytes_max);
    let records = fill(target, &topic, &load.shape, stored)?;
    let end = i64::try_from(records)?;
    let connections = i64::try_from(load.connections)?;
    let mut traffic = FetchTraffic {
        reading: Reading::new(target, &topic, load.partition_max_bytes)?,
        end,
        next: (0..connections).map(|i| end / connections * i).collect(),
        stride: (load.in_flight > 1).then_some(1),
    };
    if load.in_flight == 1 {
        // Only one request at a time: every connection begins at a batch.
        traffic.next.fill(0);
    }
    let paces = vec![Pace::Closed(load.in_flight); load.connections];
    // Nothing is written, so the window may move as much as it likes.
    let target = Target {
        effort: super::Effort {
            bytes_max: u64::MAX / 2,
            ..target.effort
        },
        ..*target
    };
    let (outcome, spent) = target.measure(&mut traffic, &paces, &paces)?;
    let mut metrics = Metrics::default();
    metrics.add_outcome(&outcome, &spent);
    metrics.add_process(target.pid)?;
    delete_topic(target.address, &topic)?;
    Ok(metrics)
}
