//! Throttles of moves: which replicas and brokers they hold for, setting and removing them.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::{Admin, ClientError};

use super::cluster::Move;
use super::plan::TopicPartition;
use super::{Trouble, cluster};
use crate::common::configs::{self, Change, Kind};
use crate::common::{java, output};

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const DIRS_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

/// From which brokers to which a partition moves.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) from: BTreeSet<i32>,
    pub(super) to: BTreeSet<i32>,
}

/// The ways of all moves: those under way and those of a plan. A partition that moves already has the same
/// sources as before.
pub(super) fn ways(
    under_way: &BTreeMap<TopicPartition, Move>,
    plan: &[(TopicPartition, Vec<i32>)],
    current: &BTreeMap<TopicPartition, Vec<i32>>,
) -> BTreeMap<TopicPartition, Way> {
    let mut ways: BTreeMap<TopicPartition, Way> = under_way
        .iter()
        .map(|(partition, step)| {
            let adding: BTreeSet<i32> = step.adding.iter().copied().collect();
            let all: BTreeSet<i32> = step.replicas.iter().copied().collect();
            let from = all.difference(&adding).copied().collect();
            (partition.clone(), Way { from, to: adding })
        })
        .collect();
    for (partition, replicas) in plan {
        let from: BTreeSet<i32> = match (ways.remove(partition), current.get(partition)) {
            (Some(way), _) => way.from,
            (None, Some(replicas)) => replicas.iter().copied().collect(),
            (None, None) => BTreeSet::new(),
        };
        let to = replicas
            .iter()
            .copied()
            .filter(|id| !from.contains(id))
            .collect();
        ways.insert(partition.clone(), Way { from, to });
    }
    ways
}

/// The values of the two configs of each topic: `partition:broker` of the sources, and of the targets.
fn replicas(ways: &BTreeMap<TopicPartition, Way>) -> BTreeMap<&str, (String, String)> {
    let mut sets = BTreeMap::<&str, (BTreeSet<String>, BTreeSet<String>)>::new();
    for ((topic, index), way) in ways {
        let (from, to) = sets.entry(topic).or_default();
        from.extend(way.from.iter().map(|id| format!("{index}:{id}")));
        let new = way.to.difference(&way.from);
        to.extend(new.map(|id| format!("{index}:{id}")));
    }
    sets.into_iter()
        .map(|(topic, (from, to))| (topic, (java::joined(from, ","), java::joined(to, ","))))
        .collect()
}

/// Throttles moves between brokers.
pub(super) fn limit_brokers(
    admin: &mut Admin,
    ways: &BTreeMap<TopicPartition, Way>,
    rate: i64,
) -> Result<(), Trouble> {
    for (topic, (from, to)) in replicas(ways) {
        let changes = [set(LEADER_REPLICAS, from), set(FOLLOWER_REPLICAS, to)];
        configs::alter(admin, None, Kind::Topic, topic, &changes)?;
    }
    let brokers: BTreeSet<i32> = ways
        .values()
        .flat_map(|way| way.from.iter().chain(&way.to))
        .copied()
        .collect();
    let changes = [
        set(LEADER_RATE, rate.to_string()),
        set(FOLLOWER_RATE, rate.to_string()),
    ];
    of_brokers(admin, &brokers, &changes)?;
    output::line(&format!(
        "The inter-broker throttle limit was set to {rate} B/s"
    ));
    Ok(())
}

/// Throttles moves between log directories.
pub(super) fn limit_dirs(
    admin: &mut Admin,
    brokers: &BTreeSet<i32>,
    rate: i64,
) -> Result<(), Trouble> {
    of_brokers(admin, brokers, &[set(DIRS_RATE, rate.to_string())])?;
    output::line(&format!(
        "The replica-alter-dir throttle limit was set to {rate} B/s"
    ));
    Ok(())
}

/// Removes every throttle of the brokers of the cluster and of a plan, and of the plan's topics.
pub(super) fn clear(admin: &mut Admin, plan: &[(TopicPartition, Vec<i32>)]) -> Result<(), Trouble> {
    let mut brokers = cluster::brokers(admin)?;
    brokers.extend(plan.iter().flat_map(|(_, replicas)| replicas));
    let topics: BTreeSet<&str> = plan.iter().map(|((topic, _), _)| topic.as_str()).collect();
    // As Kafka's tool has them in sets.
    let mut brokers: Vec<i32> = brokers.into_iter().collect();
    java::hash_map_order(&mut brokers, |id| *id);
    let mut topics: Vec<&str> = topics.into_iter().collect();
    java::name_order(&mut topics, |name| name);
    output::line(&format!(
        "Clearing broker-level throttles on broker{} {}",
        plural(brokers.len()),
        java::joined(&brokers, ",")
    ));
    of_brokers(
        admin,
        &brokers,
        &[LEADER_RATE, FOLLOWER_RATE, DIRS_RATE].map(delete),
    )?;
    output::line(&format!(
        "Clearing topic-level throttles on topic{} {}",
        plural(topics.len()),
        java::joined(&topics, ",")
    ));
    for topic in topics {
        let changes = [LEADER_REPLICAS, FOLLOWER_REPLICAS].map(delete);
        configs::alter(admin, None, Kind::Topic, topic, &changes)?;
    }
    Ok(())
}

/// The ending of a word for `count` things.
pub(super) const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn of_brokers<'a>(
    admin: &mut Admin,
    brokers: impl IntoIterator<Item = &'a i32>,
    changes: &[Change],
) -> Result<(), ClientError> {
    for broker in brokers {
        let name = broker.to_string();
        configs::alter(admin, Some(*broker), Kind::Broker, &name, changes)?;
    }
    Ok(())
}

fn set(name: &str, value: String) -> Change {
    Change {
        name: name.to_owned(),
        value: Some(value),
    }
}

fn delete(name: &str) -> Change {
    Change {
        name: name.to_owned(),
        value: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttles_name_old_replicas_at_the_leader_and_new_ones_at_the_follower() {
        let key = |index| ("t".to_owned(), index);
        let under_way = BTreeMap::from([(
            key(0),
            Move {
                replicas: vec![3, 1],
                adding: vec![3],
                removing: vec![1],
            },
        )]);
        let plan = [(key(0), vec![2]), (key(1), vec![1, 2])];
        let current = BTreeMap::from([(key(0), vec![3, 1]), (key(1), vec![1])]);
        let ways = ways(&under_way, &plan, &current);
        assert_eq!(
            replicas(&ways),
            BTreeMap::from([("t", ("0:1,1:1".to_owned(), "0:2,1:2".to_owned()))])
        );
    }
}
