//! Quotas of clients, users and addresses.

use ottla_client::{Admin, ClientError};
use ottla_protocol::messages::describe_client_quotas_request::ComponentData;
use ottla_protocol::messages::describe_client_quotas_response::EntryData;
use ottla_protocol::messages::{
    AlterClientQuotasRequest, DescribeClientQuotasRequest,
    alter_client_quotas_request as alter_request,
};
use serde_json::{Value, json};

use super::entity::{Changes, Entities, Type};
use super::{Problem, only_brokers, wrong};
use crate::common::{controller, java};

/// Quotas of clients and users.
const CLIENT_QUOTAS: &[&str] = &[
    "producer_byte_rate",
    "consumer_byte_rate",
    "request_percentage",
    "controller_mutation_rate",
];

/// Quotas of addresses.
const IP_QUOTAS: &[&str] = &["connection_creation_rate"];

/// How a component of a filter matches; the numbers are those of the protocol.
const MATCH_EXACT: i8 = 0;
const MATCH_DEFAULT: i8 = 1;
const MATCH_SPECIFIED: i8 = 2;

/// Whether a config of clients and users is a quota.
pub(super) fn is_quota(key: &str) -> bool {
    CLIENT_QUOTAS.contains(&key)
}

/// The type of an entity on the wire.
fn wire_type(kind: Type) -> &'static str {
    match kind {
        Type::Users => "user",
        Type::Ips => "ip",
        _ => "client-id",
    }
}

/// Refuses changes of an address that are no quotas of one.
pub(super) fn check_ip(changes: &Changes) -> Result<(), Problem> {
    let added = changes.add.iter().map(|(key, _)| key);
    let unknown: Vec<&String> = added
        .chain(&changes.delete)
        .filter(|key| !IP_QUOTAS.contains(&key.as_str()))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    wrong(format!(
        "Only connection quota configs can be added for 'ips' using --bootstrap-server. Unexpected config \
         names: {}",
        java::joined(unknown, ",")
    ))
}

/// The quotas of the entities that are meant, in the order in which Kafka's tool prints them.
pub(super) fn describe(admin: &mut Admin, entities: &Entities) -> Result<Vec<EntryData>, Problem> {
    only_brokers(admin)?;
    if entities.names.len() > entities.types.len() {
        return wrong("More entity names specified than entity types");
    }
    let mut names = entities.names.iter();
    let mut request = DescribeClientQuotasRequest::default();
    request.strict = true;
    for kind in &entities.types {
        let mut component = ComponentData::default();
        wire_type(*kind).clone_into(&mut component.entity_type);
        component.r#match = None;
        component.match_type = match names.next() {
            None => MATCH_SPECIFIED,
            Some(name) if name.is_empty() => MATCH_DEFAULT,
            Some(name) => {
                component.r#match = Some(name.clone());
                MATCH_EXACT
            }
        };
        request.components.push(component);
    }
    let answer = admin.ask("describeClientQuotas", &request)?;
    ClientError::check(answer.error_code, answer.error_message.as_deref())?;
    let mut entries = answer.entries.unwrap_or_default();
    let count = entries.len();
    java::map_order(&mut entries, count, entity_hash);
    for entry in &mut entries {
        let count = entry.values.len();
        java::map_order(&mut entry.values, count, |value| {
            java::string_hash(&value.key)
        });
    }
    Ok(entries)
}

/// The hash code of Kafka's `ClientQuotaEntity`.
fn entity_hash(entry: &EntryData) -> i32 {
    entry.entity.iter().fold(31, |sum: i32, part| {
        let name = part.entity_name.as_deref().map_or(0, java::string_hash);
        sum.wrapping_add(java::string_hash(&part.entity_type) ^ name)
    })
}

/// One entity with its quotas.
pub(super) fn line(entry: &EntryData) -> String {
    let parts = ["user", "client-id", "ip"].into_iter().filter_map(|kind| {
        let part = entry.entity.iter().find(|part| part.entity_type == kind)?;
        let shown = if kind == "user" {
            "user-principal"
        } else {
            kind
        };
        Some(match &part.entity_name {
            Some(name) => format!("{shown} '{name}'"),
            None => format!("the default {shown}"),
        })
    });
    let values = entry
        .values
        .iter()
        .map(|value| format!("{}={}", value.key, java::double(value.value)));
    format!(
        "Quota configs for {} are {}",
        java::joined(parts, ", "),
        java::joined(values, ", ")
    )
}

