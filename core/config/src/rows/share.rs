//! Share groups, their coordinator and dead letter queues.

use ottla_base::config_table;

config_table! {
    /// Share groups, their coordinator and dead letter queues.
    pub struct ShareSettings in SHARE_ROWS, scope Broker;

    /// A member of a share group that is silent for this long is expelled.
    "group.share.session.timeout.ms" [Int = "45000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Shortest session timeout that a share group's own configuration may set.
    "group.share.min.session.timeout.ms" [Int = "45000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Longest session timeout that a share group's own configuration may set.
    "group.share.max.session.timeout.ms" [Int = "60000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Heartbeat interval told to members of share groups.
    "group.share.heartbeat.interval.ms" [Int = "5000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Shortest heartbeat interval that a share group's own configuration may set.
    "group.share.min.heartbeat.interval.ms" [Int = "5000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Longest heartbeat interval that a share group's own configuration may set.
    "group.share.max.heartbeat.interval.ms" [Int = "15000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Most members of a share group.
    "group.share.max.size" [Int = "200", Between(1, 1000), Medium, ReadOnly, Accepted];

    /// Share sessions that a broker keeps.
    "group.share.max.share.sessions" [Int = "2000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Assignors of share groups.
    "group.share.assignors"
        [List = "simple", List{empty: false, of: &[]}, Medium, ReadOnly, Accepted];

    /// Least time between two new assignments of a share group.
    "group.share.assignment.interval.ms" [Int = "1000", AtLeast(0), Medium, ClusterWide, Accepted];

    /// Shortest assignment interval that a share group's own configuration may set.
    "group.share.min.assignment.interval.ms" [Int = "0", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Longest assignment interval that a share group's own configuration may set.
    "group.share.max.assignment.interval.ms"
        [Int = "15000", AtLeast(0), Medium, ReadOnly, Accepted];

    /// Whether assignments of share groups are computed off the coordinator's thread.
    "group.share.assignor.offload.enable"
        [Boolean = "true", Any, Medium, ClusterWide, Accepted, internal];

    /// Deliveries of a record before it is given up.
    "group.share.delivery.count.limit" [Int = "5", Between(2, 10), Medium, ReadOnly, Accepted];

    /// Smallest delivery limit that a share group's own configuration may set.
    "group.share.min.delivery.count.limit" [Int = "2", Between(2, 5), Medium, ReadOnly, Accepted];

    /// Largest delivery limit that a share group's own configuration may set.
    "group.share.max.delivery.count.limit" [Int = "10", Between(5, 25), Medium, ReadOnly, Accepted];

    /// How long a consumer holds the records it acquired.
    "group.share.record.lock.duration.ms"
        [Int = "30000", Between(1000, 3_600_000), Medium, ReadOnly, Accepted];

    /// Shortest lock that a share group's own configuration may set.
    "group.share.min.record.lock.duration.ms"
        [Int = "15000", Between(1000, 30_000), Medium, ReadOnly, Accepted];

    /// Longest lock that a share group's own configuration may set.
    "group.share.max.record.lock.duration.ms"
        [Int = "60000", Between(30_000, 3_600_000), Medium, ReadOnly, Accepted];

    /// Records of one partition that may be locked at a time.
    "group.share.partition.max.record.locks"
        [Int = "2000", Between(100, 10_000), Medium, ReadOnly, Accepted];

    /// Smallest number of locks that a share group's own configuration may set.
    "group.share.min.partition.max.record.locks"
        [Int = "100", Between(100, 2000), Medium, ReadOnly, Accepted];

    /// Largest number of locks that a share group's own configuration may set.
    "group.share.max.partition.max.record.locks"
        [Int = "4000", Between(2000, 10_000), Medium, ReadOnly, Accepted];

    /// Pause before the start state of a share partition is asked for again.
    "group.share.initialize.retry.interval.ms"
        [Int = "30000", AtLeast(1), Low, ReadOnly, Accepted, internal];

    /// Java class that keeps the state of share groups; there is no Java here.
    "group.share.persister.class.name"
        [String = "org.apache.kafka.server.share.persister.DefaultStatePersister", Any, Medium,
         ReadOnly, Refused, internal];

    /// Java class that writes to dead letter queues; there is no Java here.
    "group.share.dlq.manager.class.name"
        [String = "org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager", Any, Medium,
         ReadOnly, Refused, internal];

    /// Whether the topic of a dead letter queue is created when it is missing.
    "errors.deadletterqueue.auto.create.topics.enable"
        [Boolean = "false", Any, Medium, ClusterWide, Accepted];

    /// How names of dead letter topics begin.
    "errors.deadletterqueue.topic.name.prefix"
        [String = "dlq.", Any, Medium, ClusterWide, Accepted];

    /// Partitions of `__share_group_state`; must not change once the topic is there.
    "share.coordinator.state.topic.num.partitions"
        [Int = "50", AtLeast(1), High, ReadOnly, Accepted];

    /// Replicas of `__share_group_state`.
    "share.coordinator.state.topic.replication.factor"
        [Short = "3", AtLeast(1), High, ReadOnly, Accepted];

    /// Replicas of `__share_group_state` that must be in sync for a write.
    "share.coordinator.state.topic.min.isr" [Short = "2", AtLeast(1), High, ReadOnly, Accepted];

    /// Segment size of `__share_group_state`.
    "share.coordinator.state.topic.segment.bytes"
        [Int = "104857600", AtLeast(1), High, ReadOnly, Accepted];

    /// Codec number of the batches that the share coordinator writes.
    "share.coordinator.state.topic.compression.codec" [Int = "0", Any, High, ReadOnly, Accepted];

    /// Pause between two looks for state that is no longer needed.
    "share.coordinator.state.topic.prune.interval.ms"
        [Int = "300000", AtLeast(1), Low, ReadOnly, Accepted, internal];

    /// Bytes read at a time while a share coordinator loads its partition.
    "share.coordinator.load.buffer.size" [Int = "5242880", AtLeast(1), High, ReadOnly, Accepted];

    /// Threads of the share coordinator.
    "share.coordinator.threads" [Int = "1", AtLeast(1), Medium, ReadOnly, Accepted];

    /// How long a write of the share coordinator may wait for its replicas.
    "share.coordinator.write.timeout.ms" [Int = "5000", AtLeast(1), High, ReadOnly, Accepted];

    /// How long the share coordinator gathers records before it writes them; -1 adapts to the load.
    "share.coordinator.append.linger.ms" [Int = "-1", AtLeast(-1), Medium, ReadOnly, Accepted];

    /// Largest buffer that the share coordinator keeps for reuse.
    "share.coordinator.cached.buffer.max.bytes"
        [Int = "1048588", AtLeast(524_288), Medium, ClusterWide, Accepted];

    /// Changes of a share partition's state between two full copies of it.
    "share.coordinator.snapshot.update.records.per.snapshot"
        [Int = "500", Between(0, 500), Medium, ReadOnly, Accepted];

    /// A share partition without traffic gets a full copy of its state this often.
    "share.coordinator.cold.partition.snapshot.interval.ms"
        [Int = "300000", AtLeast(1), Low, ReadOnly, Accepted, internal];
}
