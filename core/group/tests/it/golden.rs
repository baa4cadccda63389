//! Logs that Apache Kafka wrote: read as it reads them, written as it writes them.

use ottla_base::{MonoTime, Offset, ProducerId, Uuid, WallMillis};
use ottla_coordinator::{PutRecord as _, Ticket};
use ottla_group::{
    Caller, GroupCoordinator, GroupEffects, GroupError, GroupRecord, GroupReply, Now,
};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::JoinGroupRequest;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_records::Batches;
use ottla_records::codec::Decompressor;
use ottla_records::control::ControlType;

use crate::bench::settings;

macro_rules! segment {
    ($name:literal) => {
        include_str!(concat!("../golden/", $name, ".hex"))
    };
}

#[derive(Debug)]
struct Record {
    at: Offset,
    producer: Option<ProducerId>,
    /// The end of a transaction, and whether it is committed.
    end: Option<bool>,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

fn records(hex: &str) -> Vec<Record> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("two digits")
        })
        .collect();
    let mut scratch = Decompressor::new();
    let mut all = Vec::new();
    for batch in Batches::new(&bytes) {
        for record in batch.records(&mut scratch).expect("valid") {
            let record = record.expect("valid");
            all.push(Record {
                at: record.offset,
                producer: batch.is_transactional().then(|| batch.producer_id()),
                end: batch
                    .is_control()
                    .then(|| ControlType::from_key(record.key) == Ok(ControlType::Commit)),
                key: record.key.unwrap_or_default().to_vec(),
                value: record.value.map(<[u8]>::to_vec),
            });
        }
    }
    all
}

fn load<'r>(records: impl IntoIterator<Item = &'r Record>) -> GroupCoordinator {
    let mut machine = GroupCoordinator::new(settings(&[]));
    for record in records {
        match (record.end, record.producer) {
            (Some(committed), Some(producer)) => {
                machine.replay_end_of_transaction(producer, committed);
            }
            _ => {
                let loaded = machine.load(
                    record.at,
                    record.producer,
                    Some(&record.key),
                    record.value.as_deref(),
                );
                assert_eq!(loaded, Ok(None));
            }
        }
    }
    machine
}

fn offsets(machine: &GroupCoordinator, group: &str) -> Vec<Option<i64>> {
    let fetched = machine.fetch_offsets(group, "t1", &[0, 1, 2, 3], false);
    fetched
        .into_iter()
        .map(|fetched| fetched.committed.expect("nothing open").map(|c| c.offset))
        .collect()
}

#[test]
fn offsets_and_groups_are_those_that_kafka_has() {
    let classic = load(&records(segment!("classic")));
    assert_eq!(
        offsets(&classic, "g1"),
        [Some(1), Some(8), Some(3), Some(6)]
    );
    let group = classic.describe_group("g1").expect("is there");
    assert_eq!(
        (group.group_state.as_str(), group.protocol_type.as_str()),
        ("Empty", "consumer")
    );

    // The last record says that its session has ended.
    let records_of_static = records(segment!("static"));
    let (_, alive) = records_of_static.split_last().expect("some");
    let fixed = load(alive);
    let group = fixed.describe_group("static").expect("is there");
    assert_eq!(group.group_state, "Stable");
    assert_eq!(
        group.members[0].group_instance_id.as_deref(),
        Some("inst-1")
    );

    let transaction = load(&records(segment!("transaction")));
    assert_eq!(offsets(&transaction, "txn"), [Some(2), None, None, None]);

    let expiring = records(segment!("expiring"));
    assert_eq!(offsets(&load(&expiring[..2]), "simple3")[0], Some(2));
    assert_eq!(load(&expiring).list_groups(MonoTime(0), &[], &[]), []);
}