/// One entity with its quotas.
pub(super) fn to_json(entry: &EntryData) -> Value {
    let entity: serde_json::Map<String, Value> = entry
        .entity
        .iter()
        .map(|part| (part.entity_type.clone(), json!(part.entity_name)))
        .collect();
    let quotas: serde_json::Map<String, Value> = entry
        .values
        .iter()
        .map(|value| (value.key.clone(), json!(value.value)))
        .collect();
    json!({"entity": entity, "quotas": quotas})
}

/// Changes the quotas of one entity.
pub(super) fn alter(
    admin: &mut Admin,
    entities: &Entities,
    changes: &Changes,
) -> Result<(), Problem> {
    if entities.names.len() < entities.types.len() {
        return wrong("An entity name must be specified for every entity type");
    }
    let old = describe(admin, entities)?;
    let has = |key: &String| {
        old.iter()
            .flat_map(|entry| &entry.values)
            .any(|value| value.key == *key)
    };
    let missing: Vec<&String> = changes.delete.iter().filter(|key| !has(key)).collect();
    if !missing.is_empty() {
        return wrong(format!("Invalid config(s): {}", java::joined(missing, ",")));
    }
    let mut entry = alter_request::EntryData::default();
    for (kind, name) in entities.types.iter().zip(&entities.names) {
        let mut part = alter_request::EntityData::default();
        wire_type(*kind).clone_into(&mut part.entity_type);
        part.entity_name = Some(name.clone()).filter(|name| !name.is_empty());
        entry.entity.push(part);
    }
    for (key, text) in &changes.add {
        let Some(number) = java::parse_double(text) else {
            return wrong(format!(
                "Cannot parse quota configuration value for {key}: {text}"
            ));
        };
        let mut op = alter_request::OpData::default();
        op.key.clone_from(key);
        op.value = number;
        entry.ops.push(op);
    }
    for key in &changes.delete {
        let mut op = alter_request::OpData::default();
        op.key.clone_from(key);
        op.remove = true;
        entry.ops.push(op);
    }
    let mut request = AlterClientQuotasRequest::default();
    request.entries.push(entry);
    controller::change(admin, "alterClientQuotas", &request, |answer| {
        let entries = answer.entries.iter();
        entries
            .map(|entry| (entry.error_code, entry.error_message.clone()))
            .collect()
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::messages::describe_client_quotas_response::{EntityData, ValueData};

    fn entry(parts: &[(&str, Option<&str>)], values: &[(&str, f64)]) -> EntryData {
        let mut entry = EntryData::default();
        for (kind, name) in parts {
            let mut part = EntityData::default();
            (*kind).clone_into(&mut part.entity_type);
            part.entity_name = name.map(str::to_owned);
            entry.entity.push(part);
        }
        for (key, value) in values {
            let mut data = ValueData::default();
            (*key).clone_into(&mut data.key);
            data.value = *value;
            entry.values.push(data);
        }
        entry
    }

    #[test]
    fn entities_are_named_as_kafka_names_them() {
        let check = |entry: EntryData, expected: &str| assert_eq!(line(&entry), expected);
        check(
            entry(
                &[("client-id", Some("c"))],
                &[("consumer_byte_rate", 2048.0)],
            ),
            "Quota configs for client-id 'c' are consumer_byte_rate=2048.0",
        );
        check(
            entry(
                &[("client-id", None), ("user", Some("u"))],
                &[
                    ("producer_byte_rate", 12_345_678.0),
                    ("request_percentage", 0.0005),
                ],
            ),
            "Quota configs for user-principal 'u', the default client-id are \
             producer_byte_rate=1.2345678E7, request_percentage=5.0E-4",
        );
    }

    #[test]
    fn entities_come_in_the_order_of_kafkas_map() {
        let names = [
            None,
            Some("u7"),
            Some("u8"),
            Some("u9"),
            Some("u10"),
            Some("u11"),
        ];
        let mut entries: Vec<EntryData> = names
            .iter()
            .map(|name| entry(&[("user", *name)], &[]))
            .collect();
        java::map_order(&mut entries, 6, entity_hash);
        let order: Vec<Option<&str>> = entries
            .iter()
            .flat_map(|entry| entry.entity.iter().map(|part| part.entity_name.as_deref()))
            .collect();
        // As Apache Kafka's own tool printed them.
        assert_eq!(
            order,
            [
                Some("u9"),
                Some("u8"),
                Some("u10"),
                Some("u11"),
                None,
                Some("u7")
            ]
        );
    }
}
