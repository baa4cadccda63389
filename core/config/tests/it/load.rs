use ottla_config::{
    BrokerConfig, CommitFlush, ConfigError, Listener, TopicConfig, effective_topic_value,
    suggestion,
};

use crate::{load, map};

const KAFKA: &str = include_str!("../data/load.tsv");

/// Where Ottla answers otherwise, and how.
const DIFFERENT: &[(&str, &str)] = &[
    // Kafka starts and then fails to bind.
    (
        "listeners=PLAINTEXT://localhost:99999,CONTROLLER://localhost:9093",
        "Error creating broker listeners from '[PLAINTEXT://localhost:99999, \
         CONTROLLER://localhost:9093]': Unable to parse PLAINTEXT://localhost:99999 to a broker \
         endpoint",
    ),
    (
        "listeners=PLAINTEXT://localhost:-1,CONTROLLER://localhost:9093",
        "Error creating broker listeners from '[PLAINTEXT://localhost:-1, \
         CONTROLLER://localhost:9093]': Unable to parse PLAINTEXT://localhost:-1 to a broker \
         endpoint",
    ),
    // Kafka gives the text of an exception of the Java library.
    (
        "listener.security.protocol.map=PLAINTEXT",
        "Error parsing configuration property 'listener.security.protocol.map': no colon in \
         'PLAINTEXT'",
    ),
    (
        "max.connections.per.ip.overrides=127.0.0.1",
        "Error parsing configuration property 'max.connections.per.ip.overrides': no colon in \
         '127.0.0.1'",
    ),
    // Early start is not built; a wrong name in it does no harm.
    ("early.start.listeners=FOO", "ok"),
    (
        "authorizer.class.name=foo.Bar",
        "`authorizer.class.name=foo.Bar` is not served by Ottla yet: Java class that decides who may \
         do what; access control is not built yet, so naming one is refused rather than ignored.",
    ),
];

