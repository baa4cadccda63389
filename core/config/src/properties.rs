//! Java's `.properties` format, as `server.properties` and `meta.properties` use it.
//!
//! A line is blank, a comment (`#` or `!` first), or a key, a separator (`=`, `:` or blanks) and a value.
//! A line that ends in an odd number of backslashes goes on in the next one, whose leading blanks do not
//! count. A backslash takes the special meaning from any character, and `\t`, `\n`, `\r`, `\f` and
//! `\uXXXX` stand for others. The last of several equal keys holds.

use crate::values::RawConfigs;

/// A text that Java would not read either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed \\uxxxx encoding line={line}")]
pub struct InvalidProperties {
    /// Where the logical line begins, counted from 1.
    pub line: usize,
}

/// Reads properties. Java reads the bytes of a file as ISO-8859-1; ours are UTF-8 where they can be, so
/// that a name written by an editor of today means what it shows.
///
/// # Errors
/// [`InvalidProperties`] for a `\u` without four hexadecimal digits after it.
pub fn parse_properties(bytes: &[u8]) -> Result<RawConfigs, InvalidProperties> {
    // Kafka differs: bytes above 127 that form UTF-8 are read as UTF-8.
    let text: String = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    };
    let mut properties = RawConfigs::new();
    let mut lines = natural_lines(&text).enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim_start_matches(is_blank);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = line.to_owned();
        while ends_in_continuation(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, next)) => logical.push_str(next.trim_start_matches(is_blank)),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        let invalid = || InvalidProperties { line: index + 1 };
        properties.insert(
            unescape(key).ok_or_else(invalid)?,
            unescape(value).ok_or_else(invalid)?,
        );
    }
    Ok(properties)
}

/// Writes properties as Java does, sorted by key, after `comment` and the given date line.
#[must_use]
pub fn write_properties(comment: Option<&str>, date: &str, properties: &RawConfigs) -> String {
    let mut text = String::new();
    if let Some(comment) = comment {
        text.push('#');
        text.push_str(comment);
        text.push('\n');
    }
    text.push('#');
    text.push_str(date);
    text.push('\n');
    for (key, value) in properties {
        escape(&mut text, key, true);
        text.push('=');
        escape(&mut text, value, false);
        text.push('\n');
    }
    text
}

/// Lines ended by `\n`, `\r` or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match text.find(['\n', '\r']) {
            Some(end) => {
                let (line, tail) = text.split_at(end);
                rest = Some(
                    tail.strip_prefix("\r\n")
                        .unwrap_or_else(|| tail.split_at(1).1),
                );
                Some(line)
            }
            None => {
                rest = None;
                Some(text)
            }
        }
    })
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

/// Divides a logical line at the first separator without a backslash before it: blanks, at most one `=`
/// or `:`, blanks.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line
        .find(|c| {
            let found = !escaped && (is_blank(c) || c == '=' || c == ':');
            escaped = c == '\\' && !escaped;
            found
        })
        .unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

/// Removes the backslashes. A pair of `\u` that forms one character beyond the basic plane is put
/// together; half of a pair becomes U+FFFD.
fn unescape(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                None => break,
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let valid = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                    units.push(
                        valid
                            .then(|| u16::from_str_radix(&digits, 16).ok())
                            .flatten()?,
                    );
                    continue;
                }
                Some(other) => other,
            },
            other => other,
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

/// Writes a key or value so that reading gives it back. Blanks need a backslash in a key everywhere, in
/// a value only at the front.
fn escape(out: &mut String, text: &str, is_key: bool) {
    for (i, c) in text.chars().enumerate() {
        match c {
            ' ' if is_key || i == 0 => out.push_str("\\ "),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            '=' | ':' | '#' | '!' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
    }
}
