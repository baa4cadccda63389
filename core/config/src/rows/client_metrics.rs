//! What a subscription to client metrics can set (KIP-714).

use ottla_base::config_table;

config_table! {
    /// What a subscription to client metrics can set.
    pub struct ClientMetricsConfig in CLIENT_METRICS_ROWS, scope ClientMetrics;

    /// How often a client sends its metrics.
    "interval.ms" [Int = "300000", Any, Medium, ClusterWide, Accepted];

    /// Which clients send metrics, as `selector=pattern` pairs that must all match; empty for all.
    "match" [List = "", List{empty: true, of: &[]}, Medium, ClusterWide, Accepted];

    /// Beginnings of the names of the metrics that are sent; `*` for all.
    "metrics" [List = "", List{empty: true, of: &[]}, Medium, ClusterWide, Accepted];
}
