//! The grammar of options that most of Kafka's tools share, that of joptsimple as they set it up:
//! `--name value`, `--name=value`, one dash as good as two, no abbreviations.
//!
//! The options themselves are declared with clap, which makes help pages and completions from them; it
//! does not parse them, because its grammar is another: here whatever follows an option that needs a
//! value is its value.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, Command};

/// A command line that a tool does not understand. The text is that of Kafka's tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptionError(pub(crate) String);

impl std::fmt::Display for OptionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A result of looking at options.
pub(crate) type Result<T> = std::result::Result<T, OptionError>;

/// The options that a command line has.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Values by the long name of the option; none for a flag.
    found: BTreeMap<String, Vec<String>>,
    /// Names of the options in the order in which they were given.
    order: Vec<String>,
    /// What is no option.
    pub(crate) rest: Vec<String>,
}

/// An option without a value.
pub(crate) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

/// An option with a value, which may be given more than once.
pub(crate) fn value(name: &'static str, value_name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value_name)
        .help(help)
        .action(ArgAction::Append)
}

/// An option whose value may be left out.
pub(crate) fn optional_value(
    name: &'static str,
    value_name: &'static str,
    help: &'static str,
) -> Arg {
    value(name, value_name, help).num_args(0..=1)
}

/// An option whose value may be left out, and is a number if not. What follows and is no number stays
/// where it is.
pub(crate) fn optional_number(
    name: &'static str,
    value_name: &'static str,
    help: &'static str,
) -> Arg {
    optional_value(name, value_name, help).allow_negative_numbers(true)
}

/// Reads a command line.
///
/// # Errors
/// What joptsimple says of it.
pub(crate) fn parse(command: &Command, args: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(token) = args.next() {
        if token == "--" {
            options.rest.extend(args.by_ref().cloned());
            break;
        }
        let Some(name) = token.strip_prefix("--").or_else(|| {
            token
                .strip_prefix('-')
                .filter(|name| !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()))
        }) else {
            options.rest.push(token.clone());
            continue;
        };
        let (name, given) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let arg = find(command, name).ok_or_else(|| unknown(token, name))?;
        let id = arg.get_id().as_str();
        options.order.push(id.to_owned());
        let values = options.found.entry(id.to_owned()).or_default();
        if matches!(arg.get_action(), ArgAction::SetTrue) {
            continue;
        }
        let may_lack = arg
            .get_num_args()
            .is_some_and(|range| range.min_values() == 0);
        match given {
            Some(value) => values.push(value),
            None if may_lack => {
                let is_value = |token: &&String| {
                    if arg.is_allow_negative_numbers_set() {
                        token.parse::<i64>().is_ok()
                    } else {
                        !token.starts_with('-')
                    }
                };
                let mut ahead = args.clone();
                if let Some(value) = ahead.next().filter(is_value) {
                    values.push(value.clone());
                    args = ahead;
                }
            }
            None => match args.next() {
                Some(value) => values.push(value.clone()),
                None => return Err(OptionError(format!("Option {name} requires an argument"))),
            },
        }
    }
    Ok(options)
}

/// The option of a name.
fn find<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| {
        let long = arg.get_long_and_visible_aliases().unwrap_or_default();
        let aliases = arg.get_all_aliases().unwrap_or_default();
        let short = arg.get_short();
        long.into_iter().chain(aliases).any(|other| other == name)
            || short.is_some_and(|short| name.chars().eq([short]))
    })
}

/// After one dash joptsimple looks for options of one letter, and names the first that it does not find.
fn unknown(token: &str, name: &str) -> OptionError {
    let name = match name.chars().next() {
        Some(first) if !token.starts_with("--") => first.to_string(),
        _ => name.to_owned(),
    };
    let mut said = format!("{name} is not a recognized option");
    if token.trim_start_matches('-').split('=').next() == Some("zookeeper") {
        said.push_str(WITHOUT_ZOOKEEPER);
    }
    OptionError(said)
}

/// What a command line of the time of ZooKeeper needs instead. Kafka differs: it leaves that to the table
/// of options behind the error.
const WITHOUT_ZOOKEEPER: &str =
    "\nThere is no ZooKeeper to connect to; use --bootstrap-server localhost:9092 instead.";

