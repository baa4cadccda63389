//! Who this node is and how it belongs to its cluster.

use ottla_base::config_table;

config_table! {
    /// Who this node is and how it belongs to its cluster.
    pub struct NodeSettings in NODE_ROWS, scope Broker;

    /// Parts that this process plays: `broker`, `controller` or both.
    "process.roles" => roles: Vec<String>
        [List = required, List{empty: false, of: &["broker", "controller"]}, High, ReadOnly,
         Served];

    /// Number of this node, unique among all brokers and controllers of the cluster.
    "node.id" => node_id: i32 [Int = required, AtLeast(0), High, ReadOnly, Served];

    /// Older name of `node.id`; if both are given they must agree.
    "broker.id" [Int = "-1", Any, High, ReadOnly, Served];

    /// Failure zone of this broker; replicas of a partition are spread over zones.
    "broker.rack" => rack: Option<String> [String = null, Any, Medium, ReadOnly, Served];

    /// Pause between two heartbeats of a broker to the controller.
    "broker.heartbeat.interval.ms" => heartbeat_interval_ms: i32
        [Int = "2000", Any, Medium, ReadOnly, Served];

    /// A broker that has not been heard of for this long is fenced by the controller.
    "broker.session.timeout.ms" => session_timeout_ms: i32
        [Int = "9000", Any, Medium, ReadOnly, Served];

    /// Longest wait at start for the controller to accept the registration of this broker.
    "initial.broker.registration.timeout.ms" => initial_registration_timeout_ms: i32
        [Int = "60000", Any, Medium, ReadOnly, Accepted];

    /// Whether a stopping broker first hands its leaderships to others.
    "controlled.shutdown.enable" => controlled_shutdown: bool
        [Boolean = "true", Any, Medium, ReadOnly, Accepted];

    /// Start-up that takes longer than this is given up.
    "server.max.startup.time.ms"
        [Long = "9223372036854775807", AtLeast(0), Medium, ReadOnly, Accepted, internal];

    /// How long this node, as a client of another, waits for an answer.
    "request.timeout.ms" => request_timeout_ms: i32 [Int = "30000", Any, High, ReadOnly, Served];

    /// Whether topics may be deleted.
    "delete.topic.enable" => delete_topic: bool [Boolean = "true", Any, High, ReadOnly, Served];

    /// Whether a metadata request for an unknown topic creates it.
    "auto.create.topics.enable" => auto_create_topics: bool
        [Boolean = "true", Any, High, ReadOnly, Served];

    /// Partitions of a topic whose creator names no count.
    "num.partitions" => num_partitions: i32 [Int = "1", AtLeast(1), Medium, ReadOnly, Served];

    /// Replicas of a topic whose creator names no count.
    "default.replication.factor" => default_replication_factor: i32
        [Int = "1", Any, Medium, ReadOnly, Served];

    /// Announces request versions that are still in development.
    "unstable.api.versions.enable" [Boolean = "false", Any, High, ReadOnly, Accepted, internal];

    /// Allows feature levels that are still in development.
    "unstable.feature.versions.enable" [Boolean = "false", Any, High, ReadOnly, Accepted, internal];

    /// Threads for chores of the broker; Ottla sizes its own threads.
    "background.threads" [Int = "10", AtLeast(1), High, ClusterWide, Accepted];

    /// Java class that judges the creation of topics; there is no Java here.
    "create.topic.policy.class.name" [Class = null, Any, Low, ReadOnly, Refused];

    /// Java class that judges changes of configurations; there is no Java here.
    "alter.config.policy.class.name" [Class = null, Any, Low, ReadOnly, Refused];

    /// Names of Java classes that look values up in other places; values are taken literally here.
    "config.providers" [List = "", List{empty: true, of: &[]}, Low, ClusterWide, Refused];
}
