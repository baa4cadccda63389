//! `--verify`: how far a plan is.

use std::collections::BTreeMap;

use ottla_client::{Admin, ClientError};

use super::cluster::{self, Move, Place};
use super::plan::{self, Plan, Replica, TopicPartition};
use super::{Trouble, throttle};
use crate::common::topics::Topic;
use crate::common::{java, output};

/// Shows how far a plan is, and removes throttles once nothing moves any more.
pub(super) fn run(admin: &mut Admin, text: &str, preserve: bool) -> Result<(), Trouble> {
    let plan = plan::parse(text)?;
    let moves = cluster::moves(admin)?;
    let lines = partitions(admin, &plan, &moves)?;
    output::line("Status of partition reassignment:");
    for line in lines {
        output::line(&line);
    }
    let places = cluster::places(admin, plan.dirs.keys())?;
    let states: Vec<(String, bool)> = plan
        .dirs
        .iter()
        .map(|(replica, target)| {
            let place = places.get(replica).cloned().unwrap_or_default();
            state(replica, target, &place)
        })
        .collect();
    // Kafka's tool ends its list with an end of line even if the list is empty.
    let lines = states.iter().map(|(line, _)| line);
    output::line(&java::joined(lines, "\n"));
    let under_way = !moves.is_empty() || states.iter().any(|(_, done)| !done);
    if under_way || preserve {
        Ok(())
    } else {
        throttle::clear(admin, &plan.partitions)
    }
}

fn partitions(
    admin: &mut Admin,
    plan: &Plan,
    moves: &BTreeMap<TopicPartition, Move>,
) -> Result<Vec<String>, ClientError> {
    let mut topics = BTreeMap::<&str, Option<Topic>>::new();
    let mut lines = BTreeMap::new();
    for (key @ (name, index), target) in &plan.partitions {
        let line = if moves.contains_key(key) {
            format!("Reassignment of partition {name}-{index} is still in progress.")
        } else {
            if !topics.contains_key(name.as_str()) {
                topics.insert(name, cluster::topic(admin, name)?);
            }
            let current = topics
                .get(name.as_str())
                .and_then(Option::as_ref)
                .and_then(|topic| topic.partitions.iter().find(|other| other.index == *index))
                .map(|partition| partition.replicas.as_slice())
                .unwrap_or_default();
            if current == target {
                format!("Reassignment of partition {name}-{index} is completed.")
            } else {
                format!(
                    "There is no active reassignment of partition {name}-{index}, but replica set is {} \
                     rather than {}.",
                    java::joined(current, ","),
                    java::joined(target, ",")
                )
            }
        };
        lines.insert(key, line);
    }
    Ok(lines.into_values().collect())
}

/// What is to be said of a move between log directories, and whether it is over.
fn state((topic, index, broker): &Replica, target: &str, place: &Place) -> (String, bool) {
    match (place.current.as_deref(), place.future.as_deref()) {
        (None, _) => (
            format!(
                "Partition {topic}-{index} is not found in any live log dir on broker {broker}. There is \
                 likely an offline log directory on the broker."
            ),
            true,
        ),
        (Some(_), Some(future)) if future == target => (
            format!("Reassignment of replica {topic}-{index}-{broker} is still in progress."),
            false,
        ),
        (Some(_), Some(future)) => (
            format!(
                "Partition {topic}-{index} on broker {broker} is being moved to log dir {future} instead of \
                 {target}."
            ),
            false,
        ),
        (Some(current), None) if current == target => (
            format!("Reassignment of replica {topic}-{index}-{broker} completed successfully."),
            true,
        ),
        (Some(current), None) => (
            format!(
                "Partition {topic}-{index} on broker {broker} is not being moved from log dir {current} to \
                 {target}."
            ),
            true,
        ),
    }
}
