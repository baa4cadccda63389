//! The records of `__consumer_offsets` that are the coordinator's own, to and from bytes.
//!
//! A key is its type (16 bits) and the fields of its schema, a value its version (16 bits) and the
//! fields of that version. Versions written are those of Apache Kafka 4.4 at metadata version 4.4-IV2.

use std::sync::Arc;

use ottla_base::Uuid;
use ottla_coordinator::PutRecord;
use ottla_protocol::messages::{
    GroupMetadataKey, GroupMetadataValue, LegacyOffsetCommitValue, OffsetCommitKey,
    OffsetCommitValue,
};
use ottla_protocol::{DecodeError, EncodeError, Reader, Writer};

use crate::offsets::CommittedOffset;
use crate::other_groups::{OtherGroupType, type_of_key};

/// Type of a key that older Kafkas wrote for an offset; fields and meaning as [`OFFSET_COMMIT`].
const LEGACY_OFFSET_COMMIT: i16 = 0;
/// Type of the key of an offset.
const OFFSET_COMMIT: i16 = OffsetCommitValue::KEY;
/// Type of the key of a classic group.
const GROUP_METADATA: i16 = GroupMetadataValue::KEY;

/// Version of an offset's value.
const OFFSET_VERSION: i16 = 4;
/// Version of an offset's value that carries its own expiry, which old requests can ask for.
const EXPIRING_OFFSET_VERSION: i16 = 1;
/// Version of a classic group's value.
const GROUP_METADATA_VERSION: i16 = 3;

/// A record that a coordinator writes.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupRecord {
    /// Type 1: a committed offset, or its end.
    Offset {
        /// Group.
        group: Arc<str>,
        /// Topic, by name: the topic's id is part of the value.
        topic: Arc<str>,
        /// Partition.
        partition: i32,
        /// The offset; `None` removes it.
        value: Option<CommittedOffset>,
    },
    /// Type 2: a classic group, or its end.
    ClassicGroup {
        /// Group.
        group: Arc<str>,
        /// Generation and members; `None` removes the group.
        value: Option<GroupMetadataValue>,
    },
    /// The end of a record of a newer kind of group, which gives way to a classic one or is deleted.
    OtherRemoved {
        /// Group.
        group: Arc<str>,
        /// Key of the record, as it was read.
        key: Vec<u8>,
    },
}

/// A record that cannot be read. The partition's coordinator cannot take its place: what the record
/// says would be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A record without a key.
    #[error("record has no key")]
    NoKey,
    /// Key or value is not what its type and version say.
    #[error("record of type {key_type} cannot be read")]
    Malformed {
        /// Type of the key.
        key_type: i16,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// A key that is too short to have a type.
    #[error("key has no type")]
    NoType(#[source] DecodeError),
}

/// What a record of the log is to this coordinator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Loaded {
    /// One of its own.
    Own(GroupRecord),
    /// One of a newer kind of group, kept as it is.
    Other {
        group: String,
        kind: OtherGroupType,
        alive: bool,
    },
    /// One of a type that this program has not heard of.
    Unknown(i16),
}

