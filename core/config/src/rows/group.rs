//! Consumer groups and their offsets.

use ottla_base::config_table;

config_table! {
    /// Consumer groups and their offsets.
    pub struct GroupSettings in GROUP_ROWS, scope Broker;

    /// Partitions of `__consumer_offsets`; must not change once the topic is there.
    "offsets.topic.num.partitions" => offsets_topic_num_partitions: i32
        [Int = "50", AtLeast(1), High, ReadOnly, Served];

    /// Replicas of `__consumer_offsets`.
    "offsets.topic.replication.factor" => offsets_topic_replication_factor: i16
        [Short = "3", AtLeast(1), High, ReadOnly, Served];

    /// Segment size of `__consumer_offsets`.
    "offsets.topic.segment.bytes" => offsets_topic_segment_bytes: i32
        [Int = "104857600", AtLeast(1), High, ReadOnly, Served];

    /// Codec number of the batches that the group coordinator writes.
    "offsets.topic.compression.codec" => offsets_topic_compression_codec: i32
        [Int = "0", Any, High, ReadOnly, Served];

    /// Bytes read at a time while a coordinator loads its partition.
    "offsets.load.buffer.size" => offsets_load_buffer_size: i32
        [Int = "5242880", AtLeast(1), High, ReadOnly, Served];

    /// How long a commit may wait for its replicas.
    "offsets.commit.timeout.ms" => offsets_commit_timeout_ms: i32
        [Int = "5000", AtLeast(1), High, ReadOnly, Served];

    /// Offsets of a group without members are dropped after this long.
    "offsets.retention.minutes" => offsets_retention_minutes: i32
        [Int = "10080", AtLeast(1), High, ReadOnly, Served];

    /// Pause between two looks for offsets to drop.
    "offsets.retention.check.interval.ms" => offsets_retention_check_interval_ms: i64
        [Long = "600000", AtLeast(1), High, ReadOnly, Served];

    /// Longest text that may go with a committed offset.
    "offset.metadata.max.bytes" => offset_metadata_max_bytes: i32
        [Int = "4096", Any, High, ReadOnly, Served];

    /// Shortest session timeout a classic member may ask for.
    "group.min.session.timeout.ms" => min_session_timeout_ms: i32
        [Int = "6000", Any, Medium, ReadOnly, Served];

    /// Longest session timeout a classic member may ask for.
    "group.max.session.timeout.ms" => max_session_timeout_ms: i32
        [Int = "1800000", Any, Medium, ReadOnly, Served];

    /// A new classic group waits this long for more members before its first rebalance.
    "group.initial.rebalance.delay.ms" => initial_rebalance_delay_ms: i32
        [Int = "3000", Any, Medium, ReadOnly, Served];

    /// Most members of a classic group.
    "group.max.size" => max_size: i32 [Int = "2147483647", AtLeast(1), Medium, ReadOnly, Served];

    /// Threads of the group coordinator; Ottla runs it on its workers.
    "group.coordinator.threads" [Int = "4", AtLeast(1), High, ReadOnly, Accepted];

    /// Threads for the slow work of the group coordinator; Ottla runs it on its workers.
    "group.coordinator.background.threads" [Int = "2", AtLeast(1), High, ReadOnly, Accepted];

    /// How long the coordinator gathers records before it writes them; -1 adapts to the load.
    "group.coordinator.append.linger.ms" => coordinator_append_linger_ms: i32
        [Int = "-1", AtLeast(-1), Medium, ReadOnly, Accepted];

    /// Largest buffer that the coordinator keeps for reuse.
    "group.coordinator.cached.buffer.max.bytes"
        [Int = "1048588", AtLeast(524_288), Medium, ClusterWide, Accepted];

    /// Group protocols that are served.
    "group.coordinator.rebalance.protocols" => coordinator_rebalance_protocols: Vec<String>
        [List = "classic,consumer,streams", List{empty: false, of: &["consumer", "classic",
         "share", "streams"]}, Medium, ReadOnly, Accepted];

    /// A member of a consumer group (KIP-848) that is silent for this long is expelled.
    "group.consumer.session.timeout.ms" => consumer_session_timeout_ms: i32
        [Int = "45000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Shortest session timeout that a group's own configuration may set.
    "group.consumer.min.session.timeout.ms" [Int = "45000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Longest session timeout that a group's own configuration may set.
    "group.consumer.max.session.timeout.ms" [Int = "60000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Heartbeat interval told to members of consumer groups.
    "group.consumer.heartbeat.interval.ms" => consumer_heartbeat_interval_ms: i32
        [Int = "5000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Shortest heartbeat interval that a group's own configuration may set.
    "group.consumer.min.heartbeat.interval.ms"
        [Int = "5000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Longest heartbeat interval that a group's own configuration may set.
    "group.consumer.max.heartbeat.interval.ms"
        [Int = "15000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Most members of a consumer group.
    "group.consumer.max.size" => consumer_max_size: i32
        [Int = "2147483647", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Assignors that the broker offers to consumer groups; the first is the default.
    "group.consumer.assignors" => consumer_assignors: Vec<String>
        [List = "uniform,range", List{empty: false, of: &[]}, Medium, ReadOnly, Accepted];

    /// Least time between two new assignments of a consumer group.
    "group.consumer.assignment.interval.ms"
        [Int = "1000", AtLeast(0), Medium, ClusterWide, Accepted];

    /// Shortest assignment interval that a group's own configuration may set.
    "group.consumer.min.assignment.interval.ms" [Int = "0", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Longest assignment interval that a group's own configuration may set.
    "group.consumer.max.assignment.interval.ms"
        [Int = "15000", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Whether assignments of consumer groups are computed off the coordinator's thread.
    "group.consumer.assignor.offload.enable"
        [Boolean = "true", Any, Medium, ClusterWide, Accepted, internal];

    /// Which ways a group may change between the classic and the consumer protocol while it has
    /// members.
    "group.consumer.migration.policy" => consumer_migration_policy: String
        [String = "bidirectional", OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE",
         "BIDIRECTIONAL"]), Medium, ReadOnly, Accepted];

    /// How often the topics that match a subscription pattern are looked up again.
    "group.consumer.regex.refresh.interval.ms"
        [Int = "600000", AtLeast(10_000), Medium, ReadOnly, Accepted, internal];
}
