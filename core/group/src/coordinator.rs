//! The machine: the groups of one partition of `__consumer_offsets`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::{MonoTime, Offset, ProducerId, Uuid};
use ottla_config::rows::group::GroupSettings;
use ottla_coordinator::{Deadlines, Effects, Ticket};
use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::messages::heartbeat_request::HeartbeatRequest;
use ottla_protocol::messages::join_group_request::JoinGroupRequest;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::leave_group_response::MemberResponse;
use ottla_protocol::messages::list_groups_response::ListedGroup;
use ottla_protocol::messages::sync_group_request::SyncGroupRequest;

use crate::classic::{
    ClassicGroup, Joining, State, StaticReplacement, StoredAssignments, check_join, check_sync,
    join_refused, sync_refused,
};
use crate::error::GroupError;
use crate::offsets::Offsets;
use crate::other_groups::{OtherGroupType, OtherGroups};
use crate::record_codec::{GroupRecord, Loaded, RecordError, read};
use crate::step::{Caller, GroupReply, Now, Step, millis};

/// What a decision of this machine leads to.
pub type GroupEffects = Effects<GroupRecord, GroupReply, Continuation>;

/// What the machine does when the records of a decision are committed, or could not be.
#[derive(Debug, Clone, PartialEq)]
pub enum Continuation {
    /// Gives the members of a group their assignments.
    AssignmentsStored(StoredAssignments),
    /// Answers a static member that came back.
    StaticReplaced(StaticReplacement),
    /// Nothing; but if the record of a new group is lost, so is the group.
    GroupCreated {
        /// The group.
        group: Arc<str>,
        /// The JoinGroup that made it.
        ticket: Ticket,
    },
}

/// The groups and offsets of one partition of `__consumer_offsets`.
#[derive(Debug, Clone)]
pub struct GroupCoordinator {
    pub(crate) settings: Arc<GroupSettings>,
    pub(crate) groups: BTreeMap<Arc<str>, ClassicGroup>,
    pub(crate) offsets: Offsets,
    pub(crate) others: OtherGroups,
    /// When the log was read to its end.
    loaded_at: MonoTime,
    alarms: Deadlines<Arc<str>>,
}

impl GroupCoordinator {
    /// A coordinator of an empty log.
    #[must_use]
    pub fn new(settings: Arc<GroupSettings>) -> Self {
        Self {
            settings,
            groups: BTreeMap::new(),
            offsets: Offsets::default(),
            others: OtherGroups::default(),
            loaded_at: MonoTime(0),
            alarms: Deadlines::default(),
        }
    }

