//! `--delete`, `--delete-offsets` and `--reset-offsets`.

use std::collections::BTreeMap;

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use ottla_protocol::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use ottla_protocol::messages::{AlterShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequest};

use crate::common::jopt::Options;
use crate::common::table::{Table, Width, text};
use crate::common::{format, output};

use super::super::ask::{self, Stop, TopicPartition, plain, runtime};
use super::super::consumer_groups::{in_java_order, print_plan, say_deleted};
use super::super::reset::{self, Numbers, Reset};
use super::describe;

/// Runs `--delete`.
pub(super) fn delete(admin: &mut Admin, options: &Options) -> Result<(), Stop> {
    let known = super::all_groups(admin)?;
    let groups = if options.has("all-groups") {
        known.clone()
    } else {
        options.values("group").to_vec()
    };
    // Kafka's tool names those first that are no share groups.
    let (groups, others): (Vec<String>, Vec<String>) = in_java_order(groups)
        .into_iter()
        .partition(|group| known.contains(group));
    let mut outcomes: Vec<(String, Result<(), String>)> = others
        .into_iter()
        .map(|group| {
            let error = format!(
                "java.lang.IllegalArgumentException: Group '{group}' is not a share group."
            );
            (group, Err(error))
        })
        .collect();
    for group in groups {
        let outcome = delete_one(admin, &group);
        outcomes.push((group, outcome));
    }
    say_deleted(&outcomes, "share groups");
    Ok(())
}

fn delete_one(admin: &mut Admin, group: &str) -> Result<(), String> {
    let (_, found) = describe::group(admin, group).map_err(|error| error.to_java())?;
    if found.group_state != "Empty" {
        return Err(ClientError::refused(
            ErrorCode::NonEmptyGroup.code(),
            Some(&format!("Share group '{group}' is not EMPTY.")),
        )
        .to_java());
    }
    ask::delete_group(admin, "deleteShareGroups", group).map_err(|error| error.to_java())
}

/// Runs `--delete-offsets`.
pub(super) fn delete_offsets(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let group = options.value("group")?.unwrap_or_default();
    let mut topics = options.values("topic").to_vec();
    topics.sort_unstable();
    topics.dedup();
    let answer = ask::coordinator::<DeleteShareGroupOffsetsRequest>(
        admin,
        "deleteShareGroupOffsets",
        group,
        |_| DeleteShareGroupOffsetsRequest {
            group_id: group.to_owned(),
            topics: topics
                .iter()
                .map(|topic| DeleteShareGroupOffsetsRequestTopic {
                    topic_name: topic.clone(),
                })
                .collect(),
        },
        i16::MAX,
        |answer| answer.error_code,
    )
    .and_then(|(_, answer)| {
        ClientError::check(answer.error_code, answer.error_message.as_deref())?;
        Ok(answer)
    });
    let mut table = Table::new(vec![
        text("TOPIC", Width::AtLeast(15), "topic"),
        text("STATUS", Width::Free, "status"),
    ]);
    match answer {
        Ok(answer) => {
            for topic in answer.responses {
                let status = ClientError::check(topic.error_code, topic.error_message.as_deref())
                    .map_or_else(
                        |error| format!("Error: {error}"),
                        |()| "Successful".to_owned(),
                    );
                table.row(vec![topic.topic_name, status]);
            }
        }
        Err(error) => {
            ask::print_error(&error.to_string());
            for topic in topics {
                table.row(vec![topic, format!("Error: {error}")]);
            }
        }
    }
    if json {
        format::json(&table.json().into());
    } else {
        output::text("\n");
        table.print();
    }
    Ok(())
}

/// Runs `--reset-offsets`.
pub(super) fn reset(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let group = options.value("group")?.unwrap_or_default().to_owned();
    match describe::group(admin, &group) {
        Ok((_, found)) if !["Empty", "Dead"].contains(&found.group_state.as_str()) => {
            return Err(Stop::Exit(format!("Share group '{group}' is not empty.")));
        }
        Ok(_) => {}
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => {}
        Err(error) => return Err(runtime(error)),
    }
    let partitions: Vec<TopicPartition> = if options.has("all-topics") {
        let starts = describe::starts(admin, &group).map_err(runtime)?;
        starts.into_keys().collect()
    } else {
        reset::partitions(admin, options.values("topic"))?
    };
    reset::check_partitions(admin, &partitions)?;
    let offsets = Reset::new(options, Numbers::default()).offsets(
        admin,
        &group,
        Some(&group),
        &partitions,
    )?;
    if options.has("execute") && !offsets.is_empty() {
        alter(admin, &group, &offsets).map_err(plain)?;
    }
    let plan = vec![(group, offsets)];
    if json {
        format::json(&reset::table(&plan).json().into());
    } else {
        print_plan(&plan);
    }
    Ok(())
}

fn alter(
    admin: &mut Admin,
    group: &str,
    offsets: &[(TopicPartition, i64)],
) -> Result<(), ClientError> {
    let mut topics: BTreeMap<&str, Vec<AlterShareGroupOffsetsRequestPartition>> = BTreeMap::new();
    for (at, offset) in offsets {
        topics
            .entry(&at.topic)
            .or_default()
            .push(AlterShareGroupOffsetsRequestPartition {
                partition_index: at.partition,
                start_offset: *offset,
            });
    }
    let (_, answer) = ask::coordinator::<AlterShareGroupOffsetsRequest>(
        admin,
        "alterShareGroupOffsets",
        group,
        |_| AlterShareGroupOffsetsRequest {
            group_id: group.to_owned(),
            topics: topics
                .iter()
                .map(|(topic, partitions)| AlterShareGroupOffsetsRequestTopic {
                    topic_name: (*topic).to_owned(),
                    partitions: partitions.clone(),
                })
                .collect(),
        },
        i16::MAX,
        |answer| answer.error_code,
    )?;
    ClientError::check(answer.error_code, answer.error_message.as_deref())?;
    for topic in &answer.responses {
        for entry in &topic.partitions {
            ClientError::check(entry.error_code, entry.error_message.as_deref())?;
        }
    }
    Ok(())
}
