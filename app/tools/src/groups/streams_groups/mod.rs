//! `kafka-streams-groups`: lists streams groups, describes them, deletes them, moves their offsets.

mod change;
mod describe;
mod internal;
mod topology;

pub(super) use internal::{delete as delete_topics, is_internal};

use std::process::ExitCode;

use clap::Command;
use ottla_client::Admin;

use crate::common::jopt::{Options, flag, optional_value, value};
use crate::common::usage::{self, Failure};
use crate::common::{client, format, output};

use super::ask::{self, Listing, Stop};
use super::options::{
    as_failure, check_describe, check_execution_given, check_scope, known_states, one_action,
    print_groups, unavailable, wants_json,
};
use super::reset;

/// States that such groups have.
const STATES: &[&str] = &[
    "Reconciling",
    "Dead",
    "NotReady",
    "Stable",
    "Empty",
    "Assigning",
];

/// The options that name groups, in the order in which this tool of Kafka's names them.
const SCOPES: [&str; 2] = ["all-groups", "group"];

/// The options.
pub(crate) fn command() -> Command {
    let command = client::options(Command::new("streams-groups"))
        .about("List, describe and delete streams groups, and reset their offsets")
        .after_help(
            "Examples:\n  ottla streams-groups --bootstrap-server localhost:9092 --describe --group app\n  \
             ottla streams-groups --bootstrap-server localhost:9092 --reset-offsets --group app \
             --all-input-topics --to-earliest --execute",
        )
        .arg(flag("list", "List groups."))
        .arg(flag("describe", "Describe groups: lag, members, state, or topology."))
        .arg(flag("delete", "Delete groups."))
        .arg(flag("delete-offsets", "Delete a group's offsets of topics."))
        .arg(flag("reset-offsets", "Move the offsets of inactive groups."))
        .arg(value("group", "group", "The group; may be given more than once."))
        .arg(flag("all-groups", "All streams groups."))
        .arg(value("input-topic", "topic[:0,1]", "The topic, or some of its partitions."))
        .arg(flag("all-input-topics", "All topics that the topology reads from outside."))
        .arg(flag("offsets", "Describe lag (the default)."))
        .arg(flag("members", "Describe members and their tasks."))
        .arg(optional_value("state", "states", "Describe the state; list with states, or those in them."))
        .arg(flag("topology", "Describe the topology, if the brokers keep it."))
        .arg(flag("verbose", "Describe more."))
        .arg(value("timeout", "ms", "Longest time of one call (5000)."))
        .arg(value("delete-internal-topic", "topic", "With a reset: delete this internal topic."))
        .arg(flag("delete-all-internal-topics", "With a reset or a deletion: delete all internal topics."))
        .arg(flag("dry-run", "Only show what would be reset."))
        .arg(flag("execute", "Reset."))
        .arg(flag("export", "Print the result as CSV."))
        .arg(format::option());
    reset::options(command)
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to list, describe, delete and manage the offsets of streams groups.",
        args,
        work,
    )
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    check(options)?;
    let json = wants_json(options)?;
    match act(options, json) {
        Ok(code) => Ok(code),
        // Of the tools for groups only this ends with 1 when the work failed.
        Err(Stop::Error(text)) => {
            ask::print_failure("streams group", &text);
            output::error_line(&text);
            Ok(ExitCode::FAILURE)
        }
        Err(stop) => Err(as_failure(stop)),
    }
}

