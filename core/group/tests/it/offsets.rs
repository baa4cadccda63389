//! Offsets: who may commit, what is fetched, what goes.

use ottla_base::{MonoTime, Offset, ProducerId, Uuid};
use ottla_group::{
    CommittedOffset, Committer, GroupCoordinator, GroupError, GroupRecord, OffsetToCommit,
};

use crate::bench::{Bench, GROUP, Join, offset_of};

/// A version 0 subscription to `t`.
const READS_T: &[u8] = b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff";
const DAY_MS: u64 = 24 * 3_600_000;
const RETENTION_MS: u64 = 7 * DAY_MS;

fn simple(retention_time_ms: i64) -> Committer<'static> {
    Committer {
        group_id: GROUP,
        member_id: "",
        group_instance_id: None,
        generation: -1,
        retention_time_ms,
    }
}

fn expire(bench: &mut Bench) {
    bench.act(|machine, now, fx| machine.expire_offsets(now.wall, fx));
}

#[test]
fn commits_are_checked_against_the_group() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("m", 1, 1), Err(GroupError::GroupNotFound));
    assert_eq!(bench.commit("", -1, 1), Ok(()), "a group for offsets alone");
    assert_eq!(bench.commit("anybody", -1, 2), Ok(()));
    assert_eq!(bench.commit("m", 0, 3), Err(GroupError::UnknownMember));

    let members = bench.stable(2);
    let one = members[0].as_str();
    for (member, generation, result) in [
        (one, 1, Ok(())),
        (one, 0, Err(GroupError::IllegalGeneration)),
        (one, 2, Err(GroupError::IllegalGeneration)),
        (one, -1, Err(GroupError::IllegalGeneration)),
        ("", -1, Err(GroupError::UnknownMember)),
        ("stranger", 1, Err(GroupError::UnknownMember)),
    ] {
        assert_eq!(
            bench.commit(member, generation, 9),
            result,
            "{member} {generation}"
        );
    }
    let ticket = bench.rejoin(one);
    assert_eq!(
        bench.commit(one, 1, 10),
        Ok(()),
        "before the others have joined"
    );
    let other = bench.rejoin(&members[1]);
    assert_eq!(bench.joined(ticket).generation_id, 2);
    assert_eq!(bench.joined(other).generation_id, 2);
    assert_eq!(bench.commit(one, 1, 11), Err(GroupError::IllegalGeneration));
    assert_eq!(
        bench.commit(one, 2, 12),
        Err(GroupError::RebalanceInProgress)
    );
    assert_eq!(bench.offset(), Some(10));
}

#[test]
fn commit_shows_that_a_member_lives() {
    let mut bench = Bench::new();
    let members = bench.stable(1);
    for _ in 0..10 {
        bench.pass(9_000);
        assert_eq!(bench.commit(&members[0], 1, 1), Ok(()));
    }
    assert_eq!(bench.state(), "Stable");
}

#[test]
fn metadata_has_a_limit_in_characters_of_java() {
    let mut bench = Bench::new();
    let texts = [
        "x".repeat(4096),
        "x".repeat(4097),
        "é".repeat(4096),
        "é".repeat(4097),
    ];
    let offsets = (0..).zip(&texts).map(|(partition, text)| OffsetToCommit {
        topic: "t",
        topic_id: Uuid::ZERO,
        partition,
        offset: 1,
        leader_epoch: -1,
        metadata: Some(text),
    });
    let caller = ottla_group::Caller {
        client_id: "",
        client_host: "",
        version: 9,
    };
    let results = bench
        .act(|machine, now, fx| machine.commit_offsets(now, &caller, &simple(-1), offsets, fx));
    let too_large = Err(GroupError::OffsetMetadataTooLarge);
    assert_eq!(results, Ok(vec![Ok(()), too_large, Ok(()), too_large]));
    assert_eq!(bench.log.len(), 2);
}

