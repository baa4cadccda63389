//! `--describe`: offsets and lag, members, or the state of consumer groups.

use std::collections::BTreeMap;

use ottla_client::Admin;

use crate::common::jopt::Options;
use crate::common::table::{Table, Width, number, or_nothing, text};
use crate::common::{format, output};

use super::super::ask::{self, Committed, LATEST, Stop, TopicPartition, execution, runtime};
use super::description::{Description, Member, group};

/// Runs `--describe`.
pub(super) fn run(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let groups = if options.has("all-groups") {
        super::all_groups(admin)?
    } else {
        options.values("group").to_vec()
    };
    let verbose = options.has("verbose");
    let mut described = BTreeMap::new();
    for name in groups {
        let description = group(admin, &name).map_err(execution)?;
        described.insert(name, description);
    }
    let mut rows = Vec::new();
    for description in described.values() {
        let table = if options.has("members") {
            Some(members_table(description, verbose || json))
        } else if options.has("state") {
            Some(state_table(description, verbose || json))
        } else {
            let table = offsets_table(admin, description, verbose || json)?;
            (!table.is_empty()).then_some(table)
        };
        let shown = say_state(&description.group, &description.state)?;
        let Some(table) = table.filter(|_| shown) else {
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

/// Says what is special about a group's state. Nothing more is to be said about a dead one.
fn say_state(group: &str, state: &str) -> Result<bool, Stop> {
    match state {
        "Dead" => {
            ask::print_error(&format!("Consumer group '{group}' does not exist."));
            return Ok(false);
        }
        "Empty" => output::error_line(&format!(
            "\nConsumer group '{group}' has no active members."
        )),
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            output::error_line(&format!(
                "\nWarning: Consumer group '{group}' is rebalancing."
            ));
        }
        "Stable" => {}
        other => {
            return Err(Stop::Error(format!(
                "Expected a valid consumer group state, but found '{other}'."
            )));
        }
    }
    Ok(true)
}

fn offsets_table(
    admin: &mut Admin,
    description: &Description,
    verbose: bool,
) -> Result<Table, Stop> {
    let committed = ask::committed(admin, &description.group).map_err(runtime)?;
    let mut members: Vec<&Member> = description
        .members
        .iter()
        .filter(|member| !member.assigned.is_empty())
        .collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.assigned.len()));
    let mut columns = vec![
        text("GROUP", Width::AtLeast(15), "group"),
        text("TOPIC", Width::AtLeast(15), "topic"),
        number("PARTITION", Width::Fixed(10), "partition"),
    ];
    if verbose {
        columns.push(number("LEADER-EPOCH", Width::Fixed(15), "leaderEpoch"));
    }
    columns.extend([
        number("CURRENT-OFFSET", Width::Fixed(15), "currentOffset"),
        number("LOG-END-OFFSET", Width::Fixed(15), "logEndOffset"),
        number("LAG", Width::Fixed(15), "lag"),
        text("CONSUMER-ID", Width::AtLeast(15), "consumerId"),
        text("HOST", Width::AtLeast(15), "host"),
        text("CLIENT-ID", Width::Free, "clientId"),
    ]);
    let mut table = Table::new(columns);
    let mut assigned = Vec::new();
    for member in members {
        let owner = [&member.id, &member.host, &member.client_id].map(String::as_str);
        let partitions = &member.assigned;
        offset_rows(
            admin,
            &mut table,
            description,
            partitions,
            &committed,
            owner,
            verbose,
        )?;
        assigned.extend(partitions);
    }
    let others: Vec<TopicPartition> = committed
        .keys()
        .filter(|at| !assigned.contains(at))
        .cloned()
        .collect();
    let nobody = ["-"; 3];
    offset_rows(
        admin,
        &mut table,
        description,
        &others,
        &committed,
        nobody,
        verbose,
    )?;
    Ok(table)
}

fn offset_rows(
    admin: &mut Admin,
    table: &mut Table,
    description: &Description,
    partitions: &[TopicPartition],
    committed: &Committed,
    owner: [&str; 3],
    verbose: bool,
) -> Result<(), Stop> {
    let mut partitions = partitions.to_vec();
    partitions.sort_unstable();
    partitions.dedup();
    let mut names: Vec<String> = partitions.iter().map(|at| at.topic.clone()).collect();
    names.dedup();
    let mut leaderless = Vec::new();
    for (name, topic) in ask::topics(admin, &names).map_err(runtime)? {
        let known = topic.map_err(runtime)?;
        leaderless.extend(
            known
                .iter()
                .filter(|(_, has_leader)| !**has_leader)
                .map(|(partition, _)| TopicPartition::new(&name, *partition)),
        );
    }
    let with_leader: Vec<TopicPartition> = partitions
        .iter()
        .filter(|at| !leaderless.contains(at))
        .cloned()
        .collect();
    let ends = ask::offsets(admin, &with_leader, LATEST).map_err(runtime)?;
    for at in partitions {
        let at_commit = committed.get(&at).copied().flatten();
        let end = ends.get(&at).copied().flatten();
        let lag = at_commit
            .zip(end)
            .map(|((offset, _), end)| end.saturating_sub(offset));
        let mut cells = vec![
            description.group.clone(),
            at.topic,
            at.partition.to_string(),
        ];
        if verbose {
            cells.push(or_nothing(
                at_commit
                    .map(|(_, epoch)| epoch)
                    .filter(|epoch| *epoch >= 0),
            ));
        }
        cells.extend([
            or_nothing(at_commit.map(|(offset, _)| offset)),
            or_nothing(end),
            or_nothing(lag),
        ]);
        cells.extend(owner.map(str::to_owned));
        table.row(cells);
    }
    Ok(())
}

