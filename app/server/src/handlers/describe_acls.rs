//! DescribeAcls (key 29, versions 1-3, broker and controller listeners, DESCRIBE Cluster; KIP-140, 290).
//!
//! A node has no authorizer, for none is served yet; so there are no ACLs to tell.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

use crate::api_table::RequestContext;

pub(crate) async fn handle(_: &RequestContext, _: DescribeAclsRequest) -> DescribeAclsResponse {
    DescribeAclsResponse {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some("No Authorizer is configured on the broker".to_owned()),
        ..DescribeAclsResponse::default()
    }
}
