//! How keys and values of records are shown.

use ottla_protocol::schemas;
use ottla_records::RecordView;
use ottla_records::control::{ControlType, EndTxnMarker, TxnResult};
use ottla_schema::Message;
use ottla_schema::kafka_json::{text, to_kafka_json};

use super::remote;
use crate::common::coordinator::{Members, Schemas, Unreadable, parsed};
use crate::files::exception::Exception;

/// Key and payload as they are shown.
pub(super) type Texts = (Option<String>, Option<String>);

/// How the bytes of a key or value are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoder {
    /// As UTF-8.
    Text,
    /// As a big-endian integer of four bytes.
    Integer,
    /// As a big-endian integer of eight bytes.
    Long,
    /// As hexadecimal digits.
    Bytes,
}

impl Decoder {
    /// The decoder that a class of Kafka's is.
    pub(super) fn of_class(class: &str) -> Option<Self> {
        Some(match class.strip_prefix("org.apache.kafka.tools.api.")? {
            "StringDecoder" => Self::Text,
            "IntegerDecoder" => Self::Integer,
            "LongDecoder" => Self::Long,
            "DefaultDecoder" => Self::Bytes,
            _ => return None,
        })
    }

    fn show(self, bytes: &[u8]) -> Result<String, Exception> {
        // Kafka's buffers complain of bytes that are missing, not of bytes behind the number.
        let short = || Exception::new("java.nio.BufferUnderflowException", "");
        Ok(match self {
            Self::Text => String::from_utf8_lossy(bytes).into_owned(),
            Self::Integer => {
                i32::from_be_bytes(*bytes.first_chunk().ok_or_else(short)?).to_string()
            }
            Self::Long => i64::from_be_bytes(*bytes.first_chunk().ok_or_else(short)?).to_string(),
            // Kafka differs: its DefaultDecoder shows where the bytes are in the memory of Java, which says
            // nothing; here they are shown themselves.
            Self::Bytes => ottla_schema::json::to_hex(bytes),
        })
    }
}

/// How records are shown.
#[derive(Debug)]
pub(super) enum Parser {
    /// Key and value by a decoder each.
    Plain {
        /// Of the key.
        key: Decoder,
        /// Of the value.
        value: Decoder,
    },
    /// Records of a coordinator, by these schemas.
    Coordinator(Schemas),
    /// Records of the metadata log, by these schemas.
    ClusterMetadata(Vec<Message>),
    /// Records of `__remote_log_metadata`.
    RemoteLogMetadata,
}

impl Parser {
    /// What stands for a control record whose key cannot be read.
    pub(super) const UNREADABLE_CONTROL: &'static str = "controlType: unreadable";

    /// For `__consumer_offsets`.
    pub(super) fn offsets() -> Self {
        Self::Coordinator(Schemas::offsets())
    }

    /// For `__transaction_state`.
    pub(super) fn transactions() -> Self {
        Self::Coordinator(Schemas::transactions())
    }

    /// For `__share_group_state`.
    pub(super) fn share_state() -> Self {
        Self::Coordinator(Schemas::share_state())
    }

    /// For the metadata log.
    pub(super) fn cluster_metadata() -> Self {
        Self::ClusterMetadata(parsed(&[schemas::METADATA]))
    }

    /// Shows a record.
    ///
    /// # Errors
    /// What Kafka's tool ends with.
    pub(super) fn parse(&self, record: &RecordView<'_>) -> Result<Texts, Exception> {
        let offset = record.offset.0;
        match self {
            Self::Plain { key, value } => Ok((
                record.key.map(|bytes| key.show(bytes)).transpose()?,
                record.value.map(|bytes| value.show(bytes)).transpose()?,
            )),
            Self::Coordinator(schemas) => {
                let key = record.key.ok_or_else(|| {
                    Exception::new(
                        "java.lang.RuntimeException",
                        format!(
                            "Failed to decode message at offset {offset} using the specified \
                             decoder (message had a missing key)"
                        ),
                    )
                })?;
                Ok(match coordinator(schemas, key, record.value) {
                    Ok((key, value)) => (Some(key), Some(value)),
                    Err(Unreadable::Type(kind)) => (
                        Some(format!(
                            "Unknown record type {kind} at offset {offset}, skipping."
                        )),
                        None,
                    ),
                    Err(other) => (
                        Some(format!("Error at offset {offset}, skipping. {other}")),
                        None,
                    ),
                })
            }
            Self::ClusterMetadata(messages) => {
                let shown = metadata(messages, record.value.unwrap_or_default());
                let shown =
                    shown.unwrap_or_else(|reason| format!("Error at {offset}, skipping. {reason}"));
                Ok((None, Some(shown)))
            }
            Self::RemoteLogMetadata => {
                let shown = remote::show(record.value.unwrap_or_default());
                let shown = shown.unwrap_or_else(|reason| {
                    format!("Error at offset {offset}, skipping. {reason}")
                });
                Ok((None, Some(shown)))
            }
        }
    }
}

