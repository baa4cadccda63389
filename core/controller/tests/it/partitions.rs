//! Leaders, ISR and ELR as brokers come, go and ask.

use ottla_base::{NodeId, Uuid};
use ottla_controller::WireRefusal;
use ottla_metadata::{LeaderRecoveryState, PartitionRegistration};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use ottla_protocol::messages::elect_leaders_request::TopicPartitions;
use ottla_protocol::messages::{
    AlterPartitionRequest, AssignReplicasToDirsRequest, ElectLeadersRequest,
    IncrementalAlterConfigsRequest, UnregisterBrokerRequest, alter_partition_response,
    assign_replicas_to_dirs_request, incremental_alter_configs_request,
};

use crate::harness::{Harness, config, directory, nodes, registration};

/// Leader, ISR and ELR.
fn state(partition: &PartitionRegistration) -> (i32, Vec<i32>, Vec<i32>) {
    (
        partition.leader.0,
        nodes(&partition.isr),
        nodes(&partition.elr),
    )
}

fn set_topic_config(harness: &mut Harness, key: &str, value: &str) {
    let request = IncrementalAlterConfigsRequest {
        resources: vec![incremental_alter_configs_request::AlterConfigsResource {
            resource_type: 2,
            resource_name: "t".to_owned(),
            configs: vec![incremental_alter_configs_request::AlterableConfig {
                name: key.to_owned(),
                config_operation: 0,
                value: Some(value.to_owned()),
            }],
        }],
        ..Default::default()
    };
    let reply = harness.run(|controller, _| controller.incremental_alter_configs(&request));
    assert_eq!(
        reply.responses[0].error_code, 0,
        "{:?}",
        reply.responses[0].error_message
    );
}

/// Three brokers and `t-0` on all of them, led by 1, with `min.insync.replicas` 2.
fn cluster(level: i16) -> Harness {
    let mut harness = Harness::at(level, config(), &[]);
    harness.start([1, 2, 3]);
    harness.create("t", &[&[1, 2, 3]]);
    set_topic_config(&mut harness, "min.insync.replicas", "2");
    harness
}

fn fence(harness: &mut Harness, id: i32) {
    harness.heartbeat(id, |request| request.want_fence = true);
}

fn unfence(harness: &mut Harness, id: i32) {
    harness.heartbeat(id, |_| {});
}

#[test]
fn who_leaves_a_small_isr_stays_eligible() {
    let mut harness = cluster(33);
    fence(&mut harness, 1);
    assert_eq!(state(&harness.partition("t", 0)), (2, vec![2, 3], vec![]));
    fence(&mut harness, 2);
    assert_eq!(state(&harness.partition("t", 0)), (3, vec![3], vec![2]));
    fence(&mut harness, 3);
    assert_eq!(state(&harness.partition("t", 0)), (-1, vec![], vec![2, 3]));
    assert_eq!(nodes(&harness.partition("t", 0).last_known_elr), [3]);

    unfence(&mut harness, 1);
    assert_eq!(
        harness.partition("t", 0).leader,
        NodeId::NONE,
        "1 left the ISR before writes ended"
    );
    unfence(&mut harness, 2);
    let partition = harness.partition("t", 0);
    assert_eq!(
        state(&partition),
        (2, vec![2], vec![3]),
        "electing an eligible replica is clean"
    );
    assert_eq!(
        partition.leader_recovery_state,
        LeaderRecoveryState::Recovered
    );
    assert_eq!(nodes(&partition.last_known_elr), [0; 0]);
}

#[test]
fn without_elr_the_last_of_the_isr_stays_in_it() {
    let mut harness = cluster(22);
    for id in [1, 2, 3] {
        fence(&mut harness, id);
    }
    assert_eq!(state(&harness.partition("t", 0)), (-1, vec![3], vec![]));
    unfence(&mut harness, 2);
    assert_eq!(harness.partition("t", 0).leader, NodeId::NONE);
    unfence(&mut harness, 3);
    assert_eq!(state(&harness.partition("t", 0)), (3, vec![3], vec![]));
}

#[test]
fn a_replica_that_crashed_is_not_eligible() {
    let mut harness = cluster(33);
    for id in [1, 2, 3] {
        fence(&mut harness, id);
    }
    assert_eq!(nodes(&harness.partition("t", 0).elr), [2, 3]);
    let crashed = ottla_protocol::messages::BrokerRegistrationRequest {
        incarnation_id: Uuid([77; 16]),
        previous_broker_epoch: -1,
        ..registration(2)
    };
    harness.pass(std::time::Duration::from_secs(10));
    harness.run(|controller, ctx| controller.broker_registration(ctx, &crashed));
    assert_eq!(nodes(&harness.partition("t", 0).elr), [3]);
    unfence(&mut harness, 2);
    assert_eq!(harness.partition("t", 0).leader, NodeId::NONE);
    unfence(&mut harness, 3);
    assert_eq!(harness.partition("t", 0).leader, NodeId(3));
}

