//! From a snapshot to the tree: every part of the metadata under Kafka's names, in Java's notation.

use std::path::Path;
use std::sync::Arc;

use ottla_base::{LeaderEpoch, NodeId, Offset, Uuid};
use ottla_metadata::{
    ConfigResource, LeaderRecoveryState, MetadataDelta, MetadataImage, MetadataRecord,
    PartitionRegistration, ResourceType,
};
use ottla_records::BatchView;
use ottla_records::codec::Decompressor;

use super::tree::Node;
use crate::common::usage::VERSION;
use crate::files::exception::Exception;
use crate::files::log_file::LogFile;

/// Metadata with where it comes from.
#[derive(Debug)]
pub(super) struct Loaded {
    image: MetadataImage,
    /// Time of the last batch; -1 if there is none.
    timestamp: i64,
}

/// Reads a snapshot, or a segment of the metadata log.
///
/// # Errors
/// What Java says of a file that is none.
pub(super) fn load(path: &Path) -> Result<Loaded, Exception> {
    let log = LogFile::open(path)?;
    let invalid = |reason: String| {
        Exception::new(
            "org.apache.kafka.common.errors.CorruptRecordException",
            reason,
        )
    };
    let mut delta = MetadataDelta::new(Arc::default());
    let mut scratch = Decompressor::new();
    let mut last = (Offset(-1), LeaderEpoch(-1), -1);
    let mut batches = log.batches(0, u64::MAX)?;
    while let Some(batch) = batches.next()? {
        let view =
            BatchView::parse(batch.own_bytes()).map_err(|error| invalid(error.to_string()))?;
        view.verify_crc()
            .map_err(|error| invalid(error.to_string()))?;
        let header = *view.header();
        if header.attributes.is_control() {
            continue;
        }
        let records = view.records(&mut scratch);
        for record in records.map_err(|error| invalid(error.to_string()))? {
            let record = record.map_err(|error| invalid(error.to_string()))?;
            let value = record.value.unwrap_or_default();
            let read = MetadataRecord::decode_framed(value);
            let read = read.map_err(|error| invalid(error.to_string()))?;
            delta
                .apply(&read.record)
                .map_err(|error| invalid(error.to_string()))?;
        }
        last = (
            header.last_offset(),
            header.partition_leader_epoch,
            header.max_timestamp.0,
        );
    }
    let (offset, epoch, timestamp) = last;
    Ok(Loaded {
        image: delta.into_image(offset, epoch),
        timestamp,
    })
}

/// The whole tree.
pub(super) fn tree(loaded: &Loaded) -> Node {
    let image = &loaded.image;
    Node::directory([
        (
            "image",
            Node::directory([
                ("acls", acls(image)),
                ("clientQuotas", client_quotas(image)),
                ("cluster", cluster(image)),
                ("configs", configs(image)),
                ("delegationToken", delegation_tokens(image)),
                ("features", features(image)),
                (
                    "producerIds",
                    Node::directory([(
                        "nextProducerId",
                        Node::leaf(&image.next_producer_id.unwrap_or(-1)),
                    )]),
                ),
                (
                    "provenance",
                    Node::leaf(&format!(
                        "offset {}, epoch {}, time {}",
                        image.offset.0,
                        image.epoch.0,
                        zoned_time(loaded.timestamp)
                    )),
                ),
                ("scram", scram(image)),
                ("topics", topics(image)),
            ]),
        ),
        (
            "local",
            Node::directory([
                // Kafka says which commit its jars were built from.
                ("commitId", Node::leaf("unknown")),
                ("version", Node::leaf(VERSION)),
            ]),
        ),
    ])
}

fn acls(image: &MetadataImage) -> Node {
    let entries = image.acls.iter().map(|(id, acl)| {
        let text = format!(
            "StandardAcl[resourceType={}, resourceName={}, patternType={}, principal={}, host={}, \
             operation={}, permissionType={}]",
            name(&RESOURCE_TYPES, acl.resource_type),
            acl.resource_name,
            name(&PATTERN_TYPES, acl.pattern_type),
            acl.principal,
            acl.host,
            name(&OPERATIONS, acl.operation),
            name(&PERMISSIONS, acl.permission_type),
        );
        (id.to_string(), Node::leaf(&text))
    });
    Node::directory([("byId", Node::directory(entries))])
}

