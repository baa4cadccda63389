//! A segment of a log, or a snapshot of the metadata: batches, and their records if asked for.

use std::path::Path;

use ottla_records::codec::Decompressor;
use ottla_records::control::ControlType;
use ottla_records::legacy::LegacyView;
use ottla_records::{BatchHeader, BatchView, MAGIC_V2, RecordError, RecordView, TimestampType};

use super::decode::{Parser, control};
use super::mismatches::{Mismatches, note};
use super::options::Asked;
use super::{absolute, base_offset};
use crate::common::output;
use crate::files::exception::Exception;
use crate::files::log_file::{LogFile, RawBatch};

/// Name of the first snapshot of older releases.
const BOOTSTRAP: &str = "bootstrap.checkpoint";

/// Shows a file.
pub(super) fn dump(
    path: &Path,
    name: &str,
    asked: &Asked,
    mismatches: &mut Mismatches,
) -> Result<(), Exception> {
    if name.ends_with(".log") {
        output::line(&format!("Log starting offset: {}", base_offset(path)?));
    } else if name == BOOTSTRAP {
        output::line("KRaft bootstrap snapshot");
    } else {
        let (offset, epoch) = snapshot_id(name)?;
        output::line(&format!("Snapshot end offset: {offset}, epoch: {epoch}"));
    }
    let log = LogFile::open(path)?;
    let max_bytes = u64::try_from(asked.max_bytes).map_err(|_| {
        Exception::new(
            "java.lang.IllegalArgumentException",
            format!(
                "Invalid size: {} in read from FileRecords(size={}, file={}, start=0, \
                 end=2147483647)",
                asked.max_bytes,
                log.len(),
                path.display()
            ),
        )
    })?;
    let mut dump = Dump {
        asked,
        file: absolute(path).display().to_string(),
        scratch: Decompressor::new(),
        last_offset: None,
        mismatches,
    };
    let mut valid_bytes = 0;
    let mut batches = log.batches(0, max_bytes)?;
    while let Some(batch) = batches.next()? {
        dump.batch(&batch)?;
        valid_bytes += batch.size;
    }
    let trailing = log.len().saturating_sub(valid_bytes);
    if trailing > 0 && asked.max_bytes == i32::MAX {
        output::line(&format!(
            "Found {trailing} invalid bytes at the end of {name}"
        ));
    }
    Ok(())
}

/// End offset and epoch in a snapshot's name: twenty digits, a dash, ten digits.
fn snapshot_id(name: &str) -> Result<(i64, i32), Exception> {
    let part = |from: usize, to: usize| {
        name.get(from..to).ok_or_else(|| {
            Exception::new(
                "java.lang.StringIndexOutOfBoundsException",
                format!("begin {from}, end {to}, length {}", name.len()),
            )
        })
    };
    let number = |text: &str| {
        Exception::new(
            "java.lang.NumberFormatException",
            format!("For input string: \"{text}\""),
        )
    };
    let (offset, epoch) = (part(0, 20)?, part(21, 31)?);
    Ok((
        offset.parse().map_err(|_| number(offset))?,
        epoch.parse().map_err(|_| number(epoch))?,
    ))
}

/// Shows batch after batch.
struct Dump<'a> {
    asked: &'a Asked,
    /// Name of the file among the mismatches.
    file: String,
    scratch: Decompressor,
    last_offset: Option<i64>,
    mismatches: &'a mut Mismatches,
}

