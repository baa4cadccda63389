//! Heartbeat and LeaveGroup: how members show that they live, and how they go.

use ottla_base::MonoTime;
use ottla_protocol::messages::heartbeat_request::HeartbeatRequest;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::leave_group_response::MemberResponse;

use crate::classic::group::{ClassicGroup, State};
use crate::error::GroupError;
use crate::step::Step;

impl ClassicGroup {
    /// A member says that it lives.
    pub(crate) fn heartbeat(
        &mut self,
        request: &HeartbeatRequest,
        now: MonoTime,
    ) -> Result<(), GroupError> {
        let id = request.member_id.as_str();
        self.check_member(id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        match self.state {
            State::Empty => Err(GroupError::UnknownMember),
            State::PreparingRebalance => {
                self.extend_session(id, now);
                Err(GroupError::RebalanceInProgress)
            }
            State::CompletingRebalance | State::Stable => {
                self.extend_session(id, now);
                Ok(())
            }
        }
    }

    /// Members go, or somebody removes static ones by their instance ids. Each is answered by itself.
    pub(crate) fn leave(
        &mut self,
        members: &[MemberIdentity],
        step: &mut Step<'_>,
    ) -> Vec<MemberResponse> {
        let responses: Vec<MemberResponse> = members
            .iter()
            .map(|member| MemberResponse {
                member_id: member.member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                error_code: self
                    .leave_one(member, step)
                    .err()
                    .map_or(0, |error| error.code().code()),
            })
            .collect();
        if responses.iter().any(|response| response.error_code == 0) {
            match self.state {
                State::Stable | State::CompletingRebalance => self.prepare_rebalance(step),
                State::PreparingRebalance => self.complete_join_if_all_joined(step),
                State::Empty => {}
            }
        }
        responses
    }

    fn leave_one(&mut self, who: &MemberIdentity, step: &mut Step<'_>) -> Result<(), GroupError> {
        let instance = who.group_instance_id.as_deref();
        let id = if who.member_id.is_empty() {
            let holder = instance.and_then(|instance| self.static_members.get(instance));
            holder.cloned().ok_or(GroupError::UnknownMember)?
        } else if self.pending.remove(&who.member_id).is_some() {
            return Ok(());
        } else {
            self.check_member(&who.member_id, instance)?;
            who.member_id.clone()
        };
        self.expel(&id, step);
        Ok(())
    }
}
