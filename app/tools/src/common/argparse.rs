//! The grammar of options that the other half of Kafka's tools share, that of argparse4j: subcommands,
//! `--name value`, `--name=value`, `-xVALUE`, unambiguous beginnings of options and subcommands, and
//! its words for a command line that is wrong.
//!
//! The options are declared with clap, which makes help pages and completions from them: `required`,
//! groups (one option of a group may be given), the type of a value (`value_parser!(i32)` is Java's
//! Integer), `num_args`, `ArgAction::Append`. Clap does not parse them, because its order of checks and
//! its words are others. How it prints what is wrong is in `usage`.

mod usage;

use std::any::TypeId;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Arg, ArgAction, Command};

use super::output;
use super::usage::{Failure, VERSION};

/// How a tool speaks; Kafka's tools differ in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Name in front of errors, such as `kafka-cluster`.
    pub(crate) program: &'static str,
    /// Exit code after `--help`.
    pub(crate) help_code: u8,
    /// How a wrong command line is told.
    pub(crate) wrong: Wrong,
}

/// How a wrong command line is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The line of usage, then `PROGRAM: error: SENTENCE`.
    Usage,
    /// `Command line error: SENTENCE. Type --help for help.`
    Sentence,
}

/// What a command line says.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    command: Option<String>,
    /// Values by the name of the option; none for a flag.
    found: BTreeMap<String, Vec<String>>,
}

impl Parsed {
    /// Name of the subcommand; empty for a tool that has none.
    pub(crate) fn command(&self) -> &str {
        self.command.as_deref().unwrap_or_default()
    }

    /// Whether the option was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.found.contains_key(name)
    }

    /// The value of an option, the last one if it was given more than once.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).last().map(String::as_str)
    }

    /// All values of an option.
    pub(crate) fn values(&self, name: &str) -> &[String] {
        self.found.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The value of an option that is declared to be a number of type `T`; the grammar has refused
    /// anything else.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.value(name).and_then(|value| value.parse().ok())
    }
}

/// Why there is nothing to do, with the subcommands that were entered.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    Help(Vec<String>),
    Version,
    Wrong(Vec<String>, String),
}

/// Runs a tool: reads its options, answers `--help`, does the work, says what failed.
///
/// The `work` gets [`Failure::Usage`] told as a wrong command line.
pub(crate) fn run(
    manner: Manner,
    command: Command,
    args: &[String],
    work: impl FnOnce(&Parsed) -> Result<ExitCode, Failure>,
) -> ExitCode {
    let command = with_help(command);
    let parsed = match parse(&command, args) {
        Ok(parsed) => parsed,
        Err(Stop::Help(path)) => {
            usage::help(&command, &path);
            output::flush();
            return ExitCode::from(manner.help_code);
        }
        Err(Stop::Version) => {
            output::line(VERSION);
            output::flush();
            return ExitCode::SUCCESS;
        }
        Err(Stop::Wrong(path, sentence)) => {
            wrong(manner, &command, &path, &sentence);
            return ExitCode::FAILURE;
        }
    };
    let code = match work(&parsed) {
        Ok(code) => code,
        Err(Failure::Usage(sentence)) => {
            let path: Vec<String> = parsed.command.iter().cloned().collect();
            wrong(manner, &command, &path, &sentence);
            ExitCode::FAILURE
        }
        Err(Failure::Failed(text)) => {
            output::error_line(&text);
            ExitCode::FAILURE
        }
    };
    output::flush();
    code
}

/// Kafka differs: it stretches the sentence of an error to the width of 75 columns; here it is one line
/// with single blanks, so that it can be searched for.
fn wrong(manner: Manner, command: &Command, path: &[String], sentence: &str) {
    match manner.wrong {
        Wrong::Usage => {
            output::error_line(&usage::line(manner.program, command, path));
            output::error_line(&format!("{}: error: {sentence}", manner.program));
        }
        Wrong::Sentence => output::error_line(&format!(
            "Command line error: {sentence}. Type --help for help."
        )),
    }
}

/// Adds `-h` to a command and to all below it.
fn with_help(command: Command) -> Command {
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .help("Print this page.")
        .action(ArgAction::SetTrue)
        .display_order(999);
    command
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .arg(help)
        .mut_subcommands(with_help)
}

/// Reads a command line.
fn parse(command: &Command, args: &[String]) -> Result<Parsed, Stop> {
    let mut state = State {
        path: Vec::new(),
        missing: None,
        parsed: Parsed::default(),
    };
    state.level(command, args)?;
    match state.missing {
        // What a command lacks is told after everything else that is wrong with it.
        Some((path, sentence)) => Err(Stop::Wrong(path, sentence)),
        None => Ok(state.parsed),
    }
}

