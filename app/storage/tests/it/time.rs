//! Finding records by their time.

use ottla_base::{LeaderEpoch, Offset, WallMillis};
use ottla_log::LogConfig;
use ottla_records::BatchView;
use ottla_storage::{Log, Origin};

use crate::support::{Batch, CLEAN, OnDisk, T0, UNCLEAN, append_bytes};

fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 900,
        index_interval_bytes: 150,
        ..LogConfig::default()
    }
}

/// Batches of three records, 10 ms from batch to batch, every fourth 500 ms in the past.
fn filled(disk: &OnDisk) -> (Log, Vec<i64>) {
    let mut log = disk.create(small());
    let mut times = Vec::new();
    for i in 0..50 {
        let time = T0 + i * 10 - if i % 4 == 3 { 500 } else { 0 };
        times.extend([time, time + 1, time + 2]);
        Batch::of(3)
            .at(time)
            .epoch(i32::try_from(i / 20).expect("small"))
            .push(&mut log);
    }
    (log, times)
}

/// The answers by looking at every record.
fn first_at(times: &[i64], start: usize, upto: usize, timestamp: i64) -> Option<i64> {
    let found = (start..upto).find(|at| times[*at] >= timestamp);
    found.map(|at| i64::try_from(at).expect("small"))
}

fn check(log: &Log, times: &[i64], context: &str) {
    let start = usize::try_from(log.start().0).expect("small");
    for upto in [3, 51, 75, 147, 150] {
        for timestamp in (T0 - 510..T0 + 510).step_by(7) {
            let upto_offset = Offset(i64::try_from(upto).expect("small"));
            let found = log
                .offset_for_timestamp(timestamp, upto_offset)
                .expect("readable");
            let want = first_at(times, start, upto, timestamp);
            assert_eq!(
                found.map(|f| f.offset.0),
                want,
                "{context} {timestamp} {upto}"
            );
            if let Some(found) = found {
                let at = usize::try_from(found.offset.0).expect("small");
                assert_eq!(found.timestamp, times[at]);
                let epoch = i32::try_from(at / 60).expect("small");
                assert_eq!(found.epoch, Some(LeaderEpoch(epoch)), "{context}");
            }
        }
        if start >= upto {
            continue;
        }
        let largest = times[start..upto].iter().max().expect("some");
        let upto = Offset(i64::try_from(upto).expect("small"));
        let found = log
            .offset_of_max_timestamp(upto)
            .expect("readable")
            .expect("some");
        assert_eq!(found.timestamp, *largest, "{context} {upto}");
        let at = usize::try_from(found.offset.0).expect("small");
        assert_eq!(times[at], *largest);
        assert!(
            times[start..at].iter().all(|time| time < largest),
            "{context}: the first"
        );
    }
}

#[test]
fn first_record_at_or_after_a_time_is_found() {
    let disk = OnDisk::new();
    let (mut log, times) = filled(&disk);
    assert!(log.segment_count() > 5);
    check(&log, &times, "written");
    log.raise_start(Offset(40)).expect("works");
    check(&log, &times, "raised");
    drop(log);
    let log = disk.open(small(), UNCLEAN);
    check(&log, &times, "recovered");
    let mut log = log;
    log.close().expect("closes");
    check(&disk.open(small(), CLEAN), &times, "closed");
}

#[test]
fn records_without_a_time_are_not_found_by_it() {
    let disk = OnDisk::new();
    let mut log = disk.create(small());
    assert_eq!(log.offset_for_timestamp(0, Offset(0)).expect("works"), None);
    assert_eq!(log.offset_of_max_timestamp(Offset(0)).expect("works"), None);
    Batch::of(1).at(-1).push(&mut log);
    assert_eq!(log.offset_for_timestamp(0, Offset(1)).expect("works"), None);
    assert_eq!(log.offset_of_max_timestamp(Offset(1)).expect("works"), None);
}

#[test]
fn append_time_counts_for_all_records_of_a_batch() {
    let disk = OnDisk::new();
    let mut log = disk.create(small());
    let mut header = *BatchView::parse(&Batch::of(3).at(5).bytes(0))
        .expect("a batch")
        .header();
    header.attributes = header
        .attributes
        .with_timestamp_type(ottla_records::TimestampType::LogAppendTime);
    header.max_timestamp = WallMillis(T0 + 9);
    let payload = Batch::of(3).at(5).bytes(0)[ottla_records::HEADER_SIZE..].to_vec();
    header.reseal(&payload);
    let bytes = [header.encode().to_vec(), payload].concat();
    append_bytes(&mut log, &bytes, 0, Origin::Client).expect("is appended");
    let found = log
        .offset_for_timestamp(100, Offset(3))
        .expect("works")
        .expect("found");
    assert_eq!((found.offset, found.timestamp), (Offset(0), T0 + 9));
    let found = log
        .offset_of_max_timestamp(Offset(3))
        .expect("works")
        .expect("found");
    assert_eq!(found.offset, Offset(0));
}
