//! What the command lines of the tools for groups have in common: checks of options that do not go
//! together, and lists of groups with their states.

use crate::common::format::{self, Format};
use crate::common::jopt::Options;
use crate::common::output;
use crate::common::table::{Table, Width, text};
use crate::common::usage::Failure;

use super::ask::Stop;

/// Whether JSON is asked for.
pub(super) fn wants_json(options: &Options) -> Result<bool, Failure> {
    format::of(options.value(format::OUTPUT)?)
        .map(|format| format == Format::Json)
        .map_err(Failure::Usage)
}

/// What is wrong, before anything was asked.
pub(super) fn as_failure(stop: Stop) -> Failure {
    match stop {
        Stop::Usage(text) => Failure::Usage(text),
        Stop::Error(text) | Stop::Exit(text) => Failure::Failed(text),
    }
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

/// Refuses `--describe` without a group, with more than one of `views`, or with a list of states.
/// `scopes` are the options that name groups, in Kafka's order.
pub(super) fn check_describe(
    options: &Options,
    scopes: [&str; 2],
    views: &[&str],
) -> Result<(), Failure> {
    if !options.has("describe") {
        return Ok(());
    }
    check_scope(options, "describe", scopes)?;
    if views.iter().filter(|view| options.has(view)).count() > 1 {
        let views: Vec<String> = views.iter().map(|view| format!("[{view}]")).collect();
        return Err(Failure::Usage(format!(
            "Option [describe] takes at most one of these options: {}",
            views.join(", ")
        )));
    }
    if options.value("state")?.is_some() {
        return Err(Failure::Usage(
            "Option [describe] does not take a value for [state]".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses an action that has none of the options that name groups.
pub(super) fn check_scope(
    options: &Options,
    action: &str,
    scopes: [&str; 2],
) -> Result<(), Failure> {
    if scopes.iter().any(|scope| options.has(scope)) {
        return Ok(());
    }
    let [one, other] = scopes;
    Err(Failure::Usage(format!(
        "Option [{action}] takes one of these options: [{one}], [{other}]"
    )))
}

/// Refuses `--dry-run` together with `--execute`.
pub(super) fn check_execution(options: &Options) -> Result<(), Failure> {
    if options.has("dry-run") && options.has("execute") {
        return Err(Failure::Usage(
            "Option [reset-offsets] only accepts one of [execute] and [dry-run]".to_owned(),
        ));
    }
    Ok(())
}

/// The same, and a reset that has neither of them.
pub(super) fn check_execution_given(options: &Options) -> Result<(), Failure> {
    check_execution(options)?;
    if options.has("dry-run") || options.has("execute") {
        return Ok(());
    }
    Err(Failure::Usage(
        "Option [reset-offsets] takes the option: [execute] or [dry-run]".to_owned(),
    ))
}

/// Refuses anything but one action.
pub(super) fn one_action(
    options: &Options,
    actions: &[&str],
    sentence: &str,
) -> Result<(), Failure> {
    if actions.iter().filter(|action| options.has(action)).count() == 1 {
        return Ok(());
    }
    Err(Failure::Usage(sentence.to_owned()))
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

/// The states that `--list --state` asks for.
pub(super) fn known_states(given: Option<&str>, known: &[&str]) -> Result<Vec<String>, Stop> {
    known_names(given, known, |given, valid| {
        format!("Invalid state list '{given}'. Valid states are: {valid}")
    })
}

/// Prints groups with their states, or only their names.
pub(super) fn print_groups(found: Vec<(String, String)>, with_state: bool, json: bool) {
    if !json && !with_state {
        for (group, _) in found {
            output::line(&group);
        }
        return;
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
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;
    use crate::common::jopt::{self, flag, optional_value, value};

    fn options(line: &str) -> Options {
        let command = ["describe", "all-groups", "members", "verbose", "list"]
            .into_iter()
            .map(|name| flag(name, ""))
            .chain([value("group", "g", ""), optional_value("state", "s", "")])
            .fold(Command::new("t"), Command::arg);
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        jopt::parse(&command, &args).expect("it is right")
    }

    fn told<T>(result: Result<T, Failure>) -> String {
        match result {
            Err(Failure::Usage(text)) => text,
            _ => String::new(),
        }
    }

    #[test]
    fn a_description_needs_a_group_and_has_one_view() {
        let check = |line: &str, expected: &str| {
            let result = check_describe(
                &options(line),
                ["group", "all-groups"],
                &["members", "state"],
            );
            assert_eq!(told(result), expected, "{line}");
        };
        check("--list", "");
        check("--describe --all-groups --members", "");
        check(
            "--describe",
            "Option [describe] takes one of these options: [group], [all-groups]",
        );
        check(
            "--describe --group g --members --state",
            "Option [describe] takes at most one of these options: [members], [state]",
        );
        check(
            "--describe --group g --state Empty",
            "Option [describe] does not take a value for [state]",
        );
    }

    #[test]
    fn options_that_need_others_are_told_together() {
        let rules: &[(&str, &[&str])] = &[
            ("members", &["describe"]),
            ("verbose", &["describe"]),
            ("state", &["list"]),
        ];
        let told = |line: &str| told(unavailable(&options(line), rules));
        assert_eq!(told("--describe --members"), "");
        assert_eq!(
            told("--list --verbose --members --state"),
            "Option(s) [members, verbose] are unavailable given other options on the command line"
        );
    }

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(
            known_states(Some("stable, EMPTY"), &["Stable", "Empty"]),
            Ok(vec!["Stable".to_owned(), "Empty".to_owned()])
        );
        assert_eq!(
            known_states(Some("x"), &["Stable", "Empty"]),
            Err(Stop::Usage(
                "Invalid state list 'x'. Valid states are: Stable, Empty".to_owned()
            ))
        );
    }
}
