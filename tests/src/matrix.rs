//! The table of foreign clients, docs/reference/clients.md: made of what they did against a node.
//!
//! A run fails if the page does not have what it did; `UPDATE=1` writes it there instead. A client that cannot run on a
//! machine leaves its row as it is.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};

use crate::foreign::Outcome;

const HEAD: &str = "\
# Foreign clients

Each client is installed by its own package manager at a pinned version and runs against a node of Ottla; the same
programs pass against Apache Kafka 4.4. After each of them the node has to answer ApiVersions, Metadata, Produce and Fetch
within a second, to have held its memory and to have logged no panic. Written by `UPDATE=1 cargo test -p ottla-tests
clients`; a run fails where the page does not name what it did.

| client | version | what it is | scenarios |
|---|---|---|---|
";

/// Where a client comes from.
#[derive(Debug, Clone, Copy)]
pub struct Lineage {
    /// What it is called.
    pub name: &'static str,
    /// Language, implementation and what installs it.
    pub about: &'static str,
    /// Whether this repository says which version it is, so that the page has to name that one.
    pub pinned: bool,
}

/// Writes or checks the row of a client that passed.
///
/// # Errors
/// If the page has another row.
pub fn note(client: Lineage, outcome: &Outcome) -> Result<()> {
    // Clients end at the same time.
    static PAGE: Mutex<()> = Mutex::new(());
    let _page = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/clients.md");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let mut rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| client |"))
        .collect();
    let begin = format!("| {} |", client.name);
    let row = row(client, outcome);
    if std::env::var_os("UPDATE").is_some() {
        rows.retain(|line| !line.starts_with(&begin));
        rows.push(&row);
        rows.sort_unstable_by_key(|line| line.to_lowercase());
        let mut page = HEAD.to_owned();
        for row in rows {
            writeln!(page, "{row}")?;
        }
        fs::write(&path, page).with_context(|| path.display().to_string())?;
        return Ok(());
    }
    let there = rows.iter().find(|line| line.starts_with(&begin));
    match there {
        Some(there) if fits(client, there, &row) => Ok(()),
        _ => bail!(
            "docs/reference/clients.md does not have what {} did; `UPDATE=1 cargo test -p ottla-tests clients` \
             writes it:\n{row}",
            client.name
        ),
    }
}

fn row(client: Lineage, outcome: &Outcome) -> String {
    let scenarios: Vec<String> = outcome
        .scenarios
        .keys()
        .map(|name| name.trim_start_matches("test_").replace('_', " "))
        .collect();
    format!(
        "| {} | {} | {} | {}: {} |",
        client.name,
        outcome.version,
        client.about,
        scenarios.len(),
        scenarios.join("; ")
    )
}

/// Whether a row of the page says what a run did; where a version is not pinned it says that of another machine.
fn fits(client: Lineage, there: &str, row: &str) -> bool {
    let cells = |row: &str| -> Vec<String> { row.split('|').map(ToOwned::to_owned).collect() };
    let (mut there, mut row) = (cells(there), cells(row));
    if !client.pinned {
        there.remove(2);
        row.remove(2);
    }
    there == row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_machine_do_not_count() {
        let client = |pinned| Lineage {
            name: "c",
            about: "about",
            pinned,
        };
        let (page, run) = ("| c | 1 | about | 1: a |", "| c | 2 | about | 1: a |");
        assert!(fits(client(false), page, run));
        assert!(!fits(client(true), page, run));
        assert!(!fits(client(false), page, "| c | 1 | about | 2: a; b |"));
    }
}
