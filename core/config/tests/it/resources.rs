use ottla_config::{
    AlterError, ConfigSource, describe_client_metrics, describe_group, validate_client_metrics,
    validate_group,
};

use crate::{load, map};

#[test]
fn group_configs_are_judged_as_kafka_does() {
    let config = load("").unwrap();
    for (configs, expected) in [
        ("nope=1", "Unknown group config name: nope"),
        (
            "consumer.session.timeout.ms=0",
            "Invalid value 0 for configuration consumer.session.timeout.ms: Value must be at least 1",
        ),
        (
            "consumer.session.timeout.ms=1",
            "consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive.",
        ),
        (
            "share.delivery.count.limit=11",
            "share.delivery.count.limit must be in the range 2 to 10 inclusive.",
        ),
        (
            "streams.num.standby.replicas=3",
            "streams.num.standby.replicas must be less than or equal to 2",
        ),
        (
            "streams.assignor.name=x",
            "streams.assignor.name 'x' is not a registered task assignor. Registered assignors are: \
             [sticky].",
        ),
        (
            "streams.rack.aware.assignment.tags=a,a",
            "streams.rack.aware.assignment.tags must not contain duplicate tag keys.",
        ),
        (
            "streams.rack.aware.assignment.tags=a,,b",
            "Configuration 'streams.rack.aware.assignment.tags' values must not be empty.",
        ),
        (
            "share.isolation.level=x",
            "Invalid value x for configuration share.isolation.level: String must be one of: \
             read_committed, read_uncommitted",
        ),
        (
            "errors.deadletterqueue.topic.name=__x",
            "errors.deadletterqueue.topic.name: DLQ topic name must not start with '__'",
        ),
        ("share.auto.offset.reset=by_duration:PT1H", ""),
        (
            "consumer.session.timeout.ms=50000|consumer.heartbeat.interval.ms=15000",
            "",
        ),
    ] {
        let judged = validate_group(&config, &map(configs));
        let wanted = match expected {
            "" => Ok(()),
            text => Err(AlterError::InvalidConfig(text.to_owned())),
        };
        assert_eq!(judged, wanted, "{configs}");
    }
}

#[test]
fn client_metrics_are_judged_as_kafka_does() {
    let request = |text: &str| Err(AlterError::InvalidRequest(text.to_owned()));
    let invalid = |text: &str| Err(AlterError::InvalidConfig(text.to_owned()));
    for (configs, expected) in [
        (
            "nope=1",
            request("Unknown client metrics configuration: nope"),
        ),
        (
            "interval.ms=99",
            request(
                "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
            ),
        ),
        (
            "interval.ms=x",
            invalid("Invalid value x for configuration interval.ms: Not a number of type INT"),
        ),
        (
            "metrics=a,,b",
            invalid("Configuration 'metrics' values must not be empty."),
        ),
        ("match=*", invalid("Illegal client matching pattern: *")),
        ("match=a=b", invalid("Illegal client matching pattern: a=b")),
        (
            "match=client_instance_id=x,client_software_name=.*|interval.ms=100|metrics=*",
            Ok(()),
        ),
    ] {
        assert_eq!(
            validate_client_metrics(&map(configs)),
            expected,
            "{configs}"
        );
    }
}

#[test]
fn groups_show_the_brokers_values_below_their_own() {
    let config = load("").unwrap();
    let shown = |overrides: &str| {
        let all = describe_group(&config, &map(overrides));
        assert_eq!(all.len(), 21);
        let mut found = all.into_iter();
        let found = found.find(|config| config.name == "consumer.session.timeout.ms");
        let found = found.unwrap();
        let synonyms: Vec<_> = found
            .synonyms
            .into_iter()
            .map(|s| (s.name, s.source))
            .collect();
        (found.value.unwrap(), found.source, synonyms)
    };
    let broker = (
        "group.consumer.session.timeout.ms".to_owned(),
        ConfigSource::Default,
    );
    assert_eq!(
        shown(""),
        (
            "45000".to_owned(),
            ConfigSource::Default,
            vec![broker.clone()]
        )
    );
    let own = (
        "consumer.session.timeout.ms".to_owned(),
        ConfigSource::Group,
    );
    assert_eq!(
        shown("consumer.session.timeout.ms=50000"),
        ("50000".to_owned(), ConfigSource::Group, vec![own, broker])
    );
    let metrics = describe_client_metrics(&config, &map("interval.ms=1000"));
    let sources: Vec<_> = metrics.iter().map(|config| config.source).collect();
    let expected = [
        ConfigSource::ClientMetrics,
        ConfigSource::Default,
        ConfigSource::Default,
    ];
    assert_eq!(sources, expected);
}
