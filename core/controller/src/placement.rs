//! Where the replicas of new partitions go (KIP-36).
//!
//! Three wishes, in this order: spread the replicas of a partition over racks, spread leaders over
//! brokers, prefer brokers that are not fenced (and let only such lead). Racks are walked in a circle
//! that starts one further for each partition; within a rack so are the brokers. When every broker has
//! led once, racks and brokers are shuffled, so that the same groups do not form again.

use std::collections::BTreeMap;

use ottla_base::NodeId;

use crate::refusal::Unplaceable;

/// A broker that takes replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacementBroker {
    /// Its id.
    pub id: NodeId,
    /// Its rack.
    pub rack: Option<String>,
    /// Whether it cannot lead at the moment.
    pub fenced: bool,
}

/// How many partitions to place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Partitions.
    pub partitions: usize,
    /// Replicas of each.
    pub replication_factor: i16,
}

/// Chooses the replicas of each partition, the leader first. `random` gives 64 random bits.
///
/// # Errors
/// `Unplaceable` if the factor is not positive or there are too few brokers.
pub fn place(
    placement: Placement,
    brokers: impl IntoIterator<Item = PlacementBroker>,
    random: &mut dyn FnMut() -> u64,
) -> Result<Vec<Vec<NodeId>>, Unplaceable> {
    let mut racks = Racks::new(brokers, random);
    let factor = placement.replication_factor;
    let replicas = usize::try_from(factor).ok().filter(|&count| count > 0);
    let Some(replicas) = replicas else {
        return Err(Unplaceable::NotPositive(factor));
    };
    if racks.unfenced == 0 {
        return Err(Unplaceable::NoBroker);
    }
    if replicas > racks.total {
        return Err(Unplaceable::TooFewBrokers {
            factor,
            brokers: racks.total,
        });
    }
    Ok((0..placement.partitions)
        .map(|_| racks.next_partition(replicas, random))
        .collect())
}

/// A number below `bound`, which is not zero.
fn below(bound: usize, random: &mut dyn FnMut() -> u64) -> usize {
    let bound = u64::try_from(bound).expect("a count fits 64 bits");
    usize::try_from(random() % bound).expect("below a count")
}

/// Fisher-Yates.
fn shuffle<T>(items: &mut [T], random: &mut dyn FnMut() -> u64) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1, random));
    }
}

/// Brokers in a circle. In each round each is given once, and the start moves on by one.
#[derive(Debug, Default)]
struct Circle {
    brokers: Vec<NodeId>,
    start: usize,
    given: usize,
    round: usize,
}

impl Circle {
    fn next(&mut self, round: usize) -> Option<NodeId> {
        if self.brokers.is_empty() {
            return None;
        }
        if self.round != round {
            self.round = round;
            self.given = 0;
            self.start = (self.start + 1) % self.brokers.len();
        }
        if self.given == self.brokers.len() {
            return None;
        }
        let broker = self.brokers[(self.start + self.given) % self.brokers.len()];
        self.given += 1;
        Some(broker)
    }

    fn begin(&mut self, random: &mut dyn FnMut() -> u64) {
        if !self.brokers.is_empty() {
            self.brokers.sort_unstable();
            self.start = below(self.brokers.len(), random);
        }
    }
}

#[derive(Debug, Default)]
struct Rack {
    unfenced: Circle,
    fenced: Circle,
}

#[derive(Debug)]
struct Racks {
    racks: Vec<Rack>,
    total: usize,
    unfenced: usize,
    /// One round per partition.
    round: usize,
    /// Rounds since racks and brokers were shuffled.
    since_shuffle: usize,
    /// The rack at which the next partition starts.
    start: usize,
}

impl Racks {
    fn new(
        brokers: impl IntoIterator<Item = PlacementBroker>,
        random: &mut dyn FnMut() -> u64,
    ) -> Self {
        // By name, those without a rack first.
        let mut by_name: BTreeMap<Option<String>, Rack> = BTreeMap::new();
        let (mut total, mut unfenced) = (0, 0);
        for broker in brokers {
            total += 1;
            let rack = by_name.entry(broker.rack).or_default();
            if broker.fenced {
                rack.fenced.brokers.push(broker.id);
            } else {
                unfenced += 1;
                rack.unfenced.brokers.push(broker.id);
            }
        }
        let mut racks: Vec<Rack> = by_name.into_values().collect();
        for rack in &mut racks {
            rack.fenced.begin(random);
            rack.unfenced.begin(random);
        }
        let start = if racks.is_empty() {
            0
        } else {
            below(racks.len(), random)
        };
        Self {
            racks,
            total,
            unfenced,
            round: 0,
            since_shuffle: 0,
            start,
        }
    }

