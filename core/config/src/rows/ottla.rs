//! Ottla's own settings, which Apache Kafka does not know.

use ottla_base::config_table;

use crate::enums::CommitFlush;

config_table! {
    /// Ottla's own settings, which Apache Kafka does not know.
    pub struct OttlaSettings in OTTLA_ROWS, scope Broker;

    /// When an acks=all record counts as kept. `alone`: while this node is the only in-sync replica,
    /// after its disk has it, otherwise once all in-sync replicas have it in memory. `always`: after
    /// the disk of every in-sync replica has it. `never`: once all in-sync replicas have it in memory,
    /// as in Apache Kafka.
    "ottla.commit.flush" => commit_flush: CommitFlush
        [String = "alone", OneOf(&["alone", "always", "never"]), High, ReadOnly, Served];

    /// Worker threads, each with its own connections; 0 makes one per processor.
    "ottla.workers" => workers: i32 [Int = "0", Between(0, 1_024), Medium, ReadOnly, Served];

    /// Connections open at one time. The smaller of this and `max.connections` holds.
    "ottla.connections.max" => connections_max: i32
        [Int = "10000", AtLeast(1), Medium, ReadOnly, Served];

    /// Connections open at one time from one address. The smaller of this and
    /// `max.connections.per.ip` holds, unless `max.connections.per.ip.overrides` names the address.
    "ottla.connections.max.per.ip" => connections_max_per_ip: i32
        [Int = "5000", AtLeast(1), Medium, ReadOnly, Served];

    /// Files that are kept open for reading and writing; the least used is closed above this.
    "ottla.open.files.max" => open_files_max: i32
        [Int = "4096", AtLeast(16), Medium, ReadOnly, Served];
}
