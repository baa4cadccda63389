//! ListGroups (key 16, versions 0-5, broker listeners; ACL: DESCRIBE on the cluster, or else on each group;
//! KIP-518, 848).
//!
//! Answered from `ottla_group::GroupCoordinator::list_groups` of every shard of this node: a client asks
//! all brokers.

use ottla_group::GroupError;
use ottla_protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use crate::api_table::RequestContext;
use crate::error_map::WireError as _;

pub(crate) async fn handle(ctx: &RequestContext, request: ListGroupsRequest) -> ListGroupsResponse {
    let mut response = ListGroupsResponse::default();
    for shard in ctx.node.coordinators.all() {
        let listed = shard
            .decide(|machine, now, _| {
                let (states, types) = (&request.states_filter, &request.types_filter);
                machine.list_groups(now.mono, states, types)
            })
            .await;
        match listed {
            Ok(groups) => response.groups.extend(groups),
            // It moves just now; whoever leads it next is asked as well.
            Err(GroupError::NotCoordinator) => {}
            Err(error) => {
                return ListGroupsResponse {
                    error_code: error.error_code().code(),
                    ..ListGroupsResponse::default()
                };
            }
        }
    }
    response
}
