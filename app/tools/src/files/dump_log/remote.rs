//! Records of `__remote_log_metadata`, as Java shows them.

use std::collections::BTreeMap;

use ottla_protocol::messages::remote_log_segment_metadata_record as segment;
use ottla_protocol::messages::remote_log_segment_metadata_update_record as update;
use ottla_protocol::messages::{
    RemoteLogSegmentMetadataRecord, RemoteLogSegmentMetadataSnapshotRecord,
    RemoteLogSegmentMetadataUpdateRecord, RemotePartitionDeleteMetadataRecord,
};
use ottla_protocol::{DecodeError, Reader};

use super::decode::frame;

/// Shows the value of a record.
///
/// # Errors
/// In Kafka's words.
pub(super) fn show(value: &[u8]) -> Result<String, String> {
    let (kind, version, bytes) = frame(value)?;
    let mut reader = Reader::new(bytes);
    let failed = |_: DecodeError| format!("Failed to deserialize record with type {kind}");
    let version = i16::try_from(version).unwrap_or(i16::MAX);
    let shown = match kind {
        0 => RemoteLogSegmentMetadataRecord::decode(&mut reader, version)
            .map(|record| segment_text(&record)),
        1 => RemoteLogSegmentMetadataUpdateRecord::decode(&mut reader, version)
            .map(|record| update_text(&record)),
        2 => RemotePartitionDeleteMetadataRecord::decode(&mut reader, version)
            .map(|record| delete_text(&record)),
        3 => RemoteLogSegmentMetadataSnapshotRecord::decode(&mut reader, version)
            .map(|record| snapshot_text(&record)),
        other => {
            return Err(format!(
                "RemoteLogMetadataTransform for apikey: {other} does not exist."
            ));
        }
    };
    let shown = shown.map_err(failed)?;
    match reader.remaining() {
        0 => Ok(shown),
        left => Err(format!("Found {left} byte(s) of garbage after {kind}")),
    }
}

fn segment_text(record: &RemoteLogSegmentMetadataRecord) -> String {
    let id: &segment::RemoteLogSegmentIdEntry = &record.remote_log_segment_id;
    let partition = &id.topic_id_partition;
    let epochs = record
        .segment_leader_epochs
        .iter()
        .map(|entry| (entry.leader_epoch, entry.offset));
    format!(
        "RemoteLogSegmentMetadata{{remoteLogSegmentId=RemoteLogSegmentId{{topicIdPartition={}:{}-{}, \
         id={}}}, startOffset={}, endOffset={}, brokerId={}, maxTimestampMs={}, \
         eventTimestampMs={}, segmentLeaderEpochs={}, segmentSizeInBytes={}, customMetadata={}, \
         state={}, txnIdxEmpty={}}}",
        partition.id,
        partition.name,
        partition.partition,
        id.id,
        record.start_offset,
        record.end_offset,
        record.broker_id,
        record.max_timestamp_ms,
        record.event_timestamp_ms,
        map(epochs),
        record.segment_size_in_bytes,
        custom(record.custom_metadata.as_deref()),
        segment_state(record.remote_log_segment_state),
        record.txn_index_empty,
    )
}

fn update_text(record: &RemoteLogSegmentMetadataUpdateRecord) -> String {
    let id: &update::RemoteLogSegmentIdEntry = &record.remote_log_segment_id;
    let partition = &id.topic_id_partition;
    format!(
        "RemoteLogSegmentMetadataUpdate{{remoteLogSegmentId=RemoteLogSegmentId{{topicIdPartition={}:{}-{}, \
         id={}}}, customMetadata={}, state={}, eventTimestampMs={}, brokerId={}}}",
        partition.id,
        partition.name,
        partition.partition,
        id.id,
        custom(record.custom_metadata.as_deref()),
        segment_state(record.remote_log_segment_state),
        record.event_timestamp_ms,
        record.broker_id,
    )
}

