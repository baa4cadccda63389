//! JoinGroup: who may come in, and what that does to the group.

use std::fmt::Write as _;
use std::sync::Arc;

use ottla_base::Uuid;
use ottla_coordinator::Ticket;
use ottla_protocol::messages::join_group_request::JoinGroupRequest;
use ottla_protocol::messages::join_group_response::JoinGroupResponse;

use crate::classic::group::{ClassicGroup, State};
use crate::classic::member::Member;
use crate::coordinator::Continuation;
use crate::error::GroupError;
use crate::step::{Caller, GroupReply, Step, millis};

/// From this version on a member without an id is first told one, so that a client that gives up and
/// asks again does not leave a member behind (KIP-394).
const KNOWS_MEMBER_ID_REQUIRED: i16 = 4;
/// From this version on a leader can be told not to compute assignments (KIP-814).
const KNOWS_SKIP_ASSIGNMENT: i16 = 9;
/// How long the JoinGroup of a new member may wait. Its client may be gone without a sign.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 5 * 60 * 1000;
/// Most ids that a group hands out to members that do not come back with them. At the limit a member
/// without an id is told that the group is full.
const PENDING_MEMBERS_MAX: usize = 100_000;
/// Most bytes of protocols, names and metadata, that one member may bring. They stay in memory as long
/// as the member does, and a group's record, which holds one metadata of each member, has to fit into
/// one batch of the log anyway.
pub const MAX_MEMBER_METADATA_BYTES: usize = 16 << 20;

/// A static member that came back under a new id, whose record is on its way into the log.
#[derive(Debug, Clone, PartialEq)]
pub struct StaticReplacement {
    pub(crate) group: Arc<str>,
    pub(crate) ticket: Ticket,
    pub(crate) version: i16,
    pub(crate) instance: String,
    pub(crate) old_id: String,
    pub(crate) new_id: String,
    pub(crate) old_leader: Option<String>,
    pub(crate) old_protocols: Vec<(String, Vec<u8>)>,
    pub(crate) old_rebalance_timeout_ms: i32,
    pub(crate) old_session_timeout_ms: i32,
}

/// The answer to a JoinGroup that is refused.
pub(crate) fn join_refused(error: GroupError, member_id: &str) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: error.code().code(),
        protocol_name: None,
        member_id: member_id.to_owned(),
        ..JoinGroupResponse::default()
    }
}

/// What every JoinGroup answer of the group's generation says.
pub(crate) fn join_answer(group: &ClassicGroup) -> JoinGroupResponse {
    JoinGroupResponse {
        generation_id: group.generation,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol.clone(),
        leader: group.leader.clone().unwrap_or_default(),
        ..JoinGroupResponse::default()
    }
}

/// What can be said without the group.
pub(crate) fn check_request(
    request: &JoinGroupRequest,
    min_session_ms: i32,
    max_session_ms: i32,
) -> Result<(), GroupError> {
    if request.group_id.is_empty() {
        return Err(GroupError::InvalidGroupId);
    }
    if !(min_session_ms..=max_session_ms).contains(&request.session_timeout_ms) {
        return Err(GroupError::InvalidSessionTimeout);
    }
    let protocols = request.protocols.iter();
    let bytes: usize = protocols.map(|p| p.name.len() + p.metadata.len()).sum();
    if bytes > MAX_MEMBER_METADATA_BYTES {
        // Kafka differs: it takes what a request can hold, and fails when the group is written.
        return Err(GroupError::Unwritable);
    }
    Ok(())
}

/// A JoinGroup on its way, with what its sender says of itself.
pub(crate) struct Joining<'a> {
    pub(crate) caller: &'a Caller<'a>,
    pub(crate) request: JoinGroupRequest,
    /// Random bits for an id, if one is needed.
    pub(crate) random: Uuid,
    pub(crate) ticket: Ticket,
}

impl Joining<'_> {
    fn refuse(&self, error: GroupError, member_id: &str, step: &mut Step<'_>) {
        let refusal = join_refused(error, member_id);
        step.fx.reply(Some(self.ticket), GroupReply::Join(refusal));
    }

    /// Version 0 has no timeout for rebalances; the session's is used.
    fn rebalance_timeout_ms(&self) -> i32 {
        if self.caller.version == 0 {
            self.request.session_timeout_ms
        } else {
            self.request.rebalance_timeout_ms
        }
    }

    /// Names and metadata; of two with the same name the first counts.
    fn protocols(&self) -> Vec<(String, Vec<u8>)> {
        let mut seen = std::collections::BTreeSet::new();
        self.request
            .protocols
            .iter()
            .filter(|protocol| seen.insert(protocol.name.as_str()))
            .map(|protocol| (protocol.name.clone(), protocol.metadata.clone()))
            .collect()
    }

    fn new_member_id(&self) -> String {
        let instance = self.request.group_instance_id.as_deref();
        let mut id = instance.unwrap_or(self.caller.client_id).to_owned();
        for (index, byte) in self.random.0.iter().enumerate() {
            if matches!(index, 0 | 4 | 6 | 8 | 10) {
                id.push('-');
            }
            write!(id, "{byte:02x}").expect("a string takes everything");
        }
        id
    }
}

