//! Finding and opening the logs of a node at its start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ottla_base::{BrokerEpoch, Offset, TopicId, Uuid, WallMillis};
use ottla_env::{Disk, OpenMode};
use ottla_log::LogConfig;
use ottla_sim::{Fault, SimDisk};
use ottla_storage::{
    Background, Closed, DirIndex, Expired, Intervals, LoadError, LoadReport, Loaded, Log, LogDirs,
    LogOffsets, Maintained, StorageEnv, StorageError, Wanted,
};

use crate::world::{append, meta, open, put, sim_env, text};

const IDS: [&str; 2] = ["JYpazmsR8KaxU9vqXuawQA", "joIkzCkrTIe0OQREb87HHA"];
const TOPIC: TopicId = TopicId(Uuid([5; 16]));

fn formatted() -> SimDisk {
    let disk = SimDisk::new();
    for (dir, id) in ["/a", "/b"].iter().zip(IDS) {
        put(
            &disk,
            Path::new(dir).join("meta.properties"),
            &meta("c", 1, id),
        );
    }
    disk
}

fn start(disk: &SimDisk) -> (Arc<StorageEnv>, Arc<LogDirs>) {
    let env = sim_env(disk);
    let dirs = Arc::new(open(&env, &["/a", "/b"]).unwrap());
    (env, dirs)
}

/// Makes a log with records that are not flushed.
fn make(env: &Arc<StorageEnv>, path: &str, id: TopicId, records: usize) -> Log {
    let config = Arc::new(LogConfig::default());
    let mut log = Log::create(env, PathBuf::from(path), Some(id), config);
    append(&mut log, records, b"some value");
    log
}

type Found = BTreeMap<String, Loaded>;

/// Loads all; topics named `stray...` are not wanted, nor is another id than [`TOPIC`].
fn load(dirs: &LogDirs) -> (Result<LoadReport, LoadError>, Found) {
    let found: Mutex<Found> = Mutex::default();
    let report = dirs.load(
        2,
        &|topic, _, id| match id {
            Some(TOPIC) if !topic.starts_with("stray") => {
                Wanted::Keep {
                    config: Arc::new(LogConfig::default()),
                    // A topic that counts what is not flushed.
                    flush: !topic.starts_with("swift"),
                }
            }
            _ => Wanted::Stray,
        },
        &|loaded| {
            let name = format!("{}-{}", loaded.topic, loaded.partition);
            found.lock().unwrap().insert(name, loaded);
        },
    );
    (report, found.into_inner().unwrap())
}

fn names(disk: &SimDisk, dir: &str) -> Vec<String> {
    let entries = disk.read_dir(Path::new(dir)).unwrap().into_iter();
    let dirs = entries.filter(|entry| entry.is_dir);
    dirs.map(|entry| entry.name).collect()
}

/// A loaded log as the background thread sees it.
#[derive(Debug)]
struct Kept {
    dir: DirIndex,
    topic: Arc<str>,
    partition: i32,
    log: Mutex<Option<Log>>,
}

impl Kept {
    fn all(found: Found) -> Vec<Arc<dyn Maintained>> {
        let kept = found.into_values().map(|loaded| {
            Arc::new(Self {
                dir: loaded.dir,
                topic: loaded.topic,
                partition: loaded.partition,
                log: Mutex::new(Some(loaded.log)),
            }) as Arc<dyn Maintained>
        });
        kept.collect()
    }
}

fn offsets(log: &Log) -> LogOffsets {
    LogOffsets {
        recovery_point: log.flushed_end(),
        log_start: log.start(),
        first_segment: log.first_segment(),
        high_watermark: log.end(),
    }
}

impl Maintained for Kept {
    fn dir(&self) -> DirIndex {
        self.dir
    }
    fn topic(&self) -> &Arc<str> {
        &self.topic
    }
    fn partition(&self) -> i32 {
        self.partition
    }
    fn offsets(&self) -> Option<LogOffsets> {
        self.log.lock().unwrap().as_ref().map(offsets)
    }
    fn retain(&self, _now: WallMillis) -> Result<Expired, StorageError> {
        Ok(Expired::default())
    }
    fn expire_producers(&self, _now: WallMillis) {}
    fn close(&self) -> Result<Option<Closed>, StorageError> {
        let Some(mut log) = self.log.lock().unwrap().take() else {
            return Ok(None);
        };
        let work = log.prepare_close()?;
        let mut offsets = offsets(&log);
        if let Some(work) = &work {
            offsets.recovery_point = work.upto;
        }
        Ok(Some(Closed { offsets, work }))
    }
}

