//! Every file of a data directory, byte by byte, as Apache Kafka wrote it: docs/reference/files.md.
//!
//! The page is made from the archive in `fixtures/`; `UPDATE=1` writes it again.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ottla_records::crc32c;
use ottla_tests::annotate::Annotator;

use crate::handover::unpack;

const HEAD: &str = "\
# The files of a data directory

Every kind of file below `log.dirs`, as Apache Kafka 4.4.0 wrote it, with a name for each byte. Ottla reads and writes
the same. Integers are big-endian; `varint` is zigzag as in Protocol Buffers. Made from an archive in `tests/fixtures`
by `cargo test -p ottla-tests`; do not edit.
";

/// A page in the making, over one directory.
struct Page {
    data: PathBuf,
    text: String,
}

impl Page {
    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.data.join(name);
        fs::read(&path).with_context(|| path.display().to_string())
    }

    fn section(&mut self, title: &str, about: &str, file: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "\n## {title}\n\n{about}\n\n`{file}`:\n");
    }

    fn block(&mut self, body: &str) {
        let _ = write!(self.text, "\n```text\n{}\n```\n", body.trim_end());
    }

    fn text_file(&mut self, title: &str, about: &str, file: &str) -> Result<()> {
        let body = String::from_utf8(self.read(file)?)?;
        self.section(title, about, file);
        self.block(&body);
        Ok(())
    }

    fn binary_file(
        &mut self,
        title: &str,
        about: &str,
        file: &str,
        annotate: impl FnOnce(&mut Annotator<'_>) -> Result<()>,
    ) -> Result<()> {
        let bytes = self.read(file)?;
        let mut annotator = Annotator::new(&bytes);
        annotate(&mut annotator).with_context(|| file.to_owned())?;
        self.section(title, about, file);
        self.block(&annotator.finish().with_context(|| file.to_owned())?);
        Ok(())
    }
}

/// Number of bytes behind the length field of a batch that begins the bytes.
fn batch_end(bytes: &[u8]) -> Result<usize> {
    let length = bytes.get(8..12).context("no batch")?;
    Ok(12 + usize::try_from(u32::from_be_bytes(length.try_into()?))?)
}

/// The header of a batch; returns the number of records.
fn batch_header(a: &mut Annotator<'_>) -> Result<i64> {
    a.fields(&[
        (8, "base offset"),
        (4, "length of what follows"),
        (4, "partition leader epoch"),
        (1, "magic"),
    ])?;
    a.crc("CRC-32C from the next byte on")?;
    a.fields(&[
        (2, "attributes"),
        (4, "last offset delta"),
        (8, "base timestamp"),
        (8, "max timestamp"),
        (8, "producer id"),
        (2, "producer epoch"),
        (4, "base sequence"),
    ])?;
    a.int(4, "record count")
}

/// What stands before the key's bytes of a record; returns the key's length.
fn record_head(a: &mut Annotator<'_>) -> Result<i64> {
    a.varint("length of the record")?;
    a.int(1, "attributes")?;
    a.varint("timestamp delta")?;
    a.varint("offset delta")?;
    a.varint("length of the key")
}

/// A whole record whose key and value are text.
fn text_record(a: &mut Annotator<'_>) -> Result<()> {
    for part in ["key", "value"] {
        let length = if part == "key" {
            record_head(a)?
        } else {
            a.varint("length of the value")?
        };
        if length >= 0 {
            a.text(length, part)?;
        }
    }
    headers(a)
}

fn headers(a: &mut Annotator<'_>) -> Result<()> {
    for _ in 0..a.varint("header count")? {
        let length = a.varint("length of the header's key")?;
        a.text(length, "header key")?;
        let length = a.varint("length of the header's value")?;
        if length >= 0 {
            a.text(length, "header value")?;
        }
    }
    Ok(())
}

