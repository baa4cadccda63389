//! The settings of a producer, as Kafka's keys describe it.

use std::time::Duration;

use krafka::producer::{Acks, ProducerBuilder, RoundRobinPartitioner};
use krafka::{Compression, Kafka, KrafkaError, Record};
use tokio::time::Instant;

use super::connection::Connection;
use super::settings::{Settings, exception, invalid};
use crate::console::topics::check_name;

/// What a batch costs besides its records, in Kafka's count of a record's size.
const BATCH_OVERHEAD: usize = 61;
/// Most that a record costs besides key, value and headers, in Kafka's count.
const RECORD_OVERHEAD: usize = 21;

/// What a producer needs to know.
#[derive(Debug, Clone)]
pub(crate) struct ProducerSettings {
    connection: Connection,
    acks: Acks,
    idempotent: bool,
    compression: Compression,
    level: Option<i32>,
    batch_size: usize,
    linger: Duration,
    /// `delivery.timeout.ms`.
    pub(crate) delivery_timeout: Duration,
    retry_backoff: Duration,
    /// `max.request.size`.
    pub(crate) max_request: usize,
    /// `max.block.ms`.
    pub(crate) max_block: Duration,
    buffer_memory: usize,
    metrics_push: bool,
    round_robin: bool,
    /// `transactional.id`.
    pub(crate) transactional_id: Option<String>,
    transaction_timeout: Duration,
}

impl ProducerSettings {
    /// Reads the keys of a producer.
    ///
    /// # Errors
    /// Kafka's exception for values that cannot be used.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let connection = Connection::new(settings, true)?;
        let transactional_id = settings
            .text("transactional.id")
            .filter(|id| !id.is_empty())
            .map(str::to_owned);
        let (acks, idempotent) = acks(settings, transactional_id.is_some())?;
        let (compression, level) = compression(settings)?;
        let linger = settings.millis("linger.ms", 5)?;
        let max_request = settings.bytes("max.request.size", 1_048_576, 1)?;
        let buffer_memory = settings.bytes("buffer.memory", 33_554_432, 1)?;
        let batch_size = settings.bytes("batch.size", 16_384, 0)?;
        // The library has one batch of a partition on its way at a time, which keeps every promise that the
        // key can ask for.
        let _ = settings.text("max.in.flight.requests.per.connection");
        let produced = Self {
            delivery_timeout: delivery_timeout(settings, linger + connection.request_timeout)?,
            connection,
            acks,
            idempotent,
            compression,
            level,
            // The library refuses batches that are larger than a request or the buffer.
            batch_size: batch_size.clamp(1, max_request.min(buffer_memory).max(1)),
            linger,
            retry_backoff: settings.millis("retry.backoff.ms", 100)?,
            max_request,
            max_block: settings.millis("max.block.ms", 60_000)?,
            buffer_memory,
            metrics_push: settings.flag("enable.metrics.push", true)?,
            round_robin: settings
                .text("partitioner.class")
                .is_some_and(|class| class.ends_with(".RoundRobinPartitioner")),
            transactional_id,
            transaction_timeout: settings.millis("transaction.timeout.ms", 60_000)?,
        };
        Ok(produced)
    }

    /// Name of the client in lines of a log.
    pub(crate) fn log_name(&self) -> String {
        let id = self.connection.client_id();
        match &self.transactional_id {
            Some(transactional) => {
                format!("Producer clientId={id}, transactionalId={transactional}")
            }
            None => format!("Producer clientId={id}"),
        }
    }

    /// The builder of a producer over `kafka`.
    pub(crate) fn builder(&self, kafka: &Kafka) -> ProducerBuilder {
        let mut builder = kafka
            .producer()
            .acks(self.acks)
            .idempotent(self.idempotent)
            .compression(self.compression)
            .compression_level(self.level)
            .batch_size(self.batch_size)
            .linger(self.linger)
            .delivery_timeout(self.delivery_timeout)
            .retry_backoff(self.retry_backoff)
            .max_request_size(self.max_request)
            .max_block(self.max_block)
            .buffer_memory(self.buffer_memory)
            .metrics_push(self.metrics_push);
        if self.round_robin {
            builder = builder.partitioner(RoundRobinPartitioner::new());
        }
        if self.transactional_id.is_some() {
            builder = builder.transaction_timeout(self.transaction_timeout);
        }
        builder
    }

    /// Reaches the cluster.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(crate) async fn open(&self, deadline: Option<Instant>) -> Result<Kafka, KrafkaError> {
        self.connection.open(deadline).await
    }

    /// Refuses a record that can go nowhere, in the words of Kafka's producer.
    ///
    /// # Errors
    /// The exception.
    pub(crate) fn check(&self, record: &Record) -> Result<(), String> {
        check_name(&record.topic)?;
        self.check_size(record_size(record))
    }

    /// Refuses a record that is larger than a request may be.
    ///
    /// # Errors
    /// The exception.
    pub(crate) fn check_size(&self, bytes: usize) -> Result<(), String> {
        if bytes > self.max_request {
            return Err(format!(
                "org.apache.kafka.common.errors.RecordTooLargeException: The message is {bytes} bytes \
                 when serialized which is larger than {}, which is the value of the max.request.size \
                 configuration.",
                self.max_request
            ));
        }
        Ok(())
    }
}

