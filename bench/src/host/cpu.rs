//! CPU time by the scheduler's own account: nanoseconds per task, not ticks.
//!
//! A task that ends inside a window takes its time with it; both servers keep their threads.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};

/// Flag of a kernel thread in the ninth field of `/proc/PID/stat`.
const PF_KTHREAD: u64 = 0x0020_0000;

/// CPU spent up to a moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    at: Instant,
    server_pid: u32,
    server_ns: u64,
    client_ns: u64,
    kernel_ns: u64,
    busy_ns: u64,
    steal_ns: u64,
}

/// CPU spent between two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// Length of the window.
    pub(crate) seconds: f64,
    /// Seconds of CPU of all threads of the server.
    pub(crate) server_s: f64,
    /// Seconds of CPU of this process, and of clients that it started and that have ended.
    pub(crate) client_s: f64,
    /// Cores kept busy by kernel threads, such as writeback; charged to neither side.
    pub(crate) kernel_cores: f64,
    /// Cores kept busy by anybody else: above a few hundredths the run is not worth much.
    pub(crate) foreign_cores: f64,
    /// Cores that the hypervisor gave to others.
    pub(crate) steal_cores: f64,
}

impl Snapshot {
    /// Reads the accounts of `server_pid`, of this process and of the machine.
    ///
    /// # Errors
    /// If the server is gone.
    pub(crate) fn take(server_pid: u32) -> Result<Self> {
        let (busy_ns, steal_ns) = machine_ns()?;
        Ok(Self {
            at: Instant::now(),
            server_pid,
            server_ns: process_ns(server_pid)
                .with_context(|| format!("the server is gone: pid={server_pid}"))?,
            client_ns: process_ns(std::process::id())? + ended_children_ns()?,
            kernel_ns: kernel_threads_ns()?,
            busy_ns,
            steal_ns,
        })
    }

    /// What was spent since.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) fn spent(&self) -> Result<Spent> {
        let now = Self::take(self.server_pid)?;
        let seconds = now.at.duration_since(self.at).as_secs_f64();
        let s = |after: u64, before: u64| after.saturating_sub(before) as f64 / 1e9;
        let server_s = s(now.server_ns, self.server_ns);
        let client_s = s(now.client_ns, self.client_ns);
        let kernel_s = s(now.kernel_ns, self.kernel_ns);
        let foreign_s = s(now.busy_ns, self.busy_ns) - server_s - client_s - kernel_s;
        Ok(Spent {
            seconds,
            server_s,
            client_s,
            kernel_cores: kernel_s / seconds,
            foreign_cores: foreign_s.max(0.0) / seconds,
            steal_cores: s(now.steal_ns, self.steal_ns) / seconds,
        })
    }
}

/// The first number of a `schedstat` file: time on a core, in ns.
fn first_number(text: &str) -> u64 {
    let first = text.split_ascii_whitespace().next();
    first.and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Time on a core of all threads of a process, in ns.
fn process_ns(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the listing and the reading.
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        sum += first_number(&text);
    }
    Ok(sum)
}

/// Time on a core of processes that this one started and waited for, in ns with the resolution of a tick.
fn ended_children_ns() -> Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // The 16th and 17th field; two of them stand before the parenthesis.
    let ticks = behind.split_ascii_whitespace().skip(13).take(2);
    let ticks: u64 = ticks.filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(ticks * tick_ns())
}

fn tick_ns() -> u64 {
    1_000_000_000 / rustix::param::clock_ticks_per_second().max(1)
}

/// Time on a core of all kernel threads, in ns.
fn kernel_threads_ns() -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_none_or(|n| n.parse::<u32>().is_err()) {
            continue;
        }
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name stands in parentheses and may hold anything, so fields are counted behind it.
        let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let flags = behind.split_ascii_whitespace().nth(6);
        let flags: u64 = flags.and_then(|n| n.parse().ok()).unwrap_or(0);
        if flags & PF_KTHREAD != 0 {
            let text = fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            sum += first_number(&text);
        }
    }
    Ok(sum)
}

/// Time that all cores were busy and that the hypervisor took, in ns with the resolution of a tick.
fn machine_ns() -> Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .skip(1)
        .filter_map(|n| n.parse().ok())
        .collect();
    let tick_ns = tick_ns();
    let at = |i: usize| ticks.get(i).copied().unwrap_or(0);
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    let busy = at(0) + at(1) + at(2) + at(5) + at(6);
    Ok((busy * tick_ns, at(7) * tick_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_process_is_not_foreign() {
        let before = Snapshot::take(std::process::id()).expect("this process lives");
        let begun = Instant::now();
        let mut x = 1_u64;
        while begun.elapsed().as_millis() < 50 {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        let spent = before.spent().expect("this process lives");
        assert!(spent.server_s > 0.0, "{spent:?}");
        assert!((spent.server_s - spent.client_s).abs() < 0.02, "{spent:?}");
    }
}
