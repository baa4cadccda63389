use super::*;
use ottla_base::LeaderEpoch;
use ottla_records::Attributes;

const ID: ProducerId = ProducerId(9);

/// A batch of `count` records at `offset`.
fn batch(epoch: i16, sequence: i32, count: i32, offset: i64) -> BatchHeader {
    BatchHeader {
        base_offset: Offset(offset),
        batch_length: 100,
        partition_leader_epoch: LeaderEpoch(0),
        crc: 0,
        attributes: Attributes(0),
        last_offset_delta: count - 1,
        base_timestamp: WallMillis(1000),
        max_timestamp: WallMillis(1000),
        producer_id: ID,
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
        record_count: count,
    }
}

fn transactional(header: BatchHeader) -> BatchHeader {
    BatchHeader {
        attributes: header.attributes.with_transactional(true),
        ..header
    }
}

fn marker(epoch: i16, offset: i64) -> BatchHeader {
    let header = transactional(batch(epoch, -1, 1, offset));
    BatchHeader {
        attributes: header.attributes.with_control(true),
        ..header
    }
}

fn end(result: TxnResult, coordinator_epoch: i32) -> EndTxnMarker {
    EndTxnMarker {
        result,
        coordinator_epoch,
    }
}

fn fill(batches: &[BatchHeader]) -> ProducerStates {
    let mut states = ProducerStates::default();
    for header in batches {
        assert_eq!(
            states.check(header, None, Author::Client),
            Ok(Verdict::Fresh)
        );
        assert_eq!(states.apply(header, None), None);
    }
    states
}

/// Seven batches of two records of epoch 3 that begin at sequence 0 and offset 100.
fn seven() -> ProducerStates {
    let headers: Vec<_> = (0..7)
        .map(|i| batch(3, i * 2, 2, 100 + i64::from(i) * 2))
        .collect();
    fill(&headers)
}

#[test]
fn sequences_and_epochs_are_judged_as_kafka_does() {
    let gap = |last, found| {
        Err(ProducerRefusal::OutOfOrderSequence {
            last: Sequence(last),
            found: Sequence(found),
        })
    };
    let duplicate = |base: i64| {
        Ok(Verdict::Duplicate {
            base: Offset(base),
            last: Offset(base + 1),
            timestamp: 1000,
        })
    };
    let old = Err(ProducerRefusal::InvalidProducerEpoch {
        current: ProducerEpoch(3),
        found: ProducerEpoch(2),
    });
    let check = |epoch, sequence, count, want| {
        let got = seven().check(&batch(epoch, sequence, count, 0), None, Author::Client);
        assert_eq!(got, want, "epoch {epoch} sequence {sequence} count {count}");
    };
    check(3, 14, 2, Ok(Verdict::Fresh));
    check(3, 15, 2, gap(13, 15));
    check(3, 12, 2, duplicate(112));
    check(3, 4, 2, duplicate(104));
    // The sixth last is forgotten; the same first with another last is no repetition.
    check(3, 2, 2, gap(13, 2));
    check(3, 12, 3, gap(13, 12));
    check(2, 14, 2, old);
    check(2, 12, 2, old);
    check(4, 0, 2, Ok(Verdict::Fresh));
    check(4, 14, 2, gap(-1, 14));
}

#[test]
fn unknown_producer_may_begin_anywhere() {
    let states = ProducerStates::default();
    let header = batch(5, 77, 1, 0);
    assert_eq!(
        states.check(&header, None, Author::Client),
        Ok(Verdict::Fresh)
    );
}

#[test]
fn sequence_wraps_after_the_largest() {
    let mut states = fill(&[batch(0, i32::MAX - 1, 1, 0)]);
    let over = batch(0, i32::MAX, 3, 1);
    assert_eq!(
        states.check(&over, None, Author::Client),
        Ok(Verdict::Fresh)
    );
    states.apply(&over, None);
    assert_eq!(states.get(ID).unwrap().last_sequence(), Sequence(1));
    assert!(matches!(
        states.check(&over, None, Author::Client),
        Ok(Verdict::Duplicate {
            base: Offset(1),
            last: Offset(3),
            ..
        })
    ));
    assert_eq!(
        states.check(&batch(0, 2, 1, 4), None, Author::Client),
        Ok(Verdict::Fresh)
    );
    let mut ends_at_the_edge = fill(&[batch(0, i32::MAX, 1, 0)]);
    let next = batch(0, 0, 1, 1);
    assert_eq!(
        ends_at_the_edge.check(&next, None, Author::Client),
        Ok(Verdict::Fresh)
    );
    ends_at_the_edge.apply(&next, None);
    assert_eq!(
        ends_at_the_edge.get(ID).unwrap().last_sequence(),
        Sequence(0)
    );
}

#[test]
fn new_epoch_forgets_the_old_batches() {
    let mut states = seven();
    states.apply(&batch(4, 0, 2, 114), None);
    assert_eq!(states.get(ID).unwrap().batches().len(), 1);
    assert_eq!(
        states.check(&batch(4, 2, 1, 0), None, Author::Client),
        Ok(Verdict::Fresh)
    );
}

