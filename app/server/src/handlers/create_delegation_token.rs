//! CreateDelegationToken (key 38, versions 1-3, broker and controller listeners; KIP-48, 373).
//!
//! Tokens are for connections that prove who they are. None can yet, so each is refused.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{CreateDelegationTokenRequest, CreateDelegationTokenResponse};

use crate::api_table::RequestContext;

/// From this version on owner and requester are told apart.
const TELLS_REQUESTER_FROM: i16 = 3;

pub(crate) async fn handle(
    ctx: &RequestContext,
    _: CreateDelegationTokenRequest,
) -> CreateDelegationTokenResponse {
    let principal = &*ctx.session.principal;
    let (kind, name) = principal.split_once(':').unwrap_or(("User", principal));
    let tells_requester = ctx.version >= TELLS_REQUESTER_FROM;
    let requester = |text: &str| {
        if tells_requester {
            text.to_owned()
        } else {
            String::new()
        }
    };
    CreateDelegationTokenResponse {
        error_code: ErrorCode::DelegationTokenRequestNotAllowed.code(),
        principal_type: kind.to_owned(),
        principal_name: name.to_owned(),
        token_requester_principal_type: requester(kind),
        token_requester_principal_name: requester(name),
        issue_timestamp_ms: -1,
        expiry_timestamp_ms: -1,
        max_timestamp_ms: -1,
        ..CreateDelegationTokenResponse::default()
    }
}
