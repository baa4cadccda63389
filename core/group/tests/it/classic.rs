//! Rules of the classic protocol, each by what members are answered.

use ottla_base::{MonoTime, Offset};
use ottla_coordinator::PutRecord as _;
use ottla_group::{GroupError, GroupRecord};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::GroupMetadataValue;
use ottla_protocol::messages::sync_group_request::SyncGroupRequest;

use crate::bench::{Bench, DELAY_MS, GROUP, Join, REBALANCE_MS, SESSION_MS};

fn code(error: ErrorCode) -> i16 {
    error.code()
}

#[test]
fn joins_that_no_group_takes_are_refused() {
    let empty_protocols = || Join {
        protocols: Vec::new(),
        ..Join::default()
    };
    let untyped = || Join {
        protocol_type: "",
        ..Join::default()
    };
    let stranger = || Join {
        member: "stranger".to_owned(),
        ..Join::default()
    };
    let session = |session_ms| Join {
        session_ms,
        ..Join::default()
    };
    let (inconsistent, timeout) = (
        ErrorCode::InconsistentGroupProtocol,
        ErrorCode::InvalidSessionTimeout,
    );
    for (join, error, made) in [
        (session(5_999), timeout, false),
        (session(1_800_001), timeout, false),
        (session(6_000), ErrorCode::MemberIdRequired, true),
        (session(1_800_000), ErrorCode::MemberIdRequired, true),
        (stranger(), ErrorCode::UnknownMemberId, false),
        // As in Kafka the group is there after these.
        (empty_protocols(), inconsistent, true),
        (untyped(), inconsistent, true),
    ] {
        let mut bench = Bench::new();
        let ticket = bench.join(join);
        assert_eq!(bench.joined(ticket).error_code, code(error));
        assert_eq!(bench.state(), if made { "Empty" } else { "Dead" });
    }
}

#[test]
fn member_without_id_is_told_one_from_version_4_on() {
    for (version, is_told) in [(0, false), (3, false), (4, true), (9, true)] {
        let mut bench = Bench::new();
        let ticket = bench.join(Join {
            version,
            ..Join::default()
        });
        let response = bench.joined(ticket);
        let error = if is_told {
            code(ErrorCode::MemberIdRequired)
        } else {
            0
        };
        assert_eq!(response.error_code, error, "version {version}");
        assert_eq!(response.member_id, "c-00000000-0000-0000-0000-000000000001");
        assert_eq!(
            bench.state(),
            if is_told {
                "Empty"
            } else {
                "CompletingRebalance"
            }
        );
    }
}

#[test]
fn id_that_nobody_comes_back_with_is_forgotten_after_the_session_timeout() {
    let mut bench = Bench::new();
    let first = bench.join(Join::default());
    let member = bench.joined(first).member_id;
    bench.pass(u64::from(SESSION_MS.unsigned_abs()));
    let late = bench.rejoin(&member);
    assert_eq!(
        bench.joined(late).error_code,
        code(ErrorCode::UnknownMemberId)
    );
}

#[test]
fn first_rebalance_waits_as_long_as_members_come() {
    let mut bench = Bench::with(&[("group.initial.rebalance.delay.ms", "3000")]);
    let (_, first) = bench.join_new();
    bench.pass(2_999);
    let (_, second) = bench.join_new();
    bench.pass(1);
    // Somebody came: 3 s more.
    assert!(bench.is_waiting(first) && bench.is_waiting(second));
    bench.pass(2_999);
    assert!(bench.is_waiting(first));
    bench.pass(1);
    assert_eq!(bench.joined(first).generation_id, 1);
    assert_eq!(bench.joined(second).generation_id, 1);
}

#[test]
fn first_rebalance_is_not_put_off_beyond_the_rebalance_timeout() {
    let mut bench = Bench::with(&[("group.initial.rebalance.delay.ms", "3000")]);
    let (_, first) = bench.join_new();
    let mut waited = 0;
    while bench.is_waiting(first) {
        bench.join_new();
        bench.pass(1_000);
        waited += 1_000;
        assert!(waited <= REBALANCE_MS + 3_000);
    }
    assert_eq!(waited, REBALANCE_MS);
}

