//! Static members (KIP-345): who comes back takes its old place.

use ottla_group::GroupError;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::heartbeat_request::HeartbeatRequest;

use crate::bench::{Bench, GROUP, Join, SESSION_MS};

fn instance(name: &str, member: &str) -> Join {
    Join {
        member: member.to_owned(),
        instance: Some(name.to_owned()),
        ..Join::default()
    }
}

/// A stable group of one static member; its id.
fn stable(bench: &mut Bench) -> String {
    let ticket = bench.join(instance("i", ""));
    let response = bench.joined(ticket);
    assert_eq!(
        response.error_code, 0,
        "a static member needs no second step"
    );
    assert!(response.member_id.starts_with("i-"));
    let member = response.member_id;
    let ticket = bench.sync(&member, 1, &[(&member, b"A")]);
    assert_eq!(bench.synced(ticket).assignment, b"A");
    member
}

#[test]
fn member_that_comes_back_gets_its_assignment_without_a_rebalance() {
    for (version, skips) in [(5, false), (8, false), (9, true)] {
        let mut bench = Bench::new();
        let old = stable(&mut bench);
        let ticket = bench.join(Join {
            version,
            ..instance("i", "")
        });
        let response = bench.joined(ticket);
        assert_eq!((response.error_code, response.generation_id), (0, 1));
        assert_ne!(response.member_id, old);
        assert_eq!(response.skip_assignment, skips);
        // An older client must not take itself for the leader, or it would assign anew.
        assert_eq!(response.leader == response.member_id, skips);
        assert_eq!(response.members.len(), usize::from(skips));
        assert_eq!(bench.state(), "Stable");
        let ticket = bench.sync(&response.member_id, 1, &[]);
        assert_eq!(bench.synced(ticket).assignment, b"A");
        // A new leader of the log knows the new id.
        let group = bench.restored().describe_group(GROUP).expect("is there");
        assert_eq!(group.members[0].member_id, response.member_id);
        assert_eq!(group.members[0].member_assignment, b"A");
    }
}

#[test]
fn old_self_is_fenced() {
    let mut bench = Bench::new();
    let old = stable(&mut bench);
    let ticket = bench.join(instance("i", ""));
    assert_eq!(bench.joined(ticket).error_code, 0);
    let fenced = ErrorCode::FencedInstanceId;
    let heartbeat = HeartbeatRequest {
        group_id: GROUP.to_owned(),
        generation_id: 1,
        member_id: old.clone(),
        group_instance_id: Some("i".to_owned()),
    };
    assert_eq!(bench.heartbeat_as(&heartbeat), fenced);
    let rejoin = bench.join(instance("i", &old));
    assert_eq!(bench.joined(rejoin).error_code, fenced.code());
    assert_eq!(bench.leave(&old, Some("i")), fenced.code());
    let committer = ottla_group::Committer {
        group_id: GROUP,
        member_id: &old,
        group_instance_id: Some("i"),
        generation: 1,
        retention_time_ms: -1,
    };
    assert_eq!(
        bench.commit_as(&committer, &[("t", 0, 5)]),
        Err(GroupError::FencedInstance)
    );
    assert_eq!(bench.offset(), None);
    // Who does not name the instance is simply not known.
    assert_eq!(bench.heartbeat(&old, 1), ErrorCode::UnknownMemberId);
}

#[test]
fn requests_of_the_old_self_that_wait_are_fenced_too() {
    let mut bench = Bench::with(&[("group.initial.rebalance.delay.ms", "3000")]);
    let first = bench.join(instance("i", ""));
    let second = bench.join(instance("i", ""));
    assert_eq!(
        bench.joined(first).error_code,
        ErrorCode::FencedInstanceId.code()
    );
    bench.pass(6_000);
    let response = bench.joined(second);
    assert_eq!((response.error_code, response.members.len()), (0, 1));
}

#[test]
fn other_subscription_of_the_same_protocol_does_not_rebalance() {
    let mut bench = Bench::new();
    stable(&mut bench);
    bench.join(Join {
        protocols: vec![("range", b"other".to_vec())],
        ..instance("i", "")
    });
    assert_eq!(bench.state(), "Stable");
    bench.join(Join {
        protocols: vec![("sticky", b"other".to_vec())],
        ..instance("i", "")
    });
    // Refused: a member alone cannot change what the group speaks.
    assert_eq!(bench.state(), "Stable");
}

#[test]
fn new_id_that_cannot_be_stored_leaves_the_old_one() {
    let mut bench = Bench::new();
    let old = stable(&mut bench);
    bench.broken = Some(GroupError::NotAvailable);
    let ticket = bench.join(instance("i", ""));
    let response = bench.joined(ticket);
    assert_eq!(
        response.error_code,
        ErrorCode::CoordinatorNotAvailable.code()
    );
    assert_eq!(bench.heartbeat(&old, 1), ErrorCode::None);
    assert_eq!(bench.state(), "Stable");
}

#[test]
fn member_may_be_away_for_a_session_and_can_be_removed_by_name() {
    let mut bench = Bench::new();
    let old = stable(&mut bench);
    bench.pass(u64::from(SESSION_MS.unsigned_abs()) - 1);
    assert_eq!(bench.state(), "Stable");
    assert_eq!(bench.heartbeat(&old, 1), ErrorCode::None);
    assert_eq!(bench.leave("", Some("i")), 0);
    assert_eq!(bench.state(), "Empty");
}
