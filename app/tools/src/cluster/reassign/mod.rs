//! `kafka-reassign-partitions`: moves partitions to other brokers and log directories.
//!
//! Here are the options and what becomes of each action; the files of plans, what a cluster is asked and
//! the rules of throttles have files of their own.

mod cluster;
mod execute;
mod generate;
mod plan;
mod throttle;
mod verify;

use std::process::ExitCode;

use clap::Command;
use ottla_client::{Admin, Bootstrap, ClientError};
use serde_json::{Value, json};

use crate::common::jopt::{Options, flag, value};
use crate::common::usage::{self, Failure};
use crate::common::{client, format, java, json as files, output};

/// Time that the start of a move between log directories may take, unless a command line says another.
const MOVE_START_MS: i64 = 10_000;

/// The file with the plan.
const PLAN: &str = "reassignment-json-file";
/// The file with the topics to make a plan for.
const TOPICS: &str = "topics-to-move-json-file";

/// What a command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Generate,
    Execute,
    Verify,
    Cancel,
    List,
}

impl Action {
    const ALL: [Self; 5] = [
        Self::Generate,
        Self::Execute,
        Self::Verify,
        Self::Cancel,
        Self::List,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Execute => "execute",
            Self::Verify => "verify",
            Self::Cancel => "cancel",
            Self::List => "list",
        }
    }

    /// Options that it needs.
    const fn required(self) -> &'static [&'static str] {
        match self {
            Self::Generate => &[TOPICS, "broker-list"],
            Self::Execute | Self::Verify | Self::Cancel => &[PLAN],
            Self::List => &[],
        }
    }

    /// Options that it takes besides.
    const fn permitted(self) -> &'static [&'static str] {
        match self {
            Self::Generate => &["bootstrap-server", "command-config", "disable-rack-aware"],
            Self::Execute => &[
                "additional",
                "bootstrap-server",
                "command-config",
                "throttle",
                "replica-alter-log-dirs-throttle",
                "timeout",
                "disallow-replication-factor-change",
            ],
            Self::Verify => &["bootstrap-server", "command-config", "preserve-throttles"],
            Self::Cancel => &[
                "bootstrap-server",
                "bootstrap-controller",
                "command-config",
                "preserve-throttles",
                "timeout",
            ],
            Self::List => &[
                "bootstrap-server",
                "bootstrap-controller",
                "command-config",
                format::OUTPUT,
            ],
        }
    }
}

/// The options.
pub(crate) fn command() -> Command {
    client::options(Command::new("reassign-partitions"))
        .about("Move partitions to other brokers and log directories")
        .arg(value(
            "bootstrap-controller",
            "host:port,...",
            "Controllers to begin with, for --cancel and --list.",
        ))
        .arg(flag(
            "generate",
            "Print a plan for topics, without doing it.",
        ))
        .arg(flag("execute", "Begin to do a plan."))
        .arg(flag(
            "verify",
            "Show how far a plan is; remove its throttles if done.",
        ))
        .arg(flag("cancel", "Stop what a plan began."))
        .arg(flag("list", "Show every move that is under way."))
        .arg(value(
            PLAN,
            "file",
            "JSON file with the plan, as --generate prints it.",
        ))
        .arg(value(
            TOPICS,
            "file",
            "JSON: {\"version\": 1, \"topics\": [{\"topic\": \"t\"}]}.",
        ))
        .arg(value(
            "broker-list",
            "1,2,3",
            "Brokers to use with --generate.",
        ))
        .arg(flag("disable-rack-aware", "Leave racks out of account."))
        .arg(value(
            "throttle",
            "bytes/s",
            "Limit of moves between brokers.",
        ))
        .arg(value(
            "replica-alter-log-dirs-throttle",
            "bytes/s",
            "Limit of moves between log directories.",
        ))
        .arg(value(
            "timeout",
            "ms",
            "Time for moves between log directories to begin.",
        ))
        .arg(flag(
            "additional",
            "Begin although other moves are under way.",
        ))
        .arg(flag("preserve-throttles", "Leave throttles as they are."))
        .arg(flag(
            "disallow-replication-factor-change",
            "Refuse plans that change the count of replicas.",
        ))
        .arg(format::option())
        .after_help(
            "Examples:\n  \
             ottla reassign-partitions --bootstrap-server localhost:9092 --generate \
             --topics-to-move-json-file topics.json --broker-list 1,2,3\n  \
             ottla reassign-partitions --bootstrap-server localhost:9092 --execute \
             --reassignment-json-file plan.json --throttle 50000000\n  \
             ottla reassign-partitions --bootstrap-server localhost:9092 --verify \
             --reassignment-json-file plan.json",
        )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to move topic partitions between replicas.",
        args,
        |options| {
            let action = action(options)?;
            match perform(options, action) {
                Ok(()) => return Ok(ExitCode::SUCCESS),
                Err(Trouble::Terse(text)) => output::line(&text),
                // Where the trace would stand, Kafka's tool ends with an empty line.
                Err(Trouble::Error(text)) => output::line(&format!("Error: {text}\n")),
            }
            Ok(ExitCode::FAILURE)
        },
    )
}

