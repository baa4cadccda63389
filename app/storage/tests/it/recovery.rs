//! What a start makes of damaged and half finished directories.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::{LeaderEpoch, Offset, WallMillis};
use ottla_log::LogConfig;
use ottla_storage::{Log, OpenHints};

use crate::support::{Batch, CLEAN, OnDisk, T0, UNCLEAN, bases, flush, read_all};

fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 1000,
        index_interval_bytes: 100,
        ..LogConfig::default()
    }
}

/// A closed log of 60 records, one a batch, in several segments; three epochs.
fn closed() -> (OnDisk, Vec<i64>) {
    let disk = OnDisk::new();
    let mut log = disk.create(small());
    for i in 0..60 {
        Batch::of(1)
            .by(1, 0, i)
            .at(T0 + i64::from(i))
            .epoch(i / 25)
            .push(&mut log);
    }
    let segments = segment_bases(&disk);
    assert!(segments.len() > 4);
    log.close().expect("closes");
    (disk, segments)
}

fn segment_bases(disk: &OnDisk) -> Vec<i64> {
    let logs = disk
        .files()
        .into_iter()
        .filter(|name| name.ends_with(".log"));
    logs.map(|name| name[..20].parse().expect("digits"))
        .collect()
}

fn path(disk: &OnDisk, base: i64, extension: &str) -> PathBuf {
    disk.path().join(format!("{base:020}.{extension}"))
}

fn all() -> Vec<i64> {
    (0..60).collect()
}

fn open(disk: &OnDisk, hints: OpenHints) -> (Log, u64) {
    let (log, opened) = Log::open(&disk.env, disk.path(), Arc::new(small()), hints).expect("opens");
    (log, opened.truncated_bytes)
}

#[test]
fn torn_tail_is_cut_at_the_last_whole_batch() {
    let (disk, segments) = closed();
    let last = path(&disk, *segments.last().expect("some"), "log");
    let whole = std::fs::read(&last).expect("there");
    let size = Batch::of(1).bytes(0).len();
    for (cut, lost) in [(1, 1), (size, 1), (size + 5, 2)] {
        std::fs::write(&last, &whole[..whole.len() - cut]).expect("room");
        let (log, truncated) = open(&disk, UNCLEAN);
        assert_eq!(bases(&log), all()[..60 - lost]);
        assert_eq!(truncated > 0, cut % size != 0);
    }
    for garbage in [
        vec![0; 200],
        vec![0xff; 3],
        whole[..30].to_vec(),
        whole[..100].to_vec(),
    ] {
        let mut bytes = whole.clone();
        bytes.extend(&garbage);
        std::fs::write(&last, &bytes).expect("room");
        let (log, truncated) = open(&disk, UNCLEAN);
        assert_eq!(bases(&log), all());
        assert_eq!(truncated, u64::try_from(garbage.len()).expect("small"));
        assert_eq!(std::fs::read(&last).expect("there"), whole);
    }
}

#[test]
fn damage_above_the_recovery_point_ends_the_log_there() {
    let (disk, segments) = closed();
    let second = path(&disk, segments[1], "log");
    let mut bytes = std::fs::read(&second).expect("there");
    let size = Batch::of(1).bytes(0).len();
    bytes[2 * size + 70] ^= 4;
    std::fs::write(&second, &bytes).expect("room");
    // Below the recovery point nothing is read, and the rest stays.
    let hints = OpenHints {
        recovery_point: Offset(50),
        ..UNCLEAN
    };
    assert_eq!(open(&disk, hints).0.end(), Offset(60));
    let (log, _) = open(&disk, UNCLEAN);
    assert_eq!(log.end().0, segments[1] + 2);
    assert_eq!(log.segment_count(), 2);
    assert_eq!(segment_bases(&disk), segments[..2]);
    let known = log.producers().next().expect("known");
    assert_eq!(i64::from(known.last_sequence.0), segments[1] + 1);
}

#[test]
fn lost_segment_ends_the_log_before_it() {
    let (disk, segments) = closed();
    std::fs::remove_file(path(&disk, segments[2], "log")).expect("there");
    let (log, _) = open(&disk, UNCLEAN);
    assert_eq!(log.end().0, segments[2]);
    // Compaction leaves such gaps.
    let (disk, segments) = closed();
    std::fs::remove_file(path(&disk, segments[2], "log")).expect("there");
    let mut config = small();
    config.cleanup_policy.compact = true;
    let log = disk.open(config, UNCLEAN);
    assert_eq!(log.end(), Offset(60));
    let want: Vec<i64> = all()
        .into_iter()
        .filter(|o| !(segments[2]..segments[3]).contains(o))
        .collect();
    assert_eq!(bases(&log), want);
}