    /// Takes in a record of the log while the coordinator is built. `producer` is set if the record is
    /// part of a transaction.
    ///
    /// Returns the type of the key if it is none that this program has heard of; such a record is left
    /// alone.
    ///
    /// # Errors
    /// [`RecordError`] for a record that cannot be read.
    pub fn load(
        &mut self,
        offset: Offset,
        producer: Option<ProducerId>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<Option<i16>, RecordError> {
        match read(key, value)? {
            Loaded::Own(GroupRecord::ClassicGroup { group, value }) => {
                match value {
                    Some(value) => {
                        let restored = ClassicGroup::from_record(Arc::clone(&group), &value);
                        self.groups.insert(group, restored);
                    }
                    None => {
                        self.groups.remove(&group);
                    }
                }
                Ok(None)
            }
            Loaded::Own(record) => {
                self.replay(offset, producer, &record);
                Ok(None)
            }
            Loaded::Other { group, kind, alive } => {
                self.others
                    .note(&group, kind, key.unwrap_or_default(), alive);
                Ok(None)
            }
            Loaded::Unknown(key_type) => Ok(Some(key_type)),
        }
    }

    /// Takes in the end of a transaction, from the log or just appended to it.
    pub fn replay_end_of_transaction(&mut self, producer: ProducerId, committed: bool) {
        for group in self.offsets.end_transaction(producer, committed) {
            self.ensure_group(&group);
        }
    }

    /// The log was read to its end: sessions of members begin now, since nobody knows when they were
    /// last heard of.
    pub fn loaded(&mut self, now: Now, fx: &mut GroupEffects) {
        self.loaded_at = now.mono;
        let max = usize::try_from(self.settings.max_size).unwrap_or(0);
        for group in self.groups.values_mut() {
            let ids: Vec<String> = group.members.keys().cloned().collect();
            for id in ids {
                group.extend_session(&id, now.mono);
            }
            // Joining again, the last ones find the group full.
            if group.members.len() > max && group.state == State::Stable {
                group.prepare_rebalance(&mut Step {
                    now,
                    settings: &self.settings,
                    fx,
                });
            }
            watch(&mut self.alarms, group);
        }
    }

    /// Applies a record that this machine decided and that was appended at `offset`.
    pub fn replay(&mut self, offset: Offset, producer: Option<ProducerId>, record: &GroupRecord) {
        match record {
            GroupRecord::Offset {
                group,
                topic,
                partition,
                value,
            } => {
                if value.is_some() && producer.is_none() {
                    self.ensure_group(group);
                }
                self.offsets
                    .replay(offset, producer, group, topic, *partition, value.as_ref());
            }
            // The group itself holds what was written, and more.
            GroupRecord::ClassicGroup { value: Some(_), .. } => {}
            GroupRecord::ClassicGroup { group, value: None } => {
                self.groups.remove(group);
                self.alarms.clear(group);
            }
            GroupRecord::OtherRemoved { group, key } => {
                if let Some(kind) = self.others.kind(group) {
                    self.others.note(group, kind, key, false);
                }
            }
        }
    }

    /// Whether the name belongs to a group of a newer kind that has members, or whose members this
    /// program knows nothing of. Members of consumer groups cannot speak to this coordinator, so they
    /// are gone when the session that the log left them is over.
    pub(crate) fn is_occupied(&self, id: &str, now: MonoTime) -> bool {
        let session = millis(self.settings.consumer_session_timeout_ms);
        match self.others.kind(id) {
            None => false,
            Some(OtherGroupType::Consumer) => {
                self.others.has_consumers(id) && now < self.loaded_at.saturating_add(session)
            }
            Some(OtherGroupType::Share | OtherGroupType::Streams) => true,
        }
    }

    /// Puts in the end of a group of a newer kind.
    fn remove_other(&self, id: &Arc<str>, records: &mut Vec<GroupRecord>) {
        records.extend(self.others.keys(id).map(|key| GroupRecord::OtherRemoved {
            group: Arc::clone(id),
            key: key.clone(),
        }));
    }

    /// A group that has offsets exists, even if nobody ever joined it.
    fn ensure_group(&mut self, id: &Arc<str>) {
        if !self.groups.contains_key(id) && self.others.kind(id).is_none() {
            let group = ClassicGroup::new(Arc::clone(id), None);
            self.groups.insert(Arc::clone(id), group);
        }
    }

    /// When time has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<MonoTime> {
        self.alarms.next()
    }

    /// Does what is due.
    pub fn on_tick(&mut self, now: Now, fx: &mut GroupEffects) {
        while let Some(id) = self.alarms.take_due(now.mono) {
            if let Some(group) = self.groups.get_mut(&id) {
                group.alarm = None;
            }
            self.with_group(&id, now, fx, |group, step| group.on_tick(step));
        }
    }

    /// The records that `continuation` waited for are committed.
    pub fn committed(&mut self, continuation: Continuation, now: Now, fx: &mut GroupEffects) {
        match continuation {
            Continuation::AssignmentsStored(stored) => {
                let id = Arc::clone(&stored.group);
                self.with_group(&id, now, fx, |group, step| {
                    group.assignments_stored(stored, step);
                });
            }
            Continuation::StaticReplaced(done) => {
                let id = Arc::clone(&done.group);
                self.with_group(&id, now, fx, |group, step| {
                    group.replacement_stored(&done, step);
                });
            }
            Continuation::GroupCreated { .. } => {}
        }
    }

