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

use super::super::ask::{self, Stop, TopicPartition, plain};
use super::super::delete::{self, Outcome, in_java_order};
use super::super::plan;
use super::super::reset::{self, Numbers, Reset};
use super::describe;

/// Runs `--delete`.
pub(super) fn delete(admin: &mut Admin, options: &Options) -> Result<(), Stop> {
    let states: BTreeMap<String, String> = super::listings(admin, &[])?.into_iter().collect();
    let groups = if options.has("all-groups") {
        states.keys().cloned().collect()
    } else {
        options.values("group").to_vec()
    };
    let outcomes: Vec<Outcome> = in_java_order(groups)
        .into_iter()
        .map(|group| {
            let refusal = match states.get(&group) {
                Some(state) => delete::refusal("Share", &group, state),
                None => Some(
                    ClientError::refused(
                        ErrorCode::GroupIdNotFound.code(),
                        Some(&format!("Group '{group}' is not a share group.")),
                    )
                    .to_java(),
                ),
            };
            let outcome = match refusal {
                Some(refusal) => Err(refusal),
                None => ask::delete_group(admin, "deleteShareGroups", &group)
                    .map_err(|error| error.to_java()),
            };
            (group, outcome)
        })
        .collect();
    delete::say(&outcomes, "share groups", "");
    Ok(())
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
pub(super) fn reset(
    admin: &mut Admin,
    options: &Options,
    numbers: Numbers,
    json: bool,
) -> Result<(), Stop> {
    let group = options.value("group")?.unwrap_or_default().to_owned();
    match describe::group(admin, &group) {
        Ok((_, found)) if !["Empty", "Dead"].contains(&found.group_state.as_str()) => {
            return Err(Stop::Exit(format!("Share group '{group}' is not empty.")));
        }
        Ok(_) => {}
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => {}
        Err(error) => return Err(Stop::Exit(error.to_string())),
    }
    let partitions: Vec<TopicPartition> = if options.has("topic") {
        reset::partitions(admin, options.values("topic"))?
    } else {
        let starts = describe::starts(admin, &group).map_err(plain)?;
        starts.into_keys().collect()
    };
    reset::check_partitions(admin, &partitions)?;
    // Kafka differs: its tool ends with a NullPointerException where the group knows of a partition and has
    // no offset of it yet; here that is the end of the log, as for a partition that it does not know.
    let offsets = if options.has("to-current") {
        let starts = describe::starts(admin, &group).map_err(plain)?;
        let known = starts
            .into_iter()
            .filter_map(|(at, start)| Some((at, Some((start?.offset, -1)))))
            .collect();
        reset::current(admin, &partitions, &known)?
    } else {
        Reset::new(options, numbers).offsets(admin, &group, Some(&group), &partitions)?
    };
    if options.has("execute") && !offsets.is_empty() {
        alter(admin, &group, &offsets).map_err(plain)?;
    }
    let plan: Vec<_> = Some((group, offsets))
        .into_iter()
        .filter(|(_, offsets)| !offsets.is_empty())
        .collect();
    if options.has("export") {
        output::line(&plan::write(&plan, false));
    } else if json {
        format::json(&reset::table(&plan).json().into());
    } else {
        reset::print_plan(&plan);
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
