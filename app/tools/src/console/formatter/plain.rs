//! Kafka's `DefaultMessageFormatter`: the parts of a record that are asked for, with separators.

use krafka::{ConsumerRecord, TimestampType};
use ottla_client::Properties;

use super::deserializer::Deserializer;

/// What to print, and how.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of its own, and all of them together are no state"
)]
pub(crate) struct Plain {
    timestamp: bool,
    key: bool,
    value: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key_separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null: Vec<u8>,
    key_deserializer: Option<Deserializer>,
    value_deserializer: Option<Deserializer>,
    headers_deserializer: Option<Deserializer>,
}

impl Plain {
    /// Reads the formatter's properties.
    pub(crate) fn new(properties: &Properties) -> Self {
        let flag = |key: &str, default: bool| {
            properties
                .get(key)
                .map_or(default, |value| value.trim().eq_ignore_ascii_case("true"))
        };
        let text = |key: &str, default: &str| {
            properties
                .get(key)
                .map_or(default, String::as_str)
                .as_bytes()
                .to_vec()
        };
        let deserializer = |key: &str| {
            properties
                .get(key)
                .and_then(|class| Deserializer::of_class(class))
        };
        Self {
            timestamp: flag("print.timestamp", false),
            key: flag("print.key", false),
            value: flag("print.value", true),
            partition: flag("print.partition", false),
            offset: flag("print.offset", false),
            delivery: flag("print.delivery", false),
            epoch: flag("print.epoch", false),
            headers: flag("print.headers", false),
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null: text("null.literal", "null"),
            key_deserializer: deserializer("key.deserializer"),
            value_deserializer: deserializer("value.deserializer"),
            headers_deserializer: deserializer("headers.deserializer"),
        }
    }

    /// Writes a record behind `out`.
    ///
    /// # Errors
    /// The exception of a deserializer.
    pub(crate) fn write(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), String> {
        let mut begun = false;
        let mut begin = |out: &mut Vec<u8>| {
            if begun {
                out.extend_from_slice(&self.key_separator);
            }
            begun = true;
        };
        if self.timestamp {
            begin(out);
            let text = match record.timestamp_type {
                TimestampType::CreateTime if record.timestamp < 0 => "NO_TIMESTAMP".to_owned(),
                TimestampType::CreateTime => format!("CreateTime:{}", record.timestamp),
                TimestampType::LogAppendTime => format!("LogAppendTime:{}", record.timestamp),
                _ => "NO_TIMESTAMP".to_owned(),
            };
            out.extend_from_slice(text.as_bytes());
        }
        let numbers = [
            (
                self.partition,
                "Partition",
                Some(record.partition.to_string()),
            ),
            (self.offset, "Offset", Some(record.offset.to_string())),
            (
                self.delivery,
                "Delivery",
                record.delivery_count.map(|count| count.to_string()),
            ),
            // Kafka's tool drops the epoch on its way to the formatter.
            (self.epoch, "Epoch", None),
        ];
        for (_, name, number) in numbers.into_iter().filter(|(wanted, ..)| *wanted) {
            begin(out);
            let number = number.as_deref().unwrap_or("NOT_PRESENT");
            out.extend_from_slice(format!("{name}:{number}").as_bytes());
        }
        if self.headers {
            begin(out);
            self.write_headers(record, out)?;
        }
        if self.key {
            begin(out);
            self.write_bytes(self.key_deserializer, record.key.as_deref(), out)?;
        }
        if self.value {
            begin(out);
            self.write_bytes(self.value_deserializer, record.value.as_deref(), out)?;
        }
        if begun {
            out.extend_from_slice(&self.line_separator);
        }
        Ok(())
    }

    fn write_headers(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), String> {
        if record.headers.is_empty() {
            out.extend_from_slice(b"NO_HEADERS");
        }
        for (number, (key, value)) in record.headers.iter().enumerate() {
            if number > 0 {
                out.extend_from_slice(&self.headers_separator);
            }
            out.extend_from_slice(key.as_bytes());
            out.push(b':');
            self.write_bytes(self.headers_deserializer, value.as_deref(), out)?;
        }
        Ok(())
    }

    fn write_bytes(
        &self,
        deserializer: Option<Deserializer>,
        bytes: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        // As in Kafka a deserializer is given the literal for null, not null.
        let bytes = bytes.unwrap_or(&self.null);
        match deserializer {
            None => out.extend_from_slice(bytes),
            Some(deserializer) => deserializer.write(bytes, out)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn printed(properties: &[(&str, &str)], record: &ConsumerRecord) -> Result<String, String> {
        let properties = properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let mut out = Vec::new();
        Plain::new(&properties).write(record, &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    fn record(key: Option<&str>, value: Option<&str>) -> ConsumerRecord {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let mut record = ConsumerRecord::new("t", 1, 42, key.map(bytes), value.map(bytes));
        record.timestamp = 1_795_571_302_228;
        record
    }

    #[test]
    fn parts_stand_in_the_order_of_kafka() {
        let all = [
            "print.timestamp",
            "print.partition",
            "print.offset",
            "print.delivery",
            "print.epoch",
            "print.headers",
            "print.key",
        ]
        .map(|key| (key, "true"));
        let mut one = record(Some("k"), None);
        assert_eq!(
            printed(&all, &one),
            Ok(
                "CreateTime:1795571302228\tPartition:1\tOffset:42\tDelivery:NOT_PRESENT\t\
                Epoch:NOT_PRESENT\tNO_HEADERS\tk\tnull\n"
                    .to_owned()
            )
        );
        one.headers = vec![
            ("h1".to_owned(), Some(Bytes::from_static(b"v1"))),
            ("h2".to_owned(), None),
        ];
        let few = [
            ("print.headers", "TRUE"),
            ("print.value", "false"),
            ("headers.separator", ";"),
        ];
        assert_eq!(printed(&few, &one), Ok("h1:v1;h2:null\n".to_owned()));
        let none = [("print.value", "no")];
        assert_eq!(printed(&none, &one), Ok(String::new()));
        let marks = [
            ("print.key", "true"),
            ("key.separator", "-"),
            ("line.separator", "|"),
            ("null.literal", "NUL"),
        ];
        assert_eq!(printed(&marks, &one), Ok("k-NUL|".to_owned()));
        assert_eq!(printed(&[], &record(None, Some("v"))), Ok("v\n".to_owned()));
    }

    #[test]
    fn a_deserializer_is_asked_for_null_too() {
        let long = [(
            "value.deserializer",
            "org.apache.kafka.common.serialization.LongDeserializer",
        )];
        assert!(printed(&long, &record(None, None)).is_err());
        assert_eq!(
            printed(&long, &record(None, Some("\0\0\0\0\0\0\0\x07"))),
            Ok("7\n".to_owned())
        );
    }
}
