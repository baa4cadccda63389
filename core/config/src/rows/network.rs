//! Listeners, sockets, connections and the limits on them.

use ottla_base::config_table;

config_table! {
    /// Listeners, sockets, connections and the limits on them.
    pub struct NetworkSettings in NETWORK_ROWS, scope Broker;

    /// Addresses to listen on, each as `NAME://host:port`; an empty host means all interfaces.
    "listeners" => listeners: Vec<String>
        [List = "PLAINTEXT://:9092", List{empty: false, of: &[]}, High, PerBroker, Served];

    /// Addresses told to clients where they differ from `listeners`.
    "advertised.listeners" => advertised_listeners: Option<Vec<String>>
        [List = null, List{empty: false, of: &[]}, High, ReadOnly, Served];

    /// Security protocol of each listener name, as `NAME:PROTOCOL` pairs; only PLAINTEXT can be
    /// served so far.
    "listener.security.protocol.map" => listener_security_protocol_map: String
        [String = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
         Any, Low, PerBroker, Served];

    /// Listener that brokers use among themselves; by default the one named like
    /// `security.inter.broker.protocol`.
    "inter.broker.listener.name" => inter_broker_listener_name: Option<String>
        [String = null, Any, Medium, ReadOnly, Served];

    /// Security protocol among brokers, for those who do not name a listener.
    "security.inter.broker.protocol" => security_inter_broker_protocol: String
        [String = "PLAINTEXT", OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), Medium,
         ReadOnly, Served];

    /// Largest request; a frame that claims more closes its connection.
    "socket.request.max.bytes" => socket_request_max_bytes: i32
        [Int = "104857600", AtLeast(1), High, ReadOnly, Served];

    /// Send buffer of a socket; -1 leaves the system's.
    "socket.send.buffer.bytes" => socket_send_buffer_bytes: i32
        [Int = "102400", Any, High, ReadOnly, Served];

    /// Receive buffer of a socket; -1 leaves the system's.
    "socket.receive.buffer.bytes" => socket_receive_buffer_bytes: i32
        [Int = "102400", Any, High, ReadOnly, Served];

    /// Connections that may wait to be accepted.
    "socket.listen.backlog.size" => socket_listen_backlog_size: i32
        [Int = "50", AtLeast(1), Medium, ReadOnly, Served];

    /// First time limit for a connection to another node to come about.
    "socket.connection.setup.timeout.ms" [Long = "10000", Any, Medium, ReadOnly, Accepted];

    /// Largest time limit for a connection to another node to come about, after repeated failures.
    "socket.connection.setup.timeout.max.ms" [Long = "30000", Any, Medium, ReadOnly, Accepted];

    /// A connection without traffic for this long is closed; negative never.
    "connections.max.idle.ms" => connections_max_idle_ms: i64
        [Long = "600000", Any, Medium, ReadOnly, Served];

    /// A failed login is answered only after this long.
    "connection.failed.authentication.delay.ms" [Int = "100", AtLeast(0), Low, ReadOnly, Accepted];

    /// Connections open at one time.
    "max.connections" => max_connections: i32
        [Int = "2147483647", AtLeast(0), Medium, ClusterWide, Served];

    /// Connections open at one time from one address.
    "max.connections.per.ip" => max_connections_per_ip: i32
        [Int = "2147483647", AtLeast(0), Medium, ClusterWide, Served];

    /// Other limits for some addresses, as `host:count` pairs.
    "max.connections.per.ip.overrides" => max_connections_per_ip_overrides: String
        [String = "", Any, Medium, ClusterWide, Served];

    /// Connections accepted per second.
    "max.connection.creation.rate" [Int = "2147483647", AtLeast(0), Medium, ClusterWide, Accepted];

    /// Threads that read and write sockets; Ottla runs `ottla.workers` instead.
    "num.network.threads" [Int = "3", AtLeast(1), High, ClusterWide, Accepted];

    /// Threads that carry requests out; Ottla runs `ottla.workers` instead.
    "num.io.threads" [Int = "8", AtLeast(1), High, ClusterWide, Accepted];

    /// Requests that may wait for a thread; in Ottla nothing is queued between threads.
    "queued.max.requests" [Int = "500", AtLeast(1), High, ReadOnly, Accepted];

    /// Bytes of requests that have arrived in part, over all connections. At the limit one connection at a time
    /// is read on until its request is whole; the others wait. -1 is 512 MiB, or `socket.request.max.bytes` where
    /// that is more.
    "queued.max.request.bytes" => queued_max_request_bytes: i64
        [Long = "-1", Any, Medium, ReadOnly, Served];

    /// Most partitions in one answer to DescribeTopicPartitions.
    "max.request.partition.size.limit" => max_request_partition_size_limit: i32
        [Int = "2000", AtLeast(1), Medium, ReadOnly, Served];

    /// Most bytes that one fetch returns, whatever the client asks for.
    "fetch.max.bytes" => fetch_max_bytes: i32
        [Int = "57671680", AtLeast(1024), Medium, ReadOnly, Served];

    /// Fetch sessions that are kept.
    "max.incremental.fetch.session.cache.slots" => max_incremental_fetch_session_cache_slots: i32
        [Int = "1000", AtLeast(0), Medium, ReadOnly, Served];

    /// How often finished waits of fetches are swept; Ottla removes them as they finish.
    "fetch.purgatory.purge.interval.requests" [Int = "1000", Any, Medium, ReadOnly, Accepted];

    /// How often finished waits of produce requests are swept; Ottla removes them as they finish.
    "producer.purgatory.purge.interval.requests" [Int = "1000", Any, Medium, ReadOnly, Accepted];

    /// How often finished waits of DeleteRecords are swept; Ottla removes them as they finish.
    "delete.records.purgatory.purge.interval.requests" [Int = "1", Any, Medium, ReadOnly, Accepted];

    /// How often finished waits of share fetches are swept; Ottla removes them as they finish.
    "share.fetch.purgatory.purge.interval.requests" [Int = "1000", Any, Medium, ReadOnly, Accepted];
}
