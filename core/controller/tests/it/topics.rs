//! CreateTopics, DeleteTopics, CreatePartitions: what is refused, with which code and words.

use ottla_base::{NodeId, Uuid};
use ottla_controller::{ControllerConfig, WireRefusal};
use ottla_metadata::MetadataRecord;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use ottla_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use ottla_protocol::messages::create_topics_response::CreatableTopicResult;
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DeleteTopicsResponse,
};

use crate::harness::{Harness, assigned, config, nodes, request, topic, with_configs};

fn create(harness: &mut Harness, topics: Vec<CreatableTopic>) -> Vec<CreatableTopicResult> {
    let request = request(topics);
    harness
        .run(|controller, ctx| controller.create_topics(ctx, &request))
        .topics
}

/// Asks for one topic on three brokers of which the third is fenced, beside the topic `a.b`.
fn check(topic: CreatableTopic, code: ErrorCode, message: &str) {
    let mut harness = Harness::new();
    harness.start([1, 2]);
    harness.register(3);
    harness.create("a.b", &[&[1]]);
    let before = harness.next_offset;
    let asked = format!("{topic:?}");
    let results = create(&mut harness, vec![topic]);
    let found = (results[0].error_code, results[0].error_message.as_deref());
    assert_eq!(found, (code.code(), Some(message)), "{asked}");
    assert_eq!(
        harness.next_offset, before,
        "a refused topic leaves no record"
    );
}

#[test]
fn refused_topics_are_told_why_in_kafkas_words() {
    use ErrorCode as E;
    check(
        topic("", 1, 1),
        E::InvalidTopicException,
        "Topic name is invalid: the empty string is not allowed",
    );
    check(
        topic("a.b", 1, 1),
        E::TopicAlreadyExists,
        "Topic 'a.b' already exists.",
    );
    check(
        topic("a_b", 1, 1),
        E::InvalidTopicException,
        "Topic 'a_b' collides with existing topic: a.b",
    );
    check(
        topic("__cluster_metadata", 1, 1),
        E::InvalidRequest,
        "Creation of internal topic __cluster_metadata is prohibited.",
    );
    check(
        topic("t", 0, 1),
        E::InvalidPartitions,
        "Number of partitions was set to an invalid non-positive value.",
    );
    check(
        topic("t", 1, 0),
        E::InvalidReplicationFactor,
        "Replication factor must be larger than 0, or -1 to use the default value.",
    );
    check(
        topic("t", 1, 4),
        E::InvalidReplicationFactor,
        "Unable to replicate the partition 4 time(s): The target replication factor of 4 cannot be \
         reached because only 3 broker(s) are registered or some brokers have all their log \
         directories cordoned.",
    );
    check(
        with_configs(
            topic("t", 1, 1),
            &[("retention.ms", None), ("segment.ms", None)],
        ),
        E::InvalidConfig,
        "Null value not supported for topic configs: retention.ms,segment.ms",
    );
    check(
        with_configs(topic("t", 1, 1), &[("nope", Some("1"))]),
        E::InvalidConfig,
        "Unknown topic config name: nope",
    );
}

#[test]
fn refused_assignments_are_told_why_in_kafkas_words() {
    use ErrorCode as E;
    let by_hand = |message: &str, topic: CreatableTopic| {
        check(topic, E::InvalidReplicaAssignment, message);
    };
    check(
        CreatableTopic {
            replication_factor: 1,
            ..assigned("t", &[&[1]])
        },
        E::InvalidRequest,
        "A manual partition assignment was specified, but replication factor was not set to -1.",
    );
    check(
        CreatableTopic {
            num_partitions: 1,
            ..assigned("t", &[&[1]])
        },
        E::InvalidRequest,
        "A manual partition assignment was specified, but numPartitions was not set to -1.",
    );
    by_hand(
        "The manual partition assignment includes an empty replica list.",
        assigned("t", &[&[]]),
    );
    by_hand(
        "The manual partition assignment includes broker 7, but no such broker is registered.",
        assigned("t", &[&[1, 7]]),
    );
    by_hand(
        "The manual partition assignment includes the broker 1 more than once.",
        assigned("t", &[&[1, 1]]),
    );
    by_hand(
        "The manual partition assignment includes a partition with 2 replica(s), but this is not \
         consistent with previous partitions, which have 1 replica(s).",
        assigned("t", &[&[1], &[1, 2]]),
    );
    by_hand(
        "All brokers specified in the manual partition assignment for partition 0 are fenced or in \
         controlled shutdown.",
        assigned("t", &[&[3]]),
    );
    let mut twice = assigned("t", &[&[1], &[1]]);
    twice.assignments[1].partition_index = 0;
    by_hand(
        "Found multiple manual partition assignments for partition 0",
        twice,
    );
    let gap = CreatableReplicaAssignment {
        partition_index: 2,
        broker_ids: vec![1],
    };
    let mut gaps = assigned("t", &[&[1]]);
    gaps.assignments.push(gap);
    by_hand(
        "partitions should be a consecutive 0-based integer sequence",
        gaps,
    );
}

