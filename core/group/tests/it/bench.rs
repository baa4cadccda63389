//! A coordinator with a log that commits when it is told to, and a clock that stands still.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::{MonoTime, Offset, Uuid, WallMillis};
use ottla_config::rows::group::GroupSettings;
use ottla_config::{BrokerConfig, RawConfigs};
use ottla_coordinator::{CoordinatorRecord, PutRecord as _, Ticket};
use ottla_group::{
    Caller, Committer, Continuation, GroupCoordinator, GroupEffects, GroupError, GroupReply, Now,
    OffsetToCommit,
};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::heartbeat_request::HeartbeatRequest;
use ottla_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use ottla_protocol::messages::join_group_response::JoinGroupResponse;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use ottla_protocol::messages::sync_group_response::SyncGroupResponse;

pub(crate) const GROUP: &str = "g";
/// Session timeout of every member, in ms.
pub(crate) const SESSION_MS: i32 = 10_000;
/// Rebalance timeout of every member, in ms.
pub(crate) const REBALANCE_MS: i32 = 60_000;
/// Wall clock at the start.
const START: i64 = 1_700_000_000_000;

/// Settings with these texts in place of the defaults.
pub(crate) fn settings(texts: &[(&str, &str)]) -> Arc<GroupSettings> {
    let mut raw: RawConfigs = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ("controller.listener.names", "CONTROLLER"),
        (
            "listeners",
            "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
        ),
    ]
    .map(|(key, text)| (key.to_owned(), text.to_owned()))
    .into();
    raw.insert("group.initial.rebalance.delay.ms".into(), "0".into());
    for (key, text) in texts {
        raw.insert((*key).to_owned(), (*text).to_owned());
    }
    Arc::new(BrokerConfig::load(raw).expect("valid").group)
}

pub(crate) struct Bench {
    pub(crate) settings: Arc<GroupSettings>,
    pub(crate) machine: GroupCoordinator,
    pub(crate) now: Now,
    pub(crate) log: Vec<CoordinatorRecord>,
    pub(crate) replies: BTreeMap<Ticket, GroupReply>,
    /// Continuations of records that are not committed yet.
    pub(crate) waiting: Vec<Continuation>,
    /// Records are committed as soon as they are appended.
    pub(crate) commits: bool,
    /// Appends fail with this.
    pub(crate) broken: Option<GroupError>,
    next_ticket: u64,
    next_id: u64,
}

