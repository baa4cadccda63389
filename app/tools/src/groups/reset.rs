//! Where offsets are reset to: the modes and scopes that consumer groups, share groups and streams groups
//! have in common.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Command;
use ottla_client::Admin;

use crate::common::jopt::{Options, flag, value};
use crate::common::output;
use crate::common::table::{Table, Width, number, text};

use super::ask::{
    self, Committed, EARLIEST, LATEST, Stop, TopicPartition, java_order, plain, runtime,
};
use super::moment;
use super::plan::{self, Plan};

/// The options that say where to, in the order in which Kafka's tool looks for contradictions.
pub(super) const MODES: &[&str] = &[
    "to-offset",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "to-current",
    "shift-by",
    "from-file",
];

/// Adds the options of all modes.
pub(super) fn options(command: Command) -> Command {
    command
        .arg(flag("to-earliest", "Reset to the earliest offset."))
        .arg(flag("to-latest", "Reset to the latest offset."))
        .arg(flag("to-current", "Reset to the committed offset."))
        .arg(value("to-offset", "offset", "Reset to this offset."))
        .arg(value(
            "to-datetime",
            "datetime",
            "Reset to the offset at YYYY-MM-DDThh:mm:ss.sss.",
        ))
        .arg(value(
            "by-duration",
            "duration",
            "Reset to the offset this long ago: PnDTnHnMnS.",
        ))
        .arg(value(
            "shift-by",
            "number",
            "Shift by so many records, forward or back.",
        ))
        .arg(value(
            "from-file",
            "file",
            "Reset to the offsets of a CSV file.",
        ))
}

/// Refuses more than one mode.
pub(super) fn check_modes(options: &Options) -> Result<(), Stop> {
    // Kafka's own order: which of two options it names first depends on it.
    const OTHERS: &[&str] = &[
        "to-latest",
        "to-earliest",
        "to-current",
        "shift-by",
        "from-file",
        "to-offset",
        "to-datetime",
        "by-duration",
    ];
    for mode in MODES {
        let others: Vec<&str> = OTHERS
            .iter()
            .copied()
            .filter(|other| other != mode)
            .collect();
        options
            .excluded(mode, &others)
            .map_err(|error| Stop::Usage(error.0))?;
    }
    Ok(())
}

/// Numbers of the command line, read before anything is asked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    offset: Option<i64>,
    shift: Option<i64>,
}

impl Numbers {
    /// Reads them.
    pub(super) fn read(options: &Options) -> Result<Self, Stop> {
        let last = |name: &str| -> Result<Option<i64>, Stop> {
            let Some(text) = options.values(name).last() else {
                return Ok(None);
            };
            text.parse().map(Some).map_err(|_| {
                Stop::Error(format!("Cannot parse argument '{text}' of option {name}"))
            })
        };
        Ok(Self {
            offset: last("to-offset")?,
            shift: last("shift-by")?,
        })
    }
}

/// The partitions that `--topic` names: `topic` or `topic:0,1,2`.
pub(super) fn partitions(admin: &mut Admin, args: &[String]) -> Result<Vec<TopicPartition>, Stop> {
    let mut out = Vec::new();
    for arg in args.iter().filter(|arg| arg.contains(':')) {
        out.extend(listed(arg)?);
    }
    let whole: Vec<String> = args
        .iter()
        .filter(|arg| !arg.contains(':'))
        .cloned()
        .collect();
    for (name, topic) in ask::topics(admin, &whole).map_err(plain)? {
        let known = topic.map_err(plain)?;
        out.extend(
            known
                .keys()
                .map(|partition| TopicPartition::new(&name, *partition)),
        );
    }
    Ok(out)
}

/// `topic:0,1,2`.
pub(super) fn listed(arg: &str) -> Result<Vec<TopicPartition>, Stop> {
    let parts: Vec<&str> = arg.split(':').collect();
    let [topic, numbers] = parts.as_slice() else {
        return Err(bad_topic(arg));
    };
    if numbers.is_empty() {
        return Err(bad_topic(arg));
    }
    numbers
        .split(',')
        .map(|number| {
            let partition = number.parse().map_err(|_| {
                Stop::Usage(format!(
                    "Invalid partition '{number}' specified in topic arg '{arg}''"
                ))
            })?;
            Ok(TopicPartition::new(topic, partition))
        })
        .collect()
}

