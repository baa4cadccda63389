//! Registration, sessions, controlled shutdown, producer ids, features.

use std::time::Duration;

use ottla_base::{NodeId, Uuid};
use ottla_controller::WireRefusal;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{
    AllocateProducerIdsRequest, BrokerHeartbeatRequest, BrokerRegistrationRequest,
    UpdateFeaturesRequest,
};

use crate::harness::{Harness, config, directory, registration};

fn refusal(
    harness: &mut Harness,
    request: &BrokerRegistrationRequest,
) -> Option<(ErrorCode, String)> {
    let decided = harness.decide(|controller, ctx| controller.broker_registration(ctx, request));
    decided
        .err()
        .map(|refusal| (refusal.code(), refusal.message().unwrap()))
}

#[test]
fn brokers_that_do_not_fit_are_refused_in_kafkas_words() {
    let check =
        |expected: ErrorCode, text: &str, change: &dyn Fn(&mut BrokerRegistrationRequest)| {
            let mut harness = Harness::new();
            harness.start([1]);
            let mut request = registration(2);
            change(&mut request);
            assert_eq!(
                refusal(&mut harness, &request),
                Some((expected, text.to_owned()))
            );
        };
    use ErrorCode as E;
    check(
        E::InconsistentClusterId,
        "Expected cluster ID cluster-of-the-tests, but got cluster ID other",
        &|request| request.cluster_id = "other".to_owned(),
    );
    check(
        E::InvalidRegistration,
        "No directories specified in request",
        &|request| {
            request.log_dirs.clear();
        },
    );
    check(
        E::InvalidRegistration,
        "Reserved directory ID in request",
        &|request| {
            request.log_dirs[0] = Uuid::ONE;
        },
    );
    check(
        E::InvalidRegistration,
        "Duplicate directory ID in request",
        &|request| {
            request.log_dirs.push(directory(2));
        },
    );
    let taken = format!(
        "Broker 1 is already registered with directory {}",
        directory(1)
    );
    check(E::InvalidRegistration, &taken, &|request| {
        request.log_dirs[0] = directory(1);
    });
    check(
        E::InvalidRegistration,
        "Request features do not contain 'metadata.version'",
        &|request| {
            request
                .features
                .retain(|feature| feature.name != "metadata.version");
        },
    );
    check(
        E::UnsupportedVersion,
        "Unable to register because the broker does not support finalized version 2 of \
         transaction.version. The broker wants a version between 0 and 0, inclusive.",
        &|request| {
            request
                .features
                .retain(|feature| feature.name != "transaction.version");
        },
    );
    check(
        E::UnsupportedVersion,
        "Unable to register because the broker does not support finalized version 33 of \
         metadata.version. The broker wants a version between 7 and 30, inclusive.",
        &|request| {
            for feature in &mut request.features {
                if feature.name == "metadata.version" {
                    feature.max_supported_version = 30;
                }
            }
        },
    );
    check(
        E::BrokerIdNotRegistered,
        "Controller does not support registering ZK brokers.",
        &|request| request.is_migrating_zk_broker = true,
    );
}

#[test]
fn a_second_process_waits_until_the_session_of_the_first_ends() {
    let mut harness = Harness::new();
    harness.start([1]);
    let second = BrokerRegistrationRequest {
        incarnation_id: Uuid([50; 16]),
        ..registration(1)
    };
    let duplicate = Some(ErrorCode::DuplicateBrokerRegistration);
    harness.pass(Duration::from_secs(9));
    assert_eq!(refusal(&mut harness, &second).map(|r| r.0), duplicate);
    harness.pass(Duration::from_nanos(1));
    assert_eq!(refusal(&mut harness, &second), None);
}

#[test]
fn a_process_that_registers_again_keeps_epoch_and_state() {
    let mut harness = Harness::new();
    harness.start([1]);
    let epoch = harness.image().cluster.broker(NodeId(1)).unwrap().epoch;
    assert_eq!(harness.register(1), epoch);
    assert!(
        harness.image().cluster.is_active(NodeId(1)),
        "it stays unfenced"
    );
}

#[test]
fn the_controllers_own_broker_need_not_wait() {
    let own = ottla_controller::ControllerConfig {
        node_id: NodeId(1),
        ..config()
    };
    let mut harness = Harness::at(33, own, &[]);
    harness.start([1]);
    let again = BrokerRegistrationRequest {
        incarnation_id: Uuid([50; 16]),
        ..registration(1)
    };
    assert_eq!(refusal(&mut harness, &again), None);
}

