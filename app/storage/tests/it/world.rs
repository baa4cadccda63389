//! Worlds to test in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_base::{LeaderEpoch, NodeId, Offset, WallMillis};
use ottla_config::BrokerConfig;
use ottla_disk::{FileCache, OsDisk, read_small, write_atomically};
use ottla_env::{Disk, OsRng, SystemClock};
use ottla_records::codec::Compressor;
use ottla_records::{BatchBuilder, BatchView, HEADER_SIZE};
use ottla_sim::{SimClock, SimDisk, SimRng};
use ottla_storage::{Expect, LeaderBatch, Log, LogDirs, OpenDirsError, Origin, StorageEnv};

/// A storage environment on a simulated disk, with time that stands still.
pub(crate) fn sim_env(disk: &SimDisk) -> Arc<StorageEnv> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Arc::new(StorageEnv {
        files: FileCache::new(Arc::clone(&shared), 100),
        disk: shared,
        clock: Arc::new(SimClock::new(WallMillis(1_795_544_082_614))),
        // Another one after each restart, as in the world.
        rng: Arc::new(SimRng::new(disk.operations())),
    })
}

/// A storage environment on the operating system.
pub(crate) fn os_env() -> Arc<StorageEnv> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    Arc::new(StorageEnv {
        files: FileCache::new(Arc::clone(&disk), 1000),
        disk,
        clock: Arc::new(SystemClock::new()),
        rng: Arc::new(OsRng),
    })
}

/// A combined node 1 with these directories, the first for the metadata log.
pub(crate) fn config(dirs: &[&str]) -> BrokerConfig {
    let pairs = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        (
            "listeners",
            "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
        ),
        ("controller.listener.names", "CONTROLLER"),
        ("log.dirs", &dirs.join(",")),
    ];
    let raw = pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    BrokerConfig::load(raw.collect()).unwrap()
}

/// Writes a small file with its directories.
pub(crate) fn put(disk: &dyn Disk, path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    disk.create_dir_all(path.parent().unwrap()).unwrap();
    write_atomically(disk, path, text.as_bytes()).unwrap();
}

/// The text of a small file; `None` if it is absent.
pub(crate) fn text(disk: &dyn Disk, path: impl AsRef<Path>) -> Option<String> {
    let bytes = read_small(disk, path.as_ref(), 1 << 20).ok()?;
    Some(String::from_utf8(bytes).unwrap())
}

/// A `meta.properties` of version 1.
pub(crate) fn meta(cluster: &str, node: i32, directory_id: &str) -> String {
    format!("version=1\ncluster.id={cluster}\nnode.id={node}\ndirectory.id={directory_id}\n")
}

/// Opens directories for node 1, the first with the metadata log.
pub(crate) fn open(env: &Arc<StorageEnv>, dirs: &[&str]) -> Result<LogDirs, OpenDirsError> {
    let paths: Vec<PathBuf> = dirs.iter().map(PathBuf::from).collect();
    let expect = Expect {
        node_id: NodeId(1),
        cluster_id: None,
        metadata_dir: paths[0].clone(),
    };
    LogDirs::open(env, &paths, &expect)
}

/// Appends `count` batches of one record with `value` to a log.
pub(crate) fn append(log: &mut Log, count: usize, value: &[u8]) {
    for _ in 0..count {
        let mut builder = BatchBuilder::new(Offset::ZERO);
        builder
            .append(WallMillis(1_700_000_000_000), None, Some(value))
            .unwrap();
        let mut bytes = Vec::new();
        builder
            .build_into(&mut Compressor::new(), &mut bytes)
            .unwrap();
        let view = BatchView::parse(&bytes).unwrap();
        let batch = LeaderBatch {
            header: *view.header(),
            payload: &bytes[HEADER_SIZE..],
            epoch: LeaderEpoch(0),
            origin: Origin::Client,
            now: WallMillis(1_700_000_000_000),
        };
        log.append(batch).unwrap();
    }
}
