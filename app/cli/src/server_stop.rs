//! `kafka-server-stop`: asks the nodes on this machine to stop.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use rustix::process::{Pid, Signal, kill_process};

use crate::processes::{self, Process};
use crate::server_start::StartArgs;
use crate::{Cli, Command, ServerCommand, called, config_file, kafka_main, output};

/// Which nodes to stop.
#[derive(Debug, Default, PartialEq, Eq)]
struct Which {
    process_role: Option<String>,
    node_id: Option<String>,
}

/// Stops nodes as `kafka-server-stop` does.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        output::line(USAGE);
        return ExitCode::SUCCESS;
    }
    let which = read(args);
    if which.node_id.is_some() && which.process_role.is_some() {
        output::line(
            "When both node-id and process-role are provided, the value for node-id will take \
             precedence",
        );
    }
    let Some(signal) = signal(std::env::var("SIGNAL").ok().as_deref()) else {
        output::error_line("SIGNAL is not the name of a signal");
        return ExitCode::FAILURE;
    };
    let nodes = nodes(&processes::all());
    if nodes.is_empty() {
        output::line("No kafka server to stop");
        return ExitCode::FAILURE;
    }
    let mut code = ExitCode::SUCCESS;
    for (process, args) in nodes {
        let is_meant = which.is_any() || {
            let configs = configs(&process, &args);
            configs.is_some_and(|configs| which.means(&configs))
        };
        if !is_meant {
            continue;
        }
        let sent = Pid::from_raw(process.id).map(|pid| kill_process(pid, signal));
        if let Some(Err(error)) = sent {
            output::error_line(&format!("kill: ({}) - {error}", process.id));
            code = ExitCode::FAILURE;
        }
    }
    code
}

const USAGE: &str = "\
USAGE: kafka-server-stop [--process-role=x] [--node-id=y]

Asks the nodes on this machine to stop in good order (SIGTERM; SIGNAL=KILL for another signal).

Options
  --process-role=ROLES  only nodes whose file says process.roles=ROLES
  --node-id=ID          only the node whose file says node.id=ID; wins over --process-role

Examples
  kafka-server-stop.sh
  kafka-server-stop.sh --node-id=1";

impl Which {
    fn is_any(&self) -> bool {
        self.process_role.is_none() && self.node_id.is_none()
    }

    fn means(&self, configs: &BTreeMap<String, String>) -> bool {
        let is = |key: &str, wanted: &str| configs.get(key).is_some_and(|value| value == wanted);
        match (&self.node_id, &self.process_role) {
            (Some(id), _) => is("node.id", id),
            (None, Some(roles)) => is("process.roles", roles),
            (None, None) => true,
        }
    }
}

/// Reads the options. As in Kafka's script, whatever else stands there is passed over.
fn read(args: &[OsString]) -> Which {
    let mut which = Which::default();
    let mut args = args.iter().map(|arg| arg.to_string_lossy().into_owned());
    while let Some(arg) = args.next() {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let place = match name {
            "--process-role" => &mut which.process_role,
            "--node-id" => &mut which.node_id,
            _ => continue,
        };
        *place = value
            .or_else(|| args.next())
            .filter(|value| !value.is_empty());
    }
    which
}

/// The signal of a name such as `TERM`, `SIGTERM` or `15`; TERM if none is given.
fn signal(name: Option<&str>) -> Option<Signal> {
    let name = name.filter(|name| !name.is_empty()).unwrap_or("TERM");
    let name = name.strip_prefix("SIG").unwrap_or(name);
    Some(match name {
        "TERM" | "15" => Signal::TERM,
        "INT" | "2" => Signal::INT,
        "KILL" | "9" => Signal::KILL,
        "QUIT" | "3" => Signal::QUIT,
        "HUP" | "1" => Signal::HUP,
        "ABRT" | "6" => Signal::ABORT,
        "USR1" | "10" => Signal::USR1,
        "USR2" | "12" => Signal::USR2,
        _ => return None,
    })
}

/// Those of the processes that run a node, with the arguments that it was started with.
fn nodes(processes: &[Process]) -> Vec<(Process, StartArgs)> {
    processes
        .iter()
        .filter_map(|process| Some((process.clone(), node(process)?)))
        .collect()
}