#[test]
fn a_broker_is_unfenced_once_it_has_read_its_registration() {
    let mut harness = Harness::new();
    let epoch = harness.register(1);
    let behind = harness.heartbeat(1, |request| request.current_metadata_offset = epoch.0 - 1);
    assert!(behind.is_fenced && !behind.is_caught_up);
    let there = harness.heartbeat(1, |request| request.current_metadata_offset = epoch.0);
    assert!(!there.is_fenced && there.is_caught_up);
}

#[test]
fn heartbeats_of_an_older_registration_are_refused() {
    let mut harness = Harness::new();
    harness.start([1]);
    let check = |harness: &mut Harness, broker_id, text: &str| {
        let request = BrokerHeartbeatRequest {
            broker_id,
            broker_epoch: 1,
            ..Default::default()
        };
        let decided = harness.decide(|controller, ctx| controller.broker_heartbeat(ctx, &request));
        let refusal = decided.unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::StaleBrokerEpoch);
        assert_eq!(refusal.message().as_deref(), Some(text));
    };
    let epoch = harness.image().cluster.broker(NodeId(1)).unwrap().epoch;
    let stale = format!("Expected broker epoch {epoch}, but got broker epoch 1");
    check(&mut harness, 1, &stale);
    check(
        &mut harness,
        2,
        "No broker registration found for broker id 2",
    );
}

#[test]
fn a_silent_broker_is_fenced_after_its_session() {
    let mut harness = Harness::new();
    harness.start([1, 2]);
    harness.create("t", &[&[1, 2]]);
    harness.pass(Duration::from_secs(9));
    harness.heartbeat(2, |_| {});
    let deadline = harness.controller.next_deadline().unwrap();
    assert!(deadline <= harness.now.saturating_add(Duration::from_nanos(1)));
    let now = harness.now;
    let outcome = harness.controller.on_tick(now);
    harness.commit(outcome);
    assert!(
        !harness.image().cluster.broker(NodeId(1)).unwrap().fenced,
        "not a moment early"
    );
    harness.pass(Duration::from_nanos(1));
    let now = harness.now;
    let outcome = harness.controller.on_tick(now);
    harness.commit(outcome);
    assert!(harness.image().cluster.broker(NodeId(1)).unwrap().fenced);
    assert!(!harness.image().cluster.broker(NodeId(2)).unwrap().fenced);
    assert_eq!(harness.partition("t", 0).leader, NodeId(2));
}

#[test]
fn an_idle_controller_writes_no_op_records_at_its_interval() {
    let mut harness = Harness::new();
    let mut written = 0;
    for _ in 0..100 {
        harness.pass(Duration::from_millis(100));
        let now = harness.now;
        let outcome = harness.controller.on_tick(now);
        written += outcome.records.len();
        harness.commit(outcome);
    }
    assert_eq!(written, 20, "ten seconds, two a second");
}

#[test]
fn a_stopping_broker_hands_over_and_then_may_go() {
    let mut harness = Harness::new();
    harness.start([1, 2]);
    harness.create("t", &[&[1, 2]]);
    let stop = |request: &mut BrokerHeartbeatRequest| request.want_shut_down = true;
    assert!(!harness.heartbeat(1, stop).should_shut_down);
    assert_eq!(harness.partition("t", 0).leader, NodeId(2));
    assert!(
        !harness.heartbeat(1, stop).should_shut_down,
        "2 has not seen the change yet"
    );
    harness.heartbeat(2, |_| {});
    let reply = harness.heartbeat(1, stop);
    assert!(reply.should_shut_down && reply.is_fenced);
    assert!(harness.image().cluster.broker(NodeId(1)).unwrap().fenced);
}

#[test]
fn no_producer_id_is_given_twice() {
    let mut harness = Harness::new();
    harness.start([1, 2]);
    let mut next = 0;
    for id in [1, 2, 1] {
        let epoch = harness.image().cluster.broker(NodeId(id)).unwrap().epoch.0;
        let request = AllocateProducerIdsRequest {
            broker_id: id,
            broker_epoch: epoch,
        };
        let block = harness.run(|controller, _| controller.allocate_producer_ids(&request));
        assert_eq!(
            (block.producer_id_start, block.producer_id_len),
            (next, 1000)
        );
        next += 1000;
    }
    let stale = AllocateProducerIdsRequest {
        broker_id: 1,
        broker_epoch: 0,
    };
    let refusal = harness
        .controller
        .allocate_producer_ids(&stale)
        .unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::StaleBrokerEpoch);
}

