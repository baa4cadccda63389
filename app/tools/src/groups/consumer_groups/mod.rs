//! `kafka-consumer-groups`: lists consumer groups, describes them, deletes them, moves their offsets.

mod change;
mod describe;
mod re2;

pub(super) use change::{in_java_order, print_plan, say_deleted};
pub(super) use describe::assignment;

use std::process::ExitCode;

use clap::Command;
use ottla_client::Admin;

use crate::common::format::{self, Format};
use crate::common::jopt::{Options, flag, optional_value, value};
use crate::common::table::{Table, Width, text};
use crate::common::usage::{self, Failure};
use crate::common::{client, output};

use super::ask::{self, Listing, Stop};
use super::reset;

const ABOUT: &str = "This tool helps to list all consumer groups, describe a consumer group, delete consumer \
                     group info, or reset consumer group offsets.";

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

/// Whether JSON is asked for.
pub(super) fn wants_json(options: &Options) -> Result<bool, Failure> {
    format::of(options.value(format::OUTPUT)?)
        .map(|format| format == Format::Json)
        .map_err(Failure::Usage)
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(command(), ABOUT, args, work)
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    check(options)?;
    let json = wants_json(options)?;
    ask::end(act(options, json), "consumer group")
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
    let usage = |text: String| Err(Failure::Usage(text));
    let no_group = !options.has("group") && !options.has("all-groups");
    if options.has("describe") {
        if no_group {
            return usage(
                "Option [describe] takes one of these options: [group], [all-groups]".into(),
            );
        }
        let views = ["members", "offsets", "state"];
        if views.iter().filter(|view| options.has(view)).count() > 1 {
            return usage(
                "Option [describe] takes at most one of these options: [members], [offsets], [state]"
                    .into(),
            );
        }
        if options.value("state")?.is_some() {
            return usage("Option [describe] does not take a value for [state]".into());
        }
    }
    if options.has("delete") {
        if no_group {
            return usage(
                "Option [delete] takes one of these options: [group], [all-groups]".into(),
            );
        }
        if options.has("topic") {
            return usage(
                "The consumer does not support topic-specific offset deletion from a consumer group."
                    .into(),
            );
        }
    }
    if options.has("delete-offsets") && !(options.has("group") && options.has("topic")) {
        return usage(
            "Option [delete-offsets] takes the following options: [group], [topic]".into(),
        );
    }
    if options.has("reset-offsets") {
        check_reset(options, no_group)?;
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
    if actions.iter().filter(|action| options.has(action)).count() != 1 {
        let names: Vec<String> = actions.iter().map(|name| format!("--{name}")).collect();
        return usage(format!(
            "Command must include exactly one action: {}",
            names.join(", ")
        ));
    }
    Ok(())
}

/// Refuses options that are only there together with others.
pub(super) fn unavailable(options: &Options, rules: &[(&str, &[&str])]) -> Result<(), Failure> {
    let lost: Vec<&str> = rules
        .iter()
        .filter(|(name, with)| options.has(name) && !with.iter().any(|other| options.has(other)))
        .map(|(name, _)| *name)
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "Option(s) [{}] are unavailable given other options on the command line",
        lost.join(", ")
    )))
}

fn check_reset(options: &Options, no_group: bool) -> Result<(), Failure> {
    if options.has("dry-run") && options.has("execute") {
        return Err(Failure::Usage(
            "Option [reset-offsets] only accepts one of [execute] and [dry-run]".into(),
        ));
    }
    if !options.has("dry-run") && !options.has("execute") {
        output::error_line(reset::DRY_RUN_WARNING);
    }
    if no_group {
        return Err(Failure::Usage(
            "Option [reset-offsets] takes one of these options: [group], [all-groups]".into(),
        ));
    }
    reset::check_modes(options).map_err(as_failure)
}

/// What is wrong, before anything was asked.
pub(super) fn as_failure(stop: Stop) -> Failure {
    match stop {
        Stop::Usage(text) => Failure::Usage(text),
        Stop::Error(text) | Stop::Exit(text) => Failure::Failed(text),
    }
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

/// A list of states or types with their proper names, or what Kafka's tool says of one that is not known.
///
/// Kafka differs: it prints the valid ones in an order that changes from run to run.
pub(super) fn known_names(
    given: Option<&str>,
    known: &[&str],
    sentence: impl Fn(&str, &str) -> String,
) -> Result<Vec<String>, Stop> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    given
        .split(',')
        .map(|name| {
            let name = name.trim();
            known
                .iter()
                .find(|known| known.eq_ignore_ascii_case(name))
                .map(|known| (*known).to_owned())
                .ok_or_else(|| Stop::Usage(sentence(given, &known.join(", "))))
        })
        .collect()
}

fn list(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let (with_type, with_state) = (options.has("type"), options.has("state"));
    let types = known_names(options.value("type")?, TYPES, |given, valid| {
        format!("Invalid types list '{given}'. Valid types are: {valid}")
    })?;
    let states = known_names(options.value("state")?, STATES, |given, valid| {
        format!("Invalid state list '{given}'. Valid states are: {valid}")
    })?;
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