#[test]
fn what_was_committed_last_is_fetched_also_from_a_restored_log() {
    let mut bench = Bench::new();
    for offset in [5, -3, 9] {
        bench
            .commit_as(&simple(-1), &[("t", 0, offset), ("u", 3, offset)])
            .expect("accepted");
    }
    for machine in [&bench.machine, &bench.restored()] {
        assert_eq!(offset_of(machine, "t", 0), Some(9));
        assert_eq!(offset_of(machine, "t", 1), None);
        assert_eq!(offset_of(machine, "v", 0), None);
        let all = machine.fetch_all_offsets(GROUP, true);
        let topics: Vec<&str> = all.iter().map(|topic| topic.topic.as_str()).collect();
        assert_eq!(topics, ["t", "u"]);
        assert_eq!(machine.fetch_all_offsets("other", true), []);
    }
}

#[test]
fn offsets_of_a_group_without_members_age_from_when_it_became_empty() {
    let mut bench = Bench::new();
    let members = bench.stable(1);
    bench.commit(&members[0], 1, 1).expect("a member");
    for _ in 0..5000 {
        bench.pass(9_000);
        assert_eq!(
            bench.heartbeat(&members[0], 1),
            ottla_protocol::ErrorCode::None
        );
    }
    bench.leave(&members[0], None);
    bench.pass(RETENTION_MS - 1);
    expire(&mut bench);
    assert_eq!(bench.offset(), Some(1));
    assert_eq!(bench.state(), "Empty");
    bench.pass(1);
    expire(&mut bench);
    assert_eq!(bench.offset(), None);
    assert_eq!(bench.state(), "Dead");
    assert_eq!(bench.restored().list_groups(MonoTime(0), &[], &[]), []);
}

#[test]
fn offsets_of_a_group_that_never_had_members_age_from_their_commit() {
    let mut bench = Bench::new();
    bench
        .commit_as(&simple(-1), &[("t", 0, 1)])
        .expect("accepted");
    bench.pass(DAY_MS);
    bench
        .commit_as(&simple(-1), &[("t", 1, 2)])
        .expect("accepted");
    bench.pass(RETENTION_MS - DAY_MS);
    expire(&mut bench);
    assert_eq!(offset_of(&bench.machine, "t", 0), None);
    assert_eq!(offset_of(&bench.machine, "t", 1), Some(2));
    assert_eq!(bench.state(), "Empty");
    bench.pass(DAY_MS);
    expire(&mut bench);
    assert_eq!(bench.state(), "Dead");
}

#[test]
fn offset_with_a_retention_of_its_own_goes_by_that() {
    let mut bench = Bench::new();
    bench
        .commit_as(&simple(5_000), &[("t", 0, 1)])
        .expect("accepted");
    bench.pass(4_999);
    expire(&mut bench);
    assert_eq!(offset_of(&bench.restored(), "t", 0), Some(1));
    bench.pass(1);
    expire(&mut bench);
    assert_eq!(bench.offset(), None);
}

/// A stable group of one member that reads `t`, with offsets of `t` and `u`.
fn reader_of_t(bench: &mut Bench, metadata: &[u8]) -> String {
    let join = Join {
        version: 3,
        protocols: vec![("range", metadata.to_vec())],
        ..Join::default()
    };
    let ticket = bench.join(join);
    let member = bench.joined(ticket).member_id;
    let ticket = bench.sync(&member, 1, &[(&member, b"A")]);
    assert_eq!(bench.synced(ticket).error_code, 0);
    let committer = Committer {
        member_id: &member,
        generation: 1,
        ..simple(-1)
    };
    let offsets = [("t", 0, 1), ("u", 0, 2)];
    bench.commit_as(&committer, &offsets).expect("a member");
    member
}

#[test]
fn offsets_that_a_member_reads_never_age() {
    for (metadata, u_goes) in [(READS_T, true), (b"unreadable".as_slice(), false)] {
        let mut bench = Bench::new();
        let member = reader_of_t(&mut bench, metadata);
        // Time stands still for the member, so to say.
        bench.now.wall.0 += i64::try_from(RETENTION_MS).expect("small");
        expire(&mut bench);
        assert_eq!(offset_of(&bench.machine, "t", 0), Some(1));
        assert_eq!(offset_of(&bench.machine, "u", 0).is_none(), u_goes);
        assert_eq!(bench.heartbeat(&member, 1), ottla_protocol::ErrorCode::None);
    }
}