    /// Replicas of one more partition. There is an unfenced broker, and no more replicas are wanted
    /// than there are brokers.
    fn next_partition(&mut self, replicas: usize, random: &mut dyn FnMut() -> u64) -> Vec<NodeId> {
        if self.since_shuffle == self.unfenced && self.unfenced > 1 {
            shuffle(&mut self.racks, random);
            for rack in &mut self.racks {
                shuffle(&mut rack.fenced.brokers, random);
                shuffle(&mut rack.unfenced.brokers, random);
            }
            self.since_shuffle = 0;
        }
        let (round, count) = (self.round, self.racks.len());
        if self.start == count {
            self.start = 0;
        }
        let mut chosen = Vec::with_capacity(replicas);

        // The leader: the first rack from the start that has an unfenced broker.
        let (leader_rack, leader) = (0..count)
            .map(|step| (self.start + step) % count)
            .find_map(|index| {
                self.racks[index]
                    .unfenced
                    .next(round)
                    .map(|broker| (index, broker))
            })
            .expect("a new round gives every unfenced broker again, and there is one");
        chosen.push(leader);

        // The followers: rack by rack from the start, the leader's rack left out the first time.
        let mut skip = Some(leader_rack);
        let mut index = self.start;
        while chosen.len() < replicas {
            if skip == Some(index) {
                skip = None;
            } else {
                let rack = &mut self.racks[index];
                chosen.extend(
                    rack.unfenced
                        .next(round)
                        .or_else(|| rack.fenced.next(round)),
                );
            }
            index = (index + 1) % count;
        }
        self.round += 1;
        self.since_shuffle += 1;
        self.start += 1;
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// xorshift64*, enough to shuffle by.
    fn rng(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed | 1;
        move || {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state.wrapping_mul(0x2545_F491_4F6C_DD1D)
        }
    }

    fn broker(id: i32, rack: &str, fenced: bool) -> PlacementBroker {
        let rack = (!rack.is_empty()).then(|| rack.to_owned());
        PlacementBroker {
            id: NodeId(id),
            rack,
            fenced,
        }
    }

    fn check(brokers: &[PlacementBroker], factor: i16, expected: Result<usize, &str>) {
        let placement = Placement {
            partitions: 5,
            replication_factor: factor,
        };
        let placed = place(placement, brokers.to_vec(), &mut rng(7));
        let found = placed
            .map(|partitions| partitions[0].len())
            .map_err(|e| e.to_string());
        assert_eq!(
            found.as_ref().map_err(String::as_str),
            expected.as_ref().map_err(|e| *e)
        );
    }

    #[test]
    fn too_few_brokers_are_refused_with_kafkas_words() {
        check(&[broker(1, "", false)], 1, Ok(1));
        check(
            &[broker(1, "", false)],
            0,
            Err("Invalid replication factor 0: the replication factor must be positive."),
        );
        let all_fenced =
            "All brokers are currently fenced, or have all their log directories cordoned.";
        check(&[], 1, Err(all_fenced));
        check(&[broker(1, "", true)], 1, Err(all_fenced));
        check(&[broker(1, "", false), broker(2, "", true)], 2, Ok(2));
        check(
            &[broker(1, "", false), broker(2, "", true)],
            3,
            Err(
                "The target replication factor of 3 cannot be reached because only 2 broker(s) are \
                 registered or some brokers have all their log directories cordoned.",
            ),
        );
    }

    #[test]
    fn leaders_are_spread_evenly() {
        let brokers: Vec<_> = (0..4).map(|id| broker(id, "", false)).collect();
        let placement = Placement {
            partitions: 40,
            replication_factor: 3,
        };
        let placed = place(placement, brokers, &mut rng(3)).unwrap();
        for id in 0..4 {
            let led = placed
                .iter()
                .filter(|replicas| replicas[0] == NodeId(id))
                .count();
            assert_eq!(led, 10, "broker {id}");
        }
    }

    proptest! {
        #[test]
        fn placements_keep_their_promises(
            brokers in prop::collection::vec((0..4_usize, any::<bool>()), 1..12),
            factor in 1..6_i16,
            partitions in 1..40_usize,
            seed: u64,
        ) {
            let brokers: Vec<_> = brokers
                .iter()
                .zip(0..)
                .map(|(&(rack, fenced), id)| broker(id, ["", "a", "b", "c"][rack], fenced))
                .collect();
            let placement = Placement { partitions, replication_factor: factor };
            let wanted = usize::try_from(factor).unwrap();
            let unfenced = brokers.iter().filter(|b| !b.fenced).count();
            let placed = place(placement, brokers.clone(), &mut rng(seed));
            if unfenced == 0 || wanted > brokers.len() {
                prop_assert!(placed.is_err());
                return Ok(());
            }
            let placed = placed.unwrap();
            prop_assert_eq!(placed.len(), partitions);
            let find = |id: NodeId| brokers.iter().find(|b| b.id == id).unwrap();
            let racks: BTreeSet<_> = brokers.iter().map(|b| &b.rack).collect();
            for replicas in &placed {
                let distinct: BTreeSet<_> = replicas.iter().collect();
                prop_assert_eq!((replicas.len(), distinct.len()), (wanted, wanted));
                prop_assert!(!find(replicas[0]).fenced, "a leader is not fenced");
                let used: BTreeSet<_> = replicas.iter().map(|id| &find(*id).rack).collect();
                prop_assert_eq!(used.len(), racks.len().min(wanted), "racks are spread");
            }
        }
    }
}
