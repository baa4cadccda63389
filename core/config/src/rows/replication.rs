//! Copies of partitions on other brokers.

use ottla_base::config_table;

config_table! {
    /// Copies of partitions on other brokers.
    pub struct ReplicationSettings in REPLICATION_ROWS, scope Broker;

    /// Replicas that must be in sync for a write with acks=all to be taken.
    "min.insync.replicas" => min_insync_replicas: i32
        [Int = "1", AtLeast(1), High, ClusterWide, Served];

    /// Whether a replica that may lack records can become leader when no better one lives.
    "unclean.leader.election.enable" => unclean_leader_election: bool
        [Boolean = "false", Any, High, ClusterWide, Served];

    /// A follower that has not caught up for this long leaves the in-sync replicas.
    "replica.lag.time.max.ms" => replica_lag_time_max_ms: i64
        [Long = "30000", Any, High, ReadOnly, Accepted];

    /// Bytes of one partition that a follower asks for at a time.
    "replica.fetch.max.bytes" => replica_fetch_max_bytes: i32
        [Int = "1048576", AtLeast(0), Medium, ReadOnly, Accepted];

    /// A follower's fetch waits until this many bytes are there.
    "replica.fetch.min.bytes" => replica_fetch_min_bytes: i32
        [Int = "1", Any, High, ReadOnly, Accepted];

    /// Bytes over all partitions that a follower asks for at a time.
    "replica.fetch.response.max.bytes" => replica_fetch_response_max_bytes: i32
        [Int = "10485760", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Longest wait of a follower's fetch.
    "replica.fetch.wait.max.ms" => replica_fetch_wait_max_ms: i32
        [Int = "500", Any, High, ReadOnly, Accepted];

    /// Pause of a follower after a failed fetch of a partition.
    "replica.fetch.backoff.ms" => replica_fetch_backoff_ms: i32
        [Int = "1000", AtLeast(0), Medium, ReadOnly, Accepted];

    /// How often the high watermarks are written down.
    "replica.high.watermark.checkpoint.interval.ms" => replica_high_watermark_checkpoint_interval_ms: i64
        [Long = "5000", Any, High, ReadOnly, Served];

    /// Time limit on a follower's connection to its leader.
    "replica.socket.timeout.ms" => replica_socket_timeout_ms: i32
        [Int = "30000", Any, High, ReadOnly, Accepted];

    /// Receive buffer of a follower's connection to its leader.
    "replica.socket.receive.buffer.bytes" => replica_socket_receive_buffer_bytes: i32
        [Int = "65536", Any, High, ReadOnly, Accepted];

    /// Java class that sends consumers to the nearest replica; there is no Java here.
    "replica.selector.class" [String = null, Any, Medium, ReadOnly, Refused];

    /// Fetching tasks per leader that a follower runs.
    "num.replica.fetchers" => num_replica_fetchers: i32
        [Int = "1", AtLeast(1), High, ClusterWide, Accepted];

    /// Windows over which replication rates are measured.
    "replication.quota.window.num" [Int = "11", AtLeast(1), Low, ReadOnly, Accepted];

    /// Length of a window over which replication rates are measured.
    "replication.quota.window.size.seconds" [Int = "1", AtLeast(1), Low, ReadOnly, Accepted];

    /// Windows over which the rate of moves between directories is measured.
    "alter.log.dirs.replication.quota.window.num" [Int = "11", AtLeast(1), Low, ReadOnly, Accepted];

    /// Length of a window over which the rate of moves between directories is measured.
    "alter.log.dirs.replication.quota.window.size.seconds"
        [Int = "1", AtLeast(1), Low, ReadOnly, Accepted];

    /// Bytes per second that leaders on this broker send for throttled replicas.
    "leader.replication.throttled.rate"
        [Long = "9223372036854775807", AtLeast(0), Medium, ClusterWide, Accepted];

    /// Bytes per second that followers on this broker read for throttled replicas.
    "follower.replication.throttled.rate"
        [Long = "9223372036854775807", AtLeast(0), Medium, ClusterWide, Accepted];

    /// Bytes per second spent on moving partitions between directories of this broker.
    "replica.alter.log.dirs.io.max.bytes.per.second"
        [Long = "9223372036854775807", AtLeast(0), Medium, ClusterWide, Accepted];

    /// Whether a new follower of a tiered topic starts behind what remote storage holds.
    "follower.fetch.last.tiered.offset.enable"
        [Boolean = "false", Any, Medium, ClusterWide, Accepted];
}
