//! `meta.properties`: which node and cluster a log directory belongs to (KIP-631, KIP-858).
//!
//! Texts and values only; who reads and writes the files is elsewhere. The sentences are Kafka's.

use std::collections::BTreeMap;

use ottla_base::{NodeId, Uuid};

use crate::values::RawConfigs;

/// Name of the file in each log directory.
pub const META_PROPERTIES_FILE: &str = "meta.properties";

/// What a log directory says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaProperties {
    /// 1; 0 in the directories of a ZooKeeper cluster.
    pub version: u8,
    /// Id of the cluster; version 0 may lack it.
    pub cluster_id: Option<String>,
    /// The node; version 0 may lack it.
    pub node_id: Option<NodeId>,
    /// Identity of the directory itself; older ones lack it.
    pub directory_id: Option<Uuid>,
}

/// A `meta.properties` that cannot be, or that does not belong here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMetaProperties(String);

fn refuse<T>(text: String) -> Result<T, InvalidMetaProperties> {
    Err(InvalidMetaProperties(text))
}

impl MetaProperties {
    /// Takes the values from a file that was read.
    ///
    /// # Errors
    /// [`InvalidMetaProperties`] if one is missing or malformed.
    pub fn from_properties(properties: &RawConfigs) -> Result<Self, InvalidMetaProperties> {
        let text = properties.get("version").map_or("0", String::as_str);
        let version = match text.trim().parse::<i32>() {
            Err(_) => return refuse(format!("Invalid meta.properties version string '{text}'")),
            Ok(0) => 0,
            Ok(1) => 1,
            Ok(number) => {
                return refuse(format!("Unknown meta.properties version number {number}"));
            }
        };
        let key = if version == 0 { "broker.id" } else { "node.id" };
        let node_id = match properties.get(key).map(|text| text.parse()) {
            None if version == 0 => None,
            None => return refuse(format!("Failed to find {key}")),
            Some(Err(_)) => return refuse(format!("Unable to read {key} as a base-10 number.")),
            Some(Ok(id)) => Some(NodeId(id)),
        };
        let cluster_id = properties.get("cluster.id").cloned();
        if cluster_id.is_none() && version != 0 {
            return refuse("cluster.id was not found.".to_owned());
        }
        let directory_id = match properties.get("directory.id").map(|text| text.parse()) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(error)) => {
                return refuse(format!("Unable to read directory.id as a Uuid: {error}"));
            }
        };
        Ok(Self {
            version,
            cluster_id,
            node_id,
            directory_id,
        })
    }

    /// The values as they stand in the file.
    #[must_use]
    pub fn to_properties(&self) -> RawConfigs {
        let node_key = if self.version == 0 {
            "broker.id"
        } else {
            "node.id"
        };
        let mut properties = RawConfigs::from([("version".to_owned(), self.version.to_string())]);
        let mut set = |key: &str, value: Option<String>| {
            properties.extend(value.map(|value| (key.to_owned(), value)));
        };
        set("cluster.id", self.cluster_id.clone());
        set(node_key, self.node_id.map(|id| id.to_string()));
        set("directory.id", self.directory_id.map(|id| id.to_string()));
        properties
    }
}

