//! Laws of image and delta under any sequence of records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_base::{LeaderEpoch, NodeId, Offset, TopicId, Uuid};
use ottla_metadata::{MetadataDelta, MetadataImage, MetadataRecord};
use ottla_protocol::messages::{
    AbortTransactionRecord, BeginTransactionRecord, ClearElrRecord, ConfigRecord,
    EndTransactionRecord, FeatureLevelRecord, PartitionChangeRecord, PartitionRecord,
    ProducerIdsRecord, RegisterBrokerRecord, RemoveTopicRecord, TopicRecord,
};
use proptest::prelude::*;

/// Something that happens to a cluster of few topics and brokers.
#[derive(Debug, Clone)]
enum Step {
    Create {
        topic: u8,
        partitions: u8,
    },
    Remove {
        topic: u8,
    },
    Change {
        topic: u8,
        partition: u8,
        leader: i32,
        elr: bool,
    },
    ClearElr {
        topic: Option<u8>,
    },
    Config {
        topic: u8,
        key: u8,
        value: Option<u8>,
    },
    Broker {
        id: u8,
    },
    ProducerIds,
    Transaction {
        commit: bool,
        topic: u8,
    },
    Publish,
}

fn step() -> impl Strategy<Value = Step> {
    let topic = 0..4_u8;
    prop_oneof![
        (topic.clone(), 1..4_u8).prop_map(|(topic, partitions)| Step::Create { topic, partitions }),
        topic.clone().prop_map(|topic| Step::Remove { topic }),
        (topic.clone(), 0..4_u8, 1..4_i32, any::<bool>()).prop_map(
            |(topic, partition, leader, elr)| Step::Change {
                topic,
                partition,
                leader,
                elr
            }
        ),
        prop::option::of(topic.clone()).prop_map(|topic| Step::ClearElr { topic }),
        (topic.clone(), 0..2_u8, prop::option::of(0..3_u8))
            .prop_map(|(topic, key, value)| Step::Config { topic, key, value }),
        (1..4_u8).prop_map(|id| Step::Broker { id }),
        Just(Step::ProducerIds),
        (any::<bool>(), topic).prop_map(|(commit, topic)| Step::Transaction { commit, topic }),
        Just(Step::Publish),
    ]
}

fn name(topic: u8) -> String {
    format!("t{topic}")
}

/// Turns steps into records that fit, as a controller would write them.
#[derive(Default)]
struct Writer {
    records: Vec<MetadataRecord>,
    /// Records before which an image is published.
    publish_at: BTreeSet<usize>,
    ids: BTreeMap<u8, (Uuid, u8)>,
    made: u8,
}

impl Writer {
    fn put(&mut self, record: impl Into<MetadataRecord>) {
        self.records.push(record.into());
    }

    fn create(&mut self, topic: u8, partitions: u8) {
        if self.ids.contains_key(&topic) {
            return;
        }
        self.made += 1;
        let topic_id = Uuid([self.made; 16]);
        self.ids.insert(topic, (topic_id, partitions));
        self.put(TopicRecord {
            name: name(topic),
            topic_id,
            ..Default::default()
        });
        for partition_id in 0..i32::from(partitions) {
            self.put(PartitionRecord {
                partition_id,
                topic_id,
                replicas: vec![1, 2, 3],
                isr: vec![1],
                leader: 1,
                leader_epoch: 0,
                partition_epoch: 0,
                directories: vec![Uuid::ONE; 3],
                ..Default::default()
            });
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Create { topic, partitions } => self.create(topic, partitions),
            Step::Remove { topic } => {
                if let Some((topic_id, _)) = self.ids.remove(&topic) {
                    self.put(RemoveTopicRecord {
                        topic_id,
                        ..Default::default()
                    });
                }
            }
            Step::Change {
                topic,
                partition,
                leader,
                elr,
            } => {
                let Some(&(topic_id, count)) = self.ids.get(&topic) else {
                    return;
                };
                if partition < count {
                    self.put(PartitionChangeRecord {
                        partition_id: partition.into(),
                        topic_id,
                        leader,
                        isr: Some(vec![leader]),
                        eligible_leader_replicas: elr.then(|| vec![leader % 3 + 1]),
                        ..Default::default()
                    });
                }
            }
            Step::ClearElr { topic: None } => self.put(ClearElrRecord::default()),
            Step::ClearElr { topic: Some(topic) } => {
                if self.ids.contains_key(&topic) {
                    self.put(ClearElrRecord {
                        topic_name: name(topic),
                        ..Default::default()
                    });
                }
            }
            Step::Config { topic, key, value } => self.put(ConfigRecord {
                resource_type: 2,
                resource_name: name(topic),
                name: format!("key{key}"),
                value: value.map(|value| value.to_string()),
                ..Default::default()
            }),
            Step::Broker { id } => self.put(RegisterBrokerRecord {
                broker_id: id.into(),
                broker_epoch: self.records.len().try_into().unwrap(),
                log_dirs: vec![Uuid([id; 16])],
                cordoned_log_dirs: Some(Vec::new()),
                ..Default::default()
            }),
            Step::ProducerIds => self.put(ProducerIdsRecord {
                next_producer_id: i64::try_from(self.records.len()).unwrap() + 1,
                ..Default::default()
            }),
            Step::Transaction { commit, topic } => {
                self.put(BeginTransactionRecord::default());
                let before = self.ids.clone();
                self.create(topic, 2);
                self.step(&Step::Config {
                    topic,
                    key: 0,
                    value: Some(9),
                });
                if commit {
                    self.put(EndTransactionRecord::default());
                } else {
                    self.put(AbortTransactionRecord::default());
                    self.ids = before;
                }
            }
            Step::Publish => {
                self.publish_at.insert(self.records.len());
            }
        }
    }
}

