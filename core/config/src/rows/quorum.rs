//! The metadata quorum and its log.

use ottla_base::config_table;

config_table! {
    /// The metadata quorum and its log.
    pub struct QuorumSettings in QUORUM_ROWS, scope Broker;

    /// Names of the listeners on which controllers are reached; the first is the one brokers use.
    "controller.listener.names" => controller_listener_names: Vec<String>
        [List = required, List{empty: false, of: &[]}, High, ReadOnly, Served];

    /// Fixed set of voters, each as `id@host:port`; leave empty where voters are kept in the
    /// metadata log.
    "controller.quorum.voters" => voters: Vec<String> [List = "", Voters, High, ReadOnly, Served];

    /// Addresses at which the metadata quorum can be found when it keeps its voters itself.
    "controller.quorum.bootstrap.servers" => bootstrap_servers: Vec<String>
        [List = "", HostPorts, High, ReadOnly, Served];

    /// A voter that cannot reach the leader for this long asks for an election.
    "controller.quorum.election.timeout.ms" => election_timeout_ms: i32
        [Int = "1000", AtLeast(0), High, ReadOnly, Served];

    /// Longest pause before another election after one without a winner.
    "controller.quorum.election.backoff.max.ms" => election_backoff_max_ms: i32
        [Int = "1000", AtLeast(0), High, ReadOnly, Served];

    /// A follower without a good fetch for this long stands for election; a leader without fetches
    /// from a majority steps down.
    "controller.quorum.fetch.timeout.ms" => fetch_timeout_ms: i32
        [Int = "2000", AtLeast(0), High, ReadOnly, Served];

    /// How long a request of the quorum may stay unanswered.
    "controller.quorum.request.timeout.ms" => request_timeout_ms: i32
        [Int = "2000", AtLeast(0), Medium, ReadOnly, Served];

    /// Pause before a failed request of the quorum is sent again.
    "controller.quorum.retry.backoff.ms" => retry_backoff_ms: i32
        [Int = "20", AtLeast(0), Low, ReadOnly, Served];

    /// How long the quorum leader gathers records before it writes them; Ottla writes at once and
    /// flushes in groups.
    "controller.quorum.append.linger.ms" => append_linger_ms: i32
        [Int = "25", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Whether a new controller makes itself a voter.
    "controller.quorum.auto.join.enable" => auto_join: bool
        [Boolean = "false", Any, Low, ReadOnly, Accepted];

    /// Most bytes of the metadata log in one fetch.
    "controller.quorum.fetch.max.bytes" => fetch_max_bytes: i32
        [Int = "1048576", AtLeast(1), Low, ReadOnly, Accepted];

    /// Most bytes of a metadata snapshot in one fetch.
    "controller.quorum.fetch.snapshot.max.bytes" => fetch_snapshot_max_bytes: i32
        [Int = "1048576", AtLeast(1), Low, ReadOnly, Accepted];

    /// Time limit on connections from a controller to brokers.
    "controller.socket.timeout.ms" [Int = "30000", Any, Medium, ReadOnly, Accepted];

    /// Controller events slower than this are always logged.
    "controller.performance.always.log.threshold.ms"
        [Long = "2000", AtLeast(0), Medium, ReadOnly, Accepted, internal];

    /// Period of the controller's report on its slow events.
    "controller.performance.sample.period.ms"
        [Long = "60000", AtLeast(100), Medium, ReadOnly, Accepted, internal];

    /// Pause between two looks at whether leaders sit on their preferred replicas.
    "leader.imbalance.check.interval.seconds" => leader_imbalance_check_interval_seconds: i64
        [Long = "300", AtLeast(1), High, ReadOnly, Accepted];

    /// Whether leadership returns by itself to the preferred replica.
    "auto.leader.rebalance.enable" => auto_leader_rebalance: bool
        [Boolean = "true", Any, High, ReadOnly, Accepted];

    /// Pause between two tries of unclean elections where they are allowed.
    "unclean.leader.election.interval.ms"
        [Long = "300000", AtLeast(1), Medium, ReadOnly, Accepted, internal];

    /// Listeners that open before the metadata has been loaded; the controller's by default.
    "early.start.listeners" [List = null, List{empty: true, of: &[]}, High, ReadOnly, Accepted];

    /// Directory of the metadata log; the first of `log.dirs` if not given.
    "metadata.log.dir" => metadata_log_dir: Option<String>
        [String = null, Any, High, ReadOnly, Served];

    /// A segment of the metadata log is closed at this size.
    "metadata.log.segment.bytes" => metadata_log_segment_bytes: i32
        [Int = "1073741824", AtLeast(8_388_608), High, ReadOnly, Served];

    /// Overrides `metadata.log.segment.bytes` in tests.
    "internal.metadata.log.segment.bytes" [Int = null, Any, Low, ReadOnly, Accepted, internal];

    /// A segment of the metadata log is closed at this age.
    "metadata.log.segment.ms" => metadata_log_segment_ms: i64
        [Long = "604800000", Any, High, ReadOnly, Served];

    /// A snapshot of the metadata is written after this many bytes of new records.
    "metadata.log.max.record.bytes.between.snapshots" => metadata_max_record_bytes_between_snapshots: i64
        [Long = "20971520", AtLeast(1), High, ReadOnly, Served];

    /// A snapshot of the metadata is written at least this often while records arrive; 0 leaves it
    /// to the size alone.
    "metadata.log.max.snapshot.interval.ms" => metadata_max_snapshot_interval_ms: i64
        [Long = "3600000", AtLeast(0), High, ReadOnly, Served];

    /// The quorum leader writes an empty record this often when nothing else is written; 0 never.
    "metadata.max.idle.interval.ms" => metadata_max_idle_interval_ms: i32
        [Int = "500", AtLeast(0), Low, ReadOnly, Served];

    /// Old snapshots and metadata segments go once together they exceed this size.
    "metadata.max.retention.bytes" => metadata_max_retention_bytes: i64
        [Long = "104857600", Any, High, ReadOnly, Served];

    /// Old snapshots and metadata segments go at this age.
    "metadata.max.retention.ms" => metadata_max_retention_ms: i64
        [Long = "604800000", Any, High, ReadOnly, Served];

    /// Delay between renaming and removing a file of the metadata log.
    "internal.metadata.delete.delay.millis"
        [Long = "60000", Any, Low, ReadOnly, Accepted, internal];

    /// Largest batch of the metadata log.
    "internal.metadata.max.batch.size.in.bytes"
        [Int = "8388608", Any, Low, ReadOnly, Accepted, internal];
}