fn update(harness: &mut Harness, updates: &[(&str, i16, i8)]) -> (i16, String) {
    let request = UpdateFeaturesRequest {
        feature_updates: updates
            .iter()
            .map(
                |&(feature, max_version_level, upgrade_type)| FeatureUpdateKey {
                    feature: feature.to_owned(),
                    max_version_level,
                    upgrade_type,
                    ..Default::default()
                },
            )
            .collect(),
        ..Default::default()
    };
    harness.api_version = 2;
    let reply = harness.run(|controller, ctx| controller.update_features(ctx, &request));
    (reply.error_code, reply.error_message.unwrap_or_default())
}

#[test]
fn feature_levels_that_cannot_be_are_refused_in_kafkas_words() {
    let check = |level: i16, updates: &[(&str, i16, i8)], text: &str| {
        let mut harness = Harness::at(level, config(), &[]);
        harness.start([1]);
        let before = harness.next_offset;
        let expected = format!(
            "The update failed for all features since the following feature had an error: {text}"
        );
        let found = update(&mut harness, updates);
        assert_eq!(found, (ErrorCode::InvalidUpdateVersion.code(), expected));
        assert_eq!(harness.next_offset, before, "all or none");
    };
    check(
        33,
        &[("metadata.version", 19, 1)],
        "Invalid update version 19 for feature metadata.version. Can't downgrade the version of \
         this feature without setting the upgrade type to either safe or unsafe downgrade.",
    );
    check(
        33,
        &[("metadata.version", 29, 2)],
        "Unsupported metadata.version downgrade from 33 to 29. Refusing to perform the requested \
         downgrade because it might delete metadata information.",
    );
    check(
        33,
        &[("metadata.version", 29, 3)],
        "Unsupported metadata.version downgrade from 33 to 29. Unsafe metadata downgrade is not \
         supported in this version.",
    );
    check(
        33,
        &[("metadata.version", 34, 1)],
        "Invalid update version 34 for feature metadata.version. Local controller 100 only supports \
         versions 7-33",
    );
    check(
        22,
        &[("eligible.leader.replicas.version", 1, 1)],
        "Invalid update version 1 for feature eligible.leader.replicas.version. \
         eligible.leader.replicas.version could not be set to 1 because it depends on \
         metadata.version level 23",
    );
    check(
        33,
        &[("group.version", 1, 1), ("nope", 1, 1)],
        "Invalid update version 1 for feature nope. Local controller 100 does not support this \
         feature.",
    );
    check(
        33,
        &[("group.version", -1, 1)],
        "Invalid update version -1 for feature group.version. A feature version cannot be less than \
         0.",
    );
}

#[test]
fn every_broker_must_know_a_level() {
    let mut harness = Harness::at(22, config(), &[]);
    let mut old = registration(1);
    for feature in &mut old.features {
        if feature.name == "metadata.version" {
            feature.max_supported_version = 25;
        }
    }
    harness.run(|controller, ctx| controller.broker_registration(ctx, &old));
    let (_, text) = update(&mut harness, &[("metadata.version", 26, 1)]);
    assert!(
        text.ends_with("Broker 1 only supports versions 7-25"),
        "{text}"
    );
    assert_eq!(update(&mut harness, &[("metadata.version", 25, 1)]).0, 0);
    assert_eq!(harness.controller.metadata_version().level(), 25);
}

#[test]
fn eligible_replicas_come_with_one_min_isr_for_all() {
    let mut harness = Harness::at(25, config(), &[("min.insync.replicas", "2")]);
    let cluster = ottla_metadata::ConfigResource::cluster();
    assert_eq!(
        harness
            .image()
            .configs
            .value(&cluster, "min.insync.replicas"),
        None
    );
    let code = update(&mut harness, &[("eligible.leader.replicas.version", 1, 1)]).0;
    assert_eq!(code, 0);
    assert!(harness.image().features.elr_enabled());
    assert_eq!(
        harness
            .image()
            .configs
            .value(&cluster, "min.insync.replicas"),
        Some("2")
    );
}
