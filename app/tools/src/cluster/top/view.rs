//! How a sample looks on a terminal.

use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Row, Table};

use super::sample::{Group, Sample};

/// Rows of a table above which the plain picture is cut.
const ROWS_MAX: usize = 200;

/// Lines that brokers and attention get at most while the picture shares a terminal.
const BROKERS_HEIGHT: u16 = 9;
const ATTENTION_HEIGHT: u16 = 8;

/// Two samples, and what the user did.
#[derive(Debug)]
pub(crate) struct View {
    servers: String,
    before: Option<Sample>,
    now: Sample,
    /// Whether the picture stands still.
    pub(crate) paused: bool,
    /// Rows of the tables that are above the screen.
    pub(crate) scroll: usize,
    /// Why there is no newer sample.
    pub(crate) trouble: Option<String>,
}

impl View {
    /// The view of a sample; rates are those since `before`.
    pub(crate) fn new(servers: &str, before: Option<Sample>, now: Sample) -> Self {
        Self {
            servers: servers.to_owned(),
            before,
            now,
            paused: false,
            scroll: 0,
            trouble: None,
        }
    }

    /// Takes the next sample.
    pub(crate) fn next(&mut self, sample: Sample) {
        self.before = Some(std::mem::replace(&mut self.now, sample));
        self.trouble = None;
    }