#[test]
fn members_get_what_the_leader_assigned_once_it_is_committed() {
    let mut bench = Bench::with(&[("group.initial.rebalance.delay.ms", "3000")]);
    let (one, first) = bench.join_new();
    let (two, second) = bench.join_new();
    bench.pass(2 * DELAY_MS);
    let (first, second) = (bench.joined(first), bench.joined(second));
    assert_eq!(first.leader, one, "the first to join leads");
    assert_eq!(first.members.len(), 2);
    assert_eq!(second.members, []);
    assert_eq!(second.protocol_name.as_deref(), Some("range"));

    let waits = bench.sync(&two, 1, &[(&one, b"ignored: does not lead")]);
    assert!(bench.is_waiting(waits));
    bench.commits = false;
    let leads = bench.sync(&one, 1, &[(&one, b"A"), (&two, b"B"), ("stranger", b"C")]);
    assert!(bench.is_waiting(waits) && bench.is_waiting(leads));
    assert_eq!(bench.state(), "CompletingRebalance");
    bench.commit_log();
    assert_eq!(bench.synced(leads).assignment, b"A");
    assert_eq!(bench.synced(waits).assignment, b"B");
    assert_eq!(bench.state(), "Stable");
    // Who asks again is told again.
    let again = bench.sync(&two, 1, &[]);
    assert_eq!(bench.synced(again).assignment, b"B");
}

#[test]
fn assignments_that_cannot_be_stored_are_given_to_nobody() {
    let mut bench = Bench::new();
    let (one, first) = bench.join_new();
    assert_eq!(bench.joined(first).generation_id, 1);
    bench.broken = Some(GroupError::NotAvailable);
    let ticket = bench.sync(&one, 1, &[(&one, b"A")]);
    let response = bench.synced(ticket);
    assert_eq!(
        response.error_code,
        code(ErrorCode::CoordinatorNotAvailable)
    );
    assert_eq!(response.assignment, b"");
    assert_eq!(bench.state(), "PreparingRebalance");
    assert_eq!(bench.heartbeat(&one, 1), ErrorCode::RebalanceInProgress);
}

#[test]
fn group_whose_first_record_is_lost_does_not_exist() {
    let mut bench = Bench::new();
    bench.broken = Some(GroupError::NotCoordinator);
    let ticket = bench.join(Join::default());
    assert!(!bench.is_waiting(ticket));
    assert_eq!(bench.state(), "Dead");
    assert_eq!(bench.log, []);
    assert_eq!(bench.machine.next_deadline(), None);
}

#[test]
fn sync_is_checked_before_it_waits() {
    let mut bench = Bench::new();
    let (one, first) = bench.join_new();
    assert_eq!(bench.joined(first).error_code, 0);
    let request = |change: fn(&mut SyncGroupRequest)| {
        let mut request = SyncGroupRequest {
            group_id: GROUP.to_owned(),
            generation_id: 1,
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            ..SyncGroupRequest::default()
        };
        change(&mut request);
        request
    };
    for (mut request, error) in [
        (
            request(|r| r.generation_id = 2),
            ErrorCode::IllegalGeneration,
        ),
        (
            request(|r| r.generation_id = -1),
            ErrorCode::IllegalGeneration,
        ),
        (
            request(|r| r.protocol_name = Some("sticky".to_owned())),
            ErrorCode::InconsistentGroupProtocol,
        ),
        (
            request(|r| r.protocol_type = Some("connect".to_owned())),
            ErrorCode::InconsistentGroupProtocol,
        ),
        (
            request(|r| r.protocol_type = None),
            ErrorCode::InconsistentGroupProtocol,
        ),
        (
            request(|r| r.member_id = "stranger".to_owned()),
            ErrorCode::UnknownMemberId,
        ),
        (
            request(|r| r.group_instance_id = Some("i".to_owned())),
            ErrorCode::UnknownMemberId,
        ),
        (
            request(|r| r.group_id = "other".to_owned()),
            ErrorCode::UnknownMemberId,
        ),
        (request(|r| r.group_id.clear()), ErrorCode::InvalidGroupId),
    ] {
        if request.member_id.is_empty() {
            request.member_id.clone_from(&one);
        }
        let shown = format!("{request:?}");
        let ticket = bench.sync_as(request);
        assert_eq!(bench.synced(ticket).error_code, code(error), "{shown}");
    }
}

