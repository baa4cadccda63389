//! Laws of the controller under any sequence of requests.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ottla_base::{LeaderEpoch, NodeId, Offset, Uuid};
use ottla_controller::Controller;
use ottla_metadata::{MetadataDelta, MetadataImage, MetadataRecord};
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::{
    AllocateProducerIdsRequest, CreatePartitionsRequest, DeleteTopicsRequest, ElectLeadersRequest,
    IncrementalAlterConfigsRequest, UnregisterBrokerRequest,
};
use proptest::prelude::*;

use crate::harness::{Harness, config, registration, request, schema, topic};

#[derive(Debug, Clone)]
enum Step {
    Register {
        id: i32,
        incarnation: u8,
        clean: bool,
    },
    Heartbeat {
        id: i32,
        fence: bool,
        shut_down: bool,
    },
    Unregister {
        id: i32,
    },
    Create {
        topic: u8,
        partitions: i32,
        factor: i16,
    },
    Delete {
        topic: u8,
    },
    Grow {
        topic: u8,
        count: i32,
    },
    MinIsr {
        topic: u8,
        value: u8,
    },
    Unclean {
        topic: u8,
        allowed: bool,
    },
    Elect {
        unclean: bool,
    },
    ProducerIds {
        id: i32,
    },
    Pass {
        seconds: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (id, topic) = (1..5_i32, 0..3_u8);
    prop_oneof![
        3 => (id.clone(), 0..3_u8, any::<bool>())
            .prop_map(|(id, incarnation, clean)| Step::Register { id, incarnation, clean }),
        6 => (id.clone(), prop::bool::weighted(0.2), prop::bool::weighted(0.2))
            .prop_map(|(id, fence, shut_down)| Step::Heartbeat { id, fence, shut_down }),
        1 => id.clone().prop_map(|id| Step::Unregister { id }),
        3 => (topic.clone(), 1..4_i32, 1..4_i16)
            .prop_map(|(topic, partitions, factor)| Step::Create { topic, partitions, factor }),
        1 => topic.clone().prop_map(|topic| Step::Delete { topic }),
        1 => (topic.clone(), 1..6_i32).prop_map(|(topic, count)| Step::Grow { topic, count }),
        1 => (topic.clone(), 1..4_u8).prop_map(|(topic, value)| Step::MinIsr { topic, value }),
        1 => (topic, any::<bool>()).prop_map(|(topic, allowed)| Step::Unclean { topic, allowed }),
        1 => any::<bool>().prop_map(|unclean| Step::Elect { unclean }),
        1 => id.prop_map(|id| Step::ProducerIds { id }),
        1 => (1..12_u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

fn name(topic: u8) -> String {
    format!("t{topic}")
}

fn set(topic: u8, key: &str, value: String) -> IncrementalAlterConfigsRequest {
    IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: 2,
            resource_name: name(topic),
            configs: vec![AlterableConfig {
                name: key.to_owned(),
                config_operation: 0,
                value: Some(value),
            }],
        }],
        ..Default::default()
    }
}

fn apply(harness: &mut Harness, step: &Step) {
    match *step {
        Step::Register {
            id,
            incarnation,
            clean,
        } => {
            let known = harness
                .image()
                .cluster
                .broker(NodeId(id))
                .map_or(-1, |b| b.epoch.0);
            let mut request = registration(id);
            request.incarnation_id = Uuid([u8::try_from(id).unwrap() * 10 + incarnation; 16]);
            request.previous_broker_epoch = if clean { known } else { -1 };
            let decided =
                harness.decide(|controller, ctx| controller.broker_registration(ctx, &request));
            if let Ok(outcome) = decided {
                harness.commit(outcome);
            }
        }
        Step::Heartbeat {
            id,
            fence,
            shut_down,
        } => {
            if harness.image().cluster.broker(NodeId(id)).is_some() {
                harness.heartbeat(id, |request| {
                    request.want_fence = fence;
                    request.want_shut_down = shut_down;
                });
            }
        }
        Step::Unregister { id } => {
            let request = UnregisterBrokerRequest { broker_id: id };
            if let Ok(outcome) = harness.controller.unregister_broker(&request) {
                harness.commit(outcome);
            }
        }
        Step::Elect { unclean } => {
            let request = ElectLeadersRequest {
                election_type: i8::from(unclean),
                topic_partitions: None,
                ..Default::default()
            };
            harness.run(|controller, _| controller.elect_leaders(&request));
        }
        Step::ProducerIds { id } => {
            let epoch = harness
                .image()
                .cluster
                .broker(NodeId(id))
                .map_or(-1, |b| b.epoch.0);
            let request = AllocateProducerIdsRequest {
                broker_id: id,
                broker_epoch: epoch,
            };
            if let Ok(outcome) = harness.controller.allocate_producer_ids(&request) {
                harness.commit(outcome);
            }
        }
        Step::Pass { seconds } => {
            harness.pass(Duration::from_secs(seconds));
            let now = harness.now;
            while harness
                .controller
                .next_deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                let outcome = harness.controller.on_tick(now);
                harness.commit(outcome);
            }
        }
        _ => apply_to_topics(harness, step),
    }
}

