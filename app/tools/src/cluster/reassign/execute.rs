//! `--execute` and `--cancel`.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;

use super::plan::{self, Replica, TopicPartition};
use super::throttle::plural;
use super::{Trouble, cluster, throttle};
use crate::common::{java, output};

/// Pause between tries to begin a move between log directories.
const PAUSE: Duration = Duration::from_millis(100);

/// How a plan is to be done.
pub(super) struct How {
    /// Even if other moves are under way.
    pub(super) additional: bool,
    /// Limit of moves between brokers, in bytes a second; less than 0 for none.
    pub(super) between_brokers: Option<i64>,
    /// Limit of moves between log directories.
    pub(super) between_dirs: Option<i64>,
    /// Time that moves between log directories may take to begin.
    pub(super) timeout_ms: i64,
    /// Refuse to change the count of replicas.
    pub(super) keep_count: bool,
}

/// Begins to do a plan.
pub(super) fn run(admin: &mut Admin, text: &str, how: &How) -> Result<(), Trouble> {
    let plan = plan::parse_to_do(text)?;
    let under_way = cluster::moves(admin)?;
    if !how.additional && !under_way.is_empty() {
        return Err(Trouble::Terse(
            "Cannot execute because there is an existing partition assignment.  Use --additional to \
             override this and create a new partition assignment in addition to the existing one. The \
             --additional flag can also be used to change the throttle by resubmitting the current \
             reassignment."
                .to_owned(),
        ));
    }
    let live = cluster::brokers(admin)?;
    let named: BTreeSet<i32> = plan
        .partitions
        .iter()
        .flat_map(|(_, replicas)| replicas)
        .copied()
        .collect();
    if let Some(broker) = named.difference(&live).next() {
        return Err(Trouble::Error(format!("Unknown broker id {broker}")));
    }
    let current = current(admin, &plan.partitions)?;
    let dirs = cluster::dirs(admin, &current)?;
    output::line(&format!(
        "Current partition replica assignment\n\n{}\n\nSave this to use as the \
         --reassignment-json-file option during rollback",
        plan::format(&current, &dirs)
    ));
    let between_brokers = how.between_brokers.filter(|rate| *rate >= 0);
    let between_dirs = how.between_dirs.filter(|rate| *rate >= 0);
    if between_brokers.is_some() || between_dirs.is_some() {
        output::line(
            "Warning: You must run --verify periodically, until the reassignment completes, to ensure the \
             throttle is removed.",
        );
    }
    if let Some(rate) = between_brokers {
        let ways = throttle::ways(&under_way, &plan.partitions, &current);
        throttle::limit_brokers(admin, &ways, rate)?;
    }
    if let Some(rate) = between_dirs {
        let brokers = plan.dirs.keys().map(|(_, _, broker)| *broker).collect();
        throttle::limit_dirs(admin, &brokers, rate)?;
    }
    let steps = plan.partitions.iter().map(|(key, ids)| (key, Some(ids)));
    let refused = cluster::alter(admin, steps, how.keep_count)?;
    if !refused.is_empty() {
        return Err(Trouble::Terse(format!(
            "Error reassigning partition(s):\n{}",
            reasons(&refused)
        )));
    }
    let keys: BTreeSet<&TopicPartition> = plan.partitions.iter().map(|(key, _)| key).collect();
    output::line(&format!(
        "Successfully started partition reassignment{} for {}",
        plural(keys.len()),
        names(keys)
    ));
    begin_dirs(admin, plan.dirs, how.timeout_ms)
}

