//! The table of tools.

use std::process::ExitCode;

/// What a tool is about; the help page groups by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Topics, their configs and their records.
    Data,
    /// Producing and consuming by hand, and measuring it.
    Console,
    /// Groups and their offsets.
    Groups,
    /// Nodes, quorum, partitions' places, access.
    Cluster,
    /// Files of a node.
    Files,
}

/// One tool.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Name as a command of this program, such as `topics`.
    pub name: &'static str,
    /// What it is about.
    pub kind: Kind,
    /// The class that Kafka's script runs, and older names of it that instructions on the web use;
    /// none for a tool that Kafka does not have.
    pub classes: &'static [&'static str],
    /// Its options, for help pages and shell completion. The `about` is one line.
    pub command: fn() -> clap::Command,
    /// Runs it with the arguments behind its name.
    pub run: fn(&[String]) -> ExitCode,
}

impl Tool {
    /// Name of Kafka's script without its ending, such as `kafka-topics`; `None` for a tool that Kafka
    /// does not have.
    #[must_use]
    pub fn script(&self) -> Option<String> {
        (!self.classes.is_empty()).then(|| format!("kafka-{}", self.name))
    }
}

/// Every tool, in the order of the help page.
pub fn all() -> impl Iterator<Item = &'static Tool> {
    [
        crate::data::TOOLS,
        crate::console::TOOLS,
        crate::groups::TOOLS,
        crate::cluster::TOOLS,
        crate::files::TOOLS,
    ]
    .into_iter()
    .flatten()
}

/// The tool of a name: `topics`, `kafka-topics`, `kafka-topics.sh`, or a path that ends so.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Tool> {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = file
        .strip_suffix(".sh")
        .or_else(|| file.strip_suffix(".bat"))
        .unwrap_or(file);
    let stem = stem.strip_prefix("kafka-").unwrap_or(stem);
    all().find(|tool| tool.name == stem)
}

/// The tool that a Java class is, for `kafka-run-class`.
#[must_use]
pub fn by_class(class: &str) -> Option<&'static Tool> {
    all().find(|tool| tool.classes.contains(&class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_call_a_tool_finds_it() {
        for name in [
            "broker-api-versions",
            "kafka-broker-api-versions",
            "./bin/kafka-broker-api-versions.sh",
            r"bin\windows\kafka-broker-api-versions.bat",
        ] {
            let tool = by_name(name).map(|tool| tool.name);
            assert_eq!(tool, Some("broker-api-versions"), "{name}");
        }
        assert!(by_name("kafka-nothing.sh").is_none());
    }

    #[test]
    fn names_are_told_apart_and_options_are_consistent() {
        let mut names: Vec<_> = all().map(|tool| tool.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for tool in all() {
            (tool.command)().debug_assert();
        }
    }
}
