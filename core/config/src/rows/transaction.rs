//! Transactions and producer ids.

use ottla_base::config_table;

config_table! {
    /// Transactions and producer ids.
    pub struct TransactionSettings in TRANSACTION_ROWS, scope Broker;

    /// Partitions of `__transaction_state`; must not change once the topic is there.
    "transaction.state.log.num.partitions" => state_log_num_partitions: i32
        [Int = "50", AtLeast(1), High, ReadOnly, Accepted];

    /// Replicas of `__transaction_state`.
    "transaction.state.log.replication.factor" => state_log_replication_factor: i16
        [Short = "3", AtLeast(1), High, ReadOnly, Accepted];

    /// Replicas of `__transaction_state` that must be in sync for a write.
    "transaction.state.log.min.isr" => state_log_min_isr: i32
        [Int = "2", AtLeast(1), High, ReadOnly, Accepted];

    /// Segment size of `__transaction_state`.
    "transaction.state.log.segment.bytes" => state_log_segment_bytes: i32
        [Int = "104857600", AtLeast(1), High, ReadOnly, Accepted];

    /// Bytes read at a time while a transaction coordinator loads its partition.
    "transaction.state.log.load.buffer.size" => state_log_load_buffer_size: i32
        [Int = "5242880", AtLeast(1), High, ReadOnly, Accepted];

    /// Longest transaction timeout a producer may ask for.
    "transaction.max.timeout.ms" => max_timeout_ms: i32
        [Int = "900000", AtLeast(1), High, ReadOnly, Accepted];

    /// Pause between two looks for transactions that ran out of time.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms"
        [Int = "10000", AtLeast(1), Low, ReadOnly, Accepted];

    /// Pause between two looks for transactional ids to forget.
    "transaction.remove.expired.transaction.cleanup.interval.ms"
        [Int = "3600000", AtLeast(1), Low, ReadOnly, Accepted];

    /// A transactional id that is not used for this long is forgotten.
    "transactional.id.expiration.ms" => transactional_id_expiration_ms: i32
        [Int = "604800000", AtLeast(1), High, ReadOnly, Accepted];

    /// Whether a partition asks the coordinator if a transaction really includes it.
    "transaction.partition.verification.enable" => partition_verification: bool
        [Boolean = "true", Any, Low, ClusterWide, Accepted];

    /// Whether a producer may prepare a transaction that an outside coordinator decides.
    "transaction.two.phase.commit.enable" [Boolean = "false", Any, Low, ReadOnly, Accepted];

    /// Pause before the broker asks the transaction coordinator again.
    "add.partitions.to.txn.retry.backoff.ms" [Int = "20", AtLeast(1), High, ReadOnly, Accepted];

    /// Longest time the broker keeps asking the transaction coordinator.
    "add.partitions.to.txn.retry.backoff.max.ms"
        [Int = "100", AtLeast(0), High, ReadOnly, Accepted];
}
