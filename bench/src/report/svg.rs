//! Plots, drawn by hand.

use std::fmt::Write as _;

use super::compare::{Report, Row};
use super::text::figure;

/// Height of a line of a plot.
const LINE: f64 = 22.0;
/// Width for the names.
const NAMES: f64 = 330.0;
/// Width of the plotted part.
const PLOT: f64 = 520.0;
/// Width for the figures.
const FIGURES: f64 = 150.0;
/// Room for the axis.
const AXIS: f64 = 26.0;

/// A logarithmic axis.
struct Axis {
    min: f64,
    max: f64,
}

impl Axis {
    fn x(&self, value: f64) -> f64 {
        let at = (value.max(self.min).min(self.max) / self.min).ln() / (self.max / self.min).ln();
        NAMES + at * PLOT
    }
}

/// Escapes text for HTML and SVG.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// How many times better Ottla is, a bar a figure on a logarithmic axis: the bar ends at the median, the line spans
/// the pairs, the tick is the goal.
pub(super) fn ratios(report: &Report) -> String {
    let rows: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| row.ratio.is_some())
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let axis = Axis {
        min: 0.25,
        max: 512.0,
    };
    let height = LINE * rows.len() as f64 + AXIS;
    let width = NAMES + PLOT + FIGURES;
    let mut svg =
        format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"ratios\">\n");
    for power in -2..=9 {
        let value = 2_f64.powi(power);
        let x = axis.x(value);
        let class = if power == 0 { "one" } else { "grid" };
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{:.1}\"/>\
             <text class=\"axis\" x=\"{x:.1}\" y=\"{:.1}\">{value}</text>",
            height - AXIS,
            height - 8.0
        );
    }
    for (i, row) in rows.iter().enumerate() {
        let Some(ratio) = row.ratio else { continue };
        let y = LINE * i as f64;
        let middle = y + LINE / 2.0;
        let class = if row.meets_ratio() == Some(true) {
            "met"
        } else {
            "missed"
        };
        let (from, to) = (axis.x(1.0), axis.x(ratio.median));
        let (left, bar) = (from.min(to), (from - to).abs().max(1.0));
        let (low, high, goal) = (axis.x(ratio.min), axis.x(ratio.max), axis.x(row.goal.ratio));
        let name = format!("{}: {}", row.goal.workload, row.goal.what);
        let _ = writeln!(
            svg,
            "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{bar:.1}\" height=\"{:.1}\"/>\
             <line class=\"range\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\
             <line class=\"goal\" x1=\"{goal:.1}\" x2=\"{goal:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
             <text class=\"figure\" x=\"{:.1}\" y=\"{:.1}\">{} (goal {})</text>",
            NAMES - 8.0,
            middle + 4.0,
            escape(&name),
            y + 4.0,
            LINE - 8.0,
            y + 2.0,
            y + LINE - 2.0,
            NAMES + PLOT + 8.0,
            middle + 4.0,
            figure(ratio.median),
            row.goal.ratio
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// The figures of one row: a dot a run, a line of dots a side, the goal as a tick, on a logarithmic axis.
pub(super) fn dots(report: &Report, row: &Row) -> String {
    let mut sides: Vec<(&str, Vec<f64>)> = vec![("ottla", Vec::new()), (&report.other, Vec::new())];
    for run in report
        .runs
        .iter()
        .filter(|run| run.workload == row.goal.workload)
    {
        let figures = sides.iter_mut().find(|(side, _)| *side == run.side);
        if let (Some((_, figures)), Some(value)) = (figures, run.metrics.get(row.goal.metric)) {
            figures.push(*value);
        }
    }
    let all = sides
        .iter()
        .flat_map(|(_, figures)| figures)
        .chain([&row.goal.goal]);
    let positive = all.copied().filter(|value| *value > 0.0);
    let (min, max) = positive.fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
    if min > max {
        return String::new();
    }
    let axis = Axis {
        min: min / 1.3,
        max: max * 1.3,
    };
    let height = LINE * sides.len() as f64;
    let width = NAMES + PLOT + FIGURES;
    let mut svg = format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\">\n");
    let goal = axis.x(row.goal.goal);
    let _ = writeln!(
        svg,
        "<line class=\"goal\" x1=\"{goal:.1}\" x2=\"{goal:.1}\" y1=\"0\" y2=\"{height:.1}\"/>"
    );
    for (i, (side, figures)) in sides.iter().enumerate() {
        let y = LINE * (i as f64 + 0.5);
        let class = if i == 0 { "ours" } else { "other" };
        let _ = writeln!(
            svg,
            "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            NAMES - 8.0,
            y + 4.0,
            escape(side)
        );
        for value in figures {
            let _ = write!(
                svg,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"5\"><title>{}</title></circle>",
                axis.x(*value),
                figure(*value)
            );
        }
        if let Some(range) = super::compare::Range::of(figures) {
            let _ = writeln!(
                svg,
                "<text class=\"figure\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                NAMES + PLOT + 8.0,
                y + 4.0,
                figure(range.median)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