#[test]
fn heartbeat_tells_where_the_group_stands() {
    let mut bench = Bench::new();
    assert_eq!(bench.heartbeat("m", 1), ErrorCode::UnknownMemberId);
    let members = bench.stable(2);
    let (one, two) = (&members[0], &members[1]);
    for (member, generation, error) in [
        (one.as_str(), 1, ErrorCode::None),
        (two, 1, ErrorCode::None),
        (one, 0, ErrorCode::IllegalGeneration),
        (one, 2, ErrorCode::IllegalGeneration),
        ("stranger", 1, ErrorCode::UnknownMemberId),
    ] {
        assert_eq!(bench.heartbeat(member, generation), error);
    }
    bench.rejoin(one); // The leader asks for a rebalance.
    assert_eq!(bench.heartbeat(two, 1), ErrorCode::RebalanceInProgress);
}

#[test]
fn silent_member_is_expelled_and_the_others_rebalance() {
    let mut bench = Bench::new();
    let members = bench.stable(2);
    let half = u64::from(SESSION_MS.unsigned_abs()) / 2;
    bench.pass(half);
    assert_eq!(bench.heartbeat(&members[0], 1), ErrorCode::None);
    bench.pass(half - 1);
    assert_eq!(bench.state(), "Stable");
    bench.pass(1);
    assert_eq!(bench.state(), "PreparingRebalance");
    let ticket = bench.rejoin(&members[0]);
    let response = bench.joined(ticket);
    assert_eq!((response.generation_id, response.members.len()), (2, 1));
    assert_eq!(bench.heartbeat(&members[1], 1), ErrorCode::UnknownMemberId);
}

#[test]
fn member_that_does_not_rejoin_is_left_behind() {
    let mut bench = Bench::new();
    let members = bench.stable(2);
    let (new, ticket) = bench.join_new();
    let waits = bench.rejoin(&members[0]);
    // The other one lives, and does not join.
    for _ in 0..(REBALANCE_MS / 5_000) {
        assert!(bench.is_waiting(waits) && bench.is_waiting(ticket));
        assert_eq!(
            bench.heartbeat(&members[1], 1),
            ErrorCode::RebalanceInProgress
        );
        bench.pass(5_000);
    }
    let response = bench.joined(ticket);
    assert_eq!((response.error_code, response.generation_id), (0, 2));
    let led = bench.joined(waits);
    let mut ids: Vec<&str> = led.members.iter().map(|m| m.member_id.as_str()).collect();
    ids.sort_unstable();
    let mut expected = [new.as_str(), members[0].as_str()];
    expected.sort_unstable();
    assert_eq!(ids, expected);
}

#[test]
fn member_that_does_not_sync_is_left_behind() {
    let mut bench = Bench::with(&[("group.initial.rebalance.delay.ms", "3000")]);
    let (one, first) = bench.join_new();
    let (two, second) = bench.join_new();
    bench.pass(2 * DELAY_MS);
    assert_eq!(bench.joined(first).error_code, 0);
    assert_eq!(bench.joined(second).error_code, 0);
    let synced = bench.sync(&one, 1, &[(&one, b"A")]);
    assert_eq!(bench.synced(synced).error_code, 0);
    for _ in 0..(REBALANCE_MS / 5_000) {
        assert_eq!(bench.state(), "Stable");
        assert_eq!(bench.heartbeat(&one, 1), ErrorCode::None);
        assert_eq!(bench.heartbeat(&two, 1), ErrorCode::None);
        bench.pass(5_000);
    }
    assert_eq!(bench.state(), "PreparingRebalance");
    assert_eq!(bench.heartbeat(&two, 1), ErrorCode::UnknownMemberId);
}

#[test]
fn rebalance_tells_those_who_wait_for_their_assignment() {
    let mut bench = Bench::with(&[("group.initial.rebalance.delay.ms", "3000")]);
    let (one, first) = bench.join_new();
    let (two, second) = bench.join_new();
    bench.pass(2 * DELAY_MS);
    assert_eq!(bench.joined(first).leader, one);
    assert_eq!(bench.joined(second).error_code, 0);
    let waits = bench.sync(&two, 1, &[]);
    bench.leave(&one, None);
    assert_eq!(
        bench.synced(waits).error_code,
        code(ErrorCode::RebalanceInProgress)
    );
    let again = bench.rejoin(&two);
    let response = bench.joined(again);
    assert_eq!((response.generation_id, response.leader), (2, two));
}

