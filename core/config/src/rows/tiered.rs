//! Tiered storage (KIP-405).

use ottla_base::config_table;

config_table! {
    /// Tiered storage (KIP-405).
    pub rows TIERED_ROWS, scope Broker;

    /// Switches tiered storage on; it is not built yet.
    "remote.log.storage.system.enable" [Boolean = "false", Any, Medium, ReadOnly, Refused];

    /// Java class of the remote storage.
    "remote.log.storage.manager.class.name" [String = null, NonEmpty, Medium, ReadOnly, Accepted];

    /// Where the classes of the remote storage are found.
    "remote.log.storage.manager.class.path" [String = null, Any, Medium, ReadOnly, Accepted];

    /// Prefix of the keys that are handed to the remote storage.
    "remote.log.storage.manager.impl.prefix"
        [String = "rsm.config.", NonEmpty, Medium, ReadOnly, Accepted];

    /// Java class that remembers what lies in the remote storage.
    "remote.log.metadata.manager.class.name"
        [String = "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
         NonEmpty, Medium, ReadOnly, Accepted];

    /// Where the classes of the remote metadata are found.
    "remote.log.metadata.manager.class.path" [String = null, Any, Medium, ReadOnly, Accepted];

    /// Prefix of the keys that are handed to the remote metadata manager.
    "remote.log.metadata.manager.impl.prefix"
        [String = "rlmm.config.", NonEmpty, Medium, ReadOnly, Accepted];

    /// Listener that the remote metadata manager connects to.
    "remote.log.metadata.manager.listener.name"
        [String = null, NonEmpty, Medium, ReadOnly, Accepted];

    /// Most bytes that the remote storage may attach to a segment.
    "remote.log.metadata.custom.metadata.max.bytes"
        [Int = "128", AtLeast(0), Low, ReadOnly, Accepted];

    /// Disk space for indexes fetched from the remote storage.
    "remote.log.index.file.cache.total.size.bytes"
        [Long = "1073741824", AtLeast(1), Low, ClusterWide, Accepted];

    /// How long a fetched index is kept unused.
    "remote.log.index.file.cache.ttl.ms"
        [Long = "900000", AtLeast(-1), Low, ReadOnly, Accepted, internal];

    /// Threads for the chores of tiered storage.
    "remote.log.manager.thread.pool.size" [Int = "2", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Threads that copy segments to the remote storage.
    "remote.log.manager.copier.thread.pool.size"
        [Int = "10", AtLeast(1), Medium, ClusterWide, Accepted];

    /// Threads that remove expired segments from the remote storage.
    "remote.log.manager.expiration.thread.pool.size"
        [Int = "10", AtLeast(1), Medium, ClusterWide, Accepted];

    /// Threads that follow the remote storage for partitions led elsewhere.
    "remote.log.manager.follower.thread.pool.size"
        [Int = "2", AtLeast(1), Medium, ClusterWide, Accepted];

    /// Pause between two runs of the chores of tiered storage.
    "remote.log.manager.task.interval.ms" [Long = "30000", AtLeast(1), Low, ReadOnly, Accepted];

    /// First pause after a failed chore of tiered storage.
    "remote.log.manager.task.retry.backoff.ms"
        [Long = "500", AtLeast(1), Low, ReadOnly, Accepted, internal];

    /// Longest pause after failed chores of tiered storage.
    "remote.log.manager.task.retry.backoff.max.ms"
        [Long = "30000", AtLeast(1), Low, ReadOnly, Accepted, internal];

    /// Share of the pause that is left to chance.
    "remote.log.manager.task.retry.jitter"
        [Double = "0.2", BetweenDouble(0.0, 0.5), Low, ReadOnly, Accepted, internal];

    /// Bytes per second copied to the remote storage.
    "remote.log.manager.copy.max.bytes.per.second"
        [Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Accepted];

    /// Windows over which the copy rate is measured.
    "remote.log.manager.copy.quota.window.num" [Int = "11", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Length of a window over which the copy rate is measured.
    "remote.log.manager.copy.quota.window.size.seconds"
        [Int = "1", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Bytes per second read from the remote storage.
    "remote.log.manager.fetch.max.bytes.per.second"
        [Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Accepted];

    /// Windows over which the read rate is measured.
    "remote.log.manager.fetch.quota.window.num"
        [Int = "11", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Length of a window over which the read rate is measured.
    "remote.log.manager.fetch.quota.window.size.seconds"
        [Int = "1", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Threads that read from the remote storage.
    "remote.log.reader.threads" [Int = "10", AtLeast(1), Medium, ClusterWide, Accepted];

    /// Reads from the remote storage that may wait.
    "remote.log.reader.max.pending.tasks" [Int = "100", AtLeast(1), Medium, ReadOnly, Accepted];

    /// How long a fetch waits for the remote storage.
    "remote.fetch.max.wait.ms" [Int = "500", AtLeast(1), Medium, ClusterWide, Accepted];

    /// How long ListOffsets waits for the remote storage.
    "remote.list.offsets.request.timeout.ms"
        [Long = "30000", AtLeast(1), Medium, ClusterWide, Accepted];

    /// Bytes of a tiered partition kept on local disk; -2 means as much as in all.
    "log.local.retention.bytes" [Long = "-2", AtLeast(-2), Medium, ClusterWide, Accepted];

    /// Age up to which a tiered partition is kept on local disk; -2 means as long as in all.
    "log.local.retention.ms" [Long = "-2", AtLeast(-2), Medium, ClusterWide, Accepted];

    /// A segment is copied once this many bytes lie behind it; -1 sets no such condition.
    "log.remote.copy.lag.bytes" [Long = "-1", AtLeast(-1), Medium, ClusterWide, Accepted];

    /// A segment is copied once it is this old; -1 sets no such condition.
    "log.remote.copy.lag.ms" [Long = "0", AtLeast(-1), Medium, ClusterWide, Accepted];
}
