//! A line of the console producer taken apart into headers, key and value.

use bytes::Bytes;
use krafka::Record;
use ottla_client::Properties;

/// How lines are read; the properties of Kafka's `LineMessageReader`.
///
/// Kafka differs: it reads its input as UTF-8 and replaces what is not; here the bytes of key, value and
/// header values are sent as they are.
#[derive(Debug, Clone)]
pub(crate) struct LineReader {
    topic: String,
    parse_key: bool,
    parse_headers: bool,
    ignore_error: bool,
    key_separator: Vec<u8>,
    headers_delimiter: Vec<u8>,
    headers_separator: Vec<u8>,
    headers_key_separator: Vec<u8>,
    null_marker: Option<Vec<u8>>,
    lines: u64,
}

/// The class that the tool uses unless told otherwise.
pub(crate) const CLASS: &str = "org.apache.kafka.tools.LineMessageReader";

impl LineReader {
    /// A reader for records of `topic`.
    ///
    /// # Errors
    /// Kafka's exception if two marks are the same.
    pub(crate) fn new(topic: &str, properties: &Properties) -> Result<Self, String> {
        let flag = |key: &str| {
            properties
                .get(key)
                .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
        };
        let text = |key: &str, default: &str| {
            properties
                .get(key)
                .map_or(default, String::as_str)
                .as_bytes()
                .to_vec()
        };
        let reader = Self {
            topic: topic.to_owned(),
            parse_key: flag("parse.key"),
            parse_headers: flag("parse.headers"),
            ignore_error: flag("ignore.error"),
            key_separator: text("key.separator", "\t"),
            headers_delimiter: text("headers.delimiter", "\t"),
            headers_separator: text("headers.separator", ","),
            headers_key_separator: text("headers.key.separator", ":"),
            null_marker: properties
                .get("null.marker")
                .map(|marker| marker.as_bytes().to_vec()),
            lines: 0,
        };
        reader.check()?;
        Ok(reader)
    }

    fn check(&self) -> Result<(), String> {
        let null = self.null_marker.as_ref();
        let pairs = [
            (
                Some(&self.headers_delimiter),
                &self.headers_separator,
                "headers.delimiter and headers.separator",
            ),
            (
                Some(&self.headers_delimiter),
                &self.headers_key_separator,
                "headers.delimiter and headers.key.separator",
            ),
            (
                Some(&self.headers_separator),
                &self.headers_key_separator,
                "headers.separator and headers.key.separator",
            ),
            (null, &self.key_separator, "null.marker and key.separator"),
            (
                null,
                &self.headers_separator,
                "null.marker and headers.separator",
            ),
            (
                null,
                &self.headers_delimiter,
                "null.marker and headers.delimiter",
            ),
            (
                null,
                &self.headers_key_separator,
                "null.marker and headers.key.separator",
            ),
        ];
        match pairs.iter().find(|(one, other, _)| *one == Some(*other)) {
            None => Ok(()),
            Some((_, _, names)) => Err(exception(&format!("{names} may not be equal"))),
        }
    }

    /// Where the records go.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// The record of the next line.
    ///
    /// # Errors
    /// Kafka's exception for a line that lacks a mark.
    pub(crate) fn record(&mut self, line: Vec<u8>) -> Result<Record, String> {
        self.lines = self.lines.saturating_add(1);
        let line = Bytes::from(line);
        let (headers, rest) = self.cut(
            self.parse_headers,
            &line,
            line.clone(),
            &self.headers_delimiter,
            "headers delimiter",
        )?;
        let (key, value) = self.cut(
            self.parse_key,
            &line,
            rest,
            &self.key_separator,
            "key separator",
        )?;
        let mut record = if self.is_null(&value) {
            Record::new(&self.topic, Bytes::new()).without_value()
        } else {
            Record::new(&self.topic, value)
        };
        if let Some(key) = key.filter(|key| !self.is_null(key)) {
            record = record.key(key);
        }
        if let Some(headers) = headers.filter(|headers| !self.is_null(headers)) {
            record = self.add_headers(record, &headers)?;
        }
        Ok(record)
    }

    /// What stands before a mark, and what stands behind it.
    fn cut(
        &self,
        wanted: bool,
        line: &Bytes,
        rest: Bytes,
        mark: &[u8],
        name: &str,
    ) -> Result<(Option<Bytes>, Bytes), String> {
        if !wanted {
            return Ok((None, rest));
        }
        match find(&rest, mark) {
            Some(at) => Ok((Some(rest.slice(..at)), rest.slice(at + mark.len()..))),
            None if self.ignore_error => Ok((None, rest)),
            None => Err(exception(&format!(
                "No {name} found on line number {}: '{}'",
                self.lines,
                String::from_utf8_lossy(line)
            ))),
        }
    }

