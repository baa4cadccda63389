//! The runner: pairs of sides in turn, a fresh directory for each, one line of JSON a run.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::args::Plan;
use crate::host::{Machine, pin_client};
use crate::result::RunResult;
use crate::servers::{Durability, Running, Side, Start, prepare, retire};
use crate::workloads::{Metrics, Needs, Stage, Target, Workload};

/// Rest between two workloads, so that the work one left behind is done.
const REST: Duration = Duration::from_secs(2);

/// Everything a run needs to know and to write.
struct Runner<'a> {
    plan: &'a Plan,
    about: Value,
    lines: File,
    runs: Vec<RunResult>,
}

/// How the kernel schedules this process, and the servers that it starts.
fn scheduling() -> &'static str {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // The 41st field; two of them stand before the parenthesis.
    match behind.split_ascii_whitespace().nth(38) {
        Some("1" | "2") => "real-time",
        _ => "ordinary",
    }
}

/// What is measured, where: the same in each line.
fn about(plan: &Plan) -> Value {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok();
        let text = output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
        text.unwrap_or_default()
    };
    let dirty = !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty();
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    json!({
        "revision": git(&["rev-parse", "--short=12", "HEAD"]) + if dirty { "+changes" } else { "" },
        "unix_time": seconds,
        "placement": plan.placement.name(),
        "scheduling": scheduling(),
        "window_s": plan.effort.window.as_secs_f64(),
        "warm_up_s": plan.effort.warm_up.as_secs_f64(),
        "machine": Machine::read().json(),
    })
}

/// Measures what `plan` says. Returns the file of lines and the runs.
///
/// # Errors
/// If a side cannot be started at all, or results cannot be written. A workload that fails is a result.
pub(crate) fn run(plan: &Plan) -> Result<(PathBuf, Vec<RunResult>)> {
    let about = about(plan);
    let stamp = about["unix_time"].as_u64().unwrap_or(0);
    fs::create_dir_all(&plan.out)?;
    if plan.work.exists() {
        fs::remove_dir_all(&plan.work)?;
    }
    fs::create_dir_all(&plan.work)?;
    let path = plan.out.join(format!("runs-{stamp}.jsonl"));
    let lines = File::create(&path).with_context(|| path.display().to_string())?;
    pin_client(plan.placement)?;
    let mut runner = Runner {
        plan,
        about,
        lines,
        runs: Vec::new(),
    };
    for pair in 1..=plan.pairs {
        for side in &plan.sides {
            runner.side(u64::try_from(pair)?, side)?;
        }
    }
    fs::remove_dir_all(&plan.work)?;
    Ok((path, runner.runs))
}

impl Runner<'_> {
    /// All workloads on one side, once.
    fn side(&mut self, pair: u64, side: &Side) -> Result<()> {
        let version = side.version()?;
        let home = self.plan.work.join(&side.label);
        for durability in [Durability::PageCache, Durability::Flushed] {
            self.on_server(pair, side, &version, durability, &home)?;
        }
        let plan = self.plan;
        for workload in plan.workloads.iter().filter(|w| w.needs == Needs::Stage) {
            let stage = Stage {
                side,
                home: &home,
                placement: plan.placement,
                generators: &plan.generators,
                effort: plan.effort,
            };
            let result = workload.run_alone(&stage);
            self.note(
                pair,
                side,
                &version,
                workload,
                Durability::PageCache,
                result,
            )?;
            self.rest();
        }
        retire(&home)
    }

    /// The workloads that share one server of a durability.
    fn on_server(
        &mut self,
        pair: u64,
        side: &Side,
        version: &str,
        durability: Durability,
        home: &Path,
    ) -> Result<()> {
        let plan = self.plan;
        let start = Start {
            side,
            home,
            placement: plan.placement,
            durability,
        };
        let mut server = None;
        for workload in &plan.workloads {
            if workload.needs != Needs::Server(durability) {
                continue;
            }
            if server.is_none() {
                prepare(&start)?;
                server = Some(Running::start(&start)?);
            }
            let Some(running) = server.as_ref() else {
                continue;
            };
            let target = Target {
                work: &plan.work,
                address: running.address,
                pid: running.pid(),
                is_native: side.is_native(),
                durability,
                generators: &plan.generators,
                effort: plan.effort,
            };
            let result = self.undisturbed(workload, &target);
            let failed = result.is_err();
            self.note(pair, side, version, workload, durability, result)?;
            if failed {
                // Whatever happened to it, the next workload gets a fresh one.
                server = None;
            }
            self.rest();
        }
        if let Some(server) = server {
            server.stop()?;
        }
        Ok(())
    }

    /// Runs a workload until no other process disturbs it, or takes the quietest of the attempts.
    fn undisturbed(&self, workload: &Workload, target: &Target<'_>) -> Result<Metrics> {
        let foreign = |metrics: &Metrics| metrics.0.get("foreign_cores").copied().unwrap_or(0.0);
        let mut best: Option<Metrics> = None;
        for _ in 0..self.plan.attempts {
            let metrics = workload.run_on(target)?;
            let quieter = best.as_ref().is_none_or(|b| foreign(&metrics) < foreign(b));
            if quieter {
                best = Some(metrics);
            }
            if best
                .as_ref()
                .is_some_and(|b| foreign(b) <= crate::result::FOREIGN_CORES_MAX)
            {
                break;
            }
            self.rest();
        }
        best.context("no attempt")
    }

    fn rest(&self) {
        std::thread::sleep(REST.min(self.plan.effort.window));
    }

    /// Writes a line and says it on the terminal.
    fn note(
        &mut self,
        pair: u64,
        side: &Side,
        version: &str,
        workload: &Workload,
        durability: Durability,
        result: Result<Metrics>,
    ) -> Result<()> {
        let mut about = self.about.clone();
        about["version"] = json!(version);
        about["durability"] = json!(durability.name());
        about["parameters"] = json!(format!("{:?}", workload.kind));
        let (metrics, error) = match result {
            Ok(metrics) => (metrics.0, None),
            Err(error) => (
                std::collections::BTreeMap::new(),
                Some(format!("{error:#}")),
            ),
        };
        let run = RunResult {
            workload: workload.id.to_owned(),
            side: side.label.clone(),
            pair,
            metrics: metrics
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            error,
            about,
        };
        writeln!(self.lines, "{}", run.json())?;
        println!("{}", crate::report::one_line(&run));
        self.runs.push(run);
        Ok(())
    }
}