/// Key and value of a coordinator's record.
fn coordinator(
    schemas: &Schemas,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(String, String), Unreadable> {
    // What members of a classic group of consumers say is shown by the schemas of that protocol.
    let record = schemas.read(key, value, Members::Shown)?;
    let kind = text(&record.kind.to_string());
    let key = format!("{{\"type\":{kind},\"data\":{}}}", record.key);
    let value = record.value.map_or_else(
        || "<DELETE>".to_owned(),
        |(version, data)| {
            let version = text(&version.to_string());
            format!("{{\"version\":{version},\"data\":{data}}}")
        },
    );
    Ok((key, value))
}

/// A record of the metadata log.
fn metadata(messages: &[Message], value: &[u8]) -> Result<String, String> {
    let (kind, version, bytes) = frame(value)?;
    let schema = messages
        .iter()
        .find(|message| message.key == i16::try_from(kind).ok())
        .ok_or_else(|| {
            format!(
                "org.apache.kafka.common.errors.UnsupportedVersionException: Unknown metadata id \
                 {kind}"
            )
        })?;
    let failed = || format!("Failed to deserialize record with type {kind}");
    let version = i16::try_from(version).map_err(|_| failed())?;
    if !schema.versions.contains(version) {
        return Err(failed());
    }
    let (data, rest) = to_kafka_json(schema, version, bytes, &|_, _| None).map_err(|_| failed())?;
    if !rest.is_empty() {
        return Err(format!(
            "Found {} byte(s) of garbage after {kind}",
            rest.len()
        ));
    }
    Ok(format!(
        "{{\"type\":{},\"version\":{version},\"data\":{data}}}",
        text(&constant_name(&schema.name))
    ))
}

/// Type, version and body of a record in the framing of the metadata log.
pub(super) fn frame(value: &[u8]) -> Result<(u32, u32, &[u8]), String> {
    let mut rest = value;
    let mut next = |name: &str| {
        let number = uvarint(&mut rest).ok_or_else(|| format!("Error while reading {name}"))?;
        if number > u32::from(i16::MAX.unsigned_abs()) {
            return Err(format!("Value for {name} was too large."));
        }
        Ok(number)
    };
    match next("frame version")? {
        1 => {}
        0 => {
            return Err(
                "Could not deserialize metadata record with frame version 0. Note that upgrades \
                 from the preview release of KRaft in 2.8 to newer versions are not supported."
                    .to_owned(),
            );
        }
        other => {
            return Err(format!(
                "Could not deserialize metadata record due to unknown frame version {other}(only \
                 frame version 1 is supported)"
            ));
        }
    }
    let (kind, version) = (next("type")?, next("version")?);
    Ok((kind, version, rest))
}

fn uvarint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The name of a record as Java writes a constant: `TOPIC_RECORD`.
fn constant_name(name: &str) -> String {
    let mut out = String::new();
    for char in name.chars() {
        if char.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(char.to_ascii_uppercase());
    }
    out
}

/// What a control record says, with a blank in front.
pub(super) fn control(kind: ControlType, record: &RecordView<'_>) -> String {
    let (title, schema) = match kind {
        ControlType::Abort | ControlType::Commit => {
            return match EndTxnMarker::decode(record.key, record.value) {
                Ok(Some(marker)) => format!(
                    " endTxnMarker: {} coordinatorEpoch: {}",
                    match marker.result {
                        TxnResult::Commit => "COMMIT",
                        TxnResult::Abort => "ABORT",
                    },
                    marker.coordinator_epoch
                ),
                _ => format!(" {}", Parser::UNREADABLE_CONTROL),
            };
        }
        ControlType::LeaderChange => ("LeaderChange:", "LeaderChangeMessage"),
        ControlType::SnapshotHeader => ("SnapshotHeader", "SnapshotHeaderRecord"),
        ControlType::SnapshotFooter => ("SnapshotFooter", "SnapshotFooterRecord"),
        ControlType::KRaftVersion => ("KRaftVersion", "KRaftVersionRecord"),
        ControlType::KRaftVoters => ("KRaftVoters", "VotersRecord"),
        ControlType::Unknown(id) => return format!(" controlType: UNKNOWN({id})"),
    };
    let messages = parsed(&[schemas::COMMON]);
    let value = record.value.unwrap_or_default();
    // The version stands in the message itself, in front.
    let version = value
        .first_chunk()
        .map_or(0, |bytes| i16::from_be_bytes(*bytes));
    let shown = messages
        .iter()
        .find(|message| message.name == schema)
        .and_then(|message| {
            let version = version.clamp(message.versions.low, message.versions.high);
            to_kafka_json(message, version, value, &|_, _| None).ok()
        });
    match shown {
        Some((text, _)) => format!(" {title} {text}"),
        None => format!(" {title} {}", Parser::UNREADABLE_CONTROL),
    }
}

#[cfg(test)]
mod tests {
    use ottla_base::{Offset, WallMillis};
    use ottla_records::Headers;

    use super::*;

    fn shown(parser: &Parser, key: Option<&[u8]>, value: Option<&[u8]>) -> Texts {
        let record = RecordView {
            offset: Offset(7),
            offset_delta: 0,
            timestamp: WallMillis(0),
            attributes: 0,
            key,
            value,
            headers: Headers::default(),
        };
        parser.parse(&record).unwrap()
    }

    #[test]
    fn records_of_coordinators_are_shown_as_by_kafka() {
        let key = [0, 2, 0, 2, b'g', b'1'];
        let mut value = vec![0, 3, 0, 8];
        value.extend(b"consumer");
        value.extend([0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 5]);
        // One member with a subscription that is one and an assignment that is none.
        value.extend([0, 0, 0, 1, 0, 1, b'm', 0xff, 0xff, 0, 1, b'c', 0, 1, b'h']);
        value.extend([0, 0, 0, 9, 0, 0, 0, 8]);
        let subscription = [0, 0, 0, 0, 0, 1, 0, 1, b't', 0xff, 0xff, 0xff, 0xff];
        value.extend(u32::try_from(subscription.len()).unwrap().to_be_bytes());
        value.extend(subscription);
        value.extend([0, 0, 0, 1, 9]);
        let (key_text, payload) = shown(&Parser::offsets(), Some(&key), Some(&value));
        assert_eq!(key_text.unwrap(), r#"{"type":"2","data":{"group":"g1"}}"#);
        assert_eq!(
            payload.unwrap(),
            r#"{"version":"3","data":{"protocolType":"consumer","generation":1,"protocol":null,"leader":null,"currentStateTimestamp":5,"members":[{"memberId":"m","groupInstanceId":null,"clientId":"c","clientHost":"h","rebalanceTimeout":9,"sessionTimeout":8,"subscription":{"topics":["t"],"userData":null},"assignment":"CQ=="}]}}"#
        );
        let (_, payload) = shown(&Parser::offsets(), Some(&key), None);
        assert_eq!(payload.unwrap(), "<DELETE>");
    }

    #[test]
    fn what_cannot_be_read_is_told_and_passed_over() {
        let check = |parser: Parser, key: &[u8], value: &[u8], expected: &str| {
            let (key, payload) = shown(&parser, Some(key), Some(value));
            let told = key.filter(|key| !key.starts_with('{')).or(payload).unwrap();
            assert_eq!(told, expected);
        };
        check(
            Parser::offsets(),
            b"key1",
            b"",
            "Unknown record type 27493 at offset 7, skipping.",
        );
        check(
            Parser::transactions(),
            &[0],
            b"",
            "Error at offset 7, skipping. Could not read version from key's buffer.",
        );
        check(
            Parser::transactions(),
            &[0, 0, 0, 1, b't'],
            &[0, 9],
            "Error at offset 7, skipping. Found an unknown record version 9 for 0 type",
        );
        check(
            Parser::cluster_metadata(),
            b"",
            b"value",
            "Error at 7, skipping. Could not deserialize metadata record due to unknown frame \
             version 118(only frame version 1 is supported)",
        );
        check(
            Parser::cluster_metadata(),
            b"",
            &[1, 9, 0, 1],
            "Error at 7, skipping. Failed to deserialize record with type 9",
        );
        check(
            Parser::RemoteLogMetadata,
            b"",
            b"value",
            "Error at offset 7, skipping. Could not deserialize metadata record due to unknown \
             frame version 118(only frame version 1 is supported)",
        );
    }

    #[test]
    fn records_of_the_metadata_log_have_their_type_and_version() {
        let value = [1, 20, 0, 0];
        let (_, payload) = shown(&Parser::cluster_metadata(), None, Some(&value));
        assert_eq!(
            payload.unwrap(),
            r#"{"type":"NO_OP_RECORD","version":0,"data":{}}"#
        );
        assert_eq!(
            constant_name("UserScramCredentialRecord"),
            "USER_SCRAM_CREDENTIAL_RECORD"
        );
    }

    #[test]
    fn decoders_have_the_names_of_classes() {
        let of = |name: &str| Decoder::of_class(&format!("org.apache.kafka.tools.api.{name}"));
        assert_eq!(of("StringDecoder"), Some(Decoder::Text));
        assert_eq!(Decoder::of_class("no.Such"), None);
        assert_eq!(Decoder::Integer.show(b"value-1").unwrap(), "1986096245");
        assert_eq!(
            Decoder::Long.show(b"value-1 x").unwrap(),
            "8530218420680864032"
        );
        assert!(Decoder::Long.show(b"x").is_err());
    }
}
