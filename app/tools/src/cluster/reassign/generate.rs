//! `--generate`: a plan that spreads topics over brokers.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;

use super::plan::{self, TopicPartition};
use super::{Trouble, cluster};
use crate::common::{java, output};

/// A broker that may get replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Usable {
    id: i32,
    rack: Option<String>,
}

/// Prints where topics are, and a plan for them.
pub(super) fn run(admin: &mut Admin, text: &str, list: &str, racks: bool) -> Result<(), Trouble> {
    let ids = java::split(list, ',')
        .into_iter()
        .map(java::number)
        .collect::<Result<Vec<i32>, String>>()?;
    let twice = java::duplicates(ids.iter().copied(), |id| *id);
    if !twice.is_empty() {
        return Err(Trouble::Error(format!(
            "Broker list contains duplicate entries: [{}]",
            java::joined(twice, ", ")
        )));
    }
    let topics = plan::parse_topics(text)?;
    let twice = java::duplicates(topics.iter(), |name| java::string_hash(name));
    if !twice.is_empty() {
        return Err(Trouble::Error(format!(
            "List of topics to reassign contains duplicate entries: [{}]",
            java::joined(twice, ", ")
        )));
    }
    let mut current = BTreeMap::<TopicPartition, Vec<i32>>::new();
    for name in &topics {
        for partition in cluster::known_topic(admin, name)?.partitions {
            current.insert((name.clone(), partition.index), partition.replicas);
        }
    }
    let brokers: Vec<Usable> = admin
        .describe_cluster(false)?
        .brokers
        .into_iter()
        .filter(|broker| ids.contains(&broker.broker_id))
        .map(|broker| Usable {
            id: broker.broker_id,
            rack: broker.rack.filter(|_| racks),
        })
        .collect();
    let with_rack = brokers
        .iter()
        .filter(|broker| broker.rack.is_some())
        .count();
    if with_rack > 0 && with_rack < brokers.len() {
        return Err(Trouble::Error(
            "Not all brokers have rack information. Add --disable-rack-aware in command line to make \
             replica assignment without rack information."
                .to_owned(),
        ));
    }
    let mut proposed = BTreeMap::new();
    for name in &topics {
        let of_topic: Vec<(&TopicPartition, &Vec<i32>)> = current
            .iter()
            .filter(|((topic, _), _)| topic == name)
            .collect();
        let Some((_, first)) = of_topic.first() else {
            continue;
        };
        let start = RandomState::new().build_hasher().finish();
        let start = usize::try_from(start % 65_536).unwrap_or_default();
        let places = place(&brokers, of_topic.len(), first.len(), start)?;
        for ((key, _), replicas) in of_topic.into_iter().zip(places) {
            proposed.insert(key.clone(), replicas);
        }
    }
    let dirs = cluster::dirs(admin, &current)?;
    output::line(&format!(
        "Current partition replica assignment\n{}\n",
        plan::format(&current, &dirs)
    ));
    output::line(&format!(
        "Proposed partition reassignment configuration\n{}",
        plan::format(&proposed, &BTreeMap::new())
    ));
    Ok(())
}

/// Chooses brokers for partitions: the first replicas go round the brokers from `start` on, racks in turn,
/// and the others follow, each in a rack that has the fewest of the partition.
fn place(
    brokers: &[Usable],
    partitions: usize,
    replicas: usize,
    start: usize,
) -> Result<Vec<Vec<i32>>, String> {
    // An exception without a trace, so Kafka's tool prints it twice.
    let refused = |text: String| {
        let error = ClientError::refused(ErrorCode::InvalidReplicationFactor.code(), Some(&text));
        Err(format!("{text}\n{}", error.to_java()))
    };
    if brokers.is_empty() {
        return refused(
            "All brokers are currently fenced, or have all their log directories cordoned."
                .to_owned(),
        );
    }
    if replicas > brokers.len() {
        return refused(format!(
            "The target replication factor of {replicas} cannot be reached because only {} broker(s) are \
             registered or some brokers have all their log directories cordoned.",
            brokers.len()
        ));
    }
    let mut racks = BTreeMap::<Option<&str>, Vec<&Usable>>::new();
    for broker in brokers {
        racks
            .entry(broker.rack.as_deref())
            .or_default()
            .push(broker);
    }
    let longest = racks.values().map(Vec::len).max().unwrap_or_default();
    let ring: Vec<&Usable> = (0..longest)
        .flat_map(|at| racks.values().filter_map(move |rack| rack.get(at).copied()))
        .collect();
    let chosen = (0..partitions).map(|partition| {
        let first = start.saturating_add(partition) % ring.len();
        // Followers stand further off with each round, so that a broker's load spreads if it fails.
        let shift = partition / ring.len() % ring.len().saturating_sub(1).max(1);
        let mut left: Vec<&Usable> = ring
            .iter()
            .cycle()
            .skip(first)
            .take(ring.len())
            .copied()
            .collect();
        if let Some(followers) = left.get_mut(1..) {
            let by = if followers.is_empty() {
                0
            } else {
                shift % followers.len()
            };
            followers.rotate_left(by);
        }
        let mut taken: Vec<&Usable> = Vec::new();
        for _ in 0..replicas {
            let in_rack = |broker: &Usable| {
                taken
                    .iter()
                    .filter(|other| other.rack == broker.rack)
                    .count()
            };
            let next = left
                .iter()
                .enumerate()
                .min_by_key(|(_, broker)| in_rack(broker))
                .map(|(at, _)| at);
            if let Some(at) = next {
                taken.push(left.remove(at));
            }
        }
        taken.into_iter().map(|broker| broker.id).collect()
    });
    Ok(chosen.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(racks: &[Option<&str>]) -> Vec<Usable> {
        (1..)
            .zip(racks)
            .map(|(id, rack)| Usable {
                id,
                rack: rack.map(str::to_owned),
            })
            .collect()
    }

    #[test]
    fn replicas_stand_on_different_brokers_and_racks_and_leaders_are_spread() {
        for start in 0..7 {
            let four = brokers(&[Some("a"), Some("a"), Some("b"), Some("b")]);
            let places = place(&four, 8, 2, start).expect("there are enough");
            for replicas in &places {
                let [leader, follower] = replicas.as_slice() else {
                    panic!("two replicas: {replicas:?}");
                };
                assert_ne!((*leader <= 2), (*follower <= 2), "{places:?}");
            }
            for id in 1..=4 {
                let led = places
                    .iter()
                    .filter(|replicas| replicas.first() == Some(&id));
                assert_eq!(led.count(), 2, "{places:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_placed_is_refused() {
        assert!(place(&[], 1, 1, 0).is_err());
        assert!(place(&brokers(&[None]), 1, 2, 0).is_err());
        assert_eq!(
            place(&brokers(&[None]), 2, 1, 5),
            Ok(vec![vec![1], vec![1]])
        );
    }
}
