//! What a run covered, API by API, and how it came out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::client::{Apis, Client, Reply};
use crate::compare::Difference;
use crate::play::Answered;

/// The API that tells what is announced, and a version of it whose answer has all that is asked for here.
const API_VERSIONS: (&str, i16) = ("ApiVersions", 4);

/// APIs by name, with the versions that a server announces, first and last.
pub type Announced = BTreeMap<String, (i16, i16)>;

/// A row for each API.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<String, Row>);

/// What was played of one API.
#[derive(Debug, Default)]
struct Row {
    versions: BTreeSet<i16>,
    /// Steps, each in one scenario.
    steps: BTreeSet<String>,
    error_codes: BTreeSet<i64>,
    equal: usize,
    on_purpose: usize,
    differ: usize,
}

/// Asks a server what it announces; versions that exist in no schema are only announced, not served.
///
/// # Errors
/// If the server does not answer.
pub fn announced(apis: &Apis, client: &mut Client) -> Result<Announced> {
    let (name, version) = API_VERSIONS;
    let body = json!({"ClientSoftwareName": "conformance", "ClientSoftwareVersion": "1"});
    let Reply::Answer(answer) = client.call(apis.get(name)?, version, &body, true)? else {
        anyhow::bail!("ApiVersions is not answered");
    };
    let names: BTreeMap<i64, (&str, i16)> = apis
        .iter()
        .filter_map(|(name, api)| {
            let request = &api.request;
            Some((i64::from(request.key?), (name, request.versions.low)))
        })
        .collect();
    let mut announced = Announced::new();
    for row in answer["ApiKeys"].as_array().context("no ApiKeys")? {
        let number = |field: &str| row[field].as_i64().context("not a number");
        let (low, high) = (number("MinVersion")?, number("MaxVersion")?);
        let (name, oldest) = names
            .get(&number("ApiKey")?)
            .context("an API that is none")?;
        let low = i16::try_from(low)?.max(*oldest);
        announced.insert((*name).to_owned(), (low, i16::try_from(high)?));
    }
    Ok(announced)
}

impl Table {
    /// Adds the answers to one scenario; `differences` are those between the two servers.
    pub fn add(&mut self, scenario: &str, answers: &[Answered], differences: &[Difference]) {
        for Answered { step, answer } in answers {
            // `12 Fetch v4`
            let mut words = step.split_whitespace();
            let (Some(line), Some(api), Some(version)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let row = self.0.entry(api.to_owned()).or_default();
            row.versions
                .extend(version.trim_start_matches('v').parse::<i16>().ok());
            row.steps.insert(format!("{scenario} {line}"));
            error_codes(answer, &mut row.error_codes);
            let mut found = differences
                .iter()
                .filter(|one| one.step == *step)
                .peekable();
            if found.peek().is_none() {
                row.equal += 1;
            } else if found.all(|one| one.reason.is_some()) {
                row.on_purpose += 1;
            } else {
                row.differ += 1;
            }
        }
    }

    /// Versions that are announced and that no scenario asks in: `ListGroups v3`.
    #[must_use]
    pub fn not_covered(&self, announced: &Announced) -> Vec<String> {
        let mut holes = Vec::new();
        for (name, (low, high)) in announced {
            let covered = self.0.get(name);
            for version in *low..=*high {
                if !covered.is_some_and(|row| row.versions.contains(&version)) {
                    holes.push(format!("{name} v{version}"));
                }
            }
        }
        holes
    }

    /// The table as text, with the versions that are not covered below it.
    #[must_use]
    pub fn render(&self, announced: &Announced) -> String {
        let mut text = format!(
            "{:28} {:>9} {:>9} {:>9} {:>7} {:>7} {:>10} {:>7}\n",
            "API", "announced", "versions", "scenarios", "errors", "equal", "on purpose", "differ"
        );
        let mut total = (0, 0, 0, 0);
        for (name, row) in &self.0 {
            let range = |low: i16, high: i16| match low == high {
                true => low.to_string(),
                false => format!("{low}-{high}"),
            };
            let announced = announced
                .get(name)
                .map_or_else(|| "-".to_owned(), |(low, high)| range(*low, *high));
            let played = row
                .versions
                .first()
                .zip(row.versions.last())
                .map_or_else(String::new, |(low, high)| range(*low, *high));
            let errors = row.error_codes.len();
            let Row {
                steps,
                equal,
                on_purpose,
                differ,
                ..
            } = row;
            let count = steps.len();
            total = (
                total.0 + count,
                total.1 + equal,
                total.2 + on_purpose,
                total.3 + differ,
            );
            writeln!(
                text,
                "{name:28} {announced:>9} {played:>9} {count:>9} {errors:>7} {equal:>7} {on_purpose:>10} {differ:>7}"
            )
            .expect("writing to a string cannot fail");
        }
        let (steps, equal, on_purpose, differ) = total;
        writeln!(
            text,
            "{:28} {:>9} {:>9} {steps:>9} {:>7} {equal:>7} {on_purpose:>10} {differ:>7}",
            "all",
            announced.len(),
            "",
            ""
        )
        .expect("writing to a string cannot fail");
        let holes = self.not_covered(announced);
        let holes = match holes.is_empty() {
            true => "none".to_owned(),
            false => holes.join(", "),
        };
        writeln!(text, "versions without a scenario: {holes}")
            .expect("writing to a string cannot fail");
        text
    }
}

/// Error codes anywhere in an answer, without 0.
fn error_codes(answer: &serde_json::Value, codes: &mut BTreeSet<i64>) {
    match answer {
        serde_json::Value::Object(object) => {
            for (name, value) in object {
                if name.ends_with("ErrorCode") {
                    codes.extend(value.as_i64().filter(|code| *code != 0));
                }
                error_codes(value, codes);
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| error_codes(value, codes)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_up_and_holes_are_named() {
        let answered = |step: &str, code: i64| Answered {
            step: step.to_owned(),
            answer: json!({"ErrorCode": code}),
        };
        let difference = |step: &str, reason| Difference {
            step: step.to_owned(),
            field: "ErrorCode".to_owned(),
            kafka: None,
            ours: None,
            reason,
        };
        let answers = [
            answered("1 Fetch v4", 0),
            answered("1 Fetch v5", 3),
            answered("9 Fetch v6", 3),
        ];
        let differences = [
            difference("1 Fetch v5", Some("why")),
            difference("9 Fetch v6", Some("why")),
            difference("9 Fetch v6", None),
        ];
        let mut table = Table::default();
        table.add("s", &answers, &differences);
        let row = &table.0["Fetch"];
        assert_eq!((row.equal, row.on_purpose, row.differ), (1, 1, 1));
        assert_eq!((row.steps.len(), row.error_codes.len()), (2, 1));
        let announced =
            Announced::from([("Fetch".to_owned(), (4, 7)), ("Other".to_owned(), (0, 0))]);
        assert_eq!(table.not_covered(&announced), ["Fetch v7", "Other v0"]);
        assert!(table.render(&announced).contains("Fetch v7, Other v0"));
    }
}
