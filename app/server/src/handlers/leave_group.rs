//! LeaveGroup (key 13, versions 0-5, broker listeners; ACL: READ on the group; KIP-345, 800).
//!
//! Decided by `ottla_group::GroupCoordinator::leave_group`.

use ottla_group::GroupError;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::leave_group_response::MemberResponse;
use ottla_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;

/// From this version on several members leave in one request.
const SEVERAL_MEMBERS: i16 = 3;

pub(crate) async fn handle(ctx: &RequestContext, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let mut response = LeaveGroupResponse::default();
    match leave(ctx, request).await {
        Ok(members) if ctx.version >= SEVERAL_MEMBERS => response.members = members,
        Ok(members) => response.error_code = members.first().map_or(0, |member| member.error_code),
        Err(error) => response.error_code = error.error_code().code(),
    }
    response
}

async fn leave(
    ctx: &RequestContext,
    request: LeaveGroupRequest,
) -> Result<Vec<MemberResponse>, GroupError> {
    if request.group_id.is_empty() {
        return Err(GroupError::InvalidGroupId);
    }
    let shard = ctx
        .node
        .coordinators
        .shard_of(&request.group_id, &ctx.node.image.load())?;
    let members = if ctx.version >= SEVERAL_MEMBERS {
        request.members
    } else {
        vec![MemberIdentity {
            member_id: request.member_id,
            ..MemberIdentity::default()
        }]
    };
    shard
        .decide(|machine, now, fx| machine.leave_group(now, &request.group_id, &members, fx))
        .await?
}
