//! The world stops, or one call fails, at every operation of the disk in turn.
//!
//! Whatever is left, a log opens again, with all that was flushed (or, if only the process died, with all that was
//! acknowledged), with nothing that was not appended, and without a gap.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::{LeaderEpoch, Offset, WallMillis};
use ottla_env::Disk;
use ottla_log::LogConfig;
use ottla_records::control::TxnResult;
use ottla_sim::{Fault, SimDisk};
use ottla_storage::{Log, OpenHints, Origin, StorageEnv};

use crate::support::{Batch, T0, UNCLEAN, append_bytes, bases, flush, marker, read_all, sim};

/// What a test knows of a log from outside.
#[derive(Debug, Clone, Default)]
struct Model {
    /// Every batch that was tried, by base offset; the versions that a cut brought.
    tried: BTreeMap<i64, Vec<Vec<u8>>>,
    /// Everything below was acknowledged.
    acknowledged: i64,
    /// Everything below is on stable storage.
    flushed: i64,
    /// The log start that is on stable storage.
    start: i64,
    /// The furthest log start that was tried.
    start_tried: i64,
    /// The producer's next sequence.
    sequence: i32,
}

struct World {
    disk: SimDisk,
    env: Arc<StorageEnv>,
    path: PathBuf,
    config: Arc<LogConfig>,
    model: Model,
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 900,
        index_interval_bytes: 100,
        retention_bytes: 1500,
        retention_ms: -1,
        ..LogConfig::default()
    }
}

impl World {
    fn new() -> Self {
        let (disk, env, path) = sim();
        Self {
            disk,
            env,
            path,
            config: Arc::new(config()),
            model: Model::default(),
        }
    }

    fn create(&self) -> Log {
        Log::create(
            &self.env,
            self.path.clone(),
            Some(crate::support::topic_id()),
            Arc::clone(&self.config),
        )
    }

    fn append(&mut self, log: &mut Log, batch: &Batch) -> Option<()> {
        let base = log.end().0;
        let bytes = batch.bytes(base);
        self.model.tried.entry(base).or_default().push(bytes);
        let appended = batch.append(log).ok()?;
        assert_eq!(appended.base.0, base);
        self.model.acknowledged = log.end().0;
        Some(())
    }

    fn end_txn(&mut self, log: &mut Log, result: TxnResult) -> Option<()> {
        let base = log.end().0;
        let mut bytes = marker(2, 0, result);
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        self.model
            .tried
            .entry(base)
            .or_default()
            .push(bytes.clone());
        append_bytes(log, &bytes, 0, Origin::Coordinator).ok()?;
        self.model.acknowledged = log.end().0;
        Some(())
    }

    fn flush(&mut self, log: &mut Log) -> Option<()> {
        flush(log, &self.disk).ok()?;
        self.model.flushed = self.model.flushed.max(log.flushed_end().0);
        (!log.failed()).then_some(())
    }

    /// Appends, rolls, flushes and deletes until something fails.
    fn work(&mut self, log: &mut Log) -> Option<()> {
        for round in 0..4 {
            for i in 0..5 {
                let batch = Batch::of(2)
                    .value(vec![b'a' + i; 60])
                    .at(T0 + i64::from(round));
                self.append(log, &batch.by(1, 0, self.model.sequence))?;
                self.model.sequence += 2;
                if i % 2 == 0 {
                    let open = Batch::of(1).by(2, 0, self.model.sequence).in_txn();
                    // Its sequence is only checked by clients' batches of an epoch that is known.
                    let base = log.end().0;
                    let bytes = open.bytes(base);
                    self.model
                        .tried
                        .entry(base)
                        .or_default()
                        .push(bytes.clone());
                    append_bytes(log, &bytes, 0, Origin::Coordinator).ok()?;
                    self.model.acknowledged = log.end().0;
                }
                if i == 3 {
                    self.end_txn(log, TxnResult::Abort)?;
                    self.flush(log)?;
                }
            }
            if round == 1 {
                log.roll().ok()?;
            }
            if round > 1 {
                // The high watermark of a node that is alone.
                let high_watermark = log.flushed_end();
                self.model.start_tried = high_watermark.0;
                let retained = log.retain(WallMillis(T0), high_watermark).ok()?;
                for path in retained.deleted {
                    self.disk.remove_file(&path).ok()?;
                }
            }
        }
        log.close().ok()?;
        self.model.flushed = log.end().0;
        Some(())
    }

