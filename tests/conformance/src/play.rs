//! Plays scenarios against a server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ottla_schema::json::to_hex;
use serde_json::{Value, json};

use crate::batch;
use crate::client::{Apis, Client, Reply};
use crate::mask::mask;
use crate::scenario::Step;

/// Longest time in which a server must become ready for a step that settles.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// Pause between two tries of a step that settles.
const SETTLE_PAUSE: Duration = Duration::from_millis(50);
/// Error codes that say "not yet": unknown topic, no leader, not the leader, coordinator loading, not
/// available, not the coordinator, rebalancing.
const NOT_YET: &[i64] = &[3, 5, 6, 14, 15, 16, 27];

/// One answer, with where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// API and version, with the step's line: `12 Fetch v4`.
    pub step: String,
    /// What came: an answer, `"<closed>"`, or `"<none>"`.
    pub answer: Value,
}

/// Plays every step and gives the masked answers. `run` makes this run's names its own, so that a scenario
/// can be played several times against one server.
///
/// # Errors
/// If a step cannot be played, such as for a name that no answer gave.
pub fn play(
    apis: &Apis,
    address: SocketAddr,
    name: &str,
    run: &str,
    steps: &[Step],
) -> Result<Vec<Answered>> {
    let mut client = Client::connect(address)?;
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    let topic = format!("{name}-{run}");
    let group = format!("group-{name}-{run}");
    let names = [
        (group.clone(), "$group".to_owned()),
        (topic.clone(), "$topic".to_owned()),
    ];
    values.insert("topic".to_owned(), topic.into());
    values.insert("group".to_owned(), group.into());
    let mut answers = Vec::new();
    for step in steps {
        let api = apis.get(&step.api)?;
        for version in step.versions.0..=step.versions.1 {
            let title = format!("{} {} v{version}", step.line, step.api);
            values.insert("v".to_owned(), version.into());
            let body = fill(&step.body, &values).with_context(|| title.clone())?;
            if step.reconnect {
                client = Client::connect(address)?;
            }
            let begun = Instant::now();
            let reply = loop {
                let reply = client
                    .call(api, version, &body, !step.noanswer)
                    .with_context(|| title.clone())?;
                if is_settled(step, &reply) {
                    break reply;
                }
                if begun.elapsed() > SETTLE_MAX {
                    bail!("{title}: not ready within {SETTLE_MAX:?}: {reply:?}");
                }
                std::thread::sleep(SETTLE_PAUSE);
            };
            let mut answer = match reply {
                Reply::Answer(value) => {
                    for (name, path) in &step.captures {
                        let found = find(&value, path)
                            .with_context(|| format!("{title}: nothing at {path}: {value}"))?;
                        values.insert(name.clone(), found.clone());
                    }
                    value
                }
                Reply::None => "<none>".into(),
                Reply::Closed => {
                    client = Client::connect(address)?;
                    "<closed>".into()
                }
            };
            mask(&mut answer, &names);
            if let Some(path) = &step.mine {
                keep_mine(&mut answer, path);
            }
            answers.push(Answered {
                step: title,
                answer,
            });
        }
    }
    Ok(answers)
}

/// Whether a step has the answer that it waits for, if it waits for one.
fn is_settled(step: &Step, reply: &Reply) -> bool {
    let Reply::Answer(value) = reply else {
        return true;
    };
    let until = step
        .until
        .as_ref()
        .is_none_or(|(path, wanted)| find(value, path) == Some(wanted));
    until && !(step.settle && is_unsettled(value))
}

/// Whether an error code somewhere in the answer says "not yet".
fn is_unsettled(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.iter().any(|(name, value)| {
            (name == "ErrorCode" && value.as_i64().is_some_and(|code| NOT_YET.contains(&code)))
                || is_unsettled(value)
        }),
        Value::Array(list) => list.iter().any(is_unsettled),
        _ => false,
    }
}

fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, part| match value {
        Value::Object(object) => object.get(part),
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Takes from the list at `path` what does not name this scenario's topic or group, which are masked by now.
fn keep_mine(answer: &mut Value, path: &str) {
    let list = path
        .split('.')
        .try_fold(answer, |value, part| value.get_mut(part));
    if let Some(Value::Array(list)) = list {
        list.retain(|one| {
            let text = one.to_string();
            text.contains("$group") || text.contains("$topic")
        });
    }
}

/// Puts values in place of their names, and bytes in place of batches.
fn fill(body: &Value, values: &BTreeMap<String, Value>) -> Result<Value> {
    Ok(match body {
        Value::Object(object) => {
            if let Some(spec) = object.get("@batch") {
                let spec = fill(spec, values)?;
                let specs = spec.as_array().cloned().unwrap_or_else(|| vec![spec]);
                let mut bytes = Vec::new();
                for spec in &specs {
                    bytes.extend(batch::build(spec)?);
                }
                return Ok(to_hex(&bytes).into());
            }
            // So many characters: a text of thousands would not be read by anybody.
            if let Some(size) = object.get("@text").and_then(Value::as_u64) {
                return Ok("x".repeat(usize::try_from(size)?).into());
            }
            let mut filled = serde_json::Map::new();
            for (name, value) in object {
                filled.insert(name.clone(), fill(value, values)?);
            }
            Value::Object(filled)
        }
        Value::Array(list) => {
            let filled: Result<Vec<_>> = list.iter().map(|value| fill(value, values)).collect();
            Value::Array(filled?)
        }
        Value::String(text) if text.contains('$') => fill_text(text, values)?,
        other => other.clone(),
    })
}

fn fill_text(text: &str, values: &BTreeMap<String, Value>) -> Result<Value> {
    // A text that is nothing but a name takes the value's type too.
    if let Some(value) = text.strip_prefix('$').and_then(|name| values.get(name)) {
        return Ok(value.clone());
    }
    let mut filled = text.to_owned();
    // Longer names first, so that `$topic` is not taken for `$t`.
    let mut names: Vec<_> = values.iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, value) in names {
        let shown = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        filled = filled.replace(&format!("${name}"), &shown);
    }
    if filled.contains('$') {
        bail!("no value for a name in {text}");
    }
    Ok(json!(filled))
}
