//! What is cut from the output of a tool and what is masked in it, on both sides alike.
//!
//! Cut, because Ottla leaves it out on purpose:
//! - the table of options behind the sentence of an error (Kafka: from the line `Option ... Description` on, or
//!   argparse4j's `usage:`; Ottla: the line `See 'ottla NAME --help'.`),
//! - of an exception with its trace everything but the message; all of it where something was said before it, and on
//!   standard error also an exception behind a sentence without a trace, which is how Ottla gives the reason,
//! - lines of a logger (`[time] LEVEL ...`, `WARN ...`).
//!
//! Of a page of help (`--help`, or no argument at all) and of `--version` only the exit code is compared.
//! argparse4j's errors are joined to one line, because it breaks them at 75 columns.
//!
//! Masked, because it differs from run to run: ids, times of now, ports, directories. Masks are as wide as what they
//! stand for, so that columns stay comparable.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use regex::Regex;

use crate::golden::Answer;
use crate::script::{Line, Mask};

/// What stands for an id of 22 characters.
const ID: &str = "IIIIIIIIIIIIIIIIIIIIII";

/// What stands for an id in hexadecimal digits.
const UUID: &str = "UUUUUUUU-UUUU-UUUU-UUUU-UUUUUUUUUUUU";

/// A pattern that is compiled once.
macro_rules! pattern {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new($text).expect("the pattern is right"));
    };
}

pattern!(WORD_22, r"[A-Za-z0-9_-]{22,}");
pattern!(
    HEX,
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
);
pattern!(MILLIS, r"\b1[5-9][0-9]{11}\b");
pattern!(
    TIME,
    r"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.,:][0-9]{3})?(Z|[+-][0-9]{2}:?[0-9]{2})?"
);
pattern!(
    DATE,
    r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} [A-Z]{3,4} 20[0-9]{2}\b"
);
pattern!(HASH_CODE, r"@[0-9a-f]{6,8}\b");
pattern!(NUMBER, r"-?[0-9]+([.,][0-9]+)*(E-?[0-9]+)?");
pattern!(BLANKS, r"[ \t]+");
pattern!(
    LOGGED,
    r"^(\[[0-9-]+ [0-9:,]+\] [A-Z]+ |(WARN|INFO|ERROR|DEBUG) |SLF4J|[0-9-]+T\S+ main [A-Z]+ )"
);
pattern!(TABLE, r"^Option( \(\* = required\))? +Description *$");
pattern!(ARGPARSE_ERROR, r"^[a-z][a-z0-9.-]*:\s+error:");
pattern!(
    THROWN,
    r#"^(Exception in thread "[^"]*" )?[A-Za-z_$][\w$]*(\.[\w$]+)+(: (?P<message>.*))?$"#
);

/// Times at most that far from now are masked; those in files that somebody wrote long ago are not.
const AROUND_MS: u64 = 40 * 24 * 3600 * 1000;

pattern!(
    EXCEPTION,
    r"^(java|org|kafka|joptsimple)\.[\w$.]+(Exception|Error): "
);
pattern!(EPOCH, r"Epoch: [0-9]+");
pattern!(TRIES, r"(tries=|after )[0-9]+");

/// First timestamp of the records that scripts write; long ago.
pub const FIRST_MS: i64 = 1_700_000_000_000;

/// Cuts and masks. `names` are strings of this run, with what to write in their place.
#[must_use]
pub fn mask(line: &Line, answer: &Answer, names: &[(String, String)]) -> Answer {
    if is_help(line) {
        return Answer {
            code: answer.code,
            ..Answer::default()
        };
    }
    let has = |mask| line.masks.contains(&mask);
    let clean = |text: &str, stream: Stream| {
        let text = values(&cut(text, stream), names);
        let text = if has(Mask::Words) {
            sort_words(&text)
        } else {
            text
        };
        if has(Mask::Numbers) {
            numbers(&text)
        } else {
            text
        }
    };
    let mut stdout = clean(&answer.stdout, Stream::Out);
    if has(Mask::Order) {
        let mut lines: Vec<&str> = stdout.lines().collect();
        lines.sort_unstable();
        stdout = lines.iter().map(|line| format!("{line}\n")).collect();
    }
    if has(Mask::Output) {
        stdout.clear();
    }
    // Kafka leaves empty lines behind what is cut.
    let mut stderr = clean(&answer.stderr, Stream::Err).trim_end().to_owned();
    if !stderr.is_empty() {
        stderr.push('\n');
    }
    Answer {
        stdout,
        stderr,
        code: answer.code,
    }
}

