//! The workloads by name.

use ottla_records::codec::Compression;

use super::fetch::FetchLoad;
use super::foreign::ForeignLoad;
use super::produce::{ProduceLoad, Rate};
use crate::generators::{Maker, Task};
use crate::servers::Durability;
use crate::wire::{Payload, Records, Shape};

/// What a workload does.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Produces.
    Produce(ProduceLoad),
    /// Fetches what was produced before.
    Fetch(FetchLoad),
    /// Fetches at the end of a log while it grows.
    Tail {
        /// Records a second.
        per_second: f64,
    },
    /// Commits offsets of groups without members.
    OffsetCommit,
    /// Heartbeats of groups with one member.
    Heartbeat,
    /// Asks for one topic.
    Metadata,
    /// Asks for the versions.
    ApiVersions,
    /// Connects, asks for the versions, hangs up.
    Connect,
    /// Lets a client of others produce or consume.
    Foreign(ForeignLoad),
    /// Does nothing.
    Idle,
    /// Starts on an empty directory.
    Start,
    /// Starts on a full one.
    Restart {
        /// Whether it was killed before.
        crash: bool,
    },
    /// Creates many partitions.
    Partitions,
}

/// What a workload needs to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// A server that is up.
    Server(Durability),
    /// A server to start and stop.
    Stage,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Workload {
    /// Name on the command line and in results.
    pub(crate) id: &'static str,
    /// One line about it.
    pub(crate) about: &'static str,
    /// What it does.
    pub(crate) kind: Kind,
    /// What it needs.
    pub(crate) needs: Needs,
}

impl Workload {
    /// The row of that name.
    pub(crate) fn by_id(id: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|workload| workload.id == id)
    }

    /// What it is one of, for a reader.
    pub(crate) fn family(&self) -> &'static str {
        match (&self.kind, self.needs) {
            (Kind::Foreign(_), _) => "Clients of others",
            (_, Needs::Server(Durability::Flushed)) => "Flushed before it is acknowledged",
            (Kind::Produce(load), _) if matches!(load.rate, Rate::Requests(_)) => LATENCY,
            (Kind::Tail { .. }, _) => LATENCY,
            (Kind::Produce(_), _) => "Producing",
            (Kind::Fetch(_), _) => "Consuming",
            (
                Kind::OffsetCommit
                | Kind::Heartbeat
                | Kind::Metadata
                | Kind::ApiVersions
                | Kind::Connect,
                _,
            ) => "Small requests",
            (Kind::Idle | Kind::Start | Kind::Restart { .. } | Kind::Partitions, _) => {
                "Start, restart, rest"
            }
        }
    }

    /// Whose client it needs, if it is not our own.
    pub(crate) fn maker(&self) -> Option<Maker> {
        match &self.kind {
            Kind::Foreign(load) => Some(load.maker),
            _ => None,
        }
    }
}

/// Workloads whose figure is time.
const LATENCY: &str = "Latency at a fixed rate";

/// Largest batch of librdkafka at its defaults (`batch.size`).
const LIBRDKAFKA_BATCH_BYTES: usize = 1_000_000;
/// Records a second that one librdkafka producer makes here, whatever the server: 100-byte records, plain and lz4.
const LIBRDKAFKA_RECORDS: f64 = 1_280_000.0;
const LIBRDKAFKA_RECORDS_LZ4: f64 = 1_510_000.0;
/// The same of 1-KiB records, held below what Apache Kafka takes on one core.
const LIBRDKAFKA_RECORDS_1K: f64 = 400_000.0;
/// Largest batch that `max.message.bytes` lets pass is a little above this.
const MEBIBYTE: usize = 1 << 20;

const fn noise(value_bytes: usize, records: Records) -> Shape {
    Shape {
        value_bytes,
        records,
        codec: Compression::None,
        payload: Payload::Noise,
    }
}

const TINY: Shape = noise(100, Records::Count(1));
const SMALL: Shape = noise(100, Records::Count(150));
const RD_100: Shape = noise(100, Records::Fill(LIBRDKAFKA_BATCH_BYTES));
const RD_1K: Shape = noise(1024, Records::Fill(LIBRDKAFKA_BATCH_BYTES));
const RD_LZ4: Shape = Shape {
    value_bytes: 100,
    records: Records::Fill(LIBRDKAFKA_BATCH_BYTES),
    codec: Compression::Lz4,
    payload: Payload::Text,
};

const fn produce(
    id: &'static str,
    about: &'static str,
    shape: Shape,
    connections: usize,
    partitions: i32,
    rate: Rate,
) -> Workload {
    Workload {
        id,
        about,
        kind: Kind::Produce(ProduceLoad {
            shape,
            connections,
            partitions,
            rate,
        }),
        needs: Needs::Server(Durability::PageCache),
    }
}

