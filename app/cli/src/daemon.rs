//! A process in the background, as `-daemon` of Kafka's scripts starts it: away from the terminal, with
//! what it prints in a file.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use crate::called::{self, CALLED_AS_VARIABLE};
use crate::output;

/// Environment variable that tells the new process to leave the terminal's session.
const DETACH_VARIABLE: &str = "OTTLA_DETACH";

/// What to start.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// Name of its file, without the ending.
    pub(crate) name: &'a str,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
}

/// Starts this program anew in the background. As with Kafka's script, whether it goes on is told in
/// the file alone.
pub(crate) fn start(launch: &Launch<'_>) -> ExitCode {
    match spawn(launch) {
        Ok(()) => ExitCode::SUCCESS,
        Err((what, error)) => {
            output::error_line(&format!("{what}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn spawn(launch: &Launch<'_>) -> Result<(), (String, io::Error)> {
    let directory = log_directory();
    let path = directory.join(format!("{}.out", launch.name));
    let of = |path: &std::path::Path| {
        let path = path.display().to_string();
        move |error| (path, error)
    };
    std::fs::create_dir_all(&directory).map_err(of(&directory))?;
    let file = File::create(&path).map_err(of(&path))?;
    let errors = file.try_clone().map_err(of(&path))?;
    let program = std::env::current_exe().map_err(|error| ("this program".to_owned(), error))?;
    Command::new(&program)
        .args(&launch.args)
        .env(DETACH_VARIABLE, "1")
        .env_remove(CALLED_AS_VARIABLE)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .map(drop)
        .map_err(of(&program))
}

/// Where the file goes: `LOG_DIR`, or `logs` beside the directory of Kafka's scripts.
fn log_directory() -> PathBuf {
    match std::env::var_os("LOG_DIR") {
        Some(directory) if !directory.is_empty() => PathBuf::from(directory),
        _ => {
            let script = PathBuf::from(called::called_as(""));
            match script.parent() {
                Some(bin) if !bin.as_os_str().is_empty() => bin.join("../logs"),
                _ => PathBuf::from("logs"),
            }
        }
    }
}

/// Leaves the session of the terminal if this process was started in the background, so that the end of
/// the terminal does not end it.
pub(crate) fn detach_if_asked() {
    if std::env::var_os(DETACH_VARIABLE).is_some() {
        // It fails only for a process that has left already.
        let _ = rustix::process::setsid();
    }
}
