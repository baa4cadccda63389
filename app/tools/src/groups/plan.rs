//! The CSV files of `--export` and `--from-file`: `topic,partition,offset`, or with the group in front.

use std::collections::BTreeMap;

use super::ask::{Stop, TopicPartition};

/// Offsets by group.
pub(super) type Plan = BTreeMap<String, Vec<(TopicPartition, i64)>>;

/// Longest file that is read: some ten million lines.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Reads a plan. `group` is the one group of the command line, if it names one: then lines may lack it.
///
/// # Errors
/// The message of Kafka's exception.
pub(super) fn read(path: &str, group: Option<&str>) -> Result<Plan, Stop> {
    let unreadable = || Stop::Error(format!("java.io.IOException: Unable to read file {path}"));
    let length = std::fs::metadata(path).map_err(|_| unreadable())?.len();
    if length > FILE_BYTES_MAX {
        return Err(unreadable());
    }
    let text = std::fs::read(path).map_err(|_| unreadable())?;
    parse(&String::from_utf8_lossy(&text), group).map_err(Stop::Error)
}

/// Which columns a line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    NoGroup,
    WithGroup,
}

impl Form {
    const fn columns(self) -> usize {
        match self {
            Self::NoGroup => 3,
            Self::WithGroup => 4,
        }
    }

    /// The class of Kafka's tool, which is in its messages.
    const fn class(self) -> &'static str {
        match self {
            Self::NoGroup => "CsvRecordNoGroup",
            Self::WithGroup => "CsvRecordWithGroup",
        }
    }
}

fn parse(text: &str, group: Option<&str>) -> Result<Plan, String> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    while lines.len() > 1 && lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let old = lines
        .first()
        .is_some_and(|line| record(line, Form::NoGroup).is_ok());
    let mut plan = Plan::new();
    for line in lines {
        let (of, at, offset) = match group {
            Some(group) if old => {
                let (_, at, offset) = record(line, Form::NoGroup)?;
                (group.to_owned(), at, offset)
            }
            _ => record(line, Form::WithGroup)?,
        };
        let offsets = plan.entry(of).or_default();
        // The last line about a partition counts.
        match offsets.iter_mut().find(|(known, _)| *known == at) {
            Some((_, known)) => *known = offset,
            None => offsets.push((at, offset)),
        }
    }
    Ok(plan)
}

/// One cell and the column, from 1, where it begins.
struct Cell {
    text: String,
    column: usize,
}

/// Cuts a line at its commas; quotes may go around a cell, and two stand for one within.
fn cells(line: &str) -> Vec<Cell> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut out = Vec::new();
    let mut chars = line.chars().enumerate().peekable();
    loop {
        while chars.next_if(|(_, c)| *c == ' ' || *c == '\t').is_some() {}
        let column = chars
            .peek()
            .map_or_else(|| line.chars().count(), |(at, _)| *at)
            + 1;
        let mut text = String::new();
        if chars.next_if(|(_, c)| *c == '"').is_some() {
            while let Some((_, c)) = chars.next() {
                if c != '"' {
                    text.push(c);
                } else if chars.next_if(|(_, c)| *c == '"').is_some() {
                    text.push('"');
                } else {
                    break;
                }
            }
            while chars.next_if(|(_, c)| *c != ',').is_some() {}
        } else {
            while let Some((_, c)) = chars.next_if(|(_, c)| *c != ',') {
                text.push(c);
            }
        }
        out.push(Cell { text, column });
        if chars.next().is_none() {
            return out;
        }
    }
}

