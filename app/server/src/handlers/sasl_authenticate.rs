//! SaslAuthenticate (key 36, versions 0-2, broker and controller listeners, no ACL; KIP-152, 368).
//!
//! On a listener without SASL, the only kind served yet, every peer counts as known already.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};

use crate::api_table::RequestContext;

pub(crate) async fn handle(
    _: &RequestContext,
    _: SaslAuthenticateRequest,
) -> SaslAuthenticateResponse {
    let text = "SaslAuthenticate request received after successful authentication";
    SaslAuthenticateResponse {
        error_code: ErrorCode::IllegalSaslState.code(),
        error_message: Some(text.to_owned()),
        ..SaslAuthenticateResponse::default()
    }
}