fn delete_text(record: &RemotePartitionDeleteMetadataRecord) -> String {
    let partition = &record.topic_id_partition;
    let state = match record.remote_partition_delete_state {
        0 => "DELETE_PARTITION_MARKED",
        1 => "DELETE_PARTITION_STARTED",
        2 => "DELETE_PARTITION_FINISHED",
        _ => "null",
    };
    format!(
        "RemotePartitionDeleteMetadata{{topicPartition={}:{}-{}, state={state}, \
         eventTimestampMs={}, brokerId={}}}",
        partition.id,
        partition.name,
        partition.partition,
        record.event_timestamp_ms,
        record.broker_id,
    )
}

fn snapshot_text(record: &RemoteLogSegmentMetadataSnapshotRecord) -> String {
    let epochs = record
        .segment_leader_epochs
        .iter()
        .map(|entry| (entry.leader_epoch, entry.offset));
    format!(
        "RemoteLogSegmentMetadataSnapshot{{segmentId={}, startOffset={}, endOffset={}, \
         maxTimestampMs={}, segmentLeaderEpochs={}, segmentSizeInBytes={}, customMetadata={}, \
         state={}, txnIdxEmpty={}}}",
        record.segment_id,
        record.start_offset,
        record.end_offset,
        record.max_timestamp_ms,
        map(epochs),
        record.segment_size_in_bytes,
        custom(record.custom_metadata.as_deref()),
        segment_state(record.remote_log_segment_state),
        record.txn_index_empty,
    )
}

/// A sorted map as Java writes it.
fn map(entries: impl Iterator<Item = (i32, i64)>) -> String {
    let entries: BTreeMap<i32, i64> = entries.collect();
    let texts: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    format!("{{{}}}", texts.join(", "))
}

fn custom(bytes: Option<&[u8]>) -> String {
    match bytes {
        Some(bytes) => format!("Optional[CustomMetadata{{{} bytes}}]", bytes.len()),
        None => "Optional.empty".to_owned(),
    }
}

fn segment_state(state: i8) -> &'static str {
    match state {
        0 => "COPY_SEGMENT_STARTED",
        1 => "COPY_SEGMENT_FINISHED",
        2 => "DELETE_SEGMENT_STARTED",
        3 => "DELETE_SEGMENT_FINISHED",
        _ => "null",
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::Writer;

    use super::*;

    #[test]
    fn a_segment_is_shown_as_by_java() {
        let mut record = RemoteLogSegmentMetadataRecord {
            start_offset: 1,
            end_offset: 9,
            remote_log_segment_state: 1,
            custom_metadata: Some(vec![1, 2]),
            ..RemoteLogSegmentMetadataRecord::default()
        };
        record.remote_log_segment_id.topic_id_partition.name = "t".to_owned();
        for (leader_epoch, offset) in [(3, 5), (0, 1)] {
            record
                .segment_leader_epochs
                .push(segment::SegmentLeaderEpochEntry {
                    leader_epoch,
                    offset,
                    ..segment::SegmentLeaderEpochEntry::default()
                });
        }
        let mut writer = Writer::default();
        writer.buf.extend([1, 0, 0]);
        record.encode(&mut writer, 0).unwrap();
        assert_eq!(
            show(&writer.buf).unwrap(),
            "RemoteLogSegmentMetadata{remoteLogSegmentId=RemoteLogSegmentId{topicIdPartition=\
             AAAAAAAAAAAAAAAAAAAAAA:t-0, id=AAAAAAAAAAAAAAAAAAAAAA}, startOffset=1, endOffset=9, \
             brokerId=0, maxTimestampMs=0, eventTimestampMs=0, segmentLeaderEpochs={0=1, 3=5}, \
             segmentSizeInBytes=0, customMetadata=Optional[CustomMetadata{2 bytes}], \
             state=COPY_SEGMENT_FINISHED, txnIdxEmpty=false}"
        );
        for cut in 0..writer.buf.len() {
            assert!(show(&writer.buf[..cut]).is_err(), "{cut}");
        }
    }
}
