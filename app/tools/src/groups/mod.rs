//! Groups, their members and their offsets.

mod ask;
mod consumer_groups;
mod moment;
mod plan;
mod reset;

use crate::registry::{Kind, Tool};

/// The tools of this folder.
pub(crate) const TOOLS: &[Tool] = &[Tool {
    name: "consumer-groups",
    kind: Kind::Groups,
    classes: &[
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "kafka.admin.ConsumerGroupCommand",
    ],
    command: consumer_groups::command,
    run: consumer_groups::run,
}];
