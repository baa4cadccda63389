//! Record batches as a scenario writes them: `{"@batch": {...}}`.
//!
//! Fields: `records` (list of `{key, value, timestamp, headers}`; key and value are text or null), `codec`,
//! `producer` (`[id, epoch, first sequence]`), `transactional`, `control`, `baseOffset`, `appendTime`, and
//! `patch` (list of `[offset from the front, hexadecimal bytes]`, applied after the checksum unless `reseal` is
//! true), `cut` (bytes taken off the end).

use anyhow::{Context as _, Result, bail};
use ottla_base::{Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};
use ottla_records::codec::{Compression, Compressor, Levels};
use ottla_records::{BatchBuilder, RecordHeader};
use ottla_schema::json::from_hex;
use serde_json::Value;

/// First timestamp of records that name none: the same in every run.
pub const TIMESTAMP: i64 = 1_700_000_000_000;
/// Where a batch has its checksum, and where what it is made of begins.
const CRC_AT: usize = 17;
const CRC_OF: usize = 21;

/// The bytes of a batch.
///
/// # Errors
/// If the description makes no sense.
pub fn build(spec: &Value) -> Result<Vec<u8>> {
    let base = spec["baseOffset"].as_i64().unwrap_or(0);
    let mut builder = BatchBuilder::new(Offset(base));
    if let Some(codec) = spec["codec"].as_str() {
        let codec: Compression = codec.parse()?;
        builder = builder.compression(codec, Levels::default());
    }
    if let Some([id, epoch, sequence]) = spec["producer"].as_array().map(Vec::as_slice) {
        builder = builder.producer(
            ProducerId(id.as_i64().context("producer id")?),
            ProducerEpoch(i16::try_from(epoch.as_i64().context("producer epoch")?)?),
            Sequence(i32::try_from(sequence.as_i64().context("sequence")?)?),
        );
    }
    if spec["transactional"] == true {
        builder = builder.transactional();
    }
    if spec["control"] == true {
        builder = builder.control();
    }
    if let Some(time) = spec["appendTime"].as_i64() {
        builder = builder.append_time(WallMillis(time));
    }
    let default = serde_json::json!([{"value": "v"}]);
    let records = spec.get("records").unwrap_or(&default);
    let records = records.as_array().context("records")?;
    for (at, record) in (0i64..).zip(records) {
        append(&mut builder, at, record)?;
    }
    let mut bytes = builder.build(&mut Compressor::new())?;
    for patch in spec["patch"].as_array().into_iter().flatten() {
        let at = usize::try_from(patch[0].as_u64().context("patch")?)?;
        let data = from_hex(patch[1].as_str().context("patch")?).context("patch")?;
        let place = bytes
            .get_mut(at..at + data.len())
            .context("patch outside the batch")?;
        place.copy_from_slice(&data);
    }
    if spec["reseal"] == true {
        let crc = ottla_records::crc32c(bytes.get(CRC_OF..).context("short")?);
        let place = bytes.get_mut(CRC_AT..CRC_OF).context("short")?;
        place.copy_from_slice(&crc.to_be_bytes());
    }
    if let Some(cut) = spec["cut"].as_u64() {
        bytes.truncate(bytes.len().saturating_sub(usize::try_from(cut)?));
    }
    Ok(bytes)
}

fn append(builder: &mut BatchBuilder, at: i64, record: &Value) -> Result<()> {
    let bytes = |name: &str| -> Result<Option<Vec<u8>>> {
        Ok(match &record[name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone().into_bytes()),
            // So many bytes: text of a megabyte would not be read by anybody.
            Value::Number(size) => {
                let size = size.as_u64().context("size")?;
                Some(vec![b'x'; usize::try_from(size)?])
            }
            _ => bail!("{name} is text, a size or null"),
        })
    };
    let timestamp = record["timestamp"].as_i64().unwrap_or(TIMESTAMP + at);
    let (key, value) = (bytes("key")?, bytes("value")?);
    let mut headers = Vec::new();
    for header in record["headers"].as_array().into_iter().flatten() {
        let name = header[0].as_str().context("header")?;
        headers.push(RecordHeader {
            key: name.as_bytes(),
            value: header[1].as_str().map(str::as_bytes),
        });
    }
    builder.append_with_headers(
        WallMillis(timestamp),
        key.as_deref(),
        value.as_deref(),
        &headers,
    )?;
    Ok(())
}
