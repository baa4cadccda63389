//! The records of the cluster metadata log.
//!
//! Framing of a record's value: unsigned varint frame version (1), unsigned varint type id, unsigned
//! varint record version, then the flexible message. The key is null.

use ottla_protocol::messages::{
    AbortTransactionRecord, AccessControlEntryRecord, BeginTransactionRecord,
    BrokerRegistrationChangeRecord, ClearElrRecord, ClientQuotaRecord, ConfigRecord,
    DelegationTokenRecord, EndTransactionRecord, FeatureLevelRecord, FenceBrokerRecord, NoOpRecord,
    PartitionChangeRecord, PartitionRecord, ProducerIdsRecord, RegisterBrokerRecord,
    RegisterControllerRecord, RemoveAccessControlEntryRecord, RemoveDelegationTokenRecord,
    RemoveTopicRecord, RemoveUserScramCredentialRecord, TopicRecord, UnfenceBrokerRecord,
    UnregisterBrokerRecord, UnregisterControllerRecord, UserScramCredentialRecord,
    ZkMigrationStateRecord,
};
use ottla_protocol::{Reader, Writer};

use crate::error::RecordError;
use crate::features::MetadataVersion;

/// The only version of the frame around a record.
const FRAME_VERSION: u32 = 1;

macro_rules! records {
    ($($id:literal $variant:ident($message:ident),)*) => {
        /// A record of the cluster metadata log.
        #[derive(Debug, Clone, PartialEq)]
        pub enum MetadataRecord {
            $(
                #[doc = concat!("Record type ", $id, ".")]
                $variant($message),
            )*
        }

        impl MetadataRecord {
            /// Kafka's number of the record type.
            #[must_use]
            pub fn type_id(&self) -> u32 {
                match self { $(Self::$variant(_) => $id,)* }
            }

            /// Kafka's name of the record type.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($message),)* }
            }

            fn encode_message(&self, writer: &mut Writer, version: i16) -> Result<(), RecordError> {
                match self { $(Self::$variant(message) => message.encode(writer, version)?,)* }
                Ok(())
            }

            fn decode_message(
                reader: &mut Reader<'_>,
                type_id: u32,
                version: u32,
            ) -> Result<VersionedRecord, RecordError> {
                match type_id {
                    $($id => {
                        let unsupported = RecordError::UnsupportedVersion {
                            name: stringify!($message),
                            version,
                        };
                        let Some(version) = i16::try_from(version)
                            .ok()
                            .filter(|version| $message::VERSIONS.contains(version))
                        else {
                            return Err(unsupported);
                        };
                        let message = $message::decode(reader, version)?;
                        Ok(VersionedRecord { version, record: Self::$variant(message) })
                    })*
                    _ => Err(RecordError::UnknownType(type_id)),
                }
            }
        }

        $(impl From<$message> for MetadataRecord {
            fn from(message: $message) -> Self {
                Self::$variant(message)
            }
        })*
    };
}

records! {
    0 RegisterBroker(RegisterBrokerRecord),
    1 UnregisterBroker(UnregisterBrokerRecord),
    2 Topic(TopicRecord),
    3 Partition(PartitionRecord),
    4 Config(ConfigRecord),
    5 PartitionChange(PartitionChangeRecord),
    7 FenceBroker(FenceBrokerRecord),
    8 UnfenceBroker(UnfenceBrokerRecord),
    9 RemoveTopic(RemoveTopicRecord),
    10 DelegationToken(DelegationTokenRecord),
    11 UserScramCredential(UserScramCredentialRecord),
    12 FeatureLevel(FeatureLevelRecord),
    14 ClientQuota(ClientQuotaRecord),
    15 ProducerIds(ProducerIdsRecord),
    17 BrokerRegistrationChange(BrokerRegistrationChangeRecord),
    18 AccessControlEntry(AccessControlEntryRecord),
    19 RemoveAccessControlEntry(RemoveAccessControlEntryRecord),
    20 NoOp(NoOpRecord),
    21 ZkMigrationState(ZkMigrationStateRecord),
    22 RemoveUserScramCredential(RemoveUserScramCredentialRecord),
    23 BeginTransaction(BeginTransactionRecord),
    24 EndTransaction(EndTransactionRecord),
    25 AbortTransaction(AbortTransactionRecord),
    26 RemoveDelegationToken(RemoveDelegationTokenRecord),
    27 RegisterController(RegisterControllerRecord),
    28 ClearElr(ClearElrRecord),
    29 UnregisterController(UnregisterControllerRecord),
}

/// A record with the version it is, or is to be, written in.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionedRecord {
    /// Version of the message.
    pub version: i16,
    /// The record.
    pub record: MetadataRecord,
}

impl MetadataRecord {
    /// The version in which Kafka writes this record at `metadata_version`.
    ///
    /// Most types have one version. A registration change is written in the lowest version that has
    /// the field it changes.
    #[must_use]
    pub fn version_at(&self, metadata_version: MetadataVersion) -> i16 {
        match self {
            Self::RegisterBroker(_) => metadata_version.register_broker_record_version(),
            Self::Partition(_) => metadata_version.partition_record_version(),
            Self::PartitionChange(_) => metadata_version.partition_change_record_version(),
            Self::BrokerRegistrationChange(change) => {
                if change.cordoned_log_dirs.is_some() {
                    3
                } else if !change.log_dirs.is_empty() {
                    2
                } else if change.in_controlled_shutdown != 0 {
                    1
                } else {
                    0
                }
            }
            _ => 0,
        }
    }

    /// This record with the version in which it is written at `metadata_version`.
    #[must_use]
    pub fn at(self, metadata_version: MetadataVersion) -> VersionedRecord {
        VersionedRecord {
            version: self.version_at(metadata_version),
            record: self,
        }
    }

    /// Appends frame and message to `out`.
    ///
    /// # Errors
    /// [`RecordError::Encode`] if a field that is set does not exist in `version`.
    pub fn encode_framed(&self, version: i16, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let mut writer = Writer {
            buf: std::mem::take(out),
            ..Writer::default()
        };
        writer.uvarint(FRAME_VERSION);
        writer.uvarint(self.type_id());
        writer.uvarint(
            u32::try_from(version).map_err(|_| RecordError::UnsupportedVersion {
                name: self.name(),
                version: 0,
            })?,
        );
        let result = self.encode_message(&mut writer, version);
        *out = writer.buf;
        result
    }

    /// Reads the value of a record.
    ///
    /// # Errors
    /// Any [`RecordError`]; nothing is allocated that the bytes do not back.
    pub fn decode_framed(value: &[u8]) -> Result<VersionedRecord, RecordError> {
        let mut reader = Reader::new(value);
        let frame_version = reader.uvarint()?;
        if frame_version != FRAME_VERSION {
            return Err(RecordError::FrameVersion(frame_version));
        }
        let type_id = reader.uvarint()?;
        let version = reader.uvarint()?;
        let record = Self::decode_message(&mut reader, type_id, version)?;
        match reader.remaining() {
            0 => Ok(record),
            count => Err(RecordError::TrailingBytes(count)),
        }
    }
}

impl VersionedRecord {
    /// Appends frame and message to `out`.
    ///
    /// # Errors
    /// As [`MetadataRecord::encode_framed`].
    pub fn encode_framed(&self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        self.record.encode_framed(self.version, out)
    }
}