fn bad_topic(arg: &str) -> Stop {
    Stop::Usage(format!(
        "Invalid topic arg '{arg}', expected topic name and partitions"
    ))
}

/// Refuses partitions that do not exist or have no leader.
pub(super) fn check_partitions(
    admin: &mut Admin,
    partitions: &[TopicPartition],
) -> Result<(), Stop> {
    let mut names: Vec<String> = partitions.iter().map(|at| at.topic.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let topics = ask::topics(admin, &names).map_err(runtime)?;
    let mut known = std::collections::BTreeMap::new();
    for (name, topic) in topics {
        for (partition, has_leader) in topic.map_err(runtime)? {
            known.insert(TopicPartition::new(&name, partition), has_leader);
        }
    }
    let joined = |wanted: Option<bool>| -> Option<String> {
        let names: Vec<String> = partitions
            .iter()
            .filter(|at| known.get(at).copied() == wanted)
            .map(ToString::to_string)
            .collect();
        (!names.is_empty()).then(|| names.join(","))
    };
    if let Some(names) = joined(None) {
        return Err(Stop::Error(format!(
            "The partitions \"{names}\" do not exist"
        )));
    }
    if let Some(names) = joined(Some(false)) {
        return Err(Stop::Error(format!(
            "The partitions \"{names}\" have no leader"
        )));
    }
    Ok(())
}

/// The mode, with what it needs to know.
pub(super) struct Reset<'a> {
    options: &'a Options,
    numbers: Numbers,
    plan: Option<Plan>,
}

impl<'a> Reset<'a> {
    /// Takes the options.
    pub(super) const fn new(options: &'a Options, numbers: Numbers) -> Self {
        Self {
            options,
            numbers,
            plan: None,
        }
    }

    /// The offsets that `partitions` of a group get, in the order in which Kafka's tool prints them.
    /// `one` is the only group of the command line, if there is only one.
    pub(super) fn offsets(
        &mut self,
        admin: &mut Admin,
        group: &str,
        one: Option<&str>,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, i64)>, Stop> {
        let options = self.options;
        let mut found = if let Some(offset) = self.numbers.offset {
            let wanted: Vec<_> = partitions.iter().map(|at| (at.clone(), offset)).collect();
            within_log(admin, wanted)?
        } else if options.has("to-earliest") {
            ends(admin, partitions, EARLIEST)?
        } else if options.has("to-latest") {
            ends(admin, partitions, LATEST)?
        } else if let Some(shift) = self.numbers.shift {
            let committed = ask::committed(admin, group).map_err(runtime)?;
            within_log(admin, shifted(partitions, &committed, shift)?)?
        } else if options.has("to-datetime") {
            let text = first(options, "to-datetime");
            let timestamp = moment::date_time(text).map_err(Stop::Error)?;
            at_time(admin, partitions, timestamp)?
        } else if options.has("by-duration") {
            let text = options.value("by-duration")?.unwrap_or_default();
            let millis = moment::duration(text).map_err(Stop::Error)?;
            at_time(admin, partitions, now_ms().saturating_sub(millis))?
        } else if options.has("from-file") {
            let path = first(options, "from-file");
            if self.plan.is_none() {
                self.plan = Some(plan::read(path, one)?);
            }
            let wanted = self.plan.as_ref().and_then(|plan| plan.get(group).cloned());
            match wanted {
                Some(wanted) => within_log(admin, wanted)?,
                None => {
                    ask::print_error(&format!("No reset plan for group {group} found."));
                    Vec::new()
                }
            }
        } else if options.has("to-current") {
            let committed = ask::committed(admin, group).map_err(runtime)?;
            current(admin, partitions, &committed)?
        } else {
            let modes: Vec<String> = MODES.iter().map(|mode| format!("[{mode}]")).collect();
            return Err(Stop::Usage(format!(
                "Option '[reset-offsets]' requires one of the following scenarios: [{}]",
                modes.join(", ")
            )));
        };
        java_order(&mut found);
        Ok(found)
    }
}

