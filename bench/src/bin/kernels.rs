//! `ottla-kernels NAME COUNT`: does one of the small things that a broker does most, so many times, and nothing else.
//!
//! `cargo xtask bench kernels` runs it under callgrind and compares the instructions of one call with those that are
//! written down in `bench/kernels.tsv`. What comes before the first call is the same for every count, so two counts give the
//! cost of a call. Nothing depends on time or chance.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool talks on its terminal"
)]

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bumpalo::Bump;
use ottla_base::{LeaderEpoch, Offset, WallMillis};
use ottla_disk::{FileCache, OsDisk};
use ottla_env::{Disk, OsRng, SystemClock};
use ottla_log::LogConfig;
use ottla_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::produce_request::borrowed::ProduceRequestRef;
use ottla_protocol::messages::produce_request::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use ottla_protocol::{Reader, Writer};
use ottla_records::codec::{Compression, Compressor, Levels};
use ottla_records::validate::{ProduceRules, Scratch, TargetCompression, validate_produce};
use ottla_records::{BatchBuilder, BatchView, TimestampType};
use ottla_storage::{LeaderBatch, Log, Origin, StorageEnv};

/// When every record was made.
const TIME: WallMillis = WallMillis(1_700_000_000_000);
/// Largest batch and segment.
const BYTES_MAX: usize = 1 << 30;

/// What is counted: one call.
type Kernel = Box<dyn FnMut() -> Result<()>>;

/// Sets something up.
type Prepare = fn() -> Result<Kernel>;

/// Every kernel by name.
const KERNELS: &[(&str, Prepare)] = &[
    ("crc32c_16k", crc),
    ("build_150x100", || build(Compression::None)),
    ("build_150x100_lz4", || build(Compression::Lz4)),
    ("validate_1x100", || validate(1, Compression::None)),
    ("validate_150x100", || validate(150, Compression::None)),
    ("validate_150x100_gzip", || validate(150, Compression::Gzip)),
    ("validate_150x100_snappy", || {
        validate(150, Compression::Snappy)
    }),
    ("validate_150x100_lz4", || validate(150, Compression::Lz4)),
    ("validate_150x100_zstd", || validate(150, Compression::Zstd)),
    ("decode_produce", decode_produce),
    ("encode_metadata_100", encode_metadata),
    ("append_1x100", || append(1)),
    ("append_150x100", || append(150)),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, count] = arguments.as_slice() else {
        for (name, _) in KERNELS {
            println!("{name}");
        }
        return Ok(());
    };
    let Some((_, prepare)) = KERNELS.iter().find(|(one, _)| one == name) else {
        bail!("no kernel {name}");
    };
    let mut call = prepare()?;
    for _ in 0..count.parse::<u32>().context("a count")? {
        call()?;
    }
    Ok(())
}

/// A batch of records of 100 bytes, words that a codec shortens.
fn batch(records: usize, codec: Compression) -> Result<Vec<u8>> {
    let mut builder = BatchBuilder::new(Offset(0)).compression(codec, Levels::default());
    for number in 0..records {
        let value =
            format!("{number:08} a line of some words that come again and again {number:08} ")
                .bytes()
                .cycle()
                .take(100)
                .collect::<Vec<u8>>();
        builder.append(TIME, None, Some(&value))?;
    }
    Ok(builder.build(&mut Compressor::new())?)
}

fn crc() -> Result<Kernel> {
    let bytes = vec![0x5a; 16 << 10];
    Ok(Box::new(move || {
        black_box(ottla_records::crc32c(black_box(&bytes)));
        Ok(())
    }))
}

fn build(codec: Compression) -> Result<Kernel> {
    let mut compressor = Compressor::new();
    let value = [b'v'; 100];
    Ok(Box::new(move || {
        let mut builder = BatchBuilder::new(Offset(0)).compression(codec, Levels::default());
        for _ in 0..150 {
            builder.append(TIME, None, Some(black_box(&value)))?;
        }
        black_box(builder.build(&mut compressor)?);
        Ok(())
    }))
}

fn rules() -> ProduceRules {
    ProduceRules {
        now: TIME,
        max_message_bytes: BYTES_MAX,
        segment_bytes: BYTES_MAX,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        compression: TargetCompression::Producer,
        levels: Levels::default(),
        zstd_known: true,
    }
}

fn validate(records: usize, codec: Compression) -> Result<Kernel> {
    let (bytes, rules, mut scratch) = (batch(records, codec)?, rules(), Scratch::default());
    Ok(Box::new(move || {
        black_box(validate_produce(black_box(&bytes), &rules, &mut scratch)?);
        Ok(())
    }))
}

fn decode_produce() -> Result<Kernel> {
    let version = 12;
    let records = batch(1, Compression::None)?;
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: "a-topic".to_owned(),
            partition_data: (0..10)
                .map(|index| PartitionProduceData {
                    index,
                    records: Some(records.clone()),
                })
                .collect(),
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let mut w = Writer::new();
    request.encode(&mut w, version)?;
    let mut arena = Bump::new();
    Ok(Box::new(move || {
        let mut r = Reader::new(black_box(&w.buf));
        black_box(&ProduceRequestRef::decode(&mut r, &arena, version)?);
        arena.reset();
        Ok(())
    }))
}

fn encode_metadata() -> Result<Kernel> {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        replica_nodes: vec![1, 2, 3],
        isr_nodes: vec![1, 2, 3],
        ..MetadataResponsePartition::default()
    };
    let response = MetadataResponse {
        topics: vec![MetadataResponseTopic {
            name: Some("a-topic".to_owned()),
            partitions: (0..100).map(partition).collect(),
            ..MetadataResponseTopic::default()
        }],
        ..MetadataResponse::default()
    };
    let mut w = Writer::new();
    Ok(Box::new(move || {
        w.buf.clear();
        black_box(&response).encode(&mut w, 12)?;
        black_box(&w.buf);
        Ok(())
    }))
}

/// Appends to a log on the operating system's disk; what the kernel does is not counted.
fn append(records: usize) -> Result<Kernel> {
    let folder = tempfile::tempdir()?;
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let env = Arc::new(StorageEnv {
        files: FileCache::new(Arc::clone(&disk), 100),
        disk,
        clock: Arc::new(SystemClock::new()),
        rng: Arc::new(OsRng),
    });
    let config = Arc::new(LogConfig::default());
    let mut log = Log::create(&env, folder.path().join("t-0"), None, config);
    let bytes = batch(records, Compression::None)?;
    Ok(Box::new(move || {
        let view = BatchView::parse(black_box(&bytes))?;
        black_box(log.append(LeaderBatch {
            header: *view.header(),
            payload: view.payload(),
            epoch: LeaderEpoch(0),
            origin: Origin::Client,
            now: TIME,
        })?);
        // The directory goes with the log.
        black_box(&folder);
        Ok(())
    }))
}