    fn add_headers(&self, mut record: Record, headers: &Bytes) -> Result<Record, String> {
        for pair in split(headers, &self.headers_separator) {
            let Some(at) = find(&pair, &self.headers_key_separator) else {
                let text = String::from_utf8_lossy(&pair);
                if self.ignore_error {
                    record = record.null_header(text);
                    continue;
                }
                return Err(exception(&format!(
                    "No header key separator found in pair '{text}' on line number {}",
                    self.lines
                )));
            };
            let (key, value) = (
                pair.slice(..at),
                pair.slice(at + self.headers_key_separator.len()..),
            );
            let name = String::from_utf8_lossy(&key);
            if self.is_null(&key) {
                return Err(exception(&format!(
                    "Header keys should not be equal to the null marker '{name}' as they can't be null"
                )));
            }
            record = if self.is_null(&value) {
                record.null_header(name)
            } else {
                record.header(name, value)
            };
        }
        Ok(record)
    }

    fn is_null(&self, bytes: &Bytes) -> bool {
        self.null_marker.as_deref() == Some(bytes.as_ref())
    }
}

fn exception(text: &str) -> String {
    format!("org.apache.kafka.common.KafkaException: {text}")
}

/// Where a mark stands. An empty one stands at the beginning.
fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    if mark.is_empty() {
        return Some(0);
    }
    bytes.windows(mark.len()).position(|window| window == mark)
}

/// Parts between marks, as Java splits: without the empty ones at the end.
fn split(bytes: &Bytes, mark: &[u8]) -> Vec<Bytes> {
    let mut parts = Vec::new();
    let mut rest = bytes.clone();
    while let Some(at) = find(&rest, mark).filter(|_| !mark.is_empty()) {
        parts.push(rest.slice(..at));
        rest = rest.slice(at + mark.len()..);
    }
    parts.push(rest);
    while parts.len() > 1 && parts.last().is_some_and(Bytes::is_empty) {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(properties: &[(&str, &str)]) -> Result<LineReader, String> {
        let properties = properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        LineReader::new("t", &properties)
    }

    /// Key, value and headers as text; `None` is null.
    type Parts = (
        Option<String>,
        Option<String>,
        Vec<(String, Option<String>)>,
    );

    fn parts(properties: &[(&str, &str)], line: &str) -> Result<Parts, String> {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let record = reader(properties)?.record(line.as_bytes().to_vec())?;
        let headers = record
            .headers
            .iter()
            .map(|(key, value)| (key.clone(), value.as_ref().map(text)));
        Ok((
            record.key.as_ref().map(text),
            record.value.as_ref().map(text),
            headers.collect(),
        ))
    }

    #[test]
    fn lines_are_taken_apart_as_kafka_does() {
        let check = |properties: &[(&str, &str)],
                     line: &str,
                     key: Option<&str>,
                     value: Option<&str>,
                     headers: &[(&str, Option<&str>)]| {
            let headers = headers
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
                .collect();
            let expected = (key.map(str::to_owned), value.map(str::to_owned), headers);
            assert_eq!(parts(properties, line), Ok(expected), "{line}");
        };
        let key = ("parse.key", "true");
        let all = [key, ("parse.headers", " TRUE ")];
        let nulls = [key, all[1], ("null.marker", "NULL")];
        check(&[], "a\tb", None, Some("a\tb"), &[]);
        check(&[key], "a\tb\tc", Some("a"), Some("b\tc"), &[]);
        check(
            &[key, ("key.separator", "::")],
            "a::b",
            Some("a"),
            Some("b"),
            &[],
        );
        check(
            &[key, ("ignore.error", "true")],
            "nokey",
            None,
            Some("nokey"),
            &[],
        );
        check(&[key], "\tv", Some(""), Some("v"), &[]);
        check(
            &all,
            "h1:v1,h2:v2\tk\tv",
            Some("k"),
            Some("v"),
            &[("h1", Some("v1")), ("h2", Some("v2"))],
        );
        check(
            &nulls,
            "h:NULL,i:,\tNULL\tNULL",
            None,
            None,
            &[("h", None), ("i", Some(""))],
        );
        check(&nulls, "NULL\tk\tv", Some("k"), Some("v"), &[]);
    }

    #[test]
    fn wrong_lines_and_marks_get_the_words_of_kafka() {
        let check = |properties: &[(&str, &str)], line: &str, text: &str| {
            let expected = format!("org.apache.kafka.common.KafkaException: {text}");
            assert_eq!(parts(properties, line), Err(expected), "{line}");
        };
        let key = ("parse.key", "true");
        let headers = ("parse.headers", "true");
        check(
            &[key],
            "nokey",
            "No key separator found on line number 1: 'nokey'",
        );
        check(
            &[headers],
            "x",
            "No headers delimiter found on line number 1: 'x'",
        );
        check(
            &[headers],
            "h1\tv",
            "No header key separator found in pair 'h1' on line number 1",
        );
        check(
            &[headers, ("null.marker", "N")],
            "N:a\tv",
            "Header keys should not be equal to the null marker 'N' as they can't be null",
        );
        check(
            &[("null.marker", "a"), ("key.separator", "a")],
            "",
            "null.marker and key.separator may not be equal",
        );
    }
}