const fn flushed(mut workload: Workload) -> Workload {
    workload.needs = Needs::Server(Durability::Flushed);
    workload
}

const fn fetch(id: &'static str, about: &'static str, load: FetchLoad) -> Workload {
    Workload {
        id,
        about,
        kind: Kind::Fetch(load),
        needs: Needs::Server(Durability::PageCache),
    }
}

const fn on_server(id: &'static str, about: &'static str, kind: Kind) -> Workload {
    Workload {
        id,
        about,
        kind,
        needs: Needs::Server(Durability::PageCache),
    }
}

const fn foreign(id: &'static str, about: &'static str, maker: Maker, task: Task) -> Workload {
    on_server(id, about, Kind::Foreign(ForeignLoad { maker, task }))
}

const fn rdkafka(id: &'static str, about: &'static str, task: Task) -> Workload {
    foreign(id, about, Maker::Librdkafka, task)
}

const fn java(id: &'static str, about: &'static str, task: Task) -> Workload {
    foreign(id, about, Maker::Java, task)
}

const fn made(value_bytes: usize) -> Task {
    Task::Produce { value_bytes }
}

const fn read(value_bytes: usize) -> Task {
    Task::Consume { value_bytes }
}

const PACED: Task = Task::Pace {
    value_bytes: 100,
    per_second: 1_000,
};

const fn alone(id: &'static str, about: &'static str, kind: Kind) -> Workload {
    Workload {
        id,
        about,
        kind,
        needs: Needs::Stage,
    }
}

