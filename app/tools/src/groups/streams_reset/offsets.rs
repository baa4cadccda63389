//! Where the offsets of an application's input topics go, and committing them.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;

use crate::common::jopt::Options;
use crate::common::{java, output};

use super::super::ask::{self, EARLIEST, LATEST, TopicPartition, java_order};
use super::super::moment;

/// The options that say where to, in the order in which Kafka's tool looks for contradictions.
pub(super) const MODES: &[&str] = &[
    "to-offset",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "from-file",
    "shift-by",
];

/// Longest file that is read: some ten million lines.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Offsets of partitions.
type Offsets = BTreeMap<TopicPartition, i64>;

/// Resets input topics and skips intermediate ones. `false` if some of them do not exist.
///
/// # Errors
/// The exception of Kafka's tool.
pub(super) fn reset(
    admin: &mut Admin,
    options: &Options,
    group: &str,
    inputs: &[String],
    between: &[String],
    topics: &[String],
) -> Result<bool, String> {
    if inputs.is_empty() && between.is_empty() {
        output::line("No input or intermediate topics specified. Skipping seek.");
        return Ok(true);
    }
    if !inputs.is_empty() {
        output::line(&format!(
            "Reset-offsets for input topics [{}]",
            inputs.join(", ")
        ));
    }
    if !between.is_empty() {
        output::line(&format!(
            "Seek-to-end for intermediate topics [{}]",
            between.join(", ")
        ));
    }
    let missing = |names: &[String]| -> Vec<String> {
        let missing = names.iter().filter(|name| !topics.contains(name));
        missing.cloned().collect()
    };
    let missing = [missing(inputs), missing(between)];
    for (names, what, mark) in [
        (&missing[0], "input", "Topic: "),
        (&missing[1], "intermediate", "Topic:"),
    ] {
        if !names.is_empty() {
            output::line(&format!(
                "Following {what} topics are not found, skipping them"
            ));
            for name in names {
                output::line(&format!("{mark}{name}"));
            }
        }
    }
    let found_all = missing.iter().all(Vec::is_empty);
    let mut found: Vec<String> = inputs
        .iter()
        .chain(between)
        .filter(|name| topics.contains(name))
        .cloned()
        .collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Ok(found_all);
    }
    let offsets = work_out(admin, options, group, inputs, &found).inspect_err(|why| {
        if why.starts_with("java.text.ParseException") || why.starts_with("java.io.IOException") {
            output::error_line("ERROR: Resetting offsets failed.");
        }
    })?;
    if !options.has("dry-run") {
        let offsets: Vec<(TopicPartition, i64)> = offsets.into_iter().collect();
        ask::commit(admin, group, &offsets).map_err(|error| error.to_java())?;
    }
    output::line("Done.");
    Ok(found_all)
}

/// The new offsets of the topics that were found; tells of them.
fn work_out(
    admin: &mut Admin,
    options: &Options,
    group: &str,
    inputs: &[String],
    found: &[String],
) -> Result<Offsets, String> {
    let java = |error: ClientError| error.to_java();
    let mut of_inputs = Vec::new();
    let mut of_others = Vec::new();
    for (name, topic) in ask::topics(admin, found).map_err(java)? {
        let partitions = topic.map_err(java)?;
        let partitions = partitions
            .into_keys()
            .map(|partition| (TopicPartition::new(&name, partition), ()));
        if inputs.contains(&name) {
            of_inputs.extend(partitions);
        } else {
            of_others.extend(partitions);
        }
    }
    java_order(&mut of_inputs);
    java_order(&mut of_others);
    let of_inputs: Vec<TopicPartition> = of_inputs.into_iter().map(|(at, ())| at).collect();
    let of_others: Vec<TopicPartition> = of_others.into_iter().map(|(at, ())| at).collect();
    let mut offsets = Offsets::new();
    if !of_inputs.is_empty() {
        output::line(&format!(
            "Following input topics offsets will be reset to (for consumer group {group})"
        ));
        offsets = of_mode(admin, options, group, &of_inputs)?;
        for at in &of_inputs {
            let offset = offsets.get(at).copied().unwrap_or_default();
            output::line(&format!(
                "Topic: {} Partition: {} Offset: {offset}",
                at.topic, at.partition
            ));
        }
    }
    if !of_others.is_empty() {
        output::line(&format!(
            "Following intermediate topics offsets will be reset to end (for consumer group {group})"
        ));
        for at in &of_others {
            output::line(&format!("Topic: {}", at.topic));
        }
        offsets.extend(ends(admin, &of_others, LATEST)?);
    }
    Ok(offsets)
}