/// Whether the answer is a page of help or the version, of which only the exit code is compared.
#[must_use]
pub fn is_help(line: &Line) -> bool {
    let arguments = line.words.get(1..).unwrap_or_default();
    let words = ["--help", "-h", "--version"];
    arguments.is_empty() || arguments.iter().any(|word| words.contains(&&**word))
}

/// The two outputs of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

fn cut(text: &str, stream: Stream) -> String {
    let mut kept: Vec<String> = Vec::new();
    // Where an exception may begin: behind the one before.
    let mut free = 0;
    let mut in_trace = false;
    let mut in_usage = false;
    let mut joined = false;
    // Whether the line before was an exception that is cut.
    let mut is_cut = false;
    for line in text.lines() {
        let in_trace_before = std::mem::replace(&mut in_trace, is_trace(line));
        if in_trace {
            if !in_trace_before && !is_cut {
                cut_exception(&mut kept, free);
                free = kept.len();
            }
            continue;
        }
        if TABLE.is_match(line) {
            while kept.last().is_some_and(String::is_empty) {
                kept.pop();
            }
            break;
        }
        in_usage |= line.starts_with("usage: ");
        let is_error = ARGPARSE_ERROR.is_match(line);
        if is_error {
            in_usage = false;
            joined = true;
            kept.push(line.to_owned());
            continue;
        }
        if in_usage || LOGGED.is_match(line) || line.starts_with("See 'ottla ") {
            continue;
        }
        let said_before = kept.iter().any(|line| !line.is_empty());
        if stream == Stream::Err && said_before && EXCEPTION.is_match(line) {
            is_cut = true;
            continue;
        }
        is_cut = false;
        match kept.last_mut() {
            Some(last) if joined => {
                if !last.ends_with('-') {
                    last.push(' ');
                }
                last.push_str(line);
            }
            _ => kept.push(line.to_owned()),
        }
    }
    if joined && let Some(last) = kept.last_mut() {
        *last = BLANKS.replace_all(last.trim_end(), " ").into_owned();
    }
    for line in &mut kept {
        if line.starts_with("Exception in thread")
            && let Some(message) = message(line)
        {
            *line = message;
        }
    }
    let mut out = kept.join("\n");
    if !kept.is_empty() && text.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// Lines of a stack trace, and those that are nothing but its rest.
fn is_trace(line: &str) -> bool {
    line.starts_with("\tat ")
        || line.starts_with("\t... ")
        || line.starts_with("Caused by: ")
        || line.starts_with("\tSuppressed: ")
}

/// Keeps of an exception whose trace begins now what its rule says.
fn cut_exception(kept: &mut Vec<String>, free: usize) {
    let Some(head) = (free..kept.len())
        .rev()
        .find(|at| THROWN.is_match(&kept[*at]))
    else {
        return;
    };
    let said_before = kept[..head].iter().any(|line| !line.is_empty());
    if said_before && !kept[head].starts_with("Exception in thread") {
        kept.truncate(head);
    } else if let Some(message) = message(&kept[head]) {
        kept[head] = message;
    }
}

/// Message of an exception, or its class if it has none.
fn message(head: &str) -> Option<String> {
    let found = THROWN.captures(head)?;
    Some(match found.name("message") {
        Some(message) => message.as_str().to_owned(),
        None => head.rsplit(' ').next().unwrap_or(head).to_owned(),
    })
}

/// Masks what differs from run to run; `names` are strings of this run, with what to write in their place.
#[must_use]
pub fn values(text: &str, names: &[(String, String)]) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    let mut text = text.to_owned();
    for (name, instead) in names {
        text = text.replace(name.as_str(), instead);
    }
    let text = HEX.replace_all(&text, UUID);
    let text = WORD_22.replace_all(&text, |found: &regex::Captures<'_>| {
        let word = &found[0];
        if is_id(word) {
            ID.to_owned()
        } else {
            word.to_owned()
        }
    });
    let text = EPOCH.replace_all(&text, "Epoch: N");
    let text = TRIES.replace_all(&text, "${1}N");
    let text = TIME.replace_all(&text, "YYYY-MM-DD hh:mm:ss");
    let text = DATE.replace_all(&text, "Www Mmm dd hh:mm:ss ZZZ YYYY");
    let text = HASH_CODE.replace_all(&text, "@HASH");
    let text = MILLIS.replace_all(&text, |found: &regex::Captures<'_>| {
        let number = &found[0];
        let is_now = number
            .parse::<u64>()
            .is_ok_and(|ms| ms.abs_diff(now) < AROUND_MS);
        if is_now {
            "T".repeat(number.len())
        } else {
            number.to_owned()
        }
    });
    text.into_owned()
}