/// Stops what a plan began; with `limits`, removes throttles too.
pub(super) fn cancel(
    admin: &mut Admin,
    text: &str,
    limits: bool,
    timeout_ms: i64,
) -> Result<(), Trouble> {
    let plan = plan::parse(text)?;
    let under_way = cluster::moves(admin)?;
    let active: BTreeSet<&TopicPartition> = plan
        .partitions
        .iter()
        .map(|(key, _)| key)
        .filter(|key| under_way.contains_key(*key))
        .collect();
    if active.is_empty() {
        output::line("None of the specified partition reassignments are active.");
    } else {
        let refused = cluster::alter(admin, active.iter().map(|key| (*key, None)), false)?;
        if !refused.is_empty() {
            return Err(Trouble::Terse(format!(
                "Error cancelling partition reassignment{} for:\n{}",
                plural(refused.len()),
                reasons(&refused)
            )));
        }
        output::line(&format!(
            "Successfully cancelled partition reassignment{} for: {}",
            plural(active.len()),
            names(active)
        ));
    }
    // A move between log directories stops when the replica is sent where it is.
    let back: BTreeMap<Replica, String> = cluster::places(admin, plan.dirs.keys())?
        .into_iter()
        .filter(|(_, place)| place.future.is_some())
        .filter_map(|(replica, place)| Some((replica, place.current?)))
        .collect();
    if back.is_empty() {
        // Kafka's tool ends this without an end of line.
        output::text("None of the specified partition moves are active.");
    } else {
        begin_dirs(admin, back, timeout_ms)?;
    }
    if limits {
        throttle::clear(admin, &plan.partitions)?;
    }
    Ok(())
}

/// The replicas of a plan's partitions as they are.
fn current(
    admin: &mut Admin,
    plan: &[(TopicPartition, Vec<i32>)],
) -> Result<BTreeMap<TopicPartition, Vec<i32>>, Trouble> {
    let topics: BTreeSet<&str> = plan.iter().map(|((topic, _), _)| topic.as_str()).collect();
    let mut found = BTreeMap::new();
    for name in topics {
        for partition in cluster::known_topic(admin, name)?.partitions {
            found.insert((name.to_owned(), partition.index), partition.replicas);
        }
    }
    let keys: BTreeSet<&TopicPartition> = plan.iter().map(|(key, _)| key).collect();
    found.retain(|key, _| keys.contains(key));
    let missing: Vec<&TopicPartition> = keys
        .into_iter()
        .filter(|key| !found.contains_key(*key))
        .collect();
    if missing.is_empty() {
        return Ok(found);
    }
    let text = missing
        .iter()
        .map(|(topic, index)| format!("{topic}-{index}"));
    Err(cluster::unknown(&format!(
        "Unable to find partition: {}",
        java::joined(text, ", ")
    )))
}

/// Sends replicas to log directories; those that a broker does not have yet again, until the time is over.
fn begin_dirs(
    admin: &mut Admin,
    mut open: BTreeMap<Replica, String>,
    timeout_ms: i64,
) -> Result<(), Trouble> {
    let begun = Instant::now();
    while !open.is_empty() {
        let outcomes = cluster::move_dirs(admin, &open);
        for ((topic, index, broker), outcome) in &outcomes {
            match outcome {
                Ok(()) => {}
                Err(error) if error.code() == Some(ErrorCode::ReplicaNotAvailable) => {}
                Err(_) => {
                    return Err(Trouble::Error(format!(
                        "Failed to alter dir for {topic}-{index}-{broker}"
                    )));
                }
            }
        }
        for (replica, _) in outcomes.into_iter().filter(|(_, outcome)| outcome.is_ok()) {
            if let Some(dir) = open.remove(&replica) {
                let (topic, index, broker) = replica;
                output::line(&format!(
                    "Successfully started moving log directory to {dir} for replica {topic}-{index} with \
                     broker {broker} "
                ));
            }
        }
        output::flush();
        if open.is_empty() {
            break;
        }
        if begun.elapsed().as_millis() >= u128::try_from(timeout_ms).unwrap_or_default() {
            let names = open
                .keys()
                .map(|(topic, index, broker)| format!("{topic}-{index}-{broker}"));
            return Err(Trouble::Terse(format!(
                "Timed out before log directory move{} could be started for: {}",
                plural(open.len()),
                java::joined(names, ",")
            )));
        }
        sleep(PAUSE);
    }
    Ok(())
}

fn names<'a>(keys: impl IntoIterator<Item = &'a TopicPartition>) -> String {
    java::joined(
        keys.into_iter()
            .map(|(topic, index)| format!("{topic}-{index}")),
        ",",
    )
}

fn reasons(refused: &BTreeMap<TopicPartition, ClientError>) -> String {
    let lines = refused
        .iter()
        .map(|((topic, index), error)| format!("{topic}-{index}: {error}"));
    java::joined(lines, "\n")
}
