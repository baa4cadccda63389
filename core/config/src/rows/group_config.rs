//! What a group can set for itself.

use ottla_base::config_table;

config_table! {
    /// What a group can set for itself.
    pub struct GroupConfig in GROUP_CONFIG_ROWS, scope Group;

    /// Least time between two new assignments of a consumer group.
    "consumer.assignment.interval.ms" [Int = "1000", AtLeast(0), Medium, ClusterWide, Accepted;
     synonyms "group.consumer.assignment.interval.ms"];

    /// Heartbeat interval told to the members of a consumer group.
    "consumer.heartbeat.interval.ms" [Int = "5000", AtLeast(1), Medium, ClusterWide, Accepted;
     synonyms "group.consumer.heartbeat.interval.ms"];

    /// A member of a consumer group that is silent for this long is expelled.
    "consumer.session.timeout.ms" [Int = "45000", AtLeast(1), Medium, ClusterWide, Accepted;
     synonyms "group.consumer.session.timeout.ms"];

    /// Whether a record in the dead letter queue is the whole record, or its headers only.
    "errors.deadletterqueue.copy.record.enable"
        [Boolean = "false", Any, Medium, ClusterWide, Accepted];

    /// Topic of a share group's dead letter queue; empty for none.
    "errors.deadletterqueue.topic.name" [String = "", Any, Medium, ClusterWide, Accepted];

    /// Least time between two new assignments of a share group.
    "share.assignment.interval.ms" [Int = "1000", AtLeast(0), Medium, ClusterWide, Accepted;
     synonyms "group.share.assignment.interval.ms"];

    /// Where a share group begins to read: `earliest`, `latest` or `by_duration:` with an ISO 8601
    /// duration.
    "share.auto.offset.reset" [String = "latest", Any, Medium, ClusterWide, Accepted];

    /// How often a record is delivered to a share group at most.
    "share.delivery.count.limit" [Int = "5", AtLeast(2), Medium, ClusterWide, Accepted;
     synonyms "group.share.delivery.count.limit"];

    /// Heartbeat interval told to the members of a share group.
    "share.heartbeat.interval.ms" [Int = "5000", AtLeast(1), Medium, ClusterWide, Accepted;
     synonyms "group.share.heartbeat.interval.ms"];

    /// Whether a share group sees records of transactions before they are committed.
    "share.isolation.level" [String = "read_uncommitted", OneOf(&["read_committed",
     "read_uncommitted"]), Medium, ClusterWide, Accepted];

    /// Records of one partition that a share group holds at a time.
    "share.partition.max.record.locks" [Int = "2000", AtLeast(100), Medium, ClusterWide, Accepted;
     synonyms "group.share.partition.max.record.locks"];

    /// How long a consumer of a share group holds the records it acquired.
    "share.record.lock.duration.ms" [Int = "30000", AtLeast(1000), Medium, ClusterWide, Accepted;
     synonyms "group.share.record.lock.duration.ms"];

    /// Whether a consumer of a share group may ask for more time.
    "share.renew.acknowledge.enable" [Boolean = "true", Any, Medium, ClusterWide, Accepted];

    /// A member of a share group that is silent for this long is expelled.
    "share.session.timeout.ms" [Int = "45000", AtLeast(1), Medium, ClusterWide, Accepted;
     synonyms "group.share.session.timeout.ms"];

    /// Least time between two new assignments of a streams group.
    "streams.assignment.interval.ms" [Int = "1000", AtLeast(0), Medium, ClusterWide, Accepted;
     synonyms "group.streams.assignment.interval.ms"];

    /// Assignor of a streams group, one of the broker's.
    "streams.assignor.name" [String = "sticky", Any, Medium, ClusterWide, Accepted;
     synonyms "group.streams.assignors"];

    /// Heartbeat interval told to the members of a streams group.
    "streams.heartbeat.interval.ms" [Int = "5000", AtLeast(1), Medium, ClusterWide, Accepted;
     synonyms "group.streams.heartbeat.interval.ms"];

    /// A new streams group waits this long for more members before its first rebalance.
    "streams.initial.rebalance.delay.ms" [Int = "3000", AtLeast(0), Medium, ClusterWide, Accepted;
     synonyms "group.streams.initial.rebalance.delay.ms"];

    /// Standby replicas of each task of a streams group.
    "streams.num.standby.replicas" [Int = "0", AtLeast(0), Medium, ClusterWide, Accepted;
     synonyms "group.streams.num.standby.replicas"];

    /// Client tags by which a streams group spreads its standby replicas.
    "streams.rack.aware.assignment.tags" [List = "", List{empty: true, of: &[]}, Medium,
     ClusterWide, Accepted; synonyms "group.streams.rack.aware.assignment.tags"];

    /// A member of a streams group that is silent for this long is expelled.
    "streams.session.timeout.ms" [Int = "45000", AtLeast(1), Medium, ClusterWide, Accepted;
     synonyms "group.streams.session.timeout.ms"];
}