fn first<'a>(options: &'a Options, name: &str) -> &'a str {
    options
        .values(name)
        .first()
        .map(String::as_str)
        .unwrap_or_default()
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// The first or last offset of each partition.
fn ends(
    admin: &mut Admin,
    partitions: &[TopicPartition],
    which: i64,
) -> Result<Vec<(TopicPartition, i64)>, Stop> {
    check_once(partitions)?;
    let found = ask::offsets(admin, partitions, which).map_err(runtime)?;
    partitions
        .iter()
        .map(|at| match found.get(at) {
            Some(Some(offset)) => Ok((at.clone(), *offset)),
            _ => Err(Stop::Usage(format!(
                "Error getting {} offset of topic partition: {at}",
                if which == EARLIEST {
                    "starting"
                } else {
                    "ending"
                }
            ))),
        })
        .collect()
}

/// Kafka differs: it says in addition which Java objects the two are.
fn check_once(partitions: &[TopicPartition]) -> Result<(), Stop> {
    let mut seen = std::collections::BTreeSet::new();
    match partitions.iter().find(|at| !seen.insert(*at)) {
        None => Ok(()),
        Some(at) => Err(Stop::Error(format!("Duplicate key {at}"))),
    }
}

/// Moves what lies outside of its log to the log's nearer end.
fn within_log(
    admin: &mut Admin,
    wanted: Vec<(TopicPartition, i64)>,
) -> Result<Vec<(TopicPartition, i64)>, Stop> {
    let partitions: Vec<TopicPartition> = wanted.iter().map(|(at, _)| at.clone()).collect();
    check_once(&partitions)?;
    let starts = ask::offsets(admin, &partitions, EARLIEST).map_err(runtime)?;
    let ends = ask::offsets(admin, &partitions, LATEST).map_err(runtime)?;
    wanted
        .into_iter()
        .map(|(at, offset)| {
            let known = |found: &std::collections::BTreeMap<TopicPartition, Option<i64>>| {
                found.get(&at).copied().flatten().ok_or_else(|| {
                    Stop::Error(format!(
                        "Unexpected non-existing offset value for topic partition {at}"
                    ))
                })
            };
            let (start, end) = (known(&starts)?, known(&ends)?);
            let (now, which) = if offset > end {
                (end, "higher than latest")
            } else if offset < start {
                (start, "lower than earliest")
            } else {
                return Ok((at, offset));
            };
            output::warn(&format!(
                "New offset ({offset}) is {which} offset for topic partition {at}. Value will be set to \
                 {now}."
            ));
            Ok((at, now))
        })
        .collect()
}

fn shifted(
    partitions: &[TopicPartition],
    committed: &Committed,
    shift: i64,
) -> Result<Vec<(TopicPartition, i64)>, Stop> {
    partitions
        .iter()
        .map(|at| {
            let (offset, _) = committed.get(at).copied().flatten().ok_or_else(|| {
                Stop::Usage(format!(
                    "Cannot shift offset for partition {at} since there is no current committed offset"
                ))
            })?;
            Ok((at.clone(), offset.saturating_add(shift)))
        })
        .collect()
}

/// The first offset at or after a time; the end of the log if no record is that new.
fn at_time(
    admin: &mut Admin,
    partitions: &[TopicPartition],
    timestamp: i64,
) -> Result<Vec<(TopicPartition, i64)>, Stop> {
    check_once(partitions)?;
    let found = ask::offsets(admin, partitions, timestamp).map_err(runtime)?;
    let missing: Vec<TopicPartition> = partitions
        .iter()
        .filter(|at| !matches!(found.get(at), Some(Some(_))))
        .cloned()
        .collect();
    for at in &missing {
        output::line(&format!(
            "\nWarn: Partition {} from topic {} is empty. Falling back to latest known offset.",
            at.partition, at.topic
        ));
    }
    let ends = ask::offsets(admin, &missing, LATEST).map_err(runtime)?;
    partitions
        .iter()
        .map(|at| {
            let offset = found
                .get(at)
                .copied()
                .flatten()
                .or_else(|| ends.get(at).copied().flatten());
            match offset {
                Some(offset) => Ok((at.clone(), offset)),
                None => Err(Stop::Usage(format!(
                    "Error getting offset by timestamp of topic partition: {at}"
                ))),
            }
        })
        .collect()
}

