//! The scripts of `ottla install-tools`, line by line as instructions for Kafka use them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output};

use crate::{ottla, text};

/// Runs a line of a session in `dir`.
fn line(dir: &Path, line: &str) -> Output {
    Command::new("sh")
        .args(["-c", line])
        .current_dir(dir)
        .output()
        .expect("there is a shell")
}

/// Runs a line that is to go well, and gives what it printed.
fn well(dir: &Path, command: &str) -> String {
    let output = line(dir, command);
    let err = text(&output.stderr);
    assert!(output.status.success(), "{command}: {err}");
    assert_eq!(err, "", "{command}");
    text(&output.stdout)
}

#[test]
fn a_node_is_formatted_started_in_the_background_and_stopped() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dir = dir.path();
    assert!(ottla(dir, &["install-tools", "."]).status.success());
    // A number of its own, so that no other node on this machine is stopped.
    let id = std::process::id();
    let config = dir.join("config/kraft/server.properties");
    let own = fs::read_to_string(&config)
        .expect("it was laid out")
        .replace(":9092", ":0")
        .replace(":9093", ":0")
        .replace(
            "/tmp/kraft-combined-logs",
            &dir.join("data").display().to_string(),
        )
        .replace("voters=1@", &format!("voters={id}@"))
        .replace("node.id=1\n", &format!("node.id={id}\n"));
    fs::write(&config, own).expect("the directory is ours");

    let cluster = well(dir, "bin/kafka-storage.sh random-uuid");
    assert_eq!(cluster.len(), 23, "{cluster}");
    let format = format!(
        "sh bin/kafka-storage.sh format -t {} -c config/kraft/server.properties",
        cluster.trim()
    );
    assert!(well(dir, &format).contains("Formatting metadata directory"));

    // What the node prints is read through a pipe of the file's name, so that the test waits for the
    // node and for nothing else. The script waits until the pipe is read from.
    well(dir, "mkdir logs && mkfifo logs/kafkaServer.out");
    let start = "bin/kafka-server-start.sh -daemon config/kraft/server.properties";
    let mut script = Command::new("sh")
        .args(["-c", start])
        .current_dir(dir)
        .spawn()
        .expect("there is a shell");
    let log = fs::File::open(dir.join("logs/kafkaServer.out")).expect("the pipe is there");
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    assert!(script.wait().expect("it ends").success());
    let ready = format!("is ready, node {id}.");
    assert!(lines.any(|line| line.contains(&ready)), "{ready}");

    assert_eq!(
        well(dir, "bin/kafka-server-stop.sh --node-id=2147483647"),
        ""
    );
    assert_eq!(
        well(dir, &format!("bin/kafka-server-stop.sh --node-id={id}")),
        ""
    );
    assert!(lines.any(|line| line.contains("the node has stopped")));
    assert_eq!(lines.next(), None);
}

#[test]
fn scripts_say_how_they_are_called_and_what_they_do_not_know() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dir = dir.path();
    assert!(ottla(dir, &["install-tools", "kafka"]).status.success());
    for (command, out, err) in [
        (
            "kafka/bin/kafka-server-start.sh",
            "USAGE: kafka/bin/kafka-server-start.sh [-daemon] server.properties [--override \
             property=value]*\n",
            "",
        ),
        (
            "kafka/bin/kafka-run-class.sh",
            "USAGE: kafka/bin/kafka-run-class.sh [-daemon] [-name servicename] [-loggc] classname \
             [opts]\n",
            "",
        ),
        (
            "cd kafka/bin && sh kafka-run-class.sh no.Such",
            "",
            "Error: Could not find or load main class no.Such\nCaused by: \
             java.lang.ClassNotFoundException: no.Such\n",
        ),
        (
            "kafka/bin/kafka-server-start.sh a b",
            "",
            "Found non argument parameters: b\n",
        ),
    ] {
        let output = line(dir, command);
        assert_eq!(text(&output.stdout), out, "{command}");
        assert_eq!(text(&output.stderr), err, "{command}");
        assert_eq!(output.status.code(), Some(1), "{command}");
    }
    let class = "kafka/bin/kafka-run-class.sh kafka.tools.StorageTool version-mapping -r 3.9";
    assert!(well(dir, class).starts_with("metadata.version=21 (3.9)\n"));
}
