//! Holds what was played against the golden answers.

use anyhow::Result;

use crate::differences::{self, Row};
use crate::golden::{self, Answer};
use crate::play::Result1;

/// Counts of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// Lines whose answer is Apache Kafka's.
    pub equal: usize,
    /// Lines that differ on purpose.
    pub on_purpose: usize,
    /// Lines that differ.
    pub differ: usize,
    /// Lines of tools that do not exist.
    pub no_tool: usize,
}

/// What came out of one file.
#[derive(Debug, Default)]
pub struct Report {
    /// Name of the file.
    pub file: String,
    /// Counts.
    pub count: Count,
    /// What differs and should not, as text.
    pub findings: Vec<String>,
    /// Rows of the table that were needed.
    pub used: Vec<Row>,
    /// Tools that do not exist.
    pub no_tools: Vec<String>,
}

/// Compares one file that was played.
///
/// # Errors
/// If it could not be played, or has no golden answers.
pub fn compare(way: &str, played: Result1<'_>) -> Result<Report> {
    let script = played.script;
    let mut report = Report {
        file: script.name.clone(),
        ..Report::default()
    };
    let golden = golden::read(script)?;
    for (one, kafka) in played.lines?.iter().zip(&golden) {
        let Some(ours) = &one.answer else {
            report.count.no_tool += 1;
            let tool = one.line.words.first().cloned().unwrap_or_default();
            if !report.no_tools.contains(&tool) {
                report.no_tools.push(tool);
            }
            continue;
        };
        if !one.counts {
            continue;
        }
        let mut on_purpose = false;
        let mut differs = false;
        for part in differences::parts(kafka, ours) {
            let row = differences::rows()
                .find(|row| row.explains(way, &script.name, &one.line.text, part));
            match row {
                Some(row) => {
                    on_purpose = true;
                    report.used.push(row);
                }
                None => differs = true,
            }
        }
        match (differs, on_purpose) {
            (true, _) => {
                report.count.differ += 1;
                report.findings.push(show(&one.line.text, kafka, ours));
            }
            (false, true) => report.count.on_purpose += 1,
            (false, false) => report.count.equal += 1,
        }
    }
    Ok(report)
}

/// Shows a difference for people: lines of Kafka with `-`, of Ottla with `+`.
fn show(line: &str, kafka: &Answer, ours: &Answer) -> String {
    let mut text = format!("> {line}\n");
    for (mark, kafka, ours) in [
        ("", &kafka.stdout, &ours.stdout),
        ("! ", &kafka.stderr, &ours.stderr),
    ] {
        if kafka == ours {
            continue;
        }
        let (kafka, ours): (Vec<&str>, Vec<&str>) =
            (kafka.split('\n').collect(), ours.split('\n').collect());
        let same_begin = kafka.iter().zip(&ours).take_while(|(a, b)| a == b).count();
        let rest = kafka.len().min(ours.len()) - same_begin;
        let ends = kafka.iter().rev().zip(ours.iter().rev());
        let same_end = ends.take(rest).take_while(|(a, b)| a == b).count();
        if same_begin > 0 {
            text.push_str(&format!("    {mark}({same_begin} equal lines)\n"));
        }
        for (sign, lines) in [("-", &kafka), ("+", &ours)] {
            for line in &lines[same_begin..lines.len() - same_end] {
                text.push_str(&format!("  {sign} {mark}{line}\n"));
            }
        }
    }
    if kafka.code != ours.code {
        text.push_str(&format!("  - = {:?}\n  + = {:?}\n", kafka.code, ours.code));
    }
    text
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Count {
            equal,
            on_purpose,
            differ,
            no_tool,
        } = self.count;
        write!(
            f,
            "{:24} {equal:3} equal, {on_purpose:2} differ on purpose, {differ:2} differ",
            self.file
        )?;
        if no_tool > 0 {
            write!(
                f,
                ", {no_tool} of tools that are not there: {}",
                self.no_tools.join(" ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_the_lines_that_differ() {
        let answer = |stdout: &str, code| Answer {
            stdout: stdout.to_owned(),
            code: Some(code),
            ..Answer::default()
        };
        let text = show("t", &answer("a\nb\nc\n", 0), &answer("a\nx\nc\n", 1));
        let expected = "> t\n    (1 equal lines)\n  - b\n  + x\n  - = Some(0)\n  + = Some(1)\n";
        assert_eq!(text, expected);
    }
}
