//! Streams groups (KIP-1071).

use ottla_base::config_table;

config_table! {
    /// Streams groups (KIP-1071).
    pub rows STREAMS_ROWS, scope Broker;

    /// A member of a streams group that is silent for this long is expelled.
    "group.streams.session.timeout.ms" [Int = "45000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Shortest session timeout that a streams group's own configuration may set.
    "group.streams.min.session.timeout.ms" [Int = "45000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Longest session timeout that a streams group's own configuration may set.
    "group.streams.max.session.timeout.ms" [Int = "60000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Heartbeat interval told to members of streams groups.
    "group.streams.heartbeat.interval.ms" [Int = "5000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Shortest heartbeat interval that a streams group's own configuration may set.
    "group.streams.min.heartbeat.interval.ms"
        [Int = "5000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Longest heartbeat interval that a streams group's own configuration may set.
    "group.streams.max.heartbeat.interval.ms"
        [Int = "15000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Most members of a streams group.
    "group.streams.max.size" [Int = "2147483647", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Spare copies of each task's state.
    "group.streams.num.standby.replicas" [Int = "0", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Most spare copies that a streams group's own configuration may set.
    "group.streams.max.standby.replicas" [Int = "2", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Copies that may be warming up at a time before a task moves.
    "group.streams.num.warmup.replicas"
        [Int = "2", AtLeast(0), Medium, ReadOnly, Accepted, internal];

    /// Most warming copies that a streams group's own configuration may set.
    "group.streams.max.warmup.replicas"
        [Int = "20", AtLeast(0), Medium, ReadOnly, Accepted, internal];

    /// A copy that lags by no more than this many records may take its task over.
    "group.streams.acceptable.recovery.lag"
        [Long = "10000", AtLeast(0), Medium, ReadOnly, Accepted, internal];

    /// A new streams group waits this long for more members.
    "group.streams.initial.rebalance.delay.ms"
        [Int = "3000", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Task assignors of streams groups; the first is the default.
    "group.streams.assignors"
        [List = "sticky", List{empty: false, of: &[]}, Medium, ReadOnly, Accepted];

    /// Least time between two new assignments of a streams group.
    "group.streams.assignment.interval.ms"
        [Int = "1000", AtLeast(0), Medium, ClusterWide, Accepted];

    /// Shortest assignment interval that a streams group's own configuration may set.
    "group.streams.min.assignment.interval.ms" [Int = "0", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Longest assignment interval that a streams group's own configuration may set.
    "group.streams.max.assignment.interval.ms"
        [Int = "15000", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Whether assignments of streams groups are computed off the coordinator's thread.
    "group.streams.assignor.offload.enable"
        [Boolean = "true", Any, Medium, ClusterWide, Accepted, internal];

    /// How often members report how far their tasks are.
    "group.streams.task.offset.interval.ms"
        [Int = "60000", AtLeast(1), Medium, ReadOnly, Accepted, internal];

    /// Shortest report interval that a streams group's own configuration may set.
    "group.streams.min.task.offset.interval.ms"
        [Int = "15000", AtLeast(1), Medium, ReadOnly, Accepted, internal];

    /// Client tags over which spare copies are spread.
    "group.streams.rack.aware.assignment.tags"
        [List = "", List{empty: true, of: &[]}, Low, ReadOnly, Accepted];

    /// Java class that keeps descriptions of topologies; there is no Java here.
    "group.streams.topology.description.plugin.class"
        [Class = null, Any, Medium, ReadOnly, Refused];
}
