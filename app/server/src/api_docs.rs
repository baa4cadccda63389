//! Keeps `docs/reference/apis.md` what the table of APIs says.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ottla_protocol::api;

use crate::api_table;

const HEAD: &str = "\
# APIs

This page is generated from the table of APIs in `app/server/src/api_table.rs`; a test fails when it is stale
(`UPDATE=1` rewrites it). What is not served is not announced by ApiVersions either.

";

fn page() -> String {
    let known = api::API_TABLE.iter().filter(|row| row.versions.is_some());
    let served = api_table::API_TABLE.len();
    let mut page = HEAD.to_owned();
    writeln!(
        page,
        "{served} of {} APIs are served.\n",
        known.clone().count()
    )
    .expect("memory");
    page.push_str("| Key | API | Apache Kafka 4.4 | Ottla | Listeners |\n|---|---|---|---|---|\n");
    for row in known {
        let range = |min: i16, max: i16| match max - min {
            0 => min.to_string(),
            _ => format!("{min}-{max}"),
        };
        let versions = row.versions.expect("filtered above");
        // A version that is announced only on demand is not Kafka's yet.
        let newest = versions.max - i16::from(row.latest_unstable);
        let kafka = range(versions.min, newest.max(versions.min));
        let (ours, listeners) = match api_table::row(row.key) {
            Some(own) => {
                let listeners = match (own.broker, own.controller) {
                    (true, true) => "broker, controller",
                    (true, false) => "broker",
                    _ => "controller",
                };
                (range(own.versions.min, own.versions.max), listeners)
            }
            None => ("not yet".to_owned(), ""),
        };
        let (key, name) = (row.key.code(), row.name);
        writeln!(page, "| {key} | {name} | {kafka} | {ours} | {listeners} |").expect("memory");
    }
    page
}

#[test]
fn the_page_of_apis_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/apis.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).expect("the folder is there");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/reference/apis.md is stale: run this test with UPDATE=1"
    );
}
