//! Records that coordinators keep in their topics (`__consumer_offsets`, `__transaction_state`,
//! `__share_group_state`), read by their schemas and shown as JSON.

use std::fmt;

use ottla_protocol::schemas;
use ottla_schema::kafka_json::to_kafka_json;
use ottla_schema::{Kind, Message};

/// A record as it is shown.
#[derive(Debug)]
pub(crate) struct Record {
    /// Which type of record it is.
    pub(crate) kind: i16,
    /// The key.
    pub(crate) key: String,
    /// Version and value; none for a record that deletes.
    pub(crate) value: Option<(i16, String)>,
}

/// Why a record cannot be shown, in Kafka's words.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// There is no such type.
    Type(i16),
    /// The bytes are no such record.
    Other(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(kind) => write!(f, "Found an unknown record type {kind}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// How the bytes are shown that members of a classic group of consumers send to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Members {
    /// By the schemas of their protocol.
    Shown,
    /// As bytes.
    Bytes,
}

/// The schemas of a coordinator's records.
#[derive(Debug)]
pub(crate) struct Schemas(Vec<Message>);

/// Messages of the project's own texts of schemas.
pub(crate) fn parsed(texts: &[&str]) -> Vec<Message> {
    let parse = |text| ottla_schema::parse(text).expect("the project's own schemas are right");
    texts.iter().copied().flat_map(parse).collect()
}

impl Schemas {
    /// Of `__consumer_offsets`.
    pub(crate) fn offsets() -> Self {
        Self(parsed(&[schemas::GROUP, schemas::COMMON]))
    }

    /// Of `__transaction_state`.
    pub(crate) fn transactions() -> Self {
        Self(parsed(&[schemas::TRANSACTION]))
    }

    /// Of `__share_group_state`.
    pub(crate) fn share_state() -> Self {
        Self(parsed(&[schemas::SHARE]))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Unreadable`] if the bytes are no record of this coordinator.
    pub(crate) fn read(
        &self,
        key: &[u8],
        value: Option<&[u8]>,
        members: Members,
    ) -> Result<Record, Unreadable> {
        let (kind, key_bytes) = version(key, "key")?;
        let find = |wanted| {
            let mut found = self.0.iter().filter(|message| message.kind == wanted);
            found
                .find(|message| message.key == Some(kind))
                .ok_or(Unreadable::Type(kind))
        };
        let schema = find(Kind::CoordinatorKey)?;
        let key = self.message(schema, (0, kind), key_bytes, "key", members)?;
        let Some(value) = value else {
            let value = None;
            return Ok(Record { kind, key, value });
        };
        let schema = find(Kind::CoordinatorValue)?;
        let (version, value_bytes) = version(value, "value")?;
        if !schema.versions.contains(version) {
            return Err(Unreadable::Other(format!(
                "Found an unknown record version {version} for {kind} type"
            )));
        }
        let value = self.message(schema, (version, version), value_bytes, "value", members)?;
        Ok(Record {
            kind,
            key,
            value: Some((version, value)),
        })
    }

    /// The JSON of a message. `versions` are the one to read by and the one to name in an error.
    fn message(
        &self,
        schema: &Message,
        (version, named): (i16, i16),
        bytes: &[u8],
        name: &str,
        members: Members,
    ) -> Result<String, Unreadable> {
        let unreadable = |reason: String| {
            Unreadable::Other(format!(
                "Could not read record with version {named} from {name}'s buffer due to: {reason}."
            ))
        };
        let (shown, _) = to_kafka_json(schema, version, bytes, &|_, _| None)
            .map_err(|error| unreadable(error.to_string()))?;
        let by_consumers = schema.name == "GroupMetadataValue"
            && shown.starts_with("{\"protocolType\":\"consumer\"");
        if members == Members::Bytes || !by_consumers {
            return Ok(shown);
        }
        let member = |field: &str, bytes: &[u8]| {
            let name = match field {
                "subscription" => "ConsumerProtocolSubscription",
                "assignment" => "ConsumerProtocolAssignment",
                _ => return None,
            };
            let schema = self.0.iter().find(|message| message.name == name)?;
            let (version, bytes) = bytes.split_first_chunk()?;
            let version = i16::from_be_bytes(*version);
            if !schema.versions.contains(version) {
                return None;
            }
            let shown = to_kafka_json(schema, version, bytes, &|_, _| None);
            shown.ok().map(|(text, _)| text)
        };
        let shown = to_kafka_json(schema, version, bytes, &member);
        shown
            .map(|(text, _)| text)
            .map_err(|error| unreadable(error.to_string()))
    }
}

fn version<'a>(bytes: &'a [u8], name: &str) -> Result<(i16, &'a [u8]), Unreadable> {
    let Some((version, rest)) = bytes.split_first_chunk() else {
        return Err(Unreadable::Other(format!(
            "Could not read version from {name}'s buffer."
        )));
    };
    Ok((i16::from_be_bytes(*version), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_members_send_is_shown_only_if_asked_for() {
        let key = [0, 2, 0, 1, b'g'];
        let mut value = vec![0, 0, 0, 8];
        value.extend(b"consumer");
        // Generation, no protocol, no leader, one member.
        value.extend([0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]);
        value.extend([0, 1, b'm', 0, 1, b'c', 0, 1, b'h', 0, 0, 0, 8]);
        // An empty subscription of version 0, an assignment that is none.
        value.extend([0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        value.extend([0, 0, 0, 1, 9]);
        let shown = |members| {
            let record = Schemas::offsets().read(&key, Some(&value), members);
            let (version, value) = record.expect("it is right").value.expect("it has one");
            assert_eq!(version, 0);
            value
        };
        let bytes = shown(Members::Bytes);
        assert!(
            bytes.contains(r#""subscription":"AAAAAAAA/////w==","assignment":"CQ==""#),
            "{bytes}"
        );
        let text = shown(Members::Shown);
        assert!(
            text.contains(r#""subscription":{"topics":[],"userData":null},"assignment":"CQ==""#),
            "{text}"
        );
    }

    #[test]
    fn what_is_no_record_is_told_in_the_words_of_kafka() {
        let check = |key: &[u8], value: &[u8], expected: &str| {
            let error = Schemas::transactions()
                .read(key, Some(value), Members::Bytes)
                .expect_err("it is none");
            assert_eq!(error.to_string(), expected);
        };
        check(&[0], &[], "Could not read version from key's buffer.");
        check(&[0, 9], &[], "Found an unknown record type 9");
        check(
            &[0, 0, 0, 1, b't'],
            &[0],
            "Could not read version from value's buffer.",
        );
        check(
            &[0, 0, 0, 1, b't'],
            &[0, 9],
            "Found an unknown record version 9 for 0 type",
        );
    }
}
