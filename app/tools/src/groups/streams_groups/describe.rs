//! `--describe`: lag, members with their tasks, or the state of streams groups.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::StreamsGroupDescribeRequest;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::streams_group_describe_response::{
    Assignment, DescribedGroup, Subtopology, TaskIds,
};

use crate::common::format;
use crate::common::jopt::Options;
use crate::common::table::{NOTHING, Table, Width, number, text};

use super::super::ask::{
    self, Committed, EARLIEST, LATEST, Stop, TopicPartition, execution, runtime,
};
use super::topology;

/// Asks for a group, and for who coordinates it.
pub(super) fn group(
    admin: &mut Admin,
    group: &str,
) -> Result<(DescribeClusterBroker, DescribedGroup), ClientError> {
    group_with(admin, group, false)
}

/// The same, with the description of its topology if `topology`.
fn group_with(
    admin: &mut Admin,
    group: &str,
    topology: bool,
) -> Result<(DescribeClusterBroker, DescribedGroup), ClientError> {
    let (node, answer) = ask::coordinator::<StreamsGroupDescribeRequest>(
        admin,
        "describeStreamsGroups",
        group,
        |_| StreamsGroupDescribeRequest {
            group_ids: vec![group.to_owned()],
            include_topology_description: topology,
            ..Default::default()
        },
        i16::MAX,
        |answer| {
            answer
                .groups
                .first()
                .map(|group| group.error_code)
                .unwrap_or_default()
        },
    )?;
    let found = answer
        .groups
        .into_iter()
        .next()
        .ok_or_else(|| ClientError::refused(ErrorCode::GroupIdNotFound.code(), None))?;
    ClientError::check(found.error_code, found.error_message.as_deref())?;
    Ok((node, found))
}

/// The parts of a group's topology, as far as it is known.
pub(super) fn subtopologies(group: &DescribedGroup) -> &[Subtopology] {
    group
        .topology
        .as_ref()
        .and_then(|topology| topology.subtopologies.as_deref())
        .unwrap_or_default()
}

/// Runs `--describe`. `false` if a topology that was asked for is not known.
pub(super) fn run(admin: &mut Admin, options: &Options, json: bool) -> Result<bool, Stop> {
    let groups = super::named(admin, options)?;
    let verbose = options.has("verbose") || json;
    let with_topology = options.has("topology");
    let mut all_known = true;
    let mut rows = Vec::new();
    for name in groups {
        let (node, group) = group_with(admin, &name, with_topology).map_err(execution)?;
        let table = if with_topology {
            if json {
                rows.push(topology::as_json(&group)?);
            } else {
                all_known &= topology::print(&group)?;
            }
            None
        } else if options.has("members") {
            has_members(&group).then(|| members_table(&group, verbose))
        } else if options.has("state") {
            if !json {
                say_state(&group);
            }
            Some(state_table(&node, &group, verbose))
        } else {
            let offsets = offsets(admin, &group)?;
            has_members(&group).then(|| offsets_table(&group.group_id, &offsets, verbose))
        };
        match table {
            Some(table) if json => rows.extend(table.json()),
            Some(table) => table.print(),
            None => {}
        }
    }
    if json {
        format::json(&rows.into());
    }
    Ok(all_known)
}

/// Whether there is anything to say of members and of what they read; Kafka's tool is silent otherwise.
fn has_members(group: &DescribedGroup) -> bool {
    group.group_state != "Dead" && !group.members.is_empty()
}

fn say_state(group: &DescribedGroup) {
    let what = match group.group_state.as_str() {
        "Dead" => "does not exist",
        "Empty" => "has no active members",
        _ => return,
    };
    ask::print_error(&format!("Streams group '{}' {what}.", group.group_id));
}

/// How far a group has read a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress {
    /// The committed offset with its leader epoch, which may be -1.
    committed: Option<(i64, i32)>,
    end: i64,
    lag: i64,
}