    /// The records that `continuation` waited for could not be appended, or if they were `appended`, are
    /// not committed in time.
    pub fn failed(
        &mut self,
        continuation: Continuation,
        error: GroupError,
        appended: bool,
        now: Now,
        fx: &mut GroupEffects,
    ) {
        match continuation {
            Continuation::AssignmentsStored(stored) => {
                self.with_group(&stored.group, now, fx, |group, step| {
                    group.assignments_lost(stored.generation, error, step);
                });
            }
            Continuation::StaticReplaced(done) => {
                let id = Arc::clone(&done.group);
                self.with_group(&id, now, fx, |group, step| {
                    group.replacement_lost(done, error, step);
                });
            }
            Continuation::GroupCreated { group, ticket } => {
                fx.reply(Some(ticket), GroupReply::Join(join_refused(error, "")));
                // Nobody but the one that asked can have come in since.
                if !appended && self.groups.remove(&group).is_some() {
                    self.alarms.clear(&group);
                }
            }
        }
    }

    /// JoinGroup. The answer comes by `ticket`. `random` makes the id of a new member.
    pub fn join_group(
        &mut self,
        now: Now,
        caller: &Caller<'_>,
        request: JoinGroupRequest,
        random: Uuid,
        ticket: Ticket,
        fx: &mut GroupEffects,
    ) {
        if let Err(error) = self.check_join(&request, now.mono) {
            let refusal = join_refused(error, &request.member_id);
            fx.reply(Some(ticket), GroupReply::Join(refusal));
            return;
        }
        let id: Arc<str> = request.group_id.as_str().into();
        let is_new = !self.groups.contains_key(&id);
        if is_new {
            self.remove_other(&id, &mut fx.records);
            let group = ClassicGroup::new(Arc::clone(&id), Some(now.wall));
            self.groups.insert(Arc::clone(&id), group);
        }
        let records_before = fx.records.len();
        let joining = Joining {
            caller,
            request,
            random,
            ticket,
        };
        self.with_group(&id, now, fx, |group, step| {
            group.join(&joining, step);
            if is_new && step.fx.records.len() == records_before {
                // Its members come into the log when they have assignments; the group has to be there
                // before, or a restart would forget it.
                step.fx.records.push(group.empty_record());
            }
        });
        if is_new {
            let created = Continuation::GroupCreated { group: id, ticket };
            fx.continuations.push(created);
        }
    }

    fn check_join(&self, request: &JoinGroupRequest, now: MonoTime) -> Result<(), GroupError> {
        let (min, max) = (
            self.settings.min_session_timeout_ms,
            self.settings.max_session_timeout_ms,
        );
        check_join(request, min, max)?;
        if self.is_occupied(&request.group_id, now) {
            return Err(GroupError::OtherGroupType);
        }
        let knows = self.groups.contains_key(request.group_id.as_str());
        if !knows && !request.member_id.is_empty() {
            return Err(GroupError::UnknownMember);
        }
        Ok(())
    }

    /// SyncGroup. The answer comes by `ticket`.
    pub fn sync_group(
        &mut self,
        now: Now,
        caller: &Caller<'_>,
        request: SyncGroupRequest,
        ticket: Ticket,
        fx: &mut GroupEffects,
    ) {
        let checked = check_sync(&request, caller.version).and_then(|()| {
            self.groups
                .get_key_value(request.group_id.as_str())
                .map(|(id, _)| Arc::clone(id))
                .ok_or(GroupError::UnknownMember)
        });
        match checked {
            Ok(id) => self.with_group(&id, now, fx, |group, step| {
                group.sync(request, ticket, step);
            }),
            Err(error) => fx.reply(Some(ticket), GroupReply::Sync(sync_refused(error))),
        }
    }

    /// Heartbeat.
    ///
    /// # Errors
    /// `InvalidGroupId`, `UnknownMember`, `FencedInstance`, `IllegalGeneration`, `RebalanceInProgress`.
    pub fn heartbeat(&mut self, now: Now, request: &HeartbeatRequest) -> Result<(), GroupError> {
        if request.group_id.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        let group = self.groups.get_mut(request.group_id.as_str());
        let group = group.ok_or(GroupError::UnknownMember)?;
        let answer = group.heartbeat(request, now.mono);
        watch(&mut self.alarms, group);
        answer
    }

