//! Producing and fetching, one partition at a time.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use ottla_base::{Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use ottla_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use ottla_protocol::messages::produce_request::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use ottla_records::codec::{Compression, Compressor, Decompressor, Levels};
use ottla_records::control::ControlType;
use ottla_records::{BatchBuilder, Entries, Entry};

use super::{Client, TIMEOUT_MS, refused};

/// Bytes that one Fetch asks for.
const FETCH_BYTES: i32 = 4 * 1024 * 1024;

/// What a reader sees of open and aborted transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Everything below the high watermark.
    ReadUncommitted,
    /// Only what is decided, without what was aborted.
    ReadCommitted,
}

/// The answer to one produced batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Produced {
    /// Error code.
    pub error: i16,
    /// Offset of the batch's first record.
    pub base_offset: i64,
}

impl Produced {
    /// Where the batch went.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn offset(self) -> Result<i64> {
        refused(self.error)?;
        Ok(self.base_offset)
    }
}

/// The answer to one fetch.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Error code.
    pub error: i16,
    /// End of what is committed.
    pub high_watermark: i64,
    /// First offset that can be read.
    pub log_start: i64,
    /// Producers and first offsets of aborted transactions, for [`Isolation::ReadCommitted`].
    pub aborted: Vec<(i64, i64)>,
    /// Whole and perhaps one cut batch.
    pub records: Vec<u8>,
}

/// Key and value of a header.
pub type Header = (Vec<u8>, Option<Vec<u8>>);

/// One record with what is known of its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Offset.
    pub offset: i64,
    /// Timestamp in ms since 1970.
    pub timestamp: i64,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value.
    pub value: Option<Vec<u8>>,
    /// Headers, each with its key.
    pub headers: Vec<Header>,
    /// Producer id, -1 without.
    pub producer_id: i64,
}