struct State {
    path: Vec<String>,
    missing: Option<(Vec<String>, String)>,
    parsed: Parsed,
}

impl State {
    /// Reads the arguments of a command, and those behind the name of a subcommand with that one.
    fn level(&mut self, command: &Command, args: &[String]) -> Result<(), Stop> {
        let mut places = command.get_positionals();
        let mut only_words = false;
        let mut seen = Vec::new();
        let mut at = 0;
        while let Some(token) = args.get(at) {
            let rest = args.get(at + 1..).unwrap_or_default();
            if token == "--" && !only_words {
                only_words = true;
                at += 1;
            } else if !only_words && is_flag(token) {
                at += 1 + self.option(command, token, rest, &mut seen)?;
            } else if command.has_subcommands() {
                let sub = self.subcommand(command, token)?;
                self.check_missing(command, &seen);
                self.path.push(sub.get_name().to_owned());
                self.parsed.command = Some(sub.get_name().to_owned());
                return self.level(sub, rest);
            } else if let Some(place) = places.next() {
                let many = place.get_num_args().is_some_and(|n| n.max_values() > 1);
                let taken = if many { args.len() - at } else { 1 };
                let words = args.get(at..at + taken).unwrap_or_default();
                self.store(place, words.to_vec())?;
                seen.push(place.get_id().to_string());
                at += taken;
            } else {
                let rest = args.get(at..).unwrap_or_default().join(" ");
                return Err(self.wrong(format!("unrecognized arguments: '{rest}'")));
            }
        }
        let lacks_place = places.any(Arg::is_required_set);
        if command.has_subcommands() || lacks_place {
            return Err(self.wrong("too few arguments".to_owned()));
        }
        self.check_missing(command, &seen);
        Ok(())
    }

    /// Reads one option; gives back how many of the arguments behind it are its values.
    fn option(
        &mut self,
        command: &Command,
        token: &str,
        rest: &[String],
        seen: &mut Vec<String>,
    ) -> Result<usize, Stop> {
        if let Some(long) = token.strip_prefix("--") {
            let (name, given) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let arg = self.find_long(command, name, token)?;
            return self.take(command, arg, given, rest, seen);
        }
        // One dash: letters of flags, the last one may have its value behind it.
        let letters = token.strip_prefix('-').unwrap_or(token);
        for (at, letter) in letters.char_indices() {
            let found = command
                .get_arguments()
                .find(|arg| arg.get_short() == Some(letter));
            let arg =
                found.ok_or_else(|| self.wrong(format!("unrecognized arguments: '{token}'")))?;
            let behind = letters
                .get(at + letter.len_utf8()..)
                .filter(|text| !text.is_empty());
            if takes_value(arg) {
                return self.take(command, arg, behind, rest, seen);
            }
            self.take(command, arg, None, &[], seen)?;
        }
        Ok(0)
    }