impl Dump<'_> {
    fn batch(&mut self, batch: &RawBatch<'_>) -> Result<(), Exception> {
        if (0..MAGIC_V2).contains(&batch.magic) {
            return self.legacy(batch);
        }
        let header = batch.header()?;
        output::line(&batch_line(batch, &header)?);
        if !self.asked.deep {
            return Ok(());
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        // The reader wants the magic that it knows; Kafka's takes any.
        let mut bytes = batch.own_bytes().to_vec();
        if let (Some(place), [magic]) = (bytes.get_mut(16), MAGIC_V2.to_be_bytes()) {
            *place = magic;
        }
        let view = BatchView::parse(&bytes).map_err(|error| invalid(&error.to_string()))?;
        let records = view.records(&mut scratch);
        for record in records.map_err(|error| broken(&error))? {
            let record = record.map_err(|error| broken(&error))?;
            self.record(&Shown::of_batch(&header, &record), &record)?;
        }
        self.scratch = scratch;
        Ok(())
    }

    fn legacy(&mut self, batch: &RawBatch<'_>) -> Result<(), Exception> {
        let view =
            LegacyView::parse(batch.own_bytes()).map_err(|error| invalid(&error.to_string()))?;
        let codec = view.compression().map_err(|error| broken(&error))?;
        let time = match (batch.magic, view.timestamp_type()) {
            (0, _) => "NoTimestampType",
            (_, kind) => time_name(kind),
        };
        output::line(&format!(
            "offset: {} position: {} {time}: {} size: {} magic: {} compresscodec: {} crc: {} \
             isvalid: {}",
            view.offset().0,
            batch.position,
            view.max_timestamp().0,
            batch.size,
            batch.magic,
            codec.name(),
            view.crc(),
            view.verify_crc().is_ok(),
        ));
        if !self.asked.deep {
            return Ok(());
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut messages = view
            .messages(&mut scratch)
            .map_err(|error| broken(&error))?;
        while let Some(record) = messages.next() {
            let record = record.map_err(|error| broken(&error))?;
            let message = messages.last_message();
            let checksum = message.map(|message| (message.verify_crc().is_ok(), message.crc()));
            let shown = Shown {
                time,
                sequence: None,
                checksum,
                is_control: false,
            };
            self.record(&shown, &record)?;
        }
        self.scratch = scratch;
        Ok(())
    }

    fn record(&mut self, shown: &Shown, record: &RecordView<'_>) -> Result<(), Exception> {
        let offset = record.offset.0;
        if let Some(last) = self.last_offset
            && last.checked_add(1) != Some(offset)
        {
            note(&mut self.mismatches.gaps, &self.file, (last, offset));
        }
        self.last_offset = Some(offset);
        let mut line = String::new();
        let mut prefix = "| ";
        if !self.asked.skip_record_metadata {
            shown.metadata(record, &mut line);
            prefix = " ";
        }
        if shown.is_control {
            if !self.asked.skip_record_metadata {
                line.push_str(&control_text(record));
            }
        } else if self.asked.contents {
            // What is known of the record comes out even if the rest of it ends the tool.
            output::text(&line);
            line.clear();
            let (key, payload) = self.asked.parser.parse(record)?;
            if let Some(key) = key {
                line.push_str(&format!("{prefix}key: {key}"));
                prefix = " ";
            }
            if let Some(payload) = payload {
                line.push_str(&format!("{prefix}payload: {payload}"));
            }
        }
        output::line(&line);
        Ok(())
    }
}

/// What a record's line takes from its batch.
struct Shown {
    time: &'static str,
    /// The first sequence of a batch v2.
    sequence: Option<i32>,
    /// Of an old format: whether the checksum is right, and the checksum.
    checksum: Option<(bool, u32)>,
    is_control: bool,
}

impl Shown {
    fn of_batch(header: &BatchHeader, record: &RecordView<'_>) -> Self {
        let sequence = match u32::try_from(record.offset_delta) {
            Ok(delta) if header.base_sequence.0 >= 0 => header.base_sequence.advance(delta).0,
            _ => -1,
        };
        Self {
            time: time_name(header.attributes.timestamp_type()),
            sequence: Some(sequence),
            checksum: None,
            is_control: header.attributes.is_control(),
        }
    }

    fn metadata(&self, record: &RecordView<'_>, line: &mut String) {
        let size =
            |bytes: Option<&[u8]>| bytes.map_or_else(|| "-1".to_owned(), |b| b.len().to_string());
        line.push_str(&format!(
            "| offset: {} {}: {} keySize: {} valueSize: {}",
            record.offset.0,
            self.time,
            record.timestamp.0,
            size(record.key),
            size(record.value),
        ));
        if let Some(sequence) = self.sequence {
            let keys: Vec<_> = record
                .headers
                .into_iter()
                .map(|header| String::from_utf8_lossy(header.key).into_owned())
                .collect();
            line.push_str(&format!(
                " sequence: {sequence} headerKeys: [{}]",
                keys.join(",")
            ));
        }
        if let Some((is_valid, crc)) = self.checksum {
            line.push_str(&format!(" isValid: {is_valid} crc: {crc}"));
        }
    }
}

fn batch_line(batch: &RawBatch<'_>, header: &BatchHeader) -> Result<String, Exception> {
    let attributes = header.attributes;
    let codec = attributes.compression().ok_or_else(|| {
        Exception::new(
            "java.lang.IllegalArgumentException",
            format!("Unknown compression type id: {}", attributes.codec_id()),
        )
    })?;
    let horizon = header.delete_horizon().map_or_else(
        || "OptionalLong.empty".to_owned(),
        |time| format!("OptionalLong[{}]", time.0),
    );
    Ok(format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} \
         producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} \
         deleteHorizonMs: {horizon} position: {} {}: {} size: {} magic: {} compresscodec: {} crc: \
         {} isvalid: {}",
        header.base_offset.0,
        header.last_offset().0,
        header.record_count,
        header.base_sequence.0,
        header.last_sequence().0,
        header.producer_id.0,
        header.producer_epoch.0,
        header.partition_leader_epoch.0,
        attributes.is_transactional(),
        attributes.is_control(),
        batch.position,
        time_name(attributes.timestamp_type()),
        header.max_timestamp.0,
        batch.size,
        batch.magic,
        codec.name(),
        header.crc,
        batch.is_valid(header),
    ))
}

fn control_text(record: &RecordView<'_>) -> String {
    match ControlType::from_key(record.key) {
        Ok(kind) => control(kind, record),
        Err(_) => format!(" {}", Parser::UNREADABLE_CONTROL),
    }
}

fn time_name(kind: TimestampType) -> &'static str {
    match kind {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn invalid(message: &str) -> Exception {
    Exception::new("org.apache.kafka.common.InvalidRecordException", message)
}

fn broken(error: &RecordError) -> Exception {
    let class = match error {
        RecordError::Codec(_) => "org.apache.kafka.common.KafkaException",
        _ => "org.apache.kafka.common.InvalidRecordException",
    };
    Exception::new(class, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshots_name_says_where_it_ends() {
        let name = "00000000000000000042-0000000007.checkpoint";
        assert_eq!(snapshot_id(name), Ok((42, 7)));
        let error = snapshot_id("bad.checkpoint").unwrap_err().to_string();
        assert_eq!(
            error,
            "Exception in thread \"main\" java.lang.StringIndexOutOfBoundsException: begin 0, end \
             20, length 14"
        );
        assert!(snapshot_id("0000000000000000004x-0000000007.checkpoint").is_err());
    }
}
