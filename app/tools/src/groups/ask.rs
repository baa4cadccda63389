//! What the tools for groups ask a cluster: lists, descriptions, offsets; each with the words that
//! Kafka's admin client has for what goes wrong.

use std::collections::BTreeMap;

use ottla_client::{Admin, Attempt, Call, ClientError, CoordinatorKind, Properties};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{
    DeleteGroupsRequest, ListGroupsRequest, ListOffsetsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, list_offsets_request, list_offsets_response,
    offset_commit_request, offset_delete_request, offset_fetch_request,
};

use crate::common::java;
use crate::common::jopt::Options;
use crate::common::usage::Failure;

/// Last version of OffsetFetch and OffsetCommit that names topics; from the next on they have ids, which
/// a tool would have to look up first.
const NAMES_VERSION_MAX: i16 = 9;

/// Timestamps that ListOffsets takes for the end and the beginning of a log.
pub(super) const LATEST: i64 = -1;
pub(super) const EARLIEST: i64 = -2;

/// One partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TopicPartition {
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl TopicPartition {
    pub(super) fn new(topic: &str, partition: i32) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
        }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Puts entries with partitions into the order of a Java map.
pub(super) fn java_order<T>(entries: &mut [(TopicPartition, T)]) {
    java::hash_map_order(entries, |(at, _)| {
        java::topic_partition_hash(&at.topic, at.partition)
    });
}

/// Why a tool stops. Kafka's tools for groups print what failed to standard output, and end with 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The command line is wrong.
    Usage(String),
    /// The work failed; the text is the message of the exception in Kafka's tool.
    Error(String),
    /// The work cannot be done, and Kafka's tool says so and ends with 1.
    Exit(String),
}

impl From<crate::common::jopt::OptionError> for Stop {
    fn from(error: crate::common::jopt::OptionError) -> Self {
        Self::Error(error.0)
    }
}

/// The message where Kafka's tool lets the error through as it is.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is given to map_err, as its siblings"
)]
pub(super) fn plain(error: ClientError) -> Stop {
    Stop::Error(error.to_string())
}

/// The message where Kafka's tool lets the `ExecutionException` of a future through.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(super) fn execution(error: ClientError) -> Stop {
    Stop::Error(error.to_java())
}

/// The message where Kafka's tool wraps that in a `RuntimeException`.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(super) fn runtime(error: ClientError) -> Stop {
    Stop::Error(wrapped(&error.to_java()))
}

fn wrapped(text: &str) -> String {
    format!("java.util.concurrent.ExecutionException: {text}")
}

/// A client with the time limit of `--timeout`, which in these tools every call has.
pub(super) fn admin(options: &Options) -> Result<Admin, Stop> {
    let mut properties = match options.value("command-config")? {
        None => Properties::new(),
        Some(path) => {
            let missing = !std::path::Path::new(path).exists();
            crate::common::client::properties_file(path).map_err(|text| {
                Stop::Error(if missing {
                    format!("java.nio.file.NoSuchFileException: {path}")
                } else {
                    text
                })
            })?
        }
    };
    let timeout: i64 = options.number("timeout")?.unwrap_or(TIMEOUT_DEFAULT_MS);
    let timeout = timeout.clamp(0, i64::from(i32::MAX));
    let request = properties
        .get("request.timeout.ms")
        .and_then(|text| text.trim().parse::<i64>().ok())
        .unwrap_or(i64::MAX);
    properties.insert("default.api.timeout.ms".to_owned(), timeout.to_string());
    if request > timeout {
        properties.insert("request.timeout.ms".to_owned(), timeout.to_string());
    }
    let servers = options.value("bootstrap-server")?.unwrap_or_default();
    crate::common::client::admin(ottla_client::Bootstrap::Brokers, servers, &properties)
        .map_err(|_| Stop::Error("Failed to create new KafkaAdminClient".to_owned()))
}

/// `--timeout` where it is not given.
pub(super) const TIMEOUT_DEFAULT_MS: i64 = 5000;