#[test]
fn the_last_known_leader_leads_again_uncleanly() {
    let mut harness = cluster(33);
    for id in [1, 2, 3] {
        fence(&mut harness, id);
    }
    harness.pass(std::time::Duration::from_secs(10));
    for id in [2, 3] {
        let crashed = ottla_protocol::messages::BrokerRegistrationRequest {
            incarnation_id: Uuid([77; 16]),
            ..registration(id)
        };
        harness.run(|controller, ctx| controller.broker_registration(ctx, &crashed));
    }
    assert_eq!(state(&harness.partition("t", 0)), (-1, vec![], vec![]));
    unfence(&mut harness, 2);
    assert_eq!(
        harness.partition("t", 0).leader,
        NodeId::NONE,
        "2 did not lead last"
    );
    unfence(&mut harness, 3);
    let partition = harness.partition("t", 0);
    assert_eq!(state(&partition), (3, vec![3], vec![]));
    assert_eq!(
        partition.leader_recovery_state,
        LeaderRecoveryState::Recovering
    );
}

#[test]
fn anybody_leads_where_unclean_elections_are_allowed() {
    let mut harness = cluster(33);
    set_topic_config(&mut harness, "unclean.leader.election.enable", "true");
    for id in [2, 3, 1] {
        fence(&mut harness, id);
    }
    assert_eq!(harness.partition("t", 0).leader, NodeId::NONE);
    unfence(&mut harness, 2);
    let partition = harness.partition("t", 0);
    assert_eq!(state(&partition), (2, vec![2], vec![]));
    assert_eq!(
        partition.leader_recovery_state,
        LeaderRecoveryState::Recovering
    );
}

#[test]
fn each_change_counts_and_each_leader_counts() {
    let mut harness = cluster(33);
    let epochs = |harness: &Harness| {
        let partition = harness.partition("t", 0);
        (partition.leader_epoch.0, partition.partition_epoch.0)
    };
    assert_eq!(epochs(&harness), (0, 0));
    fence(&mut harness, 3);
    assert_eq!(
        epochs(&harness),
        (0, 1),
        "a shrinking ISR keeps the leader epoch"
    );
    fence(&mut harness, 1);
    assert_eq!(epochs(&harness), (1, 2));

    let mut old = cluster(11);
    fence(&mut old, 3);
    assert_eq!(
        epochs(&old),
        (1, 1),
        "before metadata.version 12 it does not"
    );
}

fn alter(
    harness: &mut Harness,
    leader: i32,
    change: impl FnOnce(&mut PartitionData),
) -> alter_partition_response::PartitionData {
    let topic_id = harness.image().topics.id("t").unwrap().0;
    let present = harness.partition("t", 0);
    let mut data = PartitionData {
        partition_index: 0,
        leader_epoch: present.leader_epoch.0,
        partition_epoch: present.partition_epoch.0,
        new_isr_with_epochs: members(harness, &[1, 2, 3]),
        ..Default::default()
    };
    change(&mut data);
    let request = AlterPartitionRequest {
        broker_id: leader,
        broker_epoch: harness
            .image()
            .cluster
            .broker(NodeId(leader))
            .unwrap()
            .epoch
            .0,
        topics: vec![TopicData {
            topic_id,
            partitions: vec![data],
        }],
    };
    harness.api_version = 3;
    let mut reply = harness.run(|controller, ctx| controller.alter_partition(ctx, &request));
    reply.topics.remove(0).partitions.remove(0)
}

fn members(harness: &Harness, ids: &[i32]) -> Vec<BrokerState> {
    let member = |&broker_id: &i32| BrokerState {
        broker_id,
        broker_epoch: harness
            .image()
            .cluster
            .broker(NodeId(broker_id))
            .map_or(-1, |broker| broker.epoch.0),
    };
    ids.iter().map(member).collect()
}