fn record(line: &str, form: Form) -> Result<(String, TopicPartition, i64), String> {
    let databind = "com.fasterxml.jackson.databind.exc";
    if line.trim().is_empty() {
        return Err(format!(
            "{databind}.MismatchedInputException: No content to map due to end-of-input\n at \
             [Source: (StringReader); line: UNKNOWN, column: UNKNOWN]"
        ));
    }
    let cells = cells(line);
    let place = |column: usize, field: &str| {
        format!(
            "\n at [Source: (StringReader); line: 1, column: {column}] (through reference chain: \
             org.apache.kafka.tools.consumer.group.CsvUtils${}[\"{field}\"])",
            form.class()
        )
    };
    let number = |index: usize, kind: &str, field: &str| -> Result<i64, String> {
        let Some(cell) = cells.get(index) else {
            return Ok(0);
        };
        let text = cell.text.trim();
        if text.is_empty() {
            return Ok(0);
        }
        text.parse().map_err(|_| {
            format!(
                "{databind}.InvalidFormatException: Cannot deserialize value of type `{kind}` from \
                 String \"{}\": not a valid `{kind}` value{}",
                cell.text,
                place(cell.column, field)
            )
        })
    };
    let text = |index: usize| {
        cells
            .get(index)
            .map(|cell| cell.text.clone())
            .unwrap_or_default()
    };
    let (group, first) = match form {
        Form::NoGroup => (String::new(), 0),
        Form::WithGroup => (text(0), 1),
    };
    let partition = number(first + 1, "int", "partition")?;
    let partition = i32::try_from(partition).map_err(|_| {
        format!(
            "{databind}.InvalidFormatException: Cannot deserialize value of type `int` from String \
             \"{partition}\": Overflow: numeric value ({partition}) out of range of `int` \
             (-2147483648 - 2147483647){}",
            place(
                cells.get(first + 1).map_or(0, |cell| cell.column),
                "partition"
            )
        )
    })?;
    let offset = number(first + 2, "long", "offset")?;
    if let Some(cell) = cells.get(form.columns()) {
        let index = form.columns();
        return Err(format!(
            "com.fasterxml.jackson.dataformat.csv.CsvReadException: Too many entries: expected at most \
             {index} (value #{index} ({} chars) \"{}\"){}",
            cell.text.chars().count(),
            cell.text,
            place(cell.column, "offset")
        ));
    }
    Ok((group, TopicPartition::new(&text(first), partition), offset))
}

/// The rows of `--export`, each with its end of line; with the group only where there may be several.
pub(super) fn write(plan: &[(String, Vec<(TopicPartition, i64)>)], with_group: bool) -> String {
    let mut out = String::new();
    for (group, offsets) in plan {
        for (at, offset) in offsets {
            if with_group {
                out.push_str(&quoted(group));
                out.push(',');
            }
            out.push_str(&format!(
                "{},{},{offset}\n",
                quoted(&at.topic),
                at.partition
            ));
        }
    }
    out
}

/// A cell as Jackson writes it: quoted where something in it needs that.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(topic: &str, partition: i32, offset: i64) -> (TopicPartition, i64) {
        (TopicPartition::new(topic, partition), offset)
    }

    #[test]
    fn both_forms_are_read() {
        let check =
            |text: &str, group: Option<&str>, expected: &[(&str, (TopicPartition, i64))]| {
                let plan = parse(text, group).expect("it is right");
                let flat: Vec<_> = plan
                    .iter()
                    .flat_map(|(group, offsets)| {
                        offsets.iter().map(|entry| (group.as_str(), entry.clone()))
                    })
                    .collect();
                assert_eq!(flat, expected, "{text}");
            };
        check(
            "t1,0,1\nt2,0,99\n",
            Some("g"),
            &[("g", entry("t1", 0, 1)), ("g", entry("t2", 0, 99))],
        );
        check("g1,t1,0,1\n", Some("g"), &[("g1", entry("t1", 0, 1))]);
        check("g1,t1,0,1\n", None, &[("g1", entry("t1", 0, 1))]);
        check("t1,0,1\n", None, &[("t1", entry("0", 1, 0))]);
        check("t1,0\n", Some("g"), &[("g", entry("t1", 0, 0))]);
        check(
            "\"t,1\", 0 ,\"1\"\r\n",
            Some("g"),
            &[("g", entry("t,1", 0, 1))],
        );
        check("t1,0,1\nt1,0,2", Some("g"), &[("g", entry("t1", 0, 2))]);
    }

    #[test]
    fn what_is_wrong_is_said_as_jackson_says_it() {
        let check = |text: &str, expected: &str| {
            let error = parse(text, Some("g")).expect_err("it is wrong");
            assert_eq!(error, expected, "{text}");
        };
        check(
            "",
            "com.fasterxml.jackson.databind.exc.MismatchedInputException: No content to map due to \
             end-of-input\n at [Source: (StringReader); line: UNKNOWN, column: UNKNOWN]",
        );
        check(
            "t1,0,1\nt1,x,1\n",
            "com.fasterxml.jackson.databind.exc.InvalidFormatException: Cannot deserialize value of \
             type `int` from String \"x\": not a valid `int` value\n at [Source: (StringReader); line: \
             1, column: 4] (through reference chain: \
             org.apache.kafka.tools.consumer.group.CsvUtils$CsvRecordNoGroup[\"partition\"])",
        );
    }

    #[test]
    fn an_export_can_be_read_again() {
        let plan = vec![("g".to_owned(), vec![entry("a,b", 1, 5), entry("t", 0, 7)])];
        assert_eq!(write(&plan, false), "\"a,b\",1,5\nt,0,7\n");
        assert_eq!(write(&plan, true), "g,\"a,b\",1,5\ng,t,0,7\n");
        let read = parse(&write(&plan, true), None).expect("it was written");
        assert_eq!(read.get("g"), Some(&plan[0].1));
    }
}