/// Every workload, in the order in which a run does them.
pub(crate) static WORKLOADS: [Workload; 45] = [
    produce(
        "p-tiny",
        "produce one 100-byte record a request, 16 connections x 5 in flight, 16 partitions",
        TINY,
        16,
        16,
        Rate::Closed(5),
    ),
    produce(
        "p-16k",
        "produce 150 records of 100 bytes a request, 16 connections x 5 in flight, 16 partitions",
        SMALL,
        16,
        16,
        Rate::Closed(5),
    ),
    produce(
        "p-1m",
        "produce 1-MiB batches of 100-byte records, 4 connections x 2 in flight, 4 partitions",
        noise(100, Records::Fill(MEBIBYTE)),
        4,
        4,
        Rate::Closed(2),
    ),
    produce(
        "p-100",
        "100-byte records in the batches of one librdkafka producer at its defaults, at its rate",
        RD_100,
        1,
        1,
        Rate::Records(LIBRDKAFKA_RECORDS),
    ),
    produce(
        "p-1k",
        "1-KiB records in the batches of one librdkafka producer at its defaults, 400,000 a second",
        RD_1K,
        1,
        1,
        Rate::Records(LIBRDKAFKA_RECORDS_1K),
    ),
    produce(
        "p-lz4",
        "as p-100, compressed with lz4 by the producer",
        RD_LZ4,
        1,
        1,
        Rate::Records(LIBRDKAFKA_RECORDS_LZ4),
    ),
    fetch(
        "c-100",
        "consume 100-byte records in librdkafka's batches and with its fetch settings, one connection",
        FetchLoad {
            shape: RD_100,
            stored_bytes: 400 << 20,
            partition_max_bytes: 1 << 20,
            connections: 1,
            in_flight: 1,
        },
    ),
    fetch(
        "c-1k",
        "the same with 1-KiB records",
        FetchLoad {
            shape: RD_1K,
            stored_bytes: 400 << 20,
            partition_max_bytes: 1 << 20,
            connections: 1,
            in_flight: 1,
        },
    ),
    fetch(
        "f-1m",
        "fetch 1 MiB a request of 16-KiB batches, one connection",
        FetchLoad {
            shape: SMALL,
            stored_bytes: 400 << 20,
            partition_max_bytes: 1 << 20,
            connections: 1,
            in_flight: 1,
        },
    ),
    fetch(
        "f-tiny",
        "fetch one record a request, 16 connections x 5 in flight",
        FetchLoad {
            shape: TINY,
            stored_bytes: 4 << 20,
            partition_max_bytes: 1,
            connections: 16,
            in_flight: 5,
        },
    ),
    fetch(
        "f-tiny-1",
        "fetch one record a request, one connection, one in flight",
        FetchLoad {
            shape: TINY,
            stored_bytes: 4 << 20,
            partition_max_bytes: 1,
            connections: 1,
            in_flight: 1,
        },
    ),
    produce(
        "lat-1k",
        "open loop of 1,000 one-record requests a second, acks=all, 16 connections",
        TINY,
        16,
        16,
        Rate::Requests(1_000.0),
    ),
    produce(
        "lat-10k",
        "open loop of 10,000 one-record requests a second, acks=all, 16 connections",
        TINY,
        16,
        16,
        Rate::Requests(10_000.0),
    ),
    on_server(
        "tail",
        "from produced to consumed at 5,000 records a second, one partition, one consumer",
        Kind::Tail {
            per_second: 5_000.0,
        },
    ),
    on_server(
        "commit",
        "OffsetCommit, 16 connections x 5 in flight, a group each",
        Kind::OffsetCommit,
    ),
    on_server(
        "heartbeat",
        "Heartbeat, 16 connections x 5 in flight, a member each",
        Kind::Heartbeat,
    ),
    on_server(
        "metadata",
        "Metadata of a topic of 16 partitions, 16 connections x 5 in flight",
        Kind::Metadata,
    ),
    on_server(
        "apiversions",
        "ApiVersions, 16 connections x 5 in flight",
        Kind::ApiVersions,
    ),
    on_server(
        "connect",
        "connect, ask for the versions, hang up; 16 at a time",
        Kind::Connect,
    ),
    flushed(produce(
        "fsync",
        "p-tiny with flush.messages=1",
        TINY,
        16,
        16,
        Rate::Closed(5),
    )),
    flushed(produce(
        "fsync-256",
        "one record a request, 256 connections, 16 partitions, flush.messages=1",
        TINY,
        256,
        16,
        Rate::Closed(1),
    )),
    flushed(produce(
        "fsync-lat",
        "lat-1k with flush.messages=1",
        TINY,
        16,
        16,
        Rate::Requests(1_000.0),
    )),
    alone(
        "idle",
        "after a start: memory, CPU, and the same with 1,000 idle connections",
        Kind::Idle,
    ),
    alone(
        "start",
        "start of the process on a formatted, empty directory to first answer and first ack",
        Kind::Start,
    ),
    alone(
        "restart-crash",
        "the same after kill -9 with 2,000 partitions and 1 GiB",
        Kind::Restart { crash: true },
    ),
    alone(
        "restart-clean",
        "the same after a clean stop",
        Kind::Restart { crash: false },
    ),
    alone(
        "partitions-2000",
        "2,000 partitions created and every one ready, then idle",
        Kind::Partitions,
    ),
    produce(
        "p-zstd",
        "as p-lz4, compressed with zstd",
        Shape {
            value_bytes: 100,
            records: Records::Fill(LIBRDKAFKA_BATCH_BYTES),
            codec: Compression::Zstd,
            payload: Payload::Text,
        },
        1,
        1,
        Rate::Records(LIBRDKAFKA_RECORDS_LZ4),
    ),
    produce(
        "p-1m-1k",
        "p-1m with 1-KiB records",
        noise(1024, Records::Fill(MEBIBYTE)),
        4,
        4,
        Rate::Closed(2),
    ),
    produce(
        "p-keys",
        "many small producers: one record a request, 50 connections x 5 in flight, 100 partitions",
        TINY,
        50,
        100,
        Rate::Closed(5),
    ),
    flushed(produce(
        "fsync-100",
        "one record a request, 100 connections, 100 partitions, flush.messages=1",
        TINY,
        100,
        100,
        Rate::Closed(1),
    )),
    rdkafka(
        "rdkafka-p-10",
        "librdkafka produces 10-byte records as fast as it takes them, at its defaults",
        made(10),
    ),
    rdkafka("rdkafka-p-100", "the same with 100 bytes", made(100)),
    rdkafka("rdkafka-p-1k", "the same with 1 KiB", made(1_024)),
    rdkafka("rdkafka-p-10k", "the same with 10 KiB", made(10_240)),
    rdkafka(
        "rdkafka-c-100",
        "librdkafka consumes 100-byte records in 16-KiB batches, at its defaults",
        read(100),
    ),
    rdkafka("rdkafka-c-1k", "the same with 1-KiB records", read(1_024)),
    rdkafka(
        "rdkafka-lat-1k",
        "librdkafka produces 1,000 records a second with linger.ms=0, acks=all, idempotence off",
        PACED,
    ),
    java(
        "java-p-10",
        "kafka-producer-perf-test, 10-byte records without a limit, at its defaults",
        made(10),
    ),
    java("java-p-100", "the same with 100 bytes", made(100)),
    java("java-p-1k", "the same with 1 KiB", made(1_024)),
    java("java-p-10k", "the same with 10 KiB", made(10_240)),
    java(
        "java-c-100",
        "kafka-consumer-perf-test, 100-byte records in 16-KiB batches, at its defaults",
        read(100),
    ),
    java("java-c-1k", "the same with 1-KiB records", read(1_024)),
    java(
        "java-e2e",
        "kafka-e2e-latency: each 100-byte record is consumed before the next is produced",
        PACED,
    ),
];
