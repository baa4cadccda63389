//! Heartbeat (key 12, versions 0-4, broker listeners; ACL: READ on the group; KIP-62, 345).
//!
//! Decided by `ottla_group::GroupCoordinator::heartbeat`, at once.

use ottla_group::GroupError;
use ottla_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;

pub(crate) async fn handle(ctx: &RequestContext, request: HeartbeatRequest) -> HeartbeatResponse {
    HeartbeatResponse {
        error_code: heartbeat(ctx, &request)
            .err()
            .map_or(0, |error| error.error_code().code()),
        ..HeartbeatResponse::default()
    }
}

fn heartbeat(ctx: &RequestContext, request: &HeartbeatRequest) -> Result<(), GroupError> {
    if request.group_id.is_empty() {
        return Err(GroupError::InvalidGroupId);
    }
    let shard = ctx
        .node
        .coordinators
        .shard_of(&request.group_id, &ctx.node.image.load())?;
    shard.touch(|machine, now| machine.heartbeat(now, request))?
}
