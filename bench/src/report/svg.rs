//! Plots, drawn by hand.

use std::fmt::Write as _;

use super::compare::{Range, Report, Row};
use super::text::figure;

/// Height of a line of a plot.
const LINE: f64 = 24.0;
/// Width for the names.
const NAMES: f64 = 300.0;
/// Width of the plotted part.
const PLOT: f64 = 520.0;
/// Width for the figures.
const FIGURES: f64 = 180.0;
/// Room for the axis.
const AXIS: f64 = 24.0;
/// From the middle of a line down to where its text stands.
const TEXT: f64 = 4.0;

/// A logarithmic axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    min: f64,
    max: f64,
}

impl Axis {
    /// One that holds the ratios and goals of all rows, from a power of two to another.
    pub(super) fn of_ratios(rows: &[Row]) -> Self {
        let figures = rows.iter().flat_map(|row| {
            let ratio = row.ratio.map(|ratio| [ratio.min, ratio.max]);
            ratio.into_iter().flatten().chain(row.goal.ratio)
        });
        let (min, max) = figures
            .filter(|figure| *figure > 0.0)
            .fold((0.5_f64, 2.0_f64), |(a, b), v| (a.min(v), b.max(v)));
        Self {
            min: 2_f64.powf(min.log2().floor()),
            max: 2_f64.powf(max.log2().ceil()),
        }
    }

    fn x(self, value: f64) -> f64 {
        let at = (value.max(self.min).min(self.max) / self.min).ln() / (self.max / self.min).ln();
        NAMES + at * PLOT
    }

    /// Powers of two, fewer of them where there would be too many.
    fn ticks(self) -> Vec<f64> {
        let powers = (self.max / self.min).log2();
        let every = if powers > 10.0 { 2.0 } else { 1.0 };
        let mut ticks = Vec::new();
        let mut power = self.min.log2();
        while power <= self.max.log2() + 0.01 {
            ticks.push(2_f64.powf(power));
            power += every;
        }
        // 1 is where the two are the same, and has to be there.
        if !ticks.iter().any(|tick| (tick - 1.0).abs() < 0.01) {
            ticks.push(1.0);
        }
        ticks
    }
}

/// Escapes text for HTML and SVG.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn open(height: f64, label: &str) -> String {
    let width = NAMES + PLOT + FIGURES;
    format!(
        "<div class=\"plot\"><svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n",
        escape(label)
    )
}

/// How many times better Ottla is, a bar a figure: it ends at the median, the line spans the pairs, the tick is the goal.
pub(super) fn ratios(rows: &[&Row], axis: Axis, label: &str) -> String {
    let height = LINE * rows.len() as f64 + AXIS;
    let mut svg = open(height, label);
    for value in axis.ticks() {
        let x = axis.x(value);
        let class = if (value - 1.0).abs() < 0.01 {
            "one"
        } else {
            "grid"
        };
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{:.1}\"/>\
             <text class=\"axis\" x=\"{x:.1}\" y=\"{:.1}\">{value}&#215;</text>",
            height - AXIS,
            height - 6.0
        );
    }
    for (i, row) in rows.iter().enumerate() {
        if let Some(ratio) = row.ratio {
            bar(&mut svg, row, ratio, axis, LINE * i as f64);
        }
    }
    svg.push_str("</svg></div>\n");
    svg
}

/// The line of one row, from `y` on.
fn bar(svg: &mut String, row: &Row, ratio: Range, axis: Axis, y: f64) {
    let middle = y + LINE / 2.0;
    let (class, sign) = match row.meets_ratio() {
        Some(true) => ("met", "&#10003;"),
        Some(false) => ("missed", "&#10007;"),
        None => ("shown", ""),
    };
    let (from, to) = (axis.x(1.0), axis.x(ratio.median));
    let (left, width) = (from.min(to), (from - to).abs().max(1.0));
    let (low, high) = (axis.x(ratio.min), axis.x(ratio.max));
    let _ = writeln!(
        svg,
        "<a href=\"#{id}\"><text class=\"name\" x=\"{:.1}\" y=\"{text:.1}\"><tspan class=\"id\">{id}</tspan> {}</text></a>\
         <rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" rx=\"2\"/>\
         <line class=\"range\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>",
        NAMES - 10.0,
        escape(row.goal.what),
        y + 5.0,
        LINE - 10.0,
        id = row.goal.workload,
        text = middle + TEXT,
    );
    let mut told = String::new();
    if let Some(goal) = row.goal.ratio {
        let x = axis.x(goal);
        let _ = writeln!(
            svg,
            "<line class=\"goal\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
            y + 2.0,
            y + LINE - 2.0
        );
        told = format!(" <tspan class=\"soft\">goal {goal}&#215;</tspan>");
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\"><tspan class=\"sign {class}\">{sign}</tspan> \
         <tspan class=\"id\">{}&#215;</tspan>{told}</text>",
        NAMES + PLOT + 12.0,
        middle + TEXT,
        figure(ratio.median),
    );
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
    sides.retain(|(_, figures)| !figures.is_empty());
    let all = sides.iter().flat_map(|(_, figures)| figures).copied();
    let positive = all.chain(row.goal.goal).filter(|value| *value > 0.0);
    let (min, max) = positive.fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
    if min > max {
        return String::new();
    }
    let axis = Axis {
        min: min / 1.3,
        max: max * 1.3,
    };
    let label = format!("{}: {}", row.goal.workload, row.goal.what);
    let height = LINE * sides.len() as f64;
    let mut svg = open(height, &label);
    for (i, (side, figures)) in sides.iter().enumerate() {
        let y = LINE * i as f64 + LINE / 2.0;
        let class = if *side == "ottla" { "ours" } else { "other" };
        let _ = writeln!(
            svg,
            "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <line class=\"grid\" x1=\"{NAMES}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
            NAMES - 10.0,
            y + TEXT,
            escape(side),
            NAMES + PLOT,
        );
        for value in figures {
            let _ = write!(
                svg,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"5\"><title>{}</title></circle>",
                axis.x(*value),
                figure(*value)
            );
        }
        if let Some(range) = Range::of(figures) {
            let x = axis.x(range.median);
            let _ = writeln!(
                svg,
                "<line class=\"median {class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\"><tspan class=\"id\">{}</tspan></text>",
                y - 9.0,
                y + 9.0,
                NAMES + PLOT + 12.0,
                y + TEXT,
                figure(range.median)
            );
        }
    }
    if let Some(goal) = row.goal.goal {
        let x = axis.x(goal);
        let _ = writeln!(
            svg,
            "<line class=\"goal\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{height:.1}\"/>"
        );
    }
    svg.push_str("</svg></div>\n");
    svg
}