/// Whether a word is an id: 16 bytes in Base64, which no word that somebody wrote looks like.
fn is_id(word: &str) -> bool {
    let has = |what: fn(&u8) -> bool| word.as_bytes().iter().any(what);
    word.len() == ID.len()
        && word.ends_with(['A', 'Q', 'g', 'w'])
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
}

/// The words of each line in the order of the alphabet, for sets that Java prints in the order of its hash tables.
fn sort_words(text: &str) -> String {
    let line = |line: &str| {
        let mut words: Vec<&str> = line
            .split(|c: char| c.is_whitespace() || "[](),".contains(c))
            .filter(|word| !word.is_empty())
            .collect();
        words.sort_unstable();
        words.join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

fn numbers(text: &str) -> String {
    let text = NUMBER.replace_all(text, "N");
    BLANKS.replace_all(&text, " ").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ottla_leaves_out_is_cut() {
        let check =
            |text: &str, expected: &str| assert_eq!(cut(text, Stream::Err), expected, "{text}");
        check(
            "wrong\nOption      Description\n------  ---\n--a  b\n",
            "wrong\n",
        );
        check("wrong\nSee 'ottla topics --help'.\n", "wrong\n");
        check(
            "a\na.b.C: a\n\tat x.y(Z.java:1)\n\t... 3 more\nCaused by: a.B: c\n\tat x\nb\n",
            "a\nb\n",
        );
        check("a.b.C: a\n\tat x.y(Z.java:1)\n", "a\n");
        check("Exception in thread \"main\" a.b.C: a\n\tat x\n", "a\n");
        check(
            "z\nException in thread \"main\" a.b.C: a\n\tat x\n",
            "z\na\n",
        );
        check("Exception in thread \"main\" a.b.C\n\tat x\n", "a.b.C\n");
        check(
            "[2026-11-25 01:02:03,004] WARN x (y)\nWARN x\nWARNING: x\n",
            "WARNING: x\n",
        );
        check(
            "usage: kafka-cluster [-h]\n       {a,b}\nkafka-cluster:  error:  one  of  --\nbootstrap is\nneeded\n",
            "kafka-cluster: error: one of --bootstrap is needed\n",
        );
        check(
            "a\n\tTopic: b\tPartition: 0\n\n",
            "a\n\tTopic: b\tPartition: 0\n\n",
        );
        check("a\norg.x.BException: c: d\n", "a\n");
        check("no end", "no end");
    }

    #[test]
    fn what_differs_from_run_to_run_is_masked() {
        let names = [("18123".to_owned(), "PPPPP".to_owned())];
        let check = |text: &str, expected: &str| assert_eq!(values(text, &names), expected);
        check(
            "TopicId: g0Bh1ossQnqLMLUXHC_1hQ x",
            &format!("TopicId: {ID} x"),
        );
        check("under-replicated-parts", "under-replicated-parts");
        check("a 127.0.0.1:18123", "a 127.0.0.1:PPPPP");
        check("1700000000001 1795563490320", "1700000000001 TTTTTTTTTTTTT");
        check("at 2026-11-25T01:02:03.004Z", "at YYYY-MM-DD hh:mm:ss");
        check(
            "c-01234567-89ab-cdef-0123-456789abcdef",
            &format!("c-{UUID}"),
        );
        assert_eq!(numbers("1 records, -0.5   MB"), "N records, N MB");
    }
}