    /// The picture as text without colours, blank ends of lines left out, as high as it has to be.
    pub(crate) fn plain(&self, width: u16) -> String {
        let height = self.heights().into_iter().sum();
        let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
        let Ok(_) = terminal.draw(|frame| self.draw(frame));
        let buffer = terminal.backend().buffer();
        let mut out = String::new();
        for row in buffer.content().chunks(usize::from(width)) {
            let line: String = row.iter().map(|cell| cell.symbol()).collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// Draws the whole picture.
    pub(crate) fn draw(&self, frame: &mut Frame<'_>) {
        let [_, topics_rows, groups_rows, nodes_rows, alarm_rows, _] = self.heights();
        let [head, topics, groups, nodes, alarm, keys] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Max(topics_rows),
            Constraint::Max(groups_rows),
            Constraint::Max(nodes_rows.min(BROKERS_HEIGHT)),
            Constraint::Max(alarm_rows.min(ATTENTION_HEIGHT)),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(self.head(), head);
        self.topics(frame, topics);
        self.groups(frame, groups);
        self.brokers(frame, nodes);
        self.attention(frame, alarm);
        let keys_text = if self.paused {
            "paused   q ends  p goes on  arrows scroll"
        } else {
            "q ends  p pauses  arrows scroll"
        };
        frame.render_widget(
            Paragraph::new(keys_text).style(Style::new().add_modifier(Modifier::DIM)),
            keys,
        );
    }

    /// Lines that each part of the picture would like to have.
    fn heights(&self) -> [u16; 6] {
        let rows = |count: usize, around: u16| {
            u16::try_from(count.min(ROWS_MAX)).unwrap_or(u16::MAX) + around
        };
        [
            1,
            rows(self.now.topics.len(), 3),
            rows(self.now.groups.len(), 3),
            rows(self.now.brokers.len(), 3),
            rows(self.now.attention.len().max(1), 2),
            1,
        ]
    }

    fn head(&self) -> Paragraph<'_> {
        let fenced = self
            .now
            .brokers
            .iter()
            .filter(|broker| broker.fenced)
            .count();
        let partitions: usize = self.now.topics.values().map(|topic| topic.partitions).sum();
        let mut spans = vec![
            Span::styled("ottla top", Style::new().add_modifier(Modifier::BOLD)),
            Span::raw(format!(
                "  {}  brokers {}{}  topics {}  partitions {}  groups {}  cluster {}",
                self.servers,
                self.now.brokers.len(),
                if fenced > 0 {
                    format!(" ({fenced} fenced)")
                } else {
                    String::new()
                },
                self.now.topics.len(),
                partitions,
                self.now.groups.len() + self.now.groups_left_out,
                self.now.cluster_id,
            )),
        ];
        if let Some(trouble) = &self.trouble {
            let style = Style::new().fg(Color::Red);
            spans.push(Span::styled(format!("  {trouble}"), style));
        }
        Paragraph::new(Line::from(spans))
    }

    fn topics(&self, frame: &mut Frame<'_>, area: Rect) {
        let mut rows: Vec<(f64, Row<'_>)> = Vec::new();
        for (name, topic) in &self.now.topics {
            let before = self
                .before
                .as_ref()
                .and_then(|before| before.topics.get(name));
            let records = before.and_then(|before| self.rate(topic.end, before.end));
            let bytes = before.and_then(|before| self.rate(topic.bytes, before.bytes));
            let style = if topic.internal {
                Style::new().add_modifier(Modifier::DIM)
            } else {
                Style::new()
            };
            let row = Row::new([
                name.clone(),
                topic.partitions.to_string(),
                records.map_or_else(|| "-".to_owned(), per_second),
                bytes.map_or_else(|| "-".to_owned(), |rate| format!("{}/s", size(rate))),
                topic.end.to_string(),
                size(as_f64(topic.bytes)),
            ])
            .style(style);
            rows.push((records.unwrap_or_default(), row));
        }
        // The busiest first; the sort is stable, so equals stay in the order of their names.
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        let header = [
            "TOPIC",
            "PARTITIONS",
            "RECORDS/S",
            "BYTES/S",
            "END OFFSETS",
            "SIZE",
        ];
        let rows = rows.into_iter().map(|(_, row)| row).skip(self.scroll);
        let widths = [
            Constraint::Fill(1),
            Constraint::Length(10),
            Constraint::Length(12),
            Constraint::Length(12),
            Constraint::Length(16),
            Constraint::Length(10),
        ];
        frame.render_widget(table("Topics", header, rows, widths), area);
    }

    fn groups(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.now.groups.iter().skip(self.scroll).map(|group| {
            let rate = self
                .before
                .as_ref()
                .and_then(|before| before.groups.iter().find(|other| other.name == group.name))
                .and_then(|before| self.rate(group.committed, before.committed));
            let style = if group.lag > 0 {
                Style::new().fg(Color::Yellow)
            } else {
                Style::new()
            };
            Row::new([
                group.name.clone(),
                group.kind.clone(),
                group.state.clone(),
                group.members.to_string(),
                group.lag.to_string(),
                rate.map_or_else(|| "-".to_owned(), per_second),
                time_left(group, rate),
            ])
            .style(style)
        });
        let title = match self.now.groups_left_out {
            0 => "Groups".to_owned(),
            more => format!("Groups ({more} more are not shown)"),
        };
        let header = [
            "GROUP",
            "TYPE",
            "STATE",
            "MEMBERS",
            "LAG",
            "COMMITTED/S",
            "CAUGHT UP IN",
        ];
        let widths = [
            Constraint::Fill(1),
            Constraint::Length(9),
            Constraint::Length(20),
            Constraint::Length(7),
            Constraint::Length(12),
            Constraint::Length(12),
            Constraint::Length(12),
        ];
        frame.render_widget(table(&title, header, rows, widths), area);
    }

    fn brokers(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.now.brokers.iter().skip(self.scroll).map(|broker| {
            Row::new([
                broker.id.to_string(),
                broker.address.clone(),
                broker.rack.clone().unwrap_or_else(|| "-".to_owned()),
                if broker.fenced { "fenced" } else { "serving" }.to_owned(),
                broker.leaders.to_string(),
                broker.replicas.to_string(),
                size(as_f64(broker.bytes)),
            ])
        });
        let header = [
            "BROKER", "ADDRESS", "RACK", "STATE", "LEADERS", "REPLICAS", "SIZE",
        ];
        let widths = [
            Constraint::Length(10),
            Constraint::Fill(1),
            Constraint::Length(14),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(10),
        ];
        frame.render_widget(table("Brokers", header, rows, widths), area);
    }

    fn attention(&self, frame: &mut Frame<'_>, area: Rect) {
        let lines: Vec<Line<'_>> = if self.now.attention.is_empty() {
            vec![Line::styled("nothing", Style::new().fg(Color::Green))]
        } else {
            let red = Style::new().fg(Color::Red);
            let texts = self.now.attention.iter().skip(self.scroll);
            texts.map(|text| Line::styled(text.as_str(), red)).collect()
        };
        let title = match self.now.attention.len() {
            0 => "Needs attention".to_owned(),
            count => format!("Needs attention ({count})"),
        };
        frame.render_widget(Paragraph::new(lines).block(block(&title)), area);
    }

    /// Growth a second since the sample before. Numbers that went down, as after a deletion, have none.
    fn rate(&self, now: i64, before: i64) -> Option<f64> {
        let seconds = (self.now.at - self.before.as_ref()?.at).as_secs_f64();
        let grown = now.checked_sub(before).filter(|grown| *grown >= 0)?;
        (seconds > 0.0).then(|| as_f64(grown) / seconds)
    }
}

fn block(title: &str) -> Block<'_> {
    Block::new().borders(Borders::TOP).title(title)
}