/// A record whose key and value `inside` names.
fn record(
    a: &mut Annotator<'_>,
    key: impl FnOnce(&mut Annotator<'_>) -> Result<()>,
    value: impl FnOnce(&mut Annotator<'_>) -> Result<()>,
) -> Result<()> {
    if record_head(a)? >= 0 {
        key(a)?;
    }
    if a.varint("length of the value")? >= 0 {
        value(a)?;
    }
    headers(a)
}

fn topics(page: &mut Page) -> Result<()> {
    let about = "One batch after the other. `crc` covers everything behind it; a compressed batch has its records behind \
                 the count as one stream of the codec that the lowest three bits of the attributes name.";
    let file = "rolled-0/00000000000000000008.log";
    let rest = page.read(file)?.len() - batch_end(&page.read(file)?)?;
    page.binary_file("Segment: `.log`", about, file, |a| {
        for _ in 0..batch_header(a)? {
            text_record(a)?;
        }
        a.opaque(rest, "more batches", "")
    })?;
    let about = "An entry about every `index.interval.bytes`: an offset, less the segment's base offset, and where its \
                 batch begins. A node that runs keeps room behind, `log.index.size.max.bytes` in all; a clean stop cuts it, \
                 but for the metadata log.";
    let file = "__cluster_metadata-0/00000000000000000000.index";
    // The metadata log is not cut when its node stops.
    let entries = page
        .read(file)?
        .chunks(8)
        .take_while(|entry| entry.iter().any(|byte| *byte != 0))
        .count();
    let rest = page.read(file)?.len() - 8 * entries;
    page.binary_file("Offset index: `.index`", about, file, |a| {
        for _ in 0..entries {
            a.fields(&[(4, "relative offset"), (4, "position")])?;
        }
        a.opaque(rest, "room for more", "")
    })?;
    let about = "Largest timestamp so far, and the offset, less the base offset, of the record that has it.";
    page.binary_file(
        "Time index: `.timeindex`",
        about,
        "rolled-0/00000000000000000008.timeindex",
        |a| {
            while a.left() > 0 {
                a.fields(&[(8, "timestamp"), (4, "relative offset")])?;
            }
            Ok(())
        },
    )?;
    let about = "Aborted transactions that end in this segment; only where there are some.";
    page.binary_file(
        "Transaction index: `.txnindex`",
        about,
        "transactional-0/00000000000000000003.txnindex",
        |a| {
            while a.left() > 0 {
                a.fields(&[
                    (2, "version"),
                    (8, "producer id"),
                    (8, "first offset"),
                    (8, "last offset"),
                    (8, "last stable offset"),
                ])?;
            }
            Ok(())
        },
    )?;
    let about = "Producers as of the offset in the name: what idempotence and open transactions need after a restart. \
                 Written at a roll and at a clean stop.";
    let file = "rolled-0/00000000000000000008.snapshot";
    let covered = crc32c(&page.read(file)?[6..]);
    page.binary_file("Producer state: `.snapshot`", about, file, |a| {
        a.int(2, "version")?;
        let crc = a.crc("CRC-32C from the next byte on")?;
        ensure!(covered == crc, "the checksum covers something else");
        for _ in 0..a.int(4, "producer count")? {
            a.fields(&[
                (8, "producer id"),
                (2, "producer epoch"),
                (4, "last sequence"),
                (8, "last offset"),
                (4, "offset delta of the last batch"),
                (8, "timestamp"),
                (4, "coordinator epoch"),
                (8, "first offset of the open txn"),
            ])?;
        }
        Ok(())
    })
}

/// Appends a section about one batch of a file.
fn batch_section(
    page: &mut Page,
    title: &str,
    about: &str,
    (file, batch): (String, Vec<u8>),
    inside: impl FnOnce(&mut Annotator<'_>) -> Result<()>,
) -> Result<()> {
    let mut annotator = Annotator::new(&batch);
    batch_header(&mut annotator)?;
    inside(&mut annotator).with_context(|| file.clone())?;
    page.section(title, about, &file);
    page.block(&annotator.finish().with_context(|| file.clone())?);
    Ok(())
}

/// The first batch with `needle` in it, in the partitions of a topic, and its file.
fn find_batch(page: &Page, topic: &str, needle: &[u8]) -> Result<(String, Vec<u8>)> {
    for partition in 0..3 {
        let file = format!("{topic}-{partition}/00000000000000000000.log");
        let bytes = page.read(&file)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(batch_end(rest)?);
            if batch.windows(needle.len()).any(|window| window == needle) {
                return Ok((file, batch.to_vec()));
            }
            rest = behind;
        }
    }
    anyhow::bail!("{topic}: no such batch")
}

fn internal_topics(page: &mut Page) -> Result<()> {
    let about = "A committed offset, in a batch as any other. The key begins with what kind of record it is, the value with \
                 the version of its schema.";
    let found = find_batch(page, "__consumer_offsets", b"by hand")?;
    batch_section(
        page,
        "Committed offsets: `__consumer_offsets`",
        about,
        found,
        |a| {
            let key = |a: &mut Annotator<'_>| {
                a.int(2, "kind: an offset")?;
                a.string("group")?;
                a.string("topic")?;
                a.int(4, "partition").map(drop)
            };
            record(a, key, |a| {
                a.fields(&[(2, "version"), (8, "offset"), (4, "leader epoch")])?;
                a.compact_string("metadata")?;
                a.int(8, "commit timestamp")?;
                a.tags()
            })
        },
    )?;
    let about = "One record for each change of a transaction's state; here a transaction that writes to one partition.";
    let found = find_batch(page, "__transaction_state", b"transactional")?;
    batch_section(
        page,
        "Transactions: `__transaction_state`",
        about,
        found,
        |a| {
            let key = |a: &mut Annotator<'_>| {
                a.int(2, "kind: a transaction")?;
                a.string("transactional id").map(drop)
            };
            record(a, key, |a| {
                a.fields(&[
                    (2, "version"),
                    (8, "producer id"),
                    (2, "producer epoch"),
                    (4, "timeout in ms"),
                    (1, "state"),
                ])?;
                for _ in 1..a.uvarint("topic count, + 1")? {
                    a.compact_string("topic")?;
                    for _ in 1..a.uvarint("partition count, + 1")? {
                        a.int(4, "partition")?;
                    }
                    a.tags()?;
                }
                a.fields(&[(8, "last update"), (8, "start")])?;
                a.tags()
            })
        },
    )
}

