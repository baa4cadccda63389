//! Appending and reading.

use ottla_base::{LeaderEpoch, Offset};
use ottla_log::LogConfig;
use ottla_records::control::TxnResult;
use ottla_storage::{AppendError, OpenHints, ReadError};

use crate::support::{
    Batch, CLEAN, OnDisk, T0, UNCLEAN, bases, end_txn, flush, marker, read_all, read_upto,
};

fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 1000,
        index_interval_bytes: 200,
        ..LogConfig::default()
    }
}

#[test]
fn nothing_is_on_disk_before_the_first_append() {
    let disk = OnDisk::new();
    let mut log = disk.create(LogConfig::default());
    assert_eq!(
        (log.start(), log.end(), log.segment_count()),
        (Offset(0), Offset(0), 1)
    );
    assert!(log.flush_work().unwrap().is_none());
    assert!(!disk.path().exists());
    Batch::of(2).push(&mut log);
    let files = disk.files();
    let want = [
        "00000000000000000000.log",
        "leader-epoch-checkpoint",
        "partition.metadata",
    ];
    assert_eq!(files, want);
}

#[test]
fn offsets_follow_each_other_and_bytes_are_what_was_sent() {
    let disk = OnDisk::new();
    let mut log = disk.create(small());
    let mut want = Vec::new();
    for i in 0..40 {
        let batch = Batch::of(1 + i % 3).value(vec![b'x'; i * 7]).epoch(3);
        let appended = batch.push(&mut log);
        let base = appended.base.0;
        assert_eq!(appended.last.0, base + i64::try_from(i % 3).expect("small"));
        // The stored batch differs from the sent one in base offset and leader epoch only.
        want.push((base, batch.bytes(base)));
    }
    assert!(log.segment_count() > 3);
    for max in [1, 100, 333, 1 << 20] {
        assert_eq!(read_all(&log, 0, max), want, "max {max}");
    }
    for hints in [CLEAN, UNCLEAN] {
        log.close().expect("closes");
        log = disk.open(small(), hints);
        assert_eq!(read_all(&log, 0, 500), want, "{hints:?}");
        assert_eq!(log.latest_epoch(), Some(LeaderEpoch(3)));
        assert_eq!(log.topic_id(), Some(crate::support::topic_id()));
    }
    let next = Batch::of(1).push(&mut log).base;
    assert_eq!(next.0, want.last().expect("some").0 + 1);
}

#[test]
fn reader_is_stopped_exactly_at_its_limit() {
    let disk = OnDisk::new();
    let mut log = disk.create(small());
    for i in 0..60 {
        Batch::of(2).value(vec![b'x'; i]).push(&mut log);
        if i == 20 || i == 45 {
            flush(&mut log, &*disk.env.disk).expect("flushes");
        }
    }
    for upto in 0..=120 {
        for max in [1, 300, 1 << 20] {
            let found = read_upto(&log, 0, upto, max);
            // A batch that reaches over the limit is not sent at all.
            let whole = upto / 2;
            assert_eq!(
                found.len(),
                usize::try_from(whole).expect("small"),
                "{upto} {max}"
            );
        }
    }
}

#[test]
fn a_byte_limit_is_kept_unless_one_batch_is_owed() {
    let disk = OnDisk::new();
    let mut log = disk.create(LogConfig::default());
    let size = Batch::of(1).bytes(0).len();
    let size = u32::try_from(size).expect("small");
    for _ in 0..4 {
        Batch::of(1).push(&mut log);
    }
    let len = |from, max, min_one| {
        let slice = log
            .read(Offset(from), Offset(4), max, min_one)
            .expect("in range");
        slice.map(|slice| slice.len)
    };
    assert_eq!(len(0, size - 1, false), None);
    assert_eq!(len(0, size - 1, true), Some(size));
    assert_eq!(len(0, 0, true), Some(size));
    assert_eq!(len(0, size + 5, false), Some(size + 5));
    assert_eq!(len(3, 1 << 30, false), Some(size));
    assert_eq!(len(4, 1 << 30, true), None);
    assert!(matches!(
        log.read(Offset(5), Offset(9), 10, true),
        Err(ReadError::OutOfRange { .. })
    ));
    assert!(matches!(
        log.read(Offset(-1), Offset(9), 10, true),
        Err(ReadError::OutOfRange { .. })
    ));
}

