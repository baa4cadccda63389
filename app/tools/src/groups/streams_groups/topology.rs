//! `--describe --topology`: the processors of a streams group and how they are connected, as the brokers
//! keep them.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::streams_group_describe_response::{
    DescribedGroup, TopologyDescription, TopologyDescriptionNode,
};
use serde_json::{Value, json};

use crate::common::output;

use super::super::ask::{self, Stop};

/// What a broker says of the topology of a group, by the code on the wire.
const STATUSES: [&str; 4] = ["NOT_REQUESTED", "NOT_STORED", "ERROR", "AVAILABLE"];

/// Prints the topology of a group. `false` if the brokers do not have it.
///
/// # Errors
/// For an answer that contradicts itself.
pub(super) fn print(group: &DescribedGroup) -> Result<bool, Stop> {
    let id = &group.group_id;
    let why = match status(group) {
        "AVAILABLE" => {
            output::line(&text(description(group)?)?);
            return Ok(true);
        }
        "NOT_STORED" => format!("No topology description is stored for streams group '{id}'."),
        "ERROR" => format!(
            "The broker failed to fetch the topology description for streams group '{id}'. See the broker \
             logs for details."
        ),
        other => format!(
            "No topology description is available for streams group '{id}' (status: {other})."
        ),
    };
    ask::print_error(&why);
    Ok(false)
}

/// The topology of a group as an object.
///
/// # Errors
/// For an answer that contradicts itself.
pub(super) fn as_json(group: &DescribedGroup) -> Result<Value, Stop> {
    let status = status(group);
    let mut out = json!({"group": group.group_id, "status": status});
    if status == "AVAILABLE" {
        let description = description(group)?;
        let parts = description.subtopologies.iter().map(|part| {
            let before = predecessors(&part.nodes);
            let nodes = part.nodes.iter().map(|node| node_json(node, &before));
            Ok(json!({
                "id": part.subtopology_id,
                "nodes": nodes.collect::<Result<Vec<_>, Stop>>()?,
            }))
        });
        out["subtopologies"] = parts.collect::<Result<Vec<_>, Stop>>()?.into();
        let stores = description.global_stores.iter().map(|store| {
            let nodes = [store.source.clone(), store.processor.clone()];
            let before = predecessors(&nodes);
            Ok(json!({
                "source": node_json(&store.source, &before)?,
                "processor": node_json(&store.processor, &before)?,
            }))
        });
        out["globalStores"] = stores.collect::<Result<Vec<_>, Stop>>()?.into();
    }
    Ok(out)
}

fn status(group: &DescribedGroup) -> &'static str {
    usize::try_from(group.topology_description_status)
        .ok()
        .and_then(|code| STATUSES.get(code).copied())
        .unwrap_or("UNKNOWN")
}

fn description(group: &DescribedGroup) -> Result<&TopologyDescription, Stop> {
    group.topology_description.as_ref().ok_or_else(|| {
        Stop::Error("Topology description is missing despite status AVAILABLE".to_owned())
    })
}

/// Who comes before a node, by its name.
type Before<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn predecessors(nodes: &[TopologyDescriptionNode]) -> Before<'_> {
    let mut before = Before::new();
    for node in nodes {
        for next in &node.successors {
            before.entry(next).or_default().insert(&node.name);
        }
    }
    before
}

/// The topology as Kafka Streams describes it.
fn text(description: &TopologyDescription) -> Result<String, Stop> {
    let mut out = String::from("Topologies:\n");
    for part in &description.subtopologies {
        out.push_str(&format!("   Sub-topology: {}\n", part.subtopology_id));
        let before = predecessors(&part.nodes);
        for node in &part.nodes {
            out.push_str(&format!("    {}\n", node_text(node, &before)?));
        }
        out.push('\n');
    }
    let first = description.subtopologies.len();
    for (at, store) in description.global_stores.iter().enumerate() {
        out.push_str(&format!(
            "   Sub-topology: {} for global store (will not generate tasks)\n",
            first.saturating_add(at)
        ));
        let nodes = [store.source.clone(), store.processor.clone()];
        let before = predecessors(&nodes);
        for node in &nodes {
            out.push_str(&format!("    {}\n", node_text(node, &before)?));
        }
        out.push('\n');
    }
    Ok(out)
}