#[test]
fn offsets_are_deleted_unless_a_member_reads_the_topic() {
    let mut bench = Bench::new();
    let delete = |bench: &mut Bench, topic: &str| {
        bench.act(|machine, now, fx| machine.delete_offsets(GROUP, topic, &[0, 1], now.mono, fx))
    };
    assert_eq!(delete(&mut bench, "t"), Err(GroupError::GroupNotFound));
    let member = reader_of_t(&mut bench, READS_T);
    assert_eq!(
        delete(&mut bench, "t"),
        Ok(Err(GroupError::SubscribedToTopic))
    );
    assert_eq!(delete(&mut bench, "u"), Ok(Ok(())));
    assert_eq!(offset_of(&bench.restored(), "u", 0), None);
    bench.leave(&member, None);
    assert_eq!(delete(&mut bench, "t"), Ok(Ok(())));
    assert_eq!(bench.offset(), None);

    let mut bench = Bench::new();
    let ticket = bench.join(Join {
        version: 3,
        protocol_type: "connect",
        ..Join::default()
    });
    assert_eq!(bench.joined(ticket).error_code, 0);
    assert_eq!(delete(&mut bench, "t"), Err(GroupError::NonEmptyGroup));
}

#[test]
fn offsets_go_with_their_topic() {
    let mut bench = Bench::new();
    let offsets = [("t", 0, 1), ("t", 7, 1), ("u", 0, 2)];
    bench.commit_as(&simple(-1), &offsets).expect("accepted");
    bench.act(|machine, _, fx| machine.forget_topics(|topic| topic == "t", fx));
    for machine in [&bench.machine, &bench.restored()] {
        assert_eq!(offset_of(machine, "t", 0), None);
        assert_eq!(offset_of(machine, "t", 7), None);
        assert_eq!(offset_of(machine, "u", 0), Some(2));
    }
}

/// What a transaction of `producer` sends.
fn send(machine: &mut GroupCoordinator, at: i64, producer: i64, offset: i64) {
    let record = GroupRecord::Offset {
        group: GROUP.into(),
        topic: "t".into(),
        partition: 0,
        value: Some(CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: "".into(),
            commit_timestamp: 0,
            expire_timestamp: None,
            topic_id: Uuid::ZERO,
        }),
    };
    machine.replay(Offset(at), Some(ProducerId(producer)), &record);
}

#[test]
fn offset_of_a_transaction_counts_when_it_is_committed() {
    let mut bench = Bench::new();
    let machine = &mut bench.machine;
    let stable = |machine: &GroupCoordinator| {
        let fetched = machine.fetch_offsets(GROUP, "t", &[0, 1], true);
        assert_eq!(fetched[1].committed, Ok(None), "another partition");
        let committed = fetched.into_iter().next().expect("asked").committed;
        committed.map(|committed| committed.map(|committed| committed.offset))
    };
    send(machine, 0, 1, 5);
    assert_eq!(stable(machine), Err(GroupError::UnstableOffset));
    assert_eq!(offset_of(machine, "t", 0), None, "who does not mind");
    machine.replay_end_of_transaction(ProducerId(2), true);
    assert_eq!(stable(machine), Err(GroupError::UnstableOffset));
    machine.replay_end_of_transaction(ProducerId(1), true);
    assert_eq!(stable(machine), Ok(Some(5)));
    assert!(machine.describe_group(GROUP).is_ok());
    send(machine, 1, 1, 6);
    machine.replay_end_of_transaction(ProducerId(1), false);
    assert_eq!(stable(machine), Ok(Some(5)));
}

#[test]
fn commit_after_that_of_an_open_transaction_holds() {
    let mut bench = Bench::new();
    send(&mut bench.machine, 0, 1, 5);
    bench
        .log
        .push(ottla_coordinator::CoordinatorRecord::default());
    bench
        .commit_as(&simple(-1), &[("t", 0, 9)])
        .expect("accepted");
    bench.machine.replay_end_of_transaction(ProducerId(1), true);
    assert_eq!(bench.offset(), Some(9));
}

#[test]
fn group_that_a_transaction_writes_for_is_kept() {
    let mut bench = Bench::new();
    let ticket = bench.join(Join::default());
    let member = bench.joined(ticket).member_id;
    bench.leave(&member, None);
    send(&mut bench.machine, 0, 1, 5);
    expire(&mut bench);
    assert_eq!(bench.state(), "Empty");
    bench
        .machine
        .replay_end_of_transaction(ProducerId(1), false);
    expire(&mut bench);
    assert_eq!(bench.state(), "Dead");
}