/// Checks that the directories of a node belong together and to `node_id`; to `cluster_id` too, where it
/// is known. Returns the id of their cluster, if one of them says it.
///
/// # Errors
/// [`InvalidMetaProperties`] that names the file.
pub fn verify_meta_properties(
    directories: &BTreeMap<String, MetaProperties>,
    cluster_id: Option<&str>,
    node_id: NodeId,
) -> Result<Option<String>, InvalidMetaProperties> {
    let mut expected = cluster_id.map(str::to_owned);
    let mut seen: BTreeMap<Uuid, &str> = BTreeMap::new();
    for (directory, meta) in directories {
        let path = format!("{}/{META_PROPERTIES_FILE}", directory.trim_end_matches('/'));
        match (&meta.cluster_id, &expected) {
            (Some(found), Some(expected)) if found != expected => {
                return refuse(format!(
                    "Invalid cluster.id in: {path}. Expected {expected}, but read {found}"
                ));
            }
            (Some(found), None) => expected = Some(found.clone()),
            _ => {}
        }
        if let Some(found) = meta.node_id.filter(|id| *id != node_id) {
            return refuse(format!(
                "Stored node id {found} doesn't match previous node id {node_id} in {path}. If you \
                 moved your data, make sure your configured node id matches. If you intend to \
                 create a new node, you should remove all data in your data directories."
            ));
        }
        let Some(id) = meta.directory_id else {
            continue;
        };
        if id.is_reserved() {
            return refuse(format!(
                "Invalid reserved directory ID {id} found in {directory}"
            ));
        }
        if let Some(other) = seen.insert(id, directory) {
            return refuse(format!(
                "Duplicate directory ID {id} found. It was the ID of {other}, but also of {directory}"
            ));
        }
    }
    Ok(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<MetaProperties, String> {
        let raw = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        MetaProperties::from_properties(&raw).map_err(|error| error.to_string())
    }

    #[test]
    fn a_directory_of_today_and_one_of_zookeeper_times_are_read() {
        let today = [
            ("cluster.id", "c"),
            ("directory.id", "JYpazmsR8KaxU9vqXuawQA"),
            ("node.id", "1"),
            ("version", "1"),
        ];
        let meta = parse(&today).unwrap();
        assert_eq!((meta.version, meta.node_id), (1, Some(NodeId(1))));
        let written = meta.to_properties();
        assert_eq!(MetaProperties::from_properties(&written), Ok(meta));
        assert_eq!(written.len(), 4);
        let old = parse(&[("broker.id", "3"), ("version", "0")]).unwrap();
        assert_eq!(
            (old.cluster_id.as_deref(), old.node_id),
            (None, Some(NodeId(3)))
        );
        assert_eq!(parse(&[]).map(|meta| meta.version), Ok(0));
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        for (pairs, text) in [
            (
                &[("version", "x")][..],
                "Invalid meta.properties version string 'x'",
            ),
            (
                &[("version", "2")],
                "Unknown meta.properties version number 2",
            ),
            (&[("version", "1")], "Failed to find node.id"),
            (
                &[("version", "1"), ("node.id", "x")],
                "Unable to read node.id as a base-10 number.",
            ),
            (
                &[("version", "1"), ("node.id", "1")],
                "cluster.id was not found.",
            ),
        ] {
            assert_eq!(parse(pairs), Err(text.to_owned()));
        }
        let bad_id = parse(&[("directory.id", "short")]).unwrap_err();
        assert!(
            bad_id.starts_with("Unable to read directory.id as a Uuid"),
            "{bad_id}"
        );
    }

    #[test]
    fn directories_of_other_nodes_and_clusters_are_refused() {
        let meta = |cluster: &str, node, directory: u8| MetaProperties {
            version: 1,
            cluster_id: Some(cluster.to_owned()),
            node_id: Some(NodeId(node)),
            directory_id: Some(Uuid([directory; 16])),
        };
        let check = |second: MetaProperties, cluster: Option<&str>| {
            let both = BTreeMap::from([
                ("/a".to_owned(), meta("c", 1, 7)),
                ("/b".to_owned(), second),
            ]);
            verify_meta_properties(&both, cluster, NodeId(1)).map_err(|error| error.to_string())
        };
        assert_eq!(check(meta("c", 1, 8), None), Ok(Some("c".to_owned())));
        let error = |result: Result<Option<String>, String>| result.unwrap_err();
        assert_eq!(
            error(check(meta("d", 1, 8), None)),
            "Invalid cluster.id in: /b/meta.properties. Expected c, but read d"
        );
        assert_eq!(
            error(check(meta("c", 1, 8), Some("x"))),
            "Invalid cluster.id in: /a/meta.properties. Expected x, but read c"
        );
        assert!(error(check(meta("c", 2, 8), None)).starts_with("Stored node id 2 doesn't match"));
        assert!(error(check(meta("c", 1, 7), None)).starts_with("Duplicate directory ID"));
        assert!(error(check(meta("c", 1, 0), None)).starts_with("Invalid reserved directory ID"));
    }
}
