//! DeleteGroups (key 42, versions 0-3, broker listeners; ACL: DELETE on each group; KIP-229).
//!
//! Decided by `ottla_group::GroupCoordinator::delete_group`, group by group.

use std::collections::BTreeSet;

use ottla_group::GroupError;
use ottla_protocol::messages::DeleteGroupsRequest;
use ottla_protocol::messages::delete_groups_response::{
    DeletableGroupResult, DeleteGroupsResponse,
};

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let mut seen = BTreeSet::new();
    let mut started = Vec::new();
    // Every decision is taken before the first one is waited for: one flush serves all.
    for group_id in request.groups_names {
        if seen.insert(group_id.clone()) {
            let decided = decide(ctx, &group_id);
            started.push((group_id, decided));
        }
    }
    let mut response = DeleteGroupsResponse::default();
    for (group_id, decided) in started {
        let deleted = match decided {
            Ok(decided) => decided.committed().await.and_then(|deleted| deleted),
            Err(error) => Err(error),
        };
        response.results.push(DeletableGroupResult {
            group_id,
            error_code: deleted.err().map_or(0, |error| error.error_code().code()),
            error_message: None,
        });
    }
    response
}

fn decide(
    ctx: &RequestContext,
    group_id: &str,
) -> Result<crate::coordinator::Decided<Result<(), GroupError>>, GroupError> {
    let shard = ctx
        .node
        .coordinators
        .shard_of(group_id, &ctx.node.image.load())?;
    shard.decide_now(|machine, now, fx| machine.delete_group(group_id, now.mono, fx))
}
