//! UpdateFeatures (key 57, versions 0-2, broker and controller listeners, ALTER Cluster; KIP-584, 778,
//! 1022).
//!
//! Decided by `Controller::update_features`.

use ottla_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use crate::api_table::RequestContext;
use crate::error_map::WireError;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: UpdateFeaturesRequest,
) -> UpdateFeaturesResponse {
    let quorum = &ctx.node.quorum;
    let decided = quorum.decide(ctx.version, move |controller, context| {
        controller.update_features(context, &request)
    });
    decided
        .await
        .unwrap_or_else(|error| UpdateFeaturesResponse {
            error_code: error.error_code().code(),
            error_message: error.error_message(),
            ..UpdateFeaturesResponse::default()
        })
}