/// How far a group has read the partitions of its active tasks.
fn offsets(
    admin: &mut Admin,
    group: &DescribedGroup,
) -> Result<Vec<(TopicPartition, Progress)>, Stop> {
    let wanted = active_partitions(group)?;
    let starts = ask::offsets(admin, &wanted, EARLIEST).map_err(execution)?;
    let ends = ask::offsets(admin, &wanted, LATEST).map_err(execution)?;
    let committed = ask::committed(admin, &group.group_id).map_err(runtime)?;
    let mut out: Vec<(TopicPartition, Progress)> = wanted
        .into_iter()
        .filter_map(|at| {
            let end = ends.get(&at).copied().flatten()?;
            let start = starts.get(&at).copied().flatten()?;
            let progress = progress(&committed, &at, start, end);
            Some((at, progress))
        })
        .collect();
    ask::java_order(&mut out);
    Ok(out)
}

fn progress(committed: &Committed, at: &TopicPartition, start: i64, end: i64) -> Progress {
    let committed = committed.get(at).copied().flatten();
    let from = committed.map_or(start, |(offset, _)| offset);
    Progress {
        committed,
        end,
        lag: end.saturating_sub(from),
    }
}

/// The partitions that active tasks read.
fn active_partitions(group: &DescribedGroup) -> Result<Vec<TopicPartition>, Stop> {
    let topics: BTreeMap<&str, Vec<&str>> = subtopologies(group)
        .iter()
        .map(|part| {
            let sources = part.source_topics.iter().map(String::as_str);
            let between = part
                .repartition_source_topics
                .iter()
                .map(|topic| topic.name.as_str());
            (
                part.subtopology_id.as_str(),
                sources.chain(between).collect(),
            )
        })
        .collect();
    let mut out = BTreeSet::new();
    for member in &group.members {
        for task in &member.assignment.active_tasks {
            let id = task.subtopology_id.as_str();
            let topics = topics.get(id).ok_or_else(|| {
                Stop::Usage(format!("Subtopology {id} not found in group description!"))
            })?;
            for topic in topics {
                for partition in &task.partitions {
                    out.insert(TopicPartition::new(topic, *partition));
                }
            }
        }
    }
    Ok(out.into_iter().collect())
}

fn offsets_table(group: &str, offsets: &[(TopicPartition, Progress)], verbose: bool) -> Table {
    let mut columns = vec![
        text("GROUP", Width::AtLeast(15), "group"),
        text("TOPIC", Width::AtLeast(15), "topic"),
        number("PARTITION", Width::Fixed(10), "partition"),
    ];
    if verbose {
        columns.extend([
            number("CURRENT-OFFSET", Width::Fixed(15), "currentOffset"),
            number("LEADER-EPOCH", Width::Fixed(15), "leaderEpoch"),
            number("LOG-END-OFFSET", Width::Fixed(15), "logEndOffset"),
            number("OFFSET-LAG", Width::Fixed(15), "offsetLag"),
        ]);
    } else {
        columns.push(number("OFFSET-LAG", Width::Free, "offsetLag"));
    }
    let mut table = Table::new(columns);
    for (at, progress) in offsets {
        let mut cells = vec![group.to_owned(), at.topic.clone(), at.partition.to_string()];
        if verbose {
            let nothing = || NOTHING.to_owned();
            let known = progress.committed;
            cells.push(known.map_or_else(nothing, |(offset, _)| offset.to_string()));
            cells.push(
                known
                    .filter(|(_, epoch)| *epoch >= 0)
                    .map_or_else(nothing, |(_, epoch)| epoch.to_string()),
            );
            cells.push(progress.end.to_string());
        }
        cells.push(progress.lag.to_string());
        table.row(cells);
    }
    table
}

fn members_table(group: &DescribedGroup, verbose: bool) -> Table {
    let mut columns = vec![text("GROUP", Width::AtLeast(15), "group")];
    if verbose {
        columns.extend([
            number(
                "TARGET-ASSIGNMENT-EPOCH",
                Width::Fixed(25),
                "targetAssignmentEpoch",
            ),
            // Kafka has 15 here, and no space behind.
            number("TOPOLOGY-EPOCH", Width::Fixed(14), "topologyEpoch"),
        ]);
    }
    columns.push(text("MEMBER", Width::AtLeast(15), "member"));
    if verbose {
        columns.extend([
            text("MEMBER-PROTOCOL", Width::Fixed(15), "memberProtocol"),
            number("MEMBER-EPOCH", Width::Fixed(15), "memberEpoch"),
        ]);
    }
    columns.extend([
        text("PROCESS", Width::AtLeast(15), "process"),
        text("CLIENT-ID", Width::AtLeast(15), "clientId"),
        text("ASSIGNMENTS", Width::Free, "assignments"),
    ]);
    let mut table = Table::new(columns);
    for member in &group.members {
        let mut cells = vec![group.group_id.clone()];
        if verbose {
            cells.push(group.assignment_epoch.to_string());
            cells.push(member.topology_epoch.to_string());
        }
        cells.push(member.member_id.clone());
        if verbose {
            let protocol = if member.is_classic {
                "classic"
            } else {
                "streams"
            };
            cells.push(protocol.to_owned());
            cells.push(member.member_epoch.to_string());
        }
        cells.push(member.process_id.clone());
        cells.push(member.client_id.clone());
        let mut tasks = tasks_of("", &member.assignment);
        if verbose {
            tasks.push_str(&tasks_of("TARGET-", &member.target_assignment));
        }
        cells.push(tasks);
        table.row(cells);
    }
    table
}

