//! From a run of the load generator to named figures.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

use super::Target;
use crate::generators::Said;
use crate::host::{Snapshot, Spent, descriptors, resident_mib};
use crate::load::{Engine, Outcome, Pace, Traffic, Until};

/// Longest warm-up of a native program, which does not get faster by being run.
const NATIVE_WARM_UP: Duration = Duration::from_secs(3);
/// Longest rest of a server between warm-up and window.
const REST: Duration = Duration::from_millis(200);

/// Figures of one run by name. The name ends with the unit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics(pub(crate) BTreeMap<&'static str, f64>);

impl Metrics {
    /// Adds one; what is not a number is left out.
    pub(crate) fn set(&mut self, name: &'static str, value: f64) {
        if value.is_finite() {
            self.0.insert(name, value);
        }
    }

    /// Adds a duration, in ms.
    pub(crate) fn set_ms(&mut self, name: &'static str, value: Duration) {
        self.set(name, value.as_secs_f64() * 1e3);
    }

    /// Adds what a window spent.
    pub(crate) fn add_spent(&mut self, spent: &Spent) {
        self.set("server_cores", spent.server_s / spent.seconds);
        self.set("client_cores", spent.client_s / spent.seconds);
        self.set("kernel_cores", spent.kernel_cores);
        self.set("foreign_cores", spent.foreign_cores);
        self.set("steal_cores", spent.steal_cores);
    }

    /// Adds a run of the load generator and what it cost.
    pub(crate) fn add_outcome(&mut self, outcome: &Outcome, spent: &Spent) {
        let (requests, records) = (outcome.requests as f64, outcome.records as f64);
        let gigabytes = outcome.bytes as f64 / 1e9;
        self.set("seconds", outcome.seconds);
        self.set("requests", requests);
        self.set("requests_per_s", requests / outcome.seconds);
        self.set("cpu_us_per_request", spent.server_s * 1e6 / requests);
        if outcome.records > 0 {
            self.set("records", records);
            self.set("records_per_s", records / outcome.seconds);
            self.set("cpu_us_per_record", spent.server_s * 1e6 / records);
            self.set("mrecords_per_cpu_s", records / 1e6 / spent.server_s);
        }
        if outcome.bytes > 0 {
            self.set("mb_per_s", gigabytes * 1e3 / outcome.seconds);
            self.set("cpu_s_per_gb", spent.server_s / gigabytes);
        }
        self.add_latency(&outcome.latency);
        self.add_spent(spent);
    }

    /// Adds what a foreign client said of its run, and what that cost.
    pub(crate) fn add_said(&mut self, said: &Said, spent: &Spent) {
        let records = said.records as f64;
        let gigabytes = said.bytes as f64 / 1e9;
        self.set("seconds", said.seconds);
        self.set("records", records);
        self.set("records_per_s", records / said.seconds);
        self.set("cpu_us_per_record", spent.server_s * 1e6 / records);
        self.set("mrecords_per_cpu_s", records / 1e6 / spent.server_s);
        self.set("mb_per_s", gigabytes * 1e3 / said.seconds);
        self.set("cpu_s_per_gb", spent.server_s / gigabytes);
        for (name, value) in &said.latencies {
            self.set(name, *value);
        }
        self.add_spent(spent);
    }

    /// Adds a distribution of latencies, given in ns.
    pub(crate) fn add_latency(&mut self, latency: &Histogram<u64>) {
        let us = |q: f64| latency.value_at_quantile(q) as f64 / 1e3;
        self.set("p50_us", us(0.5));
        self.set("p99_us", us(0.99));
        self.set("p999_us", us(0.999));
        self.set("max_us", latency.max() as f64 / 1e3);
    }

    /// Adds memory and descriptors of a process.
    ///
    /// # Errors
    /// If it is gone.
    pub(crate) fn add_process(&mut self, pid: u32) -> Result<()> {
        self.set("rss_mib", resident_mib(pid)?);
        self.set("descriptors", descriptors(pid)? as f64);
        Ok(())
    }
}

impl Target<'_> {
    /// The end of a measured window.
    pub(crate) fn window(&self) -> Until {
        Until {
            elapsed: self.effort.window,
            requests: u64::MAX,
            bytes: self.effort.bytes_max,
        }
    }

    /// Length of a warm-up.
    pub(crate) fn warm_up_time(&self) -> Duration {
        if self.is_native {
            self.effort.warm_up.min(NATIVE_WARM_UP)
        } else {
            self.effort.warm_up
        }
    }

    /// The end of a warm-up.
    pub(crate) fn warm_up(&self) -> Until {
        Until {
            elapsed: self.warm_up_time(),
            requests: u64::MAX,
            bytes: self.effort.bytes_max / 2,
        }
    }

    /// Warms the server up with `traffic` as fast as it goes, then measures it at `paces`.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub(crate) fn measure(
        &self,
        traffic: &mut dyn Traffic,
        warm_paces: &[Pace],
        paces: &[Pace],
    ) -> Result<(Outcome, Spent)> {
        let mut engine = Engine::connect(self.address, paces.len())?;
        engine.run(traffic, warm_paces, self.warm_up())?;
        std::thread::sleep(REST);
        traffic.begin_window(self.work)?;
        let before = Snapshot::take(self.pid)?;
        let outcome = engine.run(traffic, paces, self.window())?;
        let spent = before.spent()?;
        Ok((outcome, spent))
    }
}
