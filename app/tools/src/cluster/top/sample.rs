//! One look at a cluster: nodes, partitions, ends of logs, sizes, groups and what they committed.
//!
//! Every look costs a bounded number of requests, whatever the size of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ottla_client::{Admin, Attempt, ClientError, CoordinatorKind};
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::{
    DescribeGroupsRequest, DescribeLogDirsRequest, ListGroupsRequest, ListOffsetsRequest,
    MetadataResponse, OffsetFetchRequest,
};

/// Groups whose offsets are looked at; those above it, by name, are only counted.
const GROUPS_MAX: usize = 100;

/// Newest version of OffsetFetch that names topics instead of giving their ids.
const OFFSET_FETCH_NAMES: i16 = 9;

/// First version of OffsetFetch that takes several groups.
const OFFSET_FETCH_GROUPS: i16 = 8;

/// A partition of a topic.
pub(crate) type Partition = (String, i32);

/// What was seen.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) cluster_id: String,
    pub(crate) brokers: Vec<Broker>,
    /// Topics in the order of their names.
    pub(crate) topics: BTreeMap<String, Topic>,
    pub(crate) groups: Vec<Group>,
    /// Groups that are not in `groups`, because there are too many.
    pub(crate) groups_left_out: usize,
    /// What needs attention, a sentence each.
    pub(crate) attention: Vec<String>,
}

/// A node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Broker {
    pub(crate) id: i32,
    pub(crate) address: String,
    pub(crate) rack: Option<String>,
    pub(crate) fenced: bool,
    pub(crate) leaders: usize,
    pub(crate) replicas: usize,
    /// Bytes of the logs of all its directories.
    pub(crate) bytes: i64,
}

/// A topic.
#[derive(Debug, Clone, Default)]
pub(crate) struct Topic {
    pub(crate) partitions: usize,
    pub(crate) internal: bool,
    /// Sum of the partitions' ends, in records.
    pub(crate) end: i64,
    /// Bytes of all replicas.
    pub(crate) bytes: i64,
}

/// A group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) members: usize,
    pub(crate) committed: i64,
    /// Records between what was committed and the ends of the logs.
    pub(crate) lag: i64,
}

/// Looks at everything once.
///
/// # Errors
/// If the cluster cannot be asked. A node or group that cannot is told in the sample.
pub(crate) fn take(admin: &mut Admin) -> Result<Sample, ClientError> {
    let cluster = admin.retry("describeCluster", |admin| {
        admin.describe_cluster(true).map(Attempt::Done)
    })?;
    let metadata = admin.metadata("listTopics", None)?;
    let mut sample = Sample {
        at: Instant::now(),
        cluster_id: cluster.cluster_id,
        brokers: cluster.brokers.iter().map(broker).collect(),
        topics: BTreeMap::new(),
        groups: Vec::new(),
        groups_left_out: 0,
        attention: Vec::new(),
    };
    sample.brokers.sort_by_key(|broker| broker.id);
    sample.place(&metadata);
    let ends = ends(admin, &metadata, &mut sample);
    sizes(admin, &mut sample);
    groups(admin, &ends, &mut sample)?;
    Ok(sample)
}

fn broker(node: &DescribeClusterBroker) -> Broker {
    Broker {
        id: node.broker_id,
        address: format!("{}:{}", node.host, node.port),
        rack: node.rack.clone(),
        fenced: node.is_fenced,
        ..Broker::default()
    }
}

impl Sample {
    /// Counts partitions, and notes those that are not as they should be.
    fn place(&mut self, metadata: &MetadataResponse) {
        for broker in self.brokers.iter().filter(|broker| broker.fenced) {
            let text = format!("broker {} ({}) is fenced", broker.id, broker.address);
            self.attention.push(text);
        }
        for topic in &metadata.topics {
            let Some(name) = &topic.name else { continue };
            let entry = self.topics.entry(name.clone()).or_default();
            entry.internal = topic.is_internal;
            entry.partitions = topic.partitions.len();
            for partition in &topic.partitions {
                let place = format!("{name}-{}", partition.partition_index);
                if partition.leader_id < 0 {
                    self.attention.push(format!("{place} has no leader"));
                } else if partition.isr_nodes.len() < partition.replica_nodes.len() {
                    self.attention.push(format!(
                        "{place} has {} of {} replicas in sync",
                        partition.isr_nodes.len(),
                        partition.replica_nodes.len()
                    ));
                }
                for broker in &mut self.brokers {
                    broker.leaders += usize::from(broker.id == partition.leader_id);
                    broker.replicas += usize::from(partition.replica_nodes.contains(&broker.id));
                }
            }
        }
    }
}

/// Ends of all logs that have a leader, one request for each node.
fn ends(
    admin: &mut Admin,
    metadata: &MetadataResponse,
    sample: &mut Sample,
) -> BTreeMap<Partition, i64> {
    let mut wanted: BTreeMap<i32, Vec<ListOffsetsTopic>> = BTreeMap::new();
    for topic in &metadata.topics {
        let Some(name) = &topic.name else { continue };
        for partition in topic.partitions.iter().filter(|it| it.leader_id >= 0) {
            let topics = wanted.entry(partition.leader_id).or_default();
            if topics.last().is_none_or(|last| last.name != *name) {
                let last = ListOffsetsTopic {
                    name: name.clone(),
                    ..ListOffsetsTopic::default()
                };
                topics.push(last);
            }
            let entry = ListOffsetsPartition {
                partition_index: partition.partition_index,
                current_leader_epoch: -1,
                timestamp: -1,
            };
            if let Some(last) = topics.last_mut() {
                last.partitions.push(entry);
            }
        }
    }
    let mut ends = BTreeMap::new();
    for (node, topics) in wanted {
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics,
            ..ListOffsetsRequest::default()
        };
        match admin.node(node).and_then(|node| node.ask(&request)) {
            Ok(answer) => {
                for topic in answer.topics {
                    for partition in topic.partitions.iter().filter(|it| it.error_code == 0) {
                        let key = (topic.name.clone(), partition.partition_index);
                        ends.insert(key, partition.offset);
                        if let Some(topic) = sample.topics.get_mut(&topic.name) {
                            topic.end = topic.end.saturating_add(partition.offset);
                        }
                    }
                }
            }
            Err(error) => sample.attention.push(format!("broker {node}: {error}")),
        }
    }
    ends
}

