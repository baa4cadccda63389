//! Topics, their configs and their records.

mod client_metrics;
mod configs;
mod delete_records;
mod get_offsets;
mod log_dirs;
mod topics;

use crate::registry::{Kind, Tool};

/// The tools of this folder.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "topics",
        kind: Kind::Data,
        classes: &[
            "org.apache.kafka.tools.TopicCommand",
            "kafka.admin.TopicCommand",
        ],
        command: topics::command,
        run: topics::run,
    },
    Tool {
        name: "configs",
        kind: Kind::Data,
        classes: &["kafka.admin.ConfigCommand"],
        command: configs::command,
        run: configs::run,
    },
    Tool {
        name: "get-offsets",
        kind: Kind::Data,
        classes: &[
            "org.apache.kafka.tools.GetOffsetShell",
            "kafka.tools.GetOffsetShell",
        ],
        command: get_offsets::command,
        run: get_offsets::run,
    },
    Tool {
        name: "delete-records",
        kind: Kind::Data,
        classes: &[
            "org.apache.kafka.tools.DeleteRecordsCommand",
            "kafka.admin.DeleteRecordsCommand",
        ],
        command: delete_records::command,
        run: delete_records::run,
    },
    Tool {
        name: "log-dirs",
        kind: Kind::Data,
        classes: &[
            "org.apache.kafka.tools.LogDirsCommand",
            "kafka.admin.LogDirsCommand",
        ],
        command: log_dirs::command,
        run: log_dirs::run,
    },
    Tool {
        name: "client-metrics",
        kind: Kind::Data,
        classes: &[
            "org.apache.kafka.tools.ClientMetricsCommand",
            "kafka.admin.ClientMetricsCommand",
        ],
        command: client_metrics::command,
        run: client_metrics::run,
    },
];