#[test]
fn join_that_changes_nothing_disturbs_nobody() {
    let mut bench = Bench::new();
    let members = bench.stable(2);
    let follower = bench.rejoin(&members[1]);
    let response = bench.joined(follower);
    assert_eq!((response.error_code, response.generation_id), (0, 1));
    assert_eq!(response.members, []);
    assert_eq!(bench.state(), "Stable");
    bench.join(Join {
        member: members[1].clone(),
        protocols: vec![("range", b"other topics".to_vec())],
        ..Join::default()
    });
    assert_eq!(bench.state(), "PreparingRebalance");
}

#[test]
fn protocol_is_the_one_that_most_members_like_best_of_those_that_all_know() {
    let like = |names: &[&'static str]| {
        let protocols = names.iter().map(|name| (*name, Vec::new())).collect();
        Join {
            version: 3,
            protocols,
            ..Join::default()
        }
    };
    for (likes, chosen) in [
        (vec![vec!["a", "b"], vec!["b", "a"], vec!["b", "a"]], "b"),
        (vec![vec!["a", "b"], vec!["c", "b"]], "b"),
        (vec![vec!["a", "b"], vec!["a", "b"], vec!["b", "a"]], "a"),
        (vec![vec!["b"], vec!["a", "b"], vec!["a", "b"]], "b"),
    ] {
        let mut bench = Bench::with(&[("group.initial.rebalance.delay.ms", "3000")]);
        let tickets: Vec<_> = likes.iter().map(|names| bench.join(like(names))).collect();
        bench.pass(2 * DELAY_MS);
        for ticket in tickets {
            let response = bench.joined(ticket);
            assert_eq!(response.protocol_name.as_deref(), Some(chosen), "{likes:?}");
        }
    }
    let mut bench = Bench::with(&[("group.initial.rebalance.delay.ms", "3000")]);
    bench.join(like(&["a"]));
    let odd = bench.join(like(&["b"]));
    assert_eq!(
        bench.joined(odd).error_code,
        code(ErrorCode::InconsistentGroupProtocol)
    );
}

#[test]
fn full_group_takes_no_more() {
    let mut bench = Bench::with(&[("group.max.size", "2")]);
    let (one, first) = bench.join_new();
    assert_eq!(bench.joined(first).generation_id, 1);
    let (_, second) = bench.join_new();
    let waits = bench.rejoin(&one);
    assert_eq!(bench.joined(second).generation_id, 2);
    assert_eq!(bench.joined(waits).generation_id, 2);
    let third = bench.join(Join::default());
    let refusal = bench.joined(third);
    assert_eq!(refusal.error_code, code(ErrorCode::GroupMaxSizeReached));
    assert_eq!(refusal.member_id, "");
}

#[test]
fn loaded_group_that_is_too_large_rebalances() {
    let mut bench = Bench::new();
    bench.stable(3);
    bench.settings = crate::bench::settings(&[("group.max.size", "2")]);
    bench.machine = bench.restored();
    assert_eq!(bench.state(), "PreparingRebalance");
}

#[test]
fn last_member_that_leaves_leaves_an_empty_group() {
    let mut bench = Bench::new();
    let members = bench.stable(1);
    assert_eq!(
        bench.leave("stranger", None),
        code(ErrorCode::UnknownMemberId)
    );
    assert_eq!(
        bench.leave("", Some("nobody")),
        code(ErrorCode::UnknownMemberId)
    );
    assert_eq!(bench.leave(&members[0], None), 0);
    assert_eq!(bench.state(), "Empty");
    assert_eq!(bench.heartbeat(&members[0], 1), ErrorCode::UnknownMemberId);
    let group = bench.restored().describe_group(GROUP).expect("is there");
    assert_eq!(
        (group.group_state.as_str(), group.members.len()),
        ("Empty", 0)
    );
    assert_eq!(bench.machine.next_deadline(), bench.machine.next_deadline());
}