/// Key and value of a record to be sent.
pub type KeyValue<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Builds a batch of `(key, value)` at the time given; `producer` is id, epoch and first sequence.
///
/// # Errors
/// If the records are too large for a batch.
pub fn batch(
    records: &[KeyValue<'_>],
    timestamp: i64,
    compression: Compression,
    producer: Option<(i64, i16, i32)>,
) -> Result<Vec<u8>> {
    let mut builder = BatchBuilder::new(Offset(0)).compression(compression, Levels::default());
    if let Some((id, epoch, sequence)) = producer {
        builder = builder.producer(ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    }
    for (key, value) in records {
        builder.append(WallMillis(timestamp), *key, *value)?;
    }
    Ok(builder.build(&mut Compressor::new())?)
}

/// Every data record of a fetched buffer, of both formats; a batch that was cut at the end is left out.
///
/// # Errors
/// If a checksum is wrong or bytes are no records.
pub fn records_of(bytes: &[u8], aborted: &[(i64, i64)]) -> Result<(Vec<Record>, Option<i64>)> {
    let mut out = Vec::new();
    let mut next = None;
    let mut scratch = Decompressor::new();
    let mut open: BTreeSet<i64> = BTreeSet::new();
    for entry in Entries::new(bytes) {
        entry.verify_crc()?;
        next = Some(entry.next_offset().0);
        let Entry::Batch(batch) = &entry else {
            bail!(
                "a message set of the old format at offset {}",
                entry.stored_offset()
            );
        };
        let producer = batch.producer_id().0;
        let began = |first: &(i64, i64)| first.0 == producer && first.1 == batch.base_offset().0;
        if aborted.iter().any(began) {
            open.insert(producer);
        }
        for record in batch.records(&mut scratch)? {
            let record = record?;
            if batch.is_control() {
                if ControlType::from_key(record.key)? == ControlType::Abort {
                    open.remove(&producer);
                }
                continue;
            }
            if batch.is_transactional() && open.contains(&producer) {
                continue;
            }
            out.push(Record {
                offset: record.offset.0,
                timestamp: record.timestamp.0,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record
                    .headers
                    .into_iter()
                    .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
                    .collect(),
                producer_id: producer,
            });
        }
    }
    Ok((out, next))
}

impl Client {
    /// Produces one batch and waits for all in-sync replicas.
    ///
    /// # Errors
    /// If there is no answer; an error code is in [`Produced`].
    pub fn produce(&mut self, topic: &str, partition: i32, batch: Vec<u8>) -> Result<Produced> {
        self.send_produce(topic, partition, batch)?;
        self.receive_produced()
    }

    /// Sends one batch, to be acknowledged by all in-sync replicas; [`Client::receive_produced`] reads the answer.
    ///
    /// # Errors
    /// If the connection has ended.
    pub fn send_produce(&mut self, topic: &str, partition: i32, batch: Vec<u8>) -> Result<()> {
        self.send(&ProduceRequest {
            transactional_id: None,
            acks: -1,
            timeout_ms: TIMEOUT_MS,
            topic_data: vec![TopicProduceData {
                name: topic.to_owned(),
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(batch),
                }],
                ..TopicProduceData::default()
            }],
        })
    }

    /// Reads the answer to the oldest batch that was sent.
    ///
    /// # Errors
    /// If there is no answer; an error code is in [`Produced`].
    pub fn receive_produced(&mut self) -> Result<Produced> {
        let response = self.receive::<ProduceRequest>()?;
        let answers = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        let answer = one(answers)?;
        Ok(Produced {
            error: answer.error_code,
            base_offset: answer.base_offset,
        })
    }

    /// Fetches once from one offset on, without waiting.
    ///
    /// # Errors
    /// If there is no answer; an error code is in [`Fetched`].
    pub fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        isolation: Isolation,
    ) -> Result<Fetched> {
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms: 0,
            min_bytes: 1,
            max_bytes: FETCH_BYTES,
            isolation_level: i8::from(isolation == Isolation::ReadCommitted),
            session_epoch: -1,
            topics: vec![FetchTopic {
                topic: topic.to_owned(),
                partitions: vec![FetchPartition {
                    partition,
                    current_leader_epoch: -1,
                    fetch_offset: offset,
                    last_fetched_epoch: -1,
                    log_start_offset: -1,
                    partition_max_bytes: FETCH_BYTES,
                    ..FetchPartition::default()
                }],
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        let response = self.call(&request)?;
        refused(response.error_code)?;
        let data = one(response
            .responses
            .into_iter()
            .flat_map(|topic| topic.partitions))?;
        let aborted = data.aborted_transactions.unwrap_or_default();
        Ok(Fetched {
            error: data.error_code,
            high_watermark: data.high_watermark,
            log_start: data.log_start_offset,
            aborted: aborted
                .iter()
                .map(|txn| (txn.producer_id, txn.first_offset))
                .collect(),
            records: data
                .records
                .context("records that are null instead of empty")?,
        })
    }

    /// Reads a partition from its log start to its end.
    ///
    /// # Errors
    /// If a fetch fails, or makes no progress before the end.
    pub fn read(
        &mut self,
        topic: &str,
        partition: i32,
        isolation: Isolation,
    ) -> Result<Vec<Record>> {
        let mut offset = self.offset(topic, partition, -2)?;
        let end = self.offset_seen(topic, partition, -1, isolation)?;
        let mut records = Vec::new();
        while offset < end {
            let fetched = self.fetch(topic, partition, offset, isolation)?;
            refused(fetched.error).with_context(|| format!("{topic}-{partition} at {offset}"))?;
            let (read, next) = records_of(&fetched.records, &fetched.aborted)
                .with_context(|| format!("{topic}-{partition} at {offset}"))?;
            // A compacted batch may begin below the offset that was asked for.
            records.extend(read.into_iter().filter(|record| record.offset >= offset));
            match next {
                Some(next) if next > offset => offset = next,
                _ => bail!("{topic}-{partition}: nothing at offset {offset}, end {end}"),
            }
        }
        Ok(records)
    }

    /// The first offset at or after a time; -1 asks for the end, -2 for the start.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<i64> {
        self.offset_seen(topic, partition, timestamp, Isolation::ReadUncommitted)
    }

    /// As [`Client::offset`], for a reader of this isolation: its end is the last stable offset.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn offset_seen(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        isolation: Isolation,
    ) -> Result<i64> {
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: i8::from(isolation == Isolation::ReadCommitted),
            topics: vec![ListOffsetsTopic {
                name: topic.to_owned(),
                partitions: vec![ListOffsetsPartition {
                    partition_index: partition,
                    current_leader_epoch: -1,
                    timestamp,
                }],
            }],
            ..ListOffsetsRequest::default()
        };
        let response = self.call(&request)?;
        let answer = one(response.topics.iter().flat_map(|topic| &topic.partitions))?;
        refused(answer.error_code)?;
        Ok(answer.offset)
    }

    /// A new producer id with its epoch.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn init_producer_id(&mut self) -> Result<(i64, i16)> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        };
        let response = self.call(&request)?;
        refused(response.error_code)?;
        Ok((response.producer_id, response.producer_epoch))
    }
}

/// The only element.
pub(super) fn one<T>(mut items: impl Iterator<Item = T>) -> Result<T> {
    let first = items
        .next()
        .context("an answer without the thing asked for")?;
    if items.next().is_some() {
        bail!("more than one answer");
    }
    Ok(first)
}
