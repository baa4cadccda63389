//! Logs of partitions: where they are, how they roll, what is kept.

use ottla_base::config_table;

use crate::enums::{CompressionType, TimestampType};

config_table! {
    /// Logs of partitions: where they are, how they roll, what is kept.
    pub struct LogSettings in LOG_ROWS, scope Broker;

    /// Directories of the logs, where `log.dirs` is not given.
    "log.dir" => log_dir: Vec<String>
        [List = "/tmp/kafka-logs", List{empty: false, of: &[]}, High, ReadOnly, Served];

    /// Directories of the logs; partitions are spread over them.
    "log.dirs" => log_dirs: Option<Vec<String>>
        [List = null, List{empty: false, of: &[]}, High, ReadOnly, Served];

    /// Log directories that take no new partitions; `*` means all.
    "cordoned.log.dirs" [List = "", List{empty: true, of: &[]}, Medium, PerBroker, Accepted];

    /// A broker that cannot tell the controller of a failed directory for this long stops.
    "log.dir.failure.timeout.ms" [Long = "30000", AtLeast(1), Low, ReadOnly, Accepted];

    /// Threads per log directory that check logs after an unclean stop and flush them at shutdown.
    "num.recovery.threads.per.data.dir" => num_recovery_threads_per_data_dir: i32
        [Int = "2", AtLeast(1), High, ClusterWide, Served];

    /// Threads that move partitions between the directories of a broker.
    "num.replica.alter.log.dirs.threads" [Int = null, Any, High, ReadOnly, Accepted];

    /// A segment is closed before it grows beyond this size.
    "log.segment.bytes" => segment_bytes: i32
        [Int = "1073741824", AtLeast(1_048_576), High, ClusterWide, Served];

    /// A segment is closed at this age; unset, `log.roll.hours` holds.
    "log.roll.ms" => roll_ms: Option<i64>
        [Long = null, Any, High, ClusterWide, Served; synonyms "log.roll.ms" "log.roll.hours"];

    /// A segment is closed at this age, in hours.
    "log.roll.hours" => roll_hours: i32
        [Int = "168", AtLeast(1), High, ReadOnly, Served; synonyms "log.roll.ms" "log.roll.hours"];

    /// Up to this much is taken off the age at which a segment is closed, by chance; unset,
    /// `log.roll.jitter.hours` holds.
    "log.roll.jitter.ms" => roll_jitter_ms: Option<i64>
        [Long = null, Any, High, ClusterWide, Served;
         synonyms "log.roll.jitter.ms" "log.roll.jitter.hours"];

    /// Up to this much is taken off the age at which a segment is closed, by chance, in hours.
    "log.roll.jitter.hours" => roll_jitter_hours: i32
        [Int = "0", AtLeast(0), High, ReadOnly, Served;
         synonyms "log.roll.jitter.ms" "log.roll.jitter.hours"];

    /// Closed segments are removed once their newest record is this old; -1 keeps them. Unset,
    /// `log.retention.minutes` holds.
    "log.retention.ms" => retention_ms: Option<i64>
        [Long = null, Any, High, ClusterWide, Served;
         synonyms "log.retention.ms" "log.retention.minutes" "log.retention.hours"];

    /// As `log.retention.ms`, in minutes; unset, `log.retention.hours` holds.
    "log.retention.minutes" => retention_minutes: Option<i32>
        [Int = null, Any, High, ReadOnly, Served;
         synonyms "log.retention.ms" "log.retention.minutes" "log.retention.hours"];

    /// As `log.retention.ms`, in hours.
    "log.retention.hours" => retention_hours: i32
        [Int = "168", Any, High, ReadOnly, Served;
         synonyms "log.retention.ms" "log.retention.minutes" "log.retention.hours"];

    /// The oldest segments of a partition are removed while it is larger than this; -1 sets no
    /// limit.
    "log.retention.bytes" => retention_bytes: i64 [Long = "-1", Any, High, ClusterWide, Served];

    /// Pause between two looks for segments to remove.
    "log.retention.check.interval.ms" => retention_check_interval_ms: i64
        [Long = "300000", AtLeast(1), Medium, ReadOnly, Served];

    /// What happens to old records: `delete` by age and size, `compact` to the newest per key, or
    /// both; empty keeps all.
    "log.cleanup.policy" => cleanup_policy: Vec<String>
        [List = "delete", List{empty: true, of: &["compact", "delete"]}, Medium, ClusterWide,
         Served];

    /// Largest offset or time index of a segment.
    "log.index.size.max.bytes" => index_size_max_bytes: i32
        [Int = "10485760", AtLeast(4), Medium, ClusterWide, Served];

    /// Bytes of records between two entries of an index.
    "log.index.interval.bytes" => index_interval_bytes: i32
        [Int = "4096", AtLeast(0), Medium, ClusterWide, Served];

    /// A partition is flushed to disk after this many records.
    "log.flush.interval.messages" => flush_interval_messages: i64
        [Long = "9223372036854775807", AtLeast(1), High, ClusterWide, Served];

    /// A record is flushed to disk after at most this long; unset,
    /// `log.flush.scheduler.interval.ms` holds.
    "log.flush.interval.ms" => flush_interval_ms: Option<i64>
        [Long = null, Any, High, ClusterWide, Served;
         synonyms "log.flush.interval.ms" "log.flush.scheduler.interval.ms"];

    /// Pause between two looks for partitions to flush.
    "log.flush.scheduler.interval.ms" => flush_scheduler_interval_ms: i64
        [Long = "9223372036854775807", Any, High, ReadOnly, Served];

    /// How often the recovery points are written down.
    "log.flush.offset.checkpoint.interval.ms" => flush_offset_checkpoint_interval_ms: i32
        [Int = "60000", AtLeast(0), High, ReadOnly, Served];

    /// How often the log start offsets are written down.
    "log.flush.start.offset.checkpoint.interval.ms" => flush_start_offset_checkpoint_interval_ms: i32
        [Int = "60000", AtLeast(0), High, ReadOnly, Served];

    /// How long a removed segment stays on disk for readers that still use it.
    "log.segment.delete.delay.ms" => segment_delete_delay_ms: i64
        [Long = "60000", AtLeast(0), High, ClusterWide, Served];

    /// Pause after start before retention, flushing and checkpoints begin.
    "log.initial.task.delay.ms" => initial_task_delay_ms: i64
        [Long = "30000", AtLeast(0), Low, ReadOnly, Served, internal];

    /// Whether the file of a new segment gets its full size at once.
    "log.preallocate" => preallocate: bool [Boolean = "false", Any, Medium, ClusterWide, Served];

    /// Whose time a record carries: its producer's or the broker's at append.
    "log.message.timestamp.type" => message_timestamp_type: TimestampType
        [String = "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]), Medium, ClusterWide,
         Served];

    /// A record whose timestamp lies further in the past than this is refused.
    "log.message.timestamp.before.max.ms" => message_timestamp_before_max_ms: i64
        [Long = "9223372036854775807", AtLeast(0), Medium, ClusterWide, Served];

    /// A record whose timestamp lies further in the future than this is refused.
    "log.message.timestamp.after.max.ms" => message_timestamp_after_max_ms: i64
        [Long = "3600000", AtLeast(0), Medium, ClusterWide, Served];

    /// Largest batch of records that is taken, compressed as it comes.
    "message.max.bytes" => message_max_bytes: i32
        [Int = "1048588", AtLeast(0), High, ClusterWide, Served];

    /// Largest size that a compressed batch may unfold to when the broker has to look inside.
    "max.decompressed.message.bytes" => max_decompressed_message_bytes: i32
        [Int = "2147483639", Between(1, 2_147_483_639), Medium, ClusterWide, Served];

    /// Codec in which batches are stored; `producer` keeps what the producer chose.
    "compression.type" => compression_type: CompressionType
        [String = "producer", OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip",
         "producer"]), High, ClusterWide, Served];

    /// Effort of gzip where the broker compresses; -1 is the library's choice.
    "compression.gzip.level" => compression_gzip_level: i32
        [Int = "-1", GzipLevel, Medium, ClusterWide, Served];

    /// Effort of lz4 where the broker compresses.
    "compression.lz4.level" => compression_lz4_level: i32
        [Int = "9", Between(1, 17), Medium, ClusterWide, Served];

    /// Effort of zstd where the broker compresses.
    "compression.zstd.level" => compression_zstd_level: i32
        [Int = "3", Between(-131_072, 22), Medium, ClusterWide, Served];

    /// Whether compacted topics are compacted at all.
    "log.cleaner.enable" [Boolean = "true", Any, Medium, ReadOnly, Accepted];

    /// Threads that compact.
    "log.cleaner.threads" => cleaner_threads: i32
        [Int = "1", AtLeast(0), Medium, ClusterWide, Accepted];

    /// Pause of a compaction thread that found nothing to do.
    "log.cleaner.backoff.ms" [Long = "15000", AtLeast(0), Medium, ClusterWide, Accepted];

    /// Memory for the keys seen by one round of compaction, over all threads.
    "log.cleaner.dedupe.buffer.size" => cleaner_dedupe_buffer_size: i64
        [Long = "134217728", Any, Medium, ClusterWide, Accepted];

    /// Memory for reading and writing during compaction, over all threads.
    "log.cleaner.io.buffer.size" [Int = "524288", AtLeast(0), Medium, ClusterWide, Accepted];

    /// How full the key table of a compaction may get.
    "log.cleaner.io.buffer.load.factor" [Double = "0.9", Any, Medium, ClusterWide, Accepted];

    /// Bytes per second that compaction may read and write.
    "log.cleaner.io.max.bytes.per.second"
        [Double = "1.7976931348623157E308", Any, Medium, ClusterWide, Accepted];

    /// How long a compacted topic keeps the mark of a deleted key.
    "log.cleaner.delete.retention.ms" => cleaner_delete_retention_ms: i64
        [Long = "86400000", AtLeast(0), Medium, ClusterWide, Accepted];

    /// A record younger than this is never compacted away.
    "log.cleaner.min.compaction.lag.ms" => cleaner_min_compaction_lag_ms: i64
        [Long = "0", AtLeast(0), Medium, ClusterWide, Accepted];

    /// A record older than this makes its log due for compaction.
    "log.cleaner.max.compaction.lag.ms" => cleaner_max_compaction_lag_ms: i64
        [Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Accepted];

    /// Share of a log that must be new before it is compacted.
    "log.cleaner.min.cleanable.ratio" => cleaner_min_cleanable_ratio: f64
        [Double = "0.5", BetweenDouble(0.0, 1.0), Medium, ClusterWide, Accepted];

    /// A partition forgets a producer that has not written for this long.
    "producer.id.expiration.ms" => producer_id_expiration_ms: i32
        [Int = "86400000", AtLeast(1), Low, ClusterWide, Served];

    /// Pause between two looks for producers to forget.
    "producer.id.expiration.check.interval.ms" => producer_id_expiration_check_interval_ms: i32
        [Int = "600000", AtLeast(1), Low, ReadOnly, Served, internal];
}
