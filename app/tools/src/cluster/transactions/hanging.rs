//! `find-hanging`: open transactions of which no coordinator knows any more.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::{Admin, ClientError};
use ottla_protocol::messages::describe_producers_response::ProducerState;

use super::{ask, debug, now_ms, show};
use crate::common::argparse::Parsed;
use crate::common::format::Format;
use crate::common::usage::Failure;

/// Minutes that a transaction may take if the option is not given.
const MINUTES: i32 = 15;

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

/// An open transaction in a partition.
struct Open {
    topic: String,
    index: i32,
    state: ProducerState,
}

/// Finds and prints them.
pub(super) fn find(admin: &mut Admin, parsed: &Parsed, format: Format) -> Result<(), Failure> {
    let broker: Option<i32> = parsed.number("broker-id");
    let topic = parsed.value("topic");
    let index: Option<i32> = parsed.number("partition");
    if topic.is_none() && broker.is_none() {
        let text = "The `find-hanging` command requires either --topic or --broker-id to limit \
                    the scope of the search";
        return Err(Failure::Failed(text.to_owned()));
    }
    if index.is_some() && topic.is_none() {
        let text = "The --partition argument requires --topic to be provided";
        return Err(Failure::Failed(text.to_owned()));
    }
    let minutes = parsed.number("max-transaction-timeout").unwrap_or(MINUTES);
    let longest = i64::from(minutes) * MINUTE_MS;
    let places = places(admin, broker, topic, index)?;
    let open = open(admin, &places, broker, longest)?;
    let hanging = hanging(admin, open)?;
    let now = now_ms();
    let rows: Vec<_> = hanging
        .iter()
        .map(|open| {
            let minutes = now.saturating_sub(open.state.last_timestamp) / MINUTE_MS;
            vec![
                open.topic.clone(),
                open.index.to_string(),
                open.state.producer_id.to_string(),
                open.state.producer_epoch.to_string(),
                open.state.coordinator_epoch.to_string(),
                open.state.current_txn_start_offset.to_string(),
                open.state.last_timestamp.to_string(),
                minutes.to_string(),
            ]
        })
        .collect();
    let headers = [
        "Topic",
        "Partition",
        "ProducerId",
        "ProducerEpoch",
        "CoordinatorEpoch",
        "StartOffset",
        "LastTimestamp",
        "Duration(min)",
    ];
    show(format, &headers, &rows);
    Ok(())
}

/// The partitions to look into.
fn places(
    admin: &mut Admin,
    broker: Option<i32>,
    topic: Option<&str>,
    index: Option<i32>,
) -> Result<Vec<(String, i32)>, Failure> {
    if let (Some(topic), Some(index)) = (topic, index) {
        return Ok(vec![(topic.to_owned(), index)]);
    }
    let names = topic.map(|name| vec![name.to_owned()]);
    let failed = |error: &ClientError| match topic {
        Some(_) => debug(&format!("Failed to describe 1 topics: {error}")),
        None => debug(&format!("Failed to list topics: {error}")),
    };
    let call = if topic.is_some() {
        "describeTopics"
    } else {
        "listTopics"
    };
    let metadata = admin
        .metadata(call, names.as_deref())
        .map_err(|error| failed(&error))?;
    let mut places = Vec::new();
    for topic in metadata.topics {
        ClientError::check(topic.error_code, None).map_err(|error| failed(&error))?;
        let name = topic.name.unwrap_or_default();
        for partition in &topic.partitions {
            if broker.is_none_or(|broker| partition.replica_nodes.contains(&broker)) {
                places.push((name.clone(), partition.partition_index));
            }
        }
    }
    Ok(places)
}

/// Transactions that are open for longer than a transaction may take.
fn open(
    admin: &mut Admin,
    places: &[(String, i32)],
    broker: Option<i32>,
    longest: i64,
) -> Result<Vec<Open>, Failure> {
    let mut open = Vec::new();
    for (topic, index) in places {
        let producers = ask::producers(admin, topic, *index, broker).map_err(|error| {
            let place = broker.map_or_else(
                || "Optional.empty".to_owned(),
                |broker| format!("Optional[{broker}]"),
            );
            debug(&format!(
                "Failed to describe producers for {} partitions on broker {place}: {error}",
                places.len()
            ))
        })?;
        let now = now_ms();
        open.extend(
            producers
                .into_iter()
                .filter(|state| {
                    state.current_txn_start_offset >= 0
                        && now.saturating_sub(state.last_timestamp) > longest
                })
                .map(|state| Open {
                    topic: topic.clone(),
                    index: *index,
                    state,
                }),
        );
    }
    Ok(open)
}

/// Those of which their coordinator does not know, or not with this partition.
fn hanging(admin: &mut Admin, open: Vec<Open>) -> Result<Vec<Open>, Failure> {
    if open.is_empty() {
        return Ok(open);
    }
    let producers: BTreeSet<i64> = open.iter().map(|open| open.state.producer_id).collect();
    let filter = ask::Filter {
        producer_ids: producers.iter().copied().collect(),
        duration: -1,
        pattern: None,
    };
    let listed = ask::list(admin, &filter).map_err(|error| {
        debug(&format!(
            "Failed to list transactions for {} producers: {error}",
            producers.len()
        ))
    })?;
    // Where each producer's transaction writes, as its coordinator knows.
    let mut known: BTreeMap<i64, BTreeSet<(String, i32)>> = BTreeMap::new();
    for (_, state) in listed {
        if !producers.contains(&state.producer_id) {
            continue;
        }
        // An id that is gone meanwhile leaves its transactions hanging.
        if let Ok((_, described)) = ask::describe(admin, &state.transactional_id) {
            let places = described.topics.iter().flat_map(|topic| {
                let indexes = topic.partitions.iter();
                indexes.map(|index| (topic.topic.clone(), *index))
            });
            known.entry(state.producer_id).or_default().extend(places);
        }
    }
    Ok(open
        .into_iter()
        .filter(|open| {
            let place = (open.topic.clone(), open.index);
            !known
                .get(&open.state.producer_id)
                .is_some_and(|places| places.contains(&place))
        })
        .collect())
}
