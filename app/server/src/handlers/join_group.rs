//! JoinGroup (key 11, versions 0-9, broker listeners; ACL: READ on the group; KIP-62, 345, 394, 559, 814).
//!
//! Decided by `ottla_group::GroupCoordinator::join_group`; the answer comes when the group is complete.

use ottla_group::{Caller, GroupReply};
use ottla_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;
use crate::java_address::java_address;

/// From this version on an answer may be without a protocol.
const NULLABLE_PROTOCOL: i16 = 7;

pub(crate) async fn handle(ctx: &RequestContext, request: JoinGroupRequest) -> JoinGroupResponse {
    let member_id = request.member_id.clone();
    let mut response = match join(ctx, request).await {
        Ok(GroupReply::Join(response)) => response,
        Ok(GroupReply::Sync(_)) => unreachable!("a ticket of JoinGroup is answered as such"),
        Err(error) => JoinGroupResponse {
            error_code: error.error_code().code(),
            protocol_name: None,
            member_id,
            ..JoinGroupResponse::default()
        },
    };
    if ctx.version < NULLABLE_PROTOCOL {
        response.protocol_name.get_or_insert_default();
    }
    response
}

async fn join(
    ctx: &RequestContext,
    request: JoinGroupRequest,
) -> Result<GroupReply, ottla_group::GroupError> {
    // Kafka refuses these before it looks for the coordinator; the shard of the empty name would say the
    // same, but need not be here.
    if request.group_id.is_empty() {
        return Err(ottla_group::GroupError::InvalidGroupId);
    }
    let shard = ctx
        .node
        .coordinators
        .shard_of(&request.group_id, &ctx.node.image.load())?;
    let client_host = java_address(ctx.session.peer.ip());
    let random = ctx.node.rng.uuid();
    let caller = Caller {
        client_id: ctx.client_id.as_deref().unwrap_or_default(),
        client_host: &client_host,
        version: ctx.version,
    };
    shard
        .ask(|machine, now, ticket, fx| {
            machine.join_group(now, &caller, request, random, ticket, fx);
        })
        .await
}