/// The end of a tool: what Kafka's tool prints, and its exit code.
pub(super) fn end(
    result: Result<(), Stop>,
    command: &str,
) -> Result<std::process::ExitCode, Failure> {
    match result {
        Ok(()) => {}
        Err(Stop::Usage(text)) => return Err(Failure::Usage(text)),
        Err(Stop::Exit(text)) => return Err(Failure::Failed(text)),
        Err(Stop::Error(text)) => {
            print_error(&format!("Executing {command} command failed due to {text}"));
        }
    }
    Ok(std::process::ExitCode::SUCCESS)
}

/// Kafka's tools for groups print errors to standard output.
pub(super) fn print_error(text: &str) {
    crate::common::output::line(&format!("\nError: {text}"));
}

/// One group of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) protocol: String,
    pub(super) state: String,
}

/// All groups of a cluster that pass the filters, in the order in which Kafka's client gives them. An
/// empty filter lets everything through. The error is the text of the exception with its name.
pub(super) fn list_groups(
    admin: &mut Admin,
    states: &[String],
    types: &[String],
    protocols: Option<&[&str]>,
) -> Result<Vec<Listing>, String> {
    let brokers = admin
        .retry("findAllBrokers", |admin| {
            let cluster = admin.cluster()?;
            Ok(Attempt::Done(
                cluster
                    .brokers
                    .iter()
                    .map(|broker| broker.broker_id)
                    .collect::<Vec<_>>(),
            ))
        })
        .map_err(|_| {
            "org.apache.kafka.common.KafkaException: Failed to find brokers to send ListGroups"
                .to_owned()
        })?;
    let mut request = ListGroupsRequest::default();
    let mut found: BTreeMap<String, Listing> = BTreeMap::new();
    let mut order = Vec::new();
    for broker in brokers {
        let answer = admin
            .retry("listGroups", |admin| {
                let connection = admin.node(broker)?;
                let version = connection.version::<ListGroupsRequest>()?;
                request.states_filter = if version >= 4 {
                    states.to_vec()
                } else {
                    Vec::new()
                };
                request.types_filter = if version >= 5 {
                    types.to_vec()
                } else {
                    Vec::new()
                };
                let answer = connection.exchange(&request, version)?;
                ClientError::check(answer.error_code, None)?;
                Ok(Attempt::Done(answer))
            })
            .map_err(|error| error.to_java())?;
        for group in answer.groups {
            let listing = Listing {
                kind: type_name(&group.group_type),
                group: group.group_id,
                protocol: group.protocol_type,
                state: group.group_state,
            };
            let passes = (types.is_empty()
                || listing.kind.is_empty()
                || types
                    .iter()
                    .any(|kind| kind.eq_ignore_ascii_case(&listing.kind)))
                && protocols.is_none_or(|protocols| protocols.contains(&listing.protocol.as_str()));
            if passes
                && found
                    .insert(listing.group.clone(), listing.clone())
                    .is_none()
            {
                order.push(listing.group);
            }
        }
    }
    java::hash_map_order(&mut order, |group| java::string_hash(group));
    Ok(order
        .iter()
        .filter_map(|group| found.remove(group))
        .collect())
}

