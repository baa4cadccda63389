//! One page with everything: no script, nothing loaded from elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::compare::{Range, Report, Row};
use super::svg::{Axis, dots, escape, ratios};
use super::text::{figure, range};
use crate::goals::Better;
use crate::workloads::{WORKLOADS, Workload};

const STYLE: &str = include_str!("page.css");

fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "<td class=\"yes\">&#10003; met",
        Some(false) => "<td class=\"no\">&#10007; missed",
        None => "<td>",
    }
}

/// What was measured, where, and how to read it.
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
        "<header><h1>Ottla against {}</h1>\n<p class=\"about\">{}. Revision {}. {cores} cores of {}, Linux {}; {}.</p>\n",
        escape(&report.other),
        escape(&versions.join(" and ")),
        escape(text("revision")),
        escape(processor),
        escape(kernel),
        escape(text("placement")),
    );
    scores(report, page);
    page.push_str(
        "<p>Each pair runs both sides one after the other on fresh directories. A ratio above 1 means that Ottla is \
         better; it is taken within a pair, and the median of the pairs stands with the smallest and the largest. CPU \
         is the broker's own, by the scheduler's account. Both sides are warm and acknowledge at the same \
         durability.</p></header>\n",
    );
}

/// How many of some verdicts are good, out of those that there are.
fn count(verdicts: impl Iterator<Item = Option<bool>>) -> (usize, usize) {
    verdicts
        .flatten()
        .fold((0, 0), |(met, all), one| (met + usize::from(one), all + 1))
}

/// The whole of it in four numbers.
fn scores(report: &Report, page: &mut String) {
    let pairs: BTreeSet<_> = report
        .runs
        .iter()
        .map(|run| (run.about["unix_time"].as_u64(), run.pair))
        .collect();
    let disturbed = report.runs.iter().filter(|run| run.is_disturbed()).count();
    let failed = report.runs.iter().filter(|run| run.error.is_some()).count();
    page.push_str("<div class=\"scores\">");
    let mut score = |value: String, share: Option<f64>, what: &str| {
        let meter = share.map_or_else(String::new, |share| {
            format!(
                "<i class=\"meter\"><i style=\"width:{:.0}%\"></i></i>",
                share * 100.0
            )
        });
        let _ = write!(page, "<div><b>{value}</b>{meter}<span>{what}</span></div>");
    };
    let share = |(met, all): (usize, usize)| (all > 0).then(|| met as f64 / all as f64);
    let ratios = count(report.rows.iter().map(Row::meets_ratio));
    let goals = count(report.rows.iter().map(Row::meets_goal));
    score(
        format!("{} of {}", ratios.0, ratios.1),
        share(ratios),
        "ratios reach their goal",
    );
    score(
        format!("{} of {}", goals.0, goals.1),
        share(goals),
        "figures reach their goal",
    );
    score(pairs.len().to_string(), None, "pairs");
    score(
        format!("{disturbed} of {}", report.runs.len()),
        None,
        "runs disturbed by other processes",
    );
    if failed > 0 {
        score(failed.to_string(), None, "runs failed");
    }
    page.push_str("</div>\n");
}

