//! SyncGroup: the leader gives, the others get their assignments.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_coordinator::Ticket;
use ottla_protocol::messages::sync_group_request::SyncGroupRequest;
use ottla_protocol::messages::sync_group_response::SyncGroupResponse;

use crate::classic::group::{ClassicGroup, State};
use crate::classic::rebalance::StoredAssignments;
use crate::coordinator::Continuation;
use crate::error::GroupError;
use crate::step::{GroupReply, Step};

/// From this version on a request names the protocol that its sender believes in (KIP-559).
const NAMES_PROTOCOL: i16 = 5;

/// The answer to a SyncGroup that is refused.
pub(crate) fn sync_refused(error: GroupError) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code: error.code().code(),
        ..SyncGroupResponse::default()
    }
}

/// What can be said of a SyncGroup without the group.
///
/// # Errors
/// `InconsistentProtocol`, `InvalidGroupId`.
pub fn check_request(request: &SyncGroupRequest, version: i16) -> Result<(), GroupError> {
    let names_both = request.protocol_type.is_some() && request.protocol_name.is_some();
    if version >= NAMES_PROTOCOL && !names_both {
        return Err(GroupError::InconsistentProtocol);
    }
    if request.group_id.is_empty() {
        return Err(GroupError::InvalidGroupId);
    }
    Ok(())
}

impl ClassicGroup {
    /// Takes a SyncGroup and answers it, at once or when the leader's assignments are in the log.
    pub(crate) fn sync(&mut self, request: SyncGroupRequest, ticket: Ticket, step: &mut Step<'_>) {
        if let Err(error) = self.check_sync(&request) {
            let refusal = sync_refused(error);
            step.fx.reply(Some(ticket), GroupReply::Sync(refusal));
            return;
        }
        let id = request.member_id.as_str();
        self.pending_sync.remove(id);
        if self.pending_sync.is_empty() {
            self.sync_deadline = None;
        }
        if self.state == State::Stable {
            let assignment = self.members.get(id).map(|member| member.assignment.clone());
            let response = SyncGroupResponse {
                assignment: assignment.unwrap_or_default(),
                ..self.assignment_answer()
            };
            step.fx.reply(Some(ticket), GroupReply::Sync(response));
            self.extend_session(id, step.now.mono);
            return;
        }
        if let Some(member) = self.members.get_mut(id)
            && let Some(before) = member.sync.replace(ticket)
        {
            // Kafka differs: it never answers the one before.
            let refusal = sync_refused(GroupError::RebalanceInProgress);
            step.fx.reply(Some(before), GroupReply::Sync(refusal));
        }
        if self.is_leader(id) {
            self.store_assignments(request, step);
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), GroupError> {
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let differs = |named: &Option<String>, own: &Option<String>| {
            named.is_some() && named.as_deref() != own.as_deref()
        };
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol)
        {
            return Err(GroupError::InconsistentProtocol);
        }
        match self.state {
            State::Empty => Err(GroupError::UnknownMember),
            State::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    fn store_assignments(&mut self, request: SyncGroupRequest, step: &mut Step<'_>) {
        // Assignments of those who are no members are of no use to anybody.
        let by_member: BTreeMap<String, Vec<u8>> = request
            .assignments
            .into_iter()
            .filter(|given| self.members.contains_key(&given.member_id))
            .map(|given| (given.member_id, given.assignment))
            .collect();
        step.fx.records.push(self.record(&by_member));
        let stored = StoredAssignments {
            group: Arc::clone(&self.id),
            generation: self.generation,
            by_member,
        };
        step.fx
            .continuations
            .push(Continuation::AssignmentsStored(stored));
    }

    /// What every SyncGroup answer of this generation says.
    pub(crate) fn assignment_answer(&self) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            ..SyncGroupResponse::default()
        }
    }
}