#[test]
fn damaged_index_changes_no_answer_and_is_made_anew() {
    for extension in ["index", "timeindex"] {
        for damage in 0..5 {
            for hints in [
                CLEAN,
                UNCLEAN,
                OpenHints {
                    recovery_point: Offset(55),
                    ..UNCLEAN
                },
            ] {
                let (disk, segments) = closed();
                for base in &segments {
                    let path = path(&disk, *base, extension);
                    let mut bytes = std::fs::read(&path).expect("there");
                    match damage {
                        0 => bytes.clear(),
                        1 => bytes.fill(0),
                        2 => bytes.iter_mut().for_each(|b| *b ^= 0x15),
                        3 => bytes.truncate(bytes.len() - 3),
                        _ => std::fs::remove_file(&path).expect("there"),
                    }
                    if damage < 4 {
                        std::fs::write(&path, &bytes).expect("room");
                    }
                }
                let context = format!("{extension} {damage} {hints:?}");
                let (mut log, _) = open(&disk, hints);
                assert_eq!(bases(&log), all(), "{context}");
                for record in [0, 10, 33, 59] {
                    let found = log
                        .offset_for_timestamp(T0 + record, Offset(60))
                        .expect("readable");
                    assert_eq!(found.expect("found").offset, Offset(record), "{context}");
                }
                Batch::of(1)
                    .by(1, 0, 60)
                    .at(T0 + 60)
                    .epoch(2)
                    .push(&mut log);
                log.retain(WallMillis(T0), log.end()).expect("works");
                log.close().expect("closes");
                let (log, _) = open(&disk, CLEAN);
                assert_eq!(bases(&log).len(), 61, "{context}");
            }
        }
    }
}

#[test]
fn damaged_epochs_are_read_from_the_batches() {
    for damage in ["", "0\n1\n", "nonsense"] {
        let (disk, _) = closed();
        std::fs::write(disk.path().join("leader-epoch-checkpoint"), damage).expect("room");
        for hints in [CLEAN, UNCLEAN] {
            let (mut log, _) = open(&disk, hints);
            assert_eq!(log.latest_epoch(), Some(LeaderEpoch(2)));
            let end = |epoch: i32| {
                log.end_of_epoch(LeaderEpoch(epoch))
                    .map(|(e, o)| (e.0, o.0))
            };
            assert_eq!(
                [end(0), end(1), end(2), end(3)],
                [Some((0, 25)), Some((1, 50)), Some((2, 60)), None]
            );
            flush(&mut log, &*disk.env.disk).expect("flushes");
            let text = std::fs::read_to_string(disk.path().join("leader-epoch-checkpoint"));
            assert_eq!(text.expect("there"), "0\n3\n0 0\n1 25\n2 50\n");
        }
    }
}

#[test]
fn damaged_snapshot_is_replaced_by_reading_more() {
    let (disk, segments) = closed();
    let newest = path(&disk, 60, "snapshot");
    for damage in [&[][..], &[0, 1, 2], &[0; 100]] {
        std::fs::write(&newest, damage).expect("room");
        std::fs::write(path(&disk, segments[2], "snapshot"), damage).expect("room");
        for hints in [CLEAN, UNCLEAN] {
            let (mut log, _) = open(&disk, hints);
            let known = log.producers().next().expect("known");
            assert_eq!(known.last_sequence.0, 59);
            assert!(
                Batch::of(1)
                    .by(1, 0, 57)
                    .epoch(2)
                    .append(&mut log)
                    .expect("known")
                    .duplicate
                    .is_some()
            );
        }
    }
}

#[test]
fn what_a_cleaner_left_is_finished_or_undone() {
    let (disk, segments) = closed();
    let (log, _) = open(&disk, CLEAN);
    let before = read_all(&log, 0, 1 << 20);
    drop(log);
    // The first two segments were merged into one that has every second record.
    let kept: Vec<i64> = (0..segments[2]).filter(|o| o % 2 == 0).collect();
    let merged: Vec<u8> = before
        .iter()
        .filter(|(base, _)| kept.contains(base))
        .flat_map(|(_, bytes)| bytes.clone())
        .collect();
    std::fs::write(path(&disk, segments[3], "log.deleted"), b"x").expect("room");
    std::fs::write(path(&disk, 0, "log.cleaned"), &merged).expect("room");
    let mut config = small();
    config.cleanup_policy.compact = true;
    assert_eq!(
        bases(&disk.open(config.clone(), UNCLEAN)),
        all(),
        "output that was not finished"
    );
    assert!(!path(&disk, 0, "log.cleaned").exists());
    assert!(!path(&disk, segments[3], "log.deleted").exists());

    std::fs::write(path(&disk, 0, "log.swap"), &merged).expect("room");
    for hints in [CLEAN, UNCLEAN] {
        let log = disk.open(config.clone(), hints);
        let mut want = kept.clone();
        want.extend(segments[2]..60);
        assert_eq!(bases(&log), want);
        assert!(!path(&disk, segments[1], "log").exists());
    }
}