fn tasks_of(prefix: &str, assignment: &Assignment) -> String {
    [
        ("ACTIVE", &assignment.active_tasks),
        ("STANDBY", &assignment.standby_tasks),
        ("WARMUP", &assignment.warmup_tasks),
    ]
    .iter()
    .map(|(kind, tasks)| tasks_text(&format!("{prefix}{kind}"), tasks))
    .collect()
}

/// `ACTIVE: 0:[0,1]; 1:[0]; `.
fn tasks_text(kind: &str, tasks: &[TaskIds]) -> String {
    if tasks.is_empty() {
        return String::new();
    }
    let each: String = tasks
        .iter()
        .map(|task| {
            let partitions: Vec<String> = task.partitions.iter().map(i32::to_string).collect();
            format!("{}:[{}]; ", task.subtopology_id, partitions.join(","))
        })
        .collect();
    format!("{kind}: {each}")
}

fn state_table(node: &DescribeClusterBroker, group: &DescribedGroup, verbose: bool) -> Table {
    let mut columns = vec![
        text("GROUP", Width::AtLeast(15), "group"),
        text("COORDINATOR (ID)", Width::AtLeast(25), "coordinator"),
        text("ASSIGNOR", Width::AtLeast(15), "assignor"),
        text("STATE", Width::Fixed(25), "state"),
    ];
    if verbose {
        columns.extend([
            number("GROUP-EPOCH", Width::Fixed(15), "groupEpoch"),
            number(
                "TARGET-ASSIGNMENT-EPOCH",
                Width::Fixed(25),
                "targetAssignmentEpoch",
            ),
        ]);
    }
    columns.push(number("#MEMBERS", Width::Free, "members"));
    let mut table = Table::new(columns);
    let mut cells = vec![
        group.group_id.clone(),
        format!("{}:{} ({})", node.host, node.port, node.broker_id),
        group.assignor_name.clone().unwrap_or_default(),
        group.group_state.clone(),
    ];
    if verbose {
        cells.push(group.group_epoch.to_string());
        cells.push(group.assignment_epoch.to_string());
    }
    cells.push(group.members.len().to_string());
    table.row(cells);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(id: &str, partitions: &[i32]) -> TaskIds {
        TaskIds {
            subtopology_id: id.to_owned(),
            partitions: partitions.to_vec(),
        }
    }

    #[test]
    fn tasks_are_written_by_kind_and_part() {
        let assignment = Assignment {
            active_tasks: vec![tasks("0", &[0, 1, 2]), tasks("1", &[4])],
            warmup_tasks: vec![tasks("0", &[3])],
            ..Default::default()
        };
        assert_eq!(
            tasks_of("TARGET-", &assignment),
            "TARGET-ACTIVE: 0:[0,1,2]; 1:[4]; TARGET-WARMUP: 0:[3]; "
        );
        assert_eq!(tasks_of("", &Assignment::default()), "");
    }

    #[test]
    fn lag_counts_from_what_is_committed_or_else_from_the_start() {
        let at = TopicPartition::new("t", 0);
        let committed = Committed::from([(at.clone(), Some((7, 2)))]);
        assert_eq!(progress(&committed, &at, 3, 10).lag, 3);
        assert_eq!(progress(&Committed::new(), &at, 3, 10).lag, 7);
        assert_eq!(
            progress(&Committed::from([(at.clone(), None)]), &at, 3, 10).committed,
            None
        );
    }
}
