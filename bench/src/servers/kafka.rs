//! Apache Kafka, from a directory with its jars.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::host::Placement;

/// What Kafka's own start script gives to the virtual machine.
const JVM_FLAGS: &[&str] = &[
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
];

/// Logs at WARN to standard output.
const LOG4J: &str = "\
Configuration:
  Appenders: {Console: {name: STDOUT, PatternLayout: {pattern: \"[%d] %p %m (%c)%n\"}}}
  Loggers: {Root: {level: WARN, AppenderRef: {ref: STDOUT}}}
";

fn class_path(jars: &Path) -> String {
    format!("{}/*", jars.display())
}

/// Version by the name of the server's jar.
pub(super) fn version(jars: &Path) -> Result<String> {
    for entry in std::fs::read_dir(jars).with_context(|| jars.display().to_string())? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        // kafka_2.13-4.4.0.jar
        let version = name
            .strip_prefix("kafka_")
            .and_then(|rest| rest.split_once('-'));
        if let Some(version) = version.and_then(|(_, rest)| rest.strip_suffix(".jar")) {
            return Ok(format!("Apache Kafka {version}"));
        }
    }
    bail!("no jar of Apache Kafka in {}", jars.display())
}

fn tool(jars: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("java")
        .args(["-cp", &class_path(jars), "kafka.tools.StorageTool"])
        .args(arguments)
        .output()
        .context("java")?;
    if !output.status.success() {
        bail!("kafka-storage: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Formats the directories that `config` names.
pub(super) fn format(jars: &Path, config: &Path) -> Result<()> {
    let id = tool(jars, &["random-uuid"])?;
    let id = id.lines().last().unwrap_or_default().to_owned();
    let config = config.display().to_string();
    tool(jars, &["format", "--standalone", "-t", &id, "-c", &config])?;
    Ok(())
}

/// The command that starts a node.
pub(super) fn command(
    jars: &Path,
    tuned: bool,
    config: &Path,
    placement: Placement,
) -> Result<Command> {
    let log4j = config.with_file_name("log4j2.yaml");
    std::fs::write(&log4j, LOG4J)?;
    let mut command = Command::new("java");
    let heap = if tuned {
        ["-Xms2G", "-Xmx2G"]
    } else {
        ["-Xms1G", "-Xmx1G"]
    };
    command.args(heap).args(JVM_FLAGS);
    if placement == Placement::Pinned {
        // On one core the virtual machine would choose the serial collector and fewer threads.
        command.arg("-XX:ActiveProcessorCount=2");
    }
    command
        .arg(format!("-Dlog4j2.configurationFile={}", log4j.display()))
        .args(["-cp", &class_path(jars), "kafka.Kafka"])
        .arg(config);
    Ok(command)
}
