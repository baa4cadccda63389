//! Cutting a log: what recovery trusts, and what a power cut leaves.

use std::sync::Arc;

use ottla_base::Offset;
use ottla_env::Disk as _;
use ottla_log::LogConfig;
use ottla_storage::Log;

use crate::support::{Batch, UNCLEAN, bases, flush, sim, topic_id};

fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 1000,
        index_interval_bytes: 200,
        ..LogConfig::default()
    }
}

#[test]
fn announced_cut_keeps_the_recovery_point_down_until_it_is_made() {
    let (disk, env, path) = sim();
    let mut log = Log::create(&env, path, Some(topic_id()), Arc::new(small()));
    for _ in 0..20 {
        Batch::of(3).push(&mut log);
    }
    flush(&mut log, &disk).expect("a disk");
    Batch::of(3).push(&mut log);
    let work = log.flush_work().expect("a disk").expect("a batch");
    assert_eq!(log.flushed_end(), Offset(60));
    let low = log.announce_cut(Offset(41));
    assert!(low <= Offset(39), "the batch at 39 goes whole: {low}");
    // A flush that was under way when it was announced.
    disk.sync_files(&work.files).expect("a disk");
    log.flushed(work.upto);
    assert_eq!(log.flushed_end(), low);
    log.truncate_to(Offset(41)).expect("is cut");
    assert_eq!((log.end(), log.flushed_end()), (Offset(39), Offset(39)));
}

#[test]
fn what_was_cut_off_stays_off_after_a_power_cut() {
    for (seed, start) in (0..40).flat_map(|seed| [(seed, None), (seed, Some(10))]) {
        let (disk, env, path) = sim();
        let mut log = Log::create(&env, path.clone(), Some(topic_id()), Arc::new(small()));
        for _ in 0..20 {
            Batch::of(3).push(&mut log);
        }
        flush(&mut log, &disk).expect("a disk");
        log.announce_cut(Offset(30));
        match start {
            None => log.truncate_to(Offset(30)).expect("is cut"),
            Some(start) => log
                .truncate_fully_and_start_at(Offset(start))
                .expect("is cut"),
        }
        let end = log.end();
        let before = bases(&log);
        drop(log);
        disk.crash(seed);
        let (log, _) = Log::open(&env, path, Arc::new(small()), UNCLEAN).expect("opens");
        assert_eq!((log.end(), bases(&log)), (end, before), "seed {seed}");
    }
}