/// The offsets of input topics, as the options say.
fn of_mode(
    admin: &mut Admin,
    options: &Options,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Offsets, String> {
    let number = |name: &str| -> Result<i64, String> {
        options
            .number::<i64>(name)
            .map(Option::unwrap_or_default)
            .map_err(|error| format!("joptsimple.OptionArgumentConversionException: {error}"))
    };
    let text = |name: &str| super::once(options, name).map(Option::unwrap_or_default);
    if options.has("to-offset") {
        let offset = number("to-offset")?;
        let wanted = partitions.iter().map(|at| (at.clone(), offset)).collect();
        within_log(admin, partitions, wanted)
    } else if options.has("to-latest") {
        ends(admin, partitions, LATEST)
    } else if options.has("shift-by") {
        let shift = number("shift-by")?;
        let committed = ask::committed(admin, group).map_err(|error| error.to_java())?;
        let latest = ends(admin, partitions, LATEST)?;
        let wanted = partitions
            .iter()
            .map(|at| {
                // Where nothing is committed a consumer begins at the end.
                let at_commit = committed.get(at).copied().flatten();
                let offset = at_commit.map(|(offset, _)| offset);
                let offset = offset.or_else(|| latest.get(at).copied());
                (at.clone(), offset.unwrap_or_default().saturating_add(shift))
            })
            .collect();
        within_log(admin, partitions, wanted)
    } else if options.has("to-datetime") {
        let timestamp = moment::date_time(text("to-datetime")?)?;
        at_time(admin, partitions, timestamp)
    } else if options.has("by-duration") {
        let millis = moment::duration(text("by-duration")?)
            .map_err(|why| format!("java.time.format.DateTimeParseException: {why}"))?;
        at_time(admin, partitions, now_ms().saturating_sub(millis))
    } else if options.has("from-file") {
        let wanted = read_plan(text("from-file")?)?;
        within_log(admin, partitions, wanted)
    } else {
        ends(admin, partitions, EARLIEST)
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// The first or last offset of each partition.
fn ends(admin: &mut Admin, partitions: &[TopicPartition], which: i64) -> Result<Offsets, String> {
    let found = ask::offsets(admin, partitions, which).map_err(|error| error.to_java())?;
    partitions
        .iter()
        .map(|at| match found.get(at) {
            Some(Some(offset)) => Ok((at.clone(), *offset)),
            _ => Err(ClientError::refused(ErrorCode::UnknownServerError.code(), None).to_java()),
        })
        .collect()
}

/// Moves what lies outside of its log to the log's nearer end.
fn within_log(
    admin: &mut Admin,
    partitions: &[TopicPartition],
    wanted: Offsets,
) -> Result<Offsets, String> {
    let last = ends(admin, partitions, LATEST)?;
    let first = ends(admin, partitions, EARLIEST)?;
    let mut entries: Vec<(TopicPartition, i64)> = wanted.into_iter().collect();
    java_order(&mut entries);
    let mut out = Offsets::new();
    for (at, offset) in entries {
        let (Some(first), Some(last)) = (first.get(&at), last.get(&at)) else {
            return Err(no_offset("java.util.Map.get(Object)"));
        };
        let offset = clamped(offset, *first, *last);
        out.insert(at, offset);
    }
    match partitions.iter().find(|at| !out.contains_key(at)) {
        None => Ok(out),
        Some(_) => Err(no_offset("java.util.Map.get(Object)")),
    }
}

/// The exception of Java where a plan and the partitions of the topics are not the same.
fn no_offset(call: &str) -> String {
    format!(
        "java.lang.NullPointerException: Cannot invoke \"java.lang.Long.longValue()\" because the return \
         value of \"{call}\" is null"
    )
}

/// As in Kafka's tool the ends themselves are told of, too.
fn clamped(offset: i64, first: i64, last: i64) -> i64 {
    let (now, which) = if offset >= last {
        (last, "higher than latest")
    } else if offset <= first {
        (first, "lower than earliest")
    } else {
        return offset;
    };
    output::line(&format!(
        "New offset ({offset}) is {which} offset. Value will be set to {now}"
    ));
    now
}

/// The first offset at or after a time; the end of the log if no record is that new.
fn at_time(
    admin: &mut Admin,
    partitions: &[TopicPartition],
    timestamp: i64,
) -> Result<Offsets, String> {
    let found = ask::offsets(admin, partitions, timestamp).map_err(|error| error.to_java())?;
    let (there, missing): (Vec<_>, Vec<_>) = partitions
        .iter()
        .cloned()
        .partition(|at| found.get(at).copied().flatten().is_some());
    for at in &missing {
        output::line(&format!(
            "Partition {} from topic {} is empty, without a committed record. Falling back to latest known \
             offset.",
            at.partition, at.topic
        ));
    }
    let mut out = ends(admin, &missing, LATEST)?;
    out.extend(there.into_iter().filter_map(|at| {
        let offset = found.get(&at).copied().flatten()?;
        Some((at, offset))
    }));
    Ok(out)
}

/// The offsets of a CSV file: `topic,partition,offset`.
fn read_plan(path: &str) -> Result<Offsets, String> {
    let unreadable = || format!("java.nio.file.NoSuchFileException: {path}");
    let length = std::fs::metadata(path).map_err(|_| unreadable())?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("java.io.IOException: {path} is too long"));
    }
    let bytes = std::fs::read(path).map_err(|_| unreadable())?;
    parse_plan(&String::from_utf8_lossy(&bytes))
}

fn parse_plan(text: &str) -> Result<Offsets, String> {
    let exception = |why: &str| format!("java.text.ParseException: {why}");
    if text.is_empty() {
        return Err(exception("Error parsing reset plan CSV file. It is empty,"));
    }
    let mut out = Offsets::new();
    for line in java::split(text, '\n') {
        let cells: Vec<&str> = line.split(',').collect();
        let [topic, partition, offset] = cells.as_slice() else {
            return Err(exception(
                "Reset plan CSV file is not following the format `TOPIC,PARTITION,OFFSET`.",
            ));
        };
        let refused = |why: String| format!("java.lang.NumberFormatException: {why}");
        let partition = java::number(partition).map_err(refused)?;
        let offset = java::number(offset).map_err(refused)?;
        out.insert(TopicPartition::new(topic, partition), offset);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_stay_within_their_log() {
        for (offset, expected) in [(-5, 2), (2, 2), (3, 3), (9, 9), (10, 10), (99, 10)] {
            assert_eq!(clamped(offset, 2, 10), expected, "{offset}");
        }
    }

    #[test]
    fn plans_are_read_and_refused_in_the_words_of_kafka() {
        let plan = parse_plan("t,0,5\nt,1,7\n").expect("it is right");
        assert_eq!(plan.get(&TopicPartition::new("t", 1)), Some(&7));
        for (text, expected) in [
            (
                "",
                "java.text.ParseException: Error parsing reset plan CSV file. It is empty,",
            ),
            (
                "t;0;5",
                "java.text.ParseException: Reset plan CSV file is not following the format \
                 `TOPIC,PARTITION,OFFSET`.",
            ),
            (
                "t,x,5",
                "java.lang.NumberFormatException: For input string: \"x\"",
            ),
        ] {
            assert_eq!(parse_plan(text), Err(expected.to_owned()), "{text}");
        }
    }
}
