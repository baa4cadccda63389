//! `kafka-share-groups`: lists share groups, describes them, deletes them, moves their start offsets.

mod change;
mod describe;

use std::process::ExitCode;

use clap::Command;
use ottla_client::Admin;

use crate::common::jopt::{Options, flag, optional_value, value};
use crate::common::usage::{self, Failure};
use crate::common::{client, format};

use super::ask::{self, Stop};
use super::options::{
    as_failure, check_describe, check_execution_given, known_states, one_action, print_groups,
    unavailable, wants_json,
};
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
        .arg(flag("to-current", "Reset to the offset that the group has."))
        .arg(value("to-offset", "offset", "Reset to this offset."))
        .arg(value("to-datetime", "datetime", "Reset to the offset at YYYY-MM-DDThh:mm:ss.sss."))
        .arg(value("from-file", "file", "Reset to the offsets of a CSV file."))
        .arg(flag("dry-run", "Only show what would be reset."))
        .arg(flag("execute", "Reset."))
        .arg(flag("export", "Print the result as CSV."))
        .arg(format::option())
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to list, describe, delete and manage the offsets of share groups.",
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
    let numbers = reset::Numbers::read(options)?;
    if options.has("list") {
        list(&mut admin, options, json)
    } else if options.has("describe") {
        describe::run(&mut admin, options, json)
    } else if options.has("delete") {
        change::delete(&mut admin, options)
    } else if options.has("delete-offsets") {
        change::delete_offsets(&mut admin, options, json)
    } else {
        change::reset(&mut admin, options, numbers, json)
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
    check_describe(
        options,
        ["all-groups", "group"],
        &["members", "offsets", "state"],
    )?;
    if options.has("delete") {
        if !options.has("group") && !options.has("all-groups") {
            return usage("Option [delete] takes the options [group] or [all-groups].");
        }
        if options.has("group") && options.has("all-groups") {
            return usage("Option [delete] takes either [group] or [all-groups], not both.");
        }
        if options.has("topic") || options.has("all-topics") {
            return usage("Option [delete] does not take the options [topic] or [all-topics].");
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
    one_action(
        options,
        &actions,
        "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, \
         --delete-offsets.",
    )
}

fn check_reset(options: &Options) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    check_execution_given(options)?;
    if !options.has("group") {
        return usage("Option [reset-offsets] takes the option: [group]");
    }
    let scopes = ["topic", "all-topics", "from-file"];
    if !scopes.iter().any(|scope| options.has(scope)) {
        return usage(
            "Option [reset-offsets] takes one of these options: [all-topics], [from-file], [topic]",
        );
    }
    for scope in scopes {
        let others: Vec<&str> = scopes.into_iter().filter(|other| *other != scope).collect();
        options.excluded(scope, &others)?;
    }
    let modes = [
        "to-offset",
        "to-earliest",
        "to-latest",
        "to-datetime",
        "to-current",
        "from-file",
    ];
    if !modes.iter().any(|mode| options.has(mode)) {
        return usage(
            "Option [reset-offsets] takes one of these options: [from-file], [to-current], \
             [to-datetime], [to-earliest], [to-latest], [to-offset]",
        );
    }
    reset::check_modes(options).map_err(as_failure)
}

/// The names of all share groups.
fn all_groups(admin: &mut Admin) -> Result<Vec<String>, Stop> {
    let listed = listings(admin, &[])?;
    Ok(listed.into_iter().map(|(group, _)| group).collect())
}

fn listings(admin: &mut Admin, states: &[String]) -> Result<Vec<(String, String)>, Stop> {
    let found = ask::list_groups(admin, states, &["Share".to_owned()], None)
        // This tool tells the message of the exception without its name.
        .map_err(|text| {
            let message = text.split_once(": ").map(|(_, message)| message.to_owned());
            Stop::Error(message.unwrap_or(text))
        })?;
    Ok(found
        .into_iter()
        .map(|listing| (listing.group, listing.state))
        .collect())
}

fn list(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let states = known_states(options.value("state")?, STATES)?;
    let found = listings(admin, &states)?;
    print_groups(found, options.has("state"), json);
    Ok(())
}
