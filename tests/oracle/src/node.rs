//! Nodes of Apache Kafka on loopback, each with its own directory.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::Jars;

/// Longest wait until a node answers.
const START_MAX: Duration = Duration::from_secs(90);

/// Longest wait until a node that was told to stop is gone.
const STOP_MAX: Duration = Duration::from_secs(60);

/// Pause between two looks at a process or a port.
const POLL: Duration = Duration::from_millis(20);

/// Ports that tests take: below the range from which systems pick the local end of a connection, so that
/// none of those can take one in between.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Broker and controller in one.
    Combined,
    /// Broker only.
    Broker,
    /// Controller only.
    Controller,
}

/// One node of a cluster, before it is started.
#[derive(Debug, Clone)]
pub struct Member {
    /// `node.id`.
    pub id: i32,
    /// What it is.
    pub role: Role,
    /// Port for clients; unused by a controller.
    pub port: u16,
    /// Port for controllers; unused by a broker.
    pub controller_port: u16,
    /// Holds `server.properties`, `server.log`, `pid` and the data in `data`.
    pub dir: PathBuf,
}

/// A cluster of nodes that know of each other.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its nodes.
    pub members: Vec<Member>,
    /// Settings that every node gets after its own.
    pub settings: Vec<(String, String)>,
}

/// A running node of Apache Kafka; killed when dropped unless [`Node::leave_running`].
#[derive(Debug)]
pub struct Node {
    /// What was started.
    pub member: Member,
    child: Option<Child>,
}

