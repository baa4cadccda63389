//! What the schedule does when.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use ottla_disk::{read_small, write_atomically};
use ottla_env::{Disk, DiskFile, OpenMode};
use ottla_log::names;
use ottla_sim::Fault;

use super::*;
use crate::test_support::World;

const DIRS: [&str; 2] = ["/a", "/b"];

/// A partition that stands where it is told.
struct Fake {
    dir: DirIndex,
    topic: Arc<str>,
    offsets: Mutex<Option<LogOffsets>>,
    expired: Mutex<Vec<PathBuf>>,
    retained: AtomicUsize,
    producers_expired_at: AtomicI64,
    unflushed: Option<Arc<dyn DiskFile>>,
}

impl Fake {
    fn new(dir: u16, topic: &str, end: i64) -> Arc<Self> {
        Arc::new(Self {
            dir: DirIndex(dir),
            topic: topic.into(),
            offsets: Mutex::new(Some(offsets(end, 0, 0, end))),
            expired: Mutex::default(),
            retained: AtomicUsize::new(0),
            producers_expired_at: AtomicI64::new(-1),
            unflushed: None,
        })
    }
}

fn offsets(recovery_point: i64, log_start: i64, first: i64, high_watermark: i64) -> LogOffsets {
    LogOffsets {
        recovery_point: Offset(recovery_point),
        log_start: Offset(log_start),
        first_segment: Offset(first),
        high_watermark: Offset(high_watermark),
    }
}

impl Maintained for Fake {
    fn dir(&self) -> DirIndex {
        self.dir
    }
    fn topic(&self) -> &Arc<str> {
        &self.topic
    }
    fn partition(&self) -> i32 {
        0
    }
    fn offsets(&self) -> Option<LogOffsets> {
        *self.offsets.lock()
    }
    fn retain(&self, _now: WallMillis) -> Result<Expired, StorageError> {
        self.retained.fetch_add(1, Ordering::Relaxed);
        if &*self.topic == "broken" {
            let error = io::Error::other("a bad sector");
            return Err(StorageError::io("renaming", Path::new("/x"), error));
        }
        Ok(Expired {
            files: std::mem::take(&mut *self.expired.lock()),
            delay_ms: 500,
        })
    }
    fn expire_producers(&self, now: WallMillis) {
        self.producers_expired_at.store(now.0, Ordering::Relaxed);
    }
    fn close(&self) -> Result<Option<Closed>, StorageError> {
        let offsets = self.offsets.lock().take();
        match (&*self.topic, &self.unflushed) {
            ("broken", _) => Err(StorageError::Failed {
                path: PathBuf::from("/x"),
            }),
            (_, unflushed) => Ok(offsets.map(|offsets| Closed {
                offsets,
                work: unflushed.as_ref().map(|file| FlushWork {
                    files: vec![Arc::clone(file)],
                    dirs: vec![],
                    upto: offsets.recovery_point,
                }),
            })),
        }
    }
}

struct Fakes(Mutex<Vec<Arc<Fake>>>);

impl AllMaintained for Fakes {
    fn collect(&self, into: &mut Vec<Arc<dyn Maintained>>) {
        let all = self.0.lock();
        into.extend(all.iter().map(|one| Arc::clone(one) as Arc<dyn Maintained>));
    }
}

/// Milliseconds of the clock.
fn ms(ms: u64) -> MonoTime {
    MonoTime(ms * 1_000_000)
}

struct Case {
    world: World,
    dirs: Arc<LogDirs>,
    fakes: Arc<Fakes>,
    schedule: Schedule,
}

impl Case {
    fn new(fakes: Vec<Arc<Fake>>) -> Self {
        let world = World::new(&DIRS);
        let dirs = world.open(&DIRS);
        let fakes = Arc::new(Fakes(Mutex::new(fakes)));
        let intervals = Intervals {
            initial_delay_ms: 30_000,
            retention_ms: 300_000,
            recovery_point_ms: 60_000,
            log_start_ms: 60_000,
            high_watermark_ms: 5_000,
            producer_expiration_ms: 600_000,
        };
        let all: Arc<dyn AllMaintained> = Arc::<Fakes>::clone(&fakes);
        let schedule = Schedule::new(&dirs, all, intervals, ms(0));
        Self {
            world,
            dirs,
            fakes,
            schedule,
        }
    }

