//! ElectLeaders (key 43, versions 0-2, broker and controller listeners, ALTER Cluster; KIP-183, 460).
//!
//! Decided by `Controller::elect_leaders`.

use ottla_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::api_table::RequestContext;
use crate::error_map::WireError;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let version = ctx.version;
    let quorum = &ctx.node.quorum;
    let decided = quorum.decide(version, move |controller, _| {
        controller.elect_leaders(&request)
    });
    match decided.await {
        Ok(response) => response,
        Err(error) => {
            let error_code = error.error_code().code();
            ElectLeadersResponse {
                error_code: if version >= 1 { error_code } else { 0 },
                ..ElectLeadersResponse::default()
            }
        }
    }
}
