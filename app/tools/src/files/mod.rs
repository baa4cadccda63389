//! Files of a node, read without one.

mod dump_log;
mod exception;
mod log_file;
mod metadata_shell;

use crate::registry::{Kind, Tool};

/// The tools of this folder.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "dump-log",
        kind: Kind::Files,
        classes: &[
            "org.apache.kafka.tools.DumpLogSegments",
            "kafka.tools.DumpLogSegments",
        ],
        command: dump_log::command,
        run: dump_log::run,
    },
    Tool {
        name: "metadata-shell",
        kind: Kind::Files,
        classes: &["org.apache.kafka.shell.MetadataShell"],
        command: metadata_shell::command,
        run: metadata_shell::run,
    },
];
