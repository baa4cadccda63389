//! What is measured: one table of workloads, and one file per family that runs them.

mod connect;
mod fetch;
mod fixed;
mod foreign;
mod group;
mod idle;
mod lifecycle;
mod measure;
mod produce;
mod small;
mod table;
mod tail;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

pub(crate) use measure::Metrics;
pub(crate) use table::{Needs, WORKLOADS, Workload};

use crate::generators::Generators;
use crate::host::Placement;
use crate::servers::{Durability, Side};

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Length of a measured window.
    pub(crate) window: Duration,
    /// Longest warm-up of one shape.
    pub(crate) warm_up: Duration,
    /// Bytes of records that one window may write, so that writeback does not start.
    pub(crate) bytes_max: u64,
    /// Partitions of the workloads about many partitions.
    pub(crate) many_partitions: i32,
    /// Bytes in the log of the workloads about restarts.
    pub(crate) restart_bytes: u64,
}

impl Effort {
    /// For figures that are to be published.
    pub(crate) const FULL: Self = Self {
        window: Duration::from_secs(5),
        warm_up: Duration::from_secs(20),
        bytes_max: 1_200 << 20,
        many_partitions: 2_000,
        restart_bytes: 1 << 30,
    };
    /// For a look, and for a test that the tool works.
    pub(crate) const SMOKE: Self = Self {
        window: Duration::from_millis(400),
        warm_up: Duration::from_millis(100),
        bytes_max: 100 << 20,
        many_partitions: 100,
        restart_bytes: 20 << 20,
    };
}

/// A server that answers, and how long to measure it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// A directory on the disk that it writes to.
    pub(crate) work: &'a Path,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its process.
    pub(crate) pid: u32,
    /// Whether it runs native code, rather than code that is compiled while it runs.
    pub(crate) is_native: bool,
    /// What an acknowledgement means here.
    pub(crate) durability: Durability,
    /// Clients that are not our own.
    pub(crate) generators: &'a Generators,
    /// How long to measure.
    pub(crate) effort: Effort,
}

/// A server that the workload itself starts and stops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    /// Which one.
    pub(crate) side: &'a Side,
    /// Its home.
    pub(crate) home: &'a Path,
    /// Cores.
    pub(crate) placement: Placement,
    /// Clients that are not our own.
    pub(crate) generators: &'a Generators,
    /// How long to measure.
    pub(crate) effort: Effort,
}

impl Workload {
    /// Runs it on a server that answers.
    ///
    /// # Errors
    /// If the server does not do what the workload needs.
    pub(crate) fn run_on(&self, target: &Target<'_>) -> Result<Metrics> {
        use table::Kind;
        match &self.kind {
            Kind::Produce(load) => produce::run(target, self.id, load),
            Kind::Fetch(load) => fetch::run(target, self.id, load),
            Kind::Tail { per_second } => tail::run(target, *per_second),
            Kind::OffsetCommit => group::offset_commit(target),
            Kind::Heartbeat => group::heartbeat(target),
            Kind::Metadata => small::metadata(target),
            Kind::ApiVersions => small::api_versions(target),
            Kind::Connect => connect::run(target),
            Kind::Foreign(load) => foreign::run(target, self.id, load),
            _ => anyhow::bail!("`{}` starts its own server", self.id),
        }
    }

    /// Runs it on a server of its own.
    ///
    /// # Errors
    /// If the server does not do what the workload needs.
    pub(crate) fn run_alone(&self, stage: &Stage<'_>) -> Result<Metrics> {
        use table::Kind;
        match &self.kind {
            Kind::Idle => idle::run(stage),
            Kind::Start => lifecycle::start(stage),
            Kind::Restart { crash } => lifecycle::restart(stage, *crash),
            Kind::Partitions => lifecycle::partitions(stage),
            _ => anyhow::bail!("`{}` needs a running server", self.id),
        }
    }
}
