//! Every decision that Apache Kafka's controller took in a recorded session, taken again: same requests,
//! same ids, same records.

use std::time::Duration;

use ottla_base::{NodeId, Offset, Uuid};
use ottla_controller::{Controller, ControllerConfig};
use ottla_metadata::{MetadataRecord, VersionedRecord};
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{
    AllocateProducerIdsRequest, BrokerHeartbeatRequest, BrokerRegistrationRequest,
    ControllerRegistrationRequest, CreatePartitionsRequest, DeleteTopicsRequest,
    IncrementalAlterConfigsRequest, UpdateFeaturesRequest, broker_registration_request,
    controller_registration_request, delete_topics_request,
};

use crate::harness::{Harness, assigned, request, schema, topic, with_configs};

const LOG: &str = include_str!("../../../metadata/tests/golden/kafka-4.4-log.txt");

struct Session {
    harness: Harness,
    kafkas: Vec<(i64, VersionedRecord)>,
}

fn config() -> ControllerConfig {
    ControllerConfig {
        node_id: NodeId(1),
        cluster_id: "any".to_owned(),
        max_idle_interval: Duration::ZERO,
        ..ControllerConfig::default()
    }
}

fn kafkas_records() -> Vec<(i64, VersionedRecord)> {
    let line = |line: &str| {
        let mut fields = line.split(' ');
        let offset = fields.next().unwrap().parse().unwrap();
        let hex = fields.next().unwrap();
        let value: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        (offset, MetadataRecord::decode_framed(&value).unwrap())
    };
    LOG.lines()
        .filter(|line| !line.starts_with('#'))
        .map(line)
        .collect()
}

/// Order among partitions of different topics is that of Kafka's hash map; so is that of configs set at
/// once.
fn sorted(records: &[VersionedRecord]) -> Vec<VersionedRecord> {
    let mut records = records.to_vec();
    records.sort_by_key(|record| match &record.record {
        MetadataRecord::PartitionChange(change) => (1, format!("{change:?}")),
        _ => (0, String::new()),
    });
    records
}

impl Session {
    /// The records that Kafka wrote from `first` to `last`.
    fn kafkas(&self, first: i64, last: i64) -> Vec<VersionedRecord> {
        let within = |(offset, _): &&(i64, VersionedRecord)| (first..=last).contains(offset);
        self.kafkas
            .iter()
            .filter(within)
            .map(|(_, record)| record.clone())
            .collect()
    }

    fn id_of(&self, offset: i64) -> Uuid {
        match &self.kafkas(offset, offset)[0].record {
            MetadataRecord::Topic(topic) => topic.topic_id,
            other => panic!("no topic at {offset}: {other:?}"),
        }
    }

