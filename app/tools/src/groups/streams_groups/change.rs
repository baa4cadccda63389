//! `--delete`, `--delete-offsets` and `--reset-offsets`.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;

use crate::common::jopt::Options;
use crate::common::table::{Table, Width, number, text};
use crate::common::{format, output};

use super::super::ask::{self, Stop, TopicPartition, plain, runtime};
use super::super::consumer_groups::delete_offsets_of;
use super::super::delete::{self, Outcome, in_java_order};
use super::super::plan;
use super::super::reset::{self, Numbers, Reset};
use super::{describe, internal};

/// Runs `--delete`.
pub(super) fn delete(admin: &mut Admin, options: &Options) -> Result<(), Stop> {
    let groups = in_java_order(super::named(admin, options)?);
    let states: BTreeMap<String, String> = super::listings(admin, &[])?
        .into_iter()
        .map(|listing| (listing.group, listing.state))
        .collect();
    let refusal = |group: &String| match states.get(group) {
        Some(state) => delete::refusal("Streams", group, state),
        None => Some(format!(
            "java.lang.IllegalArgumentException: Group '{group}' does not exist or is not a streams \
             group."
        )),
    };
    let wanted: Vec<String> = groups
        .iter()
        .filter(|group| refusal(group).is_none())
        .cloned()
        .collect();
    let topics = if options.has("delete-all-internal-topics") && !wanted.is_empty() {
        internal::of_groups(admin, &wanted)
    } else {
        BTreeMap::new()
    };
    let outcomes: Vec<Outcome> = groups
        .into_iter()
        .map(|group| {
            let outcome = match refusal(&group) {
                Some(refusal) => Err(refusal),
                None => ask::delete_group(admin, "deleteStreamsGroups", &group)
                    .map_err(|error| error.to_java()),
            };
            (group, outcome)
        })
        .collect();
    let deleted: Vec<&str> = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .map(|(group, _)| group.as_str())
        .collect();
    let topics_left = delete_topics(admin, &deleted, &topics);
    delete::say(&outcomes, "streams groups", ".");
    if !topics.is_empty() && !deleted.is_empty() {
        say_topics(&deleted, &topics, &topics_left);
    }
    Ok(())
}

/// Deletes the internal topics of groups that are gone; says which groups keep some, and why.
fn delete_topics(
    admin: &mut Admin,
    deleted: &[&str],
    topics: &BTreeMap<String, Vec<String>>,
) -> Vec<(String, ClientError)> {
    let mut left = Vec::new();
    for group in deleted {
        let Some(topics) = topics.get(*group) else {
            continue;
        };
        let failed = internal::delete(admin, topics);
        for (topic, _) in &failed {
            output::line(&format!("Failed to delete internal topic: {topic}"));
        }
        if let Some((_, error)) = failed.into_iter().next() {
            left.push(((*group).to_owned(), error));
        }
    }
    left
}

fn say_topics(
    deleted: &[&str],
    topics: &BTreeMap<String, Vec<String>>,
    left: &[(String, ClientError)],
) {
    if left.is_empty() {
        let groups: Vec<&str> = deleted
            .iter()
            .copied()
            .filter(|group| topics.contains_key(*group))
            .collect();
        output::line(&format!(
            "Deletion of associated internal topics of the streams groups ({}) was successful.",
            delete::quoted(&groups)
        ));
        return;
    }
    output::line("Deletion of some associated internal topics failed:");
    for (group, error) in left {
        output::line(&format!(
            "* Internal topics of the streams group '{group}' could not be deleted due to: {}",
            error.to_java()
        ));
    }
}

/// Runs `--delete-offsets`.
pub(super) fn delete_offsets(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let group = options.value("group")?.unwrap_or_default();
    if options.has("all-input-topics") {
        let partitions = input_partitions(admin, group)?;
        delete_offsets_of(admin, group, &[], partitions, json)
    } else {
        let topics = options.values("input-topic");
        delete_offsets_of(admin, group, topics, Vec::new(), json)
    }
}

/// The partitions with a committed offset of the topics that a group reads from outside.
fn input_partitions(admin: &mut Admin, group: &str) -> Result<Vec<TopicPartition>, Stop> {
    let (_, found) = describe::group(admin, group).map_err(runtime)?;
    let sources: BTreeSet<&String> = describe::subtopologies(&found)
        .iter()
        .flat_map(|part| &part.source_topics)
        .collect();
    let committed = ask::committed(admin, group).map_err(runtime)?;
    Ok(committed
        .into_keys()
        .filter(|at| sources.contains(&at.topic))
        .collect())
}

