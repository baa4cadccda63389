//! IncrementalAlterConfigs and AlterConfigs.

use ottla_metadata::{ConfigResource, MetadataRecord};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::{
    AlterConfigsRequest, IncrementalAlterConfigsRequest, alter_configs_request,
};

use crate::harness::Harness;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn resource(
    (resource_type, name): (i8, &str),
    configs: &[(&str, i8, Option<&str>)],
) -> AlterConfigsResource {
    AlterConfigsResource {
        resource_type,
        resource_name: name.to_owned(),
        configs: configs
            .iter()
            .map(|&(name, config_operation, value)| AlterableConfig {
                name: name.to_owned(),
                config_operation,
                value: value.map(str::to_owned),
            })
            .collect(),
    }
}

fn alter(
    harness: &mut Harness,
    resources: Vec<AlterConfigsResource>,
) -> Vec<(String, ErrorCode, Option<String>)> {
    let request = IncrementalAlterConfigsRequest {
        resources,
        ..Default::default()
    };
    let reply = harness.run(|controller, _| controller.incremental_alter_configs(&request));
    let answer = |r: &ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse| {
        let code = ErrorCode::from_code(r.error_code).unwrap();
        (r.resource_name.clone(), code, r.error_message.clone())
    };
    reply.responses.iter().map(answer).collect()
}

fn cluster() -> Harness {
    let mut harness = Harness::new();
    harness.start([1]);
    harness.create("t", &[&[1]]);
    harness
}

#[test]
fn refused_changes_are_told_why_in_kafkas_words() {
    let check = |at: (i8, &str), config: (&str, i8, Option<&str>), code: ErrorCode, text: &str| {
        let mut harness = cluster();
        let before = harness.next_offset;
        let answers = alter(&mut harness, vec![resource(at, &[config])]);
        let expected = (at.1.to_owned(), code, Some(text.to_owned()));
        assert_eq!(answers, [expected], "{config:?}");
        assert_eq!(harness.next_offset, before);
    };
    use ErrorCode as E;
    check(
        (2, "nosuch"),
        ("retention.ms", SET, Some("1")),
        E::UnknownTopicOrPartition,
        "The topic 'nosuch' does not exist.",
    );
    check(
        (2, "t"),
        ("nope", SET, Some("1")),
        E::InvalidConfig,
        "Unknown topic config name: nope",
    );
    check(
        (2, "t"),
        ("retention.ms", APPEND, Some("1")),
        E::InvalidConfig,
        "Can't APPEND to key retention.ms because its type is not LIST.",
    );
    check(
        (2, ""),
        ("retention.ms", SET, Some("1")),
        E::InvalidRequest,
        "Default topic resources are not allowed.",
    );
    check(
        (2, "a/b"),
        ("retention.ms", SET, Some("1")),
        E::InvalidTopicException,
        "Topic name is invalid: 'a/b' contains one or more characters other than ASCII \
         alphanumerics, '.', '_' and '-'",
    );
    check(
        (4, "1"),
        ("min.insync.replicas", SET, Some("2")),
        E::InvalidConfig,
        "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
    );
    check(
        (4, ""),
        ("min.insync.replicas", DELETE, None),
        E::InvalidConfig,
        "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
    );
    check(
        (4, "x"),
        ("log.cleaner.threads", SET, Some("2")),
        E::InvalidRequest,
        "Unable to parse broker name as a base 10 number.",
    );
    check(
        (4, "-2"),
        ("log.cleaner.threads", SET, Some("2")),
        E::InvalidRequest,
        "Invalid negative broker ID.",
    );
    check(
        (3, "t"),
        ("a", SET, Some("2")),
        E::UnsupportedVersion,
        "Unknown resource type 3.",
    );
    let long = "x".repeat(32_768);
    check(
        (2, "t"),
        ("leader.replication.throttled.replicas", SET, Some(&long)),
        E::InvalidConfig,
        "The configuration value cannot be added because it exceeds the maximum value size of 32767 \
         bytes.",
    );
}

#[test]
fn an_unknown_operation_is_an_unknown_error() {
    let answers = alter(
        &mut cluster(),
        vec![resource((2, "t"), &[("retention.ms", 9, Some("1"))])],
    );
    assert_eq!(
        answers,
        [("t".to_owned(), ErrorCode::UnknownServerError, None)]
    );
}

