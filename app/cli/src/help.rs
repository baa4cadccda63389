//! The help page, and one sentence for a command line that cannot be understood.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use ottla_tools::Kind;

/// What `ottla --help` prints. A test holds it against the commands that there are.
pub(crate) fn page() -> String {
    let tools: Vec<String> = GROUPS.iter().filter_map(group).collect();
    format!("{HEAD}{}{FOOT}", tools.concat())
}

const HEAD: &str = "\
Ottla: Apache Kafka in one program.

Begin
  ottla help NAME                         the options of a command or tool
  ottla completions bash|zsh|fish         completion for a shell

Run a node
  ottla                                   on localhost:9092, with its data in ./ottla-data
  ottla server start server.properties    as the file says, on directories that are formatted
  ottla server start FILE --auto-format   the same, and formats directories that are new
  ottla server-start [-daemon] FILE       as kafka-server-start
  ottla server-stop [--node-id=ID]        as kafka-server-stop

Prepare its directories, as kafka-storage does
  ottla storage random-uuid               an id for a new cluster
  ottla storage format -s -t ID -c FILE   format the directories of the only controller
  ottla storage info -c FILE              what the directories are
  ottla storage version-mapping           the feature levels of a release
  ottla storage feature-dependencies      what a feature level needs
";

const FOOT: &str = "
Kafka's scripts
  ottla install-tools DIR                 bin/kafka-*.sh and config/ in a directory
  ottla run-class CLASS                   the tool that a class of Kafka's is

Options
  --json-logs      log JSON, one object a line
  -V, --version    version of Ottla, and of Apache Kafka that it speaks as
  -h, --help       this page; after a command, its options

OTTLA_LOG chooses what is logged, in the notation of RUST_LOG: debug, or warn,ottla_server=trace.
";

/// The groups of tools, in order.
const GROUPS: [(Kind, &str); 5] = [
    (Kind::Data, "Topics, configurations, records"),
    (Kind::Console, "Produce and consume"),
    (Kind::Groups, "Groups and offsets"),
    (Kind::Cluster, "Cluster"),
    (Kind::Files, "Files of a node"),
];

/// The lines of a group; none if it has no tool.
fn group((kind, title): &(Kind, &str)) -> Option<String> {
    let lines: Vec<String> = ottla_tools::all()
        .filter(|tool| tool.kind == *kind)
        .map(|tool| {
            let about = (tool.command)().get_about().map(ToString::to_string);
            format!("  ottla {:<24} {}\n", tool.name, about.unwrap_or_default())
        })
        .collect();
    (!lines.is_empty()).then(|| format!("\n{title}, as kafka-NAME does\n{}", lines.concat()))
}

/// What is wrong with a command line, and what was meant instead where that can be guessed.
pub(crate) fn sentence(error: &clap::Error) -> String {
    let get = |kind| error.get(kind).map(words).unwrap_or_default();
    let command = command(error);
    let what = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            format!(
                "there is no command '{}'",
                get(ContextKind::InvalidSubcommand)
            )
        }
        ErrorKind::UnknownArgument => {
            format!(
                "'{command}' has no argument '{}'",
                get(ContextKind::InvalidArg)
            )
        }
        ErrorKind::MissingRequiredArgument => {
            format!("'{command}' needs {}", get(ContextKind::InvalidArg))
        }
        _ => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        }
    };
    let meant = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg]
        .into_iter()
        .find_map(|kind| error.get(kind).map(words))
        .map(|name| format!(" Did you mean '{name}'?"))
        .unwrap_or_default();
    format!("error: {what}.{meant} See '{command} --help'.")
}

/// The command that the error belongs to, from the usage line that clap keeps with it.
fn command(error: &clap::Error) -> String {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    let names: Vec<&str> = usage
        .split_whitespace()
        .skip_while(|word| *word != "ottla")
        .take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    if names.is_empty() {
        "ottla".to_owned()
    } else {
        names.join(" ")
    }
}

fn words(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join(" and "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::Cli;

    #[test]
    fn every_command_is_on_the_page() {
        let page = page();
        let is_there = |line: &str| assert!(page.contains(line), "{line}");
        for command in Cli::command().get_subcommands() {
            is_there(&format!("ottla {}", command.get_name()));
            for sub in command.get_subcommands() {
                is_there(&format!("ottla {} {}", command.get_name(), sub.get_name()));
            }
        }
        for name in crate::called::names() {
            is_there(&format!("ottla {name}"));
        }
        assert!(page.lines().all(|line| line.len() <= 105), "{page}");
    }

    #[test]
    fn wrong_command_lines_get_one_sentence() {
        let check = |line: &str, expected: &str| {
            let args = std::iter::once("ottla").chain(line.split_whitespace());
            let error = Cli::try_parse_from(args).expect_err("it is wrong");
            assert_eq!(sentence(&error), expected, "{line}");
        };
        check(
            "storag",
            "error: there is no command 'storag'. Did you mean 'storage'? See 'ottla --help'.",
        );
        check(
            "zzz",
            "error: there is no command 'zzz'. See 'ottla --help'.",
        );
        check(
            "storage fromat",
            "error: there is no command 'fromat'. Did you mean 'format'? See 'ottla storage --help'.",
        );
        check(
            "storage info",
            "error: 'ottla storage info' needs --config <CONFIG>. See 'ottla storage info --help'.",
        );
        check(
            "storage info --conf x",
            "error: 'ottla storage info' has no argument '--conf'. Did you mean '--config'? See \
             'ottla storage info --help'.",
        );
        check(
            "storage info -c",
            "error: a value is required for '--config <CONFIG>' but none was supplied. See 'ottla \
             --help'.",
        );
    }
}