/// Runs `--reset-offsets`.
pub(super) fn reset(
    admin: &mut Admin,
    options: &Options,
    numbers: Numbers,
    json: bool,
) -> Result<(), Stop> {
    let named = options.values("group");
    let one = match named {
        [one] => Some(one.as_str()),
        _ => None,
    };
    let mut reset = Reset::new(options, numbers);
    let mut plan: Vec<(String, Vec<(TopicPartition, i64)>)> = Vec::new();
    for group in in_java_order(super::named(admin, options)?) {
        let offsets = match describe::group(admin, &group) {
            Ok((_, found)) if !["Empty", "Dead"].contains(&found.group_state.as_str()) => {
                ask::print_error(&format!(
                    "Assignments can only be reset if the group '{group}' is inactive, but the current \
                     state is {}.",
                    found.group_state
                ));
                Vec::new()
            }
            Ok(_) => {
                let offsets = reset_one(admin, options, &mut reset, &group, one)?;
                if options.has("execute") {
                    drop_topics(admin, options, &group);
                }
                offsets
            }
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => {
                reset_one(admin, options, &mut reset, &group, one)?
            }
            Err(error) => return Err(runtime(error)),
        };
        plan.push((group, offsets));
    }
    if options.has("export") {
        output::line(&plan::write(&plan, named.len() != 1));
    } else if json {
        format::json(&table(&plan).json().into());
    } else {
        output::text("\n");
        if !plan.is_empty() {
            table(&plan).print();
        }
    }
    Ok(())
}

fn reset_one(
    admin: &mut Admin,
    options: &Options,
    reset: &mut Reset<'_>,
    group: &str,
    one: Option<&str>,
) -> Result<Vec<(TopicPartition, i64)>, Stop> {
    let partitions = if options.has("all-input-topics") {
        input_partitions(admin, group)?
    } else if options.has("input-topic") {
        let partitions = reset::partitions(admin, options.values("input-topic"))?;
        reset::check_partitions(admin, &partitions)?;
        let committed = ask::committed(admin, group).map_err(runtime)?;
        if partitions.iter().all(|at| committed.contains_key(at)) {
            partitions
        } else {
            ask::print_error(&format!(
                "One or more topics are not part of the group '{group}'."
            ));
            Vec::new()
        }
    } else if options.has("from-file") {
        Vec::new()
    } else {
        return Err(Stop::Usage(
            "One of the reset scopes should be defined: --all-input-topics, --input-topic."
                .to_owned(),
        ));
    };
    let offsets = reset.offsets(admin, group, one, &partitions)?;
    if options.has("execute") && !offsets.is_empty() {
        ask::commit(admin, group, &offsets).map_err(plain)?;
    }
    Ok(offsets)
}

/// Deletes the internal topics that a reset is to delete. What goes wrong is only said.
fn drop_topics(admin: &mut Admin, options: &Options, group: &str) {
    let topics = if options.has("delete-all-internal-topics") {
        let mut found = internal::of_groups(admin, &[group.to_owned()]);
        found.remove(group).unwrap_or_default()
    } else {
        options.values("delete-internal-topic").to_vec()
    };
    if topics.is_empty() {
        return;
    }
    let Some((_, error)) = internal::delete(admin, &topics).into_iter().next() else {
        return;
    };
    let why = if error.code() == Some(ErrorCode::UnknownTopicOrPartition) {
        "because the topics do not exist.".to_owned()
    } else {
        format!("due to {}", error.to_java())
    };
    ask::print_error(&format!(
        "Deleting internal topics for group '{group}' failed {why}"
    ));
}

/// The table of what offsets are, or would be, reset to.
fn table(plan: &[(String, Vec<(TopicPartition, i64)>)]) -> Table {
    let mut table = Table::new(vec![
        text("GROUP", Width::Fixed(30), "group"),
        text("TOPIC", Width::Fixed(30), "topic"),
        number("PARTITION", Width::Fixed(10), "partition"),
        number("NEW-OFFSET", Width::Fixed(15), "newOffset"),
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
