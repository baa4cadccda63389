//! The order in which Java's `HashMap` gives its entries.
//!
//! Some of Kafka's tools print a `HashMap` as it comes. The order looks random but is the same in each
//! run, and so it is part of the output that people compare.

/// Fewest buckets of a `HashMap`.
const BUCKETS_MIN: usize = 16;

/// `String.hashCode()`.
pub(crate) fn string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}

/// `TopicPartition.hashCode()`.
pub(crate) fn topic_partition_hash(topic: &str, partition: i32) -> i32 {
    31_i32
        .wrapping_add(partition)
        .wrapping_mul(31)
        .wrapping_add(string_hash(topic))
}

/// Puts entries, given in the order of their insertion, into the order in which a `HashMap` that grew
/// with them gives them.
pub(crate) fn hash_map_order<T>(entries: &mut [T], hash: impl Fn(&T) -> i32) {
    let mut buckets = BUCKETS_MIN;
    while entries.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    entries.sort_by_key(|entry| {
        let hash = hash(entry).cast_unsigned();
        let spread = usize::try_from(hash ^ (hash >> 16)).unwrap_or_default();
        spread & (buckets - 1)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_partitions_come_in_the_order_of_java() {
        let mut groups = [
            "classic-coop",
            "classic-range",
            "empty-1",
            "empty-2",
            "new-proto",
            "new-static",
        ];
        hash_map_order(&mut groups, |name| string_hash(name));
        assert_eq!(
            groups,
            [
                "classic-range",
                "empty-2",
                "classic-coop",
                "new-proto",
                "empty-1",
                "new-static"
            ]
        );
        let mut partitions = [0, 1, 2];
        hash_map_order(&mut partitions, |partition| {
            topic_partition_hash("t1", *partition)
        });
        assert_eq!(partitions, [2, 1, 0]);
    }
}