/// The rows of each family of workloads, families in the order of the workloads.
fn families(report: &Report) -> Vec<(&'static str, Vec<&Row>)> {
    let mut families: Vec<(&'static str, Vec<&Row>)> = Vec::new();
    for workload in &WORKLOADS {
        let rows = report
            .rows
            .iter()
            .filter(|row| row.goal.workload == workload.id);
        let family = workload.family();
        match families.iter_mut().find(|(name, _)| *name == family) {
            Some((_, all)) => all.extend(rows),
            None => families.push((family, rows.collect())),
        }
    }
    families.retain(|(_, rows)| !rows.is_empty());
    families
}

/// Bars: how many times better, family by family.
fn bars(report: &Report, page: &mut String) {
    let axis = Axis::of_ratios(&report.rows);
    if report.rows.iter().all(|row| row.ratio.is_none()) {
        return;
    }
    page.push_str(
        "<section><h2>How many times better</h2>\n<p class=\"about legend\"><i class=\"met\"></i> reaches the goal \
         <i class=\"missed\"></i> misses it <i class=\"shown\"></i> no goal <i class=\"tick\"></i> the goal; the thin \
         line spans the pairs</p>\n",
    );
    for (family, rows) in families(report) {
        let rows: Vec<&Row> = rows.into_iter().filter(|row| row.ratio.is_some()).collect();
        if rows.is_empty() {
            continue;
        }
        let (met, all) = count(rows.iter().map(|row| row.meets_ratio()));
        let score = if all > 0 {
            format!(" <small>{met} of {all}</small>")
        } else {
            String::new()
        };
        let _ = writeln!(page, "<h3>{family}{score}</h3>");
        page.push_str(&ratios(&rows, axis, family));
    }
    page.push_str("</section>\n");
}

fn summary(report: &Report, page: &mut String) {
    let _ = write!(
        page,
        "<section><h2>Figures and goals</h2>\n<div class=\"scroll\"><table class=\"goals\"><thead><tr><th>workload\
         <th>figure<th>ottla<th>goal<th><th>{}<th>ratio<th>goal<th><th>when the goal was set<th>disturbed</tr></thead>\n",
        escape(&report.other)
    );
    for (family, rows) in families(report) {
        let _ = writeln!(
            page,
            "<tbody><tr class=\"family\"><th colspan=\"11\">{family}</tr>"
        );
        for row in rows {
            summary_row(row, page);
        }
        page.push_str("</tbody>\n");
    }
    page.push_str("</table></div></section>\n");
}

fn summary_row(row: &Row, page: &mut String) {
    let ours = match (&row.ours, &row.error) {
        (None, Some(error)) => format!(
            "<td class=\"no\">{}",
            escape(error.lines().next().unwrap_or_default())
        ),
        (ours, _) => spread(*ours),
    };
    let sign = match row.goal.better {
        Better::Less => "&le;",
        Better::More => "&ge;",
    };
    let goal = row
        .goal
        .goal
        .map_or_else(String::new, |goal| format!("{sign}&nbsp;{}", figure(goal)));
    let ratio_goal = row
        .goal
        .ratio
        .map_or_else(String::new, |ratio| format!("&ge;&nbsp;{ratio}"));
    let disturbed = if row.disturbed > 0 {
        format!("{} of {}", row.disturbed, row.runs * 2)
    } else {
        String::new()
    };
    let _ = writeln!(
        page,
        "<tr><td><a href=\"#{id}\">{id}</a><td>{}{ours}<td class=\"n\">{goal}{}{}{}<td class=\"n\">{ratio_goal}{}<td class=\"n\">{}<td>{disturbed}</tr>",
        escape(row.goal.what),
        verdict(row.meets_goal()),
        spread(row.other),
        spread(row.ratio),
        verdict(row.meets_ratio()),
        escape(row.goal.kafka_then),
        id = row.goal.workload,
    );
}

/// A cell with a median, and its range in small figures.
fn spread(range: Option<Range>) -> String {
    match range {
        None => "<td class=\"n\">-".to_owned(),
        Some(range) if range.min == range.max => {
            format!("<td class=\"n\"><b>{}</b>", figure(range.median))
        }
        Some(range) => format!(
            "<td class=\"n\"><b>{}</b> <small>{}..{}</small>",
            figure(range.median),
            figure(range.min),
            figure(range.max)
        ),
    }
}

/// Every figure of every workload, both sides.
fn details(report: &Report, page: &mut String) {
    page.push_str("<section><h2>Workloads</h2>\n");
    for workload in &WORKLOADS {
        if report.runs.iter().any(|run| run.workload == workload.id) {
            detail(report, workload, page);
        }
    }
    page.push_str("</section>\n");
}

fn detail(report: &Report, workload: &Workload, page: &mut String) {
    let runs: Vec<_> = report
        .runs
        .iter()
        .filter(|run| run.workload == workload.id)
        .collect();
    let _ = writeln!(
        page,
        "<article id=\"{id}\"><h3>{id}</h3>\n<p class=\"about\">{}</p>",
        escape(workload.about),
        id = workload.id
    );
    for run in runs.iter().filter(|run| run.error.is_some()) {
        let error = run.error.as_deref().unwrap_or_default();
        let _ = writeln!(
            page,
            "<p class=\"no\">{}, pair {}: {}</p>",
            escape(&run.side),
            run.pair,
            escape(error.lines().next().unwrap_or_default())
        );
    }
    let rows = report.rows.iter();
    for row in rows.filter(|row| row.goal.workload == workload.id) {
        let _ = writeln!(page, "<p class=\"what\">{}</p>", escape(row.goal.what));
        page.push_str(&dots(report, row));
    }
    let mut figures: BTreeMap<&str, BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
    for run in &runs {
        for (name, value) in &run.metrics {
            let by_side = figures.entry(name).or_default();
            by_side.entry(&run.side).or_default().push(*value);
        }
    }
    page.push_str(
        "<details><summary>all figures</summary><div class=\"scroll\"><table><thead><tr><th>figure",
    );
    let sides: BTreeSet<&str> = runs.iter().map(|run| run.side.as_str()).collect();
    for side in &sides {
        let _ = write!(page, "<th>{}", escape(side));
    }
    page.push_str("</tr></thead>\n");
    for (name, by_side) in &figures {
        let cells: String = sides
            .iter()
            .map(|side| by_side.get(side).and_then(|values| Range::of(values)))
            .map(|values| format!("<td class=\"n\">{}", range(values)))
            .collect();
        let _ = writeln!(page, "<tr><td>{}{cells}</tr>", escape(name));
    }
    page.push_str("</table></div></details></article>\n");
}

/// The page.
pub(crate) fn page(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Ottla against {}</title>\n\
         <style>{STYLE}</style>\n",
        escape(&report.other)
    );
    head(report, &mut page);
    bars(report, &mut page);
    summary(report, &mut page);
    details(report, &mut page);
    page
}