/// What is committed, in the order in which Kafka's tool prints it; the end of the log where nothing is.
pub(super) fn current(
    admin: &mut Admin,
    partitions: &[TopicPartition],
    committed: &Committed,
) -> Result<Vec<(TopicPartition, i64)>, Stop> {
    check_once(partitions)?;
    let of = |at: &TopicPartition| committed.get(at).copied().flatten();
    let missing: Vec<TopicPartition> = partitions
        .iter()
        .filter(|at| of(at).is_none())
        .cloned()
        .collect();
    let mut out = ends(admin, &missing, LATEST)?;
    out.extend(
        partitions
            .iter()
            .filter_map(|at| of(at).map(|(offset, _)| (at.clone(), offset))),
    );
    java_order(&mut out);
    Ok(out)
}

/// The table of what offsets are, or would be, reset to.
pub(super) fn table(plan: &[(String, Vec<(TopicPartition, i64)>)]) -> Table {
    let mut table = Table::new(vec![
        text("GROUP", Width::AtLeast(15), "group"),
        text("TOPIC", Width::AtLeast(15), "topic"),
        number("PARTITION", Width::Fixed(10), "partition"),
        number("NEW-OFFSET", Width::Free, "newOffset"),
    ]);
    for (group, offsets) in plan {
        for (at, offset) in offsets {
            table.row(vec![
                group.clone(),
                at.topic.clone(),
                at.partition.to_string(),
                offset.to_string(),
            ]);
        }
    }
    table
}

/// Prints what offsets are, or would be, reset to.
pub(super) fn print_plan(plan: &[(String, Vec<(TopicPartition, i64)>)]) {
    output::text("\n");
    if !plan.is_empty() {
        table(plan).print();
    }
}

/// The sentence behind which a tool that is given neither `--dry-run` nor `--execute` changes nothing.
pub(super) const DRY_RUN_WARNING: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command \
     will require either --dry-run or --execute to be specified. You should add the --dry-run option \
     explicitly if you are scripting this command and want to keep the current default behavior without \
     prompting.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_behind_a_topic_are_read() {
        let listed = |arg: &str| listed(arg).map_err(|error| format!("{error:?}"));
        assert_eq!(
            listed("t:0,2"),
            Ok(vec![
                TopicPartition::new("t", 0),
                TopicPartition::new("t", 2)
            ])
        );
        let wrong = |arg: &str, expected: &str| {
            assert_eq!(listed(arg), Err(format!("Usage({expected:?})")), "{arg}");
        };
        wrong(
            "t:",
            "Invalid topic arg 't:', expected topic name and partitions",
        );
        wrong(
            "t:0:1",
            "Invalid topic arg 't:0:1', expected topic name and partitions",
        );
        wrong(
            "t:0,x",
            "Invalid partition 'x' specified in topic arg 't:0,x''",
        );
    }

    #[test]
    fn a_shift_needs_an_offset_and_does_not_overflow() {
        let at = TopicPartition::new("t", 0);
        let committed = Committed::from([(at.clone(), Some((i64::MAX, 0)))]);
        assert_eq!(
            shifted(std::slice::from_ref(&at), &committed, 1),
            Ok(vec![(at.clone(), i64::MAX)])
        );
        assert_eq!(
            shifted(&[at], &Committed::new(), 1),
            Err(Stop::Usage(
                "Cannot shift offset for partition t-0 since there is no current committed offset"
                    .to_owned()
            ))
        );
    }
}