#[test]
fn logs_of_all_directories_are_found_with_what_is_known_of_them() {
    let disk = formatted();
    let (env, dirs) = start(&disk);
    drop(make(&env, "/a/t-0", TOPIC, 3));
    drop(make(&env, "/b/t-1", TOPIC, 5));
    drop(make(&env, "/b/with-dash-12", TOPIC, 1));
    put(&disk, "/b/replication-offset-checkpoint", "0\n1\nt 1 4\n");
    put(&disk, "/b/log-start-offset-checkpoint", "0\n1\nt 1 2\n");
    drop(dirs);
    let (_, dirs) = start(&disk);
    let (report, found) = load(&dirs);
    assert_eq!(report.unwrap().logs, 3);
    let facts: Vec<_> = found
        .iter()
        .map(|(name, one)| {
            let log = (one.log.start().0, one.log.end().0);
            (name.as_str(), one.dir.0, log, one.high_watermark.0)
        })
        .collect();
    let expected = [
        ("t-0", 0, (0, 3), 0),
        ("t-1", 1, (2, 5), 4),
        ("with-dash-12", 1, (0, 1), 0),
    ];
    assert_eq!(facts, expected);
    let placed: Vec<u16> = (0..3).map(|_| dirs.place().unwrap().0).collect();
    assert_eq!(placed, [0, 0, 1], "what was found counts");
}

#[test]
fn log_of_another_topic_of_the_name_is_put_aside_and_forgotten() {
    let disk = formatted();
    let (env, dirs) = start(&disk);
    drop(make(&env, "/a/t-0", TopicId(Uuid([6; 16])), 3));
    drop(make(&env, "/a/stray-0", TOPIC, 3));
    drop(make(&env, "/a/kept-0", TOPIC, 3));
    disk.create_dir_all(Path::new("/a/nameless-0")).unwrap();
    put(
        &disk,
        "/a/log-start-offset-checkpoint",
        "0\n3\nt 0 2\nkept 0 1\ngone 0 7\n",
    );
    drop(dirs);
    let (_, dirs) = start(&disk);
    let (report, found) = load(&dirs);
    let report = report.unwrap();
    assert_eq!((report.logs, report.strays), (1, 3));
    assert_eq!(found["kept-0"].log.start(), Offset(1));
    let mut after = names(&disk, "/a");
    after.retain(|name| name != "kept-0");
    assert_eq!(after.len(), 3);
    for (name, start) in after.iter().zip(["nameless-0.", "stray-0.", "t-0."]) {
        assert!(
            name.starts_with(start) && name.ends_with("-stray"),
            "{name}"
        );
    }
    dirs.close(Kept::all(found), 1, None);
    assert_eq!(
        text(&disk, "/a/log-start-offset-checkpoint").unwrap(),
        "0\n1\nkept 0 1\n",
        "a new log may take the name"
    );
    // Strays stay for the operator.
    let (_, dirs) = start(&disk);
    assert_eq!(load(&dirs).0.unwrap().logs, 1);
    assert_eq!(names(&disk, "/a").len(), 4);
}

#[test]
fn leftovers_of_removals_go_and_what_is_no_partition_stays() {
    let disk = formatted();
    for name in [
        "t-0.db2013032f624199a39cd2047bc68332-delete",
        "t-1.db2013032f624199a39cd2047bc68332-future",
        "lost+found",
        "remote-log-index-cache",
        "__cluster_metadata-0",
    ] {
        disk.create_dir_all(&Path::new("/a").join(name)).unwrap();
        put(
            &disk,
            Path::new("/a").join(name).join("00000000000000000000.log"),
            "x",
        );
    }
    let (env, dirs) = start(&disk);
    let (report, found) = load(&dirs);
    assert_eq!((report.unwrap().logs, found.len()), (0, 0));
    struct None;
    impl ottla_storage::AllMaintained for None {
        fn collect(&self, _into: &mut Vec<Arc<dyn Maintained>>) {}
    }
    let intervals = Intervals {
        initial_delay_ms: 0,
        retention_ms: 1,
        recovery_point_ms: 1,
        log_start_ms: 1,
        high_watermark_ms: 1,
        producer_expiration_ms: 1,
    };
    Background::start(&env, &dirs, Arc::new(None), intervals)
        .unwrap()
        .stop();
    let left = [
        "__cluster_metadata-0",
        "lost+found",
        "remote-log-index-cache",
        "t-1.db2013032f624199a39cd2047bc68332-future",
    ];
    assert_eq!(names(&disk, "/a"), left);
}

#[test]
fn partition_in_two_directories_stops_the_start() {
    let disk = formatted();
    let (env, dirs) = start(&disk);
    drop(make(&env, "/a/t-0", TOPIC, 1));
    drop(make(&env, "/b/t-0", TOPIC, 1));
    let error = load(&dirs).0.unwrap_err().to_string();
    assert!(
        error.starts_with(
            "Duplicate log directories for t-0 are found in both /a/t-0 and /b/t-0. It is likely \
             because log directory failure happened"
        ),
        "{error}"
    );
}

