//! Requests that go to the leaders of partitions: who leads, one request a broker, again where a leader
//! has moved.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ListOffsetsRequest;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};

use super::java;

/// A partition, by name and number.
pub(crate) type TopicPartition = (String, i32);

/// Names of the partitions that stand in a list more than once, in the order of Kafka's tools.
pub(crate) fn duplicates(partitions: impl IntoIterator<Item = TopicPartition>) -> Vec<String> {
    let hash = |(topic, index): &TopicPartition| java::topic_partition_hash(topic, *index);
    java::duplicates(partitions, hash)
        .into_iter()
        .map(|(topic, index)| format!("{topic}-{index}"))
        .collect()
}

/// What each partition came to.
pub(crate) type Outcomes<T> = BTreeMap<TopicPartition, Result<T, ClientError>>;

/// Asks the leaders of `partitions` with one request for each broker. `ask` sends the request for the
/// partitions that one broker leads and gives back what it said of each.
///
/// A partition that is not known, has no leader or has another one than thought is tried again until
/// `default.api.timeout.ms` is over. `call` is the name of the call in Kafka's admin client.
pub(crate) fn ask<T>(
    admin: &mut Admin,
    call: &str,
    partitions: impl IntoIterator<Item = TopicPartition>,
    mut ask: impl FnMut(&mut Admin, i32, &[TopicPartition]) -> Result<Outcomes<T>, ClientError>,
) -> Outcomes<T> {
    let mut open: BTreeSet<TopicPartition> = partitions.into_iter().collect();
    let mut done = Outcomes::new();
    let deadline = Instant::now() + admin.config().api_timeout;
    let (mut pause, longest) = admin.config().retry_backoff;
    let mut tries = 0_u64;
    while !open.is_empty() {
        tries += 1;
        let leaders = match leaders(admin, call, &open) {
            Ok(leaders) => leaders,
            Err(error) => {
                done.extend(
                    open.into_iter()
                        .map(|partition| (partition, Err(error.clone()))),
                );
                return done;
            }
        };
        let mut failed = None;
        for (leader, led) in leaders {
            match ask(admin, leader, &led) {
                Ok(outcomes) => {
                    for (partition, outcome) in outcomes {
                        let again = outcome
                            .as_ref()
                            .err()
                            .is_some_and(ClientError::is_retriable);
                        if again {
                            failed = outcome.err();
                        } else if open.remove(&partition) {
                            done.insert(partition, outcome);
                        }
                    }
                }
                Err(error) if error.is_retriable() => failed = Some(error),
                Err(error) => {
                    for partition in led {
                        open.remove(&partition);
                        done.insert(partition, Err(error.clone()));
                    }
                }
            }
        }
        if open.is_empty() {
            break;
        }
        if Instant::now() + pause >= deadline {
            let timed_out = out_of_tries(admin, call, tries, failed.is_none());
            done.extend(
                open.into_iter()
                    .map(|partition| (partition, Err(timed_out.clone()))),
            );
            return done;
        }
        sleep(pause);
        pause = (pause * 2).min(longest.max(Duration::from_millis(1)));
    }
    done
}

/// Partitions by leader; those without one are left out.
fn leaders(
    admin: &mut Admin,
    call: &str,
    partitions: &BTreeSet<TopicPartition>,
) -> Result<BTreeMap<i32, Vec<TopicPartition>>, ClientError> {
    let mut topics: Vec<String> = partitions.iter().map(|(topic, _)| topic.clone()).collect();
    topics.dedup();
    let answer = admin.metadata(&format!("{call}(api=METADATA)"), Some(&topics))?;
    let mut leaders = BTreeMap::<i32, Vec<TopicPartition>>::new();
    for topic in answer.topics {
        if let Err(error) = ClientError::check(topic.error_code, None)
            && !error.is_retriable()
        {
            return Err(error);
        }
        let name = topic.name.unwrap_or_default();
        for partition in topic.partitions {
            let key = (name.clone(), partition.partition_index);
            if partition.leader_id >= 0 && partitions.contains(&key) {
                leaders.entry(partition.leader_id).or_default().push(key);
            }
        }
    }
    Ok(leaders)
}

/// What Kafka's admin client says when all tries of a call are over.
fn out_of_tries(admin: &Admin, call: &str, tries: u64, looking: bool) -> ClientError {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let next = now.saturating_add(admin.config().retry_backoff.1.as_millis());
    let api = if looking { "(api=METADATA)" } else { "" };
    ClientError::Timeout(format!(
        "Call(callName={call}{api}, deadlineMs={now}, tries={tries}, nextAllowedTryMs={next}) timed out \
         at {now} after {tries} attempt(s)"
    ))
}

/// An outcome of one partition from the code that stands in an answer.
pub(crate) fn outcome<T>(code: i16, value: T) -> Result<T, ClientError> {
    ClientError::check(code, None).map(|()| value)
}

/// Asks a leader for offsets at a time, in ListOffsets of version `oldest` or newer.
///
/// # Errors
/// [`ClientError`].
pub(crate) fn offsets(
    admin: &mut Admin,
    leader: i32,
    partitions: &[TopicPartition],
    time: i64,
    oldest: i16,
) -> Result<Outcomes<i64>, ClientError> {
    let connection = admin.node(leader)?;
    let version = connection.version::<ListOffsetsRequest>()?;
    if version < oldest {
        return Err(ClientError::refused(
            ErrorCode::UnsupportedVersion.code(),
            None,
        ));
    }
    let mut topics = BTreeMap::<&str, ListOffsetsTopic>::new();
    for (name, index) in partitions {
        let mut partition = ListOffsetsPartition::default();
        partition.partition_index = *index;
        partition.current_leader_epoch = -1;
        partition.timestamp = time;
        let topic = topics.entry(name).or_default();
        topic.name.clone_from(name);
        topic.partitions.push(partition);
    }
    let mut request = ListOffsetsRequest::default();
    request.replica_id = -1;
    request.topics = topics.into_values().collect();
    let answer = connection.exchange(&request, version)?;
    let mut outcomes = Outcomes::new();
    for topic in answer.topics {
        for partition in topic.partitions {
            outcomes.insert(
                (topic.name.clone(), partition.partition_index),
                outcome(partition.error_code, partition.offset),
            );
        }
    }
    Ok(outcomes)
}
