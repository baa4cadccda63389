//! `cargo xtask oracle`: Apache Kafka on loopback, to compare with.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use ottla_oracle::{Cluster, Jars, Node, cache_dir, stop_by_pid_file};

pub(crate) const USAGE: &str = "\
usage: cargo xtask oracle COMMAND     (needs Java 17 and Maven; the jars are kept in $OTTLA_TEST_CACHE)

  fetch                                bring Apache Kafka's server and tools into the cache
  start [DIR] [PORT] [KEY=VALUE...]    format DIR if it is new, and start a node there (19092; its controller one above)
  start3 [DIR] [PORT] [KEY=VALUE...]   three nodes in DIR/1 to DIR/3 on PORT, PORT+2 and PORT+4
  stop [DIR] [--kill]                  stop the node of DIR, or all three; --kill as a crash would
  tool NAME [ARGUMENT...]              run a tool, such as `tool topics --bootstrap-server 127.0.0.1:19092 --list`";

/// Port of a node that is given none.
const PORT: u16 = 19_092;

/// Runs one command.
///
/// # Errors
/// With the sentence for the user.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (command, rest) = arguments.split_first().context(USAGE)?;
    match command.as_str() {
        "fetch" => {
            let jars = Jars::fetch()?;
            println!("{}\n{}", jars.server.display(), jars.tools.display());
            Ok(())
        }
        "start" => start(rest, 1),
        "start3" => start(rest, 3),
        "stop" => stop(rest),
        "tool" => tool(rest),
        other => bail!("no such command: `{other}`\n{USAGE}"),
    }
}

fn start(arguments: &[String], count: u16) -> Result<()> {
    let jars = Jars::fetch()?;
    let (settings, places): (Vec<_>, Vec<_>) = arguments.iter().partition(|one| one.contains('='));
    let dir = dir_of(places.first().copied());
    let port = match places.get(1) {
        Some(port) => port.parse().with_context(|| format!("port `{port}`"))?,
        None => PORT,
    };
    let mut cluster = match count {
        1 => Cluster::single(&dir, port),
        _ => Cluster::combined(&dir, count, port),
    };
    for setting in settings {
        let (key, value) = setting.split_once('=').context("KEY=VALUE")?;
        cluster = cluster.with(key, value);
    }
    for node in cluster.start(&jars)? {
        println!(
            "Apache Kafka on {}, pid {}, log {}",
            node.bootstrap(),
            node.pid(),
            node.member.log().display()
        );
        Node::leave_running(node);
    }
    Ok(())
}

fn stop(arguments: &[String]) -> Result<()> {
    let kill = arguments.iter().any(|one| one == "--kill");
    let dir = dir_of(arguments.iter().find(|one| *one != "--kill"));
    if dir.join("pid").exists() {
        return stop_by_pid_file(&dir, kill);
    }
    let mut found = false;
    for id in 1..=3 {
        let dir = dir.join(id.to_string());
        if dir.join("pid").exists() {
            found = true;
            stop_by_pid_file(&dir, kill)?;
        }
    }
    if !found {
        bail!("no node was started in {}", dir.display());
    }
    Ok(())
}

fn tool(arguments: &[String]) -> Result<()> {
    let (name, rest) = arguments.split_first().context(USAGE)?;
    let status = Jars::fetch()?
        .tool(name)
        .args(rest)
        .status()
        .context("java")?;
    std::process::exit(status.code().unwrap_or(1));
}

fn dir_of(argument: Option<&String>) -> PathBuf {
    argument.map_or_else(|| cache_dir().join("node"), PathBuf::from)
}