/// Why the work failed. Kafka's tool prints both to standard output. Kafka differs: it prints the trace of
/// the exception behind an error.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// A sentence that stands alone.
    Terse(String),
    /// The message of an exception.
    Error(String),
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self::Error(text)
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self::Error(error.to_java())
    }
}

impl From<crate::common::jopt::OptionError> for Trouble {
    fn from(error: crate::common::jopt::OptionError) -> Self {
        Self::Error(error.0)
    }
}

/// The action of a command line that is right.
fn action(options: &Options) -> Result<Action, Failure> {
    let given: Vec<Action> = Action::ALL
        .into_iter()
        .filter(|action| options.has(action.name()))
        .collect();
    let [action] = given.as_slice() else {
        let names = Action::ALL.map(|action| format!("--{}", action.name()));
        return Err(Failure::Usage(format!(
            "Command must include exactly one action: {}",
            names.join(", ")
        )));
    };
    match (
        options.has("bootstrap-server"),
        options.has("bootstrap-controller"),
    ) {
        (true, true) => {
            return Err(Failure::Usage(
                "Please don't specify both --bootstrap-server and --bootstrap-controller"
                    .to_owned(),
            ));
        }
        (false, false) => {
            return Err(Failure::Usage(
                "Please specify either --bootstrap-server or --bootstrap-controller".to_owned(),
            ));
        }
        _ => {}
    }
    options.required(action.required())?;
    let known = |name: &str| {
        name == action.name()
            || action.required().contains(&name)
            || action.permitted().contains(&name)
    };
    match options.order().iter().find(|name| !known(name)) {
        Some(name) => Err(Failure::Usage(format!(
            "Option \"[{name}]\" can't be used with action \"[{}]\"",
            action.name()
        ))),
        None => {
            format::is_json(options)?;
            Ok(*action)
        }
    }
}

fn perform(options: &Options, action: Action) -> Result<(), Trouble> {
    let properties = client::properties_of(options)?;
    let (kind, servers) = match options.value("bootstrap-controller")? {
        Some(servers) => (Bootstrap::Controllers, servers),
        None => (
            Bootstrap::Brokers,
            options.value("bootstrap-server")?.unwrap_or_default(),
        ),
    };
    let mut admin = client::admin(kind, servers, &properties)
        .map_err(|error| client::failed_to_create(&error))?;
    let admin = &mut admin;
    let file =
        |name: &str| files::file(options.value(name)?.unwrap_or_default()).map_err(Trouble::from);
    let timeout_ms = || Ok::<i64, Trouble>(options.number("timeout")?.unwrap_or(MOVE_START_MS));
    match action {
        Action::List => list(admin, format::is_json(options)?),
        Action::Verify => verify::run(admin, &file(PLAN)?, options.has("preserve-throttles")),
        Action::Cancel => {
            let text = file(PLAN)?;
            let limits = !options.has("preserve-throttles");
            execute::cancel(admin, &text, limits, timeout_ms()?)
        }
        Action::Execute => {
            let text = file(PLAN)?;
            let how = execute::How {
                additional: options.has("additional"),
                between_brokers: options.number("throttle")?,
                between_dirs: options.number("replica-alter-log-dirs-throttle")?,
                timeout_ms: timeout_ms()?,
                keep_count: options.has("disallow-replication-factor-change"),
            };
            execute::run(admin, &text, &how)
        }
        Action::Generate => {
            let text = file(TOPICS)?;
            let brokers = options.value("broker-list")?.unwrap_or_default();
            generate::run(admin, &text, brokers, !options.has("disable-rack-aware"))
        }
    }
}

/// `--list`.
fn list(admin: &mut Admin, as_json: bool) -> Result<(), Trouble> {
    let moves = cluster::moves(admin)?;
    if as_json {
        let entry = |((topic, index), step): (&plan::TopicPartition, &cluster::Move)| {
            json!({
                "topic": topic,
                "partition": index,
                "replicas": step.replicas,
                "adding": step.adding,
                "removing": step.removing,
            })
        };
        format::json(&Value::Array(moves.iter().map(entry).collect()));
        return Ok(());
    }
    if moves.is_empty() {
        output::line("No partition reassignments found.");
        return Ok(());
    }
    output::line("Current partition reassignments:");
    for ((topic, index), step) in &moves {
        let part = |word: &str, ids: &[i32]| {
            if ids.is_empty() {
                String::new()
            } else {
                format!(" {word}: {}.", java::joined(ids, ","))
            }
        };
        output::line(&format!(
            "{topic}-{index}: replicas: {}.{}{}",
            java::joined(&step.replicas, ","),
            part("adding", &step.adding),
            part("removing", &step.removing)
        ));
    }
    Ok(())
}