    fn run(&mut self, at_ms: u64) -> MonoTime {
        let wall = WallMillis(i64::try_from(at_ms).unwrap());
        self.schedule.run_due(ms(at_ms), wall)
    }

    fn text(&self, dir: &str, name: &str) -> String {
        let path = Path::new(dir).join(name);
        match read_small(&self.world.disk, &path, 10_000) {
            Ok(bytes) => String::from_utf8(bytes).unwrap(),
            Err(error) => format!("{:?}", error.kind()),
        }
    }
}

#[test]
fn tasks_begin_after_the_initial_delay_and_keep_their_pace() {
    let fake = Fake::new(0, "t", 7);
    let mut case = Case::new(vec![Arc::clone(&fake)]);
    assert_eq!(case.run(0), ms(1000), "it looks every second");
    case.run(29_999);
    assert_eq!(fake.retained.load(Ordering::Relaxed), 0);
    assert_eq!(
        case.text("/a", names::HIGH_WATERMARK_CHECKPOINT),
        "NotFound"
    );
    case.run(30_000);
    assert_eq!(fake.retained.load(Ordering::Relaxed), 1);
    assert_eq!(fake.producers_expired_at.load(Ordering::Relaxed), 30_000);
    let line = "0\n1\nt 0 7\n";
    assert_eq!(case.text("/a", names::HIGH_WATERMARK_CHECKPOINT), line);
    assert_eq!(case.text("/a", names::RECOVERY_POINT_CHECKPOINT), line);
    *fake.offsets.lock() = Some(offsets(9, 0, 0, 8));
    case.run(34_999);
    assert_eq!(case.text("/a", names::HIGH_WATERMARK_CHECKPOINT), line);
    case.run(35_000);
    assert_eq!(
        case.text("/a", names::HIGH_WATERMARK_CHECKPOINT),
        "0\n1\nt 0 8\n"
    );
    assert_eq!(case.text("/a", names::RECOVERY_POINT_CHECKPOINT), line);
    case.run(90_000);
    assert_eq!(
        case.text("/a", names::RECOVERY_POINT_CHECKPOINT),
        "0\n1\nt 0 9\n"
    );
    case.run(329_999);
    assert_eq!(fake.retained.load(Ordering::Relaxed), 1);
    case.run(330_000);
    assert_eq!(fake.retained.load(Ordering::Relaxed), 2);
}

#[test]
fn recovery_points_follow_a_flush_within_a_second() {
    let fake = Fake::new(1, "t", 7);
    let mut case = Case::new(vec![Arc::clone(&fake)]);
    case.run(0);
    assert_eq!(
        case.text("/b", names::RECOVERY_POINT_CHECKPOINT),
        "NotFound"
    );
    case.dirs.note_flushed(DirIndex(1));
    case.run(10);
    let line = |end| format!("0\n1\nt 0 {end}\n");
    assert_eq!(case.text("/b", names::RECOVERY_POINT_CHECKPOINT), line(7));
    // Under load they are written once a second.
    *fake.offsets.lock() = Some(offsets(8, 0, 0, 8));
    case.dirs.note_flushed(DirIndex(1));
    case.run(1009);
    assert_eq!(case.text("/b", names::RECOVERY_POINT_CHECKPOINT), line(7));
    case.run(1010);
    assert_eq!(case.text("/b", names::RECOVERY_POINT_CHECKPOINT), line(8));
    let before = case.world.disk.operations();
    case.run(5000);
    assert_eq!(
        case.world.disk.operations(),
        before,
        "without a flush nothing is written"
    );
}

#[test]
fn log_start_has_a_line_only_above_its_first_segment() {
    let fake = Fake::new(0, "t", 100);
    let mut case = Case::new(vec![Arc::clone(&fake)]);
    let text = |case: &Case| case.text("/a", names::LOG_START_CHECKPOINT);
    case.run(30_000);
    assert_eq!(text(&case), "NotFound");
    *fake.offsets.lock() = Some(offsets(100, 50, 0, 100));
    case.run(90_000);
    assert_eq!(text(&case), "0\n1\nt 0 50\n");
    *fake.offsets.lock() = Some(offsets(100, 60, 60, 100));
    case.run(150_000);
    assert_eq!(text(&case), "0\n0\n");
}