#[test]
fn own_records_are_written_byte_for_byte_as_kafka_does() {
    let mut compared = 0;
    for hex in [
        segment!("classic"),
        segment!("static"),
        segment!("transaction"),
        segment!("expiring"),
        segment!("consumer"),
    ] {
        for record in records(hex) {
            let own = matches!(record.key[..2], [0, 1 | 2]);
            if record.end.is_some() || !own {
                continue;
            }
            let read = GroupRecord::read(&record.key, record.value.as_deref());
            let written = read.expect("valid").to_record().expect("fits");
            assert_eq!(written.key, record.key);
            assert_eq!(written.value, record.value);
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");
}

/// Whether the first `length` records leave a consumer group with a member.
fn has_member(all: &[Record], length: usize) -> bool {
    let of_member = all[..length]
        .iter()
        .rev()
        .find(|record| record.key[..2] == [0, 5]);
    of_member.is_some_and(|record| record.value.is_some())
}

#[test]
fn groups_of_newer_kinds_are_kept_out_of_harms_way() {
    for (hex, group, kind) in [
        (segment!("consumer"), "kip848", "consumer"),
        (segment!("share"), "sharegrp", "share"),
    ] {
        let all = records(hex);
        for length in 1..=all.len() {
            let machine = load(&all[..length]);
            let listed = machine.list_groups(MonoTime(0), &[], &[]);
            assert_eq!(listed.len(), 1);
            let listed = (listed[0].group_id.as_str(), listed[0].group_type.as_str());
            assert_eq!(listed, (group, kind));
            assert_eq!(
                machine.describe_group(group),
                Err(GroupError::OtherGroupType)
            );
            let mut fx = GroupEffects::default();
            machine.expire_offsets(WallMillis(i64::MAX), &mut fx);
            assert_eq!(fx.records, [], "nothing of it expires");
            let deleted = machine.delete_group(group, MonoTime(0), &mut fx);
            let is_free = kind == "consumer" && !has_member(&all, length);
            assert_eq!(deleted.is_ok(), is_free, "{kind} {length}");
        }
    }
    let machine = load(&records(segment!("consumer")));
    assert_eq!(
        offsets(&machine, "kip848"),
        [Some(3), Some(8), Some(3), Some(6)]
    );
}

/// Somebody joins a group; the records that come of it, and the error.
fn join(machine: &mut GroupCoordinator, group: &str, mono: u64) -> (Vec<GroupRecord>, i16) {
    let caller = Caller {
        client_id: "c",
        client_host: "/127.0.0.1",
        version: 9,
    };
    let request = JoinGroupRequest {
        group_id: group.to_owned(),
        session_timeout_ms: 10_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".to_owned(),
            metadata: Vec::new(),
        }],
        ..JoinGroupRequest::default()
    };
    let now = Now {
        mono: MonoTime(mono),
        wall: WallMillis(0),
    };
    let mut fx = GroupEffects::default();
    machine.join_group(now, &caller, request, Uuid([1; 16]), Ticket(1), &mut fx);
    for (at, record) in (1_000..).zip(&fx.records) {
        machine.replay(Offset(at), None, record);
    }
    match fx.replies.first() {
        Some((_, GroupReply::Join(response))) => (fx.records, response.error_code),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn consumer_group_without_members_gives_way_to_a_classic_one_as_in_kafka() {
    let mut machine = load(&records(segment!("consumer")));
    let (written, error) = join(&mut machine, "kip848", 0);
    assert_eq!(error, ErrorCode::MemberIdRequired.code());
    // The target assignment, the group, and the classic group in the same batch.
    let keys: Vec<(u8, bool)> = written
        .iter()
        .map(|record| record.to_record().expect("fits"))
        .map(|record| (record.key[1], record.value.is_some()))
        .collect();
    assert_eq!(keys, [(6, false), (3, false), (2, true)]);
    let group = machine.describe_group("kip848").expect("a classic group");
    assert_eq!(group.group_state, "Empty");
    assert_eq!(
        offsets(&machine, "kip848"),
        [Some(3), Some(8), Some(3), Some(6)]
    );
}

#[test]
fn members_of_a_consumer_group_hold_it_for_the_session_that_the_log_left_them() {
    let all = records(segment!("consumer"));
    let with_member = (1..all.len()).find(|length| has_member(&all, *length));
    let mut machine = load(&all[..with_member.expect("a member joined")]);
    let mut fx = GroupEffects::default();
    let second = 1_000_000_000;
    let loaded = Now {
        mono: MonoTime(5 * second),
        wall: WallMillis(0),
    };
    machine.loaded(loaded, &mut fx);
    let refused = ErrorCode::InconsistentGroupProtocol.code();
    assert_eq!(
        join(&mut machine, "kip848", 50 * second - 1),
        (Vec::new(), refused)
    );
    let (_, error) = join(&mut machine, "kip848", 50 * second);
    assert_eq!(error, ErrorCode::MemberIdRequired.code());
}

#[test]
fn own_records_that_are_cut_anywhere_are_refused() {
    for hex in [
        segment!("classic"),
        segment!("static"),
        segment!("expiring"),
    ] {
        for record in records(hex) {
            let refused = |key: &[u8], value: Option<&[u8]>| {
                let mut machine = GroupCoordinator::new(settings(&[]));
                machine.load(record.at, None, Some(key), value).is_err()
            };
            let value = record.value.as_deref();
            for end in 0..record.key.len() {
                assert!(refused(&record.key[..end], value), "{record:?} {end}");
            }
            for end in 0..value.map_or(0, <[u8]>::len) {
                let cut = value.map(|value| &value[..end]);
                assert!(refused(&record.key, cut), "{record:?} {end}");
            }
        }
    }
}
