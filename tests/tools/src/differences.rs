//! What differs on purpose.

use crate::golden::Answer;

/// One row a line: `way TAB file TAB line TAB what TAB reason`. `way` is how it is played (`ottla-kafka`,
/// `ottla-ottla`, `kafka-ottla`, or `*`), `line` a command line or its beginning before `*`, `what` one of
/// `stdout`, `stderr`, `code`, or `*`.
const DIFFERENCES: &str = include_str!("../differences.tsv");

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// How it is played.
    pub way: &'static str,
    /// The file.
    pub file: &'static str,
    line: &'static str,
    what: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// Every row.
///
/// # Panics
/// If a line of the table is not a row.
pub fn rows() -> impl Iterator<Item = Row> {
    let lines = DIFFERENCES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let columns: Vec<&str> = line.splitn(5, '\t').collect();
        match *columns.as_slice() {
            [way, file, line, what, reason] => Row {
                way,
                file,
                line,
                what,
                reason,
            },
            _ => panic!("five columns: {line}"),
        }
    })
}

impl Row {
    /// Whether the row is about this part of the answer to this line.
    #[must_use]
    pub fn explains(&self, way: &str, file: &str, line: &str, what: &str) -> bool {
        let fits = |pattern: &str, text: &str| {
            pattern
                .strip_suffix('*')
                .map_or(pattern == text, |start| text.starts_with(start))
        };
        fits(self.way, way)
            && fits(self.file, file)
            && fits(self.line, line)
            && fits(self.what, what)
    }
}

/// The parts in which two answers differ.
#[must_use]
pub fn parts(kafka: &Answer, ours: &Answer) -> Vec<&'static str> {
    let mut parts = Vec::new();
    if kafka.stdout != ours.stdout {
        parts.push("stdout");
    }
    if kafka.stderr != ours.stderr {
        parts.push("stderr");
    }
    if kafka.code != ours.code {
        parts.push("code");
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_about_the_lines_that_it_names() {
        let row = Row {
            way: "*",
            file: "topics",
            line: "topics --list*",
            what: "stderr",
            reason: "r",
        };
        assert!(row.explains("kafka-ottla", "topics", "topics --list --x", "stderr"));
        assert!(!row.explains("kafka-ottla", "topics", "topics --list", "stdout"));
        assert!(!row.explains("kafka-ottla", "topic", "topics --list", "stderr"));
    }

    #[test]
    fn every_row_can_be_read_and_names_files_that_exist() {
        for row in rows() {
            let file = crate::folder("lines").join(format!("{}.txt", row.file));
            assert!(row.file == "*" || file.exists(), "{row:?}");
            assert!(!row.reason.is_empty(), "{row:?}");
        }
    }
}
