//! What a client saw of a node that `clients/java/Fixture.java` filled, and the comparison with what a node shows now.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::client::{Client, Committed, Header, Isolation, Record};

/// Topic and partition.
type Place = (String, i32);

/// The lines of one file; see `Fixture.java` for their form.
#[derive(Debug, Default)]
pub struct Expected {
    logs: BTreeMap<Place, (i64, i64)>,
    committed: BTreeMap<Place, Vec<Record>>,
    all: BTreeMap<Place, Vec<Record>>,
    configs: Vec<(String, String, String)>,
    /// Place, time, and the offset that ListOffsets gave for it.
    times: Vec<(Place, i64, i64)>,
    groups: Vec<(String, Place, Committed)>,
}

/// How a node ended before it shows what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Stopped: everything is as it was.
    Clean,
    /// Killed.
    Killed,
    /// Apache Kafka killed: it keeps a log start in memory for up to a minute, so that one may have gone back.
    ApacheKafkaKilled,
}

impl Expected {
    /// Reads a file.
    ///
    /// # Errors
    /// If a line is not of the form.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let mut expected = Self::default();
        for line in text.lines() {
            expected.line(line).with_context(|| line.to_owned())?;
        }
        if expected.logs.is_empty() || expected.committed.is_empty() {
            bail!("{}: nothing expected", file.display());
        }
        Ok(expected)
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields[..] {
            ["log", topic, partition, start, end] => {
                let place = (topic.to_owned(), partition.parse()?);
                self.logs.insert(place, (start.parse()?, end.parse()?));
            }
            [
                kind @ ("committed" | "all"),
                topic,
                partition,
                offset,
                timestamp,
                key,
                value,
                headers,
            ] => {
                let record = Record {
                    offset: offset.parse()?,
                    timestamp: timestamp.parse()?,
                    key: bytes(key)?,
                    value: bytes(value)?,
                    headers: headers_of(headers)?,
                    // Not in the file: a client does not see it.
                    producer_id: -1,
                };
                let records = if kind == "all" {
                    &mut self.all
                } else {
                    &mut self.committed
                };
                records
                    .entry((topic.to_owned(), partition.parse()?))
                    .or_default()
                    .push(record);
            }
            ["config", topic, name, value] => {
                self.configs
                    .push((topic.to_owned(), name.to_owned(), value.to_owned()));
            }
            ["time", topic, partition, time, offset] => {
                let place = (topic.to_owned(), partition.parse()?);
                self.times.push((place, time.parse()?, offset.parse()?));
            }
            ["group", group, topic, partition, offset, metadata] => {
                let committed = Committed {
                    offset: offset.parse()?,
                    metadata: metadata.to_owned(),
                };
                let place = (topic.to_owned(), partition.parse()?);
                self.groups.push((group.to_owned(), place, committed));
            }
            _ => bail!("not a line of this file"),
        }
        Ok(())
    }

    /// Number of records that a reader of committed data sees.
    #[must_use]
    pub fn records(&self) -> usize {
        self.committed.values().map(Vec::len).sum()
    }

    /// Everything that a node shows otherwise than expected; empty if nothing.
    ///
    /// # Errors
    /// If the node cannot be asked at all.
    pub fn differences(&self, bootstrap: &str, end: End) -> Result<Vec<String>> {
        let mut client = Client::connect(bootstrap)?;
        let mut found = Vec::new();
        let mut note = |what: String, result: Result<Option<String>>| match result {
            Ok(None) => {}
            Ok(Some(difference)) => found.push(format!("{what}: {difference}")),
            Err(error) => found.push(format!("{what}: {error:#}")),
        };
        let topics = client.topics()?;
        let mut unexpected: Vec<_> = topics
            .iter()
            .filter(|topic| !topic.starts_with("__"))
            .collect();
        unexpected.retain(|topic| !self.logs.keys().any(|(known, _)| known == *topic));
        note(
            "topics".into(),
            Ok((!unexpected.is_empty()).then(|| format!("{unexpected:?}"))),
        );
        for place in self.logs.keys() {
            let (topic, partition) = place;
            let name = format!("{topic}-{partition}");
            note(name.clone(), self.log_difference(&mut client, place, end));
            let committed = self.committed.get(place).map_or(&[][..], Vec::as_slice);
            let read = records_difference(&mut client, place, committed, Isolation::ReadCommitted);
            note(format!("{name} read_committed"), read);
            if let Some(all) = self.all.get(place) {
                let read = records_difference(&mut client, place, all, Isolation::ReadUncommitted);
                note(format!("{name} read_uncommitted"), read);
            }
        }
        for (topic, name, value) in &self.configs {
            let got = client.topic_config(topic, name);
            note(
                format!("{topic} {name}"),
                got.map(|got| differs(&got.as_deref(), &Some(value))),
            );
        }
        for ((topic, partition), time, offset) in &self.times {
            let got = client.offset(topic, *partition, *time);
            // As with the log start.
            let went_back = |got: i64| end == End::ApacheKafkaKilled && got < *offset;
            note(
                format!("{topic}-{partition} at time {time}"),
                got.map(|got| differs(&got, offset).filter(|_| !went_back(got))),
            );
        }
        for (group, (topic, partition), committed) in &self.groups {
            let got = client.patiently(|client| client.committed_entry(group, topic, *partition));
            note(
                format!("{group} {topic}-{partition}"),
                got.map(|got| differs(&got, committed)),
            );
        }
        Ok(found)
    }

    fn log_difference(
        &self,
        client: &mut Client,
        place: &Place,
        end: End,
    ) -> Result<Option<String>> {
        let (topic, partition) = place;
        let expected = self.logs.get(place).context("known")?;
        let start = client.patiently(|client| client.offset(topic, *partition, -2))?;
        let log_end = client.offset(topic, *partition, -1)?;
        if end == End::ApacheKafkaKilled && start < expected.0 && log_end == expected.1 {
            return Ok(None);
        }
        Ok(differs(&(start, log_end), expected))
    }
}