#[test]
fn new_member_may_leave_before_it_is_in() {
    let mut bench = Bench::new();
    let first = bench.join(Join::default());
    let member = bench.joined(first).member_id;
    assert_eq!(bench.leave(&member, None), 0);
    let late = bench.rejoin(&member);
    assert_eq!(
        bench.joined(late).error_code,
        code(ErrorCode::UnknownMemberId)
    );
}

#[test]
fn new_member_whose_client_is_gone_does_not_hold_the_group_up_for_ever() {
    let mut bench = Bench::new();
    let members = bench.stable(2);
    let (_, new) = bench.join_new();
    // The old ones live and never rejoin: nobody but the new one waits.
    bench.pass(u64::from(SESSION_MS.unsigned_abs()));
    let response = bench.joined(new);
    assert_eq!((response.error_code, response.generation_id), (0, 2));
    assert_eq!(bench.heartbeat(&members[0], 1), ErrorCode::UnknownMemberId);
}

#[test]
fn only_empty_groups_are_deleted_and_with_their_offsets() {
    let mut bench = Bench::new();
    let delete =
        |bench: &mut Bench| bench.act(|machine, now, fx| machine.delete_group(GROUP, now.mono, fx));
    assert_eq!(delete(&mut bench), Err(GroupError::GroupNotFound));
    let members = bench.stable(1);
    bench.commit(&members[0], 1, 7).expect("a member");
    assert_eq!(delete(&mut bench), Err(GroupError::NonEmptyGroup));
    bench.leave(&members[0], None);
    assert_eq!(delete(&mut bench), Ok(()));
    for machine in [&bench.machine, &bench.restored()] {
        assert_eq!(machine.list_groups(MonoTime(0), &[], &[]), []);
        assert_eq!(machine.fetch_all_offsets(GROUP, false), []);
    }
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut bench = Bench::new();
    bench.stable(1);
    for (states, types, found) in [
        (vec![], vec![], true),
        (vec!["stable"], vec![], true),
        (vec!["Empty", "STABLE"], vec!["Classic"], true),
        (vec!["Empty"], vec![], false),
        (vec!["nonsense"], vec![], false),
        (vec![], vec!["consumer"], false),
    ] {
        let own = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let listed = bench
            .machine
            .list_groups(MonoTime(0), &own(&states), &own(&types));
        assert_eq!(listed.len(), usize::from(found), "{states:?} {types:?}");
    }
}

#[test]
fn only_a_stable_group_tells_what_its_members_said() {
    let mut bench = Bench::new();
    let members = bench.stable(1);
    let group = bench.machine.describe_group(GROUP).expect("is there");
    assert_eq!(group.protocol_data, "range");
    assert_eq!(group.members[0].member_metadata, b"meta");
    assert_eq!(group.members[0].member_assignment, members[0].as_bytes());
    assert_eq!(group.members[0].client_host, "/127.0.0.1");
    bench.join_new();
    let group = bench.machine.describe_group(GROUP).expect("is there");
    assert_eq!((group.protocol_data.as_str(), group.members.len()), ("", 2));
    assert!(group.members.iter().all(|m| m.member_metadata.is_empty()));
}

#[test]
fn restored_members_live_for_another_session() {
    let mut bench = Bench::new();
    let members = bench.stable(2);
    bench.machine = bench.restored();
    assert_eq!(bench.state(), "Stable");
    assert_eq!(bench.heartbeat(&members[0], 1), ErrorCode::None);
    let session = u64::from(SESSION_MS.unsigned_abs());
    bench.pass(session - 1);
    assert_eq!(bench.state(), "Stable");
    bench.pass(1);
    assert_eq!(bench.state(), "Empty");
}

#[test]
fn generation_after_the_last_is_the_first() {
    for last in [i32::MAX, i32::MIN, -1] {
        let mut bench = Bench::new();
        let record = GroupRecord::ClassicGroup {
            group: GROUP.into(),
            value: Some(GroupMetadataValue {
                protocol_type: "consumer".to_owned(),
                generation: last,
                ..GroupMetadataValue::default()
            }),
        };
        let record = record.to_record().expect("fits its schema");
        let loaded = bench.machine.load(
            Offset::ZERO,
            None,
            Some(&record.key),
            record.value.as_deref(),
        );
        assert_eq!(loaded, Ok(None));
        let (_, ticket) = bench.join_new();
        assert_eq!(bench.joined(ticket).generation_id, 1, "after {last}");
    }
}