fn written(steps: &[Step]) -> Writer {
    let mut writer = Writer::default();
    for (feature, feature_level) in [
        ("metadata.version", 33),
        ("eligible.leader.replicas.version", 1),
    ] {
        writer.put(FeatureLevelRecord {
            name: feature.to_owned(),
            feature_level,
            ..Default::default()
        });
    }
    steps.iter().for_each(|step| writer.step(step));
    writer
}

fn replay(records: &[MetadataRecord], publish_at: &BTreeSet<usize>) -> MetadataImage {
    let mut image = Arc::new(MetadataImage::default());
    let mut delta = MetadataDelta::new(Arc::clone(&image));
    for (index, record) in records.iter().enumerate() {
        if publish_at.contains(&index) && !delta.in_transaction() {
            check_changes(&delta);
            image = Arc::new(delta.into_image(Offset(0), LeaderEpoch(0)));
            delta = MetadataDelta::new(Arc::clone(&image));
        }
        delta.apply(record).unwrap();
    }
    check_changes(&delta);
    delta.into_image(Offset(0), LeaderEpoch(0))
}

/// What a delta says changed is what differs between its two images.
fn check_changes(delta: &MetadataDelta) {
    let (old, new) = (delta.base(), delta.next());
    let all = |image: &MetadataImage| -> BTreeSet<TopicId> {
        image.topics.iter().map(|topic| topic.id).collect()
    };
    let (before, after) = (all(old), all(new));
    let deleted: BTreeSet<TopicId> = delta.topics().deleted.keys().copied().collect();
    assert_eq!(deleted, before.difference(&after).copied().collect());
    assert_eq!(
        delta.topics().created,
        after.difference(&before).copied().collect()
    );
    for &id in &after {
        let topic = new.topics.by_id(id).unwrap();
        for (&index, partition) in &topic.partitions {
            let noted = delta
                .topics()
                .changed
                .get(&id)
                .is_some_and(|changed| changed.contains(&index));
            let differs = old.topics.partition(id, index) != Some(partition);
            assert!(noted || !differs, "{id} {index} changed unnoted");
        }
    }
    for (resource, configs) in old.configs.iter().chain(new.configs.iter()) {
        let differs = old.configs.of(resource) != new.configs.of(resource);
        assert!(
            delta.configs().contains(resource) || !differs,
            "{resource:?} {configs:?}"
        );
    }
    for id in (1..4).map(NodeId) {
        let differs = old.cluster.broker(id) != new.cluster.broker(id);
        assert!(delta.brokers().contains(&id) || !differs, "broker {id}");
    }
    let gone: BTreeSet<(TopicId, i32)> = delta
        .removed_replicas(NodeId(1))
        .map(|(topic, index)| (topic.id, index))
        .collect();
    let expected = deleted.iter().flat_map(|id| {
        let topic = old.topics.by_id(*id).unwrap();
        topic.partitions.keys().map(|index| (*id, *index))
    });
    assert_eq!(gone, expected.collect());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn publishing_in_between_changes_nothing(steps in prop::collection::vec(step(), 0..60)) {
        let writer = written(&steps);
        let at_once = replay(&writer.records, &BTreeSet::new());
        let in_steps = replay(&writer.records, &writer.publish_at);
        prop_assert_eq!(at_once, in_steps);
    }

    #[test]
    fn an_image_is_the_image_of_its_records(steps in prop::collection::vec(step(), 0..60)) {
        let writer = written(&steps);
        let image = replay(&writer.records, &BTreeSet::new());
        let mut records = Vec::new();
        image.write(&mut |record| {
            // By way of bytes, as a snapshot goes.
            let mut value = Vec::new();
            record.encode_framed(&mut value).unwrap();
            records.push(MetadataRecord::decode_framed(&value).unwrap().record);
        });
        let again = replay(&records, &BTreeSet::new());
        prop_assert!(again.same_content(&image));
    }

    #[test]
    fn a_published_image_stays_as_it_was(steps in prop::collection::vec(step(), 1..60)) {
        let writer = written(&steps);
        let half = writer.records.len() / 2;
        let begun = writer.records[..half].iter().filter(|r| r.name() == "BeginTransactionRecord");
        let ended = writer.records[..half].iter().filter(|r| {
            ["EndTransactionRecord", "AbortTransactionRecord"].contains(&r.name())
        });
        prop_assume!(begun.count() == ended.count());
        let image = Arc::new(replay(&writer.records[..half], &BTreeSet::new()));
        let copy = format!("{image:?}");
        let mut delta = MetadataDelta::new(Arc::clone(&image));
        for record in &writer.records[half..] {
            delta.apply(record).unwrap();
        }
        prop_assert_eq!(format!("{image:?}"), copy);
    }
}