fn listeners(list: &[Listener]) -> String {
    list.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn answer(result: &Result<BrokerConfig, ConfigError>) -> String {
    match result {
        Err(error) => format!("error\t{error}"),
        Ok(c) => [
            "ok",
            &listeners(&c.listeners),
            &listeners(&c.advertised_listeners),
            &listeners(&c.advertised_controller_listeners),
            &c.inter_broker_listener,
            &format!("[{}]", c.log.dirs().join(", ")),
            c.metadata_log_dir(),
        ]
        .join("\t"),
    }
}

#[test]
fn a_configuration_is_taken_or_refused_as_kafka_does() {
    let mut different = Vec::new();
    for line in KAFKA.lines() {
        let (case, kafka) = line.split_once('\t').unwrap();
        let ours = answer(&load(case));
        match DIFFERENT.iter().find(|(name, _)| *name == case) {
            Some((_, expected)) => {
                let plain = ours.strip_prefix("error\t").unwrap_or("ok");
                assert_eq!(plain, *expected, "{case}");
                different.push(case);
            }
            None => assert_eq!(ours, kafka, "{case}"),
        }
    }
    assert_eq!(
        different.len(),
        DIFFERENT.len(),
        "a difference is no longer recorded"
    );
}

#[test]
fn a_protected_listener_is_refused_with_the_key_to_change() {
    let config = "listeners=SSL://localhost:9092,CONTROLLER://localhost:9093|\
        security.inter.broker.protocol=SSL|\
        listener.security.protocol.map=SSL:SSL,CONTROLLER:PLAINTEXT";
    assert_eq!(
        load(config).unwrap_err().to_string(),
        "`listeners=SSL://localhost:9092` is not served by Ottla yet: listener SSL uses the protocol \
         SSL, and only PLAINTEXT can be served; change it in `listener.security.protocol.map`"
    );
}

#[test]
fn a_class_is_refused_unless_it_is_the_default() {
    let refused = [
        "remote.log.storage.system.enable=true",
        "create.topic.policy.class.name=a.B",
        "principal.builder.class=a.B",
        "client.quota.callback.class=a.B",
        "config.providers=file",
    ];
    for case in refused {
        assert!(
            matches!(load(case), Err(ConfigError::NotServed { .. })),
            "{case}"
        );
    }
    let taken = [
        "remote.log.storage.system.enable=false",
        "create.topic.policy.class.name=",
        "principal.builder.class=\
         org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        "authorizer.class.name=",
    ];
    for case in taken {
        load(case).unwrap_or_else(|e| panic!("{case}: {e}"));
    }
}

#[test]
fn warnings_name_unknown_keys_and_those_without_effect() {
    let config = load(
        "num.partition=3|zzz=1|num.io.threads=3|num.network.threads=3|super.users=User:a|\
         listener.name.plaintext.max.connections=5|leader.replication.throttled.rate=5",
    );
    assert_eq!(
        config.unwrap().warnings(),
        [
            "`leader.replication.throttled.rate` has no effect in a file; set it as a dynamic config",
            "`num.io.threads` has no effect in Ottla yet",
            "unknown configuration `num.partition`, did you mean `num.partitions`?",
            "unknown configuration `zzz`",
        ]
    );
}

#[test]
fn a_session_too_short_for_its_heartbeats_is_warned_of() {
    let warnings = |text| load(text).expect("a valid configuration").warnings();
    assert_eq!(
        warnings("broker.heartbeat.interval.ms=5000"),
        [
            "broker.heartbeat.interval.ms (5000 ms) must be less than or equal to half of the \
          broker.session.timeout.ms (9000 ms)"
        ]
    );
    assert!(warnings("broker.heartbeat.interval.ms=4500").is_empty());
}

#[test]
fn suggestions_are_near() {
    let known = ["log.retention.ms", "log.retention.bytes", "listeners"];
    let near = |key| suggestion(key, known.into_iter());
    assert_eq!(near("log.retenton.ms"), Some("log.retention.ms"));
    assert_eq!(near("listener"), Some("listeners"));
    assert_eq!(near("advertised.host.name"), None);
}

#[test]
fn typed_settings_hold_the_values() {
    let config =
        load("num.partitions=6|log.dirs=/a,/b|ottla.commit.flush=never|log.retention.hours=1")
            .unwrap();
    assert_eq!(config.node.num_partitions, 6);
    assert_eq!(config.log.dirs(), ["/a", "/b"]);
    assert_eq!(config.ottla.commit_flush, CommitFlush::Never);
    assert_eq!(config.log.effective_retention_ms(), 3_600_000);
    assert_eq!(config.log.effective_roll_ms(), 7 * 24 * 3_600_000);
    assert_eq!(config.log.effective_flush_interval_ms(), i64::MAX);
    assert_eq!(config.group.offsets_topic_num_partitions, 50);
}

#[test]
fn a_topic_takes_its_own_value_else_the_brokers_in_its_unit() {
    let config = load(
        "log.retention.hours=2|log.roll.ms=5|message.max.bytes=1000|log.cleanup.policy=compact",
    )
    .unwrap();
    let topic = TopicConfig::resolve(&config, &map("max.message.bytes=7|retention.bytes=junk"));
    assert_eq!(topic.retention_ms, 7_200_000);
    assert_eq!(topic.segment_ms, 5);
    assert_eq!(topic.max_message_bytes, 7);
    assert_eq!(
        topic.retention_bytes, -1,
        "a text that cannot be read counts as not set"
    );
    assert!(topic.is_compacted() && !topic.is_deleted());
    let broker_only = TopicConfig::resolve(&config, &map(""));
    assert_eq!(broker_only.max_message_bytes, 1000);
}

#[test]
fn dynamic_configs_overlay_the_file_and_bad_ones_are_left_out() {
    let config = load("log.retention.ms=1").unwrap();
    let cluster = map("log.retention.ms=2|message.max.bytes=500|node.id=9|log.roll.ms=0");
    let (now, refused) = config.with_dynamic(&cluster, &map("log.retention.ms=3"));
    assert_eq!(now.log.retention_ms, Some(3));
    assert_eq!(now.log.message_max_bytes, 500);
    assert_eq!(now.node_id, config.node_id);
    assert_eq!(refused, ["node.id=9", "log.roll.ms=0"]);
    let (back, _) = now.with_dynamic(&map(""), &map(""));
    assert_eq!(back, config);
}

#[test]
fn a_topic_value_is_found_through_the_levels() {
    let config = load("log.retention.hours=2").expect("a valid configuration");
    let value = |topic, node, cluster| {
        effective_topic_value(
            &config,
            "retention.ms",
            &map(topic),
            &map(node),
            &map(cluster),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(value("", "", ""), some("7200000"));
    assert_eq!(value("", "", "log.retention.ms=3"), some("3"));
    assert_eq!(
        value("", "log.retention.ms=-7", "log.retention.ms=3"),
        some("-1")
    );
    assert_eq!(
        value("retention.ms=5", "log.retention.ms=4", "log.retention.ms=3"),
        some("5")
    );
    assert_eq!(
        value("retention.ms=junk", "", "log.retention.ms=3"),
        some("3")
    );
    assert_eq!(
        effective_topic_value(&config, "nope", &map("nope=1"), &map(""), &map("")),
        None
    );
}