#[test]
fn lists_are_added_to_and_taken_from() {
    let mut harness = cluster();
    let check = |harness: &mut Harness, operation, value: &str, expected: &str| {
        alter(
            harness,
            vec![resource(
                (2, "t"),
                &[("cleanup.policy", operation, Some(value))],
            )],
        );
        let found = harness
            .image()
            .configs
            .value(&ConfigResource::topic("t"), "cleanup.policy");
        assert_eq!(found, Some(expected));
    };
    check(&mut harness, APPEND, "compact", "delete,compact");
    check(&mut harness, APPEND, "compact", "delete,compact");
    check(&mut harness, SUBTRACT, "delete", "compact");
    check(&mut harness, SUBTRACT, "delete", "compact");
}

#[test]
fn a_resource_named_twice_is_refused_once_and_the_others_are_changed() {
    let mut harness = cluster();
    harness.create("u", &[&[1]]);
    let set = [("retention.ms", SET, Some("5"))];
    let twice = vec![
        resource((2, "t"), &set),
        resource((2, "u"), &set),
        resource((2, "t"), &set),
    ];
    let answers = alter(&mut harness, twice);
    assert_eq!(
        answers,
        [
            (
                "t".to_owned(),
                ErrorCode::InvalidRequest,
                Some("Duplicate resource.".to_owned())
            ),
            ("u".to_owned(), ErrorCode::None, None),
        ]
    );
    let value = |name| {
        harness
            .image()
            .configs
            .value(&ConfigResource::topic(name), "retention.ms")
    };
    assert_eq!((value("t"), value("u")), (None, Some("5")));
}

#[test]
fn a_value_that_stays_is_recorded_only_for_brokers() {
    let mut harness = cluster();
    let mut records = |at, config| {
        let before = harness.next_offset;
        alter(&mut harness, vec![resource(at, &[config])]);
        harness.next_offset - before
    };
    let topic = ("retention.ms", SET, Some("5"));
    assert_eq!([records((2, "t"), topic), records((2, "t"), topic)], [1, 0]);
    let broker = ("log.cleaner.threads", SET, Some("1"));
    assert_eq!(
        [records((4, "1"), broker), records((4, "1"), broker)],
        [1, 1]
    );
}

#[test]
fn another_min_isr_clears_who_was_eligible() {
    let mut harness = cluster();
    alter(
        &mut harness,
        vec![resource(
            (2, "t"),
            &[("min.insync.replicas", SET, Some("2"))],
        )],
    );
    alter(
        &mut harness,
        vec![resource(
            (4, ""),
            &[("min.insync.replicas", SET, Some("2"))],
        )],
    );
    let cleared: Vec<&str> = harness
        .log
        .iter()
        .filter_map(|(_, record)| match &record.record {
            MetadataRecord::ClearElr(clear) => Some(clear.topic_name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(cleared, ["t", ""]);
}

#[test]
fn validating_changes_nothing() {
    let mut harness = cluster();
    let before = harness.next_offset;
    let request = IncrementalAlterConfigsRequest {
        resources: vec![resource((2, "t"), &[("retention.ms", SET, Some("5"))])],
        validate_only: true,
    };
    let reply = harness.run(|controller, _| controller.incremental_alter_configs(&request));
    assert_eq!(reply.responses[0].error_code, 0);
    assert_eq!(harness.next_offset, before);
}

#[test]
fn the_older_request_replaces_all_that_a_topic_has() {
    let mut harness = cluster();
    let set = [
        ("retention.ms", SET, Some("5")),
        ("segment.ms", SET, Some("6")),
    ];
    alter(&mut harness, vec![resource((2, "t"), &set)]);
    let config = |name: &str, value: &str| alter_configs_request::AlterableConfig {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    let request = AlterConfigsRequest {
        resources: vec![alter_configs_request::AlterConfigsResource {
            resource_type: 2,
            resource_name: "t".to_owned(),
            configs: vec![
                config("segment.ms", "6"),
                config("segment.bytes", "2000000"),
            ],
        }],
        ..Default::default()
    };
    let reply = harness.run(|controller, _| controller.alter_configs(&request));
    assert_eq!(reply.responses[0].error_code, 0);
    let configs = harness.image().configs.of(&ConfigResource::topic("t"));
    let pairs: Vec<(&str, &str)> = configs
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(pairs, [("segment.bytes", "2000000"), ("segment.ms", "6")]);
}