fn act(options: &Options, json: bool) -> Result<ExitCode, Stop> {
    let mut admin = ask::admin(options)?;
    let numbers = reset::Numbers::read(options).map_err(|stop| match stop {
        Stop::Error(text) => Stop::Usage(text),
        other => other,
    })?;
    if options.has("list") {
        list(&mut admin, options, json)?;
    } else if options.has("describe") {
        if !describe::run(&mut admin, options, json)? {
            return Ok(ExitCode::FAILURE);
        }
    } else if options.has("reset-offsets") {
        change::reset(&mut admin, options, numbers, json)?;
    } else if options.has("delete") {
        change::delete(&mut admin, options)?;
    } else {
        change::delete_offsets(&mut admin, options, json)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses options that do not go together, in Kafka's order and words.
fn check(options: &Options) -> Result<(), Failure> {
    unavailable(
        options,
        &[
            ("state", &["describe", "list"]),
            ("members", &["describe"]),
            ("offsets", &["describe"]),
            ("topology", &["describe"]),
            ("verbose", &["describe"]),
        ],
    )?;
    options.required(&["bootstrap-server"])?;
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    let by_topic = options.has("input-topic") || options.has("all-input-topics");
    check_describe(
        options,
        SCOPES,
        &["members", "offsets", "state", "topology"],
    )?;
    if options.has("delete") {
        check_scope(options, "delete", SCOPES)?;
        if by_topic {
            return usage(
                "Kafka Streams does not support topic-specific offset deletion from a streams group.",
            );
        }
    }
    if options.has("delete-offsets") {
        if !by_topic || !options.has("group") {
            return usage(
                "Option [delete-offsets] takes the [group] and one of these options: \
                 [all-input-topics], [input-topic]",
            );
        }
        let groups = options.values("group");
        if groups.len() > 1 {
            return Err(Failure::Usage(format!(
                "Option [delete-offsets] supports only one [group] at a time, but found: [{}]",
                groups.join(", ")
            )));
        }
    }
    if options.has("reset-offsets") {
        check_reset(options)?;
    }
    check_internal_topics(options)?;
    if (options.has("dry-run") || options.has("execute")) && !options.has("reset-offsets") {
        return usage("Only Option [reset-offsets] accepts [execute] or [dry-run]");
    }
    options.excluded("list", &["members", "offsets"])?;
    options.excluded("group", &["all-groups"])?;
    options.excluded("group", &["list"])?;
    options.excluded("input-topic", &["list", "describe", "delete"])?;
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
        "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, or \
         --delete-offsets.",
    )
}

fn check_reset(options: &Options) -> Result<(), Failure> {
    check_execution_given(options)?;
    check_scope(options, "reset-offsets", SCOPES)?;
    reset::check_modes(options).map_err(as_failure)
}

fn check_internal_topics(options: &Options) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    let (resets, executes) = (options.has("reset-offsets"), options.has("execute"));
    if options.has("delete-all-internal-topics") {
        if !resets && !options.has("delete") {
            return usage(
                "Option [delete-all-internal-topics] takes one of these options: [delete], \
                 [reset-offsets]",
            );
        }
        if resets && !executes {
            return usage(
                "Option [delete-all-internal-topics] takes [execute] when [reset-offsets] is used.",
            );
        }
    } else if options.has("delete-internal-topic") && !(resets && executes) {
        return usage(
            "Option [delete-internal-topic] takes [reset-offsets] when [execute] is used.",
        );
    }
    Ok(())
}

/// All streams groups.
fn listings(admin: &mut Admin, states: &[String]) -> Result<Vec<Listing>, Stop> {
    ask::list_groups(admin, states, &["Streams".to_owned()], None)
        .map_err(|text| Stop::Error(format!("java.util.concurrent.ExecutionException: {text}")))
}

/// The groups of the command line.
fn named(admin: &mut Admin, options: &Options) -> Result<Vec<String>, Stop> {
    if options.has("all-groups") {
        let listed = listings(admin, &[])?;
        Ok(listed.into_iter().map(|listing| listing.group).collect())
    } else {
        Ok(options.values("group").to_vec())
    }
}

fn list(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let given = options.value("state")?.filter(|text| !text.is_empty());
    let found = listings(admin, &known_states(given, STATES)?)?
        .into_iter()
        .map(|listing| (listing.group, listing.state))
        .collect();
    print_groups(found, options.has("state"), json);
    Ok(())
}
