//! Golden answers, and what may differ from them.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::play::Answered;

/// What differs on purpose: one line each, `scenario TAB API version TAB field TAB reason`. `*` stands for
/// every scenario or version.
const DIFFERENCES: &str = include_str!("../differences.tsv");

/// Fields by which the elements of lists are told apart.
const KEYS: &[&str] = &[
    "ApiKey",
    "PartitionIndex",
    "Partition",
    "Index",
    "Name",
    "TopicName",
    "Topic",
    "GroupId",
    "Key",
    "NodeId",
    "ResourceName",
];

/// A field in which an answer is not Apache Kafka's.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Which step: `12 Fetch v4`.
    pub step: String,
    /// Path of the field.
    pub field: String,
    /// What Apache Kafka answered.
    pub kafka: Option<Value>,
    /// What came instead.
    pub ours: Option<Value>,
    /// Why, if on purpose.
    pub reason: Option<&'static str>,
}

/// Writes answers as a golden file: a line each.
#[must_use]
pub fn write(answers: &[Answered]) -> String {
    let mut text = String::new();
    for Answered { step, answer } in answers {
        writeln!(text, "{step}\t{answer}").expect("writing to a string cannot fail");
    }
    text
}

/// Reads a golden file.
///
/// # Errors
/// With the line that cannot be read.
pub fn read(text: &str) -> Result<Vec<Answered>> {
    text.lines()
        .map(|line| {
            let (step, answer) = line.split_once('\t').with_context(|| line.to_owned())?;
            Ok(Answered {
                step: step.to_owned(),
                answer: serde_json::from_str(answer).with_context(|| step.to_owned())?,
            })
        })
        .collect()
}

/// Compares field by field.
///
/// # Errors
/// If the two are not of the same scenario: the golden file has to be recorded anew.
pub fn compare(scenario: &str, kafka: &[Answered], ours: &[Answered]) -> Result<Vec<Difference>> {
    let steps = |answers: &[Answered]| -> Vec<String> {
        answers
            .iter()
            .map(|answered| answered.step.clone())
            .collect()
    };
    ensure!(
        steps(kafka) == steps(ours),
        "{scenario}: golden answers are of other steps"
    );
    let mut differences = Vec::new();
    for (kafka, ours) in kafka.iter().zip(ours) {
        fields(
            &kafka.step,
            "",
            Some(&kafka.answer),
            Some(&ours.answer),
            &mut differences,
        );
    }
    for difference in &mut differences {
        difference.reason = reason(scenario, &difference.step, &difference.field);
    }
    Ok(differences)
}

fn fields(
    step: &str,
    path: &str,
    kafka: Option<&Value>,
    ours: Option<&Value>,
    out: &mut Vec<Difference>,
) {
    if kafka == ours {
        return;
    }
    let at = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match (kafka, ours) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for (name, value) in a {
                fields(step, &at(name), Some(value), b.get(name), out);
            }
            for (name, value) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                fields(step, &at(name), None, Some(value), out);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            if let (Some(a), Some(b)) = (by_key(a), by_key(b)) {
                let (a, b) = (Value::Object(a), Value::Object(b));
                return fields(step, path, Some(&a), Some(&b), out);
            }
            for index in 0..a.len().max(b.len()) {
                let name = index.to_string();
                fields(step, &at(&name), a.get(index), b.get(index), out);
            }
        }
        _ => out.push(Difference {
            step: step.to_owned(),
            field: path.to_owned(),
            kafka: kafka.cloned(),
            ours: ours.cloned(),
            reason: None,
        }),
    }
}

/// The elements by the field that tells them apart, if there is one.
fn by_key(list: &[Value]) -> Option<serde_json::Map<String, Value>> {
    KEYS.iter().find_map(|key| {
        let mut map = serde_json::Map::new();
        for element in list {
            let name = match element.get(key)? {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            if map.insert(name, element.clone()).is_some() {
                return None;
            }
        }
        (!map.is_empty()).then_some(map)
    })
}

fn reason(scenario: &str, step: &str, field: &str) -> Option<&'static str> {
    rows().find_map(|row| row.explains(scenario, step, field).then_some(row.reason))
}

/// What may differ, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    scenario: &'static str,
    api: &'static str,
    field: &'static str,
    reason: &'static str,
}

/// Every row of the table.
pub fn rows() -> impl Iterator<Item = Row> {
    let lines = DIFFERENCES.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut parts = line.splitn(4, '\t');
        Some(Row {
            scenario: parts.next()?,
            api: parts.next()?,
            field: parts.next()?,
            reason: parts.next()?,
        })
    })
}

impl Row {
    /// Whether the row is about this field of this step.
    #[must_use]
    pub fn explains(&self, scenario: &str, step: &str, field: &str) -> bool {
        let fits = |pattern: &str, text: &str| {
            pattern
                .strip_suffix('*')
                .map_or(pattern == text, |start| text.starts_with(start))
        };
        let (_, api) = step.split_once(' ').unwrap_or_default();
        fits(self.scenario, scenario) && fits(self.api, api) && fits(self.field, field)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_that_differs_is_named() {
        let answer = |value| {
            vec![Answered {
                step: "1 Fetch v4".to_owned(),
                answer: value,
            }]
        };
        let kafka = answer(json!({"A": [{"B": 1}, {"B": 2}], "C": null}));
        assert_eq!(compare("s", &kafka, &kafka).unwrap(), []);
        let ours = answer(json!({"A": [{"B": 1}, {"B": 3}], "D": 0}));
        let found = compare("s", &kafka, &ours).unwrap();
        let fields: Vec<_> = found.iter().map(|difference| &*difference.field).collect();
        assert_eq!(fields, ["A.1.B", "C", "D"]);
        let kafka = answer(json!({"Keys": [{"ApiKey": 1, "Max": 2}, {"ApiKey": 2, "Max": 2}]}));
        let ours = answer(json!({"Keys": [{"ApiKey": 2, "Max": 3}]}));
        let found = compare("s", &kafka, &ours).unwrap();
        let fields: Vec<_> = found.iter().map(|difference| &*difference.field).collect();
        assert_eq!(fields, ["Keys.1", "Keys.2.Max"]);
        assert_eq!(read(&write(&kafka)).unwrap(), kafka);
    }
}
