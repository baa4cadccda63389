//! DescribeClientQuotas (key 48, versions 0-1, broker listener, DESCRIBE_CONFIGS Cluster; KIP-546).
//!
//! Tells the quotas that the metadata holds. They are kept, not enforced, as long as quotas are not served.

use std::collections::BTreeMap;

use ottla_metadata::{ClientQuotasImage, QuotaEntity};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_client_quotas_request::ComponentData;
use ottla_protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use ottla_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use crate::api_table::RequestContext;

const IP: &str = "ip";
const ENTITY_TYPES: [&str; 3] = ["user", "client-id", IP];

/// What the entity of one type must be.
enum Wanted<'a> {
    /// The one of this name.
    Exact(&'a str),
    /// The default of the type.
    Default,
    /// Any, the default included.
    Specified,
}

impl Wanted<'_> {
    fn matches(&self, name: Option<&str>) -> bool {
        match self {
            Self::Exact(wanted) => name == Some(*wanted),
            Self::Default => name.is_none(),
            Self::Specified => true,
        }
    }
}

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    let wanted = match filter(&request.components) {
        Ok(wanted) => wanted,
        Err((error, message)) => {
            return DescribeClientQuotasResponse {
                error_code: error.code(),
                error_message: Some(message),
                entries: None,
                ..DescribeClientQuotasResponse::default()
            };
        }
    };
    let image = ctx.node.image();
    let matching = matching(&image.client_quotas, &wanted, request.strict);
    let entries = matching.map(|(entity, values)| EntryData {
        entity: entity
            .iter()
            .map(|(entity_type, entity_name)| EntityData {
                entity_type: entity_type.clone(),
                entity_name: entity_name.clone(),
            })
            .collect(),
        values: values
            .iter()
            .map(|(key, value)| ValueData {
                key: key.clone(),
                value: *value,
            })
            .collect(),
    });
    DescribeClientQuotasResponse {
        error_message: Some(String::new()),
        entries: Some(entries.collect()),
        ..DescribeClientQuotasResponse::default()
    }
}

/// The entities that have all the parts wanted, and no others if `strict`.
fn matching<'a>(
    quotas: &'a ClientQuotasImage,
    wanted: &'a BTreeMap<&str, Wanted<'_>>,
    strict: bool,
) -> impl Iterator<Item = (&'a QuotaEntity, &'a BTreeMap<String, f64>)> {
    quotas.entities.iter().filter(move |(entity, _)| {
        let part = |kind: &str| entity.iter().find(|(known, _)| known == kind);
        let mut parts = wanted.iter();
        let all = parts.all(|(kind, wanted)| {
            part(kind).is_some_and(|(_, name)| wanted.matches(name.as_deref()))
        });
        all && (!strict || entity.len() == wanted.len())
    })
}

fn filter(components: &[ComponentData]) -> Result<BTreeMap<&str, Wanted<'_>>, (ErrorCode, String)> {
    let invalid = |text: String| Err((ErrorCode::InvalidRequest, text));
    let mut wanted = BTreeMap::new();
    for component in components {
        let kind = component.entity_type.as_str();
        if kind.is_empty() {
            return invalid("Invalid empty entity type.".to_owned());
        }
        if !ENTITY_TYPES.contains(&kind) {
            let text = format!("Unsupported entity type {kind}");
            return Err((ErrorCode::UnsupportedVersion, text));
        }
        if wanted.contains_key(kind) {
            return invalid(format!(
                "Entity type {kind} cannot appear more than once in the filter."
            ));
        }
        let what = match (component.match_type, component.r#match.as_deref()) {
            (0, Some(name)) => Wanted::Exact(name),
            (1, None) => Wanted::Default,
            (2, None) => Wanted::Specified,
            (0, None) => {
                let text = "Request specified MATCH_TYPE_EXACT, but set match string to null.";
                return invalid(text.to_owned());
            }
            (kind @ (1 | 2), Some(_)) => {
                let kind = if kind == 1 { "DEFAULT" } else { "SPECIFIED" };
                return invalid(format!(
                    "Request specified MATCH_TYPE_{kind}, but also specified a match string."
                ));
            }
            (other, _) => return invalid(format!("Unknown match type {other}")),
        };
        wanted.insert(kind, what);
    }
    if wanted.contains_key(IP) && wanted.len() > 1 {
        return invalid(
            "Invalid entity filter component combination. IP filter component should not be used \
             with user or clientId filter component."
                .to_owned(),
        );
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(kind: &str, match_type: i8, name: Option<&str>) -> ComponentData {
        ComponentData {
            entity_type: kind.to_owned(),
            match_type,
            r#match: name.map(str::to_owned),
        }
    }

    #[test]
    fn entities_match_as_in_kafka() {
        let part = |kind: &str, name: Option<&str>| (kind.to_owned(), name.map(str::to_owned));
        let entities = [
            ("ip", vec![part("ip", Some("1.2.3.4"))]),
            ("al", vec![part("user", Some("al"))]),
            (
                "al, any client",
                vec![part("client-id", None), part("user", Some("al"))],
            ),
            ("any user", vec![part("user", None)]),
        ];
        let quotas = ClientQuotasImage {
            entities: entities
                .iter()
                .map(|(name, entity)| (entity.clone(), [((*name).to_owned(), 1.0)].into()))
                .collect(),
        };
        let check = |components: &[ComponentData], strict, expected: &[&str]| {
            let Ok(wanted) = filter(components) else {
                panic!("{components:?}");
            };
            let found = matching(&quotas, &wanted, strict);
            let mut found: Vec<&str> = found
                .flat_map(|(_, values)| values.keys().map(String::as_str))
                .collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{components:?} {strict}");
        };
        check(&[], false, &["al", "al, any client", "any user", "ip"]);
        check(&[], true, &[]);
        let al = component("user", 0, Some("al"));
        check(std::slice::from_ref(&al), false, &["al", "al, any client"]);
        check(&[al], true, &["al"]);
        check(&[component("user", 1, None)], false, &["any user"]);
        let user = component("user", 2, None);
        check(
            std::slice::from_ref(&user),
            false,
            &["al", "al, any client", "any user"],
        );
        let client = component("client-id", 2, None);
        check(&[user, client], true, &["al, any client"]);
        check(&[component("ip", 2, None)], false, &["ip"]);
    }
}
