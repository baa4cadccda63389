//! One page with everything: no script, nothing loaded from elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::compare::{Range, Report};
use super::svg::{dots, escape, ratios};
use super::text::{figure, range};
use crate::workloads::WORKLOADS;

const STYLE: &str = "
:root { color-scheme: light dark; --fg: #1c2024; --bg: #fff; --soft: #6b7280; --line: #d7dbe0; --ours: #0d7a5f;
  --other: #b4552d; --met: #0d7a5f; --missed: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --fg: #e6e8eb; --bg: #16181b; --soft: #9aa3ad; --line: #3a3f45;
  --ours: #3ec9a0; --other: #e58a5e; --met: #3ec9a0; --missed: #f08a4b; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg); margin: 2rem auto; max-width: 1060px;
  padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h3 { margin: 1.4rem 0 .2rem; } p.about { color: var(--soft); margin: .2rem 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
td, th { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: left; white-space: nowrap; }
svg { width: 100%; height: auto; font-size: 12px; } svg text { fill: var(--fg); }
svg .name { text-anchor: end; } svg .axis { text-anchor: middle; fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .one { stroke: var(--soft); } svg .goal { stroke: var(--fg); stroke-width: 2; }
svg .range { stroke: var(--fg); } svg .met { fill: var(--met); opacity: .75; } svg .missed { fill: var(--missed); opacity: .75; }
svg .ours { fill: var(--ours); opacity: .7; } svg .other { fill: var(--other); opacity: .7; }
.yes { color: var(--met); } .no { color: var(--missed); font-weight: 600; }
";

fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "<td class=\"yes\">met</td>",
        Some(false) => "<td class=\"no\">missed</td>",
        None => "<td></td>",
    }
}

fn head(report: &Report, page: &mut String) {
    let versions: BTreeSet<&str> = report
        .runs
        .iter()
        .filter_map(|run| run.about["version"].as_str())
        .collect();
    let versions: Vec<&str> = versions.into_iter().collect();
    let about = report.runs.first().map(|run| &run.about);
    let text = |key: &str| about.and_then(|a| a[key].as_str()).unwrap_or("?");
    let machine = about.map(|a| &a["machine"]);
    let cores = machine.and_then(|m| m["cores"].as_u64()).unwrap_or(0);
    let processor = machine.and_then(|m| m["processor"].as_str()).unwrap_or("?");
    let kernel = machine.and_then(|m| m["kernel"].as_str()).unwrap_or("?");
    let _ = write!(
        page,
        "<h1>Ottla against {}</h1>\n<p class=\"about\">{}. Revision {}. {cores} cores of {}, Linux {}; {}.</p>\n\
         <p>Each pair runs both sides one after the other on fresh directories. A ratio above 1 means that Ottla is \
         better; it is taken within a pair, and the median of the pairs stands with the smallest and the largest. \
         CPU is the broker's own, by the scheduler's account. Runs that other processes disturbed are counted.</p>\n",
        escape(&report.other),
        escape(&versions.join(" and ")),
        escape(text("revision")),
        escape(processor),
        escape(kernel),
        escape(text("placement")),
    );
}

fn summary(report: &Report, page: &mut String) {
    let _ = write!(
        page,
        "<h2>Figures and goals</h2>\n<div class=\"scroll\"><table><tr><th>workload<th>figure<th>ottla<th>goal<th>\
         <th>{}<th>when the goal was set<th>ratio<th>goal<th><th>disturbed</tr>\n",
        escape(&report.other)
    );
    for row in &report.rows {
        let ours = match (&row.ours, &row.error) {
            (None, Some(error)) => escape(error.lines().next().unwrap_or_default()),
            (ours, _) => range(*ours),
        };
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td>{ours}<td>{}{}<td>{}<td>{}<td>{}<td>&ge; {}{}<td>{}</tr>",
            row.goal.workload,
            escape(row.goal.what),
            figure(row.goal.goal),
            verdict(row.meets_goal()),
            range(row.other),
            escape(row.goal.kafka_then),
            range(row.ratio),
            row.goal.ratio,
            verdict(row.meets_ratio()),
            if row.disturbed > 0 {
                format!("{} of {}", row.disturbed, row.runs * 2)
            } else {
                String::new()
            },
        );
    }
    page.push_str("</table></div>\n");
}

/// Every figure of every workload, both sides.
fn details(report: &Report, page: &mut String) {
    page.push_str("<h2>Workloads</h2>\n");
    for workload in &WORKLOADS {
        let runs: Vec<_> = report
            .runs
            .iter()
            .filter(|run| run.workload == workload.id)
            .collect();
        if runs.is_empty() {
            continue;
        }
        let _ = writeln!(
            page,
            "<h3 id=\"{id}\">{id}</h3>\n<p class=\"about\">{}</p>",
            escape(workload.about),
            id = workload.id
        );
        for row in report
            .rows
            .iter()
            .filter(|row| row.goal.workload == workload.id)
        {
            let _ = writeln!(page, "<p class=\"about\">{}</p>", escape(row.goal.what));
            page.push_str(&dots(report, row));
        }
        let mut figures: BTreeMap<&str, BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
        for run in &runs {
            for (name, value) in &run.metrics {
                figures
                    .entry(name)
                    .or_default()
                    .entry(&run.side)
                    .or_default()
                    .push(*value);
            }
        }
        page.push_str("<details><summary>all figures</summary><div class=\"scroll\"><table>\n");
        let sides: BTreeSet<&str> = runs.iter().map(|run| run.side.as_str()).collect();
        let heads: String = sides
            .iter()
            .map(|side| format!("<th>{}", escape(side)))
            .collect();
        let _ = writeln!(page, "<tr><th>figure{heads}</tr>");
        for (name, by_side) in &figures {
            let cells: String = sides
                .iter()
                .map(|side| by_side.get(side).and_then(|values| Range::of(values)))
                .map(|values| format!("<td>{}", range(values)))
                .collect();
            let _ = writeln!(page, "<tr><td>{}{cells}</tr>", escape(name));
        }
        page.push_str("</table></div></details>\n");
    }
}

/// The page.
pub(crate) fn page(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Ottla against {}</title>\n\
         <style>{STYLE}</style>\n",
        escape(&report.other)
    );
    head(report, &mut page);
    let plot = ratios(report);
    if !plot.is_empty() {
        page.push_str("<h2>How many times better</h2>\n");
        page.push_str(&plot);
    }
    summary(report, &mut page);
    details(report, &mut page);
    page
}