#[test]
fn a_leader_grows_and_shrinks_its_isr() {
    let mut harness = cluster(33);
    let shrunk = members(&harness, &[1]);
    let reply = alter(&mut harness, 1, |data| data.new_isr_with_epochs = shrunk);
    assert_eq!(
        (reply.error_code, reply.isr, reply.partition_epoch),
        (0, vec![1], 1)
    );
    assert_eq!(state(&harness.partition("t", 0)), (1, vec![1], vec![2, 3]));
    let grown = members(&harness, &[1, 2]);
    let reply = alter(&mut harness, 1, |data| data.new_isr_with_epochs = grown);
    assert_eq!(
        (reply.error_code, reply.isr, reply.leader_epoch),
        (0, vec![1, 2], 0)
    );
    assert_eq!(
        state(&harness.partition("t", 0)),
        (1, vec![1, 2], vec![]),
        "min ISR is reached"
    );
}

#[test]
fn an_isr_that_cannot_be_is_refused() {
    let check = |leader: i32, expected: ErrorCode, change: &dyn Fn(&mut PartitionData)| {
        let mut harness = cluster(33);
        harness.start([4]);
        let reply = alter(&mut harness, leader, change);
        assert_eq!(ErrorCode::from_code(reply.error_code), Some(expected));
    };
    use ErrorCode as E;
    check(1, E::NotController, &|data| data.leader_epoch += 1);
    check(1, E::NotController, &|data| data.partition_epoch += 1);
    check(1, E::FencedLeaderEpoch, &|data| data.leader_epoch -= 1);
    check(2, E::InvalidRequest, &|_| {});
    check(1, E::InvalidUpdateVersion, &|data| {
        data.partition_epoch -= 1;
    });
    check(1, E::InvalidRequest, &|data| {
        data.new_isr_with_epochs.remove(0);
    });
    check(1, E::InvalidRequest, &|data| {
        data.new_isr_with_epochs[1].broker_id = 4;
    });
    check(1, E::InvalidRequest, &|data| {
        data.new_isr_with_epochs[1].broker_id = 3;
    });
    check(1, E::InvalidRequest, &|data| data.leader_recovery_state = 1);
    check(1, E::InvalidRequest, &|data| data.leader_recovery_state = 7);
    check(1, E::IneligibleReplica, &|data| {
        data.new_isr_with_epochs[1].broker_epoch += 1;
    });
    check(1, E::UnknownTopicOrPartition, &|data| {
        data.partition_index = 5;
    });
    check(1, E::None, &|_| {});
}

#[test]
fn brokers_that_are_fenced_or_stopping_do_not_join() {
    let mut harness = cluster(33);
    fence(&mut harness, 2);
    let reply = alter(&mut harness, 1, |_| {});
    assert_eq!(reply.error_code, ErrorCode::IneligibleReplica.code());
    unfence(&mut harness, 2);
    harness.create("led-by-2", &[&[2]]);
    harness.heartbeat(2, |request| request.want_shut_down = true);
    let reply = alter(&mut harness, 1, |_| {});
    assert_eq!(reply.error_code, ErrorCode::IneligibleReplica.code());
}

#[test]
fn alterations_of_an_older_registration_are_refused() {
    let mut harness = cluster(33);
    let request = AlterPartitionRequest {
        broker_id: 1,
        broker_epoch: 0,
        topics: Vec::new(),
    };
    let decided = harness.decide(|controller, ctx| controller.alter_partition(ctx, &request));
    assert_eq!(decided.unwrap_err().code(), ErrorCode::StaleBrokerEpoch);
}

fn elect(harness: &mut Harness, election_type: i8) -> Vec<(i32, i16, Option<String>)> {
    let request = ElectLeadersRequest {
        election_type,
        topic_partitions: Some(vec![TopicPartitions {
            topic: "t".to_owned(),
            partitions: vec![0, 9],
        }]),
        ..Default::default()
    };
    let reply = harness.run(|controller, _| controller.elect_leaders(&request));
    let results = &reply.replica_election_results[0].partition_result;
    results
        .iter()
        .map(|r| (r.partition_id, r.error_code, r.error_message.clone()))
        .collect()
}