#[test]
fn log_start_stays_written_until_the_segments_below_are_gone_for_good() {
    for seed in 0..10 {
        let fake = Fake::new(0, "t", 100);
        *fake.offsets.lock() = Some(offsets(100, 50, 0, 100));
        let mut case = Case::new(vec![Arc::clone(&fake)]);
        case.run(30_000);
        let disk = &case.world.disk;
        let segment = Path::new("/a/t-0/00000000000000000000.log");
        disk.create_dir_all(Path::new("/a/t-0")).unwrap();
        write_atomically(disk, segment, b"deleted records").unwrap();
        disk.rename(segment, &segment.with_extension("log.deleted"))
            .unwrap();
        *fake.offsets.lock() = Some(offsets(100, 60, 60, 100));
        case.run(90_000);
        case.world.disk.crash(seed);
        let is_back = case.world.disk.stat(segment).is_ok();
        let line = case.text("/a", names::LOG_START_CHECKPOINT);
        assert!(!is_back || line == "0\n1\nt 0 50\n", "seed {seed}");
    }
}

#[test]
fn failed_log_keeps_its_lines_and_a_removed_one_does_not_come_back() {
    let (failed, gone) = (Fake::new(0, "failed", 5), Fake::new(0, "gone", 6));
    let mut case = Case::new(vec![Arc::clone(&failed), Arc::clone(&gone)]);
    case.run(30_000);
    let text = |case: &Case| case.text("/a", names::RECOVERY_POINT_CHECKPOINT);
    assert_eq!(text(&case), "0\n2\nfailed 0 5\ngone 0 6\n");
    *failed.offsets.lock() = None;
    *gone.offsets.lock() = None;
    let home = case.dirs.each().next().unwrap().1;
    let topic = Arc::clone(&gone.topic);
    home.checkpoints
        .forget(&case.world.disk, &[(topic, 0)])
        .unwrap();
    case.run(90_000);
    assert_eq!(text(&case), "0\n1\nfailed 0 5\n");
}

#[test]
fn files_are_removed_after_their_delay() {
    let fake = Fake::new(0, "t", 0);
    let mut case = Case::new(vec![Arc::clone(&fake)]);
    let there = |case: &Case, path: &str| case.world.disk.stat(Path::new(path)).is_ok();
    let file = "/a/00000000000000000000.log.deleted";
    write_atomically(&case.world.disk, Path::new(file), b"x").unwrap();
    case.world
        .disk
        .create_dir_all(Path::new("/a/old-0.delete/inner"))
        .unwrap();
    fake.expired.lock().push(PathBuf::from(file));
    case.dirs
        .removals()
        .add(ms(30_000), 400, PathBuf::from("/a/old-0.delete"));
    assert_eq!(
        case.run(30_000),
        ms(30_400),
        "it comes back for the first removal"
    );
    assert!(there(&case, file) && there(&case, "/a/old-0.delete"));
    assert_eq!(case.run(30_400), ms(30_500));
    assert!(there(&case, file) && !there(&case, "/a/old-0.delete"));
    case.run(30_500);
    assert!(!there(&case, file));
    assert_eq!(case.dirs.removals().next_due(), None);
}

#[test]
fn failure_takes_its_directory_offline_and_leaves_the_others() {
    let fakes = vec![
        Fake::new(0, "broken", 1),
        Fake::new(0, "t", 2),
        Fake::new(1, "u", 3),
    ];
    let mut case = Case::new(fakes);
    case.run(30_000);
    assert_eq!(
        case.dirs.directory_ids(),
        [case.dirs.directory_id(DirIndex(1)).unwrap()]
    );
    assert_eq!(
        case.text("/a", names::HIGH_WATERMARK_CHECKPOINT),
        "NotFound"
    );
    assert_eq!(
        case.text("/b", names::HIGH_WATERMARK_CHECKPOINT),
        "0\n1\nu 0 3\n"
    );
    assert_eq!(case.fakes.0.lock()[1].retained.load(Ordering::Relaxed), 0);
}

#[test]
fn full_disk_costs_a_checkpoint_and_no_directory() {
    let case = &mut Case::new(vec![Fake::new(0, "t", 1)]);
    case.world.disk.plan(
        case.world.disk.operations() + 1,
        Fault::Fail(io::ErrorKind::StorageFull),
    );
    case.run(30_000);
    assert!(case.dirs.is_online(DirIndex(0)));
    case.run(90_000);
    assert_eq!(
        case.text("/a", names::RECOVERY_POINT_CHECKPOINT),
        "0\n1\nt 0 1\n"
    );
}