/// What a process was started with, if it runs a node. Kafka differs: it looks for the class's name in the
/// whole command line; here the program and its command must be those that run a node, so that an editor
/// with a name like that goes on.
fn node(process: &Process) -> Option<StartArgs> {
    let (program, args) = process.args.split_first()?;
    let program = program.to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or_default();
    if let Some(called::Script::ServerStart) = called::by_name(name) {
        return kafka_main::node_args(args);
    }
    let own = std::env::current_exe().ok();
    let own = own.as_deref().and_then(Path::file_name);
    if name != "ottla" && own.is_none_or(|own| own != name) {
        return None;
    }
    match args.split_first() {
        Some((first, rest)) if first == "run-class" => match rest.split_first() {
            Some((class, rest)) if class == "kafka.Kafka" => kafka_main::node_args(rest),
            _ => None,
        },
        Some((first, rest)) if first.to_str().and_then(called::by_name).is_some() => {
            match first.to_str().and_then(called::by_name) {
                Some(called::Script::ServerStart) => kafka_main::node_args(rest),
                _ => None,
            }
        }
        _ => match Cli::try_parse_from(&process.args).ok()?.command {
            None => Some(StartArgs::default()),
            Some(Command::Server(ServerCommand::Start(args))) => Some(args),
            Some(_) => None,
        },
    }
}

/// What a node was configured with; `None` if its file cannot be read any more.
fn configs(process: &Process, args: &StartArgs) -> Option<BTreeMap<String, String>> {
    let mut configs: BTreeMap<String, String> = match &args.file {
        None => config_file::WITHOUT_FILE
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        Some(file) => {
            let file = process
                .directory
                .as_deref()
                .unwrap_or_else(|| Path::new("."))
                .join(file);
            match config_file::read(&file) {
                Ok(configs) => configs.into_iter().collect(),
                Err(error) => {
                    output::error_line(&format!("process {}: {error:#}", process.id));
                    return None;
                }
            }
        }
    };
    let overrides = args
        .overrides
        .iter()
        .filter_map(|pair| pair.split_once('='));
    configs.extend(overrides.map(|(key, value)| (key.trim().to_owned(), value.to_owned())));
    Some(configs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(line: &str) -> Process {
        Process {
            id: 1,
            args: line.split(' ').map(OsString::from).collect(),
            directory: None,
        }
    }

    #[test]
    fn only_processes_that_run_a_node_are_found() {
        for (line, is_node) in [
            ("ottla", true),
            ("/usr/bin/ottla --json-logs", true),
            ("ottla server start a.properties --override node.id=3", true),
            ("target/debug/ottla server-start a.properties", true),
            ("ottla kafka-server-start.sh a.properties", true),
            ("bin/kafka-server-start.sh a.properties", true),
            ("ottla run-class kafka.Kafka a.properties", true),
            ("ottla server-start", false),
            ("ottla server-start -daemon a.properties", false),
            ("ottla server-stop", false),
            ("ottla storage info -c a", false),
            ("ottla broker-api-versions --bootstrap-server ottla", false),
            ("ottla --version", false),
            ("vim ottla", false),
            ("bash bin/kafka-server-start.sh a.properties", false),
            ("java kafka.Kafka a.properties", false),
        ] {
            assert_eq!(node(&process(line)).is_some(), is_node, "{line}");
        }
    }

    #[test]
    fn options_are_as_in_the_script() {
        let which = |line: &str| {
            let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            read(&args)
        };
        let of = |role: Option<&str>, id: Option<&str>| Which {
            process_role: role.map(str::to_owned),
            node_id: id.map(str::to_owned),
        };
        assert_eq!(which(""), of(None, None));
        assert_eq!(which("x --node-id=7"), of(None, Some("7")));
        assert_eq!(
            which("--node-id 7 --process-role=broker"),
            of(Some("broker"), Some("7"))
        );
        assert_eq!(which("--node-id="), of(None, None));
    }

    #[test]
    fn node_id_wins_and_overrides_count() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "node.id=4\nprocess.roles=broker,controller\n").unwrap();
        let line = format!("ottla server-start {}", file.path().display());
        let check = |line: &str, role: Option<&str>, id: Option<&str>, expected: bool| {
            let process = process(line);
            let configs = configs(&process, &node(&process).unwrap()).unwrap();
            let which = Which {
                process_role: role.map(str::to_owned),
                node_id: id.map(str::to_owned),
            };
            assert_eq!(which.means(&configs), expected, "{line} {which:?}");
        };
        check(&line, None, Some("4"), true);
        check(&line, None, Some("5"), false);
        check(&line, Some("broker,controller"), None, true);
        check(&line, Some("broker"), None, false);
        check(&line, Some("broker"), Some("4"), true);
        check(
            &format!("{line} --override node.id=5"),
            None,
            Some("5"),
            true,
        );
        check("ottla", None, Some("1"), true);
    }

    #[test]
    fn signals_have_names_and_numbers() {
        assert_eq!(signal(None), Some(Signal::TERM));
        assert_eq!(signal(Some("")), Some(Signal::TERM));
        assert_eq!(signal(Some("KILL")), Some(Signal::KILL));
        assert_eq!(signal(Some("SIGINT")), Some(Signal::INT));
        assert_eq!(signal(Some("9")), Some(Signal::KILL));
        assert_eq!(signal(Some("NOPE")), None);
    }
}
