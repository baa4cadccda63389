use ottla_config::{
    BrokerConfig, ConfigSource, DescribedConfig, describe_broker, describe_cluster_default,
    describe_topic,
};

use crate::{load, map};

/// An entry in one line: value, source, flags, synonyms.
fn show(entry: &DescribedConfig) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let source = |source| match source {
        ConfigSource::Topic => "TOPIC",
        ConfigSource::DynamicBroker => "BROKER",
        ConfigSource::DynamicDefaultBroker => "CLUSTER",
        ConfigSource::StaticBroker => "FILE",
        ConfigSource::Default => "DEFAULT",
        _ => "?",
    };
    let synonyms: Vec<String> = entry
        .synonyms
        .iter()
        .map(|s| format!("{}:{}={}", source(s.source), s.name, text(&s.value)))
        .collect();
    format!(
        "{} {}{}{} {} [{}]",
        text(&entry.value),
        source(entry.source),
        if entry.read_only { " ro" } else { "" },
        if entry.sensitive { " secret" } else { "" },
        entry.kind.map_or("UNKNOWN", |kind| kind.name()),
        synonyms.join(", ")
    )
}

fn find<'a>(entries: &'a [DescribedConfig], name: &str) -> Option<&'a DescribedConfig> {
    entries.iter().find(|entry| entry.name == name)
}

/// The node of the recordings, with the dynamic configs that were set there.
fn node() -> BrokerConfig {
    let cluster = "log.retention.ms=200000|min.insync.replicas=1|message.max.bytes=100|\
        leader.replication.throttled.rate=5";
    let broker = "nope=5|log.retention.ms=100000|num.io.threads=16|log.cleanup.policy=delete,compact|\
        listener.name.plaintext.ssl.keystore.location=/x";
    let (config, refused) = load("log.dirs=/d")
        .expect("a valid configuration")
        .with_dynamic(&map(cluster), &map(broker));
    assert!(refused.is_empty(), "{refused:?}");
    config
}

#[test]
fn a_broker_is_described_as_kafka_does() {
    let entries = describe_broker(&node());
    for (name, expected) in [
        (
            "log.retention.ms",
            "100000 BROKER LONG [BROKER:log.retention.ms=100000, CLUSTER:log.retention.ms=200000, \
             DEFAULT:log.retention.hours=168]",
        ),
        (
            "log.retention.hours",
            "168 DEFAULT ro INT [DEFAULT:log.retention.hours=168]",
        ),
        ("log.retention.minutes", "null DEFAULT ro INT []"),
        ("log.flush.interval.ms", "null DEFAULT LONG []"),
        ("log.dirs", "/d FILE ro LIST [FILE:log.dirs=/d]"),
        (
            "num.io.threads",
            "16 BROKER INT [BROKER:num.io.threads=16, DEFAULT:num.io.threads=8]",
        ),
        (
            "log.cleanup.policy",
            "delete,compact BROKER LIST [BROKER:log.cleanup.policy=delete,compact, \
             DEFAULT:log.cleanup.policy=delete]",
        ),
        (
            "leader.replication.throttled.rate",
            "5 CLUSTER LONG [CLUSTER:leader.replication.throttled.rate=5]",
        ),
        (
            "listener.name.plaintext.ssl.keystore.location",
            "/x BROKER ro STRING [BROKER:listener.name.plaintext.ssl.keystore.location=/x]",
        ),
        ("nope", "null BROKER ro secret UNKNOWN [BROKER:nope=null]"),
        ("ssl.keystore.password", "null DEFAULT secret PASSWORD []"),
        (
            "broker.id",
            "1 FILE ro INT [FILE:broker.id=1, DEFAULT:broker.id=-1]",
        ),
        (
            "log.cleaner.io.max.bytes.per.second",
            "1.7976931348623157E308 DEFAULT DOUBLE \
             [DEFAULT:log.cleaner.io.max.bytes.per.second=1.7976931348623157E308]",
        ),
    ] {
        assert_eq!(
            find(&entries, name).map(show).as_deref(),
            Some(expected),
            "{name}"
        );
    }
    assert!(
        find(&entries, "unstable.api.versions.enable").is_none(),
        "internal keys are not listed"
    );
    assert!(find(&entries, "follower.replication.throttled.rate").is_none());
}

#[test]
fn all_brokers_are_described_by_what_is_set_for_them() {
    let entries = describe_cluster_default(&node());
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "leader.replication.throttled.rate",
            "log.retention.ms",
            "message.max.bytes",
            "min.insync.replicas"
        ]
    );
    assert_eq!(
        show(&entries[1]),
        "200000 CLUSTER LONG [CLUSTER:log.retention.ms=200000]"
    );
}

#[test]
fn a_topic_is_described_as_kafka_does() {
    let overrides = map("cleanup.policy=|retention.ms= 5 |internal.segment.bytes=100");
    let entries = describe_topic(&load("").unwrap(), &overrides);
    for (name, expected) in [
        (
            "cleanup.policy",
            " TOPIC LIST [TOPIC:cleanup.policy=, DEFAULT:log.cleanup.policy=delete]",
        ),
        ("retention.ms", "5 TOPIC LONG [TOPIC:retention.ms=5]"),
        ("segment.ms", "604800000 DEFAULT LONG []"),
        ("flush.ms", "9223372036854775807 DEFAULT LONG []"),
        (
            "internal.segment.bytes",
            "100 TOPIC INT [TOPIC:internal.segment.bytes=100]",
        ),
        ("leader.replication.throttled.replicas", " DEFAULT LIST []"),
        (
            "max.message.bytes",
            "1048588 DEFAULT INT [DEFAULT:message.max.bytes=1048588]",
        ),
    ] {
        assert_eq!(
            find(&entries, name).map(show).as_deref(),
            Some(expected),
            "{name}"
        );
    }
    assert_eq!(entries.len(), 38);
    let (dynamic, _) = load("")
        .unwrap()
        .with_dynamic(&map("min.insync.replicas=1"), &map(""));
    let entries = describe_topic(&dynamic, &map(""));
    assert_eq!(
        entries.len(),
        37,
        "the internal key is listed only when set"
    );
    assert_eq!(
        find(&entries, "min.insync.replicas").map(show).as_deref(),
        Some("1 CLUSTER INT [CLUSTER:min.insync.replicas=1, DEFAULT:min.insync.replicas=1]")
    );
}