impl ClassicGroup {
    /// Takes a JoinGroup and answers it, at once or when the group is complete.
    pub(crate) fn join(&mut self, joining: &Joining<'_>, step: &mut Step<'_>) {
        let id = joining.request.member_id.clone();
        if !self.has_room_for(&id, step.settings.max_size) {
            self.remove(&id);
            joining.refuse(GroupError::GroupFull, "", step);
        } else if !self.supports(
            &joining.request.protocol_type,
            joining.request.protocols.iter().map(|p| p.name.as_str()),
        ) {
            joining.refuse(GroupError::InconsistentProtocol, &id, step);
        } else if id.is_empty() {
            self.join_unknown(joining, step);
        } else {
            self.join_known(joining, id, step);
        }
    }

    fn has_room_for(&self, id: &str, max: i32) -> bool {
        let max = usize::try_from(max).unwrap_or(0);
        match self.state {
            State::Empty => true,
            // Who has joined this rebalance may join again. The number of those counts, so that after a
            // change of the limit the last ones to come are left out.
            State::PreparingRebalance => {
                let waits = self.members.get(id).is_some_and(|m| m.join.is_some());
                waits || self.joining < max
            }
            State::CompletingRebalance | State::Stable => {
                self.members.contains_key(id) || self.members.len() < max
            }
        }
    }

    fn join_unknown(&mut self, joining: &Joining<'_>, step: &mut Step<'_>) {
        let new_id = joining.new_member_id();
        let instance = joining.request.group_instance_id.as_deref();
        if let Some(instance) = instance {
            match self.static_members.get(instance).cloned() {
                Some(old_id) => self.replace_static(joining, old_id, new_id, step),
                None => self.join_new(joining, new_id, step),
            }
        } else if joining.caller.version >= KNOWS_MEMBER_ID_REQUIRED {
            if self.pending.len() >= PENDING_MEMBERS_MAX {
                joining.refuse(GroupError::GroupFull, "", step);
                return;
            }
            let session = millis(joining.request.session_timeout_ms);
            let until = step.now.mono.saturating_add(session);
            self.pending.insert(new_id.clone(), until);
            self.note_deadline(until);
            joining.refuse(GroupError::MemberIdRequired, &new_id, step);
        } else {
            self.join_new(joining, new_id, step);
        }
    }

    fn join_new(&mut self, joining: &Joining<'_>, id: String, step: &mut Step<'_>) {
        if self.state == State::PreparingRebalance && self.previous == State::Empty {
            self.new_member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(joining.request.protocol_type.clone());
        }
        let until = millis(NEW_MEMBER_JOIN_TIMEOUT_MS);
        let until = step.now.mono.saturating_add(until);
        let member = Member {
            instance_id: joining.request.group_instance_id.clone(),
            client_id: joining.caller.client_id.to_owned(),
            client_host: joining.caller.client_host.to_owned(),
            rebalance_timeout_ms: joining.rebalance_timeout_ms(),
            session_timeout_ms: joining.request.session_timeout_ms,
            protocols: joining.protocols(),
            assignment: Vec::new(),
            join: Some(joining.ticket),
            sync: None,
            deadline: Some(until),
            is_new: true,
        };
        self.note_deadline(until);
        self.add(id, member);
        self.rebalance_or_complete_join(step);
    }