    fn hints(&self) -> OpenHints {
        OpenHints {
            clean: false,
            recovery_point: Offset(self.model.flushed),
            log_start: Offset(self.model.start),
            topic_id: None,
        }
    }

    fn open(&self, hints: OpenHints) -> Option<Log> {
        if self.disk.stat(&self.path).is_err() {
            return Some(self.create());
        }
        Log::open(
            &self.env,
            self.path.clone(),
            Arc::clone(&self.config),
            hints,
        )
        .ok()
        .map(|(log, _)| log)
    }

    /// What is in the log is what was appended, from the log start to at least `end`.
    fn check(&self, log: &Log, end: i64, context: &str) {
        let start = log.start().0;
        // Before the first flush not even the names of files are there for sure.
        assert!(
            start <= self.model.start_tried || end == 0,
            "{context}: start {start}"
        );
        assert!(
            log.end().0 >= end,
            "{context}: end {} below {end}",
            log.end()
        );
        let mut next = start;
        for (base, bytes) in read_all(log, start, 700) {
            assert_eq!(base, next, "{context}: a gap");
            let tried = self
                .model
                .tried
                .get(&base)
                .unwrap_or_else(|| panic!("{context}: {base}"));
            assert!(tried.contains(&bytes), "{context}: other bytes at {base}");
            next = ottla_records::BatchView::parse(&bytes)
                .expect("a batch")
                .next_offset()
                .0;
        }
        assert_eq!(next, log.end().0, "{context}: the end");
        // The producers are those of the batches.
        let last = read_all(log, start, 700)
            .into_iter()
            .rev()
            .find_map(|(_, bytes)| {
                let header = *ottla_records::BatchView::parse(&bytes)
                    .expect("a batch")
                    .header();
                (header.producer_id.0 == 1).then_some(header)
            });
        if let Some(last) = last {
            let known = log
                .producers()
                .find(|p| p.id == last.producer_id)
                .expect("known");
            assert_eq!(known.last_sequence, last.last_sequence(), "{context}");
        }
        self.check_transactions(log, context);
    }

    /// What the indexes say of transactions is what the batches say.
    fn check_transactions(&self, log: &Log, context: &str) {
        let aborted = log
            .aborted_transactions(log.start(), log.end())
            .expect("readable");
        let (mut open, mut ended) = (None, false);
        for (base, bytes) in read_all(log, log.start().0, 700) {
            let header = *ottla_records::BatchView::parse(&bytes)
                .expect("a batch")
                .header();
            if header.producer_id.0 != 2 {
                continue;
            }
            if header.attributes.is_control() {
                if let Some(first) = open.take() {
                    let is_known = aborted
                        .iter()
                        .any(|t| (t.first_offset, t.last_offset) == (Offset(first), Offset(base)));
                    assert!(
                        is_known || !ended,
                        "{context}: {first} to {base} in {aborted:?}"
                    );
                }
                ended = true;
            } else {
                open = open.or(Some(base));
            }
        }
        if ended {
            let unstable = log.first_unstable_offset(log.end());
            assert_eq!(unstable, open.map(Offset), "{context}");
        }
    }

    /// The log takes batches again.
    fn go_on(&mut self, log: &mut Log, context: &str) {
        let batch = Batch::of(3).epoch(9);
        assert!(self.append(log, &batch).is_some(), "{context}: no append");
        self.model.start_tried = self.model.start_tried.max(log.start().0);
        self.flush(log)
            .unwrap_or_else(|| panic!("{context}: no flush"));
        self.check(log, log.end().0, context);
        assert_eq!(log.latest_epoch(), Some(LeaderEpoch(9)), "{context}");
    }
}