const RESOURCE_TYPES: [&str; 8] = [
    "UNKNOWN",
    "ANY",
    "TOPIC",
    "GROUP",
    "CLUSTER",
    "TRANSACTIONAL_ID",
    "DELEGATION_TOKEN",
    "USER",
];
const PATTERN_TYPES: [&str; 5] = ["UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED"];
const PERMISSIONS: [&str; 4] = ["UNKNOWN", "ANY", "DENY", "ALLOW"];
const OPERATIONS: [&str; 16] = [
    "UNKNOWN",
    "ANY",
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "CREATE_TOKENS",
    "DESCRIBE_TOKENS",
    "TWO_PHASE_COMMIT",
];
const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// The name of one of Kafka's numbers.
fn name(names: &[&'static str], number: impl TryInto<usize>) -> &'static str {
    let number = number.try_into().ok();
    number
        .and_then(|number| names.get(number).copied())
        .unwrap_or("UNKNOWN")
}

fn client_quotas(image: &MetadataImage) -> Node {
    Node::directory(image.client_quotas.entities.iter().map(|(entity, quotas)| {
        let values = quotas.iter().map(|(key, value)| {
            (
                key.as_str(),
                Node::leaf(&ottla_schema::kafka_json::double(*value)),
            )
        });
        (entity_name(entity), Node::directory(values))
    }))
}

/// `clientId(c)_user(u)`. As in Kafka, a default has no part in the name.
fn entity_name(entity: &[(String, Option<String>)]) -> String {
    let part = |kind: &str, title: &str| {
        let value = entity.iter().find(|(found, _)| found == kind)?.1.as_ref()?;
        let escaped = value
            .replace('\\', "\\\\")
            .replace('(', "\\(")
            .replace(')', "\\)");
        Some(format!("{title}({escaped})"))
    };
    let parts = [
        part("client-id", "clientId"),
        part("ip", "ip"),
        part("user", "user"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("_")
}

fn cluster(image: &MetadataImage) -> Node {
    let endpoints = |endpoints: &[ottla_metadata::Endpoint]| {
        let mut endpoints: Vec<_> = endpoints.iter().collect();
        endpoints.sort_by(|a, b| a.name.cmp(&b.name));
        list(endpoints.iter().map(|endpoint| {
            format!(
                "Endpoint(listenerName='{}', securityProtocol={}, host='{}', port={})",
                endpoint.name,
                name(&PROTOCOLS, endpoint.security_protocol),
                endpoint.host,
                endpoint.port
            )
        }))
    };
    let features = |features: &std::collections::BTreeMap<String, ottla_metadata::VersionRange>| {
        let parts: Vec<String> = features
            .iter()
            .map(|(name, range)| {
                let range = match (range.min, range.max) {
                    (min, max) if min == max => min.to_string(),
                    (min, i16::MAX) => format!("{min}+"),
                    (min, max) => format!("{min}-{max}"),
                };
                format!("{name}: {range}")
            })
            .collect();
        format!("{{{}}}", parts.join(", "))
    };
    let brokers = image.cluster.brokers.values().map(|broker| {
        let rack = broker.rack.as_ref().map_or_else(
            || "Optional.empty".to_owned(),
            |rack| format!("Optional[{rack}]"),
        );
        let text = format!(
            "BrokerRegistration(id={}, epoch={}, incarnationId={}, listeners={}, \
             supportedFeatures={}, rack={rack}, fenced={}, inControlledShutdown={}, \
             isMigratingZkBroker={}, directories={}, cordonedDirectories={})",
            broker.id.0,
            broker.epoch.0,
            broker.incarnation_id,
            endpoints(&broker.endpoints),
            features(&broker.features),
            broker.fenced,
            broker.in_controlled_shutdown,
            broker.is_migrating_zk_broker,
            list(&broker.directories),
            list(broker.cordoned_directories.iter().flatten()),
        );
        (broker.id.0.to_string(), Node::leaf(&text))
    });
    let controllers = image.cluster.controllers.values().map(|controller| {
        let text = format!(
            "ControllerRegistration(id={}, incarnationId={}, zkMigrationReady={}, listeners={}, \
             supportedFeatures={})",
            controller.id.0,
            controller.incarnation_id,
            controller.zk_migration_ready,
            endpoints(&controller.endpoints),
            features(&controller.features),
        );
        (controller.id.0.to_string(), Node::leaf(&text))
    });
    Node::directory([
        ("brokers", Node::directory(brokers)),
        ("controllers", Node::directory(controllers)),
    ])
}

fn configs(image: &MetadataImage) -> Node {
    Node::directory(image.configs.iter().map(|(resource, values)| {
        let values = values
            .iter()
            .map(|(key, value)| (key.as_str(), Node::leaf(value)));
        (resource_name(resource), Node::directory(values))
    }))
}

fn resource_name(resource: &ConfigResource) -> String {
    let kind = match resource.kind {
        ResourceType::TOPIC => "TOPIC",
        ResourceType::BROKER => "BROKER",
        ResourceType::BROKER_LOGGER => "BROKER_LOGGER",
        ResourceType::CLIENT_METRICS => "CLIENT_METRICS",
        ResourceType::GROUP => "GROUP",
        _ => "UNKNOWN",
    };
    if resource.name.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind}:{}", resource.name)
    }
}

fn delegation_tokens(image: &MetadataImage) -> Node {
    Node::directory(image.delegation_tokens.tokens.iter().map(|(id, token)| {
        let text = format!(
            "DelegationTokenDatatokenId={id}(owner={}(tokenRequester={}(renewers={}, \
             issueTimestamp={}, maxTimestamp={}), expiryTimestamp={})",
            token.owner,
            token.requester,
            token.renewers.join(" "),
            token.issue_timestamp,
            token.max_timestamp,
            token.expiration_timestamp,
        );
        (id.as_str(), Node::leaf(&text))
    }))
}

fn features(image: &MetadataImage) -> Node {
    let version = image.features.metadata_version.map_or_else(
        || "Optional.empty".to_owned(),
        |version| format!("Optional[{version}]"),
    );
    let levels = image
        .features
        .levels
        .iter()
        .map(|(name, level)| (format!("finalized_{name}"), Node::leaf(level)));
    Node::directory(levels.chain([("metadataVersion".to_owned(), Node::leaf(&version))]))
}

fn scram(image: &MetadataImage) -> Node {
    let of = |mechanism: i8| {
        let users = image
            .scram
            .credentials
            .iter()
            .filter(move |((kind, _), _)| *kind == mechanism);
        Node::directory(users.map(|((_, user), credential)| {
            let hex = ottla_schema::json::to_hex;
            let text = format!(
                "ScramCredentialData(salt={}, storedKey={}, serverKey={}, iterations={})",
                hex(&credential.salt),
                hex(&credential.stored_key),
                hex(&credential.server_key),
                credential.iterations
            );
            (user.as_str(), Node::leaf(&text))
        }))
    };
    Node::directory([("SCRAM-SHA-256", of(1)), ("SCRAM-SHA-512", of(2))])
}

fn topics(image: &MetadataImage) -> Node {
    let topic = |topic: &ottla_metadata::TopicImage| {
        let partitions = topic
            .partitions
            .iter()
            .map(|(index, partition)| (index.to_string(), Node::leaf(&partition_text(partition))));
        Node::directory(partitions.chain([
            ("id".to_owned(), Node::leaf(&topic.id)),
            ("name".to_owned(), Node::leaf(&topic.name)),
        ]))
    };
    let by_id = image
        .topics
        .iter()
        .map(|one| (one.id.to_string(), topic(one)));
    let by_name = image
        .topics
        .iter()
        .map(|one| (one.name.to_string(), topic(one)));
    Node::directory([
        ("byId", Node::directory(by_id)),
        ("byName", Node::directory(by_name)),
    ])
}

fn partition_text(partition: &PartitionRegistration) -> String {
    let nodes = |nodes: &[NodeId]| list(nodes.iter().map(|node| node.0));
    let directories: &[Uuid] = &partition.directories;
    format!(
        "PartitionRegistration(replicas={}, directories={}, isr={}, removingReplicas={}, \
         addingReplicas={}, elr={}, lastKnownElr={}, leader={}, leaderRecoveryState={}, \
         leaderEpoch={}, partitionEpoch={})",
        nodes(&partition.replicas),
        list(directories),
        nodes(&partition.isr),
        nodes(&partition.removing_replicas),
        nodes(&partition.adding_replicas),
        nodes(&partition.elr),
        nodes(&partition.last_known_elr),
        partition.leader.0,
        match partition.leader_recovery_state {
            LeaderRecoveryState::Recovered => "RECOVERED",
            LeaderRecoveryState::Recovering => "RECOVERING",
        },
        partition.leader_epoch.0,
        partition.partition_epoch.0,
    )
}

/// A list as Java writes it.
fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(", "))
}

