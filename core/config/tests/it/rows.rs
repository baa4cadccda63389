use std::collections::{BTreeMap, BTreeSet};

use ottla_base::{ConfigRow, DefaultValue, Dynamic, Importance, Status, Valid};
use ottla_config::rows::{BROKER_TABLES, DYNAMIC_ONLY, broker_rows, topic_rows};

const KAFKA: &str = include_str!("../data/kafka-rows.tsv");

/// The facts of a row in the notation of the recording.
fn facts(row: &ConfigRow) -> Vec<String> {
    let bound = |v: i64| v.to_string();
    let list = |of: &[&str]| format!("[{}]", of.join(", "));
    let valid = match row.valid {
        Valid::Any if row.name == "authorizer.class.name" => "non-null string".to_owned(),
        Valid::Any => "null".to_owned(),
        Valid::AtLeast(low) => format!("[{},...]", bound(low)),
        Valid::Between(low, high) => format!("[{},...,{}]", bound(low), bound(high)),
        Valid::BetweenDouble(low, high) => format!("[{low},...,{high}]"),
        Valid::GzipLevel => "[1,...,9] or -1".to_owned(),
        Valid::OneOf(of) => list(of),
        Valid::OneOfAnyCase(of) => format!("(case insensitive) {}", list(of)),
        Valid::NonEmpty => "non-empty string".to_owned(),
        Valid::List { empty, of } => {
            let of = if of.is_empty() {
                String::new()
            } else {
                list(of)
            };
            let empty = if empty { "may be empty" } else { "not empty" };
            format!("{of} {empty}").trim().to_owned()
        }
        Valid::HostPorts | Valid::Voters => "non-empty list may be empty".to_owned(),
        Valid::ThrottledReplicas => {
            "[partitionId]:[brokerId],[partitionId]:[brokerId],... may be empty".to_owned()
        }
    };
    let synonyms = match row.synonyms {
        [] if row.scope == ottla_base::Scope::Broker => row.name.to_owned(),
        names => names.join(","),
    };
    vec![
        row.kind.name().to_owned(),
        match row.default {
            DefaultValue::Required => "required".to_owned(),
            DefaultValue::Null => "null".to_owned(),
            DefaultValue::Text(text) => format!("={text}"),
        },
        valid,
        match row.importance {
            Importance::High => "HIGH",
            Importance::Medium => "MEDIUM",
            Importance::Low => "LOW",
        }
        .to_owned(),
        if row.internal { "internal" } else { "public" }.to_owned(),
        match row.dynamic {
            // A topic key has no mode of its own in Kafka: it can always be changed.
            _ if row.scope == ottla_base::Scope::Topic => "-",
            Dynamic::ReadOnly => "read-only",
            Dynamic::PerBroker => "per-broker",
            Dynamic::ClusterWide => "cluster-wide",
        }
        .to_owned(),
        synonyms,
    ]
}

#[test]
fn every_row_says_what_kafka_says() {
    let mut seen = BTreeSet::new();
    for line in KAFKA.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [scope, name, kafka @ ..] = fields.as_slice() else {
            panic!("{line}")
        };
        let rows = if *scope == "broker" {
            broker_rows()
        } else {
            topic_rows()
        };
        let row = rows
            .get(name)
            .unwrap_or_else(|| panic!("no row for {name}"));
        assert_eq!(facts(row), kafka, "{scope} {name}");
        seen.insert((*scope, *name));
    }
    let ours = |key: &&str| !key.starts_with("ottla.") && !DYNAMIC_ONLY.contains(key);
    for name in broker_rows().keys().copied().filter(|name| ours(name)) {
        assert!(
            seen.contains(&("broker", name)),
            "Kafka has no broker key {name}"
        );
    }
    for name in topic_rows().keys() {
        assert!(
            seen.contains(&("topic", *name)),
            "Kafka has no topic key {name}"
        );
    }
}

#[test]
fn no_key_has_two_rows() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in BROKER_TABLES.iter().flat_map(|(_, rows)| *rows) {
        *counts.entry(row.name).or_default() += 1;
    }
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn every_default_is_valid_and_every_row_is_explained() {
    for row in broker_rows().values().chain(topic_rows().values()) {
        if let DefaultValue::Text(text) = row.default {
            row.parse(text)
                .unwrap_or_else(|e| panic!("{}: {e}", row.name));
        }
        assert!(
            row.summary().ends_with('.'),
            "{} lacks a sentence",
            row.name
        );
    }
}

#[test]
fn a_topic_key_that_is_served_has_a_served_broker_key() {
    for row in topic_rows()
        .values()
        .filter(|row| row.status == Status::Served)
    {
        if let Some(synonym) = row.synonyms.first() {
            assert_eq!(broker_rows()[synonym].status, Status::Served, "{synonym}");
        }
    }
}