#[test]
fn repeated_batches_get_their_first_offsets() {
    let disk = OnDisk::new();
    let mut log = disk.create(LogConfig::default());
    for i in 0..7 {
        Batch::of(2).by(5, 0, i * 2).push(&mut log);
    }
    let again = |log: &mut ottla_storage::Log, sequence| {
        Batch::of(2)
            .by(5, 0, sequence)
            .append(log)
            .map(|a| (a.base.0, a.last.0, a.duplicate.is_some()))
    };
    for sequence in [12, 4, 8] {
        let base = i64::from(sequence);
        assert_eq!(
            again(&mut log, sequence).expect("known"),
            (base, base + 1, true)
        );
    }
    assert_eq!(log.end(), Offset(14));
    assert!(matches!(
        again(&mut log, 2),
        Err(AppendError::OutOfOrderSequence { .. })
    ));
    assert!(matches!(
        again(&mut log, 16),
        Err(AppendError::OutOfOrderSequence { .. })
    ));
    assert!(matches!(
        Batch::of(1).by(5, -1, 14).append(&mut log),
        Err(AppendError::InvalidProducerEpoch { .. })
    ));
    // They are known after either kind of stop, though a snapshot holds only the last of a producer.
    for hints in [UNCLEAN, CLEAN] {
        if hints.clean {
            log.close().expect("closes");
        }
        log = disk.open(LogConfig::default(), hints);
        for sequence in [12, 4, 8] {
            let base = i64::from(sequence);
            let want = (base, base + 1, true);
            assert_eq!(again(&mut log, sequence).expect("known"), want, "{hints:?}");
        }
        assert!(again(&mut log, 2).is_err());
    }
    // Nor is the border of a segment a border for them.
    log.roll().expect("rolls");
    log = disk.open(
        LogConfig::default(),
        OpenHints {
            recovery_point: log.end(),
            ..UNCLEAN
        },
    );
    assert!(again(&mut log, 4).expect("known").2);
}

#[test]
fn open_and_aborted_transactions_survive_both_kinds_of_stop() {
    let disk = OnDisk::new();
    let mut log = disk.create(small());
    Batch::of(2).by(1, 0, 0).in_txn().push(&mut log);
    Batch::of(1).by(2, 0, 0).in_txn().push(&mut log);
    Batch::of(10).value(vec![1; 70]).push(&mut log);
    end_txn(&mut log, 1, 0, TxnResult::Abort);
    Batch::of(10).value(vec![1; 70]).push(&mut log);
    let check = |log: &ottla_storage::Log| {
        assert_eq!(log.first_unstable_offset(log.end()), Some(Offset(2)));
        let aborted = log
            .aborted_transactions(Offset(0), log.end())
            .expect("readable");
        let want = [(1, 0, 13, 2)];
        let got: Vec<_> = aborted
            .iter()
            .map(|t| {
                (
                    t.producer_id.0,
                    t.first_offset.0,
                    t.last_offset.0,
                    t.last_stable_offset.0,
                )
            })
            .collect();
        assert_eq!(got, want);
        assert_eq!(
            log.aborted_transactions(Offset(14), log.end())
                .expect("readable"),
            []
        );
    };
    check(&log);
    log = disk.open(small(), UNCLEAN);
    check(&log);
    log.close().expect("closes");
    log = disk.open(small(), CLEAN);
    check(&log);
    // A marker of an old epoch is refused, and one that repeats is not.
    end_txn(&mut log, 1, 0, TxnResult::Abort);
    end_txn(&mut log, 2, 1, TxnResult::Commit);
    let old = crate::support::append_bytes(
        &mut log,
        &marker(2, 0, TxnResult::Abort),
        0,
        ottla_storage::Origin::Coordinator,
    );
    assert!(matches!(old, Err(AppendError::InvalidProducerEpoch { .. })));
    assert_eq!(log.first_unstable_offset(log.end()), None);
}