    /// Takes a decision that must give Kafka's records from `first` to `last`, then replays those.
    fn expect<R>(
        &mut self,
        (first, last): (i64, i64),
        decide: impl FnOnce(&mut Controller, &mut ottla_controller::Context<'_>) -> R,
        records: impl FnOnce(R) -> Vec<VersionedRecord>,
    ) {
        let kafkas = self.kafkas(first, last);
        self.harness.next_offset = first;
        let decided = records(self.harness.decide(decide));
        assert_eq!(
            sorted(&decided),
            sorted(&kafkas),
            "offsets {first} to {last}"
        );
        for record in kafkas {
            self.harness.append(record);
        }
        assert_eq!(self.harness.next_offset, last + 1, "no offset is left out");
    }

    fn heartbeat(&mut self, range: (i64, i64), change: impl FnOnce(&mut BrokerHeartbeatRequest)) {
        let mut request = BrokerHeartbeatRequest {
            broker_id: 1,
            broker_epoch: self
                .harness
                .image()
                .cluster
                .broker(NodeId(1))
                .unwrap()
                .epoch
                .0,
            current_metadata_offset: range.0 - 1,
            ..Default::default()
        };
        change(&mut request);
        self.expect(
            range,
            |controller, ctx| controller.broker_heartbeat(ctx, &request).unwrap(),
            |outcome| outcome.records,
        );
    }

    fn register_controller(&mut self, at: i64) {
        let MetadataRecord::RegisterController(kafkas) = self.kafkas(at, at)[0].record.clone()
        else {
            panic!("no controller at {at}")
        };
        let request = ControllerRegistrationRequest {
            controller_id: kafkas.controller_id,
            incarnation_id: kafkas.incarnation_id,
            listeners: kafkas
                .end_points
                .iter()
                .map(|endpoint| controller_registration_request::Listener {
                    name: endpoint.name.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    security_protocol: endpoint.security_protocol,
                })
                .collect(),
            features: kafkas
                .features
                .iter()
                .map(|feature| controller_registration_request::Feature {
                    name: feature.name.clone(),
                    min_supported_version: feature.min_supported_version,
                    max_supported_version: feature.max_supported_version,
                })
                .collect(),
            ..Default::default()
        };
        self.expect(
            (at, at),
            |controller, _| controller.controller_registration(&request).unwrap(),
            |outcome| outcome.records,
        );
    }

    /// Registers the broker; the registration is the last of the records.
    fn register_broker(&mut self, range: (i64, i64), previous_broker_epoch: i64) {
        let MetadataRecord::RegisterBroker(kafkas) =
            self.kafkas(range.1, range.1)[0].record.clone()
        else {
            panic!("no broker at {}", range.1)
        };
        let request = BrokerRegistrationRequest {
            broker_id: kafkas.broker_id,
            cluster_id: "any".to_owned(),
            incarnation_id: kafkas.incarnation_id,
            listeners: kafkas
                .end_points
                .iter()
                .map(|endpoint| broker_registration_request::Listener {
                    name: endpoint.name.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    security_protocol: endpoint.security_protocol,
                })
                .collect(),
            features: kafkas
                .features
                .iter()
                .map(|feature| broker_registration_request::Feature {
                    name: feature.name.clone(),
                    min_supported_version: feature.min_supported_version,
                    max_supported_version: feature.max_supported_version,
                })
                .collect(),
            rack: kafkas.rack.clone(),
            log_dirs: kafkas.log_dirs.clone(),
            previous_broker_epoch,
            ..Default::default()
        };
        self.harness.api_version = 4;
        self.expect(
            range,
            |controller, ctx| controller.broker_registration(ctx, &request).unwrap(),
            |outcome| outcome.records,
        );
        self.harness.api_version = 7;
    }

    fn alter_config(
        &mut self,
        range: (i64, i64),
        (resource_type, name): (i8, &str),
        (key, operation, value): (&str, i8, Option<&str>),
    ) {
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type,
                resource_name: name.to_owned(),
                configs: vec![AlterableConfig {
                    name: key.to_owned(),
                    config_operation: operation,
                    value: value.map(str::to_owned),
                }],
            }],
            ..Default::default()
        };
        self.expect(
            range,
            |controller, _| controller.incremental_alter_configs(&request).unwrap(),
            |outcome| outcome.records,
        );
    }

    fn update_feature(&mut self, at: i64, level: i16, upgrade_type: i8) {
        let request = UpdateFeaturesRequest {
            feature_updates: vec![FeatureUpdateKey {
                feature: "group.version".to_owned(),
                max_version_level: level,
                upgrade_type,
                ..Default::default()
            }],
            ..Default::default()
        };
        self.expect(
            (at, at),
            |controller, ctx| controller.update_features(ctx, &request).unwrap(),
            |outcome| outcome.records,
        );
    }

    fn create_topic(
        &mut self,
        range: (i64, i64),
        topic: ottla_protocol::messages::create_topics_request::CreatableTopic,
    ) {
        self.harness.ids = vec![self.id_of(range.0)];
        let request = request([topic]);
        self.expect(
            range,
            |controller, ctx| controller.create_topics(ctx, &request).unwrap(),
            |outcome| outcome.records,
        );
    }

    /// The quorum elects the node again.
    fn lead_again(&mut self, leader_change: i64) {
        self.harness.next_offset = leader_change + 1;
        let activation = self.harness.controller.activation_records(&[]).unwrap();
        assert_eq!(activation.records, [], "nothing is left to do");
        let now = self.harness.now;
        self.harness.controller.activate(now);
    }

    /// Replays what only a security API, not served yet, decides.
    fn skip(&mut self, first: i64, last: i64) {
        self.harness.next_offset = first;
        for record in self.kafkas(first, last) {
            self.harness.append(record);
        }
    }
}