#[test]
fn large_batch_comes_back_whatever_the_index_settings_are() {
    let disk = OnDisk::new();
    let config = LogConfig {
        segment_bytes: 16 << 20,
        segment_index_bytes: 24,
        index_interval_bytes: 0,
        max_message_bytes: 16 << 20,
        ..LogConfig::default()
    };
    let mut log = disk.create(config.clone());
    for i in 0..6 {
        Batch::of(1).by(1, 0, i * 2).push(&mut log);
        Batch::of(1)
            .value(vec![b'L'; 5 << 20])
            .by(1, 0, i * 2 + 1)
            .push(&mut log);
    }
    let before = read_all(&log, 0, 100);
    drop(log);
    // Settings may be stricter by now.
    let log = disk.open(
        LogConfig {
            max_message_bytes: 1000,
            ..config
        },
        UNCLEAN,
    );
    assert_eq!(read_all(&log, 0, 100), before);
    assert_eq!(log.producers().next().expect("known").last_sequence.0, 11);
}

#[test]
fn log_that_ends_before_its_start_begins_anew() {
    let (disk, _) = closed();
    for hints in [CLEAN, UNCLEAN] {
        let hints = OpenHints {
            log_start: Offset(100),
            ..hints
        };
        let (mut log, _) = open(&disk, hints);
        assert_eq!((log.start(), log.end()), (Offset(100), Offset(100)));
        assert_eq!(Batch::of(1).push(&mut log).base, Offset(100));
        log.announce_cut(Offset(20));
        log.truncate_fully_and_start_at(Offset(20)).expect("is cut");
    }
}

#[test]
fn topic_id_that_is_known_is_not_read_again() {
    let (disk, _) = closed();
    let known = ottla_base::TopicId(ottla_base::Uuid([3; 16]));
    let hints = OpenHints {
        topic_id: Some(known),
        ..CLEAN
    };
    let (log, _) = open(&disk, hints);
    assert_eq!(log.topic_id(), Some(known));
    let (log, _) = open(&disk, CLEAN);
    assert_ne!(log.topic_id(), Some(known));
}

#[test]
fn leftover_of_a_small_file_is_removed() {
    let (disk, _) = closed();
    let leftover = disk.path().join("leader-epoch-checkpoint.tmp");
    std::fs::File::create(&leftover)
        .expect("room")
        .write_all(b"0\n")
        .expect("room");
    open(&disk, CLEAN);
    assert!(!leftover.exists());
}

#[test]
fn old_messages_in_a_segment_are_read_and_kept() {
    // Two messages of magic 1 as Kafka 0.10 wrote them: offset, length, CRC-32, magic, attributes, timestamp, key, value.
    let message = |offset: i64, crc: u32| {
        let mut bytes = offset.to_be_bytes().to_vec();
        bytes.extend(23i32.to_be_bytes());
        bytes.extend(crc.to_be_bytes());
        bytes.extend([1, 0]);
        bytes.extend((T0 + offset).to_be_bytes());
        bytes.extend((-1i32).to_be_bytes());
        bytes.extend(1i32.to_be_bytes());
        bytes.push(b'v');
        bytes
    };
    let sealed = |offset: i64| {
        let crc = crc32(&message(offset, 0)[16..]);
        message(offset, crc)
    };
    let disk = OnDisk::new();
    std::fs::create_dir(disk.path()).expect("new");
    let segment = path(&disk, 0, "log");
    std::fs::write(&segment, [sealed(0), sealed(1), message(2, 7)].concat()).expect("room");
    let (mut log, truncated) = open(&disk, UNCLEAN);
    assert_eq!(
        (log.end(), truncated),
        (Offset(2), 35),
        "the third has a wrong checksum"
    );
    assert_eq!(Batch::of(1).at(T0 + 5).push(&mut log).base, Offset(2));
    let found = log
        .offset_for_timestamp(T0 + 1, Offset(3))
        .expect("readable")
        .expect("found");
    assert_eq!(
        (found.offset, found.timestamp, found.epoch),
        (Offset(1), T0 + 1, None)
    );
    let slice = log
        .read(Offset(0), Offset(3), 1000, true)
        .expect("readable")
        .expect("some");
    assert_eq!(slice.position, 0);
}

/// CRC-32 of the old formats, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| {
        if crc & 1 == 1 {
            (crc >> 1) ^ 0xedb8_8320
        } else {
            crc >> 1
        }
    };
    !bytes
        .iter()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