#[test]
fn a_topic_named_twice_is_refused_once_and_the_others_are_made() {
    let mut harness = Harness::new();
    harness.start([1]);
    let topics = vec![
        topic("twice", 1, 1),
        topic("once", 1, 1),
        topic("twice", 2, 1),
    ];
    let results = create(&mut harness, topics);
    let answers: Vec<(&str, i16)> = results
        .iter()
        .map(|result| (result.name.as_str(), result.error_code))
        .collect();
    assert_eq!(
        answers,
        [("once", 0), ("twice", ErrorCode::InvalidRequest.code())]
    );
    assert_eq!(
        results[1].error_message.as_deref(),
        Some("Duplicate topic name.")
    );
    assert!(harness.image().topics.by_name("twice").is_none());
}

#[test]
fn a_topic_gets_the_defaults_of_the_file() {
    let defaults = ControllerConfig {
        num_partitions: 3,
        default_replication_factor: 2,
        ..config()
    };
    let mut harness = Harness::at(33, defaults, &[]);
    harness.start([1, 2]);
    let result = create(&mut harness, vec![topic("t", -1, -1)]).remove(0);
    assert_eq!((result.num_partitions, result.replication_factor), (3, 2));
    assert_eq!(result.error_message, None);
    let made = harness.image().topics.by_name("t").unwrap();
    assert_eq!((made.partitions.len(), made.id.0), (3, result.topic_id));
}

#[test]
fn fenced_brokers_hold_replicas_but_start_out_of_sync() {
    let mut harness = Harness::new();
    harness.start([1, 2]);
    harness.register(3);
    harness.create("t", &[&[3, 2, 1]]);
    let partition = harness.partition("t", 0);
    assert_eq!(partition.leader, NodeId(2), "the first that is not fenced");
    assert_eq!(nodes(&partition.isr), [2, 1]);
    assert_eq!(nodes(&partition.replicas), [3, 2, 1]);
}

#[test]
fn validating_makes_nothing_and_answers_the_same() {
    let mut harness = Harness::new();
    harness.start([1]);
    let before = harness.next_offset;
    let topics = vec![topic("t", 2, 1), topic("", 1, 1)];
    let request = CreateTopicsRequest {
        validate_only: true,
        ..request(topics)
    };
    let reply = harness.run(|controller, ctx| controller.create_topics(ctx, &request));
    let codes: Vec<i16> = reply
        .topics
        .iter()
        .map(|result| result.error_code)
        .collect();
    assert_eq!(codes, [0, ErrorCode::InvalidTopicException.code()]);
    assert_eq!(harness.next_offset, before);
}

#[test]
fn requests_that_make_too_much_are_refused_as_a_whole() {
    let check = |topics: Vec<CreatableTopic>, expected: Option<&str>| {
        let mut harness = Harness::new();
        harness.start([1]);
        let request = request(topics);
        let decided = harness.decide(|controller, ctx| controller.create_topics(ctx, &request));
        let refusal = decided.err().map(|refusal| {
            assert_eq!(refusal.code(), ErrorCode::PolicyViolation);
            refusal.message().unwrap()
        });
        assert_eq!(refusal.as_deref(), expected);
    };
    // A topic record and 9,999 partition records are all that fits.
    check(vec![topic("t", 9_999, 1)], None);
    check(
        vec![topic("t", 10_000, 1)],
        Some("Unable to perform excessively large batch operation."),
    );
    let parts = vec![topic("t", 9_999, 1), topic("u", 2, 1)];
    check(
        parts,
        Some("Excessively large number of partitions per request."),
    );
    check(
        vec![topic("t", i32::MAX, 1), topic("u", i32::MAX, 1)],
        Some("Excessively large number of partitions per request."),
    );
}