/// Runs `work` until the disk's operation number `at`; returns the world and whether it came so far.
fn stopped_at(at: u64, work: fn(&mut World, &mut Log) -> Option<()>) -> (World, bool) {
    let mut world = World::new();
    world.disk.plan(at, Fault::Stop);
    let mut log = world.create();
    let finished = work(&mut world, &mut log).is_some();
    (world, !finished)
}

fn for_each_stop(work: fn(&mut World, &mut Log) -> Option<()>, mut check: impl FnMut(World, u64)) {
    for at in 1.. {
        let (world, stopped) = stopped_at(at, work);
        if !stopped {
            assert!(at > 50, "only {at} operations");
            return;
        }
        check(world, at);
    }
}

#[test]
fn killed_process_loses_nothing_that_was_acknowledged() {
    for_each_stop(World::work, |mut world, at| {
        let context = format!("killed at {at}");
        world.disk.kill();
        let mut log = world
            .open(world.hints())
            .unwrap_or_else(|| panic!("{context}: no log"));
        world.check(&log, world.model.acknowledged, &context);
        world.go_on(&mut log, &context);
    });
}

#[test]
fn power_cut_loses_nothing_that_was_flushed() {
    for_each_stop(World::work, |world, at| {
        drop(world);
        for seed in 0..4 {
            let context = format!("power cut at {at}, seed {seed}");
            let (mut world, _) = stopped_at(at, World::work);
            world.disk.crash(seed);
            let mut log = world
                .open(world.hints())
                .unwrap_or_else(|| panic!("{context}: no log"));
            world.check(&log, world.model.flushed, &context);
            world.go_on(&mut log, &context);
        }
    });
}

#[test]
fn old_recovery_point_only_costs_time() {
    for_each_stop(World::work, |mut world, at| {
        let context = format!("power cut at {at}");
        world.disk.crash(at);
        let mut log = world
            .open(UNCLEAN)
            .unwrap_or_else(|| panic!("{context}: no log"));
        world.check(&log, world.model.flushed, &context);
        world.go_on(&mut log, &context);
    });
}

#[test]
fn recovery_that_is_stopped_is_done_again() {
    for_each_stop(World::work, |world, at| {
        drop(world);
        if at % 3 != 0 {
            return;
        }
        for during in 0..40 {
            let context = format!("power cut at {at}, again at {during} of recovery");
            let (mut world, _) = stopped_at(at, World::work);
            world.disk.crash(at);
            world
                .disk
                .plan(world.disk.operations() + during, Fault::Stop);
            let recovered = world.open(world.hints()).is_some();
            world.disk.crash(at + during);
            let mut log = world
                .open(world.hints())
                .unwrap_or_else(|| panic!("{context}: no log"));
            world.check(&log, world.model.flushed, &context);
            world.go_on(&mut log, &context);
            if recovered {
                break;
            }
        }
    });
}

#[test]
fn full_disk_stops_appends_and_nothing_else() {
    for at in 1..400 {
        let mut world = World::new();
        world.disk.plan(at, Fault::Fail(ErrorKind::StorageFull));
        let mut log = world.create();
        let context = format!("full at {at}");
        let finished = world.work(&mut log).is_some();
        world.check(&log, world.model.acknowledged, &context);
        if finished {
            assert!(at > 50);
            return;
        }
        if !log.failed() {
            world.go_on(&mut log, &context);
        }
        drop(log);
        world.disk.kill();
        let mut log = world
            .open(world.hints())
            .unwrap_or_else(|| panic!("{context}: no log"));
        world.check(&log, world.model.acknowledged, &context);
        world.go_on(&mut log, &context);
    }
    panic!("the work never ends");
}

