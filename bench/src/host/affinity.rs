//! Which cores the server and the load generator run on.

use std::process::{Child, Command};

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Core of the server when pinned.
const SERVER_CORE: usize = 0;
/// Core of the load generator when pinned.
const CLIENT_CORE: usize = 1;

/// Where server and load generator run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The server on one core, the load generator on another: for CPU and latency.
    Pinned,
    /// Wherever the kernel likes: what a user sees.
    Free,
}

impl Placement {
    /// The name in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Free => "free",
        }
    }
}

fn one(core: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(core);
    set
}

/// Keeps the calling thread on the load generator's core.
///
/// # Errors
/// If the machine has no second core.
pub(crate) fn pin_client(placement: Placement) -> Result<()> {
    if placement == Placement::Pinned {
        sched_setaffinity(None, &one(CLIENT_CORE))
            .context("pin the load generator to the second core")?;
    }
    Ok(())
}

/// Starts a server on its core. A child inherits the cores of the thread that starts it, so this thread visits them.
///
/// # Errors
/// If the program cannot be started.
pub(crate) fn spawn_server(command: &mut Command, placement: Placement) -> Result<Child> {
    let before = sched_getaffinity(None).context("read the allowed cores")?;
    if placement == Placement::Pinned {
        sched_setaffinity(None, &one(SERVER_CORE)).context("visit the server's core")?;
    }
    let child = command.spawn();
    sched_setaffinity(None, &before).context("return to the load generator's core")?;
    child.with_context(|| format!("start {}", command.get_program().display()))
}
