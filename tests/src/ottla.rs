//! A node of Ottla as a process: started, killed, told to stop, started again on the same directory.
//!
//! With `OTTLA_TESTS_AGAINST=apache-kafka` it is a node of Apache Kafka instead, which proves a test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ottla_oracle::{Cluster, Jars, Member, Node, free_ports};
use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;

/// Longest wait until a node answers.
const START_MAX: Duration = Duration::from_secs(60);

/// Longest wait until a node that was told to stop is gone.
const STOP_MAX: Duration = Duration::from_secs(60);

/// Every test's cluster has this id; they never meet.
const CLUSTER_ID: &str = "T3R0bGEtdGVzdHMtaWQtMQ";

/// Pause between two looks at a process that starts or ends.
const POLL: Duration = Duration::from_millis(2);

/// A node with its directory; killed when dropped.
#[derive(Debug)]
pub struct Ottla {
    cluster: Cluster,
    child: Option<Child>,
    kafka: Option<Node>,
}

impl Ottla {
    /// A node that keeps everything in `dir`, on ports that are free now; not started.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self::of(Cluster::single(dir, free_ports()))
    }

    /// A node as `cluster`, which has one member, describes it.
    #[must_use]
    pub fn of(cluster: Cluster) -> Self {
        Self {
            cluster,
            child: None,
            kafka: None,
        }
    }

    /// Adds a line to the node's `server.properties`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.cluster
            .settings
            .push((key.to_owned(), value.to_owned()));
        self
    }

    /// The program, built once in a process: `$OTTLA_BIN`, or what cargo makes of `ottla-cli`.
    ///
    /// # Errors
    /// If it does not build.
    pub fn binary() -> Result<&'static Path> {
        static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        match BINARY.get_or_init(|| build().map_err(|error| format!("{error:#}"))) {
            Ok(path) => Ok(path),
            Err(error) => bail!("{error}"),
        }
    }

    fn member(&self) -> &Member {
        // A cluster of Ottla has one node so far.
        self.cluster
            .members
            .first()
            .expect("a cluster has a member")
    }

    /// Holds `server.properties`, `server.log` and `data`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.member().dir
    }

    /// Its `log.dirs`.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.member().data_dir()
    }

    /// The description that Apache Kafka can be started with on the same directory and ports.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Where clients connect.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.member().port)
    }

    /// Formats the directory if it is new, starts the process and waits until it answers as a broker; returns how
    /// long that took, from the start of the process on.
    ///
    /// # Errors
    /// If it ends or does not answer in time, with the end of its log.
    pub fn start(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        if against_apache_kafka() {
            self.kafka = self.cluster.start(&Jars::fetch()?)?.pop();
            return Ok(begun.elapsed());
        }
        let begun = self.spawn()?;
        self.wait_until_it_answers(begun)?;
        Ok(begun.elapsed())
    }

    /// Starts the process and kills it while it starts, or soon after.
    ///
    /// # Errors
    /// If it ended by itself before.
    pub fn start_and_kill_after(&mut self, pause: Duration) -> Result<()> {
        if against_apache_kafka() {
            return Ok(());
        }
        self.spawn()?;
        std::thread::sleep(pause);
        self.kill()
    }

    /// Starts the process; returns when that was.
    fn spawn(&mut self) -> Result<Instant> {
        let member = self.member().clone();
        fs::create_dir_all(&member.dir).with_context(|| member.dir.display().to_string())?;
        fs::write(member.config(), self.cluster.properties(&member))?;
        if !member.data_dir().join("meta.properties").exists() {
            format(&member)?;
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(member.log())?;
        let binary = Self::binary()?;
        let begun = Instant::now();
        let child = Command::new(binary)
            .args(["server", "start"])
            .arg(member.config())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("ottla")?;
        self.child = Some(child);
        Ok(begun)
    }

    fn wait_until_it_answers(&mut self, begun: Instant) -> Result<()> {
        loop {
            if self.is_ready() {
                return Ok(());
            }
            let child = self.child.as_mut().context("not started")?;
            if let Some(status) = child.try_wait()? {
                self.child = None;
                bail!("ottla ended: {status}\n{}", self.log_tail());
            }
            if begun.elapsed() > START_MAX {
                bail!("ottla does not answer\n{}", self.log_tail());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Whether it answers and knows itself as a broker.
    fn is_ready(&self) -> bool {
        Client::connect(&self.bootstrap())
            .and_then(|mut client| client.brokers())
            .is_ok_and(|brokers| !brokers.is_empty())
    }

    /// Kills the process as a crash would, and waits until it is gone.
    ///
    /// # Errors
    /// If it had ended by itself before.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(kafka) = self.kafka.take() {
            return kafka.kill();
        }
        let mut child = self.child.take().context("not started")?;
        if let Some(status) = child.try_wait()? {
            bail!("ottla ended by itself: {status}\n{}", self.log_tail());
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Tells the process to stop as a service manager does, and waits for a clean end.
    ///
    /// # Errors
    /// If it does not end in time, or not with success.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(kafka) = self.kafka.take() {
            return kafka.stop();
        }
        let mut child = self.child.take().context("not started")?;
        let pid = Pid::from_raw(i32::try_from(child.id())?).context("pid 0")?;
        kill_process(pid, Signal::TERM)?;
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                if !status.success() {
                    bail!("ottla did not stop cleanly: {status}\n{}", self.log_tail());
                }
                return Ok(());
            }
            if begun.elapsed() > STOP_MAX {
                child.kill()?;
                child.wait()?;
                bail!("ottla did not stop\n{}", self.log_tail());
            }
            std::thread::sleep(POLL);
        }
    }

    /// The id of the process of Ottla, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// What it has logged since the directory was made.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.member().log()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of its output, for the message of a test that fails.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = self.log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Ottla {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing is left to do if the process is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            // Captured with the test that fails.
            #[expect(
                clippy::print_stderr,
                reason = "the log of the node explains the failure"
            )]
            {
                eprintln!("--- log of {}\n{}", self.bootstrap(), self.log_tail());
            }
        }
    }
}

/// Whether tests are to be held against Apache Kafka.
fn against_apache_kafka() -> bool {
    std::env::var("OTTLA_TESTS_AGAINST").is_ok_and(|value| value == "apache-kafka")
}

fn format(member: &Member) -> Result<()> {
    let output = Command::new(Ottla::binary()?)
        .args(["storage", "format", "--standalone", "-t", CLUSTER_ID, "-c"])
        .arg(member.config())
        .output()
        .context("ottla storage format")?;
    if !output.status.success() {
        bail!(
            "ottla storage format: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

fn build() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("OTTLA_BIN") {
        return Ok(path.into());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--locked",
            "--package",
            "ottla-cli",
            "--bin",
            "ottla",
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .context("cargo build")?;
    if !output.status.success() {
        bail!("cargo build --package ottla-cli: {}", output.status);
    }
    // One JSON object a line; that of the program names where it lies, whatever profile and directory are in use.
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "ottla")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo does not say where the program is")
}
