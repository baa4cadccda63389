//! `--delete`, `--delete-offsets` and `--reset-offsets`.

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;

use crate::common::jopt::Options;
use crate::common::table::{Table, Width, number, text};
use crate::common::{format, output};

use super::super::ask::{self, Stop, TopicPartition, plain, runtime};
use super::super::delete::{self, Outcome, in_java_order};
use super::super::plan;
use super::super::reset::{self, Numbers, Reset};
use super::description;

fn groups(admin: &mut Admin, options: &Options) -> Result<Vec<String>, Stop> {
    if options.has("all-groups") {
        super::all_groups(admin)
    } else {
        Ok(options.values("group").to_vec())
    }
}

/// Runs `--delete`.
pub(super) fn delete(admin: &mut Admin, options: &Options) -> Result<(), Stop> {
    let groups = in_java_order(groups(admin, options)?);
    let outcomes: Vec<Outcome> = groups
        .into_iter()
        .map(|group| {
            let outcome = ask::delete_group(admin, "deleteConsumerGroups", &group)
                .map_err(|error| error.to_java());
            (group, outcome)
        })
        .collect();
    delete::say(&outcomes, "consumer groups", "");
    Ok(())
}

/// What became of the offsets of one partition, or of a topic that is not known.
type Fate = (String, Option<i32>, Option<ClientError>);

/// Runs `--delete-offsets`.
pub(super) fn delete_offsets(admin: &mut Admin, options: &Options, json: bool) -> Result<(), Stop> {
    let group = options.value("group")?.unwrap_or_default();
    delete_offsets_of(admin, group, options.values("topic"), Vec::new(), json)
}

/// Deletes the offsets that a group has of partitions and of topics, given as `topic` or `topic:0,1`.
pub(in super::super) fn delete_offsets_of(
    admin: &mut Admin,
    group: &str,
    topics: &[String],
    mut partitions: Vec<TopicPartition>,
    json: bool,
) -> Result<(), Stop> {
    let mut fates: Vec<Fate> = Vec::new();
    for arg in topics.iter().filter(|arg| arg.contains(':')) {
        partitions.extend(reset::listed(arg)?);
    }
    let whole: Vec<String> = topics
        .iter()
        .filter(|arg| !arg.contains(':'))
        .cloned()
        .collect();
    match ask::topics(admin, &whole) {
        Ok(found) => {
            for (name, topic) in found {
                match topic {
                    Ok(known) => partitions.extend(
                        known
                            .keys()
                            .map(|partition| TopicPartition::new(&name, *partition)),
                    ),
                    Err(error) => fates.push((name, None, Some(error))),
                }
            }
        }
        Err(error) => {
            fates.extend(
                whole
                    .into_iter()
                    .map(|name| (name, None, Some(error.clone()))),
            );
        }
    }
    partitions.sort_unstable();
    partitions.dedup();
    let top = match ask::delete_offsets(admin, group, &partitions) {
        Ok((top, each)) => {
            fates.extend(partitions.into_iter().map(|at| {
                let own = each.get(&at).copied().unwrap_or_default();
                let code = if top == 0 { own } else { top };
                let error = (code != 0).then(|| ClientError::refused(code, None));
                (at.topic, Some(at.partition), error)
            }));
            if top == 0 {
                fates
                    .iter()
                    .filter(|(_, partition, _)| partition.is_some())
                    .find_map(|(_, _, error)| error.as_ref().and_then(ClientError::code))
            } else {
                ErrorCode::from_code(top)
            }
        }
        Err(error) => {
            let code = error.code().or(match &error {
                ClientError::Timeout(_) => Some(ErrorCode::RequestTimedOut),
                _ => Some(ErrorCode::UnknownServerError),
            });
            fates.extend(
                partitions
                    .into_iter()
                    .map(|at| (at.topic, Some(at.partition), Some(error.clone()))),
            );
            code
        }
    };
    say_top(group, top);
    fates.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let table = fates_table(&fates);
    if json {
        format::json(&table.json().into());
    } else {
        output::text("\n");
        table.print();
    }
    Ok(())
}

fn say_top(group: &str, top: Option<ErrorCode>) {
    match top {
        None => output::line(&format!(
            "Request succeeded for deleting offsets from group {group}."
        )),
        Some(
            code @ (ErrorCode::InvalidGroupId
            | ErrorCode::GroupIdNotFound
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::NonEmptyGroup),
        ) => ask::print_error(code.message()),
        Some(
            ErrorCode::GroupSubscribedToTopic
            | ErrorCode::TopicAuthorizationFailed
            | ErrorCode::UnknownTopicOrPartition,
        ) => ask::print_error("Encountered some partition-level error, see the follow-up details."),
        Some(code) => ask::print_error(&format!("Encountered some unknown error: {}", code.name())),
    }
}

fn fates_table(fates: &[Fate]) -> Table {
    let mut table = Table::new(vec![
        text("TOPIC", Width::AtLeast(15), "topic"),
        number("PARTITION", Width::Fixed(10), "partition"),
        text("STATUS", Width::Fixed(15), "status"),
    ]);
    for (topic, partition, error) in fates {
        table.row(vec![
            topic.clone(),
            crate::common::table::or_nothing(*partition),
            error.as_ref().map_or_else(
                || "Successful".to_owned(),
                |error| format!("Error: {}", error.to_java()),
            ),
        ]);
    }
    table
}

/// Runs `--reset-offsets`.
pub(super) fn reset(
    admin: &mut Admin,
    options: &Options,
    numbers: Numbers,
    json: bool,
) -> Result<(), Stop> {
    let named = options.values("group");
    let one = match named {
        [one] => Some(one.as_str()),
        _ => None,
    };
    let mut reset = Reset::new(options, numbers);
    let mut plan: Vec<(String, Vec<(TopicPartition, i64)>)> = Vec::new();
    for group in in_java_order(groups(admin, options)?) {
        let state = match description::group(admin, &group) {
            Ok(description) => description.state,
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => "Dead".to_owned(),
            Err(error) => return Err(runtime(error)),
        };
        let offsets = if state == "Empty" || state == "Dead" {
            reset_one(admin, options, &mut reset, &group, one)?
        } else {
            ask::print_error(&format!(
                "Assignments can only be reset if the group '{group}' is inactive, but the current \
                 state is {state}."
            ));
            Vec::new()
        };
        plan.push((group, offsets));
    }
    if options.has("export") {
        output::line(&plan::write(&plan, named.len() != 1));
    } else if json {
        format::json(&reset::table(&plan).json().into());
    } else {
        reset::print_plan(&plan);
    }
    Ok(())
}

fn reset_one(
    admin: &mut Admin,
    options: &Options,
    reset: &mut Reset<'_>,
    group: &str,
    one: Option<&str>,
) -> Result<Vec<(TopicPartition, i64)>, Stop> {
    let partitions = if options.has("all-topics") {
        let mut all: Vec<_> = ask::committed(admin, group)
            .map_err(runtime)?
            .into_iter()
            .collect();
        ask::java_order(&mut all);
        all.into_iter().map(|(at, _)| at).collect()
    } else if options.has("topic") {
        reset::partitions(admin, options.values("topic"))?
    } else if options.has("from-file") {
        Vec::new()
    } else {
        return Err(Stop::Usage(
            "One of the reset scopes should be defined: --all-topics, --topic.".to_owned(),
        ));
    };
    reset::check_partitions(admin, &partitions)?;
    let offsets = reset.offsets(admin, group, one, &partitions)?;
    if options.has("execute") && !offsets.is_empty() {
        ask::commit(admin, group, &offsets).map_err(plain)?;
    }
    Ok(offsets)
}
