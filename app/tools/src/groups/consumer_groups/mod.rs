//! `kafka-consumer-groups`: lists consumer groups, describes them, deletes them, moves their offsets.

mod change;
mod describe;
mod description;
mod re2;

pub(super) use change::delete_offsets_of;
pub(super) use describe::assignment;
pub(super) use description::{Member, group as described};

use std::process::ExitCode;

use clap::Command;
use ottla_client::Admin;

use crate::common::jopt::{Options, flag, optional_value, value};
use crate::common::table::{Table, Width, text};
use crate::common::usage::{self, Failure};
use crate::common::{client, format, output};

use super::ask::{self, Listing, Stop};
use super::options::{
    as_failure, check_describe, check_execution, check_scope, known_names, known_states,
    one_action, unavailable, wants_json,
};
use super::reset;

const ABOUT: &str =
    "This tool helps to list, describe, delete and manage the offsets of consumer groups.";

/// Types of the groups that this tool is for.
const TYPES: &[&str] = &["Consumer", "Classic"];

/// States that such groups have.
const STATES: &[&str] = &[
    "PreparingRebalance",
    "CompletingRebalance",
    "Stable",
    "Dead",
    "Empty",
    "Assigning",
    "Reconciling",
];

/// The options that name groups, in the order in which this tool of Kafka's names them.
const SCOPES: [&str; 2] = ["group", "all-groups"];

/// Protocol types of consumers, and of groups that only keep offsets.
const PROTOCOLS: &[&str] = &["", "consumer"];

/// The options.
pub(crate) fn command() -> Command {
    let command = client::options(Command::new("consumer-groups"))
        .about("List, describe and delete consumer groups, and reset their offsets")
        .after_help(
            "Examples:\n  ottla consumer-groups --bootstrap-server localhost:9092 --list --state\n  ottla \
             consumer-groups --bootstrap-server localhost:9092 --describe --group g\n  ottla \
             consumer-groups --bootstrap-server localhost:9092 --reset-offsets --group g --topic t \
             --to-earliest --execute",
        )
        .arg(flag("list", "List groups."))
        .arg(flag("describe", "Describe groups: offsets and lag, members, or state."))
        .arg(flag("delete", "Delete groups."))
        .arg(flag("delete-offsets", "Delete a group's offsets of topics."))
        .arg(flag("reset-offsets", "Move the offsets of inactive groups."))
        .arg(value("validate-regex", "regex", "Say whether RE2 accepts a regular expression."))
        .arg(value("group", "group", "The group; may be given more than once."))
        .arg(flag("all-groups", "All groups."))
        .arg(value("topic", "topic[:0,1]", "The topic, or some of its partitions."))
        .arg(flag("all-topics", "All topics that the group has offsets of."))
        .arg(flag("offsets", "Describe offsets (the default)."))
        .arg(flag("members", "Describe members."))
        .arg(optional_value("state", "states", "Describe the state; list with states, or those in them."))
        .arg(optional_value("type", "types", "List with types, or those of them."))
        .arg(flag("verbose", "Describe more."))
        .arg(value("timeout", "ms", "Longest time of one call (5000)."))
        .arg(flag("dry-run", "Only show what would be reset (the default)."))
        .arg(flag("execute", "Reset."))
        .arg(flag("export", "Print the result as CSV."))
        .arg(format::option());
    reset::options(command)
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(command(), ABOUT, args, work)
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    check(options)?;
    let json = wants_json(options)?;
    match act(options, json) {
        // Standard error has the warning already, and needs no second sentence.
        Err(Stop::Error(text)) if warns(options) => {
            ask::print_failure("consumer group", &text);
            Ok(ExitCode::SUCCESS)
        }
        other => ask::end(other, "consumer group"),
    }
}

fn act(options: &Options, json: bool) -> Result<(), Stop> {
    if options.has("validate-regex") {
        return validate(options);
    }
    let numbers = reset::Numbers::read(options)?;
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
        change::reset(&mut admin, options, numbers, json)
    }
}