/// The three kinds of nodes.
enum Kind {
    Source,
    Processor,
    Sink,
}

fn kind(node: &TopologyDescriptionNode) -> Result<Kind, Stop> {
    match node.node_type {
        1 => Ok(Kind::Source),
        2 => Ok(Kind::Processor),
        3 => Ok(Kind::Sink),
        other => Err(Stop::Error(format!(
            "java.lang.IllegalStateException: Unknown topology node type: {other}"
        ))),
    }
}

fn node_text(node: &TopologyDescriptionNode, before: &Before<'_>) -> Result<String, Stop> {
    let set = |names: &[String]| {
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let or_none = |names: String| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names
        }
    };
    let next = or_none(set(&node.successors));
    let previous = before
        .get(node.name.as_str())
        .map(|names| names.iter().copied().collect::<Vec<_>>().join(", "));
    let previous = or_none(previous.unwrap_or_default());
    let name = &node.name;
    Ok(match kind(node)? {
        Kind::Source => {
            let topics = set(&node.source_topics);
            format!("Source: {name} (topics: [{topics}])\n      --> {next}")
        }
        Kind::Processor => {
            let stores = set(&node.stores);
            format!(
                "Processor: {name} (stores: [{stores}])\n      --> {next}\n      <-- {previous}"
            )
        }
        Kind::Sink => {
            let topic = node.sink_topic.as_deref().unwrap_or("null");
            format!("Sink: {name} (topic: {topic})\n      <-- {previous}")
        }
    })
}

fn node_json(node: &TopologyDescriptionNode, before: &Before<'_>) -> Result<Value, Stop> {
    let mut out = match kind(node)? {
        Kind::Source => json!({"type": "source", "topics": node.source_topics}),
        Kind::Processor => json!({"type": "processor", "stores": node.stores}),
        Kind::Sink => json!({"type": "sink", "topic": node.sink_topic}),
    };
    out["name"] = node.name.as_str().into();
    out["successors"] = node.successors.clone().into();
    let previous = before.get(node.name.as_str());
    out["predecessors"] = previous
        .into_iter()
        .flatten()
        .map(|name| Value::from(*name))
        .collect();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::streams_group_describe_response::{
        TopologyDescriptionGlobalStore, TopologyDescriptionSubtopology,
    };

    use super::*;

    fn node(name: &str, node_type: i8, next: &[&str]) -> TopologyDescriptionNode {
        TopologyDescriptionNode {
            name: name.to_owned(),
            node_type,
            successors: next.iter().map(|name| (*name).to_owned()).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn topologies_look_as_kafka_streams_describes_them() {
        let mut source = node("in", 1, &["work"]);
        source.source_topics = vec!["b".to_owned(), "a".to_owned()];
        let mut work = node("work", 2, &["out", "log"]);
        work.stores = vec!["store".to_owned()];
        let mut sink = node("out", 3, &[]);
        sink.sink_topic = Some("c".to_owned());
        let description = TopologyDescription {
            subtopologies: vec![TopologyDescriptionSubtopology {
                subtopology_id: "0".to_owned(),
                nodes: vec![source, work, sink, node("log", 3, &[])],
            }],
            global_stores: vec![TopologyDescriptionGlobalStore {
                source: node("gs", 1, &["gp"]),
                processor: node("gp", 2, &[]),
            }],
        };
        assert_eq!(
            text(&description),
            Ok("Topologies:\n   Sub-topology: 0\n    Source: in (topics: [a, b])\n      --> work\n    \
                Processor: work (stores: [store])\n      --> log, out\n      <-- in\n    Sink: out \
                (topic: c)\n      <-- work\n    Sink: log (topic: null)\n      <-- work\n\n   \
                Sub-topology: 1 for global store (will not generate tasks)\n    Source: gs (topics: [])\n\
                \u{20}     --> gp\n    Processor: gp (stores: [])\n      --> none\n      <-- gs\n\n"
                .to_owned())
        );
    }

    #[test]
    fn a_node_of_no_known_kind_is_an_error() {
        let nodes = [node("x", 9, &[])];
        assert!(node_text(&nodes[0], &predecessors(&nodes)).is_err());
    }
}
