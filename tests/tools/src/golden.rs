//! What tools answered, as it is kept in `golden/`.
//!
//! For each command line: `> line`, standard output with two blanks before each line, standard error with
//! `! `, and `= code`. `\` says that the line before it has no end of line.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::script::{Line, Script, Step};

/// What a tool answered, masked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
}

/// Writes answers as text.
#[must_use]
pub fn write(answers: &[(&Line, Answer)]) -> String {
    let mut text = String::new();
    for (line, answer) in answers {
        text.push_str(&format!("> {}\n", line.text));
        push(&mut text, "  ", &answer.stdout);
        push(&mut text, "! ", &answer.stderr);
        match answer.code {
            Some(code) => text.push_str(&format!("= {code}\n")),
            None => text.push_str("= signal\n"),
        }
    }
    text
}

fn push(text: &mut String, mark: &str, output: &str) {
    for line in output.split_inclusive('\n') {
        text.push_str(mark);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\\n");
        }
    }
}

/// Reads the golden answers of a file of command lines, one for each.
///
/// # Errors
/// If there are none, or they are of other lines: they have to be recorded anew.
pub fn read(script: &Script) -> Result<Vec<Answer>> {
    let path = crate::folder("golden").join(format!("{}.txt", script.name));
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (lines, answers): (Vec<_>, Vec<_>) = parse(&text)?.into_iter().unzip();
    let wanted: Vec<&str> = lines_of(script).map(|line| &*line.text).collect();
    let other = lines.iter().zip(&wanted).find(|(a, b)| a != b);
    ensure!(
        lines.len() == wanted.len() && other.is_none(),
        "{}: the golden answers are of other lines ({other:?}); `cargo xtask tools record {}`",
        script.name,
        script.name
    );
    Ok(answers)
}

/// The command lines of a file.
pub fn lines_of(script: &Script) -> impl Iterator<Item = &Line> {
    script.steps.iter().filter_map(|step| match step {
        Step::Line(line) => Some(line),
        _ => None,
    })
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// With the line that cannot be understood.
pub fn parse(text: &str) -> Result<Vec<(String, Answer)>> {
    let mut answers: Vec<(String, Answer)> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            answers.push((command.to_owned(), Answer::default()));
            continue;
        }
        let (_, answer) = answers.last_mut().context("a line comes first")?;
        if let Some(text) = line.strip_prefix("  ") {
            answer.stdout.push_str(text);
            answer.stdout.push('\n');
        } else if let Some(text) = line.strip_prefix("! ") {
            answer.stderr.push_str(text);
            answer.stderr.push('\n');
        } else if line == "\\" {
            let last = if answer.stderr.is_empty() {
                &mut answer.stdout
            } else {
                &mut answer.stderr
            };
            last.pop();
        } else {
            let code = line.strip_prefix("= ").context(line.to_owned())?;
            answer.code = code.parse().ok();
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_they_were_written() {
        let line = Line {
            text: "tool".to_owned(),
            ..Line::default()
        };
        let answer = |stdout: &str, stderr: &str, code| Answer {
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            code,
        };
        for answer in [
            answer("", "", Some(0)),
            answer("a\n\tb\n\n", "c\n", Some(1)),
            answer("> a", "= b", None),
            answer("a", "", Some(130)),
        ] {
            let text = write(&[(&line, answer.clone())]);
            let read = parse(&text).expect("it was written so");
            assert_eq!(read, [("tool".to_owned(), answer)]);
        }
    }
}
