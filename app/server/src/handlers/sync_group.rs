//! SyncGroup (key 14, versions 0-5, broker listeners; ACL: READ on the group; KIP-62, 345, 559).
//!
//! Decided by `ottla_group::GroupCoordinator::sync_group`; the answer comes when the leader's assignments
//! are committed.

use ottla_group::{Caller, GroupError, GroupReply};
use ottla_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;

pub(crate) async fn handle(ctx: &RequestContext, request: SyncGroupRequest) -> SyncGroupResponse {
    match sync(ctx, request).await {
        Ok(GroupReply::Sync(response)) => response,
        Ok(GroupReply::Join(_)) => unreachable!("a ticket of SyncGroup is answered as such"),
        Err(error) => SyncGroupResponse {
            error_code: error.error_code().code(),
            ..SyncGroupResponse::default()
        },
    }
}

async fn sync(ctx: &RequestContext, request: SyncGroupRequest) -> Result<GroupReply, GroupError> {
    let caller = Caller {
        client_id: ctx.client_id.as_deref().unwrap_or_default(),
        client_host: "",
        version: ctx.version,
    };
    ottla_group::check_sync(&request, ctx.version)?;
    let shard = ctx
        .node
        .coordinators
        .shard_of(&request.group_id, &ctx.node.image.load())?;
    shard
        .ask(|machine, now, ticket, fx| machine.sync_group(now, &caller, request, ticket, fx))
        .await
}