#[test]
fn directory_with_a_log_that_cannot_be_opened_goes_offline() {
    let disk = formatted();
    let (env, dirs) = start(&disk);
    drop(make(&env, "/a/t-0", TOPIC, 1));
    drop(make(&env, "/b/t-1", TOPIC, 1));
    // Not even a name that is longer than a segment can be.
    put(&disk, "/b/t-2/partition.metadata", "x");
    drop(dirs);
    let (_, dirs) = start(&disk);
    disk.plan(disk.operations(), Fault::Stop);
    disk.open(Path::new("/a/x"), OpenMode::Create).unwrap_err();
    let error = load(&dirs).0.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Shutdown broker because all log dirs in /a, /b have failed"
    );
    assert!(!dirs.is_online(DirIndex(0)) && !dirs.is_online(DirIndex(1)));
}

#[test]
fn removed_log_is_renamed_and_its_name_is_free_at_once() {
    let disk = formatted();
    let (env, dirs) = start(&disk);
    let log = make(&env, "/a/t-0", TOPIC, 3);
    let never_used = Log::create(
        &env,
        PathBuf::from("/a/t-1"),
        Some(TOPIC),
        Arc::new(LogConfig::default()),
    );
    dirs.raise_log_starts(DirIndex(0), &[("t".into(), 0, Offset(2))])
        .unwrap();
    dirs.remove(vec![log, never_used]);
    disk.crash(4);
    let starts = text(&disk, "/a/log-start-offset-checkpoint").unwrap();
    assert_eq!(starts, "0\n0\n");
    let left = names(&disk, "/a");
    assert_eq!(left.len(), 1);
    assert!(
        left[0].starts_with("t-0.") && left[0].ends_with("-delete"),
        "{left:?}"
    );
    assert!(dirs.is_online(DirIndex(0)));
}

#[test]
fn clean_stop_and_start_reads_no_records() {
    let disk = formatted();
    let (env, dirs) = start(&disk);
    drop(make(&env, "/a/t-0", TOPIC, 3));
    drop(make(&env, "/b/t-1", TOPIC, 4));
    drop(dirs);
    let (_, dirs) = start(&disk);
    let (report, found) = load(&dirs);
    assert!(report.unwrap().scanned_bytes > 0, "nothing was known");
    assert!(dirs.close(Kept::all(found), 2, Some(BrokerEpoch(9))));
    disk.crash(2);
    let (_, dirs) = start(&disk);
    assert_eq!(dirs.previous_broker_epoch(), Some(BrokerEpoch(9)));
    let (report, found) = load(&dirs);
    assert_eq!(report.unwrap().scanned_bytes, 0);
    assert_eq!(found["t-1"].log.end(), Offset(4));
    assert_eq!(found["t-1"].high_watermark, Offset(4));
}

#[test]
fn what_recovery_found_is_flushed_first_only_where_that_is_asked_for() {
    let disk = formatted();
    let (env, dirs) = start(&disk);
    drop(make(&env, "/a/t-0", TOPIC, 3));
    drop(make(&env, "/a/swift-0", TOPIC, 3));
    drop(dirs);
    disk.kill();
    let (_, dirs) = start(&disk);
    let (_, found) = load(&dirs);
    for (name, flushed) in [("t-0", Offset(3)), ("swift-0", Offset::ZERO)] {
        assert_eq!(found[name].log.end(), Offset(3), "{name}");
        assert_eq!(found[name].log.flushed_end(), flushed, "{name}");
    }
    // A clean stop flushes both.
    assert!(dirs.close(Kept::all(found), 1, None));
    disk.crash(3);
    let (_, dirs) = start(&disk);
    let (report, found) = load(&dirs);
    assert_eq!(report.unwrap().scanned_bytes, 0);
    assert_eq!(found["swift-0"].log.flushed_end(), Offset(3));
}

#[test]
fn acknowledged_records_survive_whatever_stops_the_shutdown() {
    for step in 0..60 {
        let disk = formatted();
        let (env, dirs) = start(&disk);
        let mut log = make(&env, "/a/t-0", TOPIC, 3);
        log.close().unwrap();
        drop((log, dirs));
        let (_, dirs) = start(&disk);
        let (_, found) = load(&dirs);
        disk.plan(disk.operations() + step, Fault::Stop);
        dirs.close(Kept::all(found), 1, Some(BrokerEpoch(9)));
        disk.crash(step);
        let (_, dirs) = start(&disk);
        let (_, found) = load(&dirs);
        assert_eq!(found["t-0"].log.end(), Offset(3), "step {step}");
    }
}