fn differs<T: PartialEq + std::fmt::Debug + ?Sized>(got: &T, expected: &T) -> Option<String> {
    (got != expected).then(|| format!("got {got:?}, expected {expected:?}"))
}

fn records_difference(
    client: &mut Client,
    place: &Place,
    expected: &[Record],
    isolation: Isolation,
) -> Result<Option<String>> {
    let (topic, partition) = place;
    let mut got = client.read(topic, *partition, isolation)?;
    // Where the log start has gone back there is more in front.
    if let Some(first) = expected.first() {
        got.retain(|record| record.offset >= first.offset);
    }
    for (got, expected) in got.iter().zip(expected) {
        let got = Record {
            producer_id: -1,
            ..got.clone()
        };
        if got != *expected {
            return Ok(differs(&got, expected));
        }
    }
    Ok(differs(&got.len(), &expected.len()).map(|difference| format!("records: {difference}")))
}

/// `-` is null, `x` stands before hexadecimal digits.
fn bytes(text: &str) -> Result<Option<Vec<u8>>> {
    if text == "-" {
        return Ok(None);
    }
    let digits = text.strip_prefix('x').context("neither - nor x")?;
    let pair = |at: usize| {
        Ok(u8::from_str_radix(
            digits.get(at..at + 2).context("a digit too few")?,
            16,
        )?)
    };
    (0..digits.len())
        .step_by(2)
        .map(pair)
        .collect::<Result<_>>()
        .map(Some)
}

/// `key=x0102,other=-`.
fn headers_of(text: &str) -> Result<Vec<Header>> {
    let header = |one: &str| {
        let (key, value) = one.split_once('=').context("a header without =")?;
        Ok((key.as_bytes().to_vec(), bytes(value)?))
    };
    text.split(',')
        .filter(|one| !one.is_empty())
        .map(header)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let mut expected = Expected::default();
        expected.line("log\tt\t0\t1\t2").unwrap();
        expected
            .line("committed\tt\t0\t1\t99\t-\tx6869\ta=x01,b=-")
            .unwrap();
        let place = ("t".to_owned(), 0);
        assert_eq!(expected.logs[&place], (1, 2));
        let record = &expected.committed[&place][0];
        assert_eq!(
            (record.key.clone(), record.value.clone()),
            (None, Some(b"hi".to_vec()))
        );
        assert_eq!(
            record.headers,
            [(b"a".to_vec(), Some(vec![1])), (b"b".to_vec(), None)]
        );
        assert!(expected.line("committed\tt\t0\tone\t99\t-\t-\t").is_err());
    }
}