    /// The option of a name, or of the beginning of one.
    fn find_long<'a>(
        &self,
        command: &'a Command,
        name: &str,
        token: &str,
    ) -> Result<&'a Arg, Stop> {
        if let Some(arg) = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(name))
        {
            return Ok(arg);
        }
        let mut begun: Vec<(&str, &Arg)> = command
            .get_arguments()
            .filter_map(|arg| Some((arg.get_long()?, arg)))
            .filter(|(long, _)| long.starts_with(name))
            .collect();
        begun.sort_by_key(|(long, _)| *long);
        match begun.as_slice() {
            [(_, arg)] => Ok(arg),
            [] => Err(self.wrong(format!("unrecognized arguments: '{token}'"))),
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|(long, _)| format!("--{long}"))
                    .collect();
                let names = names.join(", ");
                Err(self.wrong(format!("ambiguous option: --{name} could match {names}")))
            }
        }
    }

    /// Takes the values of an option; gives back how many arguments they are.
    fn take(
        &mut self,
        command: &Command,
        arg: &Arg,
        given: Option<&str>,
        rest: &[String],
        seen: &mut Vec<String>,
    ) -> Result<usize, Stop> {
        let id = arg.get_id().as_str();
        let other = group_of(command, id)
            .into_iter()
            .find(|other| *other != id && seen.iter().any(|name| name == other));
        if let Some(other) = other.and_then(|other| named(command, other)) {
            let text = format!("not allowed with argument {}", usage::name(other));
            return Err(self.wrong_with(arg, &text));
        }
        seen.push(id.to_owned());
        if !takes_value(arg) {
            return match (given, id) {
                (Some(value), _) => {
                    Err(self.wrong_with(arg, &format!("ignore implicit argument '{value}'")))
                }
                (None, "help") => Err(Stop::Help(self.path.clone())),
                (None, "version") => Err(Stop::Version),
                (None, _) => {
                    self.parsed.found.entry(id.to_owned()).or_default();
                    Ok(0)
                }
            };
        }
        if let Some(value) = given {
            self.store(arg, vec![value.to_owned()])?;
            return Ok(0);
        }
        let (least, most) = arg
            .get_num_args()
            .map_or((1, 1), |n| (n.min_values(), n.max_values()));
        let words: Vec<String> = rest
            .iter()
            .take_while(|word| !is_flag(word))
            .take(most)
            .cloned()
            .collect();
        if words.len() < least {
            let text = match (least, most) {
                (1, 1) => "expected one argument".to_owned(),
                _ => format!("expected {least} argument(s)"),
            };
            return Err(self.wrong_with(arg, &text));
        }
        let taken = words.len();
        self.store(arg, words)?;
        Ok(taken)
    }

    /// Keeps values after a look at their type.
    fn store(&mut self, arg: &Arg, values: Vec<String>) -> Result<(), Stop> {
        for value in &values {
            if let Some(kind) = not_of_type(arg, value) {
                return Err(self.wrong_with(
                    arg,
                    &format!(
                        "could not convert '{value}' to {kind} (For input string: \"{value}\")"
                    ),
                ));
            }
        }
        let found = self
            .parsed
            .found
            .entry(arg.get_id().to_string())
            .or_default();
        found.extend(values);
        Ok(())
    }

    fn subcommand<'a>(&self, command: &'a Command, token: &str) -> Result<&'a Command, Stop> {
        let subs = || command.get_subcommands();
        if let Some(sub) = subs().find(|sub| sub.get_name() == token) {
            return Ok(sub);
        }
        let mut begun = subs().filter(|sub| sub.get_name().starts_with(token));
        if let (Some(sub), None) = (begun.next(), begun.next()) {
            return Ok(sub);
        }
        let names: Vec<String> = subs().map(|sub| format!("'{}'", sub.get_name())).collect();
        let names = names.join(", ");
        Err(self.wrong(format!("invalid choice: '{token}' (choose from {names})")))
    }

    /// Notes what a command lacks: the last of its required options, or else a group of which one is
    /// required. What a command above it lacks comes first.
    fn check_missing(&mut self, command: &Command, seen: &[String]) {
        if self.missing.is_some() {
            return;
        }
        let is_seen = |id: &str| seen.iter().any(|name| name == id);
        let lacking = command
            .get_opts()
            .filter(|arg| arg.is_required_set() && !is_seen(arg.get_id().as_str()))
            .last();
        let sentence = match lacking {
            Some(arg) => Some(format!("argument {} is required", usage::name(arg))),
            None => command
                .get_groups()
                .filter(|group| group.is_required_set())
                .find(|group| !group.get_args().any(|id| is_seen(id.as_str())))
                .map(|group| {
                    let names = group
                        .get_args()
                        .filter_map(|id| named(command, id.as_str()));
                    let names: Vec<String> = names.map(usage::name).collect();
                    format!("one of the arguments {} is required", names.join(" "))
                }),
        };
        self.missing = sentence.map(|sentence| (self.path.clone(), sentence));
    }

    fn wrong(&self, sentence: String) -> Stop {
        Stop::Wrong(self.path.clone(), sentence)
    }

    fn wrong_with(&self, arg: &Arg, text: &str) -> Stop {
        self.wrong(format!("argument {}: {text}", usage::name(arg)))
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// Whether a word is an option and no value. A negative number is a value.
fn is_flag(word: &str) -> bool {
    let Some(behind) = word.strip_prefix('-') else {
        return false;
    };
    let number = behind.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && behind.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    !behind.is_empty() && !number
}

/// The options of which one excludes `id`, itself included.
fn group_of<'a>(command: &'a Command, id: &str) -> Vec<&'a str> {
    command
        .get_groups()
        .filter(|group| group.get_args().any(|other| other.as_str() == id))
        .flat_map(|group| group.get_args().map(clap::Id::as_str))
        .collect()
}

fn named<'a>(command: &'a Command, id: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| arg.get_id() == id)
}