    fn join_known(&mut self, joining: &Joining<'_>, id: String, step: &mut Step<'_>) {
        let instance = joining.request.group_instance_id.as_deref();
        if self.pending.contains_key(&id) && instance.is_none() {
            self.join_new(joining, id, step);
            return;
        }
        if let Err(error) = self.check_member(&id, instance) {
            joining.refuse(error, &id, step);
            return;
        }
        let unchanged = self
            .members
            .get(&id)
            .is_some_and(|member| member.protocols == joining.protocols());
        match self.state {
            State::Empty => joining.refuse(GroupError::UnknownMember, &id, step),
            // It may not have got the answer of this generation: here it is again. A leader of a stable
            // group that joins wants a rebalance, since the topics have changed.
            State::CompletingRebalance if unchanged => self.repeat_answer(joining, &id, step),
            State::Stable if unchanged && !self.is_leader(&id) => {
                self.repeat_answer(joining, &id, step);
            }
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                self.update_joining(joining, &id, step);
                self.rebalance_or_complete_join(step);
            }
        }
    }

    fn repeat_answer(&self, joining: &Joining<'_>, id: &str, step: &mut Step<'_>) {
        let is_told = self.state == State::CompletingRebalance && self.is_leader(id);
        let response = JoinGroupResponse {
            member_id: id.to_owned(),
            members: if is_told {
                self.member_list()
            } else {
                Vec::new()
            },
            ..join_answer(self)
        };
        step.fx
            .reply(Some(joining.ticket), GroupReply::Join(response));
    }

    fn update_joining(&mut self, joining: &Joining<'_>, id: &str, step: &mut Step<'_>) {
        let displaced = self.update(
            id,
            joining.protocols(),
            joining.rebalance_timeout_ms(),
            joining.request.session_timeout_ms,
            Some(joining.ticket),
        );
        // Kafka differs: it never answers the one before.
        let refusal = join_refused(GroupError::RebalanceInProgress, id);
        step.fx.reply(displaced, GroupReply::Join(refusal));
    }

    /// A static member comes back, perhaps from a restart: it gets a new id and takes the place of its
    /// old self (KIP-345). Only if it says the same as before can the group go on undisturbed.
    fn replace_static(
        &mut self,
        joining: &Joining<'_>,
        old_id: String,
        new_id: String,
        step: &mut Step<'_>,
    ) {
        let Some(old) = self.members.get(&old_id).cloned() else {
            joining.refuse(GroupError::UnknownMember, "", step);
            return;
        };
        let instance = old.instance_id.clone().unwrap_or_default();
        let old_leader = self.leader.clone();
        let fenced = join_refused(GroupError::FencedInstance, &old_id);
        step.fx.reply(old.join, GroupReply::Join(fenced));
        let fenced = super::sync::sync_refused(GroupError::FencedInstance);
        step.fx.reply(old.sync, GroupReply::Sync(fenced));
        if self.pending_sync.remove(&old_id) {
            self.pending_sync.insert(new_id.clone());
        }
        self.rename_static(&instance, &old_id, &new_id);
        self.extend_session(&new_id, step.now.mono);
        self.update_joining(joining, &new_id, step);

        match self.state {
            State::Stable if self.select_protocol() == self.protocol => {
                step.fx.records.push(self.record(&self.assignments()));
                let replacement = StaticReplacement {
                    group: Arc::clone(&self.id),
                    ticket: joining.ticket,
                    version: joining.caller.version,
                    instance,
                    old_id,
                    new_id,
                    old_leader,
                    old_protocols: old.protocols,
                    old_rebalance_timeout_ms: old.rebalance_timeout_ms,
                    old_session_timeout_ms: old.session_timeout_ms,
                };
                step.fx
                    .continuations
                    .push(Continuation::StaticReplaced(replacement));
            }
            // The leader may be computing for the old id right now.
            State::CompletingRebalance => self.prepare_rebalance(step),
            State::Empty | State::PreparingRebalance | State::Stable => {
                self.rebalance_or_complete_join(step);
            }
        }
    }

    /// The new id of a static member is in the log.
    pub(crate) fn replacement_stored(&mut self, done: &StaticReplacement, step: &mut Step<'_>) {
        let waits = self.members.get(&done.new_id).and_then(|m| m.join);
        if waits != Some(done.ticket) {
            return; // It joined once more, or left.
        }
        let leads = self.is_leader(&done.new_id);
        let knows_skip = done.version >= KNOWS_SKIP_ASSIGNMENT;
        let mut response = JoinGroupResponse {
            member_id: done.new_id.clone(),
            ..join_answer(self)
        };
        if knows_skip {
            response.skip_assignment = leads;
            if leads {
                response.members = self.member_list();
            }
        } else {
            // The old id, so that a member which led does not compute assignments that nobody wants.
            response.leader = done.old_leader.clone().unwrap_or_default();
        }
        self.answer_join(&done.new_id, response, step);
    }

    /// The new id could not be written: the old one is the member again.
    pub(crate) fn replacement_lost(
        &mut self,
        done: StaticReplacement,
        error: GroupError,
        step: &mut Step<'_>,
    ) {
        let waits = self.members.get(&done.new_id).and_then(|m| m.join);
        if waits != Some(done.ticket) {
            return;
        }
        let response = JoinGroupResponse {
            error_code: error.code().code(),
            leader: done.old_leader.clone().unwrap_or_default(),
            ..join_answer(self)
        };
        self.answer_join(&done.new_id, response, step);
        self.update(
            &done.new_id,
            done.old_protocols,
            done.old_rebalance_timeout_ms,
            done.old_session_timeout_ms,
            None,
        );
        self.rename_static(&done.instance, &done.new_id, &done.old_id);
        self.extend_session(&done.old_id, step.now.mono);
    }
}