/// A time as Java's `ZonedDateTime` writes it, in UTC.
fn zoned_time(millis: i64) -> String {
    let (days, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // Years that begin in March: the leap day is the last of its year.
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    let seconds = match (second, milli) {
        (0, 0) => String::new(),
        (second, 0) => format!(":{second:02}"),
        (second, milli) => format!(":{second:02}.{milli:03}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}{seconds}Z[UTC]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_javas() {
        for (millis, expected) in [
            (-1, "1969-12-31T23:59:59.999Z[UTC]"),
            (0, "1970-01-01T00:00Z[UTC]"),
            (1_795_574_128_904, "2026-11-25T02:35:28.904Z[UTC]"),
            (951_827_696_000, "2000-02-29T12:34:56Z[UTC]"),
        ] {
            assert_eq!(zoned_time(millis), expected);
        }
    }

    #[test]
    fn entities_of_quotas_have_kafkas_names() {
        let entity = |parts: &[(&str, Option<&str>)]| {
            let parts: Vec<_> = parts
                .iter()
                .map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned)))
                .collect();
            entity_name(&parts)
        };
        assert_eq!(
            entity(&[("client-id", Some("c1")), ("user", Some("alice"))]),
            "clientId(c1)_user(alice)"
        );
        assert_eq!(entity(&[("user", Some("a(b)"))]), "user(a\\(b\\))");
        assert_eq!(entity(&[("client-id", None)]), "");
    }

    #[test]
    fn an_empty_image_has_all_its_directories() {
        let loaded = Loaded {
            image: MetadataImage::default(),
            timestamp: -1,
        };
        let root = tree(&loaded);
        let image = root
            .children()
            .find(|(name, _)| *name == "image")
            .unwrap()
            .1;
        let names: Vec<_> = image.children().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "acls",
                "clientQuotas",
                "cluster",
                "configs",
                "delegationToken",
                "features",
                "producerIds",
                "provenance",
                "scram",
                "topics"
            ]
        );
    }
}
