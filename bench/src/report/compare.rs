//! Pairs of runs to ratios: the median, with the smallest and the largest beside it.

use std::collections::BTreeMap;

use crate::goals::{Better, GOALS, Goal};
use crate::result::RunResult;

/// Median and range of some figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Range {
    /// Of at least one figure.
    pub(crate) fn of(figures: &[f64]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, min, max })
    }
}

/// One figure, compared.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What was to be reached.
    pub(crate) goal: &'static Goal,
    /// Ottla's figures.
    pub(crate) ours: Option<Range>,
    /// The other side's.
    pub(crate) other: Option<Range>,
    /// How many times better Ottla is, per pair.
    pub(crate) ratio: Option<Range>,
    /// Pairs in which other processes disturbed a side.
    pub(crate) disturbed: usize,
    /// Pairs or single runs.
    pub(crate) runs: usize,
    /// Why Ottla has no figure.
    pub(crate) error: Option<String>,
}

impl Row {
    /// Whether Ottla's figure is good enough; `None` without one or without a goal.
    pub(crate) fn meets_goal(&self) -> Option<bool> {
        let (ours, goal) = (self.ours?.median, self.goal.goal?);
        Some(match self.goal.better {
            Better::Less => ours <= goal,
            Better::More => ours >= goal,
        })
    }

    /// Whether the ratio is good enough; `None` without one.
    pub(crate) fn meets_ratio(&self) -> Option<bool> {
        Some(self.ratio?.median >= self.goal.ratio?)
    }
}

/// All rows that have a figure, and what they are about.
#[derive(Debug)]
pub(crate) struct Report {
    /// Name of the other side.
    pub(crate) other: String,
    /// Rows in the order of the goals.
    pub(crate) rows: Vec<Row>,
    /// Every run.
    pub(crate) runs: Vec<RunResult>,
}

/// The side that the goals are about.
const OURS: &str = "ottla";

impl Report {
    /// Compares the runs.
    pub(crate) fn new(runs: Vec<RunResult>) -> Self {
        let other = runs
            .iter()
            .map(|run| run.side.as_str())
            .find(|side| *side != OURS);
        let other = other.unwrap_or("nothing").to_owned();
        let rows = GOALS.iter().filter_map(|goal| row(goal, &runs)).collect();
        Self { other, rows, runs }
    }
}

fn row(goal: &'static Goal, runs: &[RunResult]) -> Option<Row> {
    let mut ours = BTreeMap::new();
    let mut other = BTreeMap::new();
    let mut disturbed = 0;
    let mut error = None;
    for run in runs.iter().filter(|run| run.workload == goal.workload) {
        if run.side == OURS {
            error = error.or_else(|| run.error.clone());
        }
        let Some(figure) = run.metrics.get(goal.metric) else {
            continue;
        };
        // Runs of several files may carry the same number of a pair; their time tells them apart.
        let key = (run.about["unix_time"].as_u64(), run.pair);
        let side = if run.side == OURS {
            &mut ours
        } else {
            &mut other
        };
        side.insert(key, *figure);
        disturbed += usize::from(run.is_disturbed());
    }
    if ours.is_empty() && other.is_empty() && error.is_none() {
        return None;
    }
    let ratios: Vec<f64> = ours
        .iter()
        .filter_map(|(pair, ours)| {
            let other = other.get(pair)?;
            Some(match goal.better {
                Better::Less => other / ours,
                Better::More => ours / other,
            })
        })
        .filter(|ratio| ratio.is_finite())
        .collect();
    let figures = |side: &BTreeMap<_, f64>| side.values().copied().collect::<Vec<f64>>();
    Some(Row {
        goal,
        ours: Range::of(&figures(&ours)),
        other: Range::of(&figures(&other)),
        ratio: Range::of(&ratios),
        disturbed,
        runs: ours.len().max(other.len()),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(side: &str, pair: u64, metric: &str, figure: f64) -> RunResult {
        RunResult {
            workload: "p-tiny".to_owned(),
            side: side.to_owned(),
            pair,
            metrics: BTreeMap::from([(metric.to_owned(), figure)]),
            error: None,
            about: serde_json::json!({"unix_time": 1}),
        }
    }

    #[test]
    fn ratios_are_of_pairs_and_above_one_where_ottla_is_better() {
        let less = "cpu_us_per_request";
        let more = "requests_per_s";
        let runs = vec![
            run("ottla", 1, less, 5.0),
            run("kafka", 1, less, 20.0),
            run("ottla", 2, less, 4.0),
            run("kafka", 2, less, 24.0),
            run("ottla", 3, less, 6.0),
            run("kafka", 3, less, 30.0),
            run("ottla", 1, more, 100.0),
            run("kafka", 1, more, 50.0),
        ];
        let report = Report::new(runs);
        assert_eq!(report.other, "kafka");
        let ratios: Vec<Option<Range>> = report.rows.iter().map(|row| row.ratio).collect();
        assert_eq!(
            ratios,
            [
                Some(Range {
                    median: 5.0,
                    min: 4.0,
                    max: 6.0
                }),
                Some(Range {
                    median: 2.0,
                    min: 2.0,
                    max: 2.0
                }),
            ]
        );
        assert_eq!(report.rows[0].meets_goal(), Some(true));
        assert_eq!(report.rows[1].meets_ratio(), Some(false));
    }

    #[test]
    fn an_even_number_of_figures_has_a_median_between_two() {
        assert_eq!(
            Range::of(&[4.0, 1.0, 2.0, 3.0]).map(|r| r.median),
            Some(2.5)
        );
        assert_eq!(Range::of(&[]), None);
    }
}
