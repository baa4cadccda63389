use ottla_config::{AlterError, AlterOp, alter_broker, validate_topic};

use crate::{load, map};

#[test]
fn topic_configs_are_judged_as_kafka_does() {
    let config = load("").unwrap();
    for (configs, expected) in [
        ("nope=1", "Unknown topic config name: nope"),
        (
            "retention.ms=x",
            "Invalid value x for configuration retention.ms: Not a number of type LONG",
        ),
        (
            "retention.ms=-2",
            "Invalid value -2 for configuration retention.ms: Value must be at least -1",
        ),
        (
            "segment.bytes=1000",
            "Invalid value 1000 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (
            "cleanup.policy=foo",
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            "min.compaction.lag.ms=10|max.compaction.lag.ms=5",
            "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
        ),
        (
            "remote.storage.enable=true",
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with \
             remote log storage.",
        ),
        (
            "compression.type=zip",
            "Invalid value zip for configuration compression.type: String must be one of: \
             uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            "min.cleanable.dirty.ratio=2",
            "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "leader.replication.throttled.replicas=0:1,1:x",
            "Invalid value [0:1, 1:x] for configuration leader.replication.throttled.replicas: \
             leader.replication.throttled.replicas must be the literal '*' or a list of replicas in \
             the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
        (
            "unclean.leader.election.enable=yes",
            "Invalid value yes for configuration unclean.leader.election.enable: Expected value to be \
             either true or false",
        ),
        (
            "compression.gzip.level=0",
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 \
             or equal to -1",
        ),
    ] {
        assert_eq!(
            validate_topic(&config, &map(""), &map(configs)),
            Err(AlterError::InvalidConfig(expected.to_owned()))
        );
    }
    for configs in [
        "retention.ms= 5 ",
        "cleanup.policy=compact,compact",
        "cleanup.policy=",
        "leader.replication.throttled.replicas=*",
        "leader.replication.throttled.replicas=0:1,1:2",
        "internal.segment.bytes=100",
    ] {
        assert_eq!(
            validate_topic(&config, &map(""), &map(configs)),
            Ok(()),
            "{configs}"
        );
    }
}

#[test]
fn a_topic_is_judged_together_with_the_brokers_values() {
    let config = load("log.cleaner.max.compaction.lag.ms=5").unwrap();
    let error = validate_topic(&config, &map(""), &map("min.compaction.lag.ms=10")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("conflict topic config setting"),
        "{error}"
    );
}

use AlterOp::{Append, Delete, Set, Subtract};

#[test]
fn broker_configs_are_judged_as_kafka_does() {
    let config = load("log.dirs=/d").unwrap();
    let thread_count = |text: &str| {
        format!(
            "Invalid value org.apache.kafka.common.config.ConfigException: {text} for configuration \
             Invalid dynamic configuration"
        )
    };
    let (low, high) = (
        "Dynamic thread count update validation failed for num.io.threads=1, value should be at \
         least half the current value 8",
        "Log cleaner threads cannot be increased to more than double the current value 1",
    );
    let without_prefix = "These security configs can be dynamically updated only per-listener using \
        the listener prefix: [ssl.keystore.location]";
    let cluster_level =
        "Cannot update these configs at default cluster level, broker id must be specified: ";
    for (per_broker, key, op, value, expected) in [
        (true, "num.io.threads", Set, "x", "Invalid value x for configuration num.io.threads: Not a number of type INT".to_owned()),
        (true, "num.io.threads", Set, "1", thread_count(low)),
        (false, "log.cleaner.threads", Set, "5", thread_count(high)),
        (true, "num.partitions", Set, "5", "Cannot update these configs dynamically: [num.partitions]".to_owned()),
        (true, "log.roll.ms", Set, "0", "requirement failed: log.roll.ms must be greater than or equal to 1".to_owned()),
        (true, "ssl.keystore.location", Set, "/x", without_prefix.to_owned()),
        (false, "ssl.keystore.location", Set, "/x", without_prefix.to_owned()),
        (false, "listeners", Set, "PLAINTEXT://:1", format!("{cluster_level}[listeners]")),
        (false, "cordoned.log.dirs", Set, "*", format!("{cluster_level}[cordoned.log.dirs]")),
        (
            false,
            "listener.name.plaintext.ssl.keystore.location",
            Set,
            "/x",
            format!("{cluster_level}[listener.name.plaintext.ssl.keystore.location]"),
        ),
        (true, "cordoned.log.dirs", Set, "/x", "requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : /x".to_owned()),
        (false, "leader.replication.throttled.rate", Set, "-1", "Invalid value -1 for configuration leader.replication.throttled.rate: Value must be at least 0".to_owned()),
        (true, "max.connections.per.ip", Set, "0", "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.".to_owned()),
    ] {
        assert_eq!(
            alter_broker(&config, per_broker, &[(key, op, Some(value))]),
            Err(AlterError::InvalidRequest(expected)),
            "{key}={value}"
        );
    }
    for (key, op, expected) in [
        (
            "max.connections",
            Append,
            "Config value append is not allowed for config key: max.connections",
        ),
        (
            "max.connections",
            Subtract,
            "Config value subtract is not allowed for config key: max.connections",
        ),
        ("nope", Append, "Unknown config name: nope"),
    ] {
        assert_eq!(
            alter_broker(&config, true, &[(key, op, Some("0"))]),
            Err(AlterError::InvalidConfig(expected.to_owned()))
        );
    }
}

#[test]
fn operations_change_the_configs_of_one_level() {
    let (config, _) = load("")
        .unwrap()
        .with_dynamic(&map("nope=1"), &map("log.retention.ms=5"));
    let altered = |per_broker, entries: &[(&str, AlterOp, Option<&str>)]| {
        alter_broker(&config, per_broker, entries).unwrap()
    };
    assert_eq!(
        altered(true, &[("log.retention.ms", Delete, None)]),
        map("")
    );
    assert_eq!(
        altered(false, &[("nope", Delete, None), ("other", Set, Some("2"))]),
        map("other=2")
    );
    let append = ("log.cleanup.policy", Append, Some("compact,delete"));
    assert_eq!(
        altered(false, &[append]),
        map("nope=1|log.cleanup.policy=delete,compact")
    );
    let subtract = ("log.cleanup.policy", Subtract, Some("delete"));
    assert_eq!(
        altered(false, &[subtract]),
        map("nope=1|log.cleanup.policy=")
    );
}