#[test]
fn preferred_leaders_are_elected_on_demand_and_by_the_clock() {
    let mut harness = cluster(33);
    let first = elect(&mut harness, 0);
    assert_eq!(first[0].1, ErrorCode::ElectionNotNeeded.code());
    assert_eq!(
        first[1],
        (
            9,
            ErrorCode::UnknownTopicOrPartition.code(),
            Some("No such partition as t-9".to_owned())
        )
    );
    fence(&mut harness, 1);
    assert_eq!(
        elect(&mut harness, 0)[0].1,
        ErrorCode::PreferredLeaderNotAvailable.code()
    );
    unfence(&mut harness, 1);
    assert_eq!(
        elect(&mut harness, 0)[0].1,
        ErrorCode::PreferredLeaderNotAvailable.code()
    );
    let all = members(&harness, &[1, 2, 3]);
    alter(&mut harness, 2, |data| data.new_isr_with_epochs = all);
    assert_eq!(
        elect(&mut harness, 1)[0].1,
        ErrorCode::ElectionNotNeeded.code(),
        "there is a leader"
    );

    // The clock does what the request would.
    let due = harness
        .now
        .saturating_add(std::time::Duration::from_secs(300));
    let mut harness_later = harness;
    harness_later.now = due;
    for id in [1, 2, 3] {
        harness_later.heartbeat(id, |_| {});
    }
    let outcome = harness_later.controller.on_tick(due);
    harness_later.commit(outcome);
    assert_eq!(harness_later.partition("t", 0).leader, NodeId(1));
}

#[test]
fn unclean_leaders_are_elected_on_demand() {
    let mut harness = cluster(33);
    for id in [2, 3, 1] {
        fence(&mut harness, id);
    }
    assert_eq!(
        elect(&mut harness, 1)[0].1,
        ErrorCode::EligibleLeadersNotAvailable.code()
    );
    unfence(&mut harness, 2);
    assert_eq!(harness.partition("t", 0).leader, NodeId::NONE);
    assert_eq!(elect(&mut harness, 1)[0].1, 0);
    assert_eq!(harness.partition("t", 0).leader, NodeId(2));
    let unknown = ElectLeadersRequest {
        election_type: 2,
        ..Default::default()
    };
    let refusal = harness.controller.elect_leaders(&unknown).unwrap_err();
    assert_eq!(
        refusal.message().as_deref(),
        Some("Unknown election type 2")
    );
}

#[test]
fn replicas_in_a_lost_directory_leave_their_isr() {
    let mut harness = Harness::new();
    let mut two = registration(1);
    two.log_dirs = vec![Uuid([61; 16]), Uuid([62; 16])];
    harness.run(|controller, ctx| controller.broker_registration(ctx, &two));
    unfence(&mut harness, 1);
    harness.start([2]);
    harness.create("t", &[&[1, 2]]);
    let unassigned = harness.partition("t", 0);
    assert_eq!(
        unassigned.directory(NodeId(1)),
        Some(Uuid::ONE),
        "the broker is to choose"
    );
    assert_eq!(
        unassigned.directory(NodeId(2)),
        Some(directory(2)),
        "there is no choice"
    );

    let topic_id = harness.image().topics.id("t").unwrap().0;
    let epoch = harness.image().cluster.broker(NodeId(1)).unwrap().epoch.0;
    let assign = |id: Uuid| AssignReplicasToDirsRequest {
        broker_id: 1,
        broker_epoch: epoch,
        directories: vec![assign_replicas_to_dirs_request::DirectoryData {
            id,
            topics: vec![assign_replicas_to_dirs_request::TopicData {
                topic_id,
                partitions: vec![assign_replicas_to_dirs_request::PartitionData {
                    partition_index: 0,
                }],
            }],
        }],
    };
    let request = assign(Uuid([61; 16]));
    let reply = harness.run(|controller, _| controller.assign_replicas_to_dirs(&request));
    assert_eq!(reply.directories[0].topics[0].partitions[0].error_code, 0);
    assert_eq!(
        harness.partition("t", 0).directory(NodeId(1)),
        Some(Uuid([61; 16]))
    );

    harness.heartbeat(1, |request| request.offline_log_dirs = vec![Uuid([62; 16])]);
    assert_eq!(
        harness.partition("t", 0).leader,
        NodeId(1),
        "the replica is in the other one"
    );
    let gone = assign(Uuid([62; 16]));
    harness.run(|controller, _| controller.assign_replicas_to_dirs(&gone));
    let partition = harness.partition("t", 0);
    assert_eq!(
        (partition.leader, nodes(&partition.isr)),
        (NodeId(2), vec![2])
    );
}

#[test]
fn a_forgotten_broker_leads_nothing() {
    let mut harness = cluster(33);
    let request = UnregisterBrokerRequest { broker_id: 1 };
    harness.run(|controller, _| controller.unregister_broker(&request));
    assert_eq!(state(&harness.partition("t", 0)), (2, vec![2, 3], vec![]));
    let again = harness.controller.unregister_broker(&request).unwrap_err();
    assert_eq!(again.code(), ErrorCode::BrokerIdNotRegistered);
    assert_eq!(
        again.message().as_deref(),
        Some("Broker ID 1 is not currently registered")
    );
}