#[test]
fn clean_close_leaves_checkpoints_and_mark_where_all_went_well() {
    let case = Case::new(vec![
        Fake::new(0, "broken", 1),
        Fake::new(0, "t", 2),
        Fake::new(1, "u", 3),
        Fake::new(1, "v", 4),
    ]);
    let mut all = Vec::new();
    case.fakes.collect(&mut all);
    assert!(!case.dirs.close(all, 2, Some(ottla_base::BrokerEpoch(94))));
    assert_eq!(
        case.text("/a", names::RECOVERY_POINT_CHECKPOINT),
        "0\n1\nt 0 2\n"
    );
    assert_eq!(case.text("/a", names::CLEAN_SHUTDOWN), "NotFound");
    let lines = "0\n2\nu 0 3\nv 0 4\n";
    assert_eq!(case.text("/b", names::RECOVERY_POINT_CHECKPOINT), lines);
    assert_eq!(case.text("/b", names::HIGH_WATERMARK_CHECKPOINT), lines);
    assert_eq!(
        case.text("/b", names::CLEAN_SHUTDOWN),
        r#"{"version":0,"brokerEpoch":94}"#
    );
    // The locks are free, and the next start knows what was clean.
    let next = case.world.open(&DIRS);
    assert_eq!(next.previous_broker_epoch(), None, "not all were");
    assert!(!next.metadata_dir_is_clean());
    assert_eq!(case.text("/b", names::CLEAN_SHUTDOWN), "NotFound");
}

#[test]
fn a_cut_at_any_step_of_a_clean_close_leaves_no_mark_without_its_checkpoints() {
    for stop in 0..20 {
        for seed in 0..5 {
            let case = Case::new(vec![Fake::new(0, "t", 2), Fake::new(1, "u", 3)]);
            let mut all = Vec::new();
            case.fakes.collect(&mut all);
            let disk = &case.world.disk;
            disk.plan(disk.operations() + stop, Fault::Stop);
            case.dirs.close(all, 1, Some(ottla_base::BrokerEpoch(5)));
            disk.crash(seed);
            for (dir, line) in [("/a", "0\n1\nt 0 2\n"), ("/b", "0\n1\nu 0 3\n")] {
                if case.text(dir, names::CLEAN_SHUTDOWN) != "NotFound" {
                    assert_eq!(case.text(dir, names::RECOVERY_POINT_CHECKPOINT), line);
                    assert_eq!(case.text(dir, names::HIGH_WATERMARK_CHECKPOINT), line);
                }
            }
        }
    }
}

#[test]
fn directory_whose_logs_cannot_be_flushed_gets_no_mark() {
    for (fault, clean) in [(0, false), (1, false), (50, true)] {
        let case = Case::new(vec![]);
        let disk = &case.world.disk;
        let all: Vec<Arc<dyn Maintained>> = ["t", "u"]
            .into_iter()
            .map(|topic| {
                let path = format!("/b/{topic}");
                let file = disk.open(Path::new(&path), OpenMode::Create).unwrap();
                file.write_all_at(&[io::IoSlice::new(b"x")], 0).unwrap();
                let mut fake = Arc::into_inner(Fake::new(1, topic, 1)).unwrap();
                fake.unflushed = Some(file);
                Arc::new(fake) as Arc<dyn Maintained>
            })
            .collect();
        disk.plan(disk.operations() + fault, Fault::Fail(io::ErrorKind::Other));
        assert_eq!(case.dirs.close(all, 1, None), clean);
        let mark = r#"{"version":0,"brokerEpoch":-1}"#;
        assert_eq!(case.text("/a", names::CLEAN_SHUTDOWN), mark);
        let own = if clean { mark } else { "NotFound" };
        assert_eq!(case.text("/b", names::CLEAN_SHUTDOWN), own);
    }
}

#[test]
fn thread_stops_when_it_is_told() {
    let case = Case::new(vec![Fake::new(0, "t", 2)]);
    let all: Arc<dyn AllMaintained> = Arc::<Fakes>::clone(&case.fakes);
    let intervals = Intervals {
        initial_delay_ms: 0,
        retention_ms: 1,
        recovery_point_ms: 1,
        log_start_ms: 1,
        high_watermark_ms: 1,
        producer_expiration_ms: 1,
    };
    Background::start(&case.world.env, &case.dirs, all, intervals)
        .unwrap()
        .stop();
    assert_eq!(
        case.text("/a", names::RECOVERY_POINT_CHECKPOINT),
        "0\n1\nt 0 2\n"
    );
}
