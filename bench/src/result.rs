//! One run of one workload on one side, as a line of JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Cores that others may use in a window before the run counts as disturbed.
pub(crate) const FOREIGN_CORES_MAX: f64 = 0.05;

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct RunResult {
    /// Workload.
    pub(crate) workload: String,
    /// Side.
    pub(crate) side: String,
    /// Number of the pair, from 1.
    pub(crate) pair: u64,
    /// Figures by name; none if it failed.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// What was measured, and where.
    pub(crate) about: Value,
}

impl RunResult {
    /// Whether others used the machine meanwhile.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.metrics
            .get("foreign_cores")
            .is_some_and(|cores| *cores > FOREIGN_CORES_MAX)
    }

    /// The line.
    pub(crate) fn json(&self) -> Value {
        json!({
            "workload": self.workload,
            "side": self.side,
            "pair": self.pair,
            "disturbed": self.is_disturbed(),
            "metrics": self.metrics,
            "error": self.error,
            "about": self.about,
        })
    }

    fn from_json(value: &Value) -> Result<Self> {
        let text = |key: &str| {
            let found = value[key].as_str().map(str::to_owned);
            found.with_context(|| format!("a run without `{key}`"))
        };
        let metrics = value["metrics"]
            .as_object()
            .context("a run without `metrics`")?;
        Ok(Self {
            workload: text("workload")?,
            side: text("side")?,
            pair: value["pair"].as_u64().context("a run without `pair`")?,
            metrics: metrics
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
                .collect(),
            error: text("error").ok(),
            about: value["about"].clone(),
        })
    }
}

/// Reads files of lines.
///
/// # Errors
/// If one is no such file.
pub(crate) fn read_runs<P: AsRef<Path>>(files: &[P]) -> Result<Vec<RunResult>> {
    let mut runs = Vec::new();
    for file in files {
        let name = || file.as_ref().display().to_string();
        let text = fs::read_to_string(file).with_context(name)?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let value: Value = serde_json::from_str(line).with_context(name)?;
            runs.push(RunResult::from_json(&value).with_context(name)?);
        }
    }
    Ok(runs)
}