/// Who joins, as most tests want it.
#[derive(Clone)]
pub(crate) struct Join {
    pub(crate) version: i16,
    pub(crate) member: String,
    pub(crate) instance: Option<String>,
    pub(crate) session_ms: i32,
    pub(crate) protocol_type: &'static str,
    pub(crate) protocols: Vec<(&'static str, Vec<u8>)>,
}

impl Default for Join {
    fn default() -> Self {
        Self {
            version: 9,
            member: String::new(),
            instance: None,
            session_ms: SESSION_MS,
            protocol_type: "consumer",
            protocols: vec![("range", b"meta".to_vec())],
        }
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(texts: &[(&str, &str)]) -> Self {
        let settings = settings(texts);
        Self {
            machine: GroupCoordinator::new(Arc::clone(&settings)),
            settings,
            now: Now {
                mono: MonoTime(0),
                wall: WallMillis(START),
            },
            log: Vec::new(),
            replies: BTreeMap::new(),
            waiting: Vec::new(),
            commits: true,
            broken: None,
            next_ticket: 0,
            next_id: 0,
        }
    }

    /// Lets `act` decide and carries out what follows.
    pub(crate) fn act<R>(
        &mut self,
        act: impl FnOnce(&mut GroupCoordinator, Now, &mut GroupEffects) -> R,
    ) -> R {
        let mut fx = GroupEffects::default();
        let result = act(&mut self.machine, self.now, &mut fx);
        if self
            .machine
            .next_deadline()
            .is_some_and(|at| at <= self.now.mono)
        {
            self.machine.on_tick(self.now, &mut fx);
        }
        self.carry_out(fx);
        result
    }

    fn carry_out(&mut self, mut fx: GroupEffects) {
        self.replies.extend(fx.replies.drain(..));
        if let Some(error) = self.broken.filter(|_| !fx.records.is_empty()) {
            for continuation in fx.continuations {
                let mut next = GroupEffects::default();
                self.machine
                    .failed(continuation, error, false, self.now, &mut next);
                self.carry_out(next);
            }
            return;
        }
        for record in &fx.records {
            let at = Offset(i64::try_from(self.log.len()).expect("short"));
            self.log.push(record.to_record().expect("fits its schema"));
            self.machine.replay(at, None, record);
        }
        self.waiting.extend(fx.continuations);
        if self.commits {
            self.commit_log();
        }
    }

    /// The log is committed to its end.
    pub(crate) fn commit_log(&mut self) {
        for continuation in std::mem::take(&mut self.waiting) {
            let mut fx = GroupEffects::default();
            self.machine.committed(continuation, self.now, &mut fx);
            self.carry_out(fx);
        }
    }

    /// What a new leader makes of the log.
    pub(crate) fn restored(&self) -> GroupCoordinator {
        let mut machine = GroupCoordinator::new(Arc::clone(&self.settings));
        for (at, record) in (0..).zip(&self.log) {
            let known = machine
                .load(Offset(at), None, Some(&record.key), record.value.as_deref())
                .expect("own records can be read");
            assert_eq!(known, None);
        }
        let mut fx = GroupEffects::default();
        machine.loaded(self.now, &mut fx);
        machine
    }

    /// Time goes on, and what is due is done, deadline by deadline.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now.mono.0 + ms * 1_000_000;
        loop {
            let next = self.machine.next_deadline().map_or(end, |at| at.0.min(end));
            let next = next.max(self.now.mono.0);
            self.now.wall.0 += i64::try_from((next - self.now.mono.0) / 1_000_000).expect("short");
            self.now.mono = MonoTime(next);
            let due = self.machine.next_deadline().is_some_and(|at| at.0 <= next);
            if due {
                self.act(|machine, now, fx| machine.on_tick(now, fx));
            } else if next == end {
                return;
            }
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    pub(crate) fn join(&mut self, join: Join) -> Ticket {
        let ticket = self.ticket();
        self.next_id += 1;
        let random = Uuid(u128::from(self.next_id).to_be_bytes());
        let caller = Caller {
            client_id: "c",
            client_host: "/127.0.0.1",
            version: join.version,
        };
        let request = JoinGroupRequest {
            group_id: GROUP.to_owned(),
            session_timeout_ms: join.session_ms,
            rebalance_timeout_ms: REBALANCE_MS,
            member_id: join.member,
            group_instance_id: join.instance,
            protocol_type: join.protocol_type.to_owned(),
            protocols: join
                .protocols
                .into_iter()
                .map(|(name, metadata)| JoinGroupRequestProtocol {
                    name: name.to_owned(),
                    metadata,
                })
                .collect(),
            reason: None,
        };
        self.act(|machine, now, fx| {
            machine.join_group(now, &caller, request, random, ticket, fx);
        });
        ticket
    }

    /// A dynamic member joins with the id that it is told first.
    pub(crate) fn join_new(&mut self) -> (String, Ticket) {
        let first = self.join(Join::default());
        let told = self.joined(first);
        assert_eq!(told.error_code, ErrorCode::MemberIdRequired.code());
        let ticket = self.rejoin(&told.member_id);
        (told.member_id, ticket)
    }

    pub(crate) fn rejoin(&mut self, member: &str) -> Ticket {
        self.join(Join {
            member: member.to_owned(),
            ..Join::default()
        })
    }

    pub(crate) fn joined(&mut self, ticket: Ticket) -> JoinGroupResponse {
        match self.replies.remove(&ticket) {
            Some(GroupReply::Join(response)) => response,
            other => panic!("no answer to JoinGroup: {other:?}"),
        }
    }

    pub(crate) fn is_waiting(&self, ticket: Ticket) -> bool {
        !self.replies.contains_key(&ticket)
    }

    pub(crate) fn sync(
        &mut self,
        member: &str,
        generation: i32,
        assignments: &[(&str, &[u8])],
    ) -> Ticket {
        self.sync_as(SyncGroupRequest {
            group_id: GROUP.to_owned(),
            generation_id: generation,
            member_id: member.to_owned(),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            assignments: assignments
                .iter()
                .map(|(member, assignment)| SyncGroupRequestAssignment {
                    member_id: (*member).to_owned(),
                    assignment: assignment.to_vec(),
                })
                .collect(),
            ..SyncGroupRequest::default()
        })
    }

    pub(crate) fn sync_as(&mut self, request: SyncGroupRequest) -> Ticket {
        let ticket = self.ticket();
        let caller = Caller {
            client_id: "c",
            client_host: "/127.0.0.1",
            version: 5,
        };
        self.act(|machine, now, fx| machine.sync_group(now, &caller, request, ticket, fx));
        ticket
    }

    pub(crate) fn synced(&mut self, ticket: Ticket) -> SyncGroupResponse {
        match self.replies.remove(&ticket) {
            Some(GroupReply::Sync(response)) => response,
            other => panic!("no answer to SyncGroup: {other:?}"),
        }
    }

    pub(crate) fn heartbeat(&mut self, member: &str, generation: i32) -> ErrorCode {
        self.heartbeat_as(&HeartbeatRequest {
            group_id: GROUP.to_owned(),
            generation_id: generation,
            member_id: member.to_owned(),
            group_instance_id: None,
        })
    }

    pub(crate) fn heartbeat_as(&mut self, request: &HeartbeatRequest) -> ErrorCode {
        let answer = self.act(|machine, now, _| machine.heartbeat(now, request));
        answer.err().map_or(ErrorCode::None, GroupError::code)
    }

    pub(crate) fn leave(&mut self, member: &str, instance: Option<&str>) -> i16 {
        let members = [MemberIdentity {
            member_id: member.to_owned(),
            group_instance_id: instance.map(str::to_owned),
            ..MemberIdentity::default()
        }];
        let responses = self.act(|machine, now, fx| machine.leave_group(now, GROUP, &members, fx));
        responses.expect("a group id")[0].error_code
    }

    pub(crate) fn commit(
        &mut self,
        member: &str,
        generation: i32,
        offset: i64,
    ) -> Result<(), GroupError> {
        self.commit_as(
            &Committer {
                group_id: GROUP,
                member_id: member,
                group_instance_id: None,
                generation,
                retention_time_ms: -1,
            },
            &[("t", 0, offset)],
        )
    }

    pub(crate) fn commit_as(
        &mut self,
        committer: &Committer<'_>,
        offsets: &[(&str, i32, i64)],
    ) -> Result<(), GroupError> {
        let caller = Caller {
            client_id: "c",
            client_host: "/127.0.0.1",
            version: 9,
        };
        let offsets = offsets
            .iter()
            .map(|(topic, partition, offset)| OffsetToCommit {
                topic,
                topic_id: Uuid::ZERO,
                partition: *partition,
                offset: *offset,
                leader_epoch: -1,
                metadata: Some("note"),
            });
        let results = self
            .act(|machine, now, fx| machine.commit_offsets(now, &caller, committer, offsets, fx))?;
        results.into_iter().collect()
    }

    /// The offset of partition 0 of topic `t`.
    pub(crate) fn offset(&self) -> Option<i64> {
        offset_of(&self.machine, "t", 0)
    }

    pub(crate) fn state(&self) -> String {
        let described = self.machine.describe_group(GROUP);
        described.map_or_else(|_| "Dead".to_owned(), |group| group.group_state)
    }

    /// A stable group of `count` members, its leader first; the generation is 1.
    pub(crate) fn stable(&mut self, count: usize) -> Vec<String> {
        self.settings = settings_with_delay();
        self.machine = GroupCoordinator::new(Arc::clone(&self.settings));
        let joining: Vec<(String, Ticket)> = (0..count).map(|_| self.join_new()).collect();
        self.pass(2 * DELAY_MS);
        let mut members = Vec::new();
        let mut leader = String::new();
        for (member, ticket) in joining {
            let response = self.joined(ticket);
            assert_eq!((response.error_code, response.generation_id), (0, 1));
            leader = response.leader;
            members.push(member);
        }
        members.sort_by_key(|member| *member != leader);
        let assignments: Vec<(&str, &[u8])> = members
            .iter()
            .map(|member| (member.as_str(), member.as_bytes()))
            .collect();
        for member in &members {
            let given = if *member == leader {
                &assignments[..]
            } else {
                &[]
            };
            let ticket = self.sync(member, 1, given);
            self.replies.remove(&ticket);
        }
        assert_eq!(self.state(), "Stable");
        members
    }
}

/// Delay of the first rebalance where several members are to be in it, in ms.
pub(crate) const DELAY_MS: u64 = 3_000;

fn settings_with_delay() -> Arc<GroupSettings> {
    settings(&[("group.initial.rebalance.delay.ms", "3000")])
}

pub(crate) fn offset_of(machine: &GroupCoordinator, topic: &str, partition: i32) -> Option<i64> {
    let fetched = machine.fetch_offsets(GROUP, topic, &[partition], false);
    let committed = fetched
        .into_iter()
        .next()?
        .committed
        .expect("nothing pending");
    committed.map(|committed| committed.offset)
}