/// Bytes by topic and node.
fn sizes(admin: &mut Admin, sample: &mut Sample) {
    let request = DescribeLogDirsRequest { topics: None };
    for broker in sample.brokers.iter_mut().filter(|broker| !broker.fenced) {
        let id = broker.id;
        let answer = match admin.node(id).and_then(|node| node.ask(&request)) {
            Ok(answer) => answer,
            Err(error) => {
                sample.attention.push(format!("broker {id}: {error}"));
                continue;
            }
        };
        for dir in answer.results {
            if dir.error_code != 0 {
                let error = ClientError::refused(dir.error_code, None);
                sample
                    .attention
                    .push(format!("broker {id}, directory {}: {error}", dir.log_dir));
            }
            for topic in dir.topics {
                let bytes: i64 = topic.partitions.iter().map(|it| it.partition_size).sum();
                broker.bytes = broker.bytes.saturating_add(bytes);
                if let Some(entry) = sample.topics.get_mut(&topic.name) {
                    entry.bytes = entry.bytes.saturating_add(bytes);
                }
            }
        }
    }
}

/// Groups with what they committed.
fn groups(
    admin: &mut Admin,
    ends: &BTreeMap<Partition, i64>,
    sample: &mut Sample,
) -> Result<(), ClientError> {
    let mut found: BTreeMap<String, Group> = BTreeMap::new();
    let nodes: Vec<i32> = sample
        .brokers
        .iter()
        .filter(|broker| !broker.fenced)
        .map(|broker| broker.id)
        .collect();
    for node in nodes {
        let Ok(answer) = admin
            .node(node)
            .and_then(|node| node.ask(&ListGroupsRequest::default()))
        else {
            continue; // Told already.
        };
        for group in answer.groups {
            let entry = Group {
                name: group.group_id.clone(),
                kind: group.group_type,
                state: group.group_state,
                ..Group::default()
            };
            found.insert(group.group_id, entry);
        }
    }
    sample.groups_left_out = found.len().saturating_sub(GROUPS_MAX);
    let mut silent = BTreeSet::new();
    for mut group in found.into_values().take(GROUPS_MAX) {
        if let Err(error) = offsets(admin, ends, &mut group) {
            silent.insert(format!("group {}: {error}", group.name));
        }
        if group.state == "Empty" && group.lag > 0 {
            sample.attention.push(format!(
                "group {} has no members and a lag of {}",
                group.name, group.lag
            ));
        }
        sample.groups.push(group);
    }
    sample.attention.extend(silent);
    sample
        .groups
        .sort_by(|a, b| b.lag.cmp(&a.lag).then_with(|| a.name.cmp(&b.name)));
    Ok(())
}

/// Fills in members, what was committed, and the lag.
fn offsets(
    admin: &mut Admin,
    ends: &BTreeMap<Partition, i64>,
    group: &mut Group,
) -> Result<(), ClientError> {
    let coordinator = admin.find_coordinator(CoordinatorKind::Group, &group.name)?;
    let node = admin.node(coordinator)?;
    if group.kind.eq_ignore_ascii_case("classic") || group.kind.is_empty() {
        let request = DescribeGroupsRequest {
            groups: vec![group.name.clone()],
            ..DescribeGroupsRequest::default()
        };
        let answer = node.ask(&request)?;
        group.members = answer.groups.iter().map(|group| group.members.len()).sum();
    }
    let version = node
        .version::<OffsetFetchRequest>()?
        .min(OFFSET_FETCH_NAMES);
    let mut request = OffsetFetchRequest::default();
    if version >= OFFSET_FETCH_GROUPS {
        let entry = OffsetFetchRequestGroup {
            member_epoch: -1,
            topics: None,
            group_id: group.name.clone(),
            ..OffsetFetchRequestGroup::default()
        };
        request.groups = vec![entry];
    } else {
        request.group_id.clone_from(&group.name);
        request.topics = None;
    }
    let answer = node.exchange(&request, version)?;
    let old = answer.topics.iter().flat_map(|topic| {
        let offsets = topic.partitions.iter();
        offsets.map(move |it| (topic.name.clone(), it.partition_index, it.committed_offset))
    });
    let new = answer
        .groups
        .iter()
        .flat_map(|group| &group.topics)
        .flat_map(|topic| {
            let offsets = topic.partitions.iter();
            offsets.map(move |it| (topic.name.clone(), it.partition_index, it.committed_offset))
        });
    for (topic, partition, committed) in old.chain(new).filter(|(_, _, offset)| *offset >= 0) {
        group.committed = group.committed.saturating_add(committed);
        if let Some(end) = ends.get(&(topic, partition)) {
            group.lag = group
                .lag
                .saturating_add(end.saturating_sub(committed).max(0));
        }
    }
    Ok(())
}