/// `classic` as Kafka's tools print it: `Classic`.
fn type_name(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

/// Asks the coordinator of a group, in at most `newest` version, and says who it is. `refusal` gives the
/// error code of the whole answer.
pub(super) fn coordinator<C: Call>(
    admin: &mut Admin,
    call: &str,
    group: &str,
    request: impl Fn(i16) -> C,
    newest: i16,
    refusal: impl Fn(&C::Response) -> i16,
) -> Result<(DescribeClusterBroker, C::Response), ClientError> {
    admin.retry(&format!("{call}(api=FIND_COORDINATOR)"), |admin| {
        let id = admin.find_coordinator(CoordinatorKind::Group, group)?;
        let node = admin
            .cluster()?
            .brokers
            .iter()
            .find(|broker| broker.broker_id == id)
            .cloned()
            .ok_or_else(|| ClientError::refused(ErrorCode::CoordinatorNotAvailable.code(), None))?;
        let connection = admin.node(id)?;
        let version = connection.version::<C>()?.min(newest);
        let answer = connection.exchange(&request(version), version)?;
        let code = refusal(&answer);
        let again = [
            ErrorCode::CoordinatorLoadInProgress,
            ErrorCode::CoordinatorNotAvailable,
            ErrorCode::NotCoordinator,
        ];
        if again.iter().any(|error| error.code() == code) {
            return Ok(Attempt::Again(ClientError::refused(code, None)));
        }
        Ok(Attempt::Done((node, answer)))
    })
}

/// Where a group has committed to: nothing for a partition whose offset is not known.
pub(super) type Committed = BTreeMap<TopicPartition, Option<(i64, i32)>>;

/// The committed offsets of a group with their leader epochs.
pub(super) fn committed(admin: &mut Admin, group: &str) -> Result<Committed, ClientError> {
    let request = |version: i16| {
        let mut request = OffsetFetchRequest::default();
        if version >= 8 {
            let entry = offset_fetch_request::OffsetFetchRequestGroup {
                group_id: group.to_owned(),
                topics: None,
                ..Default::default()
            };
            request.groups = vec![entry];
        } else {
            group.clone_into(&mut request.group_id);
            request.topics = None;
        }
        request
    };
    let (_, answer) = coordinator::<OffsetFetchRequest>(
        admin,
        "listConsumerGroupOffsets",
        group,
        request,
        NAMES_VERSION_MAX,
        |answer| {
            answer
                .groups
                .first()
                .map_or(answer.error_code, |group| group.error_code)
        },
    )?;
    let mut out = Committed::new();
    let mut add = |topic: &str, partition: i32, code: i16, offset: i64, epoch: i32| {
        if code == 0 {
            let value = (offset >= 0).then_some((offset, epoch));
            out.insert(TopicPartition::new(topic, partition), value);
        }
    };
    ClientError::check(answer.error_code, None)?;
    for topic in &answer.topics {
        for entry in &topic.partitions {
            add(
                &topic.name,
                entry.partition_index,
                entry.error_code,
                entry.committed_offset,
                entry.committed_leader_epoch,
            );
        }
    }
    for group in &answer.groups {
        ClientError::check(group.error_code, None)?;
        for topic in &group.topics {
            for entry in &topic.partitions {
                add(
                    &topic.name,
                    entry.partition_index,
                    entry.error_code,
                    entry.committed_offset,
                    entry.committed_leader_epoch,
                );
            }
        }
    }
    Ok(out)
}

/// Partitions of a topic with whether they have a leader, or why they are not known.
pub(super) type Topic = Result<BTreeMap<i32, bool>, ClientError>;

/// Describes topics, in the order given.
pub(super) fn topics(
    admin: &mut Admin,
    names: &[String],
) -> Result<Vec<(String, Topic)>, ClientError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let answer = admin.metadata("listNodes", Some(names))?;
    let describe = |name: &String| {
        let found = answer
            .topics
            .iter()
            .find(|topic| topic.name.as_ref() == Some(name));
        let Some(topic) = found else {
            return Err(ClientError::refused(
                ErrorCode::UnknownTopicOrPartition.code(),
                None,
            ));
        };
        if topic.error_code != ErrorCode::LeaderNotAvailable.code() {
            ClientError::check(topic.error_code, None)?;
        }
        Ok(topic
            .partitions
            .iter()
            .map(|partition| (partition.partition_index, partition.leader_id >= 0))
            .collect())
    };
    Ok(names
        .iter()
        .map(|name| (name.clone(), describe(name)))
        .collect())
}

