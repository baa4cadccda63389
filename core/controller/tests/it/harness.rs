//! A controller with a clock and ids that tests decide.

use std::time::Duration;

use ottla_base::{BrokerEpoch, MonoTime, NodeId, Offset, Uuid};
use ottla_config::BrokerConfig;
use ottla_controller::{Context, Controller, ControllerConfig, NodeConfigSchema, Outcome, Refusal};
use ottla_metadata::features::{FEATURES, METADATA_VERSION, MetadataVersion, supported};
use ottla_metadata::{MetadataImage, MetadataRecord, PartitionRegistration, VersionedRecord};
use ottla_protocol::messages::broker_registration_request::{Feature, Listener};
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use ottla_protocol::messages::{
    BrokerHeartbeatRequest, BrokerRegistrationRequest, CreateTopicsRequest, FeatureLevelRecord,
};

pub(crate) const CLUSTER: &str = "cluster-of-the-tests";

/// A controller and what it has recorded.
pub(crate) struct Harness {
    pub(crate) controller: Controller,
    pub(crate) now: MonoTime,
    pub(crate) next_offset: i64,
    pub(crate) api_version: i16,
    /// Ids to give out, before made-up ones.
    pub(crate) ids: Vec<Uuid>,
    made: u8,
    pub(crate) log: Vec<(Offset, VersionedRecord)>,
}

/// The file of a node with both roles.
pub(crate) fn schema(file: &[(&str, &str)]) -> Box<NodeConfigSchema> {
    let basic = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.quorum.voters", "1@localhost:9093"),
        (
            "listeners",
            "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
        ),
        ("controller.listener.names", "CONTROLLER"),
    ];
    let texts = basic
        .iter()
        .chain(file)
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Box::new(NodeConfigSchema::new(
        BrokerConfig::load(texts.collect()).unwrap(),
    ))
}

pub(crate) fn config() -> ControllerConfig {
    // No test broker has the controller's id, so that sessions count.
    ControllerConfig {
        node_id: NodeId(100),
        cluster_id: CLUSTER.to_owned(),
        ..ControllerConfig::default()
    }
}

pub(crate) fn features(level: i16) -> Vec<VersionedRecord> {
    let version = MetadataVersion::from_level(level).unwrap();
    let others = FEATURES
        .iter()
        .filter(|feature| feature.name != "kraft.version")
        .map(|feature| (feature.name, feature.default_level(version)))
        .filter(|(_, level)| *level > 0);
    [(METADATA_VERSION, level)]
        .into_iter()
        .chain(others)
        .map(|(name, feature_level)| {
            let record = FeatureLevelRecord {
                name: name.to_owned(),
                feature_level,
                ..Default::default()
            };
            MetadataRecord::from(record).at(version)
        })
        .collect()
}

impl Harness {
    /// An active controller of a cluster without brokers at the newest `metadata.version`.
    pub(crate) fn new() -> Self {
        Self::at(MetadataVersion::LATEST.level(), config(), &[])
    }

    pub(crate) fn at(level: i16, config: ControllerConfig, file: &[(&str, &str)]) -> Self {
        let mut harness = Self::empty(config, file);
        let activation = harness
            .controller
            .activation_records(&features(level))
            .unwrap();
        harness.commit(activation);
        harness.controller.activate(harness.now);
        harness
    }

    /// A controller that has replayed nothing.
    pub(crate) fn empty(config: ControllerConfig, file: &[(&str, &str)]) -> Self {
        Self {
            controller: Controller::new(config, schema(file)),
            now: MonoTime(1_000_000_000),
            next_offset: 0,
            api_version: 7,
            ids: Vec::new(),
            made: 0,
            log: Vec::new(),
        }
    }

    pub(crate) fn image(&self) -> &MetadataImage {
        self.controller.image()
    }

    /// Decides with a context of this moment.
    pub(crate) fn decide<R>(
        &mut self,
        decide: impl FnOnce(&mut Controller, &mut Context<'_>) -> R,
    ) -> R {
        let (ids, made) = (&mut self.ids, &mut self.made);
        let mut new_id = || {
            if !ids.is_empty() {
                return ids.remove(0);
            }
            *made += 1;
            Uuid([*made; 16])
        };
        let mut bits = self.next_offset.cast_unsigned();
        let mut random = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bits >> 33
        };
        let mut ctx = Context {
            now: self.now,
            next_offset: Offset(self.next_offset),
            api_version: self.api_version,
            new_id: &mut new_id,
            random: &mut random,
        };
        decide(&mut self.controller, &mut ctx)
    }