#[test]
fn follower_takes_batches_as_they_are() {
    let disk = OnDisk::new();
    let mut leader = disk.create(LogConfig::default());
    for i in 0..30 {
        Batch::of(3)
            .value(vec![b'x'; i])
            .by(4, 0, i32::try_from(i).expect("small") * 3)
            .epoch(2)
            .push(&mut leader);
    }
    let sent: Vec<u8> = read_all(&leader, 0, 1 << 20)
        .into_iter()
        .flat_map(|(_, b)| b)
        .collect();
    let path = disk.folder.path().join("f-0");
    let config = std::sync::Arc::new(small());
    let mut follower = ottla_storage::Log::create(&disk.env, path, None, config);
    let now = ottla_base::WallMillis(T0);
    // Cut within the last batch: the whole ones are taken.
    let end = follower
        .append_as_follower(&sent[..sent.len() - 1], now)
        .expect("is appended");
    assert_eq!(end, Offset(87));
    let again = follower.append_as_follower(&sent, now);
    assert!(matches!(again, Err(AppendError::UnexpectedOffset { .. })));
    let mut torn = read_all(&leader, 87, 1 << 20).remove(0).1;
    let good = torn.clone();
    *torn.last_mut().expect("bytes") ^= 1;
    assert!(matches!(
        follower.append_as_follower(&torn, now),
        Err(AppendError::Corrupt(_))
    ));
    assert_eq!(
        follower
            .append_as_follower(&good, now)
            .expect("is appended"),
        Offset(90)
    );
    assert_eq!(
        read_all(&follower, 0, 1 << 20),
        read_all(&leader, 0, 1 << 20)
    );
    assert!(follower.segment_count() > 2);
    assert_eq!(follower.latest_epoch(), Some(LeaderEpoch(2)));
    // The new leader knows the producer.
    let again = Batch::of(3)
        .value(vec![b'x'; 29])
        .by(4, 0, 87)
        .epoch(3)
        .append(&mut follower);
    assert!(again.expect("known").duplicate.is_some());
}

#[test]
fn cut_log_goes_on_where_it_was_cut() {
    let disk = OnDisk::new();
    for end in [0, 7, 20, 41, 59, 60] {
        let mut log = disk.create(small());
        for i in 0..20 {
            Batch::of(3).by(1, 0, i * 3).epoch(i / 5).push(&mut log);
        }
        log.announce_cut(Offset(end));
        log.truncate_to(Offset(end)).expect("is cut");
        // The batch that holds the offset goes whole.
        let cut = end / 3 * 3;
        assert_eq!(log.end(), Offset(cut));
        assert!(bases(&log).iter().all(|base| *base < cut));
        let epoch = (cut > 0).then(|| i32::try_from((cut / 3 - 1) / 5).expect("small"));
        assert_eq!(log.latest_epoch(), epoch.map(LeaderEpoch), "{end}");
        if cut > 0 {
            let next = i32::try_from(cut).expect("small");
            assert_eq!(
                Batch::of(3).by(1, 0, next).epoch(7).push(&mut log).base,
                Offset(cut)
            );
            let last = Batch::of(3)
                .by(1, 0, next - 3)
                .append(&mut log)
                .expect("known");
            assert!(last.duplicate.is_some() || cut == 60);
        }
        let before = bases(&log);
        for hints in [UNCLEAN, CLEAN] {
            if hints.clean {
                log.close().expect("closes");
            }
            log = disk.open(small(), hints);
            assert_eq!(bases(&log), before);
        }
        std::fs::remove_dir_all(disk.path()).expect("removable");
    }
}

#[test]
fn log_that_starts_elsewhere_has_nothing_of_before() {
    let disk = OnDisk::new();
    let mut log = disk.create(small());
    for _ in 0..20 {
        Batch::of(3).by(1, 0, 0).append(&mut log).ok();
        Batch::of(3).push(&mut log);
    }
    log.truncate_fully_and_start_at(Offset(500))
        .expect("is cut");
    assert_eq!((log.start(), log.end()), (Offset(500), Offset(500)));
    assert_eq!(log.producers().count(), 0);
    assert_eq!(Batch::of(1).push(&mut log).base, Offset(500));
    let log = disk.open(small(), UNCLEAN);
    assert_eq!((log.start(), log.end()), (Offset(500), Offset(501)));
}