/// A port on loopback that nothing listens on now. Each is given once in a process.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    // Processes begin at different places, so that two seldom try the same port at the same time.
    let begin = u16::try_from(std::process::id() % u32::from(span)).unwrap_or(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % span;
        let port = PORTS.start + (begin.wrapping_mul(31).wrapping_add(step) % span);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Two neighbouring free ports, for clients and for controllers; the first of them.
#[must_use]
pub fn free_ports() -> u16 {
    loop {
        let port = free_port();
        if free_port() == port + 1 {
            return port;
        }
    }
}

/// Whether something accepts connections on this port of loopback.
#[must_use]
pub fn reachable(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

impl Cluster {
    /// A single combined node in `dir` with a given port; the controller's is one above.
    #[must_use]
    pub fn single(dir: &Path, port: u16) -> Self {
        Self {
            members: vec![member(1, dir.to_owned(), port, port + 1)],
            settings: Vec::new(),
        }
    }

    /// `count` combined nodes in `dir/1`, `dir/2` and so on, on ports from `port` on, two each.
    #[must_use]
    pub fn combined(dir: &Path, count: u16, port: u16) -> Self {
        let members = (0..count).map(|index| {
            let id = i32::from(index) + 1;
            let at = port + 2 * index;
            member(id, dir.join(id.to_string()), at, at + 1)
        });
        Self {
            members: members.collect(),
            settings: Vec::new(),
        }
    }

    /// Adds a setting to every node.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Host and port of every controller, as `controller.quorum.bootstrap.servers` wants them.
    fn controllers(&self) -> String {
        let controllers = self.members.iter().filter(|m| m.role != Role::Broker);
        let addresses = controllers.map(|m| format!("127.0.0.1:{}", m.controller_port));
        addresses.collect::<Vec<_>>().join(",")
    }

    /// The text of a node's `server.properties`, with its data in `member.dir/data`.
    #[must_use]
    pub fn properties(&self, member: &Member) -> String {
        let client = format!("PLAINTEXT://127.0.0.1:{}", member.port);
        let controller = format!("CONTROLLER://127.0.0.1:{}", member.controller_port);
        let (roles, listeners) = match member.role {
            Role::Combined => ("broker,controller", format!("{client},{controller}")),
            Role::Broker => ("broker", client),
            Role::Controller => ("controller", controller),
        };
        let replicas = self
            .members
            .iter()
            .filter(|m| m.role != Role::Controller)
            .count()
            .clamp(1, 3);
        let min_isr = if replicas > 2 { 2 } else { 1 };
        let mut text = format!(
            "process.roles={roles}\nnode.id={}\ncontroller.quorum.bootstrap.servers={}\n\
             listeners={listeners}\ncontroller.listener.names=CONTROLLER\nlog.dirs={}\n\
             offsets.topic.replication.factor={replicas}\n\
             transaction.state.log.replication.factor={replicas}\n\
             transaction.state.log.min.isr={min_isr}\n\
             share.coordinator.state.topic.replication.factor={replicas}\n\
             share.coordinator.state.topic.min.isr={min_isr}\n\
             group.initial.rebalance.delay.ms=0\n",
            member.id,
            self.controllers(),
            member.data_dir().display(),
        );
        if member.role != Role::Controller {
            text.push_str("inter.broker.listener.name=PLAINTEXT\n");
        }
        for (key, value) in &self.settings {
            text.push_str(&format!("{key}={value}\n"));
        }
        text
    }

    /// Writes the configuration of every node, and formats the directories that are new.
    ///
    /// # Errors
    /// If Apache Kafka's `kafka-storage` fails, with what it said.
    pub fn format(&self, jars: &Jars) -> Result<()> {
        let mut ids = (0..self.members.len() + 1).map(|_| random_uuid(jars));
        let cluster_id = ids.next().context("one more than members")??;
        let mut voters = Vec::new();
        for member in &self.members {
            let id = ids.next().context("one each")??;
            if member.role != Role::Broker {
                voters.push(format!(
                    "{}@127.0.0.1:{}:{id}",
                    member.id, member.controller_port
                ));
            }
        }
        for member in &self.members {
            fs::create_dir_all(&member.dir).with_context(|| member.dir.display().to_string())?;
            fs::write(member.config(), self.properties(member))?;
            fs::write(member.dir.join("log4j2.yaml"), LOG4J)?;
            if member.data_dir().join("meta.properties").exists() {
                continue;
            }
            let mut command = jars.server_class("kafka.tools.StorageTool", "-Xmx256M");
            command
                .args(["format", "-t", &cluster_id, "-c"])
                .arg(member.config());
            match (self.members.len(), member.role) {
                (1, _) => command.arg("--standalone"),
                (_, Role::Broker) => command.arg("--no-initial-controllers"),
                _ => command.args(["--initial-controllers", &voters.join(",")]),
            };
            run(&mut command).context("kafka-storage format")?;
        }
        Ok(())
    }

    /// Formats what is new and starts every node; returns when all accept connections.
    ///
    /// # Errors
    /// If a node ends early or does not answer in time, with the end of its log.
    pub fn start(&self, jars: &Jars) -> Result<Vec<Node>> {
        self.format(jars)?;
        let spawned: Result<Vec<Node>> = self
            .members
            .iter()
            .map(|member| Node::spawn(jars, member))
            .collect();
        let mut nodes = spawned?;
        for node in &mut nodes {
            node.wait_until_it_answers()?;
        }
        Ok(nodes)
    }
}

/// What Apache Kafka logs, on standard output.
const LOG4J: &str = "\
Configuration:
  Appenders: {Console: {name: STDOUT, PatternLayout: {pattern: \"[%d] %p %m (%c)%n\"}}}
  Loggers: {Root: {level: WARN, AppenderRef: {ref: STDOUT}}}
";

fn member(id: i32, dir: PathBuf, port: u16, controller_port: u16) -> Member {
    Member {
        id,
        role: Role::Combined,
        port,
        controller_port,
        dir,
    }
}

fn random_uuid(jars: &Jars) -> Result<String> {
    let text = run(jars
        .server_class("kafka.tools.StorageTool", "-Xmx256M")
        .arg("random-uuid"))?;
    Ok(text.trim().to_owned())
}

/// Runs a command to its end; its standard output if it succeeds.
fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().context("java")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "{}\n{text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(text)
}

impl Member {
    /// Its `server.properties`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.dir.join("server.properties")
    }

    /// Its `log.dirs`.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Its output.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }
}

impl Node {
    fn spawn(jars: &Jars, member: &Member) -> Result<Self> {
        let port = if member.role == Role::Controller {
            member.controller_port
        } else {
            member.port
        };
        if reachable(port) {
            bail!("port {port} is taken");
        }
        let log = File::create(member.log()).with_context(|| member.log().display().to_string())?;
        let heap = std::env::var("KAFKA_HEAP").unwrap_or_else(|_| "-Xmx512M".into());
        let mut java = jars.server_class("kafka.Kafka", &heap);
        let log_config = member.dir.join("log4j2.yaml");
        let child = java
            .arg(member.config())
            // Read by the virtual machine itself, so it need not stand in front of the class.
            .env(
                "JAVA_TOOL_OPTIONS",
                format!("-Dlog4j2.configurationFile={}", log_config.display()),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in the terminal is meant for the caller.
            .process_group(0)
            .spawn()
            .context("java")?;
        fs::write(member.dir.join("pid"), child.id().to_string())?;
        Ok(Self {
            member: member.clone(),
            child: Some(child),
        })
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let member = &self.member;
        let port = if member.role == Role::Controller {
            member.controller_port
        } else {
            member.port
        };
        let begun = Instant::now();
        while !reachable(port) {
            let ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().transpose());
            if let Some(status) = ended {
                bail!(
                    "Apache Kafka ended: {}\n{}",
                    status?,
                    tail(&self.member.log())
                );
            }
            if begun.elapsed() > START_MAX {
                bail!("no answer on port {port}\n{}", tail(&self.member.log()));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Where clients connect.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.member.port)
    }

    /// Shuts the node down as SIGTERM does, and waits until it is gone.
    ///
    /// # Errors
    /// If it does not end in time.
    pub fn stop(mut self) -> Result<()> {
        self.end(Signal::TERM)
    }

    /// Kills the node as a crash would.
    ///
    /// # Errors
    /// If it does not end.
    pub fn kill(mut self) -> Result<()> {
        self.end(Signal::KILL)
    }

    /// Leaves the process to itself; [`stop_by_pid_file`] ends it.
    pub fn leave_running(mut self) {
        self.child = None;
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let pid = pid_of(child.id())?;
        kill_process(pid, signal)?;
        let begun = Instant::now();
        while child.try_wait()?.is_none() {
            if begun.elapsed() > STOP_MAX {
                child.kill()?;
                child.wait()?;
                bail!("Apache Kafka did not stop\n{}", tail(&self.member.log()));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing is left to do if the process is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ends the node of another process that left its pid in `dir/pid`.
///
/// # Errors
/// If there is no such file, or the node does not end in time.
pub fn stop_by_pid_file(dir: &Path, kill: bool) -> Result<()> {
    let file = dir.join("pid");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let pid = pid_of(text.trim().parse().context("pid")?)?;
    let signal = if kill { Signal::KILL } else { Signal::TERM };
    if kill_process(pid, signal).is_ok() {
        let begun = Instant::now();
        while test_kill_process(pid).is_ok() {
            if begun.elapsed() > STOP_MAX {
                bail!("process {} did not stop", text.trim());
            }
            std::thread::sleep(POLL);
        }
    }
    fs::remove_file(&file)?;
    Ok(())
}

fn pid_of(id: u32) -> Result<Pid> {
    let raw = i32::try_from(id).context("pid")?;
    Pid::from_raw(raw).context("pid 0")
}

/// The last lines of a log.
fn tail(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
