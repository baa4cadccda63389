//! Which partition of an internal topic is responsible for a key.

/// `String.hashCode` of Java: over UTF-16 units, wrapping.
#[must_use]
pub fn java_string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}

/// The partition, out of `count`, that is responsible for `key`: `abs(hash) % count`, where the absolute
/// value of `i32::MIN` is 0. Partition 0 if `count` is not positive.
#[must_use]
pub fn partition_for(key: &str, count: i32) -> i32 {
    let hash = java_string_hash(key);
    hash.checked_abs()
        .unwrap_or(0)
        .checked_rem(count.max(1))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        for (text, hash) in [
            ("", 0),
            ("a", 97),
            ("simple", -902_286_926),
            ("g1", 3_242),
            ("é", 233),
            ("\u{1f600}", 1_772_899),
            // Two texts with the least hash there is.
            ("polygenelubricants", i32::MIN),
        ] {
            assert_eq!(java_string_hash(text), hash, "{text:?}");
        }
    }

    #[test]
    fn partitions_are_those_that_kafka_used() {
        for (group, partition) in [("g1", 42), ("simple", 26), ("polygenelubricants", 0)] {
            assert_eq!(partition_for(group, 50), partition, "{group:?}");
        }
        assert_eq!(partition_for("g1", 0), 0);
    }
}
