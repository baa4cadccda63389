//! Which program a command line calls: Kafka's tools under this program's name and under their own.
//!
//! `ottla topics ...` is `kafka-topics ...`; and the program called through a link or a script named
//! `kafka-topics`, `kafka-topics.sh` or `kafka-topics.bat` is that tool. What runs or prepares a node is
//! in this crate, every other tool in `ottla-tools`.

use std::ffi::OsString;

use ottla_tools::Tool;

/// Environment variable in which a script of `install-tools` says how it was called.
pub(crate) const CALLED_AS_VARIABLE: &str = "OTTLA_CALLED_AS";

/// What one of Kafka's scripts is here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Script {
    /// `kafka-server-start`.
    ServerStart,
    /// `kafka-server-stop`.
    ServerStop,
    /// `kafka-storage`, a command of this program with a grammar of its own.
    Storage,
    /// `kafka-run-class`.
    RunClass,
    /// Any other.
    Tool(&'static Tool),
}

/// The scripts that are not in the table of tools.
const OWN: [(&str, Script); 4] = [
    ("server-start", Script::ServerStart),
    ("server-stop", Script::ServerStop),
    ("storage", Script::Storage),
    ("run-class", Script::RunClass),
];

/// Names of all scripts without `kafka-` and ending.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    OWN.iter()
        .map(|(name, _)| *name)
        .chain(ottla_tools::all().map(|tool| tool.name))
}

/// The script of a name: `topics`, `kafka-topics`, `kafka-topics.sh`, or a path that ends so.
pub(crate) fn by_name(name: &str) -> Option<Script> {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = file
        .strip_suffix(".sh")
        .or_else(|| file.strip_suffix(".bat"))
        .unwrap_or(file);
    let stem = stem.strip_prefix("kafka-").unwrap_or(stem);
    let own = OWN.iter().find(|(name, _)| *name == stem);
    own.map(|(_, script)| *script)
        .or_else(|| ottla_tools::by_name(name).map(Script::Tool))
}

/// The script that a command line names, by the program's own name or by its first argument, and the
/// arguments behind the name.
pub(crate) fn script(args: &[OsString]) -> Option<(Script, &[OsString])> {
    let (program, args) = args.split_first()?;
    if let Some(script) = program.to_str().and_then(by_name) {
        return Some((script, args));
    }
    let (name, args) = args.split_first()?;
    name.to_str().and_then(by_name).map(|script| (script, args))
}

/// The script whose page of help a command line asks for: `ottla help NAME`.
pub(crate) fn help_of(args: &[OsString]) -> Option<Script> {
    match args {
        [program, help, name] if help == "help" && program.to_str().and_then(by_name).is_none() => {
            name.to_str().and_then(by_name)
        }
        _ => None,
    }
}

/// How the user called a script, for its usage text: what the script said, else this name.
pub(crate) fn called_as(name: &str) -> String {
    match std::env::var(CALLED_AS_VARIABLE) {
        Ok(script) if !script.is_empty() => script,
        _ => match std::env::args().next() {
            Some(program) if by_name(&program).is_some() => program,
            _ => format!("ottla {name}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_call_a_script_finds_it() {
        let find = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let found = script(&args).map(|(script, rest)| (format!("{script:?}"), rest.len()));
            found.map(|(name, rest)| (name.split('(').next().unwrap_or_default().to_owned(), rest))
        };
        let some = |name: &str, rest| Some((name.to_owned(), rest));
        assert_eq!(find("ottla server-start a b"), some("ServerStart", 2));
        assert_eq!(find("bin/kafka-server-start.sh a"), some("ServerStart", 1));
        assert_eq!(find("kafka-storage info"), some("Storage", 1));
        assert_eq!(find(r"bin\kafka-server-stop.bat"), some("ServerStop", 0));
        assert_eq!(find("ottla kafka-run-class a"), some("RunClass", 1));
        assert_eq!(find("ottla broker-api-versions"), some("Tool", 0));
        assert_eq!(find("ottla server start"), None);
        assert_eq!(find("ottla"), None);
        let help = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            help_of(&args).is_some()
        };
        assert!(help("ottla help broker-api-versions") && help("ottla help kafka-storage.sh"));
        assert!(
            !help("ottla help") && !help("ottla help nothing") && !help("kafka-storage help info")
        );
    }
}