/// Looks offsets up, each by a timestamp or by [`LATEST`] or [`EARLIEST`]; nothing where no record is
/// that new.
pub(super) fn offsets(
    admin: &mut Admin,
    wanted: &[TopicPartition],
    timestamp: i64,
) -> Result<BTreeMap<TopicPartition, Option<i64>>, ClientError> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut names: Vec<String> = wanted.iter().map(|at| at.topic.clone()).collect();
    names.sort_unstable();
    names.dedup();
    admin.retry("listOffsets(api=METADATA)", |admin| {
        let metadata = admin.metadata("listOffsets(api=METADATA)", Some(&names))?;
        let leader = |at: &TopicPartition| -> Result<i32, ClientError> {
            let unknown = || ClientError::refused(ErrorCode::UnknownTopicOrPartition.code(), None);
            let topic = metadata
                .topics
                .iter()
                .find(|topic| topic.name.as_ref() == Some(&at.topic))
                .ok_or_else(unknown)?;
            ClientError::check(topic.error_code, None)?;
            let partition = topic
                .partitions
                .iter()
                .find(|partition| partition.partition_index == at.partition)
                .ok_or_else(unknown)?;
            if partition.leader_id < 0 {
                return Err(ClientError::refused(
                    ErrorCode::LeaderNotAvailable.code(),
                    None,
                ));
            }
            Ok(partition.leader_id)
        };
        let mut by_leader: BTreeMap<i32, BTreeMap<&str, Vec<i32>>> = BTreeMap::new();
        for at in wanted {
            by_leader
                .entry(leader(at)?)
                .or_default()
                .entry(&at.topic)
                .or_default()
                .push(at.partition);
        }
        let mut out = BTreeMap::new();
        for (leader, topics) in by_leader {
            let answer = admin
                .node(leader)?
                .ask(&offsets_request(&topics, timestamp))?;
            for topic in answer.topics {
                for entry in topic.partitions {
                    ClientError::check(entry.error_code, None)?;
                    out.insert(
                        TopicPartition::new(&topic.name, entry.partition_index),
                        offset_of(&entry),
                    );
                }
            }
        }
        Ok(Attempt::Done(out))
    })
}

fn offset_of(entry: &list_offsets_response::ListOffsetsPartitionResponse) -> Option<i64> {
    (entry.offset >= 0).then_some(entry.offset)
}

fn offsets_request(topics: &BTreeMap<&str, Vec<i32>>, timestamp: i64) -> ListOffsetsRequest {
    let mut request = ListOffsetsRequest {
        replica_id: -1,
        ..Default::default()
    };
    for (name, partitions) in topics {
        let mut topic = list_offsets_request::ListOffsetsTopic {
            name: (*name).to_owned(),
            ..Default::default()
        };
        for partition in partitions {
            let entry = list_offsets_request::ListOffsetsPartition {
                partition_index: *partition,
                current_leader_epoch: -1,
                timestamp,
            };
            topic.partitions.push(entry);
        }
        request.topics.push(topic);
    }
    request
}

/// By topic: what requests want.
fn by_topic<T: Copy>(entries: &[(TopicPartition, T)]) -> BTreeMap<&str, Vec<(i32, T)>> {
    let mut out: BTreeMap<&str, Vec<(i32, T)>> = BTreeMap::new();
    for (at, value) in entries {
        out.entry(&at.topic)
            .or_default()
            .push((at.partition, *value));
    }
    out
}

