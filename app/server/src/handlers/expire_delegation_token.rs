//! ExpireDelegationToken (key 40, versions 1-2, broker and controller listeners; KIP-48).
//!
//! Tokens are for connections that prove who they are. None can yet, so each request is refused.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{ExpireDelegationTokenRequest, ExpireDelegationTokenResponse};

use crate::api_table::RequestContext;

pub(crate) async fn handle(
    _: &RequestContext,
    _: ExpireDelegationTokenRequest,
) -> ExpireDelegationTokenResponse {
    ExpireDelegationTokenResponse {
        error_code: ErrorCode::DelegationTokenRequestNotAllowed.code(),
        expiry_timestamp_ms: -1,
        ..ExpireDelegationTokenResponse::default()
    }
}