fn table<'a, const N: usize>(
    title: &'a str,
    header: [&'static str; N],
    rows: impl IntoIterator<Item = Row<'a>>,
    widths: [Constraint; N],
) -> Table<'a> {
    Table::new(rows, widths)
        .header(Row::new(header).style(Style::new().add_modifier(Modifier::BOLD)))
        .column_spacing(2)
        .block(block(title))
}

fn per_second(rate: f64) -> String {
    if rate < 10.0 {
        format!("{rate:.1}")
    } else {
        format!("{rate:.0}")
    }
}

/// How long a group needs until it has no lag, if it goes on as now and nothing new came.
fn time_left(group: &Group, rate: Option<f64>) -> String {
    match rate {
        _ if group.lag == 0 => "now".to_owned(),
        Some(rate) if rate > 0.0 => {
            let seconds = as_f64(group.lag) / rate;
            if seconds < 120.0 {
                format!("{seconds:.0} s")
            } else if seconds < 7_200.0 {
                format!("{:.0} min", seconds / 60.0)
            } else {
                format!("{:.0} h", seconds / 3_600.0)
            }
        }
        _ => "-".to_owned(),
    }
}

/// Bytes in the largest unit that keeps the number at 1 or above.
fn size(bytes: f64) -> String {
    let mut value = bytes;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{value:.0} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown with three digits; the rest may be lost"
)]
const fn as_f64(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::sample::{Broker, Topic};
    use super::*;

    fn sample(at: Instant, end: i64, committed: i64) -> Sample {
        let topic = Topic {
            partitions: 3,
            end,
            bytes: end * 100,
            ..Topic::default()
        };
        let group = Group {
            name: "readers".to_owned(),
            state: "Stable".to_owned(),
            committed,
            lag: end - committed,
            ..Group::default()
        };
        let broker = Broker {
            id: 1,
            address: "localhost:9092".to_owned(),
            leaders: 3,
            replicas: 3,
            ..Broker::default()
        };
        Sample {
            at,
            cluster_id: "abc".to_owned(),
            brokers: vec![broker],
            topics: [("orders".to_owned(), topic)].into(),
            groups: vec![group],
            groups_left_out: 0,
            attention: vec!["orders-1 has no leader".to_owned()],
        }
    }

    #[test]
    fn picture_tells_rates_lag_and_what_needs_attention() {
        let begun = Instant::now();
        let before = sample(begun, 1_000, 0);
        let now = sample(begun + Duration::from_secs(2), 3_000, 1_000);
        let text = View::new("localhost:9092", Some(before), now).plain(100);
        let line = |word: &str| {
            let found = text.lines().find(|line| line.starts_with(word));
            let words: Vec<&str> = found.unwrap_or_default().split_whitespace().collect();
            words.join(" ")
        };
        assert_eq!(line("orders "), "orders 3 1000 97.7 KiB/s 3000 293.0 KiB");
        assert_eq!(line("readers"), "readers Stable 0 2000 500 4 s");
        assert_eq!(line("orders-1"), "orders-1 has no leader");
        assert!(line("1 ").starts_with("1 localhost:9092 - serving 3 3"));
    }

    #[test]
    fn small_terminals_are_survived() {
        let view = View::new("h:1", None, sample(Instant::now(), 1, 1));
        for (width, height) in [(1, 1), (10, 3), (40, 10)] {
            let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
            let Ok(_) = terminal.draw(|frame| view.draw(frame));
        }
    }

    #[test]
    fn numbers_that_fall_have_no_rate() {
        let begun = Instant::now();
        let view = View::new(
            "h:1",
            Some(sample(begun, 1_000, 0)),
            sample(begun + Duration::from_secs(1), 10, 0),
        );
        assert_eq!(view.rate(10, 1_000), None);
        assert_eq!(view.rate(1_010, 1_000), Some(10.0));
    }
}