    /// Appends and replays.
    pub(crate) fn commit<R>(&mut self, outcome: Outcome<R>) -> R {
        for record in outcome.records {
            self.append(record);
        }
        outcome.reply
    }

    pub(crate) fn append(&mut self, record: VersionedRecord) {
        let offset = Offset(self.next_offset);
        self.controller.replay(offset, &record.record).unwrap();
        self.log.push((offset, record));
        self.next_offset += 1;
    }

    /// Decides, appends and replays.
    pub(crate) fn run<R>(
        &mut self,
        decide: impl FnOnce(&mut Controller, &mut Context<'_>) -> Result<Outcome<R>, Refusal>,
    ) -> R {
        let outcome = self.decide(decide).unwrap();
        self.commit(outcome)
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
    }

    /// Registers a broker with one directory; gives its epoch.
    pub(crate) fn register(&mut self, id: i32) -> BrokerEpoch {
        let request = registration(id);
        let reply = self.run(|controller, ctx| controller.broker_registration(ctx, &request));
        BrokerEpoch(reply.broker_epoch)
    }

    /// Registers and unfences brokers.
    pub(crate) fn start(&mut self, brokers: impl IntoIterator<Item = i32>) {
        for id in brokers {
            self.register(id);
            self.heartbeat(id, |_| {});
            assert!(self.image().cluster.is_active(NodeId(id)), "broker {id}");
        }
    }

    /// A heartbeat of a broker that has read everything.
    pub(crate) fn heartbeat(
        &mut self,
        id: i32,
        change: impl FnOnce(&mut BrokerHeartbeatRequest),
    ) -> ottla_protocol::messages::BrokerHeartbeatResponse {
        let epoch = self.image().cluster.broker(NodeId(id)).unwrap().epoch.0;
        let mut request = BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: epoch,
            current_metadata_offset: self.next_offset - 1,
            ..Default::default()
        };
        change(&mut request);
        self.run(|controller, ctx| controller.broker_heartbeat(ctx, &request))
    }

    /// Makes one topic with replicas chosen by hand.
    pub(crate) fn create(&mut self, name: &str, assignments: &[&[i32]]) {
        let request = request([assigned(name, assignments)]);
        let reply = self.run(|controller, ctx| controller.create_topics(ctx, &request));
        assert_eq!(
            reply.topics[0].error_code, 0,
            "{:?}",
            reply.topics[0].error_message
        );
    }

    pub(crate) fn partition(&self, topic: &str, index: i32) -> PartitionRegistration {
        let topic = self.image().topics.by_name(topic).unwrap();
        PartitionRegistration::clone(topic.partition(index).unwrap())
    }
}

pub(crate) fn directory(broker: i32) -> Uuid {
    Uuid([u8::try_from(broker).unwrap() + 100; 16])
}

pub(crate) fn registration(id: i32) -> BrokerRegistrationRequest {
    BrokerRegistrationRequest {
        broker_id: id,
        cluster_id: CLUSTER.to_owned(),
        incarnation_id: Uuid([u8::try_from(id).unwrap(); 16]),
        listeners: vec![Listener {
            name: "PLAINTEXT".to_owned(),
            host: "localhost".to_owned(),
            port: 9092,
            security_protocol: 0,
        }],
        features: supported()
            .map(|(name, min, max)| Feature {
                name: name.to_owned(),
                min_supported_version: min,
                max_supported_version: max,
            })
            .collect(),
        rack: None,
        log_dirs: vec![directory(id)],
        ..Default::default()
    }
}

pub(crate) fn request(topics: impl IntoIterator<Item = CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest {
        topics: topics.into_iter().collect(),
        ..Default::default()
    }
}

pub(crate) fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic {
        name: name.to_owned(),
        num_partitions,
        replication_factor,
        ..Default::default()
    }
}

pub(crate) fn assigned(name: &str, assignments: &[&[i32]]) -> CreatableTopic {
    let assignments = assignments
        .iter()
        .zip(0..)
        .map(|(replicas, partition_index)| CreatableReplicaAssignment {
            partition_index,
            broker_ids: replicas.to_vec(),
        })
        .collect();
    CreatableTopic {
        assignments,
        ..topic(name, -1, -1)
    }
}

pub(crate) fn with_configs(
    topic: CreatableTopic,
    configs: &[(&str, Option<&str>)],
) -> CreatableTopic {
    let configs = configs
        .iter()
        .map(|(name, value)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: value.map(str::to_owned),
        })
        .collect();
    CreatableTopic { configs, ..topic }
}

pub(crate) fn nodes(nodes: &[NodeId]) -> Vec<i32> {
    nodes.iter().map(|node| node.0).collect()
}
