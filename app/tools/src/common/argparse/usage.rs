//! The line of usage in argparse4j's form, and the page of help in clap's.

use std::io::IsTerminal as _;

use clap::{Arg, ArgAction, Command};

use super::{group_of, named};
use crate::common::output;

/// Columns that a line may have.
const WIDTH: usize = 75;

/// Widest beginning, such as `usage: kafka-cluster `, under which the rest of the usage is indented.
const INDENT_MAX: usize = 30;

/// What is before the name of the program.
const USAGE: &str = "usage: ";

/// Option names as errors give them: `--id/-i`.
pub(super) fn name(arg: &Arg) -> String {
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    match (long, short) {
        (Some(long), Some(short)) if begins_short(arg) => format!("{short}/{long}"),
        (Some(long), Some(short)) => format!("{long}/{short}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => arg.get_id().to_string(),
    }
}

/// Kafka declares these two with the short name in front.
fn begins_short(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

/// The usage of a command below `command`, as argparse4j prints it.
pub(super) fn line(program: &str, command: &Command, path: &[String]) -> String {
    let mut words = vec![];
    let mut at = command;
    for name in path {
        let Some(sub) = at.find_subcommand(name) else {
            break;
        };
        // Of an upper command only what is required stands here.
        words.extend(options(at, true));
        words.push(name.clone());
        at = sub;
    }
    words.extend(options(at, false));
    words.extend(at.get_positionals().map(|arg| {
        let values = values(arg);
        if arg.is_required_set() {
            values
        } else {
            format!("[{values}]")
        }
    }));
    if at.has_subcommands() {
        let names: Vec<&str> = at.get_subcommands().map(Command::get_name).collect();
        let names = format!("{{{}}}", names.join(","));
        words.push(at.get_subcommand_value_name().map_or(names, str::to_owned));
        words.push("...".to_owned());
    }
    wrap(program, &words)
}

/// Options in the order of their declaration, groups behind the others.
fn options(command: &Command, required: bool) -> Vec<String> {
    let mut words = Vec::new();
    let help = command.get_arguments().filter(|arg| arg.get_id() == "help");
    // `--output` is not one of Kafka's.
    let others = command
        .get_arguments()
        .filter(|arg| !arg.is_positional() && !matches!(arg.get_id().as_str(), "help" | "output"));
    for arg in help.chain(others) {
        let lonely = group_of(command, arg.get_id().as_str()).is_empty();
        if lonely && (arg.is_required_set() || !required) {
            let word = spelled(arg);
            words.push(if arg.is_required_set() {
                word
            } else {
                format!("[{word}]")
            });
        }
    }
    for group in command.get_groups() {
        if required && !group.is_required_set() {
            continue;
        }
        let (open, close) = if group.is_required_set() {
            ("(", ")")
        } else {
            ("[", "]")
        };
        let args: Vec<&Arg> = group
            .get_args()
            .filter_map(|id| named(command, id.as_str()))
            .collect();
        for (at, arg) in args.iter().enumerate() {
            let open = if at == 0 { open } else { "" };
            let close = if at + 1 == args.len() { close } else { " |" };
            words.push(format!("{open}{}{close}", spelled(arg)));
        }
    }
    words
}

/// An option with its value.
fn spelled(arg: &Arg) -> String {
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    let name = if begins_short(arg) {
        short.or(long)
    } else {
        long.or(short)
    };
    let name = name.unwrap_or_default();
    match arg.get_action() {
        ArgAction::Set | ArgAction::Append => format!("{name} {}", values(arg)),
        _ => name,
    }
}

/// The values of an option as usage shows them.
fn values(arg: &Arg) -> String {
    let value = match arg.get_value_names() {
        Some([name, ..]) => name.to_string(),
        _ if arg.is_positional() => arg.get_id().to_string(),
        _ => arg.get_id().as_str().to_uppercase().replace('-', "_"),
    };
    match arg
        .get_num_args()
        .map_or((1, 1), |n| (n.min_values(), n.max_values()))
    {
        (1, 1) => value,
        (0, 1) => format!("[{value}]"),
        (0, _) if arg.is_positional() => format!("{value} [{value} ...]"),
        (0, _) => format!("[{value} [{value} ...]]"),
        _ => format!("{value} [{value} ...]"),
    }
}

/// Lines of words; those behind the first are indented.
fn wrap(program: &str, words: &[String]) -> String {
    let mut text = format!("{USAGE}{program}");
    let mut column = text.len();
    let indent = match column + 1 {
        fits if fits <= INDENT_MAX => fits,
        _ => {
            column = WIDTH;
            USAGE.len()
        }
    };
    for word in words {
        if column + 1 + word.len() > WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text
}

/// Prints the help of a command below `command`, with colours on a terminal.
pub(super) fn help(command: &Command, path: &[String]) {
    let mut name = format!("ottla {}", command.get_name());
    let mut at = command;
    for sub in path.iter().filter_map(|name| command.find_subcommand(name)) {
        name = format!("{name} {}", sub.get_name());
        at = sub;
    }
    let page = at.clone().bin_name(name).render_help();
    if std::io::stdout().is_terminal() {
        output::text(&page.ansi().to_string());
    } else {
        output::text(&page.to_string());
    }
}

#[cfg(test)]
mod tests {
    use clap::ArgGroup;

    use super::super::with_help;
    use super::*;

    #[test]
    fn usage_has_the_lines_of_argparse4j() {
        let sub = Command::new("remove")
            .arg(
                Arg::new("controller-id")
                    .long("controller-id")
                    .required(true),
            )
            .arg(
                Arg::new("controller-directory-id")
                    .long("controller-directory-id")
                    .required(true),
            )
            .arg(
                Arg::new("dry-run")
                    .long("dry-run")
                    .action(ArgAction::SetTrue),
            );
        let command = with_help(
            Command::new("x")
                .arg(Arg::new("bootstrap-server").long("bootstrap-server"))
                .arg(Arg::new("bootstrap-controller").long("bootstrap-controller"))
                .arg(Arg::new("command-config").long("command-config"))
                .group(
                    ArgGroup::new("server")
                        .args(["bootstrap-server", "bootstrap-controller"])
                        .required(true),
                )
                .subcommand(sub)
                .subcommand(Command::new("describe")),
        );
        assert_eq!(
            line("kafka-metadata-quorum", &command, &[]),
            "usage: kafka-metadata-quorum [-h] [--command-config COMMAND_CONFIG]\n\
             \x20                            (--bootstrap-server BOOTSTRAP_SERVER |\n\
             \x20                            --bootstrap-controller BOOTSTRAP_CONTROLLER)\n\
             \x20                            {remove,describe} ..."
        );
        assert_eq!(
            line("kafka-metadata-quorum", &command, &["remove".to_owned()]),
            "usage: kafka-metadata-quorum (--bootstrap-server BOOTSTRAP_SERVER |\n\
             \x20                            --bootstrap-controller BOOTSTRAP_CONTROLLER)\n\
             \x20                            remove [-h] --controller-id CONTROLLER_ID\n\
             \x20                            --controller-directory-id CONTROLLER_DIRECTORY_ID\n\
             \x20                            [--dry-run]"
        );
    }
}
