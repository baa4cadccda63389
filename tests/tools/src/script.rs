//! Files of command lines: what stands in `lines/`, read into steps.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

/// A file of command lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Name of the file without its ending.
    pub name: String,
    /// Whether the file sees everything that is on its server and so needs one of its own.
    pub alone: bool,
    /// Settings that its server needs beyond those of every server.
    pub settings: Vec<(String, String)>,
    /// Why it is not played against a node of Ottla; empty if it is.
    pub only_kafka: String,
    /// What to do, in order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes a topic: name, partitions, configs.
    Topic(String, i32, Vec<(String, String)>),
    /// Writes that many records to a partition of a topic.
    Records(String, i32, usize),
    /// Commits an offset: group, topic, partition, offset.
    Commit(String, String, i32, i64),
    /// A member that joins a group and stays: group, topic.
    Member(String, String),
    /// Writes a file into the directory that the tools run in: name, text.
    File(String, String),
    /// Unpacks a directory that Apache Kafka wrote, as `fixture`.
    Unpack(String),
    /// Runs a tool.
    Line(Line),
}

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// As it stands in the file; it is found again by this.
    pub text: String,
    /// The tool's name and its arguments; placeholders in braces stand as they are.
    pub words: Vec<String>,
    /// Standard input.
    pub input: String,
    /// Ctrl-C as soon as standard output has so many lines.
    pub interrupt: Option<usize>,
    /// What of its output says nothing.
    pub masks: Vec<Mask>,
}

/// What of an output says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// Every number.
    Numbers,
    /// The order of the lines of standard output.
    Order,
    /// The order of the words in each line.
    Words,
    /// All of standard output.
    Output,
}

/// Reads every file of `lines/`, in the order of their names; `names` chooses, none means all.
///
/// # Errors
/// With the line that cannot be understood.
pub fn read_all(names: &[String]) -> Result<Vec<Script>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(crate::folder("lines"))? {
        paths.push(entry?.path());
    }
    paths.sort();
    let mut scripts = Vec::new();
    for path in &paths {
        let script = read(path)?;
        if names.is_empty() || names.contains(&script.name) {
            scripts.push(script);
        }
    }
    ensure!(!scripts.is_empty(), "no such file in lines/: {names:?}");
    Ok(scripts)
}

fn read(path: &Path) -> Result<Script> {
    let name = path.file_stem().and_then(|name| name.to_str());
    let name = name.context("a name")?;
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    parse(name, &text).with_context(|| path.display().to_string())
}

/// Reads the text of a file.
///
/// # Errors
/// With the line that cannot be understood.
pub fn parse(name: &str, text: &str) -> Result<Script> {
    let mut script = Script {
        name: name.to_owned(),
        alone: false,
        settings: Vec::new(),
        only_kafka: String::new(),
        steps: Vec::new(),
    };
    // What is said of the line that comes next.
    let mut next = Line::default();
    for (number, line) in text.lines().enumerate() {
        let at = || format!("line {}: {line}", number + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(text) = line.strip_prefix("| ").or_else(|| line.strip_prefix('|')) {
            match script.steps.last_mut() {
                Some(Step::File(_, content)) => {
                    content.push_str(text);
                    content.push('\n');
                }
                _ => bail!("`|` stands behind `@ file`: {}", at()),
            }
        } else if let Some(text) = line.strip_prefix("< ").or_else(|| line.strip_prefix('<')) {
            next.input.push_str(text);
            next.input.push('\n');
        } else if let Some(text) = line.strip_prefix("@ ") {
            directive(text, &mut script, &mut next).with_context(at)?;
        } else {
            next.text = line.to_owned();
            next.words = words(line).with_context(at)?;
            script.steps.push(Step::Line(std::mem::take(&mut next)));
        }
    }
    Ok(script)
}

fn directive(text: &str, script: &mut Script, next: &mut Line) -> Result<()> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let own = |text: &&str| (*text).to_owned();
    match words.as_slice() {
        ["alone"] => script.alone = true,
        ["server", setting] => {
            let (key, value) = setting.split_once('=').context("KEY=VALUE")?;
            script.settings.push((key.to_owned(), value.to_owned()));
            script.alone = true;
        }
        ["only", "kafka:", why @ ..] => script.only_kafka = why.join(" "),
        ["topic", name, partitions, configs @ ..] => {
            let configs = configs.iter().map(|config| {
                let (key, value) = config.split_once('=').context("KEY=VALUE")?;
                Ok((key.to_owned(), value.to_owned()))
            });
            let configs: Result<Vec<_>> = configs.collect();
            script
                .steps
                .push(Step::Topic(own(name), partitions.parse()?, configs?));
        }
        ["records", topic, partition, count] => script.steps.push(Step::Records(
            own(topic),
            partition.parse()?,
            count.parse()?,
        )),
        ["commit", group, topic, partition, offset] => script.steps.push(Step::Commit(
            own(group),
            own(topic),
            partition.parse()?,
            offset.parse()?,
        )),
        ["member", group, topic] => script.steps.push(Step::Member(own(group), own(topic))),
        ["file", name] => script.steps.push(Step::File(own(name), String::new())),
        ["unpack", name] => script.steps.push(Step::Unpack(own(name))),
        ["interrupt", lines] => next.interrupt = Some(lines.parse()?),
        ["mask", "numbers"] => next.masks.push(Mask::Numbers),
        ["mask", "order"] => next.masks.push(Mask::Order),
        ["mask", "words"] => next.masks.push(Mask::Words),
        ["mask", "output"] => next.masks.push(Mask::Output),
        _ => bail!("no such directive"),
    }
    Ok(())
}

/// Splits a command line as a shell does: blanks, single and double quotes.
///
/// # Errors
/// If a quote is not closed.
pub fn words(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    ensure!(quote.is_none(), "a quote is open");
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_into_steps() {
        let text = "# comment\n@ alone\n@ topic t 2 a=b\n@ file f\n| x\n|\n< in\n@ mask order\ntool --a 'b c'\ntool\n";
        let script = parse("s", text).expect("it is right");
        assert!(script.alone);
        let line = Line {
            text: "tool --a 'b c'".to_owned(),
            words: ["tool", "--a", "b c"].map(str::to_owned).to_vec(),
            input: "in\n".to_owned(),
            masks: vec![Mask::Order],
            ..Line::default()
        };
        let plain = Line {
            text: "tool".to_owned(),
            words: vec!["tool".to_owned()],
            ..Line::default()
        };
        let configs = vec![("a".to_owned(), "b".to_owned())];
        let expected = [
            Step::Topic("t".to_owned(), 2, configs),
            Step::File("f".to_owned(), "x\n\n".to_owned()),
            Step::Line(line),
            Step::Line(plain),
        ];
        assert_eq!(script.steps, expected);
        for wrong in ["@ nothing", "| x", "tool 'a", "@ topic t x"] {
            assert!(parse("s", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn words_are_those_of_a_shell() {
        let check = |line, expected: &[&str]| assert_eq!(words(line).expect("right"), expected);
        check("a  b", &["a", "b"]);
        check("a 'b  \"c' ''", &["a", "b  \"c", ""]);
        check("--x='a b'", &["--x=a b"]);
    }
}
