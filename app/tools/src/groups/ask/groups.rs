//! Lists of groups, and asking who coordinates one.

use std::collections::BTreeMap;

use ottla_client::{Admin, Attempt, Call, ClientError, CoordinatorKind};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{DeleteGroupsRequest, ListGroupsRequest};

use crate::common::java;

/// One group of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Listing {
    pub(in super::super) group: String,
    pub(in super::super) kind: String,
    pub(in super::super) protocol: String,
    pub(in super::super) state: String,
}

/// All groups of a cluster that pass the filters, in the order in which Kafka's client gives them. An
/// empty filter lets everything through. The error is the text of the exception with its name.
pub(in super::super) fn list_groups(
    admin: &mut Admin,
    states: &[String],
    types: &[String],
    protocols: Option<&[&str]>,
) -> Result<Vec<Listing>, String> {
    let brokers = admin
        .retry("findAllBrokers", |admin| {
            let cluster = admin.cluster()?;
            Ok(Attempt::Done(
                cluster
                    .brokers
                    .iter()
                    .map(|broker| broker.broker_id)
                    .collect::<Vec<_>>(),
            ))
        })
        .map_err(|_| {
            "org.apache.kafka.common.KafkaException: Failed to find brokers to send ListGroups"
                .to_owned()
        })?;
    let mut request = ListGroupsRequest::default();
    let mut found: BTreeMap<String, Listing> = BTreeMap::new();
    let mut order = Vec::new();
    for broker in brokers {
        let answer = admin
            .retry("listGroups", |admin| {
                let connection = admin.node(broker)?;
                let version = connection.version::<ListGroupsRequest>()?;
                request.states_filter = if version >= 4 {
                    states.to_vec()
                } else {
                    Vec::new()
                };
                request.types_filter = if version >= 5 {
                    types.to_vec()
                } else {
                    Vec::new()
                };
                let answer = connection.exchange(&request, version)?;
                ClientError::check(answer.error_code, None)?;
                Ok(Attempt::Done(answer))
            })
            .map_err(|error| error.to_java())?;
        for group in answer.groups {
            let listing = Listing {
                kind: type_name(&group.group_type),
                group: group.group_id,
                protocol: group.protocol_type,
                state: group.group_state,
            };
            let passes = (types.is_empty()
                || listing.kind.is_empty()
                || types
                    .iter()
                    .any(|kind| kind.eq_ignore_ascii_case(&listing.kind)))
                && protocols.is_none_or(|protocols| protocols.contains(&listing.protocol.as_str()));
            if passes
                && found
                    .insert(listing.group.clone(), listing.clone())
                    .is_none()
            {
                order.push(listing.group);
            }
        }
    }
    java::hash_map_order(&mut order, |group| java::string_hash(group));
    Ok(order
        .iter()
        .filter_map(|group| found.remove(group))
        .collect())
}

/// `classic` as Kafka's tools print it: `Classic`.
fn type_name(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

/// Asks the coordinator of a group, in at most `newest` version, and says who it is. `refusal` gives the
/// error code of the whole answer.
pub(in super::super) fn coordinator<C: Call>(
    admin: &mut Admin,
    call: &str,
    group: &str,
    request: impl Fn(i16) -> C,
    newest: i16,
    refusal: impl Fn(&C::Response) -> i16,
) -> Result<(DescribeClusterBroker, C::Response), ClientError> {
    admin.retry(&format!("{call}(api=FIND_COORDINATOR)"), |admin| {
        let id = admin.find_coordinator(CoordinatorKind::Group, group)?;
        let node = admin
            .cluster()?
            .brokers
            .iter()
            .find(|broker| broker.broker_id == id)
            .cloned()
            .ok_or_else(|| ClientError::refused(ErrorCode::CoordinatorNotAvailable.code(), None))?;
        let connection = admin.node(id)?;
        let version = connection.version::<C>()?.min(newest);
        let answer = connection.exchange(&request(version), version)?;
        let code = refusal(&answer);
        let again = [
            ErrorCode::CoordinatorLoadInProgress,
            ErrorCode::CoordinatorNotAvailable,
            ErrorCode::NotCoordinator,
        ];
        if again.iter().any(|error| error.code() == code) {
            return Ok(Attempt::Again(ClientError::refused(code, None)));
        }
        Ok(Attempt::Done((node, answer)))
    })
}

/// Deletes a group. `call` is the name that Kafka's admin client gives it.
pub(in super::super) fn delete_group(
    admin: &mut Admin,
    call: &str,
    group: &str,
) -> Result<(), ClientError> {
    let request = |_| DeleteGroupsRequest {
        groups_names: vec![group.to_owned()],
    };
    let (_, answer) =
        coordinator::<DeleteGroupsRequest>(admin, call, group, request, i16::MAX, |answer| {
            answer
                .results
                .first()
                .map(|result| result.error_code)
                .unwrap_or_default()
        })?;
    answer
        .results
        .first()
        .map_or(Ok(()), |result| ClientError::check(result.error_code, None))
}