fn delete(harness: &mut Harness, topics: Vec<(Option<&str>, Uuid)>) -> DeleteTopicsResponse {
    let topics = topics
        .into_iter()
        .map(|(name, topic_id)| DeleteTopicState {
            name: name.map(str::to_owned),
            topic_id,
        })
        .collect();
    let request = DeleteTopicsRequest {
        topics,
        ..Default::default()
    };
    harness.run(|controller, ctx| controller.delete_topics(ctx, &request))
}

#[test]
fn topics_are_removed_by_name_and_by_id() {
    let mut harness = Harness::new();
    harness.start([1]);
    for name in ["a", "b", "c", "d"] {
        harness.create(name, &[&[1]]);
    }
    let id = |harness: &Harness, name: &str| harness.image().topics.id(name).unwrap().0;
    let (b, c, d) = (id(&harness, "b"), id(&harness, "c"), id(&harness, "d"));
    let unknown = Uuid([9; 16]);
    let reply = delete(
        &mut harness,
        vec![
            (Some("a"), Uuid::ZERO),
            (None, b),
            (Some("c"), Uuid::ZERO),
            (None, c),
            (Some("d"), d),
            (None, Uuid::ZERO),
            (Some("x"), Uuid::ZERO),
            (None, unknown),
            (Some("y"), Uuid::ZERO),
            (Some("y"), Uuid::ZERO),
        ],
    );
    let answers: Vec<(Option<&str>, Uuid, ErrorCode)> = reply
        .responses
        .iter()
        .map(|r| {
            (
                r.name.as_deref(),
                r.topic_id,
                ErrorCode::from_code(r.error_code).unwrap(),
            )
        })
        .collect();
    use ErrorCode as E;
    assert_eq!(
        answers,
        [
            (Some("d"), d, E::InvalidRequest),
            (None, Uuid::ZERO, E::InvalidRequest),
            (Some("a"), answers[2].1, E::None),
            (Some("b"), b, E::None),
            (Some("c"), c, E::InvalidRequest),
            (Some("x"), Uuid::ZERO, E::UnknownTopicOrPartition),
            (None, unknown, E::UnknownTopicId),
            (Some("y"), Uuid::ZERO, E::InvalidRequest),
        ]
    );
    let left: Vec<&str> = harness
        .image()
        .topics
        .names()
        .map(|(name, _)| &**name)
        .collect();
    assert_eq!(left, ["c", "d"], "a topic named by name and by id stays");
}

#[test]
fn deletion_can_be_disabled() {
    let mut harness = Harness::at(
        33,
        ControllerConfig {
            delete_topic_enable: false,
            ..config()
        },
        &[],
    );
    for (version, code) in [
        (2, ErrorCode::InvalidRequest),
        (6, ErrorCode::TopicDeletionDisabled),
    ] {
        harness.api_version = version;
        let request = DeleteTopicsRequest {
            topic_names: vec!["a".to_owned()],
            ..Default::default()
        };
        let decided = harness.decide(|controller, ctx| controller.delete_topics(ctx, &request));
        assert_eq!(decided.unwrap_err().code(), code, "version {version}");
    }
}

#[test]
fn a_topic_made_again_has_another_id_and_no_configs() {
    let mut harness = Harness::new();
    harness.start([1]);
    let configs = [("retention.ms", Some("5"))];
    create(&mut harness, vec![with_configs(topic("t", 1, 1), &configs)]);
    let first = harness.image().topics.id("t");
    delete(&mut harness, vec![(Some("t"), Uuid::ZERO)]);
    create(&mut harness, vec![topic("t", 1, 1)]);
    assert_ne!(harness.image().topics.id("t"), first);
    assert_eq!(
        harness
            .image()
            .configs
            .iter()
            .filter(|(r, _)| r.name == "t")
            .count(),
        0
    );
}

fn grow(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let assignment = |ids: &&[i32]| CreatePartitionsAssignment {
        broker_ids: ids.to_vec(),
    };
    CreatePartitionsTopic {
        name: name.to_owned(),
        count,
        assignments: assignments.map(|all| all.iter().map(assignment).collect()),
    }
}