/// Commits offsets for a group without members.
pub(super) fn commit(
    admin: &mut Admin,
    group: &str,
    offsets: &[(TopicPartition, i64)],
) -> Result<(), ClientError> {
    let request = |_| {
        let mut request = OffsetCommitRequest {
            group_id: group.to_owned(),
            generation_id_or_member_epoch: -1,
            retention_time_ms: -1,
            ..Default::default()
        };
        for (name, partitions) in by_topic(offsets) {
            let mut topic = offset_commit_request::OffsetCommitRequestTopic {
                name: name.to_owned(),
                ..Default::default()
            };
            for (partition, offset) in partitions {
                let entry = offset_commit_request::OffsetCommitRequestPartition {
                    partition_index: partition,
                    committed_offset: offset,
                    committed_leader_epoch: -1,
                    committed_metadata: Some(String::new()),
                };
                topic.partitions.push(entry);
            }
            request.topics.push(topic);
        }
        request
    };
    let first_code = |answer: &ottla_protocol::messages::OffsetCommitResponse| {
        let mut codes = answer
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|entry| entry.error_code));
        codes.find(|code| *code != 0).unwrap_or_default()
    };
    let (_, answer) = coordinator::<OffsetCommitRequest>(
        admin,
        "alterConsumerGroupOffsets",
        group,
        request,
        NAMES_VERSION_MAX,
        first_code,
    )?;
    let failed: Vec<(String, i16)> = answer
        .topics
        .iter()
        .flat_map(|topic| {
            topic
                .partitions
                .iter()
                .filter(|entry| entry.error_code != 0)
                .map(|entry| {
                    (
                        format!("{}-{}", topic.name, entry.partition_index),
                        entry.error_code,
                    )
                })
        })
        .collect();
    let Some((_, code)) = failed.first() else {
        return Ok(());
    };
    let of_the_group = [
        ErrorCode::InvalidGroupId,
        ErrorCode::InvalidCommitOffsetSize,
        ErrorCode::GroupAuthorizationFailed,
    ];
    if of_the_group.iter().any(|error| error.code() == *code) {
        return Err(ClientError::refused(*code, None));
    }
    let names: Vec<&str> = failed.iter().map(|(name, _)| name.as_str()).collect();
    Err(ClientError::refused(
        *code,
        Some(&format!(
            "Failed altering group offsets for the following partitions: [{}]",
            names.join(", ")
        )),
    ))
}

/// What became of offsets that were to be deleted: of all, and of each.
pub(super) type Deleted = (i16, BTreeMap<TopicPartition, i16>);

/// Deletes committed offsets of a group.
pub(super) fn delete_offsets(
    admin: &mut Admin,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Deleted, ClientError> {
    let entries: Vec<(TopicPartition, ())> = partitions.iter().map(|at| (at.clone(), ())).collect();
    let request = |_| {
        let mut request = OffsetDeleteRequest {
            group_id: group.to_owned(),
            ..Default::default()
        };
        for (name, partitions) in by_topic(&entries) {
            let mut topic = offset_delete_request::OffsetDeleteRequestTopic {
                name: name.to_owned(),
                ..Default::default()
            };
            for (partition, ()) in partitions {
                let entry = offset_delete_request::OffsetDeleteRequestPartition {
                    partition_index: partition,
                };
                topic.partitions.push(entry);
            }
            request.topics.push(topic);
        }
        request
    };
    let (_, answer) = coordinator::<OffsetDeleteRequest>(
        admin,
        "deleteConsumerGroupOffsets",
        group,
        request,
        i16::MAX,
        |answer| answer.error_code,
    )?;
    let each = answer
        .topics
        .iter()
        .flat_map(|topic| {
            topic.partitions.iter().map(|entry| {
                (
                    TopicPartition::new(&topic.name, entry.partition_index),
                    entry.error_code,
                )
            })
        })
        .collect();
    Ok((answer.error_code, each))
}

/// Deletes a group. `call` is the name that Kafka's admin client gives it.
pub(super) fn delete_group(admin: &mut Admin, call: &str, group: &str) -> Result<(), ClientError> {
    let request = |_| DeleteGroupsRequest {
        groups_names: vec![group.to_owned()],
    };
    let (_, answer) =
        coordinator::<DeleteGroupsRequest>(admin, call, group, request, i16::MAX, |answer| {
            answer
                .results
                .first()
                .map(|result| result.error_code)
                .unwrap_or_default()
        })?;
    answer
        .results
        .first()
        .map_or(Ok(()), |result| ClientError::check(result.error_code, None))
}