fn text_files(page: &mut Page) -> Result<()> {
    page.text_file(
        "`leader-epoch-checkpoint`",
        "Version, number of lines, then epoch and first offset of each.",
        "rolled-0/leader-epoch-checkpoint",
    )?;
    page.text_file(
        "`partition.metadata`",
        "Which topic the partition is of, whatever its name.",
        "rolled-0/partition.metadata",
    )?;
    let about = "Whose directory it is; a Java properties file.";
    page.text_file("`meta.properties`", about, "meta.properties")?;
    for (name, what) in [
        (
            "recovery-point-offset-checkpoint",
            "up to where logs are on stable storage",
        ),
        ("replication-offset-checkpoint", "high watermarks"),
        (
            "log-start-offset-checkpoint",
            "log starts that lie inside a segment",
        ),
        (
            "cleaner-offset-checkpoint",
            "up to where logs are compacted",
        ),
    ] {
        let about =
            format!("Version, number of lines, then topic, partition and offset of each: {what}.");
        page.text_file(&format!("`{name}`"), &about, name)?;
    }
    page.text_file(
        "`.kafka_cleanshutdown`",
        "There after a clean stop.",
        ".kafka_cleanshutdown",
    )?;
    page.text_file(
        "`quorum-state`",
        "Epoch, leader and vote of this voter; only in the metadata log's directory.",
        "__cluster_metadata-0/quorum-state",
    )
}

