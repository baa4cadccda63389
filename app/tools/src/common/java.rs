//! What Java's library shows in the output of Kafka's tools: the order of its hash maps, how it cuts
//! text, how it reads and writes numbers.
//!
//! Some of Kafka's tools print a `HashMap` as it comes. The order looks random but is the same in each
//! run, and so it is part of the output that people compare.

use std::collections::BTreeSet;
use std::fmt::Display;

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
    map_order(entries, BUCKETS_MIN, hash);
}

/// Puts entries into the order in which a `HashMap` of them is walked. `hash` gives Java's hash code of a
/// key; `capacity` is what the map was made for, 16 if Java's default. The keys are different ones.
///
/// A map with nine or more keys in one bucket turns that bucket into a tree, which is walked in another
/// order; that is left out, because no cluster that was not built for it has such names.
pub(crate) fn map_order<T>(entries: &mut [T], capacity: usize, hash: impl Fn(&T) -> i32) {
    let mut buckets = capacity.max(1).next_power_of_two();
    while entries.len().saturating_mul(4) > buckets.saturating_mul(3) {
        buckets = buckets.saturating_mul(2);
    }
    let mask = buckets.saturating_sub(1);
    entries.sort_by_key(|entry| {
        let hash = hash(entry).cast_unsigned();
        usize::try_from(hash ^ (hash >> 16)).unwrap_or_default() & mask
    });
}

/// Names in the order of a `HashMap` or `HashSet` that grew from nothing.
pub(crate) fn name_order<T>(entries: &mut [T], name: impl Fn(&T) -> &str) {
    hash_map_order(entries, |entry| string_hash(name(entry)));
}

/// What stands in a list more than once, in the order of a `HashSet` that takes it up.
pub(crate) fn duplicates<T: Ord + Clone>(
    items: impl IntoIterator<Item = T>,
    hash: impl Fn(&T) -> i32,
) -> Vec<T> {
    let mut seen = BTreeSet::new();
    let mut known = BTreeSet::new();
    let mut twice = Vec::new();
    for item in items {
        if !seen.insert(item.clone()) && known.insert(item.clone()) {
            twice.push(item);
        }
    }
    hash_map_order(&mut twice, hash);
    twice
}

/// Java's `String.split`: parts between separators, without the empty ones at the end.
pub(crate) fn split(text: &str, separator: char) -> Vec<&str> {
    if text.is_empty() {
        return vec![text];
    }
    let mut parts: Vec<&str> = text.split(separator).collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

/// Java's `Integer.parseInt` and its kin.
///
/// # Errors
/// The message of `NumberFormatException`.
pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("For input string: \"{text}\""))
}

/// Java's `Double.parseDouble`.
pub(crate) fn parse_double(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    match digits.trim_start_matches(['+', '-']) {
        "NaN" | "Infinity" => digits.parse().ok(),
        plain if plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') => digits.parse().ok(),
        _ => None,
    }
}

/// Java's `Double.toString`.
pub(crate) fn double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => text,
    }
}

/// Items with `separator` between them.
pub(crate) fn joined<T: Display>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    let mut out = String::new();
    for item in items {
        if !out.is_empty() {
            out.push_str(separator);
        }
        out.push_str(&item.to_string());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_codes_are_javas() {
        assert_eq!(string_hash(""), 0);
        assert_eq!(string_hash("polygenelubricants"), i32::MIN);
        assert_eq!(string_hash("é"), 233);
    }

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

    #[test]
    fn what_stands_twice_is_told_once() {
        let check = |items: &[i32], expected: &[i32]| {
            assert_eq!(duplicates(items.iter().copied(), |id| *id), expected);
        };
        check(&[], &[]);
        check(&[1, 2], &[]);
        check(&[2, 1, 1, 2, 1], &[1, 2]);
        check(&[17, 2, 17, 2], &[17, 2]);
    }

    #[test]
    fn maps_are_walked_as_java_walks_them() {
        // As Apache Kafka's own tool printed these topics.
        let mut names = ["a", "a.b", "b", "c", "my_t", "ra", "rb"];
        map_order(&mut names, 7, |name| string_hash(name));
        assert_eq!(names, ["rb", "a", "b", "my_t", "c", "a.b", "ra"]);
    }

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        let check = |value: f64, expected: &str| {
            assert_eq!(double(value), expected);
            assert_eq!(parse_double(expected), Some(value));
        };
        check(0.0, "0.0");
        check(50.5, "50.5");
        check(100.0, "100.0");
        check(9_999_999.0, "9999999.0");
        check(10_000_000.0, "1.0E7");
        check(12_345_678.0, "1.2345678E7");
        check(0.001, "0.001");
        check(0.0005, "5.0E-4");
        check(-1.5e9, "-1.5E9");
        assert_eq!(parse_double("1d"), Some(1.0));
        assert_eq!(parse_double(" 2 "), Some(2.0));
        for text in ["", "x", "inf", "nan", "1x", "d"] {
            assert_eq!(parse_double(text), None, "{text}");
        }
    }

    #[test]
    fn text_is_split_as_java_splits_it() {
        let check = |text, expected: &[&str]| assert_eq!(split(text, ','), expected, "{text}");
        check("", &[""]);
        check(",", &[]);
        check("1,", &["1"]);
        check(",1", &["", "1"]);
        check("1,,2", &["1", "", "2"]);
    }
}