#[test]
fn nothing_from_an_open_transaction_on_is_stable() {
    let mut states = ProducerStates::default();
    let other = |header: BatchHeader| BatchHeader {
        producer_id: ProducerId(10),
        ..header
    };
    states.apply(&transactional(batch(0, 0, 2, 10)), None);
    states.apply(&transactional(batch(0, 2, 2, 12)), None);
    states.apply(&other(transactional(batch(0, 0, 1, 14))), None);
    assert_eq!(states.first_unstable_offset(Offset(15)), Some(Offset(10)));

    // Aborted at 15: the other's transaction bounds the last stable offset.
    let abort = end(TxnResult::Abort, 1);
    let completed = states.apply(&marker(0, 15), Some(&abort)).unwrap();
    assert_eq!(
        completed.aborted(),
        Some(AbortedTxn {
            producer_id: ID,
            first_offset: Offset(10),
            last_offset: Offset(15),
            last_stable_offset: Offset(14),
        })
    );
    // The marker is not below the high watermark: still unstable. One below it: the other's remains.
    assert_eq!(states.first_unstable_offset(Offset(15)), Some(Offset(10)));
    assert_eq!(states.first_unstable_offset(Offset(16)), Some(Offset(14)));

    let commit = end(TxnResult::Commit, 1);
    let completed = states.apply(&other(marker(0, 16)), Some(&commit)).unwrap();
    assert_eq!(completed.aborted(), None);
    assert_eq!(completed.last_stable_offset, Offset(17));
    assert_eq!(states.first_unstable_offset(Offset(17)), None);
    states.on_high_watermark(Offset(17));
    assert_eq!(states.decided.len(), 0);
}

#[test]
fn marker_without_a_transaction_ends_none_but_counts_as_activity() {
    let mut states = ProducerStates::default();
    let late = BatchHeader {
        max_timestamp: WallMillis(5000),
        ..marker(7, 0)
    };
    assert_eq!(states.apply(&late, Some(&end(TxnResult::Abort, 2))), None);
    let entry = states.get(ID).unwrap();
    assert_eq!(
        (entry.epoch, entry.coordinator_epoch),
        (ProducerEpoch(7), 2)
    );
    assert_eq!(entry.last_timestamp, 5000);
    // After a marker that raised the epoch, the epoch begins at 0.
    assert_eq!(
        states.check(&batch(7, 0, 1, 1), None, Author::Client),
        Ok(Verdict::Fresh)
    );
    assert!(
        states
            .check(&batch(7, 1, 1, 1), None, Author::Client)
            .is_err()
    );
}

#[test]
fn markers_are_fenced_by_coordinator_and_producer_epoch() {
    let mut states = seven();
    states.apply(&marker(3, 114), Some(&end(TxnResult::Commit, 5)));
    let check = |epoch, coordinator, want: Result<Verdict, ProducerRefusal>| {
        let m = end(TxnResult::Abort, coordinator);
        let got = states.check(&marker(epoch, 115), Some(&m), Author::Coordinator);
        assert_eq!(got, want, "{epoch} {coordinator}");
    };
    check(3, 5, Ok(Verdict::Fresh));
    check(3, 6, Ok(Verdict::Fresh));
    check(
        3,
        4,
        Err(ProducerRefusal::CoordinatorFenced {
            current: 5,
            found: 4,
        }),
    );
    check(
        2,
        6,
        Err(ProducerRefusal::InvalidProducerEpoch {
            current: ProducerEpoch(3),
            found: ProducerEpoch(2),
        }),
    );
    // The marker did not touch the batches: sequences go on behind them.
    assert_eq!(
        states.check(&batch(3, 14, 1, 115), None, Author::Client),
        Ok(Verdict::Fresh)
    );
}

#[test]
fn batch_outside_the_open_transaction_is_refused() {
    let mut states = ProducerStates::default();
    states.apply(&transactional(batch(0, 0, 2, 10)), None);
    let plain = batch(0, 2, 1, 12);
    assert_eq!(
        states.check(&plain, None, Author::Client),
        Err(ProducerRefusal::InvalidTxnState)
    );
}

#[test]
fn coordinators_have_no_sequences() {
    let mut states = ProducerStates::default();
    for offset in 0..3 {
        let header = transactional(batch(0, -1, 1, offset));
        assert_eq!(
            states.check(&header, None, Author::Coordinator),
            Ok(Verdict::Fresh)
        );
        states.apply(&header, None);
    }
    assert_eq!(states.first_undecided_offset(), Some(Offset(0)));
}

#[test]
fn silent_producers_expire_unless_a_transaction_is_open() {
    let mut states = seven();
    states.expire(WallMillis(1999), 1000);
    assert_eq!(states.len(), 1);
    let mut open = ProducerStates::default();
    open.apply(&transactional(batch(0, 0, 1, 0)), None);
    for s in [&mut states, &mut open] {
        s.expire(WallMillis(2000), 1000);
    }
    assert_eq!((states.len(), open.len()), (0, 1));
}

#[test]
fn batches_before_a_snapshot_are_recalled() {
    let full = seven();
    let spans = full.get(ID).unwrap().batches().to_vec();
    let mut entry = ProducerEntry::new(ID, ProducerEpoch(3));
    entry.last_timestamp = 1000;
    entry.remember(*spans.last().unwrap());
    let mut loaded = ProducerStates::default();
    loaded.load(entry);
    let recall = |spans: &[BatchSpan], epoch| {
        let mut states = loaded.clone();
        states.recall(ID, ProducerEpoch(epoch), spans);
        states
    };
    assert_eq!(recall(&spans, 3), full);
    // Another epoch, or spans that do not lead up to the last batch: nothing is believed.
    assert_eq!(recall(&spans, 2), loaded);
    assert_eq!(recall(&spans[..4], 3), loaded);
}
