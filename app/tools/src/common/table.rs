//! Tables: columns with the widths that Kafka's tools print, and the same rows as JSON.
//!
//! Kafka's tools print with Java's `%-15s`, each tool with its own widths, and scripts cut the output by
//! them. So a column says how wide it is; what stands in it decides only where Kafka lets it.

use std::io::IsTerminal as _;

use serde_json::{Map, Value};

use super::output;

/// How wide a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// As wide as its longest cell, and at least this: Kafka computes the width.
    AtLeast(usize),
    /// This; a longer cell pushes the rest of its line to the right.
    Fixed(usize),
    /// Not padded: the last column of most tables.
    Free,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    width: Width,
    /// Name in JSON.
    key: &'static str,
    number: bool,
}

/// A column of text.
pub(crate) const fn text(title: &'static str, width: Width, key: &'static str) -> Column {
    Column {
        title,
        width,
        key,
        number: false,
    }
}

/// A column of whole numbers, which JSON has as numbers.
pub(crate) const fn number(title: &'static str, width: Width, key: &'static str) -> Column {
    Column {
        title,
        width,
        key,
        number: true,
    }
}

/// What stands in a cell that has nothing; JSON says `null`.
pub(crate) const NOTHING: &str = "-";

/// A table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) const fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row: one cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "one cell for each column");
        self.rows.push(cells);
    }

    /// Whether it has no row.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Header and rows, without ends of lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| match column.width {
                Width::Free => 0,
                Width::Fixed(width) => width,
                Width::AtLeast(width) => self
                    .rows
                    .iter()
                    .filter_map(|row| row.get(index))
                    .map(|cell| java_length(cell))
                    .max()
                    .unwrap_or_default()
                    .max(width),
            })
            .collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut out = String::new();
            for (index, (cell, width)) in cells.zip(&widths).enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(cell);
                out.extend(std::iter::repeat_n(
                    ' ',
                    width.saturating_sub(java_length(cell)),
                ));
            }
            out
        };
        std::iter::once(line(&mut self.columns.iter().map(|column| column.title)))
            .chain(
                self.rows
                    .iter()
                    .map(|row| line(&mut row.iter().map(String::as_str))),
            )
            .collect()
    }

    /// Prints header and rows. On a terminal the header is bold, unless `NO_COLOR` is set.
    pub(crate) fn print(&self) {
        let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        for (index, line) in self.lines().iter().enumerate() {
            if index == 0 && coloured {
                output::line(&format!("\u{1b}[1m{line}\u{1b}[0m"));
            } else {
                output::line(line);
            }
        }
    }

    /// Each row as an object.
    pub(crate) fn json(&self) -> Vec<Value> {
        let object = |row: &Vec<String>| {
            let fields = self.columns.iter().zip(row).map(|(column, cell)| {
                let value = match cell.parse::<i64>() {
                    Ok(number) if column.number => Value::from(number),
                    _ if cell == NOTHING => Value::Null,
                    _ => Value::from(cell.as_str()),
                };
                (column.key.to_owned(), value)
            });
            Value::Object(fields.collect::<Map<_, _>>())
        };
        self.rows.iter().map(object).collect()
    }
}

/// Length as Java counts it, which is what its padding goes by.
fn java_length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// What stands in the cell of a value that may be missing.
pub(crate) fn or_nothing<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(vec![
            text("GROUP", Width::AtLeast(6), "group"),
            number("LAG", Width::Fixed(4), "lag"),
            text("CLIENT", Width::Free, "client"),
        ]);
        table.row(vec!["g".into(), "12345".into(), "c".into()]);
        table.row(vec!["a-longer-name".into(), "-".into(), "-".into()]);
        table
    }

    #[test]
    fn only_columns_that_may_grow_do() {
        assert_eq!(
            table().lines(),
            [
                "GROUP         LAG  CLIENT",
                "g             12345 c",
                "a-longer-name -    -",
            ]
        );
    }

    #[test]
    fn json_has_numbers_as_numbers_and_null_for_what_is_missing() {
        assert_eq!(
            Value::from(table().json()).to_string(),
            r#"[{"client":"c","group":"g","lag":12345},{"client":null,"group":"a-longer-name","lag":null}]"#
        );
    }
}
