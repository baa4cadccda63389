//! A partition's directory that Apache Kafka 4.4.0 wrote: three producers' transactions (committed, aborted, open),
//! an idempotent producer, all codecs, two segments.

use std::path::Path;
use std::sync::Arc;

use ottla_base::{LeaderEpoch, Offset};
use ottla_log::{LogConfig, producer_snapshot};
use ottla_records::BatchView;
use ottla_storage::{Log, OpenHints};

use crate::support::{Batch, CLEAN, OnDisk, UNCLEAN, read_all};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/gold-0");

fn config() -> LogConfig {
    LogConfig {
        index_interval_bytes: 200,
        segment_ms: 2000,
        ..LogConfig::default()
    }
}

/// A copy of the directory.
fn gold() -> OnDisk {
    let disk = OnDisk::new();
    std::fs::create_dir(disk.path()).expect("new");
    for entry in std::fs::read_dir(FILES).expect("the files") {
        let from = entry.expect("a file").path();
        let to = disk.path().join(from.file_name().expect("a name"));
        std::fs::copy(from, to).expect("a copy");
    }
    disk
}

fn file(disk: &OnDisk, name: &str) -> Vec<u8> {
    std::fs::read(disk.path().join(name)).expect("there")
}

fn kafkas(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(FILES).join(name)).expect("there")
}

fn check(log: &Log, context: &str) {
    assert_eq!(
        (log.start(), log.end()),
        (Offset(0), Offset(79)),
        "{context}"
    );
    assert_eq!(log.segment_count(), 2, "{context}");
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(0)), "{context}");
    assert_eq!(
        log.first_unstable_offset(Offset(79)),
        Some(Offset(51)),
        "{context}"
    );
    let producers: Vec<_> = log
        .producers()
        .map(|p| {
            (
                p.id.0,
                p.epoch.0,
                p.last_sequence.0,
                p.coordinator_epoch,
                p.txn_start.map(|o| o.0),
            )
        })
        .collect();
    let want = [
        (0, 0, 30, -1, None),
        (1, 2, -1, 0, None),
        (2, 2, -1, 0, None),
        (3, 0, 1, -1, Some(51)),
    ];
    assert_eq!(producers, want, "{context}");
    let aborted = log
        .aborted_transactions(Offset(0), Offset(79))
        .expect("readable");
    let aborted: Vec<_> = aborted
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
    assert_eq!(aborted, [(2, 48, 57, 51), (2, 61, 63, 51)], "{context}");
    let bytes: Vec<u8> = read_all(log, 0, 1 << 20)
        .into_iter()
        .flat_map(|(_, b)| b)
        .collect();
    let mut want = kafkas("00000000000000000000.log");
    want.extend(kafkas("00000000000000000047.log"));
    assert_eq!(bytes, want, "{context}");
}

#[test]
fn directory_is_taken_as_it_is_after_a_clean_stop() {
    let disk = gold();
    let mut log = disk.open(config(), CLEAN);
    check(&log, "clean");
    log.close().expect("closes");
    // Nothing was appended, so nothing is changed.
    for name in disk.files() {
        assert_eq!(file(&disk, &name), kafkas(&name), "{name}");
    }
}

#[test]
fn recovery_makes_the_same_indexes_and_snapshots() {
    let disk = gold();
    // As Apache Kafka leaves indexes when it is killed: allotted in advance, the rest zeros.
    for name in [
        "00000000000000000047.index",
        "00000000000000000047.timeindex",
    ] {
        let mut bytes = file(&disk, name);
        bytes.resize(8 * 12 * 100, 0);
        std::fs::write(disk.path().join(name), bytes).expect("room");
    }
    std::fs::remove_file(disk.path().join("00000000000000000079.snapshot")).expect("there");
    let (mut log, opened) =
        Log::open(&disk.env, disk.path(), Arc::new(config()), UNCLEAN).expect("opens");
    assert_eq!(
        (opened.scanned_bytes, opened.truncated_bytes),
        (2875 + 2726, 0)
    );
    check(&log, "unclean");
    log.close().expect("closes");
    for name in disk.files() {
        assert_eq!(file(&disk, &name), kafkas(&name), "{name}");
    }
    assert_eq!(disk.files().len(), 11);
}

#[test]
fn recovery_point_spares_what_is_below() {
    for (recovery_point, most) in [(79, 1400), (65, 1400), (47, 2726), (30, 4400), (0, 5601)] {
        let disk = gold();
        let hints = OpenHints {
            recovery_point: Offset(recovery_point),
            ..UNCLEAN
        };
        let (log, opened) =
            Log::open(&disk.env, disk.path(), Arc::new(config()), hints).expect("opens");
        check(&log, &format!("recovery point {recovery_point}"));
        assert!(opened.scanned_bytes <= most, "{recovery_point}: {opened:?}");
        assert_eq!(log.flushed_end(), Offset(recovery_point));
    }
}

#[test]
fn snapshot_is_written_as_it_was_read() {
    for name in [
        "00000000000000000047.snapshot",
        "00000000000000000079.snapshot",
    ] {
        let bytes = kafkas(name);
        let states = producer_snapshot::read(&bytes).expect("a snapshot");
        assert_eq!(producer_snapshot::write(&states), bytes, "{name}");
    }
}

#[test]
fn same_batches_give_the_same_files() {
    let gold = gold();
    let kafka = gold.open(config(), CLEAN);
    let ours = OnDisk::new();
    let mut log = ours.create(config());
    let now = ottla_base::WallMillis(0);
    for (_, bytes) in read_all(&kafka, 0, 1 << 20) {
        log.append_as_follower(&bytes, now).expect("is appended");
    }
    log.close().expect("closes");
    for name in gold.files() {
        if name != "partition.metadata" {
            assert_eq!(file(&ours, &name), kafkas(&name), "{name}");
        }
    }
}

#[test]
fn producers_go_on_where_they_were() {
    let disk = gold();
    let mut log = disk.open(config(), CLEAN);
    let last = read_all(&log, 77, 1 << 20).remove(0).1;
    let header = *BatchView::parse(&last).expect("a batch").header();
    assert_eq!((header.producer_id.0, header.base_sequence.0), (0, 29));
    let again = Batch::of(2).by(0, 0, 29).append(&mut log).expect("known");
    assert_eq!((again.base, again.duplicate.is_some()), (Offset(77), true));
    assert!(Batch::of(1).by(0, 0, 33).append(&mut log).is_err());
    assert_eq!(Batch::of(1).by(0, 0, 31).push(&mut log).base, Offset(79));
}
