//! A table with a tab behind each column, as Kafka's tools for the quorum and for transactions print it.

/// Lines of a table: a column is as wide as its longest cell, and has a tab behind it.
pub(crate) fn tabbed(headers: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize, header: &str| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let longest = cells.map(|cell| cell.chars().count()).max();
        longest.unwrap_or_default().max(header.len())
    };
    let widths: Vec<usize> = headers
        .iter()
        .enumerate()
        .map(|(column, header)| width(column, header))
        .collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        for (cell, width) in cells.zip(&widths) {
            text.push_str(&format!("{cell:<width$}\t"));
        }
        text.push('\n');
    };
    line(&mut headers.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let rows = [vec!["1".to_owned(), "abcd".to_owned()]];
        let table = super::tabbed(&["Id", "N"], &rows);
        assert_eq!(table, "Id\tN   \t\n1 \tabcd\t\n");
    }
}
