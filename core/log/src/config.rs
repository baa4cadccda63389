//! Settings of one log: Kafka's topic keys as plain values.
//!
//! The configuration layer parses, checks and overlays them; here they only have names, units and Kafka's
//! defaults. `-1` means "no limit" where Kafka says so, and [`i64::MAX`] "never".

use ottla_records::TimestampType;

/// What may be thrown away: `cleanup.policy`, a set of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Old segments go by time and size.
    pub delete: bool,
    /// Older records of a key go.
    pub compact: bool,
}

/// Settings of one log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is closed before it grows past this.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment is closed when its records span this time.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: at most this is taken off `segment.ms`, at random per segment.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: a segment is closed when one of its indexes is this large.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: bytes of records between two index entries.
    pub index_interval_bytes: u32,
    /// `retention.ms`; -1 keeps for ever.
    pub retention_ms: i64,
    /// `retention.bytes`; -1 has no limit.
    pub retention_bytes: i64,
    /// `local.retention.ms`; -2 follows `retention.ms`.
    pub local_retention_ms: i64,
    /// `local.retention.bytes`; -2 follows `retention.bytes`.
    pub local_retention_bytes: i64,
    /// `max.message.bytes`: the largest batch a client may send.
    pub max_message_bytes: u32,
    /// `flush.messages`: records appended before a flush is forced.
    pub flush_messages: i64,
    /// `flush.ms`: the longest time a record stays unflushed.
    pub flush_ms: i64,
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `min.compaction.lag.ms`: a younger record is not compacted.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: an older record makes its log due for compaction.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`: share of uncompacted bytes from which a log is due for compaction.
    pub min_cleanable_dirty_ratio: f64,
    /// `delete.retention.ms`: how long compaction keeps tombstones and transaction markers.
    pub delete_retention_ms: i64,
    /// `file.delete.delay.ms`: time between `.deleted` and removal.
    pub file_delete_delay_ms: i64,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how much older than now a CreateTime may be.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how much later than now a CreateTime may be.
    pub message_timestamp_after_max_ms: i64,
    /// `preallocate`. Accepted without effect: files grow with what is appended.
    pub preallocate: bool,
}

const WEEK_MS: i64 = 7 * 24 * 3_600_000;

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: WEEK_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: WEEK_MS,
            retention_bytes: -1,
            local_retention_ms: -2,
            local_retention_bytes: -2,
            max_message_bytes: 1_048_588,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            cleanup_policy: CleanupPolicy {
                delete: true,
                compact: false,
            },
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
            delete_retention_ms: 86_400_000,
            file_delete_delay_ms: 60_000,
            message_timestamp_type: TimestampType::CreateTime,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_after_max_ms: 3_600_000,
            preallocate: false,
        }
    }
}