fn members_table(description: &Description, verbose: bool) -> Table {
    let members = &description.members;
    let has_instance = members.iter().any(|member| !member.instance.is_empty());
    let has = |upgraded| {
        members
            .iter()
            .any(|member| member.upgraded == Some(upgraded))
    };
    // Of interest only while a group migrates from one protocol to the other.
    let mixed = has(true) && has(false);
    let mut columns = vec![
        text("GROUP", Width::AtLeast(15), "group"),
        text("CONSUMER-ID", Width::AtLeast(15), "consumerId"),
    ];
    if has_instance {
        columns.push(text(
            "GROUP-INSTANCE-ID",
            Width::AtLeast(17),
            "groupInstanceId",
        ));
    }
    columns.extend([
        text("HOST", Width::AtLeast(15), "host"),
        text("CLIENT-ID", Width::AtLeast(15), "clientId"),
        number("#PARTITIONS", Width::Fixed(15), "partitions"),
    ]);
    if verbose {
        columns.extend([
            number("CURRENT-EPOCH", Width::Fixed(15), "currentEpoch"),
            text(
                "CURRENT-ASSIGNMENT",
                Width::AtLeast(20),
                "currentAssignment",
            ),
            number("TARGET-EPOCH", Width::Fixed(15), "targetEpoch"),
            text("TARGET-ASSIGNMENT", Width::AtLeast(20), "targetAssignment"),
        ]);
        if mixed {
            columns.push(text("UPGRADED", Width::Free, "upgraded"));
        }
    } else {
        // Kafka prints one more blank.
        columns.push(text("", Width::Free, ""));
    }
    let mut table = Table::new(columns);
    for member in members {
        let mut cells = vec![description.group.clone(), member.id.clone()];
        if has_instance {
            cells.push(member.instance.clone());
        }
        cells.extend([
            member.host.clone(),
            member.client_id.clone(),
            member.assigned.len().to_string(),
        ]);
        if verbose {
            cells.extend([
                or_nothing(member.epoch),
                assignment(&member.assigned),
                or_nothing(description.target_epoch),
                assignment(&member.target),
            ]);
            if mixed {
                cells.push(or_nothing(member.upgraded));
            }
        } else {
            cells.push(String::new());
        }
        table.row(cells);
    }
    table
}

/// `t1:0,1;t2:0`.
pub(in super::super) fn assignment(partitions: &[TopicPartition]) -> String {
    if partitions.is_empty() {
        return "-".to_owned();
    }
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for at in partitions {
        by_topic.entry(&at.topic).or_default().push(at.partition);
    }
    let mut topics: Vec<String> = by_topic
        .iter_mut()
        .map(|(topic, partitions)| {
            partitions.sort_unstable();
            let numbers: Vec<String> = partitions.iter().map(ToString::to_string).collect();
            format!("{topic}:{}", numbers.join(","))
        })
        .collect();
    topics.sort_unstable();
    topics.join(";")
}

fn state_table(description: &Description, verbose: bool) -> Table {
    let mut columns = vec![
        text("GROUP", Width::AtLeast(15), "group"),
        text("COORDINATOR (ID)", Width::AtLeast(25), "coordinator"),
        text(
            "ASSIGNMENT-STRATEGY",
            Width::Fixed(20),
            "assignmentStrategy",
        ),
        text("STATE", Width::Fixed(20), "state"),
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
    let node = &description.coordinator;
    let mut cells = vec![
        description.group.clone(),
        format!("{}:{}  ({})", node.host, node.port, node.broker_id),
        or_nothing(Some(description.assignor.as_str()).filter(|name| !name.is_empty())),
        description.state.clone(),
    ];
    if verbose {
        cells.extend([
            or_nothing(description.group_epoch),
            or_nothing(description.target_epoch),
        ]);
    }
    cells.push(description.members.len().to_string());
    table.row(cells);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_sorted_by_topic_and_number() {
        let at = TopicPartition::new;
        assert_eq!(
            assignment(&[at("b", 10), at("a", 0), at("b", 2)]),
            "a:0;b:2,10"
        );
        assert_eq!(assignment(&[]), "-");
    }
}
