//! What a topic can set for itself.

use ottla_base::config_table;

use crate::enums::{CompressionType, TimestampType};

config_table! {
    /// What a topic can set for itself.
    pub struct TopicConfig in TOPIC_ROWS, scope Topic;

    /// What happens to old records: `delete` by age and size, `compact` to the newest per key, or
    /// both; empty keeps all.
    "cleanup.policy" => cleanup_policy: Vec<String>
        [List = "delete", List{empty: true, of: &["compact", "delete"]}, Medium, ClusterWide,
         Served; synonyms "log.cleanup.policy"];

    /// Effort of gzip where the broker compresses; -1 is the library's choice.
    "compression.gzip.level" => compression_gzip_level: i32
        [Int = "-1", GzipLevel, Medium, ClusterWide, Served; synonyms "compression.gzip.level"];

    /// Effort of lz4 where the broker compresses.
    "compression.lz4.level" => compression_lz4_level: i32
        [Int = "9", Between(1, 17), Medium, ClusterWide, Served; synonyms "compression.lz4.level"];

    /// Codec in which batches are stored; `producer` keeps what the producer chose.
    "compression.type" => compression_type: CompressionType
        [String = "producer", OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip",
         "producer"]), Medium, ClusterWide, Served; synonyms "compression.type"];

    /// Effort of zstd where the broker compresses.
    "compression.zstd.level" => compression_zstd_level: i32
        [Int = "3", Between(-131_072, 22), Medium, ClusterWide, Served;
         synonyms "compression.zstd.level"];

    /// How long a compacted topic keeps the mark of a deleted key.
    "delete.retention.ms" => delete_retention_ms: i64
        [Long = "86400000", AtLeast(0), Medium, ClusterWide, Accepted;
         synonyms "log.cleaner.delete.retention.ms"];

    /// Whether share groups may use this topic as their dead letter queue.
    "errors.deadletterqueue.group.enable" [Boolean = "false", Any, Medium, ClusterWide, Accepted];

    /// How long a removed segment stays on disk for readers that still use it.
    "file.delete.delay.ms" => file_delete_delay_ms: i64
        [Long = "60000", AtLeast(0), Medium, ClusterWide, Served;
         synonyms "log.segment.delete.delay.ms"];

    /// The partition is flushed to disk after this many records.
    "flush.messages" => flush_messages: i64
        [Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Served;
         synonyms "log.flush.interval.messages"];

    /// A record is flushed to disk after at most this long.
    "flush.ms" => flush_ms: i64
        [Long = "9223372036854775807", AtLeast(0), Medium, ClusterWide, Served;
         synonyms "log.flush.interval.ms" "log.flush.scheduler.interval.ms"];

    /// Replicas whose catching up is throttled on the follower's side, as `partition:broker` pairs,
    /// or `*`.
    "follower.replication.throttled.replicas" => follower_replication_throttled_replicas: Vec<String>
        [List = "", ThrottledReplicas, Medium, ClusterWide, Accepted];

    /// Bytes of records between two entries of an index.
    "index.interval.bytes" => index_interval_bytes: i32
        [Int = "4096", AtLeast(0), Medium, ClusterWide, Served;
         synonyms "log.index.interval.bytes"];

    /// Segment size below the lower limit of `segment.bytes`, for tests.
    "internal.segment.bytes" => internal_segment_bytes: Option<i32>
        [Int = null, Any, Medium, ClusterWide, Served, internal];

    /// Replicas whose catching up is throttled on the leader's side, as `partition:broker` pairs,
    /// or `*`.
    "leader.replication.throttled.replicas" => leader_replication_throttled_replicas: Vec<String>
        [List = "", ThrottledReplicas, Medium, ClusterWide, Accepted];

    /// Bytes of a tiered partition kept on local disk; -2 means as much as in all.
    "local.retention.bytes" => local_retention_bytes: i64
        [Long = "-2", AtLeast(-2), Medium, ClusterWide, Accepted;
         synonyms "log.local.retention.bytes"];

    /// Age up to which a tiered partition is kept on local disk; -2 means as long as in all.
    "local.retention.ms" => local_retention_ms: i64
        [Long = "-2", AtLeast(-2), Medium, ClusterWide, Accepted;
         synonyms "log.local.retention.ms"];

    /// A record older than this makes its log due for compaction.
    "max.compaction.lag.ms" => max_compaction_lag_ms: i64
        [Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Accepted;
         synonyms "log.cleaner.max.compaction.lag.ms"];

    /// Largest size that a compressed batch may unfold to when the broker has to look inside.
    "max.decompressed.message.bytes" => max_decompressed_message_bytes: i32
        [Int = "2147483639", Between(1, 2_147_483_639), Medium, ClusterWide, Served;
         synonyms "max.decompressed.message.bytes"];

    /// Largest batch of records that is taken, compressed as it comes.
    "max.message.bytes" => max_message_bytes: i32
        [Int = "1048588", AtLeast(0), Medium, ClusterWide, Served; synonyms "message.max.bytes"];

    /// A record whose timestamp lies further in the future than this is refused.
    "message.timestamp.after.max.ms" => message_timestamp_after_max_ms: i64
        [Long = "3600000", AtLeast(0), Medium, ClusterWide, Served;
         synonyms "log.message.timestamp.after.max.ms"];

    /// A record whose timestamp lies further in the past than this is refused.
    "message.timestamp.before.max.ms" => message_timestamp_before_max_ms: i64
        [Long = "9223372036854775807", AtLeast(0), Medium, ClusterWide, Served;
         synonyms "log.message.timestamp.before.max.ms"];

    /// Whose time a record carries: its producer's or the broker's at append.
    "message.timestamp.type" => message_timestamp_type: TimestampType
        [String = "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]), Medium, ClusterWide,
         Served; synonyms "log.message.timestamp.type"];

    /// Share of a log that must be new before it is compacted.
    "min.cleanable.dirty.ratio" => min_cleanable_dirty_ratio: f64
        [Double = "0.5", BetweenDouble(0.0, 1.0), Medium, ClusterWide, Accepted;
         synonyms "log.cleaner.min.cleanable.ratio"];

    /// A record younger than this is never compacted away.
    "min.compaction.lag.ms" => min_compaction_lag_ms: i64
        [Long = "0", AtLeast(0), Medium, ClusterWide, Accepted;
         synonyms "log.cleaner.min.compaction.lag.ms"];

    /// Replicas that must be in sync for a write with acks=all to be taken.
    "min.insync.replicas" => min_insync_replicas: i32
        [Int = "1", AtLeast(1), Medium, ClusterWide, Served; synonyms "min.insync.replicas"];

    /// Whether the file of a new segment gets its full size at once.
    "preallocate" => preallocate: bool
        [Boolean = "false", Any, Medium, ClusterWide, Served; synonyms "log.preallocate"];

    /// A segment is copied once this many bytes lie behind it; -1 sets no such condition.
    "remote.copy.lag.bytes" => remote_copy_lag_bytes: i64
        [Long = "-1", AtLeast(-1), Medium, ClusterWide, Accepted;
         synonyms "log.remote.copy.lag.bytes"];

    /// A segment is copied once it is this old; -1 sets no such condition.
    "remote.copy.lag.ms" => remote_copy_lag_ms: i64
        [Long = "0", AtLeast(-1), Medium, ClusterWide, Accepted; synonyms "log.remote.copy.lag.ms"];

    /// Whether a tiered topic stops copying and only reads what lies in the remote storage.
    "remote.log.copy.disable" => remote_log_copy_disable: bool
        [Boolean = "false", Any, Medium, ClusterWide, Accepted];

    /// Whether switching tiered storage off for the topic removes what lies there.
    "remote.log.delete.on.disable" => remote_log_delete_on_disable: bool
        [Boolean = "false", Any, Medium, ClusterWide, Accepted];

    /// Switches tiered storage on for the topic; refused while the broker has none.
    "remote.storage.enable" => remote_storage_enable: bool
        [Boolean = "false", Any, Medium, ClusterWide, Refused];

    /// The oldest segments of a partition are removed while it is larger than this; -1 sets no
    /// limit.
    "retention.bytes" => retention_bytes: i64
        [Long = "-1", Any, Medium, ClusterWide, Served; synonyms "log.retention.bytes"];

    /// Closed segments are removed once their newest record is this old; -1 keeps them.
    "retention.ms" => retention_ms: i64
        [Long = "604800000", AtLeast(-1), Medium, ClusterWide, Served;
         synonyms "log.retention.ms" "log.retention.minutes" "log.retention.hours"];

    /// A segment is closed before it grows beyond this size.
    "segment.bytes" => segment_bytes: i32
        [Int = "1073741824", AtLeast(1_048_576), Medium, ClusterWide, Served;
         synonyms "log.segment.bytes"];

    /// Largest offset or time index of a segment.
    "segment.index.bytes" => segment_index_bytes: i32
        [Int = "10485760", AtLeast(4), Medium, ClusterWide, Served;
         synonyms "log.index.size.max.bytes"];

    /// Up to this much is taken off the age at which a segment is closed, by chance.
    "segment.jitter.ms" => segment_jitter_ms: i64
        [Long = "0", AtLeast(0), Medium, ClusterWide, Served;
         synonyms "log.roll.jitter.ms" "log.roll.jitter.hours"];

    /// A segment is closed at this age.
    "segment.ms" => segment_ms: i64
        [Long = "604800000", AtLeast(1), Medium, ClusterWide, Served;
         synonyms "log.roll.ms" "log.roll.hours"];

    /// Whether a replica that may lack records can become leader when no better one lives.
    "unclean.leader.election.enable" => unclean_leader_election: bool
        [Boolean = "false", Any, Medium, ClusterWide, Served;
         synonyms "unclean.leader.election.enable"];
}
