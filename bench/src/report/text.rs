//! Lines for a terminal and a table in Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::compare::{Range, Report, Row};
use crate::goals::GOALS;
use crate::result::RunResult;

/// A figure with about three digits.
pub(super) fn figure(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    let plain = format!("{value:.digits$}");
    if digits > 0 {
        return plain;
    }
    // Thousands apart.
    let (sign, digits) = plain
        .strip_prefix('-')
        .map_or(("", plain.as_str()), |rest| ("-", rest));
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}

/// Median and range.
pub(super) fn range(range: Option<Range>) -> String {
    range.map_or_else(
        || "-".to_owned(),
        |r| {
            if r.min == r.max {
                figure(r.median)
            } else {
                format!(
                    "{} [{}..{}]",
                    figure(r.median),
                    figure(r.min),
                    figure(r.max)
                )
            }
        },
    )
}

/// A run for the terminal: the figures that goals are about.
pub(crate) fn one_line(run: &RunResult) -> String {
    let mut line = format!("{:>2} {:<12} {:<16}", run.pair, run.side, run.workload);
    if let Some(error) = &run.error {
        let _ = write!(line, " FAILED: {error}");
        return line;
    }
    let wanted = GOALS.iter().filter(|goal| goal.workload == run.workload);
    let mut names: Vec<&str> = wanted.map(|goal| goal.metric).collect();
    names.extend([
        "cpu_us_per_request",
        "requests_per_s",
        "p99_us",
        "server_cores",
        "client_cores",
    ]);
    let mut seen = BTreeSet::new();
    for name in names.into_iter().filter(|name| seen.insert(*name)) {
        if let Some(value) = run.metrics.get(name) {
            let _ = write!(line, " {name}={}", figure(*value));
        }
    }
    if run.is_disturbed() {
        let cores = run.metrics.get("foreign_cores").copied().unwrap_or(0.0);
        let _ = write!(line, " (disturbed: {} cores)", figure(cores));
    }
    line
}

fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "-",
    }
}

fn markdown_row(row: &Row) -> String {
    let goal = row.goal;
    let sign = match goal.better {
        crate::goals::Better::Less => "<=",
        crate::goals::Better::More => ">=",
    };
    let ours = match (&row.ours, &row.error) {
        (None, Some(error)) => format!("failed: {}", error.lines().next().unwrap_or_default()),
        (ours, _) => range(*ours),
    };
    let disturbed = if row.disturbed > 0 {
        format!("{} of {}", row.disturbed, row.runs * 2)
    } else {
        String::new()
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        goal.workload,
        goal.what,
        ours,
        goal.goal
            .map_or_else(String::new, |goal| format!("{sign} {}", figure(goal))),
        verdict(row.meets_goal()),
        range(row.other),
        range(row.ratio),
        goal.ratio
            .map_or_else(String::new, |ratio| format!(">= {ratio}")),
        verdict(row.meets_ratio()),
        disturbed,
    )
}

/// Everything that a reader of figures has to know, in Markdown.
pub(crate) fn document(report: &Report) -> String {
    let versions: BTreeSet<&str> = report
        .runs
        .iter()
        .filter_map(|run| run.about["version"].as_str())
        .collect();
    let versions: Vec<&str> = versions.into_iter().collect();
    let about = report.runs.first().map(|run| &run.about);
    let word = |key: &str| about.map_or(String::new(), |a| plain(&a[key]));
    let machine = |key: &str| about.map_or(String::new(), |a| plain(&a["machine"][key]));
    let pairs: BTreeSet<_> = report
        .runs
        .iter()
        .map(|run| (run.about["unix_time"].as_u64(), run.pair))
        .collect();
    format!(
        "# Results\n\n\
         Written by `cargo xtask bench`; how it is measured stands in [README.md](README.md). {} runs in {} pairs, {}.\n\
         Revision {}, placement {}, {} scheduling, windows of {} s. {} cores of {}, {} MiB, Linux {}.\n\n\
         Median [smallest..largest]. A ratio above 1 means that Ottla is better; it is taken within a pair. A run counts as\n\
         disturbed if other processes took more than {} cores meanwhile: its latencies then say little, its CPU is too high.\n\n{}",
        report.runs.len(),
        pairs.len(),
        versions.join(" and "),
        word("revision"),
        word("placement"),
        word("scheduling"),
        word("window_s"),
        machine("cores"),
        machine("processor"),
        machine("memory_mib"),
        machine("kernel"),
        crate::result::FOREIGN_CORES_MAX,
        table(report)
    )
}

fn plain(value: &serde_json::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The table of figures and ratios.
pub(crate) fn table(report: &Report) -> String {
    let mut text = format!(
        "| workload | figure | ottla | goal | | {} | ratio | goal | | disturbed runs |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
        report.other
    );
    for row in &report.rows {
        text.push_str(&markdown_row(row));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        for (value, text) in [
            (0.0714, "0.071"),
            (4.8, "4.80"),
            (12.34, "12.3"),
            (999.6, "1,000"),
            (120_000.0, "120,000"),
            (-1_234.0, "-1,234"),
        ] {
            assert_eq!(figure(value), text);
        }
    }
}
