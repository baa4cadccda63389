//! What the configuration of a topic asks of its partitions, in the form in which they use it.

use std::sync::Arc;

use ottla_base::WallMillis;
use ottla_config::{BrokerConfig, CompressionType, RawConfigs, TimestampType, TopicConfig};
use ottla_log::config::{CleanupPolicy, LogConfig};
use ottla_records::codec::{Compression, Levels};
use ottla_records::validate::{ProduceRules, TargetCompression};
use ottla_replication::leader::FlushPolicy;

/// The rules of one topic. Shared by its partitions, replaced whole when a configuration changes.
#[derive(Debug)]
pub(crate) struct TopicRules {
    /// What its logs go by.
    pub(crate) log: Arc<LogConfig>,
    /// `min.insync.replicas`.
    pub(crate) min_insync_replicas: usize,
    produce: ProduceRules,
}

impl TopicRules {
    /// The rules of a topic that sets `overrides` itself.
    pub(crate) fn resolve(broker: &BrokerConfig, overrides: &RawConfigs) -> Self {
        let config = TopicConfig::resolve(broker, overrides);
        let log = log_config(&config);
        let produce = ProduceRules {
            now: WallMillis(0),
            max_message_bytes: usize::try_from(config.max_message_bytes).unwrap_or(0),
            segment_bytes: usize::try_from(log.segment_bytes).unwrap_or(usize::MAX),
            compacted: config.is_compacted(),
            timestamp_type: log.message_timestamp_type,
            timestamp_before_max_ms: config.message_timestamp_before_max_ms,
            timestamp_after_max_ms: config.message_timestamp_after_max_ms,
            compression: target(config.compression_type),
            levels: Levels {
                gzip: config.compression_gzip_level,
                lz4: config.compression_lz4_level,
                zstd: config.compression_zstd_level,
            },
            zstd_known: true,
        };
        Self {
            min_insync_replicas: usize::try_from(config.min_insync_replicas).unwrap_or(1),
            log: Arc::new(log),
            produce,
        }
    }

    /// When this node's own copy of the topic's records counts. With `flush.messages=1` a record counts
    /// once it is flushed, whatever the node's policy says.
    pub(crate) fn flush_policy(&self, node: FlushPolicy) -> FlushPolicy {
        if self.log.flush_messages <= 1 {
            FlushPolicy::Always
        } else {
            node
        }
    }

    /// What a batch is checked against that came now, in a request whose version knows zstd or not.
    pub(crate) fn produce(&self, now: WallMillis, zstd_known: bool) -> ProduceRules {
        ProduceRules {
            now,
            zstd_known,
            ..self.produce
        }
    }
}

fn target(compression: CompressionType) -> TargetCompression {
    let codec = match compression {
        CompressionType::Producer => return TargetCompression::Producer,
        CompressionType::Uncompressed => Compression::None,
        CompressionType::Gzip => Compression::Gzip,
        CompressionType::Snappy => Compression::Snappy,
        CompressionType::Lz4 => Compression::Lz4,
        CompressionType::Zstd => Compression::Zstd,
    };
    TargetCompression::Codec(codec)
}

/// The settings of a log. The rows have checked the ranges, so a number that does not fit stands at the
/// end of its range.
fn log_config(config: &TopicConfig) -> LogConfig {
    let size = |value: i32| u32::try_from(value).unwrap_or(0);
    LogConfig {
        segment_bytes: size(config.effective_segment_bytes()),
        segment_ms: config.segment_ms,
        segment_jitter_ms: config.segment_jitter_ms,
        segment_index_bytes: size(config.segment_index_bytes),
        index_interval_bytes: size(config.index_interval_bytes),
        retention_ms: config.retention_ms,
        retention_bytes: config.retention_bytes,
        local_retention_ms: config.local_retention_ms,
        local_retention_bytes: config.local_retention_bytes,
        max_message_bytes: size(config.max_message_bytes),
        flush_messages: config.flush_messages,
        flush_ms: config.flush_ms,
        cleanup_policy: CleanupPolicy {
            delete: config.is_deleted(),
            compact: config.is_compacted(),
        },
        min_compaction_lag_ms: config.min_compaction_lag_ms,
        max_compaction_lag_ms: config.max_compaction_lag_ms,
        min_cleanable_dirty_ratio: config.min_cleanable_dirty_ratio,
        delete_retention_ms: config.delete_retention_ms,
        file_delete_delay_ms: config.file_delete_delay_ms,
        message_timestamp_type: match config.message_timestamp_type {
            TimestampType::CreateTime => ottla_records::TimestampType::CreateTime,
            TimestampType::LogAppendTime => ottla_records::TimestampType::LogAppendTime,
        },
        message_timestamp_before_max_ms: config.message_timestamp_before_max_ms,
        message_timestamp_after_max_ms: config.message_timestamp_after_max_ms,
        preallocate: config.preallocate,
    }
}