/// Size of a record as Kafka's producer estimates it.
fn record_size(record: &Record) -> usize {
    let field = |bytes: Option<usize>| bytes.map_or(1, |bytes| varint_size(bytes) + bytes);
    let headers: usize = record
        .headers
        .iter()
        .map(|(key, value)| field(Some(key.len())) + field(value.as_ref().map(bytes::Bytes::len)))
        .sum();
    BATCH_OVERHEAD
        + RECORD_OVERHEAD
        + field(record.key.as_ref().map(bytes::Bytes::len))
        + field(record.value.as_ref().map(bytes::Bytes::len))
        + varint_size(record.headers.len())
        + headers
}

/// Size of a record that is nothing but a value of so many bytes.
pub(crate) fn value_size(bytes: usize) -> usize {
    let value = varint_size(bytes).saturating_add(bytes);
    value.saturating_add(BATCH_OVERHEAD + RECORD_OVERHEAD + 2)
}

/// Bytes of a length as a zigzag varint.
fn varint_size(length: usize) -> usize {
    let mut rest = length.saturating_mul(2) >> 7;
    let mut size = 1;
    while rest > 0 {
        rest >>= 7;
        size += 1;
    }
    size
}

fn acks(settings: &Settings, transactional: bool) -> Result<(Acks, bool), String> {
    let acks = settings.choice(
        "acks",
        Acks::All,
        &[
            ("all", Acks::All),
            ("-1", Acks::All),
            ("0", Acks::None),
            ("1", Acks::Leader),
        ],
    )?;
    let wanted = settings.text("enable.idempotence").is_some() || transactional;
    let idempotent = settings.flag("enable.idempotence", true)?;
    if transactional && !idempotent {
        return Err(exception(
            "Cannot set a transactional.id without also enabling idempotence.",
        ));
    }
    if acks != Acks::All && idempotent && wanted {
        return Err(exception(
            "Must set acks to all in order to use the idempotent producer. Otherwise we cannot \
             guarantee idempotence.",
        ));
    }
    Ok((acks, idempotent && acks == Acks::All))
}

fn compression(settings: &Settings) -> Result<(Compression, Option<i32>), String> {
    let codec = settings.choice(
        "compression.type",
        Compression::None,
        &[
            ("none", Compression::None),
            ("gzip", Compression::Gzip),
            ("snappy", Compression::Snappy),
            ("lz4", Compression::Lz4),
            ("zstd", Compression::Zstd),
        ],
    )?;
    let level = match codec {
        Compression::Gzip => settings
            .text("compression.gzip.level")
            .map(|value| ("compression.gzip.level", value)),
        Compression::Zstd => settings
            .text("compression.zstd.level")
            .map(|value| ("compression.zstd.level", value)),
        _ => None,
    };
    let Some((key, value)) = level else {
        return Ok((codec, None));
    };
    let number: i32 = value
        .parse()
        .map_err(|_| invalid(key, value, "Not a number of type INT"))?;
    // gzip's -1 is its default.
    Ok((
        codec,
        Some(number).filter(|level| *level != -1 || codec == Compression::Zstd),
    ))
}

fn delivery_timeout(settings: &Settings, least: Duration) -> Result<Duration, String> {
    let given = settings.text("delivery.timeout.ms").is_some();
    let timeout = settings.millis("delivery.timeout.ms", 120_000)?;
    if timeout >= least {
        return Ok(timeout);
    }
    if given {
        return Err(exception(
            "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms",
        ));
    }
    Ok(least)
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::settings;
    use super::*;

    #[test]
    fn sizes_are_those_of_kafka() {
        for (length, size) in [(0, 1), (63, 1), (64, 2), (8191, 2), (8192, 3)] {
            assert_eq!(varint_size(length), size, "{length}");
        }
        let record = Record::new("t", vec![0_u8; 100]);
        // 61 for the batch, 21 for the record, no key, the value, no headers.
        assert_eq!(record_size(&record), 61 + 21 + 1 + 102 + 1);
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let check = |pairs: &[(&str, &str)], expected: Result<(), &str>| {
            let mut all = vec![("bootstrap.servers", "localhost:9092")];
            all.extend_from_slice(pairs);
            let made = ProducerSettings::new(&settings(&all));
            match (made, expected) {
                (Ok(_), Ok(())) => {}
                (Err(error), Err(text)) => assert!(error.contains(text), "{pairs:?}: {error}"),
                (made, expected) => panic!("{pairs:?}: {made:?}, not {expected:?}"),
            }
        };
        check(&[], Ok(()));
        check(&[("acks", "1")], Ok(()));
        check(
            &[("acks", "1"), ("enable.idempotence", "true")],
            Err("Must set acks to all"),
        );
        check(
            &[("acks", "2")],
            Err("String must be one of: all, -1, 0, 1"),
        );
        check(
            &[("delivery.timeout.ms", "10")],
            Err("should be equal to or larger than linger.ms + request.timeout.ms"),
        );
        check(&[("request.timeout.ms", "300000")], Ok(()));
        check(
            &[("compression.type", "brotli")],
            Err("none, gzip, snappy, lz4, zstd"),
        );
        check(&[("batch.size", "99999999")], Ok(()));
        check(
            &[("transactional.id", "t"), ("enable.idempotence", "false")],
            Err("without also enabling idempotence"),
        );
    }
}
