//! `--describe`: start offsets, members, or the state of share groups.

use std::collections::BTreeMap;

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
use ottla_protocol::messages::share_group_describe_response::{DescribedGroup, Member};
use ottla_protocol::messages::{DescribeShareGroupOffsetsRequest, ShareGroupDescribeRequest};

use crate::common::jopt::Options;
use crate::common::table::{NOTHING, Table, Width, number, text};
use crate::common::{format, output};

use super::super::ask::{self, Stop, TopicPartition, execution};
use super::super::consumer_groups::assignment;

/// Asks for a group, and for who coordinates it.
pub(super) fn group(
    admin: &mut Admin,
    group: &str,
) -> Result<(DescribeClusterBroker, DescribedGroup), ClientError> {
    let (node, answer) = ask::coordinator::<ShareGroupDescribeRequest>(
        admin,
        "describeShareGroups",
        group,
        |_| ShareGroupDescribeRequest {
            group_ids: vec![group.to_owned()],
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

/// Where a share group begins to read a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) offset: i64,
    epoch: i32,
    lag: i64,
}

/// The start offsets of a group; nothing for a partition where it has none yet.
pub(super) fn starts(
    admin: &mut Admin,
    group: &str,
) -> Result<BTreeMap<TopicPartition, Option<Start>>, ClientError> {
    let (_, answer) = ask::coordinator::<DescribeShareGroupOffsetsRequest>(
        admin,
        "describeShareGroupOffsets",
        group,
        |_| DescribeShareGroupOffsetsRequest {
            groups: vec![DescribeShareGroupOffsetsRequestGroup {
                group_id: group.to_owned(),
                topics: None,
            }],
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
    let mut out = BTreeMap::new();
    for group in answer.groups {
        ClientError::check(group.error_code, group.error_message.as_deref())?;
        for topic in group.topics {
            for entry in topic.partitions {
                if entry.error_code != 0 {
                    continue;
                }
                let start = Start {
                    offset: entry.start_offset,
                    epoch: entry.leader_epoch,
                    lag: entry.lag,
                };
                out.insert(
                    TopicPartition::new(&topic.topic_name, entry.partition_index),
                    Some(start).filter(|start| start.offset >= 0),
                );
            }
        }
    }
    Ok(out)
}

/// Runs `--describe`.
pub(super) fn run(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let mut groups = if options.has("all-groups") {
        super::all_groups(admin)?
    } else {
        options.values("group").to_vec()
    };
    groups.sort_unstable();
    groups.dedup();
    let verbose = options.has("verbose") || json;
    let mut described = Vec::new();
    for name in groups {
        described.push(group(admin, &name).map_err(execution)?);
    }
    let mut rows = Vec::new();
    for (node, group) in &described {
        let table = if options.has("members") {
            Some(members_table(group, verbose)).filter(|_| say_state(group, false))
        } else if options.has("state") {
            Some(state_table(node, group, verbose)).filter(|_| say_state(group, true))
        } else {
            let starts = starts(admin, &group.group_id).map_err(execution)?;
            if starts.is_empty() {
                output::line(&format!(
                    "\nShare group '{}' has no offset information.",
                    group.group_id
                ));
            }
            Some(offsets_table(&group.group_id, &starts, verbose)).filter(|_| !starts.is_empty())
        };
        let Some(table) = table else {
            continue;
        };
        if json {
            rows.extend(table.json());
        } else {
            output::text("\n");
            table.print();
        }
    }
    if json {
        format::json(&rows.into());
    }
    Ok(())
}

/// Says what is special about a group's state, and whether more is to be said.
fn say_state(group: &DescribedGroup, even_empty: bool) -> bool {
    match group.group_state.as_str() {
        "Dead" => {
            ask::print_error(&format!("Share group '{}' does not exist.", group.group_id));
            false
        }
        "Empty" => {
            output::error_line(&format!(
                "\nShare group '{}' has no active members.",
                group.group_id
            ));
            even_empty
        }
        _ => true,
    }
}

fn offsets_table(
    group: &str,
    starts: &BTreeMap<TopicPartition, Option<Start>>,
    verbose: bool,
) -> Table {
    let mut columns = vec![
        text("GROUP", Width::AtLeast(15), "group"),
        text("TOPIC", Width::AtLeast(15), "topic"),
        number("PARTITION", Width::Fixed(10), "partition"),
    ];
    if verbose {
        columns.push(number("LEADER-EPOCH", Width::Fixed(13), "leaderEpoch"));
    }
    columns.extend([
        number("START-OFFSET", Width::Fixed(13), "startOffset"),
        number("LAG", Width::Free, "lag"),
    ]);
    let mut table = Table::new(columns);
    let known = |value: Option<i64>| {
        value
            .filter(|value| *value >= 0)
            .map_or_else(|| NOTHING.to_owned(), |value| value.to_string())
    };
    for (at, start) in starts {
        let mut cells = vec![group.to_owned(), at.topic.clone(), at.partition.to_string()];
        if verbose {
            cells.push(known(start.map(|start| i64::from(start.epoch))));
        }
        cells.push(known(start.map(|start| start.offset)));
        cells.push(known(start.map(|start| start.lag)));
        table.row(cells);
    }
    table
}

fn partitions(member: &Member) -> Vec<TopicPartition> {
    member
        .assignment
        .topic_partitions
        .iter()
        .flat_map(|topic| {
            topic
                .partitions
                .iter()
                .map(|partition| TopicPartition::new(&topic.topic_name, *partition))
        })
        .collect()
}

fn members_table(group: &DescribedGroup, verbose: bool) -> Table {
    let mut columns = vec![
        text("GROUP", Width::AtLeast(15), "group"),
        text("CONSUMER-ID", Width::AtLeast(15), "consumerId"),
        text("HOST", Width::AtLeast(15), "host"),
        text("CLIENT-ID", Width::AtLeast(15), "clientId"),
        number("#PARTITIONS", Width::Fixed(12), "partitions"),
    ];
    if verbose {
        columns.push(number("MEMBER-EPOCH", Width::Fixed(13), "memberEpoch"));
    }
    columns.push(text("ASSIGNMENT", Width::Free, "assignment"));
    let mut table = Table::new(columns);
    for member in &group.members {
        let assigned = partitions(member);
        let mut cells = vec![
            group.group_id.clone(),
            member.member_id.clone(),
            member.client_host.clone(),
            member.client_id.clone(),
            assigned.len().to_string(),
        ];
        if verbose {
            cells.push(member.member_epoch.to_string());
        }
        cells.push(assignment(&assigned));
        table.row(cells);
    }
    table
}

fn state_table(node: &DescribeClusterBroker, group: &DescribedGroup, verbose: bool) -> Table {
    let mut columns = vec![
        text("GROUP", Width::AtLeast(15), "group"),
        text("COORDINATOR (ID)", Width::AtLeast(25), "coordinator"),
        text("STATE", Width::Fixed(15), "state"),
    ];
    if verbose {
        columns.extend([
            number("GROUP-EPOCH", Width::Fixed(12), "groupEpoch"),
            number("ASSIGNMENT-EPOCH", Width::Fixed(17), "assignmentEpoch"),
        ]);
    }
    columns.push(number("#MEMBERS", Width::Free, "members"));
    let mut table = Table::new(columns);
    let mut cells = vec![
        group.group_id.clone(),
        format!("{}:{}  ({})", node.host, node.port, node.broker_id),
        group.group_state.clone(),
    ];
    if verbose {
        cells.extend([
            group.group_epoch.to_string(),
            group.assignment_epoch.to_string(),
        ]);
    }
    cells.push(group.members.len().to_string());
    table.row(cells);
    table
}