impl Options {
    /// Whether the option was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.found.contains_key(name)
    }

    /// The long names of the options in the order in which they were given.
    pub(crate) fn order(&self) -> &[String] {
        &self.order
    }

    /// The value of an option that may be given once.
    pub(crate) fn value(&self, name: &str) -> Result<Option<&str>> {
        match self.values(name) {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(OptionError(format!(
                "Found multiple arguments for option {name}, but you asked for only one"
            ))),
        }
    }

    /// All values of an option.
    pub(crate) fn values(&self, name: &str) -> &[String] {
        self.found.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The value of an option as a number of type `T`.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.value(name)? else {
            return Ok(None);
        };
        value
            .parse()
            .map(Some)
            .map_err(|_| OptionError(format!("Cannot parse argument '{value}' of option {name}")))
    }

    /// Refuses a command line that lacks one of `names`.
    pub(crate) fn required(&self, names: &[&str]) -> Result<()> {
        match names.iter().find(|name| !self.has(name)) {
            None => Ok(()),
            Some(name) => Err(OptionError(format!(
                "Missing required argument \"[{name}]\""
            ))),
        }
    }

    /// Refuses a command line that has `name` together with one of `others`.
    pub(crate) fn excluded(&self, name: &str, others: &[&str]) -> Result<()> {
        if !self.has(name) {
            return Ok(());
        }
        match others.iter().find(|other| self.has(other)) {
            None => Ok(()),
            Some(other) => Err(OptionError(format!(
                "Option \"[{name}]\" can't be used with option \"[{other}]\""
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        Command::new("tool")
            .arg(value("topic", "topic", ""))
            .arg(value("topic-id", "id", ""))
            .arg(value("partitions", "n", ""))
            .arg(flag("list", ""))
            .arg(optional_value("state", "states", ""))
            .arg(optional_number("life", "ms", ""))
    }

    fn parsed(line: &str) -> Result<Options> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&command(), &args)
    }

    #[test]
    fn options_are_read_as_joptsimple_reads_them() {
        let check = |line: &str, name: &str, expected: &[&str]| {
            let options = parsed(line).expect("it is right");
            assert!(options.has(name), "{line}");
            assert_eq!(options.values(name), expected, "{line}");
        };
        check("--topic a", "topic", &["a"]);
        check("--topic=a", "topic", &["a"]);
        check("-topic a", "topic", &["a"]);
        check("--topic --list", "topic", &["--list"]);
        check("--topic a --topic b", "topic", &["a", "b"]);
        check("--state --list", "state", &[]);
        check("--state Empty", "state", &["Empty"]);
        check("--partitions -1", "partitions", &["-1"]);
        check("--life -1", "life", &["-1"]);
        check("--life x", "life", &[]);
        check("--life --list", "life", &[]);
        assert_eq!(parsed("x --list y").expect("right").rest, ["x", "y"]);
    }

    #[test]
    fn wrong_options_get_the_words_of_joptsimple() {
        let check = |line: &str, expected: &str| {
            assert_eq!(parsed(line).expect_err("wrong").0, expected, "{line}");
        };
        check("--nothing", "nothing is not a recognized option");
        check("-nothing", "n is not a recognized option");
        for line in ["--zookeeper localhost:2181", "--zookeeper=localhost:2181"] {
            check(
                line,
                "zookeeper is not a recognized option\nThere is no ZooKeeper to connect to; use \
                 --bootstrap-server localhost:9092 instead.",
            );
        }
        check("--part 3", "part is not a recognized option");
        check("--topic", "Option topic requires an argument");
        let twice = parsed("--topic a --topic b").expect("right");
        assert_eq!(
            twice.value("topic").expect_err("two").0,
            "Found multiple arguments for option topic, but you asked for only one"
        );
        let word = parsed("--partitions x").expect("right");
        assert_eq!(
            word.number::<i32>("partitions").expect_err("a word").0,
            "Cannot parse argument 'x' of option partitions"
        );
        assert_eq!(
            word.required(&["partitions", "topic"])
                .expect_err("lacks")
                .0,
            "Missing required argument \"[topic]\""
        );
        assert_eq!(
            word.excluded("partitions", &["partitions"])
                .expect_err("has")
                .0,
            "Option \"[partitions]\" can't be used with option \"[partitions]\""
        );
    }
}