fn apply_to_topics(harness: &mut Harness, step: &Step) {
    match *step {
        Step::Create {
            topic: index,
            partitions,
            factor,
        } => {
            let request = request([topic(&name(index), partitions, factor)]);
            harness.run(|controller, ctx| controller.create_topics(ctx, &request));
        }
        Step::Delete { topic } => {
            let request = DeleteTopicsRequest {
                topic_names: vec![name(topic)],
                ..Default::default()
            };
            harness.run(|controller, ctx| controller.delete_topics(ctx, &request));
        }
        Step::Grow { topic, count } => {
            let topic = CreatePartitionsTopic {
                name: name(topic),
                count,
                assignments: None,
            };
            let request = CreatePartitionsRequest {
                topics: vec![topic],
                ..Default::default()
            };
            harness.run(|controller, ctx| controller.create_partitions(ctx, &request));
        }
        Step::MinIsr { topic, value } => {
            let request = set(topic, "min.insync.replicas", value.to_string());
            harness.run(|controller, _| controller.incremental_alter_configs(&request));
        }
        Step::Unclean { topic, allowed } => {
            let request = set(topic, "unclean.leader.election.enable", allowed.to_string());
            harness.run(|controller, _| controller.incremental_alter_configs(&request));
        }
        _ => unreachable!("steps of brokers and of time are taken above"),
    }
}

/// What must hold of every partition at every time.
fn check_partitions(image: &MetadataImage) {
    for topic in image.topics.iter() {
        let indexes: Vec<i32> = topic.partitions.keys().copied().collect();
        let expected: Vec<i32> = (0..).take(indexes.len()).collect();
        assert_eq!(indexes, expected, "partitions are numbered without a gap");
        for (index, partition) in &topic.partitions {
            let at = format!("{}-{index} {partition:?}", topic.name);
            let set = |nodes: &[NodeId]| nodes.iter().copied().collect::<BTreeSet<_>>();
            let (replicas, isr, elr) = (
                set(&partition.replicas),
                set(&partition.isr),
                set(&partition.elr),
            );
            assert_eq!(replicas.len(), partition.replicas.len(), "{at}");
            assert_eq!(
                partition.directories.len(),
                partition.replicas.len(),
                "{at}"
            );
            assert!(isr.is_subset(&replicas) && elr.is_subset(&replicas), "{at}");
            assert!(isr.is_disjoint(&elr), "{at}");
            if partition.has_leader() {
                assert!(isr.contains(&partition.leader), "{at}");
                // One that asked to shut down and goes on may lead again, as in Kafka, although its
                // registration says for good that it shuts down.
                let leader = image.cluster.broker(partition.leader);
                assert!(leader.is_some_and(|leader| !leader.fenced), "{at}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_was_recorded_is_what_is(steps in prop::collection::vec(step(), 0..80)) {
        let mut harness = Harness::new();
        let mut epochs = std::collections::BTreeMap::new();
        for step in &steps {
            apply(&mut harness, step);
            check_partitions(harness.image());
            for topic in harness.image().topics.iter() {
                for (&index, partition) in &topic.partitions {
                    let now = (partition.leader_epoch, partition.partition_epoch);
                    let before = epochs.insert((topic.id, index), now).unwrap_or(now);
                    prop_assert!(before.0 <= now.0 && before.1 <= now.1, "epochs only grow");
                }
            }
        }

        // A new controller that replays the log, by way of bytes, stands where this one does.
        let mut replayed = Controller::new(config(), schema(&[]));
        let mut delta = MetadataDelta::new(Arc::new(MetadataImage::default()));
        for (offset, record) in &harness.log {
            let mut value = Vec::new();
            record.encode_framed(&mut value).unwrap();
            let read = MetadataRecord::decode_framed(&value).unwrap();
            prop_assert_eq!(&read, record);
            replayed.replay(*offset, &read.record).unwrap();
            delta.apply(&read.record).unwrap();
        }
        prop_assert_eq!(replayed.image(), harness.image());
        let image = delta.into_image(Offset(0), LeaderEpoch(0));
        prop_assert!(image.same_content(harness.image()), "brokers see what the controller sees");

        // And so does one that starts from a snapshot: it decides the same.
        let loaded = Controller::from_image(config(), schema(&[]), harness.image().clone());
        for election_type in [0, 1] {
            let elect = ElectLeadersRequest {
                election_type,
                topic_partitions: None,
                ..Default::default()
            };
            prop_assert_eq!(loaded.elect_leaders(&elect), replayed.elect_leaders(&elect));
        }
        for id in 1..5 {
            let forget = UnregisterBrokerRequest { broker_id: id };
            prop_assert_eq!(loaded.unregister_broker(&forget), replayed.unregister_broker(&forget));
        }
    }
}