/// Reads a record of the log.
pub(crate) fn read(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Loaded, RecordError> {
    let mut reader = Reader::new(key.ok_or(RecordError::NoKey)?);
    let key_type = reader.i16().map_err(RecordError::NoType)?;
    let malformed = |source| RecordError::Malformed { key_type, source };
    let loaded = match key_type {
        LEGACY_OFFSET_COMMIT | OFFSET_COMMIT => {
            let key = OffsetCommitKey::decode(&mut reader, 0).map_err(malformed)?;
            let value = value
                .map(|value| read_offset(key_type, value))
                .transpose()
                .map_err(malformed)?;
            Loaded::Own(GroupRecord::Offset {
                group: key.group.into(),
                topic: key.topic.into(),
                partition: key.partition,
                value,
            })
        }
        GROUP_METADATA => {
            let key = GroupMetadataKey::decode(&mut reader, 0).map_err(malformed)?;
            let value = value.map(read_group).transpose().map_err(malformed)?;
            Loaded::Own(GroupRecord::ClassicGroup {
                group: key.group.into(),
                value,
            })
        }
        _ => match type_of_key(key_type) {
            // The key of every newer kind begins with the group.
            Some(kind) => Loaded::Other {
                group: reader.string(false).map_err(malformed)?,
                kind,
                alive: value.is_some(),
            },
            None => Loaded::Unknown(key_type),
        },
    };
    Ok(loaded)
}

impl GroupRecord {
    /// Reads a record of this coordinator's own types.
    ///
    /// # Errors
    /// [`RecordError`]; also for a record of another type, as one without a type.
    pub fn read(key: &[u8], value: Option<&[u8]>) -> Result<Self, RecordError> {
        match read(Some(key), value)? {
            Loaded::Own(record) => Ok(record),
            Loaded::Other { .. } | Loaded::Unknown(_) => Err(RecordError::NoKey),
        }
    }
}

fn read_offset(key_type: i16, bytes: &[u8]) -> Result<CommittedOffset, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16()?;
    if key_type == LEGACY_OFFSET_COMMIT && LegacyOffsetCommitValue::VERSIONS.contains(&version) {
        let value = LegacyOffsetCommitValue::decode(&mut reader, version)?;
        return Ok(CommittedOffset {
            offset: value.offset,
            leader_epoch: -1,
            metadata: value.metadata.into(),
            commit_timestamp: value.commit_timestamp,
            expire_timestamp: None,
            topic_id: Uuid::ZERO,
        });
    }
    let value = OffsetCommitValue::decode(&mut reader, version)?;
    Ok(CommittedOffset {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata.into(),
        commit_timestamp: value.commit_timestamp,
        expire_timestamp: (value.expire_timestamp >= 0).then_some(value.expire_timestamp),
        topic_id: value.topic_id,
    })
}

fn read_group(bytes: &[u8]) -> Result<GroupMetadataValue, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16()?;
    GroupMetadataValue::decode(&mut reader, version)
}

impl PutRecord for GroupRecord {
    type Error = EncodeError;

    fn put(&self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<bool, EncodeError> {
        match self {
            Self::Offset {
                group,
                topic,
                partition,
                value: offset,
            } => {
                write_to(key, |w| {
                    w.i16(OFFSET_COMMIT);
                    w.str(group, false)?;
                    w.str(topic, false)?;
                    w.i32(*partition);
                    Ok(())
                })?;
                let Some(offset) = offset else {
                    return Ok(false);
                };
                write_to(value, |w| put_offset(w, offset))?;
            }
            Self::ClassicGroup {
                group,
                value: metadata,
            } => {
                write_to(key, |w| {
                    w.i16(GROUP_METADATA);
                    w.str(group, false)
                })?;
                let Some(metadata) = metadata else {
                    return Ok(false);
                };
                write_to(value, |w| {
                    w.i16(GROUP_METADATA_VERSION);
                    metadata.encode(w, GROUP_METADATA_VERSION)
                })?;
            }
            Self::OtherRemoved {
                key: removed_key, ..
            } => {
                key.clone_from(removed_key);
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Writes an offset's value as [`OffsetCommitValue`] would, without a copy of its text: this is done for
/// each partition of each commit.
fn put_offset(w: &mut Writer, offset: &CommittedOffset) -> Result<(), EncodeError> {
    let flexible = offset.expire_timestamp.is_none();
    let version = if flexible {
        OFFSET_VERSION
    } else {
        EXPIRING_OFFSET_VERSION
    };
    w.i16(version);
    w.i64(offset.offset);
    if flexible {
        w.i32(offset.leader_epoch);
    }
    w.str(&offset.metadata, flexible)?;
    w.i64(offset.commit_timestamp);
    if let Some(expires) = offset.expire_timestamp {
        w.i64(expires);
    } else if offset.topic_id == Uuid::ZERO {
        w.uvarint(0);
    } else {
        w.uvarint(1);
        let begun = w.begin_tag(0);
        w.uuid(offset.topic_id);
        w.end_tag(begun)?;
    }
    Ok(())
}

/// Lets `write` fill `buf` anew, in the memory that `buf` has.
fn write_to(
    buf: &mut Vec<u8>,
    write: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    buf.clear();
    let mut w = Writer {
        buf: std::mem::take(buf),
        ..Writer::default()
    };
    let written = write(&mut w);
    *buf = w.buf;
    written
}
