//! What a server costs that has nothing to do.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Metrics, Stage};
use crate::host::{Snapshot, resident_mib};
use crate::servers::{Durability, Running, Start, prepare};

/// Idle connections.
const CONNECTIONS: usize = 1_000;
/// Time after the start that is not counted.
const SETTLE: Duration = Duration::from_secs(3);

/// CPU of a server that is left alone for as long as a window, in per cent of a core.
///
/// # Errors
/// If it ends.
pub(super) fn idle_cpu_percent(pid: u32, window: Duration) -> Result<f64> {
    let before = Snapshot::take(pid)?;
    std::thread::sleep(window);
    let spent = before.spent()?;
    Ok(spent.server_s / spent.seconds * 100.0)
}

/// Runs the workload.
///
/// # Errors
/// If the server ends or refuses a connection.
pub(super) fn run(stage: &Stage<'_>) -> Result<Metrics> {
    let start = Start {
        side: stage.side,
        home: stage.home,
        placement: stage.placement,
        durability: Durability::PageCache,
    };
    prepare(&start)?;
    let server = Running::start(&start)?;
    let pid = server.pid();
    let window = stage.effort.window * 2;
    std::thread::sleep(SETTLE.min(window));
    let mut metrics = Metrics::default();
    metrics.add_process(pid)?;
    let empty = resident_mib(pid)?;
    metrics.set("idle_cpu_percent", idle_cpu_percent(pid, window)?);
    let mut streams = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        streams.push(TcpStream::connect(server.address).context("connect")?);
    }
    metrics.set(
        "idle_cpu_percent_1000_connections",
        idle_cpu_percent(pid, window)?,
    );
    let full = resident_mib(pid)?;
    metrics.set("rss_mib_1000_connections", full);
    metrics.set(
        "rss_kib_per_connection",
        (full - empty) * 1024.0 / CONNECTIONS as f64,
    );
    drop(streams);
    server.stop()?;
    Ok(metrics)
}
