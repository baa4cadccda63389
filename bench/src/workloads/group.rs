//! Groups: commits without members, heartbeats of one member each.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    FindCoordinatorRequest, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    OffsetCommitRequest, OffsetCommitResponse, SyncGroupRequest,
};
use ottla_protocol::{ApiKey, ErrorCode, Reader};

use super::fixed::{self, CONNECTIONS, FixedTraffic};
use super::{Metrics, Target};
use crate::wire::{Client, call, create_topic, delete_topic, error_name, request_frame};

/// Longest wait for the coordinator.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two questions for it.
const POLL: Duration = Duration::from_millis(20);
/// First version of OffsetCommit that names topics by id.
const TOPIC_IDS_FROM: i16 = 10;
/// Members live longer than any run.
const SESSION_TIMEOUT_MS: i32 = 300_000;

/// Waits until the group's coordinator answers; the first question creates the topic behind it.
fn wait_for_coordinator(client: &mut Client, group: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let request = FindCoordinatorRequest {
            coordinator_keys: vec![group.to_owned()],
            ..FindCoordinatorRequest::default()
        };
        let response = call!(client, FindCoordinator, request, FindCoordinatorResponse);
        let found = response.coordinators.first().context("an empty answer")?;
        if found.error_code == 0 {
            return Ok(());
        }
        if begun.elapsed() > COORDINATOR_TIMEOUT {
            bail!("no coordinator: {}", error_name(found.error_code));
        }
        std::thread::sleep(POLL);
    }
}

/// Whether to ask again: the coordinator is loading.
fn is_loading(code: i16) -> bool {
    [
        ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::NotCoordinator,
        ErrorCode::CoordinatorNotAvailable,
    ]
    .iter()
    .any(|known| ErrorCode::from_code(code) == Some(*known))
}

/// The groups of one run of a workload. A run that is repeated on the same server must not meet the members of the
/// one before, who are still waited for.
struct Groups {
    kind: &'static str,
    run: u32,
}

impl Groups {
    fn new(kind: &'static str) -> Self {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        Self { kind, run }
    }

    fn name(&self, connection: usize) -> String {
        format!("bench-{}-{}-{connection}", self.kind, self.run)
    }
}

/// OffsetCommit of one partition, a group per connection.
///
/// # Errors
/// If a request is refused.
pub(super) fn offset_commit(target: &Target<'_>) -> Result<Metrics> {
    let topic = create_topic(target.address, "commit", 1, &[])?;
    let mut client = Client::connect(target.address)?;
    let version = client.version(ApiKey::OffsetCommit)?;
    let (groups, mut frames) = (Groups::new("commit"), Vec::new());
    for connection in 0..CONNECTIONS {
        let group = groups.name(connection);
        wait_for_coordinator(&mut client, &group)?;
        let mut committed = OffsetCommitRequestTopic {
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: 1,
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        };
        if version >= TOPIC_IDS_FROM {
            committed.topic_id = topic.id;
        } else {
            committed.name.clone_from(&topic.name);
        }
        let request = OffsetCommitRequest {
            group_id: group,
            generation_id_or_member_epoch: -1,
            topics: vec![committed],
            ..OffsetCommitRequest::default()
        };
        commit_once(&mut client, &request, version)?;
        let frame = request_frame(ApiKey::OffsetCommit, version, 0, |w| {
            request.encode(w, version)
        })?;
        frames.push(frame.into());
    }
    let mut traffic = FixedTraffic {
        api: ApiKey::OffsetCommit,
        version,
        frames,
        check: Box::new(move |body| {
            let code = commit_code(body, version)?;
            ensure!(code == 0, "OffsetCommit: {}", error_name(code));
            Ok(())
        }),
    };
    let metrics = fixed::run(target, &mut traffic)?;
    delete_topic(target.address, &topic)?;
    Ok(metrics)
}

