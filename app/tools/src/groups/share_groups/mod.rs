//! `kafka-share-groups`: lists share groups, describes them, deletes them, moves their start offsets.

mod change;
mod describe;

use std::process::ExitCode;

use clap::Command;
use ottla_client::Admin;

use crate::common::jopt::{Options, flag, optional_value, value};
use crate::common::table::{Table, Width, text};
use crate::common::usage::{self, Failure};
use crate::common::{client, format, output};

use super::ask::{self, Stop};
use super::consumer_groups::{known_names, unavailable, wants_json};
use super::reset;

/// States that such groups have.
const STATES: &[&str] = &["Dead", "Stable", "Empty"];

/// The options.
pub(crate) fn command() -> Command {
    client::options(Command::new("share-groups"))
        .about("List, describe and delete share groups, and reset their offsets")
        .after_help(
            "Examples:\n  ottla share-groups --bootstrap-server localhost:9092 --describe --group s\n  \
             ottla share-groups --bootstrap-server localhost:9092 --reset-offsets --group s --topic t \
             --to-earliest --execute",
        )
        .arg(flag("list", "List groups."))
        .arg(flag("describe", "Describe groups: offsets, members, or state."))
        .arg(flag("delete", "Delete groups."))
        .arg(flag("delete-offsets", "Delete a group's offsets of topics."))
        .arg(flag("reset-offsets", "Move the start offsets of an empty group."))
        .arg(value("group", "group", "The group; may be given more than once."))
        .arg(flag("all-groups", "All share groups."))
        .arg(value("topic", "topic[:0,1]", "The topic, or some of its partitions."))
        .arg(flag("all-topics", "All topics that the group has offsets of."))
        .arg(flag("offsets", "Describe offsets (the default)."))
        .arg(flag("members", "Describe members."))
        .arg(optional_value("state", "states", "Describe the state; list with states, or those in them."))
        .arg(flag("verbose", "Describe more."))
        .arg(value("timeout", "ms", "Longest time of one call (5000)."))
        .arg(flag("to-earliest", "Reset to the earliest offset."))
        .arg(flag("to-latest", "Reset to the latest offset."))
        .arg(value("to-datetime", "datetime", "Reset to the offset at YYYY-MM-DDThh:mm:ss.sss."))
        .arg(flag("dry-run", "Only show what would be reset."))
        .arg(flag("execute", "Reset."))
        .arg(format::option())
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to list, describe, reset and delete share groups.",
        args,
        work,
    )
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    check(options)?;
    let json = wants_json(options)?;
    ask::end(act(options, json), "share group")
}

fn act(options: &Options, json: bool) -> Result<(), Stop> {
    let mut admin = ask::admin(options)?;
    if options.has("list") {
        list(&mut admin, options, json)
    } else if options.has("describe") {
        describe::run(&mut admin, options, json)
    } else if options.has("delete") {
        change::delete(&mut admin, options)
    } else if options.has("delete-offsets") {
        change::delete_offsets(&mut admin, options, json)
    } else {
        change::reset(&mut admin, options, json)
    }
}

/// Refuses options that do not go together, in Kafka's order and words.
fn check(options: &Options) -> Result<(), Failure> {
    unavailable(
        options,
        &[
            ("members", &["describe"]),
            ("offsets", &["describe"]),
            ("state", &["describe", "list"]),
            ("verbose", &["describe"]),
        ],
    )?;
    options.required(&["bootstrap-server"])?;
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    let no_group = !options.has("group") && !options.has("all-groups");
    if options.has("describe") {
        if no_group {
            return usage("Option [describe] takes one of these options: [all-groups], [group]");
        }
        let views = ["members", "offsets", "state"];
        if views.iter().filter(|view| options.has(view)).count() > 1 {
            return usage(
                "Option [describe] takes at most one of these options: [members], [offsets], [state]",
            );
        }
        if options.value("state")?.is_some() {
            return usage("Option [describe] does not take a value for [state]");
        }
    }
    if options.has("delete") {
        if no_group {
            return usage("Option [delete] takes the options [group] or [all-groups]");
        }
        if options.has("topic") {
            return usage("Option [delete] does not take the option: [topic]");
        }
    }
    if options.has("delete-offsets") && !(options.has("group") && options.has("topic")) {
        return usage("Option [delete-offsets] takes the following options: [group], [topic]");
    }
    if options.has("reset-offsets") {
        check_reset(options)?;
    }
    options.excluded("group", &["all-groups", "list"])?;
    options.excluded("topic", &["list", "describe"])?;
    let actions = [
        "list",
        "describe",
        "delete",
        "reset-offsets",
        "delete-offsets",
    ];
    if actions.iter().filter(|action| options.has(action)).count() != 1 {
        return usage(
            "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, \
             --delete-offsets.",
        );
    }
    Ok(())
}

fn check_reset(options: &Options) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    if options.has("dry-run") && options.has("execute") {
        return usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
    }
    if !options.has("dry-run") && !options.has("execute") {
        return usage("Option [reset-offsets] takes the option: [execute] or [dry-run]");
    }
    if !options.has("group") {
        return usage("Option [reset-offsets] takes the option: [group]");
    }
    if !options.has("topic") && !options.has("all-topics") {
        return usage("Option [reset-offsets] takes one of these options: [all-topics], [topic]");
    }
    let modes = ["to-datetime", "to-earliest", "to-latest"];
    if !modes.iter().any(|mode| options.has(mode)) {
        return usage(
            "Option [reset-offsets] takes one of these options: [to-datetime], [to-earliest], \
             [to-latest]",
        );
    }
    reset::check_modes(options).map_err(super::consumer_groups::as_failure)
}

/// The names of all share groups.
fn all_groups(admin: &mut Admin) -> Result<Vec<String>, Stop> {
    let listed = listings(admin, &[])?;
    Ok(listed.into_iter().map(|(group, _)| group).collect())
}

fn listings(admin: &mut Admin, states: &[String]) -> Result<Vec<(String, String)>, Stop> {
    let found = ask::list_groups(admin, states, &["Share".to_owned()], None)
        .map_err(|text| Stop::Error(format!("java.util.concurrent.ExecutionException: {text}")))?;
    Ok(found
        .into_iter()
        .map(|listing| (listing.group, listing.state))
        .collect())
}

fn list(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let states = known_names(options.value("state")?, STATES, |given, valid| {
        format!("Invalid state list '{given}'. Valid states are: {valid}")
    })?;
    let found = listings(admin, &states)?;
    if !json && !options.has("state") {
        for (group, _) in found {
            output::line(&group);
        }
        return Ok(());
    }
    let mut table = Table::new(vec![
        text("GROUP", Width::AtLeast(15), "group"),
        text("STATE", Width::Free, "state"),
    ]);
    for (group, state) in found {
        table.row(vec![group, state]);
    }
    if json {
        format::json(&table.json().into());
    } else {
        table.print();
    }
    Ok(())
}