#[test]
fn kafkas_session_gives_kafkas_records() {
    let mut session = Session {
        harness: Harness::empty(config(), &[]),
        kafkas: kafkas_records(),
    };
    session.harness.controller.set_kraft_version(1);

    // First start.
    let bootstrap = session.kafkas(4, 9);
    session.expect(
        (3, 11),
        |controller, _| controller.activation_records(&bootstrap).unwrap(),
        |outcome| outcome.records,
    );
    let now = session.harness.now;
    session.harness.controller.activate(now);
    session.register_controller(12);
    session.register_broker((13, 13), -1);
    session.heartbeat((14, 14), |_| {});
    session.heartbeat((15, 15), |request| {
        request.cordoned_log_dirs = Some(Vec::new());
    });

    // Topics, configs, features, producer ids.
    let configs = [
        ("cleanup.policy", Some("compact")),
        ("min.insync.replicas", Some("1")),
    ];
    session.create_topic((16, 22), with_configs(topic("a.b", 3, -1), &configs));
    session.create_topic((23, 25), assigned("manual", &[&[1], &[1]]));
    session.alter_config((26, 27), (2, "a.b"), ("min.insync.replicas", 0, Some("2")));
    session.alter_config((28, 28), (2, "a.b"), ("retention.ms", 0, Some("1000")));
    session.alter_config((29, 29), (2, "a.b"), ("retention.ms", 1, None));
    session.alter_config((30, 30), (4, ""), ("log.cleaner.threads", 0, Some("2")));
    session.alter_config((31, 31), (4, "1"), ("log.cleaner.threads", 0, Some("2")));
    let grow = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: "a.b".to_owned(),
            count: 4,
            assignments: None,
        }],
        ..Default::default()
    };
    session.expect(
        (32, 32),
        |controller, ctx| controller.create_partitions(ctx, &grow).unwrap(),
        |outcome| outcome.records,
    );
    session.skip(33, 35);
    session.update_feature(36, 0, 2);
    session.update_feature(37, 1, 1);
    let ids = AllocateProducerIdsRequest {
        broker_id: 1,
        broker_epoch: 13,
    };
    session.expect(
        (38, 38),
        |controller, _| controller.allocate_producer_ids(&ids).unwrap(),
        |outcome| outcome.records,
    );
    session.create_topic((39, 40), topic("gone", -1, -1));
    let delete = DeleteTopicsRequest {
        topics: vec![delete_topics_request::DeleteTopicState {
            name: Some("gone".to_owned()),
            ..Default::default()
        }],
        ..Default::default()
    };
    session.expect(
        (41, 41),
        |controller, ctx| controller.delete_topics(ctx, &delete).unwrap(),
        |outcome| outcome.records,
    );

    // A clean stop and start.
    session.heartbeat((42, 48), |request| request.want_shut_down = true);
    session.heartbeat((49, 49), |request| request.want_shut_down = true);
    session.lead_again(50);
    session.register_controller(51);
    session.register_broker((52, 52), 13);
    session.heartbeat((53, 59), |_| {});
    session.heartbeat((60, 60), |request| {
        request.cordoned_log_dirs = Some(Vec::new());
    });
    session.create_topic((61, 62), topic("after", -1, -1));

    // A kill: the session ends, the broker comes back as one that may have lost data.
    session.lead_again(63);
    session.register_controller(64);
    session.harness.pass(Duration::from_millis(9_001));
    let now = session.harness.now;
    session.expect(
        (65, 72),
        |controller, _| controller.on_tick(now),
        |outcome| outcome.records,
    );
    session.register_broker((73, 80), -1);
    session.heartbeat((81, 88), |_| {});
    session.heartbeat((89, 89), |request| {
        request.cordoned_log_dirs = Some(Vec::new());
    });
    session.create_topic((90, 91), topic("last", -1, -1));
    session.create_topic((92, 93), topic("last2", -1, -1));
    session.heartbeat((94, 103), |request| request.want_shut_down = true);
    session.heartbeat((104, 104), |request| request.want_shut_down = true);
}

#[test]
fn a_controller_from_the_image_goes_on_as_one_from_the_log() {
    let mut replayed = Controller::new(config(), schema(&[]));
    for (offset, record) in kafkas_records() {
        replayed.replay(Offset(offset), &record.record).unwrap();
    }
    let loaded = Controller::from_image(config(), schema(&[]), replayed.image().clone());
    let elect = ottla_protocol::messages::ElectLeadersRequest {
        election_type: 1,
        topic_partitions: None,
        ..Default::default()
    };
    assert_eq!(loaded.elect_leaders(&elect), replayed.elect_leaders(&elect));
}
