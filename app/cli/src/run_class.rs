//! `kafka-run-class`: what a Java class of Kafka's does, by the class's name.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::called::{self, Script};
use crate::daemon::{self, Launch};
use crate::output;

/// Classes of the scripts that are not in the table of tools, with older names of them.
const OWN: [(&str, Script); 2] = [
    ("kafka.Kafka", Script::ServerStart),
    ("kafka.tools.StorageTool", Script::Storage),
];

/// What a command line of `kafka-run-class` asks for.
#[derive(Debug)]
pub(crate) struct ClassCall<'a> {
    /// What the class is here.
    pub(crate) script: Script,
    /// Its arguments.
    pub(crate) args: &'a [OsString],
}

/// Reads the options of `kafka-run-class` and finds the class. What is wrong, or a process that was
/// started in the background, is an exit code.
///
/// # Errors
/// The code to end with, once what is to be said is said.
pub(crate) fn find(args: &[OsString]) -> Result<ClassCall<'_>, ExitCode> {
    let Some((launch, class, rest)) = options(args) else {
        let name = called::called_as("run-class");
        output::line(&format!(
            "USAGE: {name} [-daemon] [-name servicename] [-loggc] classname [opts]"
        ));
        return Err(ExitCode::FAILURE);
    };
    let own = OWN.iter().find(|(name, _)| *name == class);
    let script = own
        .map(|(_, script)| *script)
        .or_else(|| ottla_tools::by_class(&class).map(Script::Tool));
    let Some(script) = script else {
        output::error_line(&format!(
            "Error: Could not find or load main class {class}\n\
             Caused by: java.lang.ClassNotFoundException: {class}"
        ));
        return Err(ExitCode::FAILURE);
    };
    match launch {
        Some(name) => {
            let args = std::iter::once(OsString::from("run-class"))
                .chain(std::iter::once(OsString::from(class)))
                .chain(rest.iter().cloned());
            Err(daemon::start(&Launch {
                name: &name,
                args: args.collect(),
            }))
        }
        None => Ok(ClassCall { script, args: rest }),
    }
}

/// The options in front of the class: the name of the process if it goes to the background, the class,
/// and what follows.
fn options(args: &[OsString]) -> Option<(Option<String>, String, &[OsString])> {
    let mut name = String::new();
    let mut in_background = false;
    let mut rest = args;
    loop {
        let (first, behind) = rest.split_first()?;
        let first = first.to_string_lossy();
        rest = behind;
        match &*first {
            "-daemon" => in_background = true,
            "-loggc" => {}
            "-name" => {
                let (value, behind) = rest.split_first()?;
                name = value.to_string_lossy().into_owned();
                rest = behind;
            }
            class => return Some((in_background.then_some(name), class.to_owned(), rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_before_the_class() {
        let check = |line: &str, expected: Option<(Option<&str>, &str, usize)>| {
            let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let found = options(&args);
            let found = found
                .as_ref()
                .map(|(name, class, rest)| (name.as_deref(), class.as_str(), rest.len()));
            assert_eq!(found, expected, "{line}");
        };
        check("", None);
        check("-daemon", None);
        check("a.B", Some((None, "a.B", 0)));
        check("a.B -daemon", Some((None, "a.B", 1)));
        check("-name n -loggc a.B x y", Some((None, "a.B", 2)));
        check("-daemon -name n a.B x", Some((Some("n"), "a.B", 1)));
        check("-name", None);
    }
}