#[test]
fn old_segments_go_and_the_log_start_with_them() {
    let disk = OnDisk::new();
    let mut log = disk.create(LogConfig {
        retention_bytes: 2500,
        retention_ms: -1,
        ..small()
    });
    for i in 0..100 {
        Batch::of(1)
            .at(T0 + i)
            .by(1, 0, i32::try_from(i).expect("small"))
            .push(&mut log);
    }
    let segments = log.segment_count();
    let now = ottla_base::WallMillis(T0);
    assert_eq!(log.retain(now, Offset(5)).expect("works").new_start, None);
    let retained = log.retain(now, log.end()).expect("works");
    assert_eq!(retained.new_start, Some(log.start()));
    assert!(log.size_bytes() >= 2500 && log.segment_count() < segments);
    assert!(retained.deleted.iter().all(|path| path.exists()));
    assert_eq!(bases(&log)[0], log.start().0);
    for path in &retained.deleted {
        std::fs::remove_file(path).expect("there");
    }
    // All of it by time: the active one is closed first.
    log.set_config(std::sync::Arc::new(LogConfig {
        retention_ms: 50,
        ..small()
    }));
    let late = ottla_base::WallMillis(T0 + 1000);
    let retained = log.retain(late, log.end()).expect("works");
    assert_eq!(
        (retained.new_start, log.segment_count()),
        (Some(Offset(100)), 1)
    );
    assert_eq!((log.start(), log.end()), (Offset(100), Offset(100)));
    let mut log = disk.open(small(), UNCLEAN);
    assert_eq!((log.start(), log.end()), (Offset(100), Offset(100)));
    assert!(!disk.files().iter().any(|name| name.ends_with(".deleted")));
    assert_eq!(Batch::of(1).by(1, 0, 100).push(&mut log).base, Offset(100));
}

#[test]
fn raised_start_hides_what_is_below() {
    let disk = OnDisk::new();
    let mut log = disk.create(small());
    for _ in 0..60 {
        Batch::of(1).push(&mut log);
    }
    log.raise_start(Offset(33)).expect("works");
    assert!(matches!(
        log.read(Offset(32), Offset(60), 1, true),
        Err(ReadError::OutOfRange { .. })
    ));
    assert_eq!(bases(&log)[0], 33);
    let retained = log
        .retain(ottla_base::WallMillis(T0), log.end())
        .expect("works");
    assert_eq!(retained.new_start, None);
    assert!(!retained.deleted.is_empty());
    assert!(log.first_segment() <= Offset(33));
    let hints = OpenHints {
        log_start: Offset(33),
        ..UNCLEAN
    };
    assert_eq!(disk.open(small(), hints).start(), Offset(33));
}

#[test]
fn log_that_rests_goes_on_as_if_it_had_not() {
    let rested = OnDisk::new();
    let busy = OnDisk::new();
    let mut logs = [rested.create(small()), busy.create(small())];
    for i in 0..30 {
        for log in &mut logs {
            Batch::of(1)
                .value(vec![b'x'; 90])
                .at(T0 + i64::from(i))
                .by(1, 0, i)
                .push(log);
        }
        flush(&mut logs[0], &*rested.env.disk).expect("flushes");
        // Twice without an append in between: it is idle.
        for _ in 0..2 {
            logs[0]
                .retain(ottla_base::WallMillis(T0), Offset(0))
                .expect("works");
        }
        assert_eq!(rested.env.files.open_count(), 0);
        assert_eq!(bases(&logs[0]), bases(&logs[1]));
    }
    logs[0]
        .retain(ottla_base::WallMillis(T0), Offset(0))
        .expect("works");
    for log in &mut logs {
        log.close().expect("closes");
    }
    assert_eq!(rested.files(), busy.files());
    for name in rested.files() {
        let [a, b] = [&rested, &busy].map(|d| std::fs::read(d.path().join(&name)).expect("there"));
        assert_eq!(a, b, "{name}");
    }
}
