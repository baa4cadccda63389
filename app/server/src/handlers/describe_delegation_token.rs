//! DescribeDelegationToken (key 41, versions 1-3, broker and controller listeners; KIP-48, 373).
//!
//! Tokens are for connections that prove who they are. None can yet, so each request is refused.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};

use crate::api_table::RequestContext;

pub(crate) async fn handle(
    _: &RequestContext,
    _: DescribeDelegationTokenRequest,
) -> DescribeDelegationTokenResponse {
    DescribeDelegationTokenResponse {
        error_code: ErrorCode::DelegationTokenRequestNotAllowed.code(),
        ..DescribeDelegationTokenResponse::default()
    }
}
