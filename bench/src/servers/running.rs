//! A server process.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::{Durability, Program, Side, kafka, ottla, properties};
use crate::host::{Placement, spawn_server};
use crate::wire::Client;

/// Longest wait for the first answer.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// Longest wait for the process to end after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two tries to get an answer.
const POLL: Duration = Duration::from_micros(500);

/// Files of a used home up to this stay as they are.
const KEPT_BYTES_MAX: u64 = 16 << 10;

/// How a server is to run.
#[derive(Debug, Clone)]
pub(crate) struct Start<'a> {
    /// Which one.
    pub(crate) side: &'a Side,
    /// Its home: configuration, log and data.
    pub(crate) home: &'a Path,
    /// Cores.
    pub(crate) placement: Placement,
    /// What an acknowledgement means.
    pub(crate) durability: Durability,
}

/// A server that answers. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    home: PathBuf,
    /// Where clients connect.
    pub(crate) address: SocketAddr,
    /// Time from the start of the process to its first answer.
    pub(crate) first_answer: Duration,
    /// When the process was started.
    pub(crate) started: Instant,
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn config_file(home: &Path) -> PathBuf {
    home.join("server.properties")
}

/// Writes the configuration and formats a new home. Returns how long the formatting took.
///
/// # Errors
/// If the program refuses.
pub(crate) fn prepare(start: &Start<'_>) -> Result<Duration> {
    let data = start.home.join("data");
    retire(start.home)?;
    fs::create_dir_all(start.home)?;
    let config = config_file(start.home);
    let more = start.side.overrides(start.durability);
    fs::write(
        &config,
        properties(&data, free_port()?, free_port()?, &more),
    )?;
    let begun = Instant::now();
    match &start.side.program {
        Program::Ottla(binary) => ottla::format(binary, &config)?,
        Program::Kafka { jars, .. } => kafka::format(jars, &config)?,
    }
    Ok(begun.elapsed())
}

/// Puts a used home aside, without the bytes of its large files. It is removed with everything else at the end: ext4
/// does not give out a removed inode again for minutes, and searches for another one each time a file is made.
///
/// # Errors
/// The disk's.
pub(crate) fn retire(home: &Path) -> Result<()> {
    if !home.exists() {
        return Ok(());
    }
    empty_large_files(home)?;
    for number in 0.. {
        let aside = home.with_extension(format!("used-{number}"));
        if !aside.exists() {
            return Ok(fs::rename(home, aside)?);
        }
    }
    Ok(())
}

fn empty_large_files(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            empty_large_files(&entry.path())?;
        } else if metadata.len() > KEPT_BYTES_MAX {
            File::options()
                .write(true)
                .truncate(true)
                .open(entry.path())?;
        }
    }
    Ok(())
}

/// The port that the configuration of a home names.
fn port_of(home: &Path) -> Result<u16> {
    let text = fs::read_to_string(config_file(home))?;
    let listeners = text
        .lines()
        .find_map(|l| l.strip_prefix("listeners=PLAINTEXT://127.0.0.1:"));
    let port = listeners.and_then(|l| l.split(',').next()?.parse().ok());
    port.context("configuration without a port")
}

impl Running {
    /// Starts the server on a home that [`prepare`] made, new or used, and waits for its first answer.
    ///
    /// # Errors
    /// If it ends or does not answer in time; the message holds the end of its log.
    pub(crate) fn start(start: &Start<'_>) -> Result<Self> {
        let config = config_file(start.home);
        let mut command = match &start.side.program {
            Program::Ottla(binary) => ottla::command(binary, &config),
            Program::Kafka { jars, tuned } => {
                kafka::command(jars, *tuned, &config, start.placement)?
            }
        };
        let log = File::options()
            .create(true)
            .append(true)
            .open(start.home.join("server.log"))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port_of(start.home)?));
        let started = Instant::now();
        let child = spawn_server(&mut command, start.placement)?;
        let mut running = Self {
            child,
            home: start.home.to_owned(),
            address,
            first_answer: Duration::ZERO,
            started,
        };
        loop {
            if Client::connect(address).is_ok() {
                running.first_answer = started.elapsed();
                return Ok(running);
            }
            if let Some(status) = running.child.try_wait()? {
                bail!(
                    "{} ended: {status}\n{}",
                    start.side.label,
                    running.log_tail()
                );
            }
            if started.elapsed() > START_TIMEOUT {
                bail!(
                    "{} does not answer\n{}",
                    start.side.label,
                    running.log_tail()
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.home.join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Stops it as an operator would, and returns how long that took.
    ///
    /// # Errors
    /// If it does not end in time.
    pub(crate) fn stop(mut self) -> Result<Duration> {
        let begun = Instant::now();
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no process")?, Signal::TERM)?;
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > STOP_TIMEOUT {
                bail!("the server does not stop\n{}", self.log_tail());
            }
            std::thread::sleep(POLL);
        }
        Ok(begun.elapsed())
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, or to be ended now; either way it must not outlive the measurement.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
