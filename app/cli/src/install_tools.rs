//! `ottla install-tools DIR`: Kafka's scripts and configuration files in a directory, so that
//! instructions written for Kafka work line by line in it.
//!
//! The scripts call `bin/ottla`, a link to this program, so the directory can be moved and follows the
//! program when that is replaced.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::called::{self, CALLED_AS_VARIABLE};
use crate::output;

/// Where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory; it is made if it is not there. Scripts in it are replaced, configuration files
    /// are kept.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// The configuration files.
const CONFIGS: [(&str, &str); 8] = [
    (
        "server.properties",
        include_str!("install_tools/server.properties"),
    ),
    (
        "broker.properties",
        include_str!("install_tools/broker.properties"),
    ),
    (
        "controller.properties",
        include_str!("install_tools/controller.properties"),
    ),
    (
        "producer.properties",
        include_str!("install_tools/producer.properties"),
    ),
    (
        "consumer.properties",
        include_str!("install_tools/consumer.properties"),
    ),
    (
        "kraft/server.properties",
        include_str!("install_tools/kraft_server.properties"),
    ),
    (
        "kraft/broker.properties",
        include_str!("install_tools/kraft_broker.properties"),
    ),
    (
        "kraft/controller.properties",
        include_str!("install_tools/kraft_controller.properties"),
    ),
];

/// Lays the files out.
///
/// # Errors
/// With the file that cannot be written.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let program = std::env::current_exe().context("this program cannot be found")?;
    let counts = lay_out(&args.directory, &program)?;
    output::line(&format!(
        "Laid out {} scripts in {}/bin and {} files in {}/config.",
        counts.scripts,
        args.directory.display(),
        counts.configs,
        args.directory.display(),
    ));
    if counts.configs < CONFIGS.len() {
        output::line("Configuration files that were there already are as they were.");
    }
    output::line(&format!(
        "Next: cd {} && bin/kafka-storage.sh random-uuid",
        args.directory.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// How many files were written.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    scripts: usize,
    configs: usize,
}

fn lay_out(directory: &Path, program: &Path) -> Result<Counts> {
    let bin = directory.join("bin");
    let windows = bin.join("windows");
    let config = directory.join("config");
    for path in [&windows, &config.join("kraft")] {
        fs::create_dir_all(path).with_context(|| path.display().to_string())?;
    }
    let link = bin.join("ottla");
    // A link is replaced, whatever it names; what is no link stays and is told of.
    if link.is_symlink() {
        fs::remove_file(&link).with_context(|| link.display().to_string())?;
    }
    symlink(program, &link).with_context(|| link.display().to_string())?;
    let mut counts = Counts {
        scripts: 0,
        configs: 0,
    };
    for name in called::names() {
        let path = bin.join(format!("kafka-{name}.sh"));
        write(&path, &shell_script(name))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .with_context(|| path.display().to_string())?;
        write(
            &windows.join(format!("kafka-{name}.bat")),
            &batch_file(name),
        )?;
        counts.scripts += 1;
    }
    for (name, text) in CONFIGS {
        let path = config.join(name);
        if !path.exists() {
            write(&path, text)?;
            counts.configs += 1;
        }
    }
    Ok(counts)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}

/// A script for any shell. Nothing but the shell itself is needed, and it ends by becoming the program.
fn shell_script(name: &str) -> String {
    format!(
        "#!/bin/sh\n\
         # kafka-{name}, done by Ottla.\n\
         case $0 in */*) bin=${{0%/*}} ;; *) bin=. ;; esac\n\
         {CALLED_AS_VARIABLE}=$0\n\
         export {CALLED_AS_VARIABLE}\n\
         exec \"$bin/ottla\" {name} \"$@\"\n"
    )
}

fn batch_file(name: &str) -> String {
    format!(
        "@echo off\r\n\
         rem kafka-{name}, done by Ottla.\r\n\
         set {CALLED_AS_VARIABLE}=%~f0\r\n\
         \"%~dp0..\\ottla\" {name} %*\r\n"
    )
}

#[cfg(test)]
mod tests {
    use ottla_config::{BrokerConfig, parse_properties};

    use super::*;

    #[test]
    fn every_name_gets_a_script_and_own_configs_stay() {
        let folder = tempfile::tempdir().unwrap();
        let names = called::names().count();
        let first = lay_out(folder.path(), Path::new("/no/program")).unwrap();
        let all = |configs| Counts {
            scripts: names,
            configs,
        };
        assert_eq!(first, all(CONFIGS.len()));
        for name in [
            "topics",
            "server-start",
            "server-stop",
            "storage",
            "run-class",
        ] {
            if called::by_name(name).is_some() {
                assert!(folder.path().join(format!("bin/kafka-{name}.sh")).is_file());
                assert!(
                    folder
                        .path()
                        .join(format!("bin/windows/kafka-{name}.bat"))
                        .is_file()
                );
            }
        }
        let config = folder.path().join("config/server.properties");
        fs::write(&config, "mine").unwrap();
        assert_eq!(lay_out(folder.path(), Path::new("/other")).unwrap(), all(0));
        assert_eq!(fs::read_to_string(&config).unwrap(), "mine");
        let link = fs::read_link(folder.path().join("bin/ottla")).unwrap();
        assert_eq!(link, Path::new("/other"));
    }

    #[test]
    fn configurations_of_nodes_are_right() {
        for (name, text) in CONFIGS {
            let configs = parse_properties(text.as_bytes()).expect(name);
            if name.contains("producer") || name.contains("consumer") {
                assert_eq!(
                    configs.get("bootstrap.servers").map(String::as_str),
                    Some("localhost:9092")
                );
            } else {
                let config = BrokerConfig::load(configs).expect(name);
                // Kafka's files name keys that have no effect here yet, but none that there is not.
                let warnings = config.warnings();
                let unknown = warnings.iter().find(|text| !text.contains("has no effect"));
                assert_eq!(unknown, None, "{name}");
            }
        }
    }
}