fn commit_code(body: &[u8], version: i16) -> Result<i16> {
    let response = OffsetCommitResponse::decode(&mut Reader::new(body), version)?;
    let topic = response.topics.first().context("an empty answer")?;
    Ok(topic
        .partitions
        .first()
        .context("an empty answer")?
        .error_code)
}

/// Commits once, however long the coordinator loads.
fn commit_once(client: &mut Client, request: &OffsetCommitRequest, version: i16) -> Result<()> {
    let begun = Instant::now();
    loop {
        let body = client.exchange(ApiKey::OffsetCommit, version, |w| {
            request.encode(w, version)
        })?;
        let code = commit_code(&body, version)?;
        if code == 0 {
            return Ok(());
        }
        if !is_loading(code) || begun.elapsed() > COORDINATOR_TIMEOUT {
            bail!("OffsetCommit: {}", error_name(code));
        }
        std::thread::sleep(POLL);
    }
}

/// Makes the group's only member; returns generation and member id.
fn join(client: &mut Client, group: &str) -> Result<(i32, String)> {
    let begun = Instant::now();
    let mut member_id = String::new();
    loop {
        let request = JoinGroupRequest {
            group_id: group.to_owned(),
            session_timeout_ms: SESSION_TIMEOUT_MS,
            rebalance_timeout_ms: SESSION_TIMEOUT_MS,
            member_id: member_id.clone(),
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".to_owned(),
                metadata: Vec::new(),
            }],
            ..JoinGroupRequest::default()
        };
        let joined = call!(client, JoinGroup, request, JoinGroupResponse);
        if joined.error_code == 0 {
            let request = SyncGroupRequest {
                group_id: group.to_owned(),
                generation_id: joined.generation_id,
                member_id: joined.member_id.clone(),
                protocol_type: joined.protocol_type,
                protocol_name: joined.protocol_name,
                assignments: vec![SyncGroupRequestAssignment {
                    member_id: joined.member_id.clone(),
                    assignment: Vec::new(),
                }],
                ..SyncGroupRequest::default()
            };
            let synced = call!(client, SyncGroup, request, SyncGroupResponse);
            let code = synced.error_code;
            ensure!(code == 0, "SyncGroup: {}", error_name(code));
            return Ok((joined.generation_id, joined.member_id));
        }
        let code = joined.error_code;
        let named = ErrorCode::from_code(code) == Some(ErrorCode::MemberIdRequired);
        if named {
            member_id = joined.member_id;
        } else if is_loading(code) && begun.elapsed() < COORDINATOR_TIMEOUT {
            std::thread::sleep(POLL);
        } else {
            bail!("JoinGroup: {}", error_name(code));
        }
    }
}

/// Heartbeats of the classic protocol.
///
/// # Errors
/// If a request is refused.
pub(super) fn heartbeat(target: &Target<'_>) -> Result<Metrics> {
    let mut client = Client::connect(target.address)?;
    let version = client.version(ApiKey::Heartbeat)?;
    let (groups, mut frames) = (Groups::new("heartbeat"), Vec::new());
    for connection in 0..CONNECTIONS {
        let group = groups.name(connection);
        wait_for_coordinator(&mut client, &group)?;
        let (generation_id, member_id) = join(&mut client, &group)?;
        let request = HeartbeatRequest {
            group_id: group,
            generation_id,
            member_id,
            ..HeartbeatRequest::default()
        };
        let frame = request_frame(ApiKey::Heartbeat, version, 0, |w| {
            request.encode(w, version)
        })?;
        frames.push(frame.into());
    }
    let mut traffic = FixedTraffic {
        api: ApiKey::Heartbeat,
        version,
        frames,
        check: Box::new(move |body| {
            let response = HeartbeatResponse::decode(&mut Reader::new(body), version)?;
            let code = response.error_code;
            ensure!(code == 0, "Heartbeat: {}", error_name(code));
            Ok(())
        }),
    };
    fixed::run(target, &mut traffic)
}