/// The value of a control record of KRaft.
fn control_value(a: &mut Annotator<'_>, kind: i64) -> Result<()> {
    a.int(2, "version")?;
    match kind {
        3 => a.int(8, "last contained log timestamp").map(drop)?,
        4 => {}
        5 => a.int(2, "kraft.version").map(drop)?,
        6 => {
            for _ in 1..a.uvarint("voter count, + 1")? {
                a.int(4, "voter id")?;
                a.opaque(16, "directory id", "")?;
                for _ in 1..a.uvarint("endpoint count, + 1")? {
                    a.compact_string("listener")?;
                    a.compact_string("host")?;
                    a.int(2, "port")?;
                    a.tags()?;
                }
                a.fields(&[(2, "least kraft.version"), (2, "greatest kraft.version")])?;
                a.tags()?;
                a.tags()?;
            }
        }
        other => anyhow::bail!("control type {other}"),
    }
    a.tags()
}

fn metadata(page: &mut Page) -> Result<()> {
    let about = "The metadata as of the offset and epoch in the name: a header, records as they stand in the metadata log too, \
                 and a footer. Key of a control record: version and type; 3 is the header, 5 kraft.version, 6 the voters, 4 \
                 the footer. A metadata record has no key; its value is frame version, type, version, and the fields of the \
                 type's schema. This one was written by formatting.";
    let file = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
    page.binary_file("Metadata snapshot: `.checkpoint`", about, file, |a| {
        for control in [true, false, true] {
            for _ in 0..batch_header(a)? {
                if control {
                    record_head(a)?;
                    a.int(2, "version")?;
                    let kind = a.int(2, "control type")?;
                    a.varint("length of the value")?;
                    control_value(a, kind)?;
                    headers(a)?;
                    continue;
                }
                record(
                    a,
                    |_| Ok(()),
                    |a| {
                        a.uvarint("frame version")?;
                        a.uvarint("type: feature level")?;
                        a.uvarint("version")?;
                        a.compact_string("feature")?;
                        a.int(2, "level")?;
                        a.tags()
                    },
                )?;
            }
        }
        Ok(())
    })?;
    let about = "Batches as in any other log. Who leads the quorum writes a control batch first, and then the records of the \
                 voters if the quorum keeps them itself; control types as above, and 2 is the change of the leader.";
    let file = "__cluster_metadata-0/00000000000000000000.log";
    let bytes = page.read(file)?;
    let end = batch_end(&bytes)?;
    let batch = bytes.get(..end).context("a whole batch")?.to_vec();
    batch_section(
        page,
        "Metadata log: `__cluster_metadata-0`",
        about,
        (file.to_owned(), batch),
        |a| {
            while a.left() > 0 {
                record_head(a)?;
                a.int(2, "version")?;
                let kind = a.int(2, "control type")?;
                a.varint("length of the value")?;
                if kind == 2 {
                    leader_change(a)?;
                } else {
                    control_value(a, kind)?;
                }
                headers(a)?;
            }
            Ok(())
        },
    )
}

/// The value of the control record with which a leader begins.
fn leader_change(a: &mut Annotator<'_>) -> Result<()> {
    a.fields(&[(2, "version"), (4, "leader id")])?;
    for what in ["voter", "voter that granted"] {
        for _ in 1..a.uvarint(&format!("count of {what}s, + 1"))? {
            a.int(4, &format!("{what}: id"))?;
            a.tags()?;
        }
    }
    a.tags()
}

#[test]
fn page_about_the_files_is_what_apache_kafka_wrote() -> Result<()> {
    let dir = tempfile::tempdir()?;
    unpack("kafka-4.4.0-clean.tar.gz", dir.path())?;
    let mut page = Page {
        data: dir.path().join("data"),
        text: HEAD.to_owned(),
    };
    topics(&mut page)?;
    text_files(&mut page)?;
    metadata(&mut page)?;
    internal_topics(&mut page)?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/files.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &page.text)?;
    }
    let written = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    assert_eq!(
        written, page.text,
        "docs/reference/files.md is stale: run with UPDATE=1"
    );
    Ok(())
}