#[test]
fn append_that_finds_the_disk_full_is_taken_once_there_is_room() {
    let mut world = World::new();
    let mut log = world.create();
    let batch = Batch::of(1).value(vec![7; 400]);
    world.append(&mut log, &batch).expect("room");
    world.disk.set_capacity(1000);
    let mut taken = 1;
    while world.append(&mut log, &batch).is_some() {
        taken += 1;
    }
    assert!(taken < 3, "the disk is full");
    assert!(!log.failed());
    assert_eq!(bases(&log).len(), taken);
    world.disk.set_capacity(1 << 20);
    world.go_on(&mut log, "with room");
}

#[test]
fn failing_disk_closes_the_log_for_appends_and_shows_nothing_half() {
    for at in 1..400 {
        let mut world = World::new();
        world.disk.plan(at, Fault::Fail(ErrorKind::Other));
        let mut log = world.create();
        let context = format!("failed at {at}");
        if world.work(&mut log).is_some() {
            assert!(at > 50);
            return;
        }
        world.check(&log, world.model.acknowledged, &context);
        if log.failed() {
            assert!(Batch::of(1).append(&mut log).is_err(), "{context}");
            assert!(matches!(log.flush_work(), Ok(None)), "{context}");
        }
        drop(log);
        world.disk.kill();
        let log = world
            .open(world.hints())
            .unwrap_or_else(|| panic!("{context}: no log"));
        world.check(&log, world.model.acknowledged, &context);
    }
    panic!("the work never ends");
}

#[test]
fn failed_flush_is_never_made_good() {
    let mut world = World::new();
    let mut log = world.create();
    world.append(&mut log, &Batch::of(1)).expect("room");
    world.flush(&mut log).expect("flushes");
    world.append(&mut log, &Batch::of(1)).expect("room");
    world
        .disk
        .plan(world.disk.operations(), Fault::Fail(ErrorKind::Other));
    assert!(world.flush(&mut log).is_none());
    assert!(log.failed());
    assert_eq!(log.flushed_end(), Offset(1));
    assert!(world.append(&mut log, &Batch::of(1)).is_none());
    assert_eq!(bases(&log), [0, 1], "what is there can be read");
}

/// Appends, cuts and appends other batches in their place.
fn cut_work(world: &mut World, log: &mut Log) -> Option<()> {
    for i in 0..12 {
        let batch = Batch::of(2).value(vec![b'o'; 60]).by(1, 0, i * 2);
        world.append(log, &batch)?;
    }
    world.flush(log)?;
    // From here on no more than this is promised; the recovery point goes before the cut.
    world.model.flushed = log.announce_cut(Offset(14)).0;
    world.model.acknowledged = 14;
    log.truncate_to(Offset(14)).ok()?;
    world.model.flushed = 14;
    assert_eq!(log.flushed_end(), Offset(14));
    for i in 0..8 {
        let batch = Batch::of(2)
            .value(vec![b'n'; 70])
            .by(1, 0, 14 + i * 2)
            .epoch(1);
        world.append(log, &batch)?;
        if i == 5 {
            world.flush(log)?;
        }
    }
    Some(())
}

#[test]
fn cut_batches_do_not_come_back_between_others() {
    for_each_stop(cut_work, |world, at| {
        drop(world);
        for seed in 0..4 {
            let context = format!("power cut at {at}, seed {seed}");
            let (mut world, _) = stopped_at(at, cut_work);
            world.disk.crash(seed);
            let mut log = world
                .open(world.hints())
                .unwrap_or_else(|| panic!("{context}: no log"));
            world.check(&log, world.model.flushed, &context);
            let epochs: Vec<i32> = read_all(&log, log.start().0, 1 << 20)
                .iter()
                .map(|(_, b)| ottla_records::BatchView::parse(b).expect("a batch"))
                .map(|batch| batch.partition_leader_epoch().0)
                .collect();
            assert!(epochs.is_sorted(), "{context}: {epochs:?}");
            world.go_on(&mut log, &context);
        }
    });
}
