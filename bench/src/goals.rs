//! What Ottla wants to reach: one row per figure that is published, a few of them without a goal.
//!
//! The column of Apache Kafka is what version 4.4.0 gave on two cores of the machine that the goals were set on, warm and
//! pinned; it is context. A ratio counts only between two runs of one pair.

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    /// Smaller figures.
    Less,
    /// Larger figures.
    More,
}

/// One figure of one workload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// Workload.
    pub(crate) workload: &'static str,
    /// Name of the figure in the results.
    pub(crate) metric: &'static str,
    /// The figure in words, with its unit.
    pub(crate) what: &'static str,
    /// Which way is better.
    pub(crate) better: Better,
    /// Apache Kafka when the goals were set; empty if there is no goal.
    pub(crate) kafka_then: &'static str,
    /// Largest (or smallest) figure that meets the goal; `None` for one that is only shown.
    pub(crate) goal: Option<f64>,
    /// Smallest ratio to Apache Kafka that meets the goal.
    pub(crate) ratio: Option<f64>,
}

const fn less(
    workload: &'static str,
    metric: &'static str,
    what: &'static str,
    kafka_then: &'static str,
    goal: f64,
    ratio: f64,
) -> Goal {
    Goal {
        workload,
        metric,
        what,
        better: Better::Less,
        kafka_then,
        goal: Some(goal),
        ratio: Some(ratio),
    }
}

const fn more(
    workload: &'static str,
    metric: &'static str,
    what: &'static str,
    kafka_then: &'static str,
    goal: f64,
    ratio: f64,
) -> Goal {
    Goal {
        workload,
        metric,
        what,
        better: Better::More,
        kafka_then,
        goal: Some(goal),
        ratio: Some(ratio),
    }
}

/// A figure that is published without a goal.
const fn shown(
    workload: &'static str,
    metric: &'static str,
    what: &'static str,
    better: Better,
) -> Goal {
    Goal {
        workload,
        metric,
        what,
        better,
        kafka_then: "",
        goal: None,
        ratio: None,
    }
}

/// What a client that produces or consumes reaches, which is mostly what the client can.
const fn rate(workload: &'static str) -> Goal {
    shown(workload, "records_per_s", RATE, Better::More)
}

/// What its records cost the broker.
const fn cost(workload: &'static str) -> Goal {
    shown(workload, PER_RECORD, RECORD, Better::Less)
}

/// A latency as a client sees it.
const fn seen(workload: &'static str, metric: &'static str, what: &'static str) -> Goal {
    shown(workload, metric, what, Better::Less)
}

const PER_RECORD: &str = "cpu_us_per_record";
const PER_REQUEST: &str = "cpu_us_per_request";
const PER_GB: &str = "cpu_s_per_gb";
const RATE: &str = "records a second";
const RECORD: &str = "CPU a record, us";
const REQUEST: &str = "CPU a request, us";
const GB: &str = "CPU a GB, s";
const P50: &str = "p50, us";
const P99: &str = "p99, us";
const P999: &str = "p99.9, us";
const ANSWER: &str = "first answer, ms";
const ACK: &str = "first ack, ms";
const READY: &str = "every partition ready, ms";

