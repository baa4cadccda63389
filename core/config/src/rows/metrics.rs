//! Metrics and quotas.

use ottla_base::config_table;

config_table! {
    /// Metrics and quotas.
    pub rows METRICS_ROWS, scope Broker;

    /// Java classes that metrics are reported to.
    "metric.reporters"
        [List = "org.apache.kafka.common.metrics.JmxReporter", List{empty: true, of: &[]}, Low,
         ClusterWide, Accepted];

    /// Java classes that older metrics are reported to.
    "kafka.metrics.reporters" [List = "", List{empty: true, of: &[]}, Low, ReadOnly, Accepted];

    /// How often the older reporters are called.
    "kafka.metrics.polling.interval.secs" [Int = "10", AtLeast(1), Low, ReadOnly, Accepted];

    /// Samples over which a metric is computed.
    "metrics.num.samples" [Int = "2", AtLeast(1), Low, ReadOnly, Accepted];

    /// Length of one sample of a metric.
    "metrics.sample.window.ms" [Long = "30000", AtLeast(1), Low, ReadOnly, Accepted];

    /// How detailed metrics are.
    "metrics.recording.level" [String = "INFO", Any, Low, ReadOnly, Accepted];

    /// Largest report of client metrics that is taken.
    "telemetry.max.bytes" [Int = "1048576", AtLeast(1), Low, ReadOnly, Accepted];

    /// Windows over which client rates are measured.
    "quota.window.num" [Int = "11", AtLeast(1), Low, ReadOnly, Accepted];

    /// Length of a window over which client rates are measured.
    "quota.window.size.seconds" [Int = "1", AtLeast(1), Low, ReadOnly, Accepted];

    /// Windows over which changes of metadata are counted.
    "controller.quota.window.num" [Int = "11", AtLeast(1), Low, ReadOnly, Accepted];

    /// Length of a window over which changes of metadata are counted.
    "controller.quota.window.size.seconds" [Int = "1", AtLeast(1), Low, ReadOnly, Accepted];

    /// Java class that computes quotas; there is no Java here.
    "client.quota.callback.class" [Class = null, Any, Low, ReadOnly, Refused];
}
