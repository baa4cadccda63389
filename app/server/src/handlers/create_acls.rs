//! CreateAcls (key 30, versions 1-3, broker and controller listeners, ALTER Cluster; KIP-140, 290).
//!
//! A node has no authorizer, for none is served yet; so every entry is refused.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::create_acls_response::AclCreationResult;
use ottla_protocol::messages::{CreateAclsRequest, CreateAclsResponse};

use crate::api_table::RequestContext;

pub(crate) async fn handle(_: &RequestContext, request: CreateAclsRequest) -> CreateAclsResponse {
    let refused = |_| AclCreationResult {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some("No Authorizer is configured.".to_owned()),
    };
    CreateAclsResponse {
        results: request.creations.iter().map(refused).collect(),
        ..CreateAclsResponse::default()
    }
}