/// Every goal.
pub(crate) const GOALS: &[Goal] = &[
    less("p-100", PER_RECORD, RECORD, "0.25", 0.10, 2.5),
    less("p-1k", PER_RECORD, RECORD, "1.76", 0.7, 2.5),
    less("p-lz4", PER_RECORD, RECORD, "0.085-0.16", 0.06, 1.5),
    less("c-100", PER_RECORD, RECORD, "0.094", 0.03, 3.0),
    less("c-1k", PER_RECORD, RECORD, "0.38", 0.28, 1.4),
    less("p-tiny", PER_REQUEST, REQUEST, "23", 6.5, 3.5),
    more(
        "p-tiny",
        "requests_per_s",
        "requests a second",
        "38,000",
        120_000.0,
        3.1,
    ),
    more(
        "p-16k",
        "mrecords_per_cpu_s",
        "million records a CPU second",
        "2.44",
        7.0,
        2.8,
    ),
    less("p-1m", PER_GB, GB, "1.55", 0.75, 2.0),
    less("lat-1k", "p50_us", P50, "116", 65.0, 1.8),
    less("lat-1k", "p99_us", P99, "1,250", 250.0, 5.0),
    less("lat-1k", "p999_us", P999, "4,000", 500.0, 8.0),
    less("lat-1k", PER_REQUEST, REQUEST, "146", 25.0, 6.0),
    less("lat-10k", "p50_us", P50, "70", 60.0, 1.2),
    less("lat-10k", "p99_us", P99, "2,300", 350.0, 6.0),
    less("lat-10k", "p999_us", P999, "13,000", 800.0, 16.0),
    less("lat-10k", PER_REQUEST, REQUEST, "51", 12.0, 4.0),
    less("tail", "p50_us", P50, "154", 100.0, 1.5),
    less("tail", "p99_us", P99, "700", 300.0, 2.3),
    less("tail", "p999_us", P999, "11,000", 1_000.0, 11.0),
    less("tail", PER_RECORD, RECORD, "37", 15.0, 2.5),
    less("f-1m", PER_GB, GB, "0.33", 0.28, 1.2),
    less("f-tiny", PER_REQUEST, REQUEST, "39", 15.0, 2.6),
    less("f-tiny-1", PER_REQUEST, REQUEST, "39", 30.0, 1.3),
    less("commit", PER_REQUEST, REQUEST, "29", 8.0, 3.5),
    less("heartbeat", PER_REQUEST, REQUEST, "21", 6.0, 3.5),
    less("metadata", PER_REQUEST, REQUEST, "19", 6.0, 3.5),
    less("apiversions", PER_REQUEST, REQUEST, "33", 5.0, 3.5),
    less(
        "connect",
        PER_REQUEST,
        "CPU a connection, us",
        "137",
        40.0,
        3.4,
    ),
    more(
        "fsync",
        "requests_per_s",
        "requests a second",
        "7,400",
        50_000.0,
        6.0,
    ),
    less("fsync", PER_REQUEST, REQUEST, "124", 12.0, 10.0),
    less("fsync", "p99_us", P99, "19,000", 3_000.0, 6.0),
    less("fsync-lat", "p50_us", P50, "590", 450.0, 1.3),
    less("fsync-lat", "p99_us", P99, "1,900", 800.0, 2.3),
    less("fsync-lat", "p999_us", P999, "5,300", 1_500.0, 3.5),
    less("fsync-lat", PER_REQUEST, REQUEST, "233", 60.0, 4.0),
    less("start", "first_answer_ms", ANSWER, "4,400", 30.0, 50.0),
    less("start", "first_ack_ms", ACK, "4,600", 50.0, 50.0),
    less(
        "restart-crash",
        "first_answer_ms",
        ANSWER,
        "25,100",
        200.0,
        70.0,
    ),
    less("restart-crash", "first_ack_ms", ACK, "25,300", 300.0, 70.0),
    less(
        "restart-crash",
        "all_ready_ms",
        READY,
        "27,800",
        400.0,
        70.0,
    ),
    less(
        "restart-clean",
        "first_answer_ms",
        ANSWER,
        "9,300",
        100.0,
        50.0,
    ),
    less("restart-clean", "first_ack_ms", ACK, "9,500", 200.0, 50.0),
    less(
        "restart-clean",
        "stop_ms",
        "the stop itself, ms",
        "2,100",
        200.0,
        10.0,
    ),
    less(
        "partitions-2000",
        "all_ready_ms",
        READY,
        "16,000-24,000",
        200.0,
        80.0,
    ),
    less(
        "partitions-2000",
        "rss_mib",
        "resident memory, MiB",
        "1,235",
        50.0,
        25.0,
    ),
    less(
        "partitions-2000",
        "descriptors",
        "file descriptors",
        "2,190",
        50.0,
        40.0,
    ),
    less(
        "p-tiny",
        "rss_mib",
        "resident memory under load, MiB",
        "1,050",
        40.0,
        25.0,
    ),
    less("idle", "rss_mib", "resident memory, MiB", "375", 15.0, 25.0),
    less(
        "idle",
        "idle_cpu_percent",
        "CPU, % of a core",
        "2.4",
        0.05,
        40.0,
    ),
    shown("p-1m-1k", PER_GB, GB, Better::Less),
    shown("p-keys", PER_REQUEST, REQUEST, Better::Less),
    shown("p-keys", "p99_us", P99, Better::Less),
    shown(
        "fsync-100",
        "requests_per_s",
        "requests a second",
        Better::More,
    ),
    shown("fsync-100", "p99_us", P99, Better::Less),
    cost("rdkafka-p-10"),
    rate("rdkafka-p-10"),
    less("rdkafka-p-100", PER_RECORD, RECORD, "0.25", 0.10, 2.5),
    rate("rdkafka-p-100"),
    less("rdkafka-p-1k", PER_RECORD, RECORD, "1.76", 0.7, 2.5),
    rate("rdkafka-p-1k"),
    cost("rdkafka-p-10k"),
    rate("rdkafka-p-10k"),
    less("rdkafka-c-100", PER_RECORD, RECORD, "0.094", 0.03, 3.0),
    rate("rdkafka-c-100"),
    less("rdkafka-c-1k", PER_RECORD, RECORD, "0.38", 0.28, 1.4),
    rate("rdkafka-c-1k"),
    seen("rdkafka-lat-1k", "p50_us", P50),
    seen("rdkafka-lat-1k", "p99_us", P99),
    cost("rdkafka-lat-1k"),
    cost("java-p-10"),
    rate("java-p-10"),
    cost("java-p-100"),
    rate("java-p-100"),
    cost("java-p-1k"),
    rate("java-p-1k"),
    seen("java-p-1k", "p99_us", P99),
    cost("java-p-10k"),
    rate("java-p-10k"),
    cost("java-c-100"),
    rate("java-c-100"),
    cost("java-c-1k"),
    rate("java-c-1k"),
    seen("java-e2e", "avg_us", "mean, us"),
    seen("java-e2e", "p99_us", P99),
    cost("java-e2e"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::Workload;

    #[test]
    fn every_goal_is_about_a_workload_that_exists() {
        for goal in GOALS {
            assert!(
                Workload::by_id(goal.workload).is_some(),
                "{}",
                goal.workload
            );
        }
    }
}