/// The Java type that a value should be of, if it is not.
fn not_of_type(arg: &Arg, value: &str) -> Option<&'static str> {
    let kind = arg.get_value_parser().type_id();
    let (name, fits) = if kind == TypeId::of::<i32>() {
        ("Integer", value.parse::<i32>().is_ok())
    } else if kind == TypeId::of::<i64>() {
        ("Long", value.parse::<i64>().is_ok())
    } else if kind == TypeId::of::<i16>() {
        ("Short", value.parse::<i16>().is_ok())
    } else if kind == TypeId::of::<f64>() {
        ("Double", value.trim().parse::<f64>().is_ok())
    } else {
        return None;
    };
    (!fits).then_some(name)
}

#[cfg(test)]
mod tests {
    use clap::{ArgGroup, value_parser};

    use super::*;

    fn value(name: &'static str) -> Arg {
        Arg::new(name).long(name)
    }

    fn command() -> Command {
        let one = Command::new("one")
            .arg(value("topic").required(true))
            .arg(
                value("id")
                    .short('i')
                    .value_parser(value_parser!(i32))
                    .required(true),
            )
            .arg(
                Arg::new("dry-run")
                    .long("dry-run")
                    .action(ArgAction::SetTrue),
            )
            .arg(value("props").num_args(1..));
        with_help(
            Command::new("tool")
                .arg(value("server").short('b'))
                .arg(value("server-two").short('C'))
                .group(
                    ArgGroup::new("servers")
                        .args(["server", "server-two"])
                        .required(true),
                )
                .subcommand(one)
                .subcommand(Command::new("other")),
        )
    }

    fn parsed(line: &str) -> Result<Parsed, Stop> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&command(), &args)
    }

    #[test]
    fn options_are_read_as_argparse4j_reads_them() {
        let check = |line: &str, name: &str, expected: &[&str]| {
            let parsed = parsed(line).expect("it is right");
            assert!(parsed.has(name), "{line}");
            assert_eq!(parsed.values(name), expected, "{line}");
        };
        check("-b x one --topic t --id 5", "server", &["x"]);
        check("-bx one --topic=t --id=5", "topic", &["t"]);
        check("--server x one --top t -i5", "id", &["5"]);
        check("-b x one --topic t -i -5 --dry", "dry-run", &[]);
        check("-b x one --topic t -i 1 --props a b", "props", &["a", "b"]);
        check("-b x -b y one --topic t -i 1", "server", &["x", "y"]);
        assert_eq!(parsed("-b x ot").expect("right").command(), "other");
        let two = parsed("-b x -b y other").expect("right");
        assert_eq!(two.value("server"), Some("y"));
        let id = parsed("-b x one --topic t -i -5").expect("right");
        assert_eq!(id.number::<i32>("id"), Some(-5));
    }

    #[test]
    fn wrong_options_get_the_words_of_argparse4j() {
        let check = |line: &str, expected: &str| match parsed(line) {
            Err(Stop::Wrong(_, sentence)) => assert_eq!(sentence, expected, "{line}"),
            other => panic!("{line}: {other:?}"),
        };
        check("", "too few arguments");
        check("-b x", "too few arguments");
        check(
            "--serv x other",
            "ambiguous option: --serv could match --server, --server-two",
        );
        check(
            "-b x three",
            "invalid choice: 'three' (choose from 'one', 'other')",
        );
        check(
            "other",
            "one of the arguments --server/-b --server-two/-C is required",
        );
        check(
            "-b x -C y other",
            "argument --server-two/-C: not allowed with argument --server/-b",
        );
        check("-b x other more -b", "unrecognized arguments: 'more -b'");
        check("-b x other --more more", "unrecognized arguments: '--more'");
        check("-b x other -- --more", "unrecognized arguments: '--more'");
        check("-b x one", "argument --id/-i is required");
        check("-b x one -i 3", "argument --topic is required");
        // What the upper command lacks comes first, but after values that are wrong.
        check(
            "one",
            "one of the arguments --server/-b --server-two/-C is required",
        );
        check(
            "one -i x",
            "argument --id/-i: could not convert 'x' to Integer (For input string: \"x\")",
        );
        check(
            "-b x one --topic --id",
            "argument --topic: expected one argument",
        );
        check(
            "-b x one --props",
            "argument --props: expected 1 argument(s)",
        );
        check(
            "-b x one --dry-run=y",
            "argument --dry-run: ignore implicit argument 'y'",
        );
    }

    #[test]
    fn help_wins_over_what_is_missing() {
        let path = vec!["one".to_owned()];
        assert_eq!(parsed("one -h").expect_err("help"), Stop::Help(path));
        assert_eq!(parsed("--help").expect_err("help"), Stop::Help(Vec::new()));
    }
}
