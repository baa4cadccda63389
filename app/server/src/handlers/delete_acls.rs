//! DeleteAcls (key 31, versions 1-3, broker and controller listeners, ALTER Cluster; KIP-140, 290).
//!
//! A node has no authorizer, for none is served yet; so every filter is refused.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use ottla_protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};

use crate::api_table::RequestContext;

pub(crate) async fn handle(_: &RequestContext, request: DeleteAclsRequest) -> DeleteAclsResponse {
    let refused = |_| DeleteAclsFilterResult {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some("No Authorizer is configured.".to_owned()),
        ..DeleteAclsFilterResult::default()
    };
    DeleteAclsResponse {
        filter_results: request.filters.iter().map(refused).collect(),
        ..DeleteAclsResponse::default()
    }
}
