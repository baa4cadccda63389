//! UnregisterBroker (key 64, version 0, broker and controller listeners, ALTER Cluster; KIP-631).
//!
//! Decided by `Controller::unregister_broker`.

use ottla_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

use crate::api_table::RequestContext;
use crate::error_map::WireError;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: UnregisterBrokerRequest,
) -> UnregisterBrokerResponse {
    let quorum = &ctx.node.quorum;
    let decided = quorum.decide(ctx.version, move |controller, _| {
        controller.unregister_broker(&request)
    });
    decided
        .await
        .unwrap_or_else(|error| UnregisterBrokerResponse {
            error_code: error.error_code().code(),
            error_message: error.error_message(),
            ..UnregisterBrokerResponse::default()
        })
}