    /// LeaveGroup; each member is answered by itself.
    ///
    /// # Errors
    /// `InvalidGroupId`.
    pub fn leave_group(
        &mut self,
        now: Now,
        group_id: &str,
        members: &[MemberIdentity],
        fx: &mut GroupEffects,
    ) -> Result<Vec<MemberResponse>, GroupError> {
        if group_id.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        let Some((id, _)) = self.groups.get_key_value(group_id) else {
            let unknown = members.iter().map(|member| MemberResponse {
                member_id: member.member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                error_code: GroupError::UnknownMember.code().code(),
            });
            return Ok(unknown.collect());
        };
        let id = Arc::clone(id);
        let mut responses = Vec::new();
        self.with_group(&id, now, fx, |group, step| {
            responses = group.leave(members, step);
        });
        Ok(responses)
    }

    /// The group as DescribeGroups shows it.
    ///
    /// # Errors
    /// `GroupNotFound`; `OtherGroupType`.
    pub fn describe_group(&self, group_id: &str) -> Result<DescribedGroup, GroupError> {
        if self.others.kind(group_id).is_some() {
            return Err(GroupError::OtherGroupType);
        }
        let group = self.groups.get(group_id);
        group
            .map(ClassicGroup::describe)
            .ok_or(GroupError::GroupNotFound)
    }

    /// The groups whose state and type are among those asked for; an empty list asks for all. First the
    /// classic ones by name, then the others.
    #[must_use]
    pub fn list_groups(
        &self,
        now: MonoTime,
        states: &[String],
        types: &[String],
    ) -> Vec<ListedGroup> {
        let others = self.others.iter().map(|(name, kind)| ListedGroup {
            group_id: name.to_owned(),
            protocol_type: kind.name().to_owned(),
            // What goes on in one that is not empty is not known here.
            group_state: if self.is_occupied(name, now) {
                String::new()
            } else {
                State::Empty.name().to_owned()
            },
            group_type: kind.name().to_owned(),
        });
        let asked = |wanted: &[String], name: &str| {
            wanted.is_empty() || wanted.iter().any(|one| one.eq_ignore_ascii_case(name))
        };
        self.groups
            .values()
            .map(ClassicGroup::listed)
            .chain(others)
            .filter(|group| asked(states, &group.group_state) && asked(types, &group.group_type))
            .collect()
    }

    /// Deletes a group that has no members, and its offsets.
    ///
    /// # Errors
    /// `GroupNotFound`, `NonEmptyGroup`.
    pub fn delete_group(
        &self,
        group_id: &str,
        now: MonoTime,
        fx: &mut GroupEffects,
    ) -> Result<(), GroupError> {
        let id: Arc<str> = group_id.into();
        let is_other = self.others.kind(group_id).is_some();
        if is_other && self.is_occupied(group_id, now) {
            return Err(GroupError::NonEmptyGroup);
        }
        if !is_other {
            let group = self.groups.get(group_id).ok_or(GroupError::GroupNotFound)?;
            if group.state != State::Empty {
                return Err(GroupError::NonEmptyGroup);
            }
        }
        fx.divisible = true;
        self.offsets.delete_all(group_id, &mut fx.records);
        if is_other {
            self.remove_other(&id, &mut fx.records);
        } else {
            fx.records.push(GroupRecord::ClassicGroup {
                group: id,
                value: None,
            });
        }
        Ok(())
    }

    /// Lets `act` work on a group, and watches the deadlines that come of it.
    pub(crate) fn with_group(
        &mut self,
        id: &str,
        now: Now,
        fx: &mut GroupEffects,
        act: impl FnOnce(&mut ClassicGroup, &mut Step<'_>),
    ) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        let mut step = Step {
            now,
            settings: &self.settings,
            fx,
        };
        act(group, &mut step);
        watch(&mut self.alarms, group);
    }
}

/// Moves the alarm of a group forward if one of its deadlines lies before it. It is not moved back each
/// time a member is heard of: an alarm that rings too early finds nothing to do and is set anew.
fn watch(alarms: &mut Deadlines<Arc<str>>, group: &mut ClassicGroup) {
    if let Some(earliest) = group.earliest
        && group.alarm.is_none_or(|alarm| earliest < alarm)
    {
        group.alarm = Some(earliest);
        alarms.set(Arc::clone(&group.id), earliest);
    }
}
