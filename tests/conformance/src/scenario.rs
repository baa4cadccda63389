//! The notation of scenarios.
//!
//! A scenario is a list of steps. A step's first line, not indented, names an API, a version or a range of
//! them (each is played in turn) and options:
//!
//! ```text
//! Produce 3-13 settle
//!   {"Acks": -1, "TopicData": [{"Name": "$topic", "TopicId": "$id", ...}]}
//!   offset = Responses.0.PartitionResponses.0.BaseOffset
//! ```
//!
//! Then follow, indented, the body as JSON, and what later steps call by a name: `NAME = PATH`. Fields that a
//! version does not have are left out. In texts `$NAME` stands for a value; `$topic`, `$group` and `$v` are
//! always there: names of this scenario's own, and the version. `{"@batch": {...}}` stands for a record batch
//! (see [`crate::batch`]), and a list of them for their bytes one after the other; `{"@text": 5000}` for so many characters.
//!
//! Options: `settle` plays the step again while the answer says that something is not ready yet;
//! `until=PATH=VALUE` until a field has a value, for what a server does in the background; `noanswer` expects
//! no answer; `reconnect` opens a new connection first; `mine=PATH` leaves out of a list what has no name of this scenario in
//! it, for answers about everything that a server has. `#` begins a comment line.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// One request of a scenario.
#[derive(Debug, Clone)]
pub struct Step {
    /// Line of its head in the file, from 1.
    pub line: usize,
    /// API, such as `Fetch`.
    pub api: String,
    /// First and last version.
    pub versions: (i16, i16),
    /// Play again while something is not ready.
    pub settle: bool,
    /// Play again until the field at a path has a value.
    pub until: Option<(String, Value)>,
    /// Path of a list of which only what has a name of this scenario counts.
    pub mine: Option<String>,
    /// No answer is due.
    pub noanswer: bool,
    /// On a new connection.
    pub reconnect: bool,
    /// The body, with names in it.
    pub body: Value,
    /// Names for parts of the answer.
    pub captures: Vec<(String, String)>,
}

/// Reads a scenario.
///
/// # Errors
/// With the line that cannot be read.
pub fn parse(text: &str) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut body = String::new();
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            finish(&mut steps, &mut body)?;
            steps.push(head(at + 1, trimmed).with_context(|| format!("line {}", at + 1))?);
        } else if let Some((name, path)) = capture(trimmed) {
            let step = steps
                .last_mut()
                .context("a capture before the first step")?;
            step.captures.push((name.to_owned(), path.to_owned()));
        } else {
            body.push_str(trimmed);
        }
    }
    finish(&mut steps, &mut body)?;
    Ok(steps)
}

fn capture(line: &str) -> Option<(&str, &str)> {
    let (name, path) = line.split_once(" = ")?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_name.then_some((name, path))
}

fn head(line: usize, text: &str) -> Result<Step> {
    let mut words = text.split_whitespace();
    let api = words.next().context("an API")?.to_owned();
    let versions = words.next().context("a version")?;
    let (low, high) = versions.split_once('-').unwrap_or((versions, versions));
    let mut step = Step {
        line,
        api,
        versions: (low.parse()?, high.parse()?),
        settle: false,
        until: None,
        mine: None,
        noanswer: false,
        reconnect: false,
        body: Value::Null,
        captures: Vec::new(),
    };
    for word in words {
        match word {
            "settle" => step.settle = true,
            "noanswer" => step.noanswer = true,
            "reconnect" => step.reconnect = true,
            other => match other.split_once('=') {
                Some(("until", rest)) => {
                    let (path, value) = rest.split_once('=').context("until=PATH=VALUE")?;
                    step.until = Some((path.to_owned(), serde_json::from_str(value)?));
                }
                Some(("mine", path)) => step.mine = Some(path.to_owned()),
                _ => bail!("no option {other}"),
            },
        }
    }
    Ok(step)
}

fn finish(steps: &mut [Step], body: &mut String) -> Result<()> {
    if let Some(step) = steps.last_mut() {
        let text = if body.is_empty() { "{}" } else { &**body };
        step.body = serde_json::from_str(text)
            .with_context(|| format!("the body of the step at line {}", step.line))?;
    }
    body.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read() {
        let text = "# about\nFetch 4-18 settle\n  {\"A\":\n   1}\n  x = A.0\n\nMetadata 9\n";
        let steps = parse(text).unwrap();
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].versions, (4, 18));
        assert_eq!(steps[0].body["A"], 1);
        assert_eq!(steps[0].captures, [("x".to_owned(), "A.0".to_owned())]);
        assert!(steps[0].settle && !steps[1].settle);
        assert_eq!(steps[1].versions, (9, 9));
        for bad in ["Fetch", "Fetch x", "Fetch 4 later", "Fetch 4\n  {"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