#[test]
fn topics_grow_or_are_told_why_not_in_kafkas_words() {
    let check = |topic: CreatePartitionsTopic, code: ErrorCode, message: Option<&str>| {
        let mut harness = Harness::new();
        harness.start([1, 2]);
        harness.register(3);
        harness.create("t", &[&[1], &[2]]);
        let request = CreatePartitionsRequest {
            topics: vec![topic.clone()],
            ..Default::default()
        };
        let reply = harness.run(|controller, ctx| controller.create_partitions(ctx, &request));
        let result = &reply.results[0];
        let found = (result.error_code, result.error_message.as_deref());
        assert_eq!(found, (code.code(), message), "{topic:?}");
        let expected = if code == ErrorCode::None {
            topic.count.unsigned_abs()
        } else {
            2
        };
        let made = harness.image().topics.by_name("t").unwrap();
        assert_eq!(made.partitions.len(), usize::try_from(expected).unwrap());
    };
    use ErrorCode as E;
    check(grow("t", 4, None), E::None, None);
    check(grow("t", 4, Some(&[&[2], &[1]])), E::None, None);
    check(grow("x", 4, None), E::UnknownTopicOrPartition, None);
    check(
        grow("t", 2, None),
        E::InvalidPartitions,
        Some("Topic already has 2 partition(s)."),
    );
    check(
        grow("t", 1, None),
        E::InvalidPartitions,
        Some("The topic t currently has 2 partition(s); 1 would not be an increase."),
    );
    check(
        grow("t", -1, None),
        E::InvalidPartitions,
        Some("The topic t currently has 2 partition(s); -1 would not be an increase."),
    );
    check(
        grow("t", 4, Some(&[])),
        E::InvalidReplicaAssignment,
        Some(
            "Attempted to add 2 additional partition(s), but only 0 assignment(s) were specified.",
        ),
    );
    check(
        grow("t", 3, Some(&[&[1, 2]])),
        E::InvalidReplicaAssignment,
        Some(
            "The manual partition assignment includes a partition with 2 replica(s), but this is \
             not consistent with previous partitions, which have 1 replica(s).",
        ),
    );
    check(
        grow("t", 3, Some(&[&[3]])),
        E::InvalidReplicaAssignment,
        Some(
            "All brokers specified in the manual partition assignment for partition 2 are fenced or \
             in controlled shutdown.",
        ),
    );
}

#[test]
fn requests_that_add_too_much_are_refused_as_a_whole() {
    let check = |topics: Vec<CreatePartitionsTopic>, expected: Option<&str>| {
        let mut harness = Harness::new();
        harness.start([1]);
        harness.create("t", &[&[1]]);
        harness.create("u", &[&[1]]);
        let request = CreatePartitionsRequest {
            topics,
            ..Default::default()
        };
        let decided = harness.decide(|controller, ctx| controller.create_partitions(ctx, &request));
        let refusal = decided.err().map(|refusal| {
            assert_eq!(refusal.code(), ErrorCode::PolicyViolation);
            refusal.message().unwrap()
        });
        assert_eq!(refusal.as_deref(), expected);
    };
    let too_much = Some("Excessively large number of additional partitions per request.");
    check(vec![grow("t", 10_001, None)], None);
    check(vec![grow("t", 10_002, None)], too_much);
    check(vec![grow("t", 10_002, Some(&[]))], too_much);
    check(
        vec![grow("t", 6_001, None), grow("u", 6_001, None)],
        too_much,
    );
    check(vec![grow("unknown", i32::MAX, None)], None);
}

#[test]
fn records_are_of_the_version_that_the_cluster_knows() {
    for (level, partition, directories) in [(7, 0, 0), (17, 1, 1), (23, 2, 1), (33, 2, 1)] {
        let mut harness = Harness::at(level, config(), &[]);
        harness.start([1]);
        harness.create("t", &[&[1]]);
        let (_, record) = harness.log.last().unwrap();
        let MetadataRecord::Partition(made) = &record.record else {
            panic!("{record:?}")
        };
        assert_eq!(
            (record.version, made.directories.len()),
            (partition, directories),
            "{level}"
        );
        let mut bytes = Vec::new();
        record.encode_framed(&mut bytes).unwrap();
    }
}