/// Refuses options that do not go together, in Kafka's order and words.
fn check(options: &Options) -> Result<(), Failure> {
    unavailable(
        options,
        &[
            ("members", &["describe"]),
            ("verbose", &["describe"]),
            ("offsets", &["describe"]),
            ("state", &["describe", "list"]),
            ("type", &["list"]),
        ],
    )?;
    if !options.has("validate-regex") {
        options.required(&["bootstrap-server"])?;
    }
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    check_describe(options, SCOPES, &["members", "offsets", "state"])?;
    if options.has("delete") {
        check_scope(options, "delete", SCOPES)?;
        if options.has("topic") {
            return usage(
                "The consumer does not support topic-specific offset deletion from a consumer group.",
            );
        }
    }
    if options.has("delete-offsets") && !(options.has("group") && options.has("topic")) {
        return usage("Option [delete-offsets] takes the following options: [group], [topic]");
    }
    if options.has("reset-offsets") {
        check_reset(options)?;
    }
    options.excluded("group", &["all-groups"])?;
    options.excluded("group", &["list"])?;
    options.excluded("topic", &["list", "describe"])?;
    let actions = [
        "list",
        "describe",
        "delete",
        "reset-offsets",
        "delete-offsets",
        "validate-regex",
    ];
    let names: Vec<String> = actions.iter().map(|name| format!("--{name}")).collect();
    one_action(
        options,
        &actions,
        &format!(
            "Command must include exactly one action: {}",
            names.join(", ")
        ),
    )
}

/// Whether a reset does not say if it is meant.
fn warns(options: &Options) -> bool {
    options.has("reset-offsets") && !options.has("dry-run") && !options.has("execute")
}

fn check_reset(options: &Options) -> Result<(), Failure> {
    check_execution(options)?;
    if warns(options) {
        output::error_line(reset::DRY_RUN_WARNING);
    }
    check_scope(options, "reset-offsets", SCOPES)?;
    reset::check_modes(options).map_err(as_failure)
}

fn validate(options: &Options) -> Result<(), Stop> {
    let regex = options.value("validate-regex")?.unwrap_or_default();
    match re2::check(regex) {
        Ok(()) => output::line(&format!("The regular expression `{regex}` is valid.")),
        Err(error) => output::line(&format!(
            "The regular expression `{regex}` is invalid: {error}."
        )),
    }
    Ok(())
}

/// The names of all groups that this tool is for.
fn all_groups(admin: &mut Admin) -> Result<Vec<String>, Stop> {
    let listed = listings(admin, &[], &[])?;
    Ok(listed.into_iter().map(|listing| listing.group).collect())
}

fn listings(admin: &mut Admin, states: &[String], types: &[String]) -> Result<Vec<Listing>, Stop> {
    let types = if types.is_empty() {
        TYPES.iter().map(|name| (*name).to_owned()).collect()
    } else {
        types.to_vec()
    };
    ask::list_groups(admin, states, &types, Some(PROTOCOLS))
        .map_err(|text| Stop::Error(format!("java.util.concurrent.ExecutionException: {text}")))
}

fn list(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let (with_type, with_state) = (options.has("type"), options.has("state"));
    let types = known_names(options.value("type")?, TYPES, |given, valid| {
        format!("Invalid types list '{given}'. Valid types are: {valid}")
    })?;
    let states = known_states(options.value("state")?, STATES)?;
    let found = listings(admin, &states, &types)?;
    if !json && !with_type && !with_state {
        for listing in found {
            output::line(&listing.group);
        }
        return Ok(());
    }
    // The widest name, with room for ten more.
    let width = found
        .iter()
        .map(|listing| listing.group.encode_utf16().count())
        .max()
        .map_or(15, |longest| longest.max(15));
    let mut columns = vec![text("GROUP", Width::Fixed(width + 10), "group")];
    if with_type || json {
        columns.push(text("TYPE", Width::Fixed(20), "type"));
    }
    if with_state || json {
        columns.push(text("STATE", Width::Fixed(20), "state"));
    }
    let mut table = Table::new(columns);
    for listing in found {
        let mut cells = vec![listing.group];
        if with_type || json {
            cells.push(listing.kind);
        }
        if with_state || json {
            cells.push(listing.state);
        }
        table.row(cells);
    }
    if json {
        format::json(&table.json().into());
    } else {
        table.print();
    }
    Ok(())
}
