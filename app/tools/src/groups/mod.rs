//! Groups, their members and their offsets.

mod all_groups;
mod ask;
mod consumer_groups;
mod delete;
mod moment;
mod options;
mod plan;
mod reset;
mod share_groups;
mod streams_groups;
mod streams_reset;

use crate::registry::{Kind, Tool};

/// The tools of this folder.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "consumer-groups",
        kind: Kind::Groups,
        classes: &[
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            "kafka.admin.ConsumerGroupCommand",
        ],
        command: consumer_groups::command,
        run: consumer_groups::run,
    },
    Tool {
        name: "groups",
        kind: Kind::Groups,
        classes: &["org.apache.kafka.tools.GroupsCommand"],
        command: all_groups::command,
        run: all_groups::run,
    },
    Tool {
        name: "share-groups",
        kind: Kind::Groups,
        classes: &["org.apache.kafka.tools.consumer.group.ShareGroupCommand"],
        command: share_groups::command,
        run: share_groups::run,
    },
    Tool {
        name: "streams-groups",
        kind: Kind::Groups,
        classes: &["org.apache.kafka.tools.streams.StreamsGroupCommand"],
        command: streams_groups::command,
        run: streams_groups::run,
    },
    Tool {
        name: "streams-application-reset",
        kind: Kind::Groups,
        classes: &[
            "org.apache.kafka.tools.StreamsResetter",
            "kafka.tools.StreamsResetter",
        ],
        command: streams_reset::command,
        run: streams_reset::run,
    },
];
